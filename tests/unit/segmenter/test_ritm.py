"""RITM's pipeline: two looks, no refiner, a crop that stays.

Expected values by hand from docs/method.md §B.1, §D.8.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from fakes import ColourNetwork, shapes_image

from vtmr.geometry import Box
from vtmr.segmenter import segmenter_for
from vtmr.segmenter.crops import ritm_target_box
from vtmr.types import Click, FloatMap

WHOLE = Box(0, 0, 1000, 800)


def rectangle(x0: int, y0: int, x1: int, y1: int) -> np.ndarray:
    mask = np.zeros((800, 1000), np.bool_)
    mask[y0:y1, x0:x1] = True
    return mask


class OneSided(ColourNetwork):
    """Logits 4 in the left half of whatever it sees, -4 in the right; remembers what it saw.

    It can't refine. answer: rows and columns to find in place of the left half, on both sides
    alike.
    """

    def __init__(self, input_size: int = 64, **spec: Any) -> None:
        super().__init__(pipeline="ritm", input_size=input_size, **spec)
        self.seen: list[tuple] = []
        self.answer: tuple[slice, slice] | None = None

    def coarse(self, image, prev_mask, clicks):
        self.seen.append((image.copy(), prev_mask.copy(), list(clicks)))
        logits: FloatMap = np.full(image.shape[:2], -4, np.float32)
        if self.answer is None:
            logits[:, : image.shape[1] // 2] = 4
            return logits, None
        logits[self.answer] = 4
        return (logits if len(self.seen) % 2 else logits[:, ::-1]), None

    def refine(self, *arguments):
        raise AssertionError("RITM has no refiner")


def test_the_answer_is_the_mean_of_both_looks() -> None:
    """A network that prefers the left is cancelled by its mirror image: probability 1/2
    everywhere."""
    network = OneSided()
    segmenter = segmenter_for(network)
    first = segmenter.predict(segmenter.prepare(shapes_image()), [Click(40.5, 30.5)])
    assert first.probability() == pytest.approx(0.5, abs=1e-6)
    (image, _, (click,)), (mirrored, _, (mirrored_click,)) = network.seen
    assert np.array_equal(mirrored, image[:, ::-1])
    assert (mirrored_click.x, mirrored_click.y) == pytest.approx((64 - click.x, click.y))
    assert first.nbytes == 64 * 64 * 4


def test_the_previous_probability_is_mirrored_too() -> None:
    network = OneSided()
    segmenter = segmenter_for(network)
    scene = segmenter.prepare(shapes_image())
    mask = np.zeros((120, 160), np.bool_)
    mask[:, :50] = True
    segmenter.predict(scene, [Click(40.5, 30.5)], None, mask)
    (_, prev_mask, _), (_, mirrored, _) = network.seen
    assert prev_mask[:, 0].all() and not prev_mask[:, -1].any()
    assert np.array_equal(mirrored, prev_mask[:, ::-1])


def test_the_crop_is_at_least_200_px() -> None:
    """Rows and columns 400-409 have their centre at 404.5; 100 px to either side are 304.5 and
    504.5, rounded to even.

    The upper bound is inclusive in the official code, so that the box ends one after it.
    """
    assert ritm_target_box(rectangle(400, 400, 410, 410), [], 1.4, None) == Box(304, 304, 505, 505)


def test_the_crop_stays_while_it_overlaps_and_holds_the_clicks() -> None:
    mask, click = rectangle(300, 300, 600, 600), Click(450, 450)
    fresh = ritm_target_box(mask, [click], 1.4, None)
    close, far = Box(250, 250, 670, 670), Box(100, 100, 470, 470)
    assert ritm_target_box(mask, [click], 1.4, close) == close
    assert ritm_target_box(mask, [click], 1.4, far) == fresh
    outside = Click(680, 450)
    assert ritm_target_box(mask, [click, outside], 1.4, close) != close
    assert ritm_target_box(mask, [click, Click(680, 450, positive=False)], 1.4, close) == close


def test_an_empty_mask_gives_the_whole_image() -> None:
    assert ritm_target_box(rectangle(0, 0, 0, 0), [Click(5, 5)], 1.4, Box(0, 0, 300, 300)) == WHOLE


@pytest.mark.parametrize("mode", ["fixed", "cvpr"])
def test_the_first_click_sees_everything(mode: str) -> None:
    segmenter = segmenter_for(ColourNetwork(pipeline="ritm", eval_mode=mode))
    scene = segmenter.prepare(shapes_image(600, 800))
    clicks = [Click(280, 270), Click(300, 280)]
    first = segmenter.predict(scene, clicks[:1])
    assert first.layers[0].box == Box(0, 0, 800, 600)
    second = segmenter.predict(scene, clicks, first, first.render())
    assert second.layers[0].box.area < 0.5 * 600 * 800


def test_a_click_on_the_crops_last_row_or_column_is_outside() -> None:
    """The official code compares with bounds that are inclusive elsewhere [docs/zoo.md §Z.3.3]."""
    mask, kept = rectangle(300, 300, 600, 600), Box(250, 250, 670, 670)
    for inside in (Click(668.5, 450.5), Click(450.5, 668.5), Click(250.5, 250.5)):
        assert ritm_target_box(mask, [inside], 1.4, kept) == kept
    for outside in (Click(669.5, 450.5), Click(450.5, 669.5), Click(249.5, 450.5)):
        assert ritm_target_box(mask, [outside], 1.4, kept) != kept


def test_cvpr_shows_the_image_itself_and_then_a_crop_in_its_proportions() -> None:
    """An image of 800 x 600 as it is; then a crop of 1.4 times the object whose longer side is
    400."""
    network = OneSided(eval_mode="cvpr", input_size=400)
    segmenter = segmenter_for(network)
    image = shapes_image(600, 800)
    scene = segmenter.prepare(image)
    clicks = [Click(210.5, 300.5)]
    first = segmenter.predict(scene, clicks)
    assert np.array_equal(network.seen[0][0], image)
    assert first.kept is None
    network.answer = np.s_[200:260, 100:400]  # rows, columns: 60 high, 300 wide
    answered = segmenter.predict(scene, clicks)
    second = segmenter.predict(scene, [*clicks, Click(220.5, 230.5)], answered, answered.render())
    # Positive clicks widen the object to rows 200..300; 1.4 x 101 is less than 200.
    box = second.kept
    assert box == Box(40, 150, 461, 351)  # centre 249.5, half of 1.4 x 300; centre 250, half of 200
    assert network.seen[-1][0].shape == (round(400 * 201 / 421), 400, 3)


def test_cvpr_shrinks_what_no_network_could_see() -> None:
    network = OneSided(eval_mode="cvpr", input_size=400)
    segmenter = segmenter_for(network)
    scene = segmenter.prepare(np.zeros((30, 4096, 3), np.uint8))
    first = segmenter.predict(scene, [Click(2000.5, 15.5)])
    assert network.seen[0][0].shape == (15, 2048, 3)
    assert first.render().shape == (30, 4096)


def test_logits_are_averaged_not_probabilities() -> None:
    """4 and -1 make 1.5, whose probability isn't the mean of theirs."""

    class Moody(OneSided):
        def coarse(self, image, prev_mask, clicks):
            self.seen.append((image, prev_mask, clicks))
            return np.full((64, 64), 4 if len(self.seen) == 1 else -1, np.float32), None

    segmenter = segmenter_for(Moody())
    first = segmenter.predict(segmenter.prepare(shapes_image()), [Click(40.5, 30.5)])
    assert first.probability() == pytest.approx(1 / (1 + np.exp(-1.5)), abs=1e-6)
