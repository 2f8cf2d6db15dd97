"""Expected boxes are worked out by hand in each test; the official ones are in
tests/golden/test_boxes.py."""

from __future__ import annotations

import numpy as np
from fakes import ColourNetwork

from vtmr.geometry import Box, Frame
from vtmr.masks import Mask
from vtmr.segmenter import segmenter_for
from vtmr.segmenter.crops import (
    closer_box,
    focalclick_focus_box,
    focalclick_target_box,
    focus_box,
    target_box,
)
from vtmr.types import Click

WHOLE = Box(0, 0, 400, 300)
FRAME = Frame(WHOLE, 400, 300)


def rectangle(x0: int, y0: int, x1: int, y1: int) -> Mask:
    mask = np.zeros((300, 400), np.bool_)
    mask[y0:y1, x0:x1] = True
    return mask


def test_the_target_is_the_mask_and_the_positive_clicks_times_the_ratio() -> None:
    clicks = [Click(199.5, 50.5), Click(390, 290, positive=False)]
    # rows 50..150, columns 100..200; half of 1.4 x 100 is 70 about (150, 100)
    assert target_box(rectangle(100, 80, 180, 150), clicks, 1.4, Box(0, 0, 9, 9)) == Box(
        80, 30, 220, 170
    )


def test_an_empty_mask_gives_the_fallback() -> None:
    region = Box(10, 20, 110, 90)
    assert target_box(rectangle(0, 0, 0, 0), [Click(5, 5)], 1.4, region) == region


def test_a_tiny_target_grows_to_ten_pixels_inside_the_image() -> None:
    assert target_box(rectangle(0, 150, 1, 151), [], 1.4, WHOLE) == Box(0, 146, 10, 156)
    thin = np.ones((3, 50), np.bool_)
    assert target_box(thin, [], 1.4, Box(0, 0, 50, 3)) == Box(0, 0, 50, 3)


def test_a_closer_look_is_at_the_clicks_component_alone() -> None:
    # A grid of half the resolution: columns 50..100 and rows 40..60 are 100 x 40 pixels about (150,
    # 100).
    frame = Frame(WHOLE, 200, 150)
    mask = np.zeros((150, 200), np.bool_)
    mask[40:60, 50:100] = mask[100:140, 150:190] = True
    clicks = [Click(150, 100), Click(340, 240, positive=False)]
    assert closer_box(mask, clicks, frame, 2.0) == Box(50, 60, 250, 140)


def test_a_closer_look_holds_every_positive_click() -> None:
    mask = rectangle(100, 100, 120, 120) | rectangle(200, 100, 220, 120)
    assert closer_box(mask, [Click(110, 110), Click(210, 110)], FRAME, 1.0) == Box(
        100, 100, 220, 120
    )
    beside = closer_box(rectangle(100, 100, 120, 120), [Click(150.5, 90.5)], FRAME, 1.0)
    # The click lies in no component: all of the mask, and the click.
    assert beside == Box(100, 90, 151, 120)


def test_an_empty_answer_asks_for_no_closer_look() -> None:
    assert closer_box(rectangle(0, 0, 0, 0), [Click(110, 110)], FRAME, 1.4) is None


def test_focus_on_the_component_at_the_click_not_on_the_largest() -> None:
    # The click adds 50 x 60 to an object of 150 x 100; elsewhere 95 x 90 pixels disappear.
    prev = rectangle(100, 100, 200, 200) | rectangle(0, 210, 95, 300)
    new = rectangle(100, 100, 200, 200) | rectangle(200, 100, 250, 160)
    assert focus_box(new, prev, Click(220.5, 120.5), FRAME, 1.0) == Box(200, 100, 250, 160)


def test_focus_on_the_whole_frame_when_the_object_is_gone() -> None:
    frame = Frame(Box(50, 60, 250, 160), 64, 64)
    on = np.ones((64, 64), np.bool_)
    assert focus_box(~on, on, Click(100, 100, positive=False), frame, 1.4) == frame.box


