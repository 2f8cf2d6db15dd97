"""FCFI's and LD's pipelines, and a few clicks of each of the zoo's networks (docs/zoo.md §Z.6.3,
§Z.8.1)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from vtmr.encodings import bytes_apart, distances, with_newest
from vtmr.geometry import Box
from vtmr.segmenter import segmenter_for
from vtmr.segmenter.fcfi import LONGER_SIDE, FcfiSegmenter
from vtmr.segmenter.latent import LatentSegmenter
from vtmr.session import Session
from vtmr.spec import RAW, ModelSpec
from vtmr.types import Click, FloatMap, Image

FCFI = ModelSpec("fcfi", RAW, pipeline="fcfi", threshold=0.49, target_ratio=3.0)
LD = ModelSpec("ld", RAW, pipeline="ld", threshold=0.75)


class Seen:
    """Answers that the grid's middle is the object, and keeps what it is shown."""

    def __init__(self, spec: ModelSpec) -> None:
        self.spec = spec
        self.calls: list[tuple[Image, FloatMap, list[Click]]] = []

    def coarse(
        self, image: Image, prev_mask: FloatMap, clicks: list[Click]
    ) -> tuple[FloatMap, None]:
        self.calls.append((image, prev_mask, list(clicks)))
        height, width = prev_mask.shape
        logits = np.full((height, width), -4, np.float32)
        logits[height // 4 : 3 * height // 4, width // 4 : 3 * width // 4] = 4
        return logits, None


def test_fcfi_looks_at_the_whole_image_first_and_then_at_a_crop_in_proportion() -> None:
    network = Seen(FCFI)
    segmenter = FcfiSegmenter(network)  # type: ignore[arg-type]
    scene = segmenter.prepare(np.zeros((1200, 1600, 3), np.uint8))
    first = segmenter.predict(scene, [Click(800, 600)])
    assert network.calls[0][0].shape == (1200, 1600, 3)
    assert not network.calls[0][1].any()
    clicks = [Click(800, 600), Click(20.5, 1190.5, positive=False)]
    second = segmenter.predict(scene, clicks, first)
    image, prev_mask, _ = network.calls[2]
    assert max(image.shape) == LONGER_SIDE
    assert image.shape[:2] == prev_mask.shape
    # What is fed back is the answer before: sigmoid(4) in the middle, sigmoid(-4) around.
    assert (prev_mask.max(), prev_mask.min()) == pytest.approx((0.98201, 0.01799), abs=1e-4)
    assert second.kept is not None
    assert second.kept.contains(20.5, 1190.5)  # negative clicks widen the crop, too


def test_fcfi_sees_every_crop_mirrored_as_well() -> None:
    network = Seen(FCFI)
    segmenter = FcfiSegmenter(network)  # type: ignore[arg-type]
    image = np.arange(60 * 80 * 3, dtype=np.uint8).reshape(60, 80, 3)
    segmenter.predict(segmenter.prepare(image), [Click(10.5, 20.5)])
    (plain, _, points), (mirrored, _, turned) = network.calls
    np.testing.assert_array_equal(mirrored, plain[:, ::-1])
    assert (points[0].x, turned[0].x) == (10.5, 69.5)


def test_the_newest_clicks_plane_says_where_which_and_whether_it_is_the_first() -> None:
    prev = np.zeros((40, 50), np.float32)
    first, second = Click(10.9, 20.2), Click(49.9, 0.1, positive=False)
    plane = with_newest(prev, [first], FCFI)[0, 3]
    assert (plane[19, 10], np.abs(plane).sum()) == (1, 1)  # 19.7 and 10.4, cut off
    plane = with_newest(prev, [first, second], FCFI)[0, 3]
    assert (plane[0, 49], np.abs(plane).sum()) == (-2, 2)


def test_lds_distances_have_no_fractions_and_no_more_than_255() -> None:
    maps = bytes_apart(np.zeros((10, 400), np.float32), [Click(0.5, 0.5)], LD)[0]
    assert maps[0, 3, 4] == 5
    assert maps[0, 1, 1] == 1  # 1.41
    assert maps[0, 0, 399] == 255
    assert (maps[1] == 255).all() and (maps[3] == 255).all()
    assert (maps[2] == 0).sum() == 1
    assert distances([], 3, 4).tolist() == [[255] * 4] * 3


def test_ld_gives_the_network_the_same_array_for_every_click_on_an_image() -> None:
    """By which it knows what it has seen already; a larger image is reduced once."""
    network = Seen(LD)
    segmenter = LatentSegmenter(network)  # type: ignore[arg-type]
    scene = segmenter.prepare(np.zeros((600, 2048, 3), np.uint8))
    clicks = [Click(2047.9, 599.9)]
    answer = segmenter.predict(scene, clicks)
    segmenter.predict(scene, [*clicks, Click(1.5, 1.5, positive=False)], answer)
    assert network.calls[0][0].shape == (300, 1024, 3)
    assert network.calls[0][0] is network.calls[1][0]
    assert network.calls[0][2][0].pixel == (299, 1023)
    mask = answer.render()
    assert mask.shape == (600, 2048)
    assert mask[300, 1024] and not mask[10, 10]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["fcfi-hrnet18s", "fca-resnet101", "brs-densenet", "ld-vgg19"])
def test_a_session_on_each_network(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Clicks, an undo and a mask to correct, on random weights and small grids: answers depend on
    nothing but the history."""
    import torch

    from vtmr.models import build
    from vtmr.models.torch_network import TorchNetwork
    from vtmr.segmenter import brs, fcfi

    monkeypatch.setattr(fcfi, "LONGER_SIDE", 64)
    monkeypatch.setattr(brs, "SIDE", 64)
    monkeypatch.setattr(brs, "ITERATIONS", 2)
    torch.manual_seed(0)
    module = build(name)
    spec = replace(module.spec, input_size=64)
    segmenter = segmenter_for(TorchNetwork(module, spec, threads=1))
    image = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    session = Session(segmenter, image)
    for click in (Click(20.5, 30.5), Click(50.5, 10.5, positive=False), Click(30.2, 30.9)):
        session = session.add(click)
    again = session.undo().add(Click(30.2, 30.9))
    assert again.mask.shape == (40, 60)
    np.testing.assert_array_equal(again.mask, session.mask)
    corrected = Session(segmenter, image, initial_mask=session.mask).add(Click(5.5, 5.5))
    assert corrected.mask.shape == (40, 60)


def test_a_box_that_is_enlarged_keeps_its_proportions() -> None:
    from vtmr.segmenter.ritm import in_proportion

    frame = in_proportion(Box(0, 0, 100, 50), 720)
    assert (frame.width, frame.height) == (720, 360)
