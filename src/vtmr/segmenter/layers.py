"""A prediction as a few small grids of logits laid over boxes of the image, and the mask painted from them.

Between the grid's cell centres a logit is bilinear, outside every layer it is minus infinity, and where layers
overlap the last one counts alone. So a prediction takes the same few hundred kilobytes at any image size.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vtmr.geometry import Box, Frame
from vtmr.masks import Mask
from vtmr.pyramid import sample_bilinear
from vtmr.types import FloatMap

_LARGEST_LOGIT = 30_000.0  # float16 ends at 65504, and differences of two logits must stay finite
_STRIP_PIXELS = 1 << 19  # upsampled at a time, so that no float array of the image's size exists
_PIXELS_PER_SPAN = 64  # filling a run of pixels by itself pays from about this length on


@dataclass(frozen=True, slots=True, eq=False)
class LogitLayer:
    """Logits over a box of the image: float16 S x S, one per cell of the box's S x S grid."""

    box: Box
    logits: NDArray[np.float16]

    @staticmethod
    def of(box: Box, logits: FloatMap) -> LogitLayer:
        """From float32 logits S x S."""
        return LogitLayer(box, np.clip(logits, -_LARGEST_LOGIT, _LARGEST_LOGIT).astype(np.float16))

    def sample_into(self, grid: FloatMap, frame: Frame) -> None:
        """Overwrites those cells of `grid` (logits, on the frame) whose centres lie in the box."""
        xs, ys = frame.centres()
        own = Frame(self.box, self.logits.shape[1], self.logits.shape[0])
        cols, rows = (
            slice(*np.searchsorted(xs, (self.box.x0, self.box.x1))),
            slice(*np.searchsorted(ys, (self.box.y0, self.box.y1))),
        )
        if cols.start < cols.stop and rows.start < rows.stop:
            scale_x, scale_y = own.scale
            grid[rows, cols] = sample_bilinear(
                self.logits, (ys[rows] - self.box.y0) * scale_y - 0.5, (xs[cols] - self.box.x0) * scale_x - 0.5
            )

    def paint(self, mask: Mask, threshold_logit: float) -> None:
        """Overwrites the box's pixels of `mask` (bool H x W of the image): logit > threshold at the pixel's centre."""
        patch = mask[self.box.slices]
        # Rows first: every row of the box is then a line of straight segments between the grid's columns.
        size = (self.logits.shape[1], self.box.height)
        lines = np.asarray(cv2.resize(self.logits.astype(np.float32), size), np.float32)
        above = lines > threshold_logit
        turns = np.flatnonzero(above[:, 1:] != above[:, :-1])
        if self.box.area < _PIXELS_PER_SPAN * (turns.size + self.box.height):
            _paint_pixels(patch, lines, threshold_logit)
        else:
            _paint_spans(patch, lines, above, turns, threshold_logit)


def _paint_pixels(patch: Mask, lines: FloatMap, threshold_logit: float) -> None:
    """Interpolates along the rows at every pixel. patch: bool h x w; lines: logits h x S."""
    height, width = patch.shape
    step = max(1, _STRIP_PIXELS // width)
    for row in range(0, height, step):
        strip = cv2.resize(lines[row : row + step], (width, min(step, height - row)))
        np.greater(strip, threshold_logit, out=patch[row : row + step])


def _paint_spans(patch: Mask, lines: FloatMap, above: Mask, turns: NDArray[np.intp], threshold_logit: float) -> None:
    """The same from the places where a row crosses the threshold: cost of the outline, not of the area.

    above: lines > threshold; turns: flat indices, h x (S-1), of the cells after which it changes.
    """
    height, width = patch.shape
    size = lines.shape[1]
    rows, cells = np.divmod(turns, size - 1)
    left, right = lines[rows, cells].astype(np.float64), lines[rows, cells + 1].astype(np.float64)
    crossings = (cells + (threshold_logit - left) / (right - left) + 0.5) * (width / size) - 0.5  # in pixel indices
    rising = above[rows, cells + 1]
    starts = np.floor(crossings[rising]).astype(np.int64) + 1
    ends = np.ceil(crossings[~rising]).astype(np.int64)
    every_row = np.arange(height)
    open_left, open_right = every_row[above[:, 0]], every_row[above[:, -1]]
    # In flat indices the starts and the ends of the spans alternate, row by row, so sorting pairs them.
    first = np.sort(np.concatenate([open_left * width, rows[rising] * width + starts]))
    last = np.sort(np.concatenate([(open_right + 1) * width, rows[~rising] * width + ends]))
    patch[:] = False
    span_rows = first // width
    for row, start, end in zip(
        span_rows.tolist(), (first - span_rows * width).tolist(), (last - span_rows * width).tolist(), strict=True
    ):
        patch[row, start:end] = True


@dataclass(frozen=True, slots=True, eq=False)
class LayeredPrediction:
    """The segmenter's answer: layers painted in order onto an empty image. nbytes: of the layers this answer added."""

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


def visible(layers: tuple[LogitLayer, ...]) -> tuple[LogitLayer, ...]:
    """Without the layers that a later one covers wholly."""
    return tuple(
        layer
        for i, layer in enumerate(layers)
        if not any(later.box.intersection(layer.box) == layer.box for later in layers[i + 1 :])
    )
