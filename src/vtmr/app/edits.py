"""What a user does to a mask without the network: brush, fill, drop, smooth.

Every function gives a new mask.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from vtmr.geometry import Box, Points
from vtmr.masks import Mask, bounding_box, row_runs

_SMALLEST_RADIUS = 0.7072  # half a pixel's diagonal
_RUNS_AT_ONCE = 1 << 18
SMALL_PART_RATIO = 0.05  # of the largest part

Indices = NDArray[np.intp]


def brushed(mask: Mask, points: Points, radius: float, *, add: bool) -> Mask:
    """With every pixel whose centre is within `radius` of the line on (add) or off.

    mask: bool H x W. points: N x 2 (x, y) in image coordinates, N >= 1, joined in order; they may
    lie outside. However small the radius, the pixels under the points count.
    """
    after = mask.copy()
    points, radius = np.asarray(points, np.float64).reshape(-1, 2), max(radius, _SMALLEST_RADIUS)
    low = np.floor(points.min(axis=0) - radius).astype(int)
    high = np.ceil(points.max(axis=0) + radius).astype(int) + 1
    box = Box(*low.tolist(), *high.tolist()).intersection(Box.whole(*mask.shape))
    if box is None:
        return after
    local = points - (box.x0, box.y0)
    # A single point is a segment without a length.
    ends = local[1:] if len(local) > 1 else local
    # Where the segments begin and end in each row; a running sum then counts those that cover a
    # pixel.
    edges = np.zeros((box.height, box.width + 1), np.int16)
    at_once = max(1, _RUNS_AT_ONCE // box.height)
    for first in range(0, len(ends), at_once):
        chosen = slice(first, first + at_once)
        rows, starts, stops = _capsules(
            local[: len(ends)][chosen], ends[chosen], radius, box.height, box.width
        )
        # Not +=, which counts once where several runs of a row begin or end at one pixel.
        np.add.at(edges, (rows, starts), np.int16(1))
        np.add.at(edges, (rows, stops), np.int16(-1))
    covered = np.cumsum(edges[:, :-1], axis=1, dtype=np.int16) > 0
    after[box.slices][covered] = add
    return after


def _capsules(
    starts: Points, ends: Points, radius: float, height: int, width: int
) -> tuple[Indices, Indices, Indices]:
    """The pixels whose centres lie within `radius` of segments, as a run per row: rows, first
    columns, columns after.

    A capsule is convex, so that each row cuts it in one interval: the hull of where it cuts the two
    discs and the rectangle between them.
    """
    tops = np.clip(np.floor(np.minimum(starts[:, 1], ends[:, 1]) - radius), 0, height).astype(
        np.intp
    )
    bottoms = np.clip(np.ceil(np.maximum(starts[:, 1], ends[:, 1]) + radius) + 1, 0, height).astype(
        np.intp
    )
    counts = np.maximum(bottoms - tops, 0)
    segment = np.repeat(np.arange(len(starts)), counts)
    rows = np.arange(segment.size) - np.repeat(np.cumsum(counts) - counts, counts) + tops[segment]
    y, left, right = rows + 0.5, np.full(rows.shape, np.inf), np.full(rows.shape, -np.inf)

    def widen(cut: Mask, low: NDArray[np.float64], high: NDArray[np.float64]) -> None:
        np.minimum(left, low, out=left, where=cut)
        np.maximum(right, high, out=right, where=cut)

    for centres in (starts, ends):
        x, dy = centres[segment, 0], y - centres[segment, 1]
        half = np.sqrt(np.maximum(radius**2 - dy**2, 0))
        widen(np.abs(dy) <= radius, x - half, x + half)
    along = ends - starts
    lengths = np.hypot(along[:, 0], along[:, 1])
    # Where a segment has no length the rectangle has no width, whichever way it lies.
    across = (
        np.stack([-along[:, 1], along[:, 0]], axis=1)
        * (radius / np.maximum(lengths, 1e-9))[:, None]
    )
    corners = (starts + across, ends + across, ends - across, starts - across)
    for one, other in zip(corners, (*corners[1:], corners[0]), strict=True):
        (x0, y0), (x1, y1) = one[segment].T, other[segment].T
        # Level sides are left out below: any number keeps them from dividing by 0.
        rise = np.where(y0 == y1, 1, y1 - y0)
        x = x0 + (y - y0) * ((x1 - x0) / rise)
        widen((y >= np.minimum(y0, y1)) & (y <= np.maximum(y0, y1)) & (y0 != y1), x, x)
    firsts = np.ceil(np.clip(left - 0.5, 0, width)).astype(np.intp)
    stops = np.floor(np.clip(right - 0.5, -1, width - 1)).astype(np.intp) + 1
    filled = firsts < stops
    return rows[filled], firsts[filled], stops[filled]


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


def _parts_of(rows: Indices, firsts: Indices, ends: Indices) -> Indices:
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
    upper = np.repeat(np.arange(rows.size), touching)
    lower = np.arange(upper.size) - np.repeat(np.cumsum(touching) - touching, touching) + low[upper]
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
