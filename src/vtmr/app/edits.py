"""What a user does to a mask without the network: fill, drop, smooth; the brush is in strokes.py.

Every function gives a new mask.
"""

from __future__ import annotations

import cv2
import numpy as np

from vtmr.geometry import Box
from vtmr.masks import Ints, Mask, bounding_box, in_ranges, row_runs

SMALL_PART_RATIO = 0.05  # of the largest part


def without_holes(mask: Mask) -> Mask:
    """With everything that the mask encloses; background that reaches the image's border is no
    hole.

    Background is connected over sides, not over corners, as the object is over both.
    """
    box = bounding_box(mask)
    after = mask.copy()
    if box is None:
        return after
    # With a rim of background, so that one flood from its corner reaches all that isn't enclosed.
    around = np.pad(mask[box.slices], 1).view(np.uint8)
    outside = np.zeros((around.shape[0] + 2, around.shape[1] + 2), np.uint8)
    # Over sides (4), into the flood's own map, where what it reaches becomes 1 (1 << 8).
    cv2.floodFill(around, outside, (0, 0), 0, flags=4 | cv2.FLOODFILL_MASK_ONLY | 1 << 8)
    np.equal(outside[2:-2, 2:-2], 0, out=after[box.slices])
    return after


def without_small_parts(mask: Mask, smallest: int | None = None) -> Mask:
    """Without the 8-connected parts of fewer than `smallest` pixels; None: of under 5 % of the
    largest part's."""
    after = mask.copy()
    box = bounding_box(mask)
    if box is None:
        return after
    rows, firsts, ends = row_runs(mask[box.slices])
    parts = _parts_of(rows, firsts, ends)
    areas = np.bincount(parts, ends - firsts)
    small = areas[parts] < (areas.max() * SMALL_PART_RATIO if smallest is None else smallest)
    inside = after[box.slices]
    for row, first, end in zip(
        rows[small].tolist(), firsts[small].tolist(), ends[small].tolist(), strict=True
    ):
        inside[row, first:end] = False
    return after


def _parts_of(rows: Ints, firsts: Ints, ends: Ints) -> Ints:
    """For each of the runs of `row_runs` its 8-connected part, as the number of one of that part's
    runs.

    From runs instead of pixels it takes a tenth of the time and none of the memory of a map of
    labels.
    """
    # In the row below, those that end at or behind a run's first column and begin at or before the
    # column after it.
    row_length = int(ends.max()) + 1
    low = np.searchsorted(rows * row_length + ends, (rows + 1) * row_length + firsts)
    high = np.searchsorted(rows * row_length + firsts, (rows + 1) * row_length + ends, side="right")
    touching = np.maximum(high - low, 0)
    upper, lower = in_ranges(low, touching)
    parts = np.arange(rows.size)
    while True:
        one, other = parts[upper], parts[lower]
        if np.array_equal(one, other):
            return parts
        # Of two that touch the smaller number is both's, until all that touch have one.
        np.minimum.at(parts, np.maximum(one, other), np.minimum(one, other))
        while not np.array_equal(parts, parts[parts]):
            parts = parts[parts]


def smoothed(mask: Mask, radius: int) -> Mask:
    """With a calmer outline: every pixel becomes what most of the disc around it is, weighted
    towards its middle."""
    box = bounding_box(mask)
    after = mask.copy()
    if box is None:
        return after
    reach = 2 * radius
    around = Box(box.x0 - reach, box.y0 - reach, box.x1 + reach, box.y1 + reach).intersection(
        Box.whole(*mask.shape)
    )
    area = (around or box).slices
    grey = mask[area].view(np.uint8) * np.uint8(255)
    side = 2 * reach + 1
    # Beyond the image the outline goes on as it is at the border.
    blurred = cv2.GaussianBlur(grey, (side, side), radius, borderType=cv2.BORDER_REPLICATE)
    after[area] = np.asarray(blurred) > 127
    return after