def test_a_click_that_changed_nothing_gets_a_square_of_image_pixels() -> None:
    # A frame with pixels twice as high as wide: the object is 40 x 80 image pixels, the half-side
    # .2 x 80 = 16.
    frame = Frame(Box(0, 0, 200, 400), 200, 200)
    mask = np.zeros((200, 200), np.bool_)
    mask[20:60, 50:90] = True
    assert focus_box(mask, mask, Click(100, 200), frame, 1.0) == Box(84, 184, 116, 216)


def test_a_click_outside_the_frame_stays_in_it() -> None:
    frame = Frame(Box(100, 100, 200, 200), 100, 100)
    mask = np.ones((100, 100), np.bool_)
    box = focus_box(mask, mask, Click(20, 150, positive=False), frame, 1.4)
    assert frame.box.intersection(box) == box


def test_nothing_there_before_means_the_new_object_on_the_grid() -> None:
    # 4 image pixels a cell: cells 10..20 x 30..50 of a frame at (40, 80).
    frame = Frame(Box(40, 80, 440, 480), 100, 100)
    new = np.zeros((100, 100), np.bool_)
    new[30:50, 10:20] = True
    assert focus_box(new, np.zeros_like(new), Click(90, 250), frame, 1.0) == Box(80, 200, 120, 280)


def test_the_official_target_ignores_an_empty_mask() -> None:
    assert focalclick_target_box(rectangle(0, 0, 0, 0), [Click(5, 5)], 1.4) == WHOLE


def test_focus_on_the_largest_change_wherever_the_click_is() -> None:
    """The paper's words in place of the code's rule [docs/method.md §I.29]. As above, but the
    95 x 90 pixels that disappear count; where nothing changed, the square at the click."""
    prev = rectangle(100, 100, 200, 200) | rectangle(0, 210, 95, 300)
    new = rectangle(100, 100, 200, 200) | rectangle(200, 100, 250, 160)
    click = Click(220.5, 120.5)
    assert focus_box(new, prev, click, FRAME, 1.0, "largest") == Box(0, 210, 95, 300)
    assert focalclick_focus_box(new, prev, click, WHOLE, 1.0, "largest").x1 <= 95
    # The object is 100 x 100, the half-side .2 x 100 = 20 about (150, 150).
    square = focus_box(rectangle(100, 100, 200, 200), prev & new, Click(150, 150), FRAME, 1.0)
    assert square == Box(130, 130, 170, 170)
    same = prev & new
    assert focus_box(same, same, Click(150, 150), FRAME, 1.0, "largest") == square


def test_a_large_change_that_is_thin_is_still_the_largest() -> None:
    """The code's rule takes a square there; the paper knows no such exception."""
    prev, new = rectangle(100, 100, 200, 200), rectangle(100, 100, 203, 200)
    click = Click(201.5, 150.5)
    assert focus_box(new, prev, click, FRAME, 1.0, "largest") == Box(197, 100, 207, 200)
    assert focus_box(new, prev, click, FRAME, 1.0).height < 100


def test_the_segmenter_focuses_by_the_specs_rule() -> None:
    """Two parts of the image change at once: the click is on the smaller one."""

    class Parts(ColourNetwork):
        def coarse(self, image, prev_mask, clicks):
            logits = np.full(prev_mask.shape, -4, np.float32)
            logits[64:192, 20:120] = 4
            if len(clicks) > 1:
                logits[64:192, 120:160] = 4  # at the click
                logits[200:250, 0:250] = 4
            return logits, []

        def refine(self, patch, clicks, coarse_logits, features, box):
            cols = np.linspace(box[0], box[2], 256, endpoint=False).astype(int)
            rows = np.linspace(box[1], box[3], 256, endpoint=False).astype(int)
            return coarse_logits[rows][:, cols]

    for rule, holds in (("click", True), ("largest", False)):
        segmenter = segmenter_for(Parts(focus_rule=rule, recrop_share=0.0, target_ratio=9.0))
        scene = segmenter.prepare(np.zeros((256, 256, 3), np.uint8))
        clicks = [Click(60.5, 100.5), Click(140.5, 100.5)]
        first = segmenter.predict(scene, clicks[:1])
        focus = segmenter.predict(scene, clicks, first, first.render()).layers[-1].box
        assert focus.contains(140.5, 100.5) is holds
