"""A prediction as a few small grids of logits laid over boxes of the image, and the mask painted
from them.

Between the grid's cell centres a logit is bilinear, outside every layer it is minus infinity, and
where layers overlap the last one counts alone. So a prediction takes the same few hundred kilobytes
at any image size.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vtmr.geometry import Box, Frame
from vtmr.masks import Mask, bounding_box
from vtmr.pyramid import sample_bilinear
from vtmr.segmenter.painting import Pixels, Spans, painted, painted_over, pixels_above
from vtmr.types import FloatMap


class Cells(Protocol):
    """Columns and rows of cells in the image, even (`Frame`) or not (`Warp`)."""

    @property
    def width(self) -> int:
        """Columns."""
        ...

    @property
    def height(self) -> int:
        """Rows."""
        ...

    def centres(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Image x of every column's centre and image y of every row's, increasing."""
        ...


Centres = NDArray[np.float64]
_Cells = list[tuple[int, int, int, int]]


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
        _sample_each((self,), grid, cells_of_grid)

    def _sample_parts(self, grid: FloatMap, xs: Centres, ys: Centres, cells: _Cells) -> None:
        """Overwrites the cells of the grid that lie in its parts.

        xs, ys: the centres of the grid's columns and rows; cells: of each part with any, the first
        row, the row after the last, and the same of its columns.
        """
        tops, bottoms, lefts, rights = zip(*cells, strict=True)
        top, bottom, left, right = min(tops), max(bottoms), min(lefts), max(rights)
        scale_x, scale_y = Frame(self.box, self.logits.shape[1], self.logits.shape[0]).scale
        rows = (ys[top:bottom] - self.box.y0) * scale_y - 0.5
        cols = (xs[left:right] - self.box.x0) * scale_x - 0.5
        sampled = sample_bilinear(self.logits, rows, cols)
        for y0, y1, x0, x1 in cells:
            grid[y0:y1, x0:x1] = sampled[y0 - top : y1 - top, x0 - left : x1 - left]

    def above(self, threshold_logit: float, image_width: int) -> Spans | Pixels:
        """The pixels where the layer shows and exceeds the threshold."""
        return pixels_above(self.logits, self.box, self.parts, threshold_logit, image_width)


class LastMask:
    """The mask that a prediction was rendered as, as long as somebody keeps it, and its bounding
    box: on a large image the next click would spend a millisecond on reading what was just
    written."""

    __slots__ = ("_mask", "box")

    def __init__(self) -> None:
        self._mask: weakref.ref[Mask] | None = None
        self.box: Box | None = None

    def is_now(self, mask: Mask, box: Box | None) -> None:
        self._mask, self.box = weakref.ref(mask), box

    def is_of(self, mask: Mask) -> bool:
        """Whether the box is that of `mask`: whoever made it read-only vouches for its pixels."""
        return self.mask() is mask and not mask.flags.writeable

    def mask(self) -> Mask | None:
        """The mask, None when nobody keeps it any more, or when it may have been written to."""
        mask = None if self._mask is None else self._mask()
        return None if mask is None or mask.flags.writeable else mask


@dataclass(frozen=True, slots=True, eq=False)
class LayeredPrediction:
    """The segmenter's answer: layers laid in order onto an empty image.

    clicks: how many it answers; nbytes: of the layers that it added to the previous answer's.
    passes: coarse passes made for it; zoomed: whether one of them was the zoomed one.
    below: the last mask of the answer that has the same layers but for the newest one. As long as
    that mask lives, the newest layer alone is painted: however many clicks came before, the next
    one costs the same.
    """

    height: int
    width: int
    layers: tuple[LogitLayer, ...]
    threshold_logit: float
    clicks: int
    nbytes: int
    passes: int = 1
    zoomed: bool = False
    below: LastMask | None = field(default=None, repr=False)

    last: LastMask = field(default_factory=LastMask, repr=False)

    @property
    def arrays(self) -> tuple[FloatMap, ...]:
        """Every array that it keeps alive, earlier answers' included."""
        return tuple(layer.logits for layer in self.layers)

    def render(self) -> Mask:
        """A fresh bool mask H x W."""
        before = self.below.mask() if self.below is not None else None
        if self.below is not None and before is not None:
            newest = self.layers[-1]
            shown = newest.above(self.threshold_logit, self.width)
            mask, box = painted_over(before, self.below.box, newest.box, shown)
        else:
            layers = [layer.above(self.threshold_logit, self.width) for layer in self.layers]
            mask, box = painted(self.height, self.width, layers)
        self.last.is_now(mask, box)
        return mask

    def box_of(self, mask: Mask) -> Box | None:
        """The smallest box around the mask's pixels, None where it is empty.

        mask: bool H x W, any. The one that `render` gave last isn't read, if it is read-only.
        """
        if self.last.is_of(mask):
            return self.last.box
        return bounding_box(mask)

    def logits_on(self, frame: Frame) -> FloatMap:
        """float32 logits at the centres of the frame's grid cells, -inf outside every layer."""
        return logits_on(self.layers, frame)


def logits_on(layers: Sequence[LogitLayer], cells: Cells) -> FloatMap:
    """float32 logits of layers laid in order, at the cells' centres; -inf outside every layer."""
    grid = np.full((cells.height, cells.width), -np.inf, np.float32)
    _sample_each(layers, grid, cells)
    return grid


def _sample_each(layers: Sequence[LogitLayer], grid: FloatMap, cells: Cells) -> None:
    """Overwrites the cells of the grid in which layers show, one layer after the other."""
    xs, ys = cells.centres()
    sides = [part.as_tuple() for layer in layers for part in layer.parts]
    x0, y0, x1, y1 = np.array(sides, np.float64).reshape(-1, 4).T
    # Of all parts at once: after a thousand clicks there are hundreds of small ones.
    bounds = np.stack(
        [*np.searchsorted(ys, (y0, y1)), *np.searchsorted(xs, (x0, x1))], axis=1
    ).tolist()
    first = 0
    for layer in layers:
        own = bounds[first : first + len(layer.parts)]
        first += len(layer.parts)
        # A part narrower than the cells may lie between all their centres.
        shown = [
            (top, end, left, right) for top, end, left, right in own if top < end and left < right
        ]
        if shown:
            layer._sample_parts(grid, xs, ys, shown)


def overlaid(layers: tuple[LogitLayer, ...], newest: LogitLayer) -> tuple[LogitLayer, ...]:
    """The layers with `newest` on top; those that it leaves nothing of are dropped."""
    kept: list[LogitLayer] = []
    for layer in layers:
        shown: list[Box] = []
        for part in layer.parts:
            shown += part.minus(newest.box)
        if shown:
            kept.append(replace(layer, parts=tuple(shown)))
    return (*kept, newest)
