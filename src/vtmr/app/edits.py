"""What a user does to a mask without the network: brush, fill, drop, smooth.

Every function gives a new mask.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from vtmr.geometry import Box, Points
from vtmr.masks import Mask, bounding_box, row_runs

_SMALLEST_RADIUS = 0.7072  # half a pixel's diagonal
# As many segments at once as take the least time: each is looked at in all the rows of its stretch,
# and a stretch by itself costs as much as so many pixels of length.
_STRETCH_COST = 15_000
_MOST_AT_ONCE = 64
_PIXELS_PER_RUN = 1000  # setting a run by itself costs about as much as passing over so many
SMALL_PART_RATIO = 0.05  # of the largest part

Indices = NDArray[np.intp]
_NOTHING: Indices = np.empty(0, np.intp)


def brushed(mask: Mask, points: Points, radius: float, *, add: bool) -> Mask:
    """With every pixel whose centre is within `radius` of the line on (add) or off.

    mask: bool H x W. points: N x 2 (x, y) in image coordinates, N >= 1, joined in order; they may
    lie outside. However small the radius, the pixels under the points count.
    """
    return brushed_by_lines(mask, [(points, radius)], add=add)


def brushed_by_lines(mask: Mask, lines: Sequence[tuple[Points, float]], *, add: bool) -> Mask:
    """As `brushed`, by several lines, each of points and the radius about them."""
    after = mask.copy()
    lines = [
        (np.asarray(points, np.float64).reshape(-1, 2), max(radius, _SMALLEST_RADIUS))
        for points, radius in lines
    ]
    low = np.min([np.floor(points.min(axis=0) - radius) for points, radius in lines], axis=0)
    high = np.max([np.ceil(points.max(axis=0) + radius) for points, radius in lines], axis=0) + 1
    box = Box(*map(int, low), *map(int, high)).intersection(Box.whole(*mask.shape))
    if box is None:
        return after
    row_length = box.width + 1  # a run may end behind a row's last pixel
    firsts, stops = [], []
    for points, radius in lines:
        local = points - (box.x0, box.y0)
        # A single point is a segment without a length.
        local = local if len(local) > 1 else np.repeat(local, 2, axis=0)
        step = float(np.abs(np.diff(local[:, 1])).mean())
        at_once = int(np.clip(np.sqrt(_STRETCH_COST / max(step, 1)), 1, _MOST_AT_ONCE))
        for begin in range(0, len(local) - 1, at_once):
            stretch = local[begin : begin + at_once + 1]
            rows, lefts, rights = _covered(stretch, radius, box.height, box.width)
            firsts.append(rows * row_length + lefts)
            stops.append(rows * row_length + rights)
    merged, ends = _merged(np.concatenate(firsts), np.concatenate(stops))
    rows = merged // row_length
    _set_runs(after[box.slices], rows, merged - rows * row_length, ends - merged, add)
    return after


def _merged(firsts: Indices, ends: Indices) -> tuple[Indices, Indices]:
    """Runs that cover each other or touch as one, in order."""
    if not len(firsts):
        return firsts, ends
    places = np.concatenate([firsts, ends])
    order = np.argsort(places, kind="stable")
    # Among ends at one place the begins come first, so that runs that touch are one.
    covering = np.cumsum(np.where(order < len(firsts), 1, -1))
    closes = np.flatnonzero(covering == 0)
    opens = np.concatenate([[0], closes[:-1] + 1])
    return places[order[opens]], places[order[closes]]


def _set_runs(area: Mask, rows: Indices, columns: Indices, lengths: Indices, add: bool) -> None:
    """Sets runs of pixels, in order and apart from each other, on (add) or off in place."""
    if len(rows) * _PIXELS_PER_RUN < area.size:
        for row, column, length in zip(
            rows.tolist(), columns.tolist(), lengths.tolist(), strict=True
        ):
            area[row, column : column + length] = add
        return
    height, width = area.shape
    turns = np.empty(2 * len(rows) + 2, np.int64)
    turns[0], turns[-1] = 0, height * width
    turns[1:-1:2] = rows * width + columns
    turns[2:-1:2] = turns[1:-1:2] + lengths
    runs = np.diff(turns)
    covered = np.repeat(np.arange(runs.size) % 2 == 1, runs).reshape(height, width)
    if add:
        area |= covered
    else:
        np.greater(area, covered, out=area)


def _covered(
    points: Points, radius: float, height: int, width: int
) -> tuple[Indices, Indices, Indices]:
    """The pixels whose centres lie within `radius` of the line through points (N x 2, N >= 2), as
    runs: rows, first columns, columns after.

    What is within `radius` of a segment is convex, so that each row cuts it in one interval: the
    hull of where the row cuts the discs about the segment's ends and the two sides between them.
    The intervals of segments in a row overlap as a rule and then become one here, in the order of
    the line: at a radius of 200 a line of 10,000 points has 4 million of them.
    """
    tall = points[:, 1]
    top, bottom = np.clip([tall.min() - radius, tall.max() + radius + 1], 0, height)
    first_row = int(top)
    y: NDArray[np.float64] = np.arange(first_row, int(np.ceil(bottom)), dtype=np.float64) + 0.5
    if not y.size:
        return _NOTHING, _NOTHING, _NOTHING
    # A row of pixels each, a column per point: half of the chord that the row cuts out of the disc.
    half = y[:, None] - tall
    half *= half
    np.subtract(radius**2, half, out=half)
    beside = half < 0
    np.sqrt(half, out=half, where=~beside)
    half[beside] = -np.inf  # an interval that widens no other
    lefts, rights = points[:, 0] - half, points[:, 0] + half
    left = np.minimum(lefts[:, :-1], lefts[:, 1:])
    right = np.maximum(rights[:, :-1], rights[:, 1:])
    starts, ends = points[:-1], points[1:]
    along = ends - starts
    lengths = np.hypot(along[:, 0], along[:, 1])
    # Where a segment has no length there is nothing between its ends, whichever way it lies.
    across = (
        np.stack([-along[:, 1], along[:, 0]], axis=1)
        * (radius / np.maximum(lengths, 1e-9))[:, None]
    )
    for side in (across, -across):
        place, segment, x = _cut_by_rows(starts + side, ends + side, y)
        left[place, segment] = np.minimum(left[place, segment], x)
        right[place, segment] = np.maximum(right[place, segment], x)
    apart = np.ones(left.shape, bool)
    apart[:, 1:] = (left[:, 1:] > right[:, :-1]) | (left[:, :-1] > right[:, 1:])
    begins = np.flatnonzero(apart)
    firsts = np.minimum.reduceat(left.ravel(), begins)
    lasts = np.maximum.reduceat(right.ravel(), begins)
    firsts = np.ceil(np.clip(firsts - 0.5, 0, width)).astype(np.intp)
    stops = np.floor(np.clip(lasts - 0.5, -1, width - 1)).astype(np.intp) + 1
    filled = firsts < stops
    return begins[filled] // left.shape[1] + first_row, firsts[filled], stops[filled]


def _cut_by_rows(
    one: Points, other: Points, y: NDArray[np.float64]
) -> tuple[Indices, Indices, NDArray[np.float64]]:
    """Where straight lines (ends: N x 2 each) cross the rows at heights y: places in y, the lines'
    numbers, x. Level lines cross none."""
    low, high = np.minimum(one[:, 1], other[:, 1]), np.maximum(one[:, 1], other[:, 1])
    begins, ends = np.searchsorted(y, low), np.searchsorted(y, high, side="right")
    counts = np.where(low == high, 0, ends - begins)
    line = np.repeat(np.arange(len(one)), counts)
    place = np.arange(line.size) + np.repeat(begins - (np.cumsum(counts) - counts), counts)
    rise = np.where(low == high, 1, other[:, 1] - one[:, 1])
    slope = (other[:, 0] - one[:, 0]) / rise
    return place, line, one[line, 0] + (y[place] - one[line, 1]) * slope[line]


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
