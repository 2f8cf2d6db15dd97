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
_PIXELS_PER_RUN = 1000  # setting a run by itself costs about as much as passing over so many
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
    at_once = max(1, _RUNS_AT_ONCE // box.height)
    line = box.width + 1  # a run may end behind a row's last pixel
    firsts = stops = np.empty(0, np.intp)
    for first in range(0, len(ends), at_once):
        chosen = slice(first, first + at_once)
        rows, lefts, rights = _capsules(
            local[: len(ends)][chosen], ends[chosen], radius, box.height, box.width
        )
        # Stretch by stretch, whose runs cover each other: a broad line would have millions.
        lefts, rights = _merged(rows * line + lefts, rows * line + rights)
        firsts, stops = np.concatenate([firsts, lefts]), np.concatenate([stops, rights])
    firsts, stops = _merged(firsts, stops)
    rows = firsts // line
    _set_runs(after[box.slices], rows, firsts - rows * line, stops - firsts, add)
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
