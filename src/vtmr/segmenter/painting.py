"""The mask of layers of logits, painted as runs of pixels: in a large image a hundred times as few
numbers as it has pixels.

Along a row of pixels a layer is a line of straight segments; where it crosses the threshold a run
begins or ends. Small boxes and ragged outlines are cheaper pixel by pixel. Either way no float
array of the image's size exists.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

import cv2
import numpy as np
from numpy.typing import NDArray

from vtmr.geometry import Box
from vtmr.masks import Mask, bounding_box
from vtmr.types import FloatMap

_STRIP_PIXELS = 1 << 19  # interpolated at a time
_ROWS_PER_CELL = 4  # of pixels; from there on looking for the cells at the threshold is quicker
_PIXELS_PER_SPAN = 128  # filling a run of pixels by itself pays from about this length on


@dataclass(frozen=True, slots=True, eq=False)
class Spans:
    """Runs of pixels, none empty, as indices into the flattened image: `first` up to but without
    `end`."""

    first: NDArray[np.int64]
    end: NDArray[np.int64]


_NO_PIXELS = np.empty(0, np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Pixels:
    """What is set pixel by pixel: `set_in` sets the boxes `parts` of a mask, whole."""

    parts: tuple[Box, ...]
    set_in: Callable[[Mask], None]


def pixels_above(
    logits: FloatMap, box: Box, parts: tuple[Box, ...], threshold_logit: float, image_width: int
) -> Spans | Pixels:
    """The pixels of the parts of a layer's box that exceed the threshold.

    logits: float32 S x S, one per cell of the box's S x S grid; parts: boxes in it. What a pixel
    becomes depends on the layer alone, not on its parts: so a frozen pixel stays as it is.
    """
    runs = _runs_of(_Same(logits), box, threshold_logit)
    if runs is None:
        lines = _lines(logits, box)
        return Pixels(parts, partial(_set_pixels, box, parts, lines, threshold_logit))
    clipped = [_clip(runs, part, image_width) for part in parts]
    first = np.concatenate([spans.first for spans in clipped])
    return Spans(first, np.concatenate([spans.end for spans in clipped]))


def painted(height: int, width: int, shown: Sequence[Spans | Pixels]) -> tuple[Mask, Box | None]:
    """A bool mask height x width in which all of it is on, and the smallest box around that.

    None of it lies over another. The box is told from the runs, as reading the mask again would
    cost about as much as writing it.
    """
    spans = [one for one in shown if isinstance(one, Spans)]
    mask = _filled(height, width, spans)
    boxes: list[Box | None] = [_box_of(one, width) for one in spans if one.first.size]
    for pixels in shown:
        if isinstance(pixels, Pixels):
            pixels.set_in(mask)
            boxes += [_box_in(mask, part) for part in pixels.parts]
    around: Box | None = None
    for box in filter(None, boxes):
        if around is not None:
            box = box.union(around)
        around = box
    return mask, around


def painted_over(
    mask: Mask, around: Box | None, layer_box: Box, shown: Spans | Pixels
) -> tuple[Mask, Box | None]:
    """A copy of the mask in which a layer's box is painted anew, and the smallest box around what
    is on in it.

    mask: bool H x W, around: its own smallest box; shown: all that the layer shows in its box.
    """
    after = mask.copy()
    if isinstance(shown, Pixels):
        shown.set_in(after)
    else:
        after[layer_box.slices] = _filled_box(layer_box, shown, mask.shape[1])
    within = layer_box
    if around is not None:
        within = layer_box.union(around)
    return after, _box_in(after, within)


def _filled_box(box: Box, spans: Spans, width: int) -> Mask:
    """What spans, all of them in the box, cover of it. width: of the image."""
    rows, firsts = np.divmod(spans.first, width)
    row_starts = (rows - box.y0) * box.width - box.x0
    inside = Spans(row_starts + firsts, row_starts + (spans.end - rows * width))
    return _filled(box.height, box.width, [inside])


def _box_of(spans: Spans, width: int) -> Box:
    """The smallest box around spans, of which there are some. None goes over the end of a row."""
    first_rows, first_columns = np.divmod(spans.first, width)
    columns = int(np.max(spans.end - first_rows * width))
    return Box(int(first_columns.min()), int(first_rows.min()), columns, int(first_rows.max()) + 1)


def _box_in(mask: Mask, part: Box) -> Box | None:
    """The smallest box around what is on in a part of the mask."""
    box = bounding_box(mask[part.slices])
    if box is None:
        return None
    return Box(part.x0 + box.x0, part.y0 + box.y0, part.x0 + box.x1, part.y0 + box.y1)


@dataclass(frozen=True, slots=True, eq=False)
class _Runs:
    """The pixels of a box that exceed a threshold, as runs ordered by row: row, first column,
    column after the last, int32 in image pixels."""

    rows: NDArray[np.int32]
    firsts: NDArray[np.int32]
    ends: NDArray[np.int32]


class _Same:
    """An array as a key: equal to itself alone. It keeps the array, so that no other gets its
    place in memory."""

    __slots__ = ("array",)

    def __init__(self, array: FloatMap) -> None:
        self.array = array

    def __hash__(self) -> int:
        return id(self.array)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.array is self.array


# From click to click only the newest layer or two are new; the others only lose parts. What is
# remembered is bounded for the process, and no part of a history: a few dozen kilobytes a layer.
@lru_cache(maxsize=32)
def _runs_of(logits: _Same, box: Box, threshold_logit: float) -> _Runs | None:
    """What of the box exceeds the threshold, all of it in view; None where so much of it lies at
    the threshold that setting pixels is cheaper."""
    if box.height < _ROWS_PER_CELL * len(logits.array):
        turns = _turns_by_rows(_lines(logits.array, box), threshold_logit)
    else:
        turns = _turns_by_cells(logits.array, box.height, threshold_logit)
    if box.area < _PIXELS_PER_SPAN * (turns.rows.size + box.height):
        return None
    return _crossings(box, turns, logits.array.shape[1], threshold_logit)


@dataclass(frozen=True, slots=True, eq=False)
class _Turns:
    """Where the rows of pixels of a box cross the threshold. Along a row the logits are a line of
    straight segments between the grid's columns.

    Of each crossing, in no particular order: rows, its row in the box; columns, the grid's column
    before it; left, right: the logits at that column and the next one; rising: whether they rise.
    starts_above, ends_above: bool, of each row, whether it is above the threshold at the grid's
    first and last column.
    """

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    left: FloatMap
    right: FloatMap
    rising: Mask
    starts_above: Mask
    ends_above: Mask


def _turns_by_rows(lines: FloatMap, threshold_logit: float) -> _Turns:
    """From all logits at the grid's columns: float32 box.height x S."""
    above = lines > threshold_logit
    flat = np.flatnonzero(above[:, 1:] != above[:, :-1])
    rows, columns = np.divmod(flat, lines.shape[1] - 1)
    left, right = lines[rows, columns], lines[rows, columns + 1]
    return _Turns(rows, columns, left, right, above[rows, columns + 1], above[:, 0], above[:, -1])


