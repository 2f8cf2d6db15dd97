"""A prediction as a few small grids of logits laid over boxes of the image, and the mask painted from them.

Between the grid's cell centres a logit is bilinear, outside every layer it is minus infinity, and where layers
overlap the last one counts alone. So a prediction takes the same few hundred kilobytes at any image size.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from vtmr.geometry import Box, Frame
from vtmr.masks import Mask
from vtmr.pyramid import sample_bilinear
from vtmr.types import FloatMap

_STRIP_PIXELS = 1 << 19  # upsampled at a time, so that no float array of the image's size exists
_PIXELS_PER_SPAN = 128  # filling a run of pixels by itself pays from about this length on


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

    def sample_into(self, grid: FloatMap, frame: Frame) -> None:
        """Overwrites those cells of `grid` (logits, on the frame) whose centres lie where this layer shows."""
        xs, ys = frame.centres()
        scale_x, scale_y = Frame(self.box, self.logits.shape[1], self.logits.shape[0]).scale
        for part in self.parts:
            x0, x1 = np.searchsorted(xs, (part.x0, part.x1))
            y0, y1 = np.searchsorted(ys, (part.y0, part.y1))
            if x0 < x1 and y0 < y1:
                rows, cols = (ys[y0:y1] - self.box.y0) * scale_y - 0.5, (xs[x0:x1] - self.box.x0) * scale_x - 0.5
                grid[y0:y1, x0:x1] = sample_bilinear(self.logits, rows, cols)

    def paint(self, mask: Mask, threshold_logit: float) -> None:
        """Turns on the pixels of `mask` (bool H x W, off) where the layer shows and exceeds the threshold.

        What it paints at a pixel depends on the layer alone, not on its parts: so a frozen pixel stays as it is.
        """
        # Rows first: every row of the box is then a line of straight segments between the grid's columns.
        size = (self.logits.shape[1], self.box.height)
        lines = np.asarray(cv2.resize(self.logits, size), np.float32)
        above = lines > threshold_logit
        turns = np.flatnonzero(above[:, 1:] != above[:, :-1])
        if self.box.area < _PIXELS_PER_SPAN * (turns.size + self.box.height):
            for part in self.parts:
                _paint_pixels(mask, self.box, part, lines, threshold_logit)
        else:
            rows, firsts, ends = _spans(self.box, lines, above, turns, threshold_logit)
            for part in self.parts:
                _paint_spans(mask, part, rows, firsts, ends)


def _paint_pixels(mask: Mask, box: Box, part: Box, lines: FloatMap, threshold_logit: float) -> None:
    """Interpolates along the box's rows at every pixel, and keeps the part. lines: logits box.height x S."""
    step = max(1, _STRIP_PIXELS // box.width)
    columns = slice(part.x0 - box.x0, part.x1 - box.x0)
    for row in range(part.y0, part.y1, step):
        end = min(row + step, part.y1)
        strip = cv2.resize(lines[row - box.y0 : end - box.y0], (box.width, end - row))
        np.greater(strip[:, columns], threshold_logit, out=mask[row:end, part.x0 : part.x1])


def _spans(
    box: Box, lines: FloatMap, above: Mask, turns: NDArray[np.intp], threshold_logit: float
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """The same as runs of pixels, from where each row crosses the threshold: row, first column, column after the last.

    In image pixels, ordered by row. above: lines > threshold; turns: flat indices into height x (S - 1), the cells
    after which `above` changes.
    """
    size = lines.shape[1]
    rows, cells = np.divmod(turns, size - 1)
    left, right = lines[rows, cells].astype(np.float64), lines[rows, cells + 1].astype(np.float64)
    crossings = (cells + (threshold_logit - left) / (right - left) + 0.5) * (box.width / size) - 0.5  # pixel indices
    rising = above[rows, cells + 1]
    # Starts and ends alternate along a row, so that sorting both by (row, column) pairs them.
    starts = rows[rising] * box.width + np.floor(crossings[rising]).astype(np.int64) + 1
    ends = rows[~rising] * box.width + np.ceil(crossings[~rising]).astype(np.int64)
    starts = np.sort(np.concatenate([np.flatnonzero(above[:, 0]) * box.width, starts]))
    ends = np.sort(np.concatenate([(np.flatnonzero(above[:, -1]) + 1) * box.width, ends]))
    span_rows = np.minimum(starts // box.width, (ends - 1) // box.width)
    offset = span_rows * box.width - box.x0
    return span_rows + box.y0, starts - offset, ends - offset


def _paint_spans(
    mask: Mask, part: Box, rows: NDArray[np.int64], firsts: NDArray[np.int64], ends: NDArray[np.int64]
) -> None:
    """Fills what of the spans lies in the part."""
    chosen = slice(*np.searchsorted(rows, (part.y0, part.y1)))
    start_of_row = rows[chosen] * mask.shape[1]
    begin = start_of_row + np.maximum(firsts[chosen], part.x0)
    end = start_of_row + np.minimum(ends[chosen], part.x1)
    filled = begin < end
    flat = mask.reshape(-1)
    for first, last in zip(begin[filled].tolist(), end[filled].tolist(), strict=True):
        flat[first:last] = True


@dataclass(frozen=True, slots=True, eq=False)
class LayeredPrediction:
    """The segmenter's answer: layers laid in order onto an empty image.

    clicks: how many it answers; nbytes: of the layers that it added to the previous answer's.
    """

    height: int
    width: int
    layers: tuple[LogitLayer, ...]
    threshold_logit: float
    clicks: int
    nbytes: int

    def render(self) -> Mask:
        """A fresh bool mask H x W."""
        mask = np.zeros((self.height, self.width), np.bool_)
        for layer in self.layers:
            layer.paint(mask, self.threshold_logit)
        return mask

    def logits_on(self, frame: Frame) -> FloatMap:
        """float32 logits at the centres of the frame's grid cells, -inf outside every layer."""
        grid = np.full((frame.height, frame.width), -np.inf, np.float32)
        for layer in self.layers:
            layer.sample_into(grid, frame)
        return grid


def overlaid(layers: tuple[LogitLayer, ...], newest: LogitLayer) -> tuple[LogitLayer, ...]:
    """The layers with `newest` on top; those that it leaves nothing of are dropped."""
    parts = [tuple(rest for part in layer.parts for rest in part.minus(newest.box)) for layer in layers]
    kept = (replace(layer, parts=shown) for layer, shown in zip(layers, parts, strict=True) if shown)
    return (*kept, newest)
