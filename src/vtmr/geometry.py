"""Where pixels and points are: the one home of vtmr's coordinate convention (docs/decisions/0001).

Coordinates are continuous, x to the right, y down. The pixel in row r and column c covers [c, c+1)
x [r, r+1), its centre is (c + .5, r + .5). Boxes are half-open. Resizing a box to a grid is
therefore x' = s * (x - x0), for points and for pixels alike ("half-pixel centres").
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vtmr.errors import InputError

Points = NDArray[np.float64]  # N x 2, (x, y)


@dataclass(frozen=True, slots=True)
class Box:
    """A half-open box of whole pixels: columns x0 .. x1-1, rows y0 .. y1-1. Never empty.

    Raises InputError when it holds no pixel.
    """

    x0: int
    y0: int
    x1: int
    y1: int

    def __post_init__(self) -> None:
        if self.x1 <= self.x0 or self.y1 <= self.y0:
            raise InputError(
                f"The box {(self.x0, self.y0, self.x1, self.y1)} is empty: expected x0 < x1 and y0 "
                "< y1."
            )

    @staticmethod
    def whole(height: int, width: int) -> Box:
        """The box of a whole image."""
        return Box(0, 0, width, height)

    @property
    def width(self) -> int:
        """In pixels."""
        return self.x1 - self.x0

    @property
    def height(self) -> int:
        """In pixels."""
        return self.y1 - self.y0

    @property
    def area(self) -> int:
        """How many pixels it has."""
        return self.width * self.height

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns, for indexing an array of the same frame: `image[box.slices]`."""
        return slice(self.y0, self.y1), slice(self.x0, self.x1)

    def contains(self, x: float, y: float) -> bool:
        """Whether the point lies in the box."""
        return self.x0 <= x < self.x1 and self.y0 <= y < self.y1

    def union(self, other: Box) -> Box:
        """The smallest box around both."""
        return Box(
            min(self.x0, other.x0),
            min(self.y0, other.y0),
            max(self.x1, other.x1),
            max(self.y1, other.y1),
        )

    def intersection(self, other: Box) -> Box | None:
        """The common part, or None when there is none."""
        x0, y0 = max(self.x0, other.x0), max(self.y0, other.y0)
        x1, y1 = min(self.x1, other.x1), min(self.y1, other.y1)
        if x0 >= x1 or y0 >= y1:
            return None
        return Box(x0, y0, x1, y1)

    def minus(self, other: Box) -> tuple[Box, ...]:
        """What `other` leaves of it, as up to four disjoint boxes: above and below in full width,
        left, right."""
        hole = self.intersection(other)
        if hole is None:
            return (self,)
        left: list[Box] = []
        for x0, y0, x1, y1 in (
            (self.x0, self.y0, self.x1, hole.y0),
            (self.x0, hole.y1, self.x1, self.y1),
            (self.x0, hole.y0, hole.x0, hole.y1),
            (hole.x1, hole.y0, self.x1, hole.y1),
        ):
            if x0 < x1 and y0 < y1:  # where the hole reaches a side nothing is left of it
                left.append(Box(x0, y0, x1, y1))
        return tuple(left)

    def expanded(self, ratio: float, within: Box) -> Box:
        """Scaled by `ratio` about the centre, rounded to whole pixels, clipped to `within`.

        A box outside `within` becomes the nearest pixel of it, so that the result is never empty.
        """

        def axis(low: int, high: int, least: int, most: int) -> tuple[int, int]:
            half, centre = ratio * (high - low) / 2, (low + high) / 2
            # Halves go up on both sides, so that a box moved by a pixel moves its crop by one.
            start = min(max(math.floor(centre - half + 0.5), least), most - 1)
            return start, max(min(math.floor(centre + half + 0.5), most), start + 1)

        x0, x1 = axis(self.x0, self.x1, within.x0, within.x1)
        y0, y1 = axis(self.y0, self.y1, within.y0, within.y1)
        return Box(x0, y0, x1, y1)

    def grown(self, least: int, within: Box) -> Box:
        """At least `least` pixels wide and high, as far as `within` has them; moved inside `within`
        if need be."""

        def axis(low: int, high: int, first: int, last: int) -> tuple[int, int]:
            size = min(max(high - low, least), last - first)
            start = min(max(low - (size - (high - low)) // 2, first), last - size)
            return start, start + size

        x0, x1 = axis(self.x0, self.x1, within.x0, within.x1)
        y0, y1 = axis(self.y0, self.y1, within.y0, within.y1)
        return Box(x0, y0, x1, y1)

    def as_tuple(self) -> tuple[int, int, int, int]:
        """(x0, y0, x1, y1)"""
        return self.x0, self.y0, self.x1, self.y1


def as_box(value: Box | Sequence[float], what: str) -> Box:
    """The value itself, or the whole pixels that four numbers (x0, y0, x1, y1) touch.

    what: the word for it. Raises InputError for anything else, and for a box without a pixel.
    """
    if isinstance(value, Box):
        return value
    try:
        x0, y0, x1, y1 = map(float, value)
        return Box(math.floor(x0), math.floor(y0), math.ceil(x1), math.ceil(y1))
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(
            f"The {what} is {value!r}: expected a vtmr.Box or four numbers of pixels, x0, y0, x1 "
            "and y1."
        ) from error


@dataclass(frozen=True, slots=True)
class Frame:
    """A box of the image resampled to a grid of `width` x `height` cells: points both ways.

    "Image" coordinates are those the box is given in, "grid" coordinates run from 0 to width and 0
    to height.
    """

    box: Box
    width: int
    height: int

    @property
    def scale(self) -> tuple[float, float]:
        """Grid cells per image pixel, (x, y)."""
        return self.width / self.box.width, self.height / self.box.height

    def to_grid(self, points: Points) -> Points:
        """N x 2 image points (x, y) as grid points."""
        return (np.asarray(points, np.float64) - (self.box.x0, self.box.y0)) * self.scale

    def to_image(self, points: Points) -> Points:
        """N x 2 grid points (x, y) as image points; the inverse of `to_grid`."""
        return np.asarray(points, np.float64) / self.scale + (self.box.x0, self.box.y0)

    def box_to_grid(self, box: Box) -> tuple[float, float, float, float]:
        """A box of the image as (x0, y0, x1, y1) in grid units, fractional."""
        (x0, y0), (x1, y1) = self.to_grid(np.array([(box.x0, box.y0), (box.x1, box.y1)]))
        return float(x0), float(y0), float(x1), float(y1)

    def box_to_image(self, box: Box) -> Box:
        """A box of grid cells as the image pixels it touches: the inverse of `box_to_grid`, rounded
        outwards."""
        corners = self.to_image(np.array([(box.x0, box.y0), (box.x1, box.y1)]))
        # To 4096ths of a pixel: a side that is whole but for the last digit would else take in a
        # row or a column that it doesn't touch.
        (x0, y0), (x1, y1) = np.rint(corners * 4096) / 4096
        return Box(math.floor(x0), math.floor(y0), math.ceil(x1), math.ceil(y1))

    def centres(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Image x of every grid column's centre and image y of every grid row's centre."""
        sx, sy = self.scale
        cols = np.arange(self.width, dtype=np.float64)
        rows = np.arange(self.height, dtype=np.float64)
        return (cols + 0.5) / sx + self.box.x0, (rows + 0.5) / sy + self.box.y0
