"""Target-aware image zooming: a grid that gives the object more cells and the background fewer
[VTMR eq. 4-5].

Each axis has its own map T from the zoomed grid to the image: with guidance S (where to look), T(u)
is the mean of the axis' positions, weighted by S and by a Gaussian around u. T is increasing and
keeps both ends, so that it has an exact inverse on the whole crop. Source: docs/method.md §F, §L;
docs/decisions/0004-zoom.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from vtmr.geometry import Box, Frame, Points
from vtmr.masks import Mask
from vtmr.pyramid import FloatMap, Pixels, Pyramid, crop_resized, sample_bilinear, shrunk_patch
from vtmr.spec import ZoomKernel

Vector = NDArray[np.float64]
GridBox = tuple[float, float, float, float]  # x0, y0, x1, y1 in grid units, fractional

# Of T: where guidance and floor are zero a stretch could vanish, and with it the inverse.
LEAST_SLOPE = 1e-3
_SINGLE_SAMPLE_PX = 1.5  # a cell of more is averaged: one bilinear sample would skip pixels
_FINEST = 16  # pixels read per cell and axis at most, where the zoom is extreme


@dataclass(frozen=True, slots=True, eq=False)
class Warp:
    """A box of the image resampled to size x size cells of uneven width and height: points both
    ways, and pixels.

    In the terms of `Frame`: "image" coordinates are the box's, "grid" coordinates run from 0 to
    `size`. table_x and table_y hold T of each axis, from exactly 0 to exactly 1, at evenly spaced
    knots; in between T is linear. Points outside the box follow the plain scale.
    """

    box: Box
    size: int
    table_x: Vector
    table_y: Vector

    @property
    def width(self) -> int:
        """Columns of the grid."""
        return self.size

    @property
    def height(self) -> int:
        """Rows of the grid."""
        return self.size

    @property
    def is_identity(self) -> bool:
        """Whether the grid is the plain one."""
        plain_x = np.array_equal(self.table_x, _even(len(self.table_x)))
        return plain_x and np.array_equal(self.table_y, _even(len(self.table_y)))

    def to_image(self, points: Points) -> Points:
        """N x 2 grid points (x, y) as image points."""
        units = np.asarray(points, np.float64) / self.size
        return np.stack(self._forward(units[:, 0], units[:, 1]), axis=1)

    def to_grid(self, points: Points) -> Points:
        """N x 2 image points (x, y) as grid points; the inverse of `to_image`."""
        points = np.asarray(points, np.float64)
        return np.stack(self._backward(points[:, 0], points[:, 1]), axis=1) * self.size

    def box_to_grid(self, box: Box) -> GridBox:
        """A box of the image in grid units."""
        (x0, y0), (x1, y1) = self.to_grid(np.array([(box.x0, box.y0), (box.x1, box.y1)]))
        return float(x0), float(y0), float(x1), float(y1)

    def centres(self) -> tuple[Vector, Vector]:
        """Image x of every grid column's centre and image y of every grid row's centre, strictly
        increasing."""
        middles = (np.arange(self.size) + 0.5) / self.size
        return self._forward(middles, middles)

    def sample(self, image: Pixels | Pyramid, part: GridBox | None = None) -> Pixels:
        """The image on the grid: uint8 size x size (x channels), averaged where a cell spans more
        than 1.5 pixels.

        image: all of it, uint8 H x W (x 3), or its pyramid. part: only this box of the grid, on as
        many cells; its pixels come from the image at full resolution too. The identity gives
        exactly `crop_resized`.
        """
        if part is None and self.is_identity:
            return crop_resized(image, self.box, self.size)
        part = part or (0, 0, self.size, self.size)
        widths, heights = self._cell_sizes(part)
        outline = self._forward(*_corners(part, self.size))
        # As fine as the smallest cells want it: the patch may be read from a coarser level of the
        # pyramid, so that the cost doesn't grow with the image.
        finest = _FINEST * self.size
        wanted_x = min(math.ceil(widths.sum() / widths.min()), finest)
        wanted_y = min(math.ceil(heights.sum() / heights.min()), finest)
        around = _pixels_around(*outline, self.box)
        patch, frame = shrunk_patch(image, around, wanted_x, wanted_y)
        scale_x, scale_y = frame.scale
        counts_x, counts_y = _samples(widths * scale_x), _samples(heights * scale_y)
        across, down = _spread(part, 0, counts_x), _spread(part, 1, counts_y)
        xs, ys = self._forward(across / self.size, down / self.size)
        cols = (xs - frame.box.x0) * scale_x - 0.5
        rows = (ys - frame.box.y0) * scale_y - 0.5
        samples = _remapped(patch, cols, rows)
        return _averaged(_averaged(samples, counts_y, 0), counts_x, 1)

    def sample_mask(self, mask: Mask, part: GridBox | None = None) -> Mask:
        """A mask of the image, bool H x W, on the grid or a part of it, by majority: bool size x
        size."""
        return np.asarray(self.sample(mask.view(np.uint8) * np.uint8(255), part) > 127)

    def unwarp(self, values: FloatMap, frame: Frame) -> FloatMap:
        """Values on this grid (size x size), bilinear at the centres of a plain frame's cells:
        float32 h x w.

        frame: of any box; beyond this grid's outermost centres the values are held.
        """
        u, v = self._backward(*frame.centres())
        return sample_bilinear(values, v * self.size - 0.5, u * self.size - 0.5)

    def _forward(self, u: Vector, v: Vector) -> tuple[Vector, Vector]:
        """Image x and image y of positions on the two axes of the grid, 0 to 1."""
        x = _through(u, _even(len(self.table_x)), self.table_x)
        y = _through(v, _even(len(self.table_y)), self.table_y)
        return x * self.box.width + self.box.x0, y * self.box.height + self.box.y0

    def _backward(self, x: Vector, y: Vector) -> tuple[Vector, Vector]:
        """Positions on the two axes of the grid, 0 to 1, of image x and image y."""
        s, t = (x - self.box.x0) / self.box.width, (y - self.box.y0) / self.box.height
        # Both tables increase strictly, so that swapping their roles inverts the map exactly.
        u = _through(s, self.table_x, _even(len(self.table_x)))
        v = _through(t, self.table_y, _even(len(self.table_y)))
        return u, v

    def _cell_sizes(self, part: GridBox) -> tuple[Vector, Vector]:
        """Width of each column and height of each row of a part of the grid, in image pixels."""
        x0, y0, x1, y1 = np.array(part) / self.size
        across, down = np.linspace(x0, x1, self.size + 1), np.linspace(y0, y1, self.size + 1)
        xs, ys = self._forward(across, down)
        return np.diff(xs), np.diff(ys)


def warp_towards(guidance: Mask, box: Box, size: int, kernel: ZoomKernel) -> Warp:
    """The grid of size x size cells on the box that zooms in on the guidance. Empty or full
    guidance: the plain grid.

    guidance: bool, h x w cells of any plain grid on the box.
    """
    along_x, along_y = marginals(guidance, kernel.grid)
    return Warp(box, size, zoom_table(along_x, kernel), zoom_table(along_y, kernel))


def marginals(guidance: Mask, grid: int) -> tuple[Vector, Vector]:
    """S_x and S_y: the guidance at grid x grid knots, summed down its columns and along its rows.

    Knot j lies at j / (grid - 1) of the axis and sees a triangle two spacings wide; averages over
    even cells would sit half a cell beside the knots near the borders [docs/method.md §F.5].
    """
    height, width = guidance.shape
    rows, cols = _triangles(height, grid), _triangles(width, grid)
    values = guidance.astype(np.float64)
    # einsum rather than @: as small as this, waking BLAS's threads costs more than the sum.
    along_x = np.einsum("jc,c->j", cols, np.einsum("r,rc->c", rows.sum(0), values))
    along_y = np.einsum("jr,r->j", rows, np.einsum("rc,c->r", values, cols.sum(0)))
    return along_x, along_y


def zoom_table(guidance: Vector, kernel: ZoomKernel) -> Vector:
    """T at the knots of one axis: strictly increasing from 0 to 1; the identity where the guidance
    says nothing.

    guidance: float64, one value >= 0 per knot, of any scale. Reflected about both ends and seen
    through a window of 2 * (grid - 1) + 1 knots around each knot, it keeps the ends where they are
    [docs/method.md §F.1-F.2].
    """
    most, knots = guidance.max(), _even(kernel.grid)
    if np.ptp(guidance) <= 1e-9 * most:
        return knots
    pull, pulled = _pulls(kernel.grid, kernel.fwhm)
    weights = guidance / most + kernel.floor
    table = pulled @ weights / (pull @ weights)
    table[0], table[-1] = 0.0, 1.0  # but for rounding they are that already
    return _increasing(table)


@lru_cache(maxsize=8)
def _pulls(grid: int, fwhm: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Two matrices, grid x grid, that say how each knot (column) pulls at each place (row): by how
    much, and that times where to."""
    reach = grid - 1
    places = np.arange(-reach, 2 * reach + 1)
    distance = places[None, :] - np.arange(grid)[:, None]
    gaussian = np.exp(-4 * math.log(2) * (distance / fwhm) ** 2)
    gaussian[np.abs(distance) > reach] = 0
    # Reflected, so that what pulls beyond an end pulls as much the other way: the ends stay.
    reflected = np.pad(np.eye(grid), ((reach, reach), (0, 0)), mode="reflect")
    return gaussian @ reflected, gaussian @ (reflected * (places / reach)[:, None])


