"""What a brush covers: all pixels whose centres lie within its radius of a line.

Exact at any size, and quick: ten thousand points of a hand's stroke on a hundred megapixels take a
few tenths of a second. Every row of pixels cuts what lies within the radius of one segment of the
line in a single interval, since that area is convex. The intervals of many segments are found at
once, as arrays with an element for each of the rows in which a segment is looked at, and become
runs of pixels that don't overlap.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vtmr.geometry import Points
from vtmr.masks import Ints, Mask, bands, in_ranges

_SMALLEST_RADIUS = 0.7072  # half a pixel's diagonal
# Elements that are worked on together: the arrays then stay in the processor's cache, and their
# memory is used again. Fresh memory for all of a long stroke takes longer than the arithmetic.
_BLOCK = 1 << 16
_LARGEST_GROUP = 8  # neighbouring segments; 16 and 32 were slower at large radii
_MOST_RUNS = 1 << 20  # that are kept at once: a line up and down all of an image has many more
_PIXELS_PER_RUN = 1000  # setting a run by itself costs about as much as passing over so many

Floats = NDArray[np.float64]
# Where runs of pixels begin, and the places behind them. A place is row * (width + 1) + column, so
# that no run goes on in the next row.
Runs = tuple[Ints, Ints]


def brushed(mask: Mask, points: Points, radius: float | Floats, *, add: bool) -> Mask:
    """A new mask with every pixel whose centre is within the radius of the line on (add) or off.

    mask: bool H x W. points: N x 2 (x, y) in image coordinates, N >= 1, joined in order; they may
    lie outside. radius: of the whole line, or N - 1 of them, one for each of its segments (one for
    a single point). However small a radius, the pixels under the points count.
    """
    after = mask.copy()
    line = np.asarray(points, np.float64).reshape(-1, 2)
    # A single point is a segment without a length.
    line = line if len(line) > 1 else np.repeat(line, 2, axis=0)
    radii = np.maximum(np.full(len(line) - 1, radius), _SMALLEST_RADIUS)
    for firsts, stops in _covered(line, radii, *mask.shape):
        _set_runs(after, firsts, stops, add)
    return after


def _covered(line: Points, radii: Floats, height: int, width: int) -> Iterator[Runs]:
    """What the brush covers of an image height x width. More than _MOST_RUNS come in parts."""
    starts, ends = line[:-1], line[1:]
    low, high = np.minimum(starts[:, 1], ends[:, 1]), np.maximum(starts[:, 1], ends[:, 1])
    tops = np.floor(low - radii).clip(0, height).astype(np.intp)
    bottoms = np.ceil(high + radii).clip(0, height).astype(np.intp)
    # Neighbours together, in all rows that one of them reaches: as many as their radius has rises,
    # so that, on the average, no more than half of the rows are looked at in vain.
    size = int(np.clip(radii.mean() / max(np.mean(high - low), 1), 1, _LARGEST_GROUP))
    members = np.arange(-(-len(radii) // size) * size).clip(max=len(radii) - 1).reshape(-1, size)
    group_tops = tops[members].min(axis=1)
    counts = bottoms[members].max(axis=1) - group_tops
    runs: list[Runs] = []
    for block in _blocks(counts):
        rows = _Rows.of(group_tops[block], counts[block])
        left, right = np.full(rows.y.shape, np.nan), np.full(rows.y.shape, np.nan)
        intervals = [(rows.row, left, right)]
        for segment in members[block].T:
            first, last = _interval(starts[segment], ends[segment], radii[segment], rows)
            # As a rule neighbours overlap: one interval for both. What lies apart is kept by
            # itself.
            apart = np.flatnonzero((first > right) | (last < left))
            if apart.size:
                intervals.append((rows.row[apart], first[apart], last[apart]))
                first[apart] = last[apart] = np.nan
            np.fmin(left, first, out=left)
            np.fmax(right, last, out=right)
        runs.append(_merged([_runs_of(*interval, width) for interval in intervals]))
        if sum(firsts.size for firsts, _ in runs) > _MOST_RUNS:
            yield _merged(runs)
            runs.clear()
    if runs:
        yield _merged(runs)


def _blocks(counts: Ints) -> Iterator[slice]:
    """The groups in turn, as many together as have about _BLOCK rows between them."""
    sums = np.cumsum(counts)
    first = 0
    while first < len(counts):
        done = int(sums[first - 1]) if first else 0
        after = max(int(np.searchsorted(sums, done + _BLOCK, side="right")), first + 1)
        yield slice(first, after)
        first = after


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows of pixels in which groups of segments are looked at, one group's after the other's;
    and one segment of each group at a time.

    tops, counts: of each group, its first row and how many. begins: where its rows begin in the
    long arrays. row, y: of each element, its row and the height of that row's centres.
    """

    tops: Ints
    counts: Ints
    begins: Ints
    row: Ints
    y: Floats

    @staticmethod
    def of(tops: Ints, counts: Ints) -> _Rows:
        _, row = in_ranges(tops, counts)
        return _Rows(tops, counts, np.cumsum(counts) - counts, row, row + np.float64(0.5))

    def each(self, values: Floats) -> Floats:
        """A segment's value in each of its group's rows."""
        return np.repeat(values, self.counts)