def _turns_by_cells(grid: FloatMap, height: int, threshold_logit: float) -> _Turns:
    """From the few cells of the grid through which the threshold passes.

    In a large image thousands of rows would be interpolated, nearly all of it far from the
    threshold: a row can cross it only in a cell whose four corners aren't all on one side of it.

    grid: float32 S x S; height: of the box, in pixels.
    """
    rows_of_pixels = _RowsOfPixels.between(grid, height, threshold_logit)
    cell_rows, columns = _mixed_cells(rows_of_pixels.above)
    rows, number = rows_of_pixels.within(cell_rows)
    left, left_above = rows_of_pixels.at(cell_rows, columns, rows, number)
    right, right_above = rows_of_pixels.at(cell_rows, columns + 1, rows, number)
    turn = np.flatnonzero(left_above != right_above)
    return _Turns(
        rows[turn],
        np.repeat(columns, number)[turn],
        left[turn],
        right[turn],
        right_above[turn],
        rows_of_pixels.all_at(0),
        rows_of_pixels.all_at(-1),
    )


def _mixed_cells(above: Mask) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns of the cells whose four corners lie on both sides of the threshold.

    above: bool S x S. A cell lies to the right of a value and below it; below the last row there is
    the same row again.
    """
    corner = np.concatenate([above, above[-1:]]).view(np.uint8)
    beside = corner[:, :-1] + corner[:, 1:]
    number_above = beside[:-1] + beside[1:]
    number_above -= 1  # where it was none it is 255 now: one comparison tells 1, 2 and 3
    return np.divmod(np.flatnonzero(number_above < 3), above.shape[1] - 1)


@dataclass(frozen=True, slots=True, eq=False)
class _RowsOfPixels:
    """A box's rows of pixels between the rows of its grid.

    grid: float32 S x S, above: where it exceeds the threshold. first: S + 1 numbers, the first row
    of pixels below each row of the grid; weight: of each row of pixels, the share of the grid's
    next row.
    """

    grid: FloatMap
    above: Mask
    threshold_logit: float
    first: NDArray[np.intp]
    weight: FloatMap

    @staticmethod
    def between(grid: FloatMap, height: int, threshold_logit: float) -> _RowsOfPixels:
        size = len(grid)
        places = ((np.arange(height) + 0.5) * (size / height) - 0.5).clip(0, size - 1)
        upper = places.astype(np.intp)
        first = np.searchsorted(upper, np.arange(size + 1))
        weight = (places - upper).astype(np.float32)
        return _RowsOfPixels(grid, grid > threshold_logit, threshold_logit, first, weight)

    def within(self, cell_rows: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """The rows of pixels in each of the cells, one cell's after the other's, and how many
        each has."""
        first, end = self.first[cell_rows], self.first[cell_rows + 1]
        number = end - first
        before = np.cumsum(number) - number
        return np.arange(number.sum()) + np.repeat(first - before, number), number

    def at(
        self,
        cell_rows: NDArray[np.intp],
        columns: NDArray[np.intp],
        rows: NDArray[np.intp],
        number: NDArray[np.intp],
    ) -> tuple[FloatMap, Mask]:
        """The logits at rows of pixels in a column of the grid each, and whether they are above the
        threshold.

        Between two values on the same side nothing crosses it: there rounding must not say
        otherwise, or a run of pixels would begin without an end. rows, number: as `within` gives
        them for the cells.
        """
        below = np.minimum(cell_rows + 1, len(self.grid) - 1)
        weight = self.weight[rows]
        logits = np.repeat(self.grid[cell_rows, columns], number) * (1 - weight)
        logits += np.repeat(self.grid[below, columns], number) * weight
        surely = self.above[cell_rows, columns] & self.above[below, columns]
        perhaps = self.above[cell_rows, columns] | self.above[below, columns]
        above = np.asarray(logits > self.threshold_logit)
        above |= np.repeat(surely, number)
        above &= np.repeat(perhaps, number)
        return logits, above

    def all_at(self, column: int) -> Mask:
        """Which rows of pixels are above the threshold in that column of the grid."""
        cell_rows = np.arange(len(self.grid))
        rows, number = self.within(cell_rows)
        return self.at(cell_rows, np.full_like(cell_rows, column), rows, number)[1]


def _lines(logits: FloatMap, box: Box) -> FloatMap:
    """Logits box.height x S: every row of the box is then a line of straight segments between the
    grid's columns."""
    return np.asarray(cv2.resize(logits, (logits.shape[1], box.height)), np.float32)