def _increasing(table: Vector) -> Vector:
    """The table with every step at least LEAST_SLOPE of an even one; unchanged where that holds
    already."""
    steps, least = np.diff(table), LEAST_SLOPE / (len(table) - 1)
    if steps.min() >= least:
        return table
    steps = np.maximum(steps, least)
    table = np.concatenate([[0.0], np.cumsum(steps) / steps.sum()])
    table[-1] = 1.0
    return table


@lru_cache(maxsize=8)
def _triangles(cells: int, grid: int) -> NDArray[np.float64]:
    """Weights grid x cells of the cells around each knot, summing to 1."""
    centres = (np.arange(cells) + 0.5) / cells * (grid - 1)
    # With fewer cells than knots a triangle must still reach a cell.
    reach = max(1.0, (grid - 1) / cells)
    weights = np.maximum(1 - np.abs(centres[None, :] - np.arange(grid)[:, None]) / reach, 0)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


@lru_cache(maxsize=8)
def _even(knots: int) -> Vector:
    """Evenly spaced from 0 to 1; shared, so read-only."""
    even = np.linspace(0, 1, knots)
    even.flags.writeable = False
    return even


def _through(positions: Vector, before: Vector, after: Vector) -> Vector:
    """The piecewise linear map that takes `before` to `after`, both from 0 to 1; outside, nothing
    moves."""
    inside = (positions >= 0) & (positions <= 1)
    return np.where(inside, np.interp(positions, before, after), positions)


