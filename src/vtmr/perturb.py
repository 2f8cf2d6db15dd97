"""Masks made wrong on purpose: outlines cut coarse, regions grown and shrunk, until an IoU is
reached.

The two kinds of operation are CascadePSP's [cheng2020; docs/method.md §E.1-E.2]; the loop that ends
at a given IoU with the ground truth is what MaskMatch asks for [vtmr2024; docs/method.md §E.3].
Masks are bool H x W.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from vtmr.errors import InputError
from vtmr.geometry import Box
from vtmr.masks import Mask, bounding_box

Rng = np.random.Generator
Bits = NDArray[np.uint8]  # 0 or 1

REACHABLE = (0.30, 0.98)  # targets outside are taken as the nearest end
REGION_RATIO = 1.4  # of the object's box: further away a change is only noise in the background
# of an outline: the run that is cut off, the shortest cuts to choose from, the vertices kept
VERTEX_SHARE = 0.1
MIN_VERTICES = 10
SEED_SHARE = (
    0.25  # operations that first set the rectangle's centre, from which holes and blobs grow
)
SMALLEST, LARGEST = 3, 9  # px, the side of CascadePSP's structuring elements
OUTLINE_SHARE = 0.5  # perturbations that begin with the outline
OFFICIAL_ROUNDS, OPERATIONS_A_ROUND = 250, 4
DRAWS = 8  # random numbers an operation takes


def perturb_to_iou(
    gt_mask: Mask, target_iou: float, rng: Rng, tolerance: float = 0.02, budget: int = 250
) -> tuple[Mask, float]:
    """A wrong version of `gt_mask` whose IoU with it is `target_iou`, and the IoU reached
    [docs/method.md §E.3].

    gt_mask: bool H x W, not changed. target_iou: clamped to REACHABLE. tolerance: the loop ends
    this close to it. budget: operations tried at most; then the nearest mask seen is returned. The
    result always differs from `gt_mask`.

    An operation that falls below the target is undone and halves the next structuring elements; one
    that gains IoU is undone too, or growing and shrinking would cancel out; one that is kept
    doubles them, because steps made for small objects would never bring a large one to a low IoU.

    Raises InputError for an empty mask and for a target that is not a number.
    """
    box = bounding_box(gt_mask)
    if box is None:
        raise InputError("The mask to perturb is empty: expected an object of at least one pixel.")
    if math.isnan(target_iou):
        raise InputError(
            "The IoU to perturb a mask to is not a number: expected a value from 0 to 1."
        )
    target = min(max(target_iou, REACHABLE[0]), REACHABLE[1])
    region = box.expanded(REGION_RATIO, Box.whole(*gt_mask.shape)).slices
    gt = np.ascontiguousarray(gt_mask[region]).view(np.uint8)
    patch, reached = _approach(gt, target, rng, tolerance, budget)
    mask = gt_mask.copy()
    mask[region] = patch.view(np.bool_)
    return mask, reached


def perturb_official(gt_mask: Mask, target_iou: float, rng: Rng) -> Mask:
    """CascadePSP's own pipeline, for comparison: the outline once, then regions until the IoU falls
    below the target.

    That IoU is with the mask after the first operation, not with `gt_mask`, and is looked at every
    four operations: the result is worse than the target, much worse for small objects, and large
    ones may not get there [docs/method.md §E.2].
    """
    start = coarse_outline(gt_mask, rng).view(np.uint8)
    mask = start.copy()
    for _ in range(OFFICIAL_ROUNDS):
        for draws in rng.random((OPERATIONS_A_ROUND, DRAWS)):
            place, changed = _interference(mask, draws, LARGEST)
            mask[place] = changed
        common, either = cv2.countNonZero(mask & start), cv2.countNonZero(mask | start)
        if (common + 1e-6) / (either + 1e-6) < target_iou:
            break
    return mask.view(np.bool_)


def coarse_outline(mask: Mask, rng: Rng) -> Mask:
    """Every outline without one run of vertices and with a tenth of the rest, filled again: bool H
    x W [docs/method.md §E.1].

    The run is one of those whose ends lie closest together, so that necks and spurs are cut.
    Outlines of fewer than MIN_VERTICES are dropped; the mask itself is returned when nothing is
    left. Moving the vertices, which the original leaves off by default, is not offered.
    """
    contours, _ = cv2.findContours(mask.view(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    outlines = []
    for contour in contours:
        count = len(contour)
        if count < MIN_VERTICES:
            continue
        run = int(VERTEX_SHARE * count)
        chord = ((contour[:-run, 0] - contour[run:, 0]) ** 2).sum(axis=1)
        shortest = np.argsort(chord, kind="stable")[: math.ceil(VERTEX_SHARE * len(chord))]
        start = int(shortest[rng.integers(len(shortest))])
        left = np.delete(contour, slice(start, start + run), axis=0)
        kept = np.sort(rng.choice(len(left), size=int(VERTEX_SHARE * len(left)), replace=False))
        if kept.size:
            outlines.append(left[kept])
    if not outlines:
        return mask.copy()
    filled = np.zeros(mask.shape, np.uint8)
    cv2.drawContours(filled, outlines, -1, 1, cv2.FILLED)  # even-odd: holes survive
    return filled.view(np.bool_)


def _approach(
    gt: Bits, target: float, rng: Rng, tolerance: float, budget: int
) -> tuple[Bits, float]:
    """The loop of `perturb_to_iou` on the region alone; counts are kept up to date from the changed
    rectangles."""
    area = covered = common = cv2.countNonZero(gt)
    mask, current = gt.copy(), 1.0
    cap = max(LARGEST, int(math.sqrt(area) / 4))
    largest, nearest, best = LARGEST, math.inf, _one_pixel_off(gt)
    outline_first = rng.random() < OUTLINE_SHARE
    for number, draws in enumerate(rng.random((budget, DRAWS))):
        if number == 0 and outline_first:
            place = (slice(None), slice(None))
            changed = coarse_outline(gt.view(np.bool_), rng).view(np.uint8)
        else:
            place, changed = _interference(mask, draws, largest)
        # Counted in the rectangle alone, as nothing changes outside it.
        before, truth = mask[place], gt[place]
        new_common = common + cv2.countNonZero(changed & truth) - cv2.countNonZero(before & truth)
        new_covered = covered + cv2.countNonZero(changed) - cv2.countNonZero(before)
        iou = new_common / (area + new_covered - new_common)
        if iou < 1 and abs(iou - target) < nearest:
            candidate = mask.copy()
            candidate[place] = changed
            nearest, best = abs(iou - target), (candidate, iou)
        if nearest <= tolerance:
            return best
        # A step too far is taken back and the next ones are smaller; while they don't suffice they
        # grow. A step that made the mask better is taken back as well: it leads away.
        if iou < target - tolerance:
            largest = max(SMALLEST, largest // 2)
        elif iou < current:
            mask[place] = changed
            common, covered, current = new_common, new_covered, iou
            largest = min(cap, 2 * largest)
    return best


def _one_pixel_off(gt: Bits) -> tuple[Bits, float]:
    """Without the object's first pixel: what there is until an operation has changed something."""
    mask = gt.copy()
    mask.flat[int(np.argmax(gt))] = 0
    return mask, 1 - 1 / cv2.countNonZero(gt)


