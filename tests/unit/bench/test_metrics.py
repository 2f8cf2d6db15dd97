"""Boundary IoU against erosion written out in loops; NoC and NoF against tables made by hand
(docs/method.md §D.4-5)."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from vtmr.bench.metrics import (
    boundary_band,
    boundary_iou,
    clicks_to_reach,
    fails,
    mean_band,
    mean_interval,
    noc,
    paired_difference,
    value_at_click,
)
from vtmr.errors import InputError
from vtmr.masks import iou


def brute_force_band(mask: np.ndarray) -> np.ndarray:
    """Mask minus d erosions by a 3 x 3 square with zeros around the image, pixel by pixel."""
    height, width = mask.shape
    inner = mask.copy()
    for _ in range(max(1, round(0.02 * math.sqrt(height**2 + width**2)))):
        padded = np.pad(inner, 1)
        inner = np.array(
            [[padded[r : r + 3, c : c + 3].all() for c in range(width)] for r in range(height)]
        )
    return mask & ~inner


def brute_force_boundary_iou(mask: np.ndarray, gt_mask: np.ndarray) -> float:
    one, other = brute_force_band(mask), brute_force_band(gt_mask)
    return float((one & other).sum() / (one | other).sum()) if (one | other).any() else 1.0


@settings(max_examples=60, deadline=None)
@given(st.data(), st.integers(1, 12), st.integers(1, 12))
def test_boundary_iou_equals_brute_force_on_small_masks(
    data: st.DataObject, height: int, width: int
) -> None:
    one, other = (data.draw(npst.arrays(bool, (height, width))) for _ in range(2))
    np.testing.assert_array_equal(boundary_band(one), brute_force_band(one))
    assert boundary_iou(one, other) == brute_force_boundary_iou(one, other)


@settings(max_examples=60, deadline=None)
@given(st.data(), st.integers(1, 8), st.integers(1, 8))
def test_iou_and_boundary_iou_count_pixel_by_pixel(
    data: st.DataObject, height: int, width: int
) -> None:
    """With a truth of 1, 0 and -1 (ignored), as the official loaders give it (docs/method.md
    §D.2)."""
    mask = data.draw(npst.arrays(bool, (height, width)))
    truth = data.draw(npst.arrays(np.int8, (height, width), elements=st.integers(-1, 1)))
    pairs = [(bool(p), int(t)) for p, t in zip(mask.ravel(), truth.ravel(), strict=True) if t != -1]
    both, either = sum(p and t == 1 for p, t in pairs), sum(p or t == 1 for p, t in pairs)
    assert iou(mask, truth == 1, truth == -1) == (both / either if either else 1.0)
    counted = mask & (truth != -1)
    assert boundary_iou(mask, truth == 1, truth == -1) == brute_force_boundary_iou(
        counted, truth == 1
    )


def test_boundary_iou_equals_brute_force_with_a_band_of_three_pixels() -> None:
    rng = np.random.default_rng(1)
    for _ in range(2):
        one, other = np.zeros((90, 120), bool), np.zeros((90, 120), bool)  # diagonal 150: d = 3
        for field in (one, other):
            for _ in range(4):
                y, x, h, w = rng.integers(0, 60, 4)  # boxes that touch the image's border, too
                field[y : y + h, x : x + w] ^= True
        assert boundary_iou(one, other) == brute_force_boundary_iou(one, other)


def test_boundary_band_by_hand() -> None:
    whole = np.ones((30, 40), bool)  # diagonal 50: d = 1; the image's border is a boundary
    assert boundary_band(whole).sum() == 30 * 40 - 28 * 38
    assert boundary_band(np.ones((1, 1), bool)).all()
    assert not boundary_band(np.zeros((4, 4), bool)).any()


def test_boundary_iou_of_empty_masks() -> None:
    empty, full = np.zeros((8, 8), bool), np.ones((8, 8), bool)
    assert boundary_iou(empty, empty) == 1.0
    assert boundary_iou(empty, full) == 0.0


def test_boundary_iou_counts_nothing_that_is_ignored() -> None:
    gt_mask, ignore_mask = np.zeros((40, 40), bool), np.zeros((40, 40), bool)
    ignore_mask[8:32, 8:32], gt_mask[10:30, 10:30] = True, True
    ignore_mask[10:30, 10:30] = False  # a strip of two pixels around the object
    mask = gt_mask.copy()
    mask[8:32, 8:32] = True  # differs from the truth in the strip alone
    assert boundary_iou(mask, gt_mask) < 0.5
    assert boundary_iou(mask, gt_mask, ignore_mask) == 1.0


NEVER = [0.5] * 20
ON_THE_LAST = [0.5] * 19 + [0.92]
IN_BETWEEN = [0.3, 0.86, 0.84, 0.91, 0.7]


@pytest.mark.parametrize(
    ("ious", "target", "first", "number", "strict", "ritm"),
    [
        (NEVER, 0.9, None, 20, True, True),
        (ON_THE_LAST, 0.9, 20, 20, False, True),
        (IN_BETWEEN, 0.85, 2, 2, False, False),
        (IN_BETWEEN, 0.9, 4, 4, False, False),
        ([0.9], 0.9, 1, 1, False, False),
        (NEVER, 0.5, 1, 1, False, False),
    ],
)
def test_noc_and_nof_by_hand(
    ious: list[float], target: float, first: int | None, number: int, strict: bool, ritm: bool
) -> None:
    assert clicks_to_reach(ious, target) == first
    assert noc(ious, target, 20) == number
    assert fails(ious, target, 20) is strict
    assert fails(ious, target, 20, ritm_compatible=True) is ritm


def test_value_at_click_stays_when_nothing_was_left_to_click() -> None:
    assert [value_at_click([0.7, 1.0], k) for k in (1, 2, 5)] == [0.7, 1.0, 1.0]
    with pytest.raises(InputError, match="run of 0"):
        value_at_click([], 1)


def test_mean_interval_is_seeded_and_close_to_the_normal_one() -> None:
    values = np.random.default_rng(0).normal(3.0, 1.0, 400)
    low, high = mean_interval(values, seed=7)
    assert (low, high) == mean_interval(values, seed=7) != mean_interval(values, seed=8)
    standard_error = values.std() / math.sqrt(400)  # normal theory: mean -+ 1.96 standard errors
    assert low == pytest.approx(values.mean() - 1.96 * standard_error, abs=0.2 * standard_error)
    assert high == pytest.approx(values.mean() + 1.96 * standard_error, abs=0.2 * standard_error)
    assert mean_interval([4.0, 4.0, 4.0]) == (4.0, 4.0)
    with pytest.raises(InputError, match="no values"):
        mean_interval([])


def test_a_band_is_the_interval_of_each_column() -> None:
    columns = np.random.default_rng(3).normal(size=(40, 3))
    low, high = mean_band(columns, seed=5)
    for i in range(3):
        assert (low[i], high[i]) == pytest.approx(mean_interval(columns[:, i], seed=5), rel=1e-12)
    with pytest.raises(InputError, match="at least one object"):
        mean_band(np.zeros((0, 3)))


def test_paired_difference_is_narrower_than_either_spread() -> None:
    base = np.random.default_rng(2).normal(0.0, 10.0, 300)
    shifted = base + 0.5 + np.random.default_rng(3).normal(0.0, 0.1, 300)
    mean, low, high = paired_difference(shifted, base)
    assert low < mean < high
    assert mean == pytest.approx(0.5, abs=0.03)
    assert high - low < 0.05
    with pytest.raises(InputError, match="got 2 and 3"):
        paired_difference([1, 2], [1, 2, 3])