def _interval(starts: Points, ends: Points, radii: Floats, rows: _Rows) -> tuple[Floats, Floats]:
    """What of each row lies within its segment's radius: left and right edges, NaN for nothing.

    The area about a segment is the hull of the discs about its ends, so that its edges in a row are
    the outermost of the discs' and of the two straight sides' that touch both.
    """
    squares = rows.each(radii**2)
    left, right = np.full(squares.shape, np.nan), np.full(squares.shape, np.nan)
    for centre in (starts, ends):
        off = rows.y - rows.each(centre[:, 1])
        off *= off
        np.subtract(squares, off, out=off)
        with np.errstate(invalid="ignore"):  # of what is negative, in rows beside the disc: NaN
            half = np.sqrt(off, out=off)
        middle = rows.each(centre[:, 0])
        np.fmin(left, middle - half, out=left)  # passes over NaN, as fmax does
        np.fmax(right, middle + half, out=right)
    along = ends - starts
    lengths = np.hypot(along[:, 0], along[:, 1])
    # Where a segment has no length there is nothing between its ends, whichever way it lies.
    reach = radii / np.maximum(lengths, 1e-9)
    across = np.stack([-along[:, 1], along[:, 0]], axis=1) * reach[:, None]
    for side in (across, -across):
        place, x = _cut_by_rows(starts + side, ends + side, rows)
        left[place] = np.fmin(left[place], x)
        right[place] = np.fmax(right[place], x)
    return left, right


def _cut_by_rows(one: Points, other: Points, rows: _Rows) -> tuple[Ints, Floats]:
    """Where straight lines, one in each group, cross that group's rows: indices of the long
    arrays, and x. Level lines cross none."""
    low, high = np.minimum(one[:, 1], other[:, 1]), np.maximum(one[:, 1], other[:, 1])
    first = np.ceil(low - 0.5).clip(rows.tops, rows.tops + rows.counts).astype(np.intp)
    after = np.floor(high + 0.5).clip(first, rows.tops + rows.counts).astype(np.intp)
    counts = np.where(low == high, 0, after - first)
    line, row = in_ranges(first, counts)
    rise = np.where(low == high, 1, other[:, 1] - one[:, 1])
    slope = (other[:, 0] - one[:, 0]) / rise
    x = one[line, 0] + (row + 0.5 - one[line, 1]) * slope[line]
    return rows.begins[line] + row - rows.tops[line], x


def _runs_of(row: Ints, left: Floats, right: Floats, width: int) -> Runs:
    """The pixels whose centres lie between those edges in rows of so many pixels."""
    first = np.ceil(np.clip(left - 0.5, 0, width))
    stop = np.floor(np.clip(right - 0.5, -1, width - 1)) + 1
    some = first < stop  # not where both are NaN
    begin = row[some] * (width + 1)
    return begin + first[some].astype(np.intp), begin + stop[some].astype(np.intp)


def _merged(runs: Sequence[Runs]) -> Runs:
    """Runs that overlap or touch as one, in order."""
    firsts, stops = (np.concatenate(places) for places in zip(*runs, strict=True))
    # Sorted as numbers whose last bit tells an end from a beginning, so that of both at one place
    # the beginning comes first. Most are in order already: a stable sort makes use of that.
    turns = np.concatenate([firsts * 2, stops * 2 + 1])
    turns.sort(kind="stable")
    covering = np.cumsum(1 - 2 * (turns & 1))
    closes = np.flatnonzero(covering == 0)
    opens = np.concatenate([[0], closes + 1])[:-1]
    return turns[opens] >> 1, turns[closes] >> 1


def _set_runs(mask: Mask, firsts: Ints, stops: Ints, add: bool) -> None:
    """Sets runs of pixels, in order and apart from each other, on (add) or off in place."""
    if not firsts.size:
        return
    row_length = mask.shape[1] + 1
    rows = firsts // row_length
    columns = firsts - rows * row_length
    lengths = stops - firsts
    if len(rows) * _PIXELS_PER_RUN < mask[rows[0] : rows[-1] + 1].size:
        for row, column, length in zip(
            rows.tolist(), columns.tolist(), lengths.tolist(), strict=True
        ):
            mask[row, column : column + length] = add
        return
    for band in bands(len(mask), mask.shape[1]):
        first, after = np.searchsorted(rows, [band.start, band.stop])
        if first < after:
            turns = np.zeros(2 * (after - first) + 2, np.intp)
            turns[1:-1:2] = (rows[first:after] - band.start) * mask.shape[1] + columns[first:after]
            turns[2:-1:2] = turns[1:-1:2] + lengths[first:after]
            turns[-1] = mask[band].size
            on = np.arange(turns.size - 1) % 2 == 1
            covered = np.repeat(on, np.diff(turns)).reshape(mask[band].shape)
            mask[band] = mask[band] | covered if add else mask[band] & ~covered