def _set_pixels(
    box: Box, parts: Sequence[Box], lines: FloatMap, threshold_logit: float, mask: Mask
) -> None:
    """Interpolates along the box's rows at every pixel, and sets the parts. lines: logits
    box.height x S."""
    first, last = min(part.y0 for part in parts), max(part.y1 for part in parts)
    step = max(1, _STRIP_PIXELS // box.width)
    for row in range(first, last, step):
        strip = Box(box.x0, row, box.x1, min(row + step, last))
        logits = np.asarray(
            cv2.resize(lines[row - box.y0 : strip.y1 - box.y0], (strip.width, strip.height)),
            np.float32,
        )
        for shown in filter(None, map(strip.intersection, parts)):
            patch = logits[shown.y0 - row : shown.y1 - row, shown.x0 - box.x0 : shown.x1 - box.x0]
            np.greater(patch, threshold_logit, out=mask[shown.slices])


def _crossings(box: Box, turns: _Turns, size: int, threshold_logit: float) -> _Runs:
    """What exceeds the threshold as runs of pixels. size: the grid's columns."""
    left, right = turns.left.astype(np.float64), turns.right.astype(np.float64)
    share = ((threshold_logit - left) / (right - left)).clip(0, 1)
    places = (turns.columns + share + 0.5) * (box.width / size) - 0.5  # pixel indices
    rising, falling = turns.rising, ~turns.rising
    # Starts and ends alternate along a row, so that sorting both by (row, column) pairs them.
    starts = turns.rows[rising] * box.width + np.floor(places[rising]).astype(np.int64) + 1
    ends = turns.rows[falling] * box.width + np.ceil(places[falling]).astype(np.int64)
    from_the_side = np.flatnonzero(turns.starts_above) * box.width
    to_the_side = (np.flatnonzero(turns.ends_above) + 1) * box.width
    starts = np.sort(np.concatenate([from_the_side, starts]))
    ends = np.sort(np.concatenate([to_the_side, ends]))
    span_rows = np.minimum(starts // box.width, (ends - 1) // box.width)
    offset = span_rows * box.width - box.x0
    columns = (span_rows + box.y0, starts - offset, ends - offset)
    return _Runs(*(values.astype(np.int32) for values in columns))


def _clip(runs: _Runs, part: Box, width: int) -> Spans:
    """What of the runs lies in the part, flattened for an image of that width."""
    chosen = slice(*np.searchsorted(runs.rows, (part.y0, part.y1)))
    start_of_row = runs.rows[chosen].astype(np.int64) * width
    first = start_of_row + np.maximum(runs.firsts[chosen], part.x0)
    end = start_of_row + np.minimum(runs.ends[chosen], part.x1)
    filled = first < end
    return Spans(first[filled], end[filled])


def _filled(height: int, width: int, spans: Sequence[Spans]) -> Mask:
    """A mask in which the spans, none over another, are on. As run lengths: one pass over the
    pixels writes them."""
    turns = np.empty(2 * sum(s.first.size for s in spans) + 2, np.int64)
    turns[0], turns[-1] = 0, height * width
    turns[1:-1:2] = np.sort(np.concatenate([_NO_PIXELS, *(s.first for s in spans)]))
    turns[2:-1:2] = np.sort(np.concatenate([_NO_PIXELS, *(s.end for s in spans)]))
    runs = np.diff(turns)
    return np.repeat(np.arange(runs.size) % 2 == 1, runs).reshape(height, width)
