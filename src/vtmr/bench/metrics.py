"""What a run of clicks is worth: boundary IoU, clicks to a target, intervals of means
[docs/method.md §D.4-D.5].

IoU itself is a property of two masks and lives in `vtmr.masks`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from vtmr.errors import InputError
from vtmr.masks import Mask, bounding_box, iou

BAND_RATIO = 0.02  # of the image's diagonal
RESAMPLES = 2000  # of the bootstrap
LEVEL = 0.95
LARGEST_DRAW = 1 << 20  # numbers of the resamples that are in memory together


def boundary_band(mask: Mask) -> Mask:
    """The mask's pixels within d of the outside, d = max(1, round(.02 x diagonal)); bool H x W.

    Within d is meant in the chessboard distance, so the band is the mask minus d erosions by a 3 x
    3 square; what lies beyond the image's border counts as outside. Source: docs/method.md §D.5.
    """
    band = np.zeros_like(mask)
    box = bounding_box(mask)
    if box is None:
        return band
    depth_px = max(1, round(BAND_RATIO * math.hypot(*mask.shape)))
    padded: NDArray[np.uint8] = np.pad(mask[box.slices].view(np.uint8), 1)
    distance = cv2.distanceTransform(padded, cv2.DIST_C, cv2.DIST_MASK_3)[1:-1, 1:-1]
    band[box.slices] = (distance > 0) & (distance <= depth_px)
    return band


def boundary_iou(mask: Mask, gt_mask: Mask, ignore_mask: Mask | None = None) -> float:
    """IoU of the two masks' boundary bands; 1 when both are empty.

    Bool arrays H x W of one frame. Ignored pixels are off in both masks before the bands are taken,
    so that a prediction which is right wherever it counts scores 1 even where an ignored strip
    surrounds the object. Source: docs/method.md §D.5.
    """
    if ignore_mask is not None:
        mask, gt_mask = mask & ~ignore_mask, gt_mask & ~ignore_mask
    return iou(boundary_band(mask), boundary_band(gt_mask))


def clicks_to_reach(ious: Sequence[float], target: float) -> int | None:
    """The number of the first click whose IoU is at least `target`, counted from 1; None when there
    is none."""
    return next((k for k, value in enumerate(ious, start=1) if value >= target), None)


def noc(ious: Sequence[float], target: float, max_clicks: int) -> int:
    """Number of clicks to the target: `max_clicks` when it is never reached [docs/method.md
    §D.4]."""
    return clicks_to_reach(ious, target) or max_clicks


def fails(
    ious: Sequence[float], target: float, max_clicks: int, *, ritm_compatible: bool = False
) -> bool:
    """Whether an object counts for NoF [docs/method.md §D.4].

    Strictly: the target is never reached. `ritm_compatible`: NoC equals `max_clicks`, as RITM and
    its successors count, so that an object that succeeds exactly on the last click is a failure
    too.
    """
    if ritm_compatible:
        return noc(ious, target, max_clicks) == max_clicks
    return clicks_to_reach(ious, target) is None


def value_at_click(values: Sequence[float], click: int) -> float:
    """The value after that click, counted from 1; the last one when the run ended before.

    A run may end early only because no error pixel was left to click, or after the click asked for:
    then nothing more would have changed. Raises InputError when there is no value.
    """
    if not values or click < 1:
        raise InputError(
            f"There is no value at click {click} of a run of {len(values)}: expected click >= 1 of "
            ">= 1."
        )
    return values[min(click, len(values)) - 1]


def mean_interval(values: ArrayLike, seed: int = 0) -> tuple[float, float]:
    """The 95 % percentile-bootstrap interval of the mean over N objects, with 2000 seeded
    resamples.

    values: N numbers (booleans for a rate). Raises InputError when N is 0.
    """
    low, high = mean_band(np.asarray(values, np.float64).reshape(-1, 1), seed)
    return float(low[0]), float(high[0])


def mean_band(rows: ArrayLike, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """`mean_interval` of each of K columns, as low and high of K values; the columns share their
    resamples.

    rows: N x K numbers, a row for each object. Raises InputError when N is 0.
    """
    sample = np.asarray(rows, np.float64)
    if not len(sample):
        raise InputError("An interval of no values was asked for: expected at least one object.")
    rng = np.random.default_rng(seed)
    at_once = max(1, LARGEST_DRAW // sample.size)  # many small draws cost more than what they draw
    counts = [min(at_once, RESAMPLES - done) for done in range(0, RESAMPLES, at_once)]
    draws = (
        sample[rng.integers(len(sample), size=(count, len(sample)))].mean(axis=1)
        for count in counts
    )
    low, high = np.quantile(np.concatenate(list(draws)), [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return low, high


def paired_difference(
    first: ArrayLike, second: ArrayLike, seed: int = 0
) -> tuple[float, float, float]:
    """The mean of first - second over the same N objects in the same order, and its 95 % bootstrap
    interval.

    Returns (mean, low, high). Raises InputError when the lengths differ or are 0.
    """
    one, other = np.asarray(first, np.float64).ravel(), np.asarray(second, np.float64).ravel()
    if one.size != other.size:
        raise InputError(
            f"A paired difference needs the same objects on both sides: got {one.size} and "
            f"{other.size}."
        )
    low, high = mean_interval(one - other, seed)
    return float(np.mean(one - other)), low, high
