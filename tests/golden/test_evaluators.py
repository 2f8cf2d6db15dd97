"""FocalClick's and RITM's pipelines against their evaluators, click by click, in full size.

Expected values: tests/evaluators.py, which says the official code once more in other terms.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from evaluators import FocalClickEvaluator, Reds, RitmEvaluator, RowCol, focus_bounds
from fakes import shapes_image
from numpy.typing import NDArray

from vtmr.geometry import Box
from vtmr.masks import bounding_box, component_at
from vtmr.models.torch_network import TorchNetwork
from vtmr.segmenter import segmenter_for
from vtmr.segmenter.crops import focalclick_focus_box
from vtmr.spec import RAW, ModelSpec
from vtmr.types import Click

RANDOM_MASKS = 1063
IMAGE = shapes_image(300, 421)  # a red ellipse around (148, 135), a blue box, green elsewhere

CLICKS: list[RowCol] = [
    (135, 148, True),
    (180, 150, True),
    (60, 300, False),
    (130, 200, True),
    (100, 20, False),
    (150, 310, True),  # on the blue box: far from the crop of before
    (70, 320, True),
    (299, 420, True),  # the image's last pixel, so the crop's too
    (299, 420, False),
    (20, 20, False),
    (135, 149, True),
    (240, 300, True),
    (10, 410, False),
]


def played(segmenter: Any, clicks: list[RowCol]) -> list[NDArray[np.float32]]:
    """The probabilities after each click."""
    scene = segmenter.prepare(IMAGE)
    answers: list[Any] = []
    previous: Any = None
    events: list[Click] = []
    for row, col, positive in clicks:
        events.append(Click(col + 0.5, row + 0.5, positive))
        mask = None if previous is None else previous.render()
        previous = segmenter.predict(scene, events, previous, mask)
        answers.append(previous.probability())
    return answers


def as_it_is(pixels: torch.Tensor) -> torch.Tensor:
    return pixels


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Small grids gain nothing from more, and lose much on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("mode", "side"),
    [
        ("cvpr", 400),
        pytest.param("cvpr", 600, marks=pytest.mark.slow),  # as for DAVIS
        ("fixed", 256),
        pytest.param("fixed", 400, marks=pytest.mark.slow),
    ],
)
def test_ritm_is_played_as_its_evaluator_plays_it(mode: Any, side: int) -> None:
    spec = ModelSpec("reds", RAW, pipeline="ritm", eval_mode=mode, input_size=side)
    official = RitmEvaluator(Reds(), IMAGE, as_it_is, mode=mode, side=side)
    ours = played(segmenter_for(TorchNetwork(Reds(), spec)), CLICKS)  # type: ignore[arg-type]
    regions = set()
    for k, (click, probability) in enumerate(zip(CLICKS, ours, strict=True), start=1):
        np.testing.assert_allclose(
            probability, official.click(*click), rtol=0, atol=1e-4, err_msg=f"click {k}"
        )
        regions.add(official.roi)
    assert len(regions) > 2, "crops should have come and gone"


def test_ritm_lays_the_whole_image_into_the_old_crop_after_an_empty_answer() -> None:
    """The quirk of docs/zoo.md §Z.3.3: a negative click in every red part leaves nothing."""

    class Shy(Reds):
        def coarse(self, image: torch.Tensor, maps: torch.Tensor) -> Any:
            logits, near = super().coarse(image, maps)
            return logits - 1e3 * (maps[:, 2:].amax() > 0), near

    spec = ModelSpec("shy", RAW, pipeline="ritm", eval_mode="cvpr", input_size=400)
    official = RitmEvaluator(Shy(), IMAGE, as_it_is, mode="cvpr", side=400)
    clicks: list[RowCol] = [(135, 148, True), (150, 150, True), (20, 20, False), (20, 30, False)]
    segmenter = segmenter_for(TorchNetwork(Shy(), spec))  # type: ignore[arg-type]
    for k, probability in enumerate(played(segmenter, clicks)):
        np.testing.assert_allclose(probability, official.click(*clicks[k]), rtol=0, atol=1e-4)
    assert official.roi is not None
    assert (probability > 0).sum() < IMAGE.shape[0] * IMAGE.shape[1]


def test_focalclick_is_played_as_its_evaluator_plays_it() -> None:
    """More than ten clicks, so that the base is frozen at the end; some change nothing."""
    spec = ModelSpec("reds", RAW, pipeline="focalclick")
    official = FocalClickEvaluator(Reds(), IMAGE, as_it_is)
    ours = played(segmenter_for(TorchNetwork(Reds(), spec)), CLICKS)  # type: ignore[arg-type]
    for k, (click, probability) in enumerate(zip(CLICKS, ours, strict=True), start=1):
        np.testing.assert_allclose(
            probability, official.click(*click), rtol=0, atol=1e-4, err_msg=f"click {k}"
        )


def random_masks(rng: np.random.Generator) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Two of many blobs, so that what didn't change falls into many parts."""
    noise = rng.normal(size=(2, 48, 64)).astype(np.float32)
    spread = float(rng.choice((1.5, 3.0, 6.0)))
    new, prev = (cv2.GaussianBlur(field, (0, 0), spread) > 0 for field in noise)
    return new, prev


def test_the_focus_box_is_the_official_one_wherever_the_click_is() -> None:
    """As numbered components have it: where the click's pixel didn't change, its number is that of
    everything that didn't."""
    rng = np.random.default_rng(20261130)
    unchanged = failing = parted = 0
    for _ in range(RANDOM_MASKS):
        new, prev = random_masks(rng)
        row, col = (int(value) for value in rng.integers(0, (48, 64)))
        y1, y2, x1, x2 = focus_bounds(new, prev, row, col, (0, 47, 0, 63))
        if y1 < y2 and x1 < x2:  # else the official code fails
            pixel, whole = Click(col + 0.5, row + 0.5), Box.whole(48, 64)
            assert focalclick_focus_box(new, prev, pixel, whole, 1.4) == Box(x1, y1, x2, y2)
            still = ~(new ^ prev)
            unchanged += still[row, col]
            around = component_at(still, row, col)
            parted += bool(around.any()) and bounding_box(around) != bounding_box(still)
        else:
            failing += 1
    assert unchanged > 500
    assert parted > 200, "the part around the click should often be less than all"
    assert failing < 20


def test_focalclicks_crops_are_not_rounded() -> None:
    """What the network sees are the floats of an interpolation in torch."""
    seen = []

    class Watched(Reds):
        def coarse(self, image: torch.Tensor, maps: torch.Tensor) -> Any:
            seen.append(image.clone())
            return super().coarse(image, maps)

        def refine(self, patch: torch.Tensor, *others: Any) -> Any:
            seen.append(patch.clone())
            return super().refine(patch, *others)

    spec = ModelSpec("watched", RAW, pipeline="focalclick")
    segmenter = segmenter_for(TorchNetwork(Watched(), spec))  # type: ignore[arg-type]
    answer = segmenter.predict(segmenter.prepare(IMAGE), [Click(148.5, 135.5)])
    pixels = torch.from_numpy(IMAGE.astype(np.float32).transpose(2, 0, 1)[None] / 255)
    boxes = [layer.box for layer in answer.layers]
    for image, box in zip(seen, boxes, strict=True):
        part = pixels[:, :, box.y0 : box.y1, box.x0 : box.x1]
        wanted = torch.nn.functional.interpolate(
            part, (256, 256), mode="bilinear", align_corners=True
        )
        torch.testing.assert_close(image, wanted, rtol=0, atol=1e-5)
        levels = image * 255
        assert float((levels - levels.round()).abs().max()) > 0.1