def _samples(cell_px: Vector) -> NDArray[np.int64]:
    """How often each cell is sampled along an axis: once up to 1.5 pixels, else at most 2 pixels
    apart."""
    return np.where(cell_px <= _SINGLE_SAMPLE_PX, 1, np.ceil(cell_px / 2)).astype(np.int64)


def _spread(part: GridBox, axis: int, counts: NDArray[np.int64]) -> Vector:
    """Grid x (axis 0) or y (axis 1) of evenly spread samples, counts[i] of them in the i-th of the
    part's cells."""
    first = np.repeat(np.cumsum(counts) - counts, counts)
    within = (np.arange(counts.sum()) - first + 0.5) / np.repeat(counts, counts)
    cells = np.repeat(np.arange(len(counts)), counts) + within
    return part[axis] + cells * ((part[axis + 2] - part[axis]) / len(counts))


def _averaged(samples: Pixels, counts: NDArray[np.int64], axis: int) -> Pixels:
    """The mean of every cell's samples along an axis: in runs of cells with as many, which are
    few."""
    if counts.max() == 1:
        return samples
    other = samples.shape[1 - axis]
    means = []
    first = 0
    for run in np.split(counts, np.flatnonzero(np.diff(counts)) + 1):
        after = first + int(run.sum())
        size = (len(run), other)  # cv2 counts columns first
        part = samples[:, first:after]
        if axis == 0:
            size = (other, len(run))
            part = samples[first:after]
        # By area, as every cell of the run has the same whole number of samples: their exact mean.
        means.append(cv2.resize(part, size, interpolation=cv2.INTER_AREA))
        first = after
    return np.asarray(np.concatenate(means, axis=axis), np.uint8)


def _corners(part: GridBox, size: int) -> tuple[Vector, Vector]:
    """The part's bounds, 0 to 1 on the whole grid's axes."""
    return np.array([part[0], part[2]]) / size, np.array([part[1], part[3]]) / size


def _pixels_around(xs: Vector, ys: Vector, box: Box) -> Box:
    """The whole pixels of the box between two image x and two image y."""
    # Rounded to 1/4096 px first: a bound that is a whole number but for the last bits of float64
    # must not bring another column along.
    (x0, x1), (y0, y1) = np.rint(xs * 4096) / 4096, np.rint(ys * 4096) / 4096
    touched = Box(
        math.floor(x0),
        math.floor(y0),
        max(math.ceil(x1), math.floor(x0) + 1),
        max(math.ceil(y1), math.floor(y0) + 1),
    )
    return touched.intersection(box) or box


def _remapped(patch: Pixels, cols: Vector, rows: Vector) -> Pixels:
    """The patch, bilinear at the fractional indices rows x cols, held at its border."""
    # cv2.remap wants both maps whole, though ours are a row and a column.
    map_x = np.broadcast_to(cols.astype(np.float32), (len(rows), len(cols)))
    map_y = np.broadcast_to(rows.astype(np.float32)[:, None], (len(rows), len(cols)))
    found = cv2.remap(
        patch,
        np.ascontiguousarray(map_x),
        np.ascontiguousarray(map_y),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(found, np.uint8)
