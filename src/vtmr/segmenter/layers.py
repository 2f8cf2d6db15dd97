"""A prediction as a few small grids of logits laid over boxes of the image, and the mask painted
from them.

Between the grid's cell centres a logit is bilinear, outside every layer it is minus infinity, and
where layers overlap the last one counts alone. So a prediction takes the same few hundred kilobytes
at any image size.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from vtmr.geometry import Box, Frame
from vtmr.masks import Mask
from vtmr.pyramid import sample_bilinear
from vtmr.types import FloatMap

_STRIP_PIXELS = 1 << 19  # upsampled at a time, so that no float array of the image's size exists
_PIXELS_PER_SPAN = 128  # filling a run of pixels by itself pays from about this length on


class Cells(Protocol):
    """Columns and rows of cells in the image, even (`Frame`) or not (`Warp`)."""

    @property
    def width(self) -> int: ...

    @property
    def height(self) -> int: ...

    def centres(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Image x of every column's centre and image y of every row's, increasing."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Spans:
    """Runs of pixels, none empty, as indices into the flattened image: `first` up to but without
    `end`."""

    first: NDArray[np.int64]
    end: NDArray[np.int64]


NO_PIXELS = np.empty(0, np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class LogitLayer:
    """Logits over a box of the image: float32 S x S, one per cell of the box's S x S grid.

    parts: the boxes, without overlap, in which no later layer hides it.
    """

    box: Box
    logits: FloatMap
    parts: tuple[Box, ...]

    @staticmethod
    def of(box: Box, logits: FloatMap) -> LogitLayer:
        """All of it in view."""
        return LogitLayer(box, logits, (box,))

    def sample_into(self, grid: FloatMap, cells_of_grid: Cells) -> None:
        """Overwrites those cells of `grid` (logits) whose centres lie where this layer shows."""
        xs, ys = cells_of_grid.centres()
        cells = [
            (*np.searchsorted(ys, (part.y0, part.y1)), *np.searchsorted(xs, (part.x0, part.x1)))
            for part in self.parts
        ]
        top, left = (min(cell[i] for cell in cells) for i in (0, 2))
        bottom, right = (max(cell[i] for cell in cells) for i in (1, 3))
        if top < bottom and left < right:
            scale_x, scale_y = Frame(self.box, self.logits.shape[1], self.logits.shape[0]).scale
            rows, cols = (
                (ys[top:bottom] - self.box.y0) * scale_y - 0.5,
                (xs[left:right] - self.box.x0) * scale_x - 0.5,
            )
            sampled = sample_bilinear(self.logits, rows, cols)
            for y0, y1, x0, x1 in cells:
                grid[y0:y1, x0:x1] = sampled[y0 - top : y1 - top, x0 - left : x1 - left]

    def above(self, threshold_logit: float, image_width: int) -> Spans | Callable[[Mask], None]:
        """The pixels where the layer shows and exceeds the threshold: as spans, or as what sets
        them in a mask.

        What a pixel becomes depends on the layer alone, not on its parts: so a frozen pixel stays
        as it is.
        """
        runs = _runs_of(_Same(self.logits), self.box, threshold_logit)
        if runs is None:
            lines = _lines(self.logits, self.box)
            return partial(_set_pixels, self.box, self.parts, lines, threshold_logit)
        clipped = [_clip(runs, part, image_width) for part in self.parts]
        return Spans(
            np.concatenate([c.first for c in clipped]), np.concatenate([c.end for c in clipped])
        )


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
    lines = _lines(logits.array, box)
    above = lines > threshold_logit
    turns = np.flatnonzero(above[:, 1:] != above[:, :-1])
    if box.area < _PIXELS_PER_SPAN * (turns.size + box.height):
        return None
    return _crossings(box, lines, above, turns, threshold_logit)


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


def _crossings(
    box: Box, lines: FloatMap, above: Mask, turns: NDArray[np.intp], threshold_logit: float
) -> _Runs:
    """The same as runs of pixels, from where each row crosses the threshold.

    above: lines > threshold; turns: flat indices into height x (S
    - 1), the cells after which `above` changes.
    """
    size = lines.shape[1]
    rows, cells = np.divmod(turns, size - 1)
    left, right = lines[rows, cells].astype(np.float64), lines[rows, cells + 1].astype(np.float64)
    crossings = (cells + (threshold_logit - left) / (right - left) + 0.5) * (
        box.width / size
    ) - 0.5  # pixel indices
    rising = above[rows, cells + 1]
    # Starts and ends alternate along a row, so that sorting both by (row, column) pairs them.
    starts = rows[rising] * box.width + np.floor(crossings[rising]).astype(np.int64) + 1
    ends = rows[~rising] * box.width + np.ceil(crossings[~rising]).astype(np.int64)
    starts = np.sort(np.concatenate([np.flatnonzero(above[:, 0]) * box.width, starts]))
    ends = np.sort(np.concatenate([(np.flatnonzero(above[:, -1]) + 1) * box.width, ends]))
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


def _painted(height: int, width: int, spans: Sequence[Spans]) -> Mask:
    """A mask in which the spans, none over another, are on. As run lengths: one pass over the
    pixels writes them."""
    turns = np.empty(2 * sum(s.first.size for s in spans) + 2, np.int64)
    turns[0], turns[-1] = 0, height * width
    turns[1:-1:2] = np.sort(np.concatenate([NO_PIXELS, *(s.first for s in spans)]))
    turns[2:-1:2] = np.sort(np.concatenate([NO_PIXELS, *(s.end for s in spans)]))
    runs = np.diff(turns)
    return np.repeat(np.arange(runs.size) % 2 == 1, runs).reshape(height, width)


@dataclass(frozen=True, slots=True, eq=False)
class LayeredPrediction:
    """The segmenter's answer: layers laid in order onto an empty image.

    clicks: how many it answers; nbytes: of the layers that it added to the previous answer's.
    passes: coarse passes made for it; zoomed: whether one of them was the zoomed one.
    """

    height: int
    width: int
    layers: tuple[LogitLayer, ...]
    threshold_logit: float
    clicks: int
    nbytes: int
    passes: int = 1
    zoomed: bool = False

    def render(self) -> Mask:
        """A fresh bool mask H x W."""
        shown = [layer.above(self.threshold_logit, self.width) for layer in self.layers]
        mask = _painted(
            self.height, self.width, [part for part in shown if isinstance(part, Spans)]
        )
        for set_pixels in shown:
            if not isinstance(set_pixels, Spans):
                set_pixels(mask)
        return mask

    def logits_on(self, frame: Frame) -> FloatMap:
        """float32 logits at the centres of the frame's grid cells, -inf outside every layer."""
        return logits_on(self.layers, frame)


def logits_on(layers: Sequence[LogitLayer], cells: Cells) -> FloatMap:
    """float32 logits of layers laid in order, at the cells' centres; -inf outside every layer."""
    grid = np.full((cells.height, cells.width), -np.inf, np.float32)
    for layer in layers:
        layer.sample_into(grid, cells)
    return grid


def overlaid(layers: tuple[LogitLayer, ...], newest: LogitLayer) -> tuple[LogitLayer, ...]:
    """The layers with `newest` on top; those that it leaves nothing of are dropped."""
    parts = [
        tuple(rest for part in layer.parts for rest in part.minus(newest.box)) for layer in layers
    ]
    kept = (
        replace(layer, parts=shown) for layer, shown in zip(layers, parts, strict=True) if shown
    )
    return (*kept, newest)
