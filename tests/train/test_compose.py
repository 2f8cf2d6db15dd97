"""Copy-paste: what the masks promise about the pixels."""

from __future__ import annotations

import cv2
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vtmr.train.compose import CutOut, composed

RED, BLUE, GREY = (255, 0, 0), (0, 0, 255), (90, 90, 90)


def disc(height: int, width: int, colour: tuple[int, int, int]) -> CutOut:
    """A one-coloured ellipse that fills its box; outside it, the cut-out's image is green."""
    mask = np.zeros((height, width), np.uint8)
    cv2.ellipse(
        mask,
        (width // 2, height // 2),
        (max(1, width // 2 - 1), max(1, height // 2 - 1)),
        0,
        0,
        360,
        1,
        -1,
    )
    image = np.full((height, width, 3), (0, 255, 0), np.uint8)
    image[mask > 0] = colour
    return CutOut(image, mask.astype(bool))


def canvas(height: int = 90, width: int = 120) -> np.ndarray:
    return np.full((height, width, 3), GREY, np.uint8)


sides = st.integers(3, 200)


@given(
    boxes=st.lists(st.tuples(sides, sides), min_size=1, max_size=3),
    shape=st.tuples(st.integers(32, 120), st.integers(32, 120)),
    seed=st.integers(0, 2**32),
)
def test_masks_are_disjoint_and_of_the_canvas(
    boxes: list[tuple[int, int]], shape: tuple[int, int], seed: int
) -> None:
    image, masks = composed(
        canvas(*shape), [disc(*box, RED) for box in boxes], np.random.default_rng(seed)
    )
    assert image.shape == (*shape, 3)
    assert len(masks) == len(boxes)
    assert all(mask.shape == shape and mask.dtype == bool for mask in masks)
    assert np.sum(masks, axis=0).max() <= 1
    assert masks[-1].any()  # nothing lies over the last one


def test_pixels_are_those_of_the_mask() -> None:
    """Away from the seam of two pixels: the object's colour inside, the canvas outside; nothing of
    its background."""
    for seed in range(30):
        image, (red, blue) = composed(
            canvas(), [disc(60, 50, RED), disc(40, 70, BLUE)], np.random.default_rng(seed)
        )
        kernel = np.ones((7, 7), np.uint8)
        for mask, colour in ((red, RED), (blue, BLUE)):
            inner = cv2.erode(np.pad(mask.astype(np.uint8), 3), kernel)[3:-3, 3:-3].astype(bool)
            assert inner.any() or mask is red  # which the blue one may have covered
            if inner.any():
                assert np.abs(image[inner].astype(int) - colour).max() <= 2
        outside = ~cv2.dilate((red | blue).astype(np.uint8), kernel).astype(bool)
        assert (image[outside] == GREY).all()


def test_a_cut_outs_sides_take_15_to_60_percent() -> None:
    """As the geometric mean of both directions; small cut-outs are magnified by 1.5 at most."""
    found = []
    for seed in range(200):
        _, (mask,) = composed(canvas(200, 200), [disc(150, 100, RED)], np.random.default_rng(seed))
        rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        high, wide = rows[-1] - rows[0] + 1, cols[-1] - cols[0] + 1
        found.append((high * wide) ** 0.5 / 200)
        assert abs(high / wide - 1.5) < 0.2
    assert 0.13 < min(found) < 0.2
    assert 0.55 < max(found) < 0.61
    _, (small,) = composed(canvas(200, 200), [disc(10, 10, RED)], np.random.default_rng(0))
    assert np.flatnonzero(small.any(axis=1)).size <= 15


def test_the_canvas_is_not_changed_and_the_draw_repeats() -> None:
    background = canvas()
    first, (mask,) = composed(background, [disc(30, 30, RED)], np.random.default_rng(5))
    again, (same,) = composed(background, [disc(30, 30, RED)], np.random.default_rng(5))
    assert (background == GREY).all()
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(mask, same)
    other, _ = composed(background, [disc(30, 30, RED)], np.random.default_rng(6))
    assert (first != other).any()
