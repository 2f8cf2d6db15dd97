"""FCA's pipeline: structural integrity, sizes, and the whole of it against the authors' figures
(docs/zoo.md §Z.5.2, §Z.5.3)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vtmr.segmenter.fca import FcaSegmenter, held_by_clicks, probability, resized_sides
from vtmr.spec import RAW, ModelSpec
from vtmr.types import Click, FloatMap, Image

SPEC = ModelSpec("fca", RAW, pipeline="fca", input_size=512)


def test_structural_integrity_keeps_what_hangs_together_with_a_positive_click() -> None:
    """The sheet's 12 x 12 example: 9 of 27 pixels are kept; diagonal neighbours don't hang
    together."""
    mask = np.zeros((12, 12), np.bool_)
    mask[1:4, 1:4] = mask[6:10, 6:10] = True
    mask[4, 4] = mask[10, 10] = True
    kept = held_by_clicks(mask, [Click(2.5, 2.5), Click(11.5, 0.5)])
    assert (mask.sum(), kept.sum()) == (27, 9)
    assert kept[1:4, 1:4].all()
    assert not held_by_clicks(mask, [Click(11.5, 0.5)]).any()
    assert not held_by_clicks(mask, [Click(2.5, 2.5, positive=False)]).any()


@pytest.mark.parametrize(
    ("size", "expected"),
    [((320, 256), (640, 512)), ((375, 500), (512, 682)), ((40, 4000), (40, 4096))],
)
def test_the_shorter_side_becomes_512(size: tuple[int, int], expected: tuple[int, int]) -> None:
    assert resized_sides(*size, 512) == expected


class Echo:
    """Answers with a bright square around the first click it is told of, and keeps what it saw."""

    spec = SPEC

    def __init__(self) -> None:
        self.seen: list[tuple[Image, list[Click]]] = []

    def coarse(
        self, image: Image, prev_mask: FloatMap, clicks: list[Click]
    ) -> tuple[FloatMap, None]:
        self.seen.append((image, list(clicks)))
        logits = np.full(prev_mask.shape, -5, np.float32)
        row, col = clicks[0].pixel
        logits[max(row - 40, 0) : row + 40, max(col - 40, 0) : col + 40] = 5
        return logits, None


def test_a_click_goes_to_the_pixel_that_the_sides_ratio_gives() -> None:
    network = Echo()
    segmenter = FcaSegmenter(network)  # type: ignore[arg-type]
    scene = segmenter.prepare(np.zeros((320, 256, 3), np.uint8))
    answer = segmenter.predict(scene, [Click(80.5, 100.5), Click(150.2, 230.9, positive=False)])
    image, clicks = network.seen[0]
    assert image.shape == (640, 512, 3)
    assert clicks == [Click(160.5, 200.5), Click(300.5, 460.5, positive=False)]
    mask = answer.render()
    assert mask.shape == (320, 256)
    assert mask[100, 80]
    assert not mask[230, 150]
    assert answer.nbytes < 1000


@pytest.mark.slow
def test_the_whole_pipeline_answers_as_the_authors(tmp_path: Path) -> None:
    """After three clicks, with ResNet-101 filled by the rule."""
    import released
    import torch

    from vtmr.models.converted import import_checkpoint
    from vtmr.models.loading import load_torch_network

    torch.save(released.filled("fcanet-resnet101"), tmp_path / "fca.pth")
    import_checkpoint(tmp_path / "fca.pth", tmp_path / "fca.safetensors")
    network = load_torch_network(tmp_path / "fca.safetensors", threads=1)
    y, x, k = np.ogrid[:320, :256, :3]
    wave = 127.5 + 127.5 * np.sin(0.05 * (x + 1) * (k + 1) + 0.03 * y)
    image = np.round(wave).astype(np.uint8)
    clicks = [Click(80.5, 100.5), Click(150.5, 230.5, positive=False), Click(200.5, 40.5)]
    found = probability(network, image, clicks)
    expected = [0.520171, 0.570548, 0.568703, 0.519495, 0.556056]
    positions = [(0, 0), (17, 200), (128, 128), (319, 255), (60, 33)]
    assert [float(found[at]) for at in positions] == pytest.approx(expected, abs=1e-4)
    assert float(found.mean()) == pytest.approx(0.551983, abs=1e-4)
