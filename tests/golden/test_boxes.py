"""Boxes that FocalClick's own crop helpers gave [docs/method.md §H.4]: a 300 x 400 image, an object
in rows 100..199 and columns 120..259, target crop = whole image, ratio 1.4. The official rules give
them exactly, ours within one pixel.

Official numbers are y1, y2, x1, x2: of the focus crop used as slices, of the target crop inclusive.
"""

from __future__ import annotations

import numpy as np
import pytest

from vtmr.geometry import Box, Frame
from vtmr.masks import Mask
from vtmr.segmenter.crops import focalclick_focus_box, focalclick_target_box, focus_box, target_box
from vtmr.types import Click

WHOLE = Box(0, 0, 400, 300)
FRAME = Frame(WHOLE, 400, 300)


def columns(first: int, end: int) -> Mask:
    mask = np.zeros((300, 400), np.bool_)
    mask[100:200, first:end] = True
    return mask


NEW = columns(120, 260)
FOCUS = [
    pytest.param(columns(120, 200), (150, 230), (79, 219, 187, 271), id="component"),
    pytest.param(
        columns(120, 255),
        (150, 257),
        (110, 189, 217, 296),
        id="thin difference, square at the click",
    ),
    pytest.param(columns(0, 0), (150, 150), (79, 219, 91, 287), id="nothing before"),
]


def sides(box: Box) -> tuple[int, int, int, int]:
    return box.y0, box.y1, box.x0, box.x1


@pytest.mark.parametrize(("prev", "click", "expected"), FOCUS)
def test_focus(prev: Mask, click: tuple[int, int], expected: tuple[int, int, int, int]) -> None:
    pixel = Click(click[1] + 0.5, click[0] + 0.5)
    assert sides(focalclick_focus_box(NEW, prev, pixel, WHOLE, 1.4)) == expected
    ours = sides(focus_box(NEW, prev, pixel, FRAME, 1.4))
    assert np.abs(np.subtract(ours, expected)).max() <= 1


def test_a_click_that_changed_nothing() -> None:
    """The official rule takes the background's component, nearly the whole image; ours the square
    at the click."""
    prev, click = columns(120, 200), Click(150.5, 150.5)
    assert sides(focalclick_focus_box(NEW, prev, click, WHOLE, 1.4)) == (0, 300, 0, 400)
    # Half-side .2 x 140 x 1.4 = 39.2 about (150.5, 150.5), each rounding by at most a pixel.
    assert (
        np.abs(
            np.subtract(sides(focus_box(NEW, prev, click, FRAME, 1.4)), (111, 190, 111, 190))
        ).max()
        <= 1
    )


def test_a_click_that_changed_nothing_gets_all_that_did_not_change() -> None:
    """Not only the part around it: a ring of change shuts the click in, and the box still is that
    of everything unchanged, on both sides of the ring."""
    prev, new = columns(0, 0), columns(0, 0)
    prev[5, 5] = True
    new[100:200, 120:260] = True
    new[130:170, 160:220] = False
    assert sides(focalclick_focus_box(new, prev, Click(190.5, 150.5), WHOLE, 1.4)) == (
        0,
        300,
        0,
        400,
    )


def test_target() -> None:
    clicks = [Click(300.5, 50.5), Click(390.5, 290.5, positive=False)]
    y0, y1, x0, x1 = sides(focalclick_target_box(NEW, clicks, 1.4))
    assert (y0, y1 - 1, x0, x1 - 1) == (20, 230, 83, 337)
    assert (
        np.abs(np.subtract(sides(target_box(NEW, clicks, 1.4, WHOLE)), (20, 231, 83, 338))).max()
        <= 1
    )
