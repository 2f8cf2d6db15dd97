"""Drawing: expected pixels follow from the definitions (tint, contour of one pixel at small sizes,
discs at clicks)."""

from __future__ import annotations

import numpy as np
import pytest

from vtmr.drawing import (
    DARK,
    LIGHT,
    NEGATIVE,
    OBJECT,
    POSITIVE,
    Panel,
    draw_clicks,
    draw_grid,
    draw_mask,
    overlay,
    strip,
)
from vtmr.errors import InputError

GREY = 100


def grey(height: int = 60, width: int = 80) -> np.ndarray:
    return np.full((height, width, 3), GREY, np.uint8)


def square(height: int = 60, width: int = 80) -> np.ndarray:
    mask = np.zeros((height, width), bool)
    mask[20:40, 30:50] = True
    return mask


def test_the_mask_is_tinted_inside_a_light_line_inside_a_dark_one() -> None:
    image = grey()
    drawn = draw_mask(image, square())
    middle = drawn[30].tolist()
    assert middle[29] == list(DARK)  # just outside the object
    assert middle[30] == list(LIGHT)  # its outermost column
    assert middle[31] == pytest.approx([0.55 * GREY + 0.45 * channel for channel in OBJECT], abs=1)
    assert middle[28] == [GREY] * 3
    assert (image == GREY).all(), "the caller's image was drawn on"


def test_an_object_that_touches_the_border_is_drawn_up_to_it() -> None:
    mask = np.zeros((60, 80), bool)
    mask[:20, 60:] = True
    drawn = draw_mask(grey(), mask)
    assert (drawn[10, 59] == DARK).all()
    assert (drawn[10, 60] == LIGHT).all()
    assert drawn[0, 79].tolist() == pytest.approx(
        [0.55 * GREY + 0.45 * channel for channel in OBJECT], abs=1
    )


def test_an_empty_mask_leaves_the_image() -> None:
    assert (draw_mask(grey(), np.zeros((60, 80), bool)) == GREY).all()


def test_lines_grow_with_the_image() -> None:
    mask = np.zeros((1280, 1280), bool)
    mask[400:800, 400:800] = True
    row = draw_mask(grey(1280, 1280), mask)[600]
    assert (row[398:400] == DARK).all()
    assert (row[397] == GREY).all()
    assert (row[400:402] == LIGHT).all()


@pytest.mark.parametrize(("positive", "colour"), [(True, POSITIVE), (False, NEGATIVE)])
def test_a_click_is_a_disc_of_its_sign_at_its_pixel(
    positive: bool, colour: tuple[int, int, int]
) -> None:
    drawn = draw_clicks(grey(), np.array([(20.5, 30.5)]), np.array([positive]))
    rows, cols = np.nonzero((drawn == colour).all(axis=2))
    # The disc is symmetric about the pixel that the click lies in, (row 30, col 20).
    assert (rows.min() + rows.max()) / 2 == 30
    assert (cols.min() + cols.max()) / 2 == 20
    assert (drawn[30, 20] == LIGHT).all()  # the bar of the plus or minus
    assert ((drawn[28, 20] == LIGHT).all()) is np.bool_(positive)  # a minus has no upright


def test_clicks_at_the_border_and_at_two_places_are_drawn() -> None:
    drawn = draw_clicks(grey(), np.array([(0.0, 0.0), (79.9, 59.9)]), np.array([True, False]))
    assert (drawn[3, 3] != GREY).any()
    assert (drawn[56, 76] != GREY).any()


def test_an_overlay_of_another_size_is_refused_with_both_sizes() -> None:
    with pytest.raises(InputError, match=r"80x50.*80x60"):
        overlay(grey(), np.zeros((50, 80), bool), np.zeros((0, 2)), np.zeros(0, bool))


def test_an_overlay_has_mask_and_clicks() -> None:
    drawn = overlay(grey(), square(), np.array([(40.5, 30.5)]), np.array([True]))
    assert (drawn[30, 40] == LIGHT).all()
    assert (drawn[20, 32] == LIGHT).all()
    assert drawn.dtype == np.uint8


def test_a_strip_has_rows_of_equal_cells_in_reading_order() -> None:
    panels = [Panel(np.full((30, 60, 3), value, np.uint8), "") for value in (10, 20, 30)]
    sheet = strip(panels, panel_width=60, columns=2)
    height, width = 30 + 6 + 22, 60 + 12  # picture, margin and text; a margin at both sides
    assert sheet.shape == (2 * height, 2 * width, 3)
    centres = [
        sheet[20, 36, 0],
        sheet[20, width + 36, 0],
        sheet[height + 20, 36, 0],
        sheet[height + 20, width + 36, 0],
    ]
    assert centres == [10, 20, 30, 255]


def test_grid_lines_lie_at_their_coordinates() -> None:
    """x = 10.5 is the centre of column 10; a smooth line touches its neighbours and ends at the
    outer ones."""
    drawn = draw_grid(grey(), np.array([10.5, 40.5, 70.5]), np.array([5.5, 50.5]))
    changed = (drawn != GREY).any(axis=2)
    assert np.flatnonzero(changed[30]).tolist() == [9, 10, 11, 39, 40, 41, 69, 70, 71]
    assert np.flatnonzero(changed[:, 20]).tolist() == [4, 5, 6, 49, 50, 51]
    assert drawn[30, 40].tolist() == pytest.approx(list(OBJECT), abs=16)
    assert not changed[:3].any() and not changed[53:].any()


def test_a_caption_is_written_below_its_picture() -> None:
    sheet = strip([Panel(grey(), "click 1")], panel_width=80)
    assert (sheet[6 + 60 :] < 100).any()


def test_a_strip_of_nothing_or_of_different_shapes_is_refused() -> None:
    with pytest.raises(InputError, match="one common shape"):
        strip([])
    with pytest.raises(InputError, match=r"\(60, 80, 3\), \(61, 80, 3\)"):
        strip([Panel(grey(), ""), Panel(grey(61), "")])
