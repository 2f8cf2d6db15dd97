"""The robot against brute-force distances in whole numbers, and against hand-made cases (facts.md §D.1, §K.3)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from vtmr.errors import InputError
from vtmr.robot import next_click
from vtmr.types import Click


def brute_force_squares(region: np.ndarray, clicked: list[Click]) -> np.ndarray:
    """Squared distance of every region pixel to the nearest pixel outside it (the border's ring included)."""
    padded = np.pad(region, 1)
    zeros = np.argwhere(~padded)
    squares = np.zeros(region.shape, int)
    for row, col in np.argwhere(region):
        squares[row, col] = ((zeros - (row + 1, col + 1)) ** 2).sum(axis=1).min()
    for click in clicked:
        squares[click.pixel] = 0
    return squares


def brute_force_click(
    mask: np.ndarray, gt_mask: np.ndarray, ignore_mask: np.ndarray, clicked: list[Click]
) -> Click | None:
    missed = brute_force_squares(gt_mask & ~mask & ~ignore_mask, clicked)
    wrong = brute_force_squares(mask & ~gt_mask & ~ignore_mask, clicked)
    if missed.max() == wrong.max() == 0:
        return None
    positive = bool(missed.max() > wrong.max())
    squares = missed if positive else wrong
    row, col = next(
        (r, c) for r in range(mask.shape[0]) for c in range(mask.shape[1]) if squares[r, c] == squares.max()
    )
    return Click(col + 0.5, row + 0.5, positive)


@st.composite
def scenes(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[Click]]:
    """Small masks of uniform noise or of boxes: noise gives many ties, boxes give depth."""
    height, width = draw(st.integers(1, 14)), draw(st.integers(1, 14))

    def mask() -> np.ndarray:
        if draw(st.booleans()):
            return draw(npst.arrays(bool, (height, width)))
        field = np.zeros((height, width), bool)
        for _ in range(draw(st.integers(0, 2))):
            y, x = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
            field[y : y + draw(st.integers(1, height)), x : x + draw(st.integers(1, width))] ^= True
        return field

    pixels = draw(st.lists(st.tuples(st.integers(0, height - 1), st.integers(0, width - 1)), max_size=6))
    return mask(), mask(), mask() & mask(), [Click(col + 0.25, row + 0.75) for row, col in pixels]


@settings(max_examples=150, deadline=None)
@given(scenes())
def test_equals_brute_force(scene: tuple[np.ndarray, np.ndarray, np.ndarray, list[Click]]) -> None:
    assert next_click(*scene) == brute_force_click(*scene)


def test_equals_brute_force_with_deep_regions_away_from_the_origin() -> None:
    rng = np.random.default_rng(5)
    for _ in range(5):
        gt_mask, mask = np.zeros((60, 70), bool), np.zeros((60, 70), bool)
        for field in (gt_mask, mask):
            for _ in range(3):
                y, x, h, w = rng.integers(5, 40, 4)
                field[y : y + h, x : x + w] = True
        ignore_mask = rng.random(mask.shape) < 0.01
        assert next_click(mask, gt_mask, ignore_mask) == brute_force_click(mask, gt_mask, ignore_mask, [])


def test_first_click_is_the_middle_of_the_object() -> None:
    gt_mask = np.zeros((11, 15), bool)
    gt_mask[2:9, 4:11] = True  # 7 x 7: the middle pixel is row 5, column 7
    assert next_click(np.zeros_like(gt_mask), gt_mask) == Click(7.5, 5.5, True)


def test_the_images_border_ends_a_region() -> None:
    gt_mask = np.ones((5, 9), bool)  # three pixels are 3 deep: row 2, columns 2 .. 6; the first one counts
    assert next_click(np.zeros_like(gt_mask), gt_mask) == Click(2.5, 2.5, True)


def test_equally_deep_errors_make_the_click_negative() -> None:
    gt_mask, mask = np.zeros((7, 14), bool), np.zeros((7, 14), bool)
    gt_mask[1:6, 1:6], mask[1:6, 8:13] = True, True
    assert next_click(mask, gt_mask) == Click(10.5, 3.5, False)


def test_clicked_pixels_are_passed_over_and_then_nothing_is_left() -> None:
    gt_mask = np.zeros((1, 3), bool)
    gt_mask[0, :2] = True
    mask = np.zeros_like(gt_mask)
    assert next_click(mask, gt_mask, None, [Click(0.5, 0.5)]) == Click(1.5, 0.5, True)
    assert next_click(mask, gt_mask, None, [Click(0.5, 0.5), Click(1.1, 0.9)]) is None


def test_no_click_when_every_counted_pixel_is_right() -> None:
    gt_mask = np.zeros((6, 6), bool)
    gt_mask[1:4, 1:4] = True
    assert next_click(gt_mask.copy(), gt_mask) is None
    assert next_click(np.zeros_like(gt_mask), gt_mask, gt_mask) is None


def test_another_shape_is_refused() -> None:
    with pytest.raises(InputError, match="prediction"):
        next_click(np.zeros((4, 5), bool), np.zeros((5, 4), bool))
    with pytest.raises(InputError, match="ignore mask"):
        next_click(np.zeros((5, 4), bool), np.zeros((5, 4), bool), np.zeros((4, 5), bool))
