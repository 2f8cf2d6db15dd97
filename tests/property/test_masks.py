"""Laws of masks that hold for all masks."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pycocotools import mask as coco_mask

from vtmr.errors import InputError
from vtmr.geometry import Box
from vtmr.masks import Mask, RunLengths, bounding_box, component_at, component_in_box, iou

masks = hnp.arrays(np.bool_, hnp.array_shapes(min_dims=2, max_dims=2, max_side=24))
pairs = hnp.array_shapes(min_dims=2, max_dims=2, max_side=24).flatmap(
    lambda shape: st.tuples(hnp.arrays(np.bool_, shape), hnp.arrays(np.bool_, shape))
)


@given(masks)
def test_run_lengths_are_cocos(mask: Mask) -> None:
    """Expected: what pycocotools itself writes and reads."""
    reference = coco_mask.encode(np.asfortranarray(mask, np.uint8))
    assert RunLengths.encode(mask).counts == reference["counts"]
    height, width = mask.shape
    np.testing.assert_array_equal(RunLengths(height, width, reference["counts"]).decode(), mask)


@given(masks)
def test_run_lengths_round_trip(mask: Mask) -> None:
    decoded = RunLengths.encode(mask).decode()
    assert decoded.flags.c_contiguous
    np.testing.assert_array_equal(decoded, mask)


@given(st.binary(max_size=30), st.integers(1, 12), st.integers(1, 12))
def test_foreign_run_lengths_are_refused_or_fill_the_mask(
    counts: bytes, height: int, width: int
) -> None:
    try:
        mask = RunLengths(height, width, counts).decode()
    except InputError:
        return
    assert mask.shape == (height, width)


@given(st.lists(st.integers(1, 400), min_size=1, max_size=40), st.booleans())
def test_long_runs_round_trip(runs: list[int], first: bool) -> None:
    """Runs of very different lengths: numbers of one and two digits, and negative differences."""
    column = np.repeat(np.arange(len(runs)) % 2 == int(first), runs)[:, None]
    np.testing.assert_array_equal(RunLengths.encode(column).decode(), column)


@given(
    st.lists(st.tuples(st.integers(0, 79), st.integers(0, 39)), min_size=1, max_size=4),
    st.integers(33, 40),
)
def test_the_bounding_box_of_single_pixels(pixels: list[tuple[int, int]], width: int) -> None:
    """Far fewer than the rows that are looked at first."""
    mask = np.zeros((80, 40), bool)
    rows, cols = np.array(pixels).T
    mask[rows, cols] = True
    mask = np.ascontiguousarray(mask[:, :width]) if width > cols.max() else mask
    assert bounding_box(mask) == Box(cols.min(), rows.min(), cols.max() + 1, rows.max() + 1)


@given(masks)
def test_the_bounding_box_is_the_smallest(mask: Mask) -> None:
    box = bounding_box(mask)
    if box is None:
        assert not mask.any()
        return
    inside = mask[box.slices]
    assert inside.sum() == mask.sum()
    assert inside[0].any()
    assert inside[-1].any()
    assert inside[:, 0].any()
    assert inside[:, -1].any()


@given(masks, st.data())
def test_a_component_is_what_flooding_reaches(mask: Mask, data: st.DataObject) -> None:
    row, col = (
        data.draw(st.integers(0, mask.shape[0] - 1)),
        data.draw(st.integers(0, mask.shape[1] - 1)),
    )
    flooded, front = np.zeros_like(mask), [(row, col)]
    while front:
        r, c = front.pop()
        if 0 <= r < mask.shape[0] and 0 <= c < mask.shape[1] and mask[r, c] and not flooded[r, c]:
            flooded[r, c] = True
            front += [(r + dr, c + dc) for dr in (-1, 0, 1) for dc in (-1, 0, 1)]
    np.testing.assert_array_equal(component_at(mask, row, col), flooded)
    if mask[row, col]:
        box, inside = component_in_box(mask, row, col)
        assert box == bounding_box(flooded)
        np.testing.assert_array_equal(inside, flooded[box.slices])


@given(pairs)
def test_iou_is_symmetric_and_bounded(pair: tuple[Mask, Mask]) -> None:
    assert iou(*pair) == iou(*pair[::-1])
    assert 0 <= iou(*pair) <= 1
    assert (iou(*pair) == 1) == bool((pair[0] == pair[1]).all())