def _interference(
    mask: Bits, draws: NDArray[np.float64], largest: int
) -> tuple[tuple[slice, slice], Bits]:
    """Grows or shrinks what lies in a random rectangle: the rectangle and its new pixels
    [docs/method.md §E.2].

    draws: DRAWS numbers in [0, 1). largest: px, of the structuring element.
    """
    height, width = mask.shape
    left, top = int(draws[0] * width), int(draws[1] * height)
    right = left + 1 + int(draws[2] * (width - left))
    bottom = top + 1 + int(draws[3] * (height - top))
    place = (slice(top, bottom), slice(left, right))
    patch = mask[place].copy()
    # A pixel in the middle is set or cleared, so that something can grow where nothing was.
    if draws[4] < SEED_SHARE:
        patch[(bottom - top) // 2, (right - left) // 2] = draws[4] < SEED_SHARE / 2
    side = SMALLEST + int(draws[5] * (largest - SMALLEST + 1))
    kind = int(4 * draws[6])
    size = ((side, side), (side, side), (side, side // 2), (side // 2, side))[kind]
    shape = cv2.MORPH_ELLIPSE
    if kind == 0:
        shape = cv2.MORPH_RECT
    element = cv2.getStructuringElement(shape, size)
    if draws[7] < 0.5:
        return place, np.asarray(cv2.dilate(patch, element), np.uint8)
    return place, np.asarray(cv2.erode(patch, element), np.uint8)
