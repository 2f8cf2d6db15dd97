"""The refiner's targets, by the rules of docs/method.md §C.6."""

from __future__ import annotations

import cv2
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vtmr.train.refiner_targets import MIN_SIDE, draw_focus_box, edge_band


def ellipse(height: int, width: int, x: int, y: int, a: int, b: int) -> np.ndarray:
    mask = np.zeros((height, width), np.uint8)
    cv2.ellipse(mask, (x, y), (a, b), 20, 0, 360, 1, -1)
    mask[min(y, height - 1), min(x, width - 1)] = 1
    return mask.astype(bool)


masks = st.builds(
    ellipse,
    height=st.integers(64, 160),
    width=st.integers(64, 160),
    x=st.integers(0, 160),
    y=st.integers(0, 160),
    a=st.integers(0, 90),
    b=st.integers(0, 90),
)


@given(mask=masks, seed=st.integers(0, 2**32))
def test_the_focus_box_lies_in_the_grid_and_is_large_enough(mask: np.ndarray, seed: int) -> None:
    height, width = mask.shape
    x0, y0, x1, y1 = draw_focus_box(mask, np.random.default_rng(seed))
    assert 0 <= x0 < x1 <= width
    assert 0 <= y0 < y1 <= height
    assert min(x1 - x0, y1 - y0) >= MIN_SIDE - 1e-9


def test_a_small_object_is_always_the_focus() -> None:
    """Under 3600 px: its box times 1.1 to 1.6, moved by up to .3 of that; so it stays within .8 of
    its size away."""
    mask = np.zeros((256, 256), bool)
    mask[100:150, 80:140] = True  # 50 x 60
    mask[200:210, 200:210] = True  # a smaller component doesn't count
    widths = []
    for seed in range(200):
        x0, y0, x1, y1 = draw_focus_box(mask, np.random.default_rng(seed))
        widths.append(x1 - x0)
        assert 66 - 1e-9 <= x1 - x0 <= 96 + 1e-9
        assert 55 - 1e-9 <= y1 - y0 <= 80 + 1e-9
        assert abs((x0 + x1) / 2 - 110) <= 0.3 * (x1 - x0) + 1e-9
        assert abs((y0 + y1) / 2 - 125) <= 0.3 * (y1 - y0) + 1e-9
    assert min(widths) < 70
    assert max(widths) > 92


def test_a_large_object_is_the_focus_in_three_of_five_draws_else_its_border() -> None:
    mask = np.zeros((256, 256), bool)
    mask[40:200, 40:200] = (
        True  # its box is 160 wide, times 1.1 at least; the border's boxes are 256/1.5 at most
    )
    boxes = [draw_focus_box(mask, np.random.default_rng(seed)) for seed in range(1000)]
    border = [
        box
        for box in boxes
        if box[2] - box[0] < 256 / 1.5 + 1e-9 and box[3] - box[1] < 256 / 1.5 + 1e-9
    ]
    # Not clipped: the centre is known.
    inner = [box for box in border if min(box[:2]) > 0 and max(box[2:]) < 256]
    assert len(inner) > 50
    for x0, y0, x1, y1 in inner:
        centre = np.array([(x0 + x1) / 2, (y0 + y1) / 2])
        outwards = np.maximum(np.maximum(40 - centre, centre - 200), 0).max()
        assert 0.5 - 1e-6 <= outwards <= 1.5 + 1e-6  # two pixels around the object: 5 x 5, once
        assert min(x1 - x0, y1 - y0) >= 256 / 3.9 - 1e-9
    whole = [box for box in boxes if box not in border]
    assert 0.4 < len(whole) / len(boxes) < 0.7


@given(mask=masks)
def test_the_edge_band_hugs_the_edge(mask: np.ndarray) -> None:
    """Nothing deeper than a cell of 8 px, its upsampling and the dilation of 2 px can be band."""
    band = edge_band(mask)
    assert band.dtype == bool
    assert band.shape == mask.shape
    far = 20
    kernel = np.ones((2 * far + 1, 2 * far + 1), np.uint8)
    values = mask.astype(np.uint8)
    near = cv2.dilate(values, kernel) != cv2.erode(values, kernel)
    assert not (band & ~near).any()


def test_the_edge_band_by_its_definition() -> None:
    """What shrinking by 8 loses, dilated twice by 3 x 3: a 2 px line is lost whole, an aligned
    square loses its rim."""
    line = np.zeros((64, 64), bool)
    line[:, 31:33] = True
    expected = np.zeros((64, 64), bool)
    expected[:, 29:35] = True
    np.testing.assert_array_equal(edge_band(line), expected)
    square = np.zeros((64, 64), bool)
    square[16:48, 16:48] = True
    band = edge_band(square)
    assert band[16, 16]  # a corner is rounded off
    assert not band[24:40, 24:40].any()
    assert not band[:10].any()
    assert not edge_band(np.zeros((64, 64), bool)).any()
    assert not edge_band(np.ones((64, 64), bool)).any()
