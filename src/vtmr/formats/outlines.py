"""The outlines of masks as polygons: of their parts, with holes cut open, and of several parts
joined."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vtmr.masks import Mask, bounding_box

Ring = NDArray[np.float64]  # N x 2 image points (x, y); the last is joined to the first

_STARTS = 16  # points of a ring from which the nearest of others is looked for
_SMALLEST_CELL = 8.0  # pixels
_CELLS = 128  # to a side


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """An 8-connected part of a mask.

    outline: runs a quarter of a pixel inside its border, so that the centres of its pixels lie
    inside and all others outside. edge: runs along the border itself, from pixel corner to pixel
    corner. holes: the edges of its holes.
    """

    outline: Ring
    edge: Ring
    holes: tuple[Ring, ...]

    @property
    def area(self) -> float:
        """Pixels within the edge, those of holes included."""
        x, y = self.edge.T
        return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)


def parts_of(mask: Mask) -> list[Part]:
    """The parts of a mask, bool H x W."""
    box = bounding_box(mask)
    if box is None:
        return []
    # At twice the size the border's pixels have their centres at quarters of a pixel.
    doubled = mask[box.slices].astype(np.uint8).repeat(2, axis=0).repeat(2, axis=1)
    contours, hierarchy = cv2.findContours(doubled, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    points = [np.asarray(contour, np.int64).reshape(-1, 2) for contour in contours]
    parents = hierarchy[0][:, 3].tolist()
    corner = np.array([box.x0, box.y0], np.float64)
    holes: defaultdict[int, list[Ring]] = defaultdict(list)
    for ring, parent in zip(points, parents, strict=True):
        if parent >= 0:
            holes[parent].append(_edge(ring) + corner)
    return [
        Part((ring + 0.5) / 2 + corner, _edge(ring) + corner, tuple(holes[number]))
        for number, (ring, parent) in enumerate(zip(points, parents, strict=True))
        if parent < 0
    ]


def edge_rings(mask: Mask) -> list[Ring]:
    """A ring for each part, along the pixels' edges, into the holes and out again."""
    rings = []
    for part in parts_of(mask):
        # From the top down, so that most holes find another one, or the border, beside them.
        holes = sorted(part.holes, key=lambda hole: (hole[0, 1], hole[0, 0]))
        rings.append(joined([part.edge, *holes]))
    return rings


def joined(rings: Sequence[Ring]) -> Ring:
    """One ring through all of them: each is reached from the nearest point of those before it, and
    left on the same way."""
    if len(rings) == 1:
        return rings[0]
    reached: defaultdict[int, dict[int, list[_Visit]]] = defaultdict(dict)
    known = _Grid(rings)
    known.add(0)
    for number in range(1, len(rings)):
        above, here, start = known.nearest(rings[number])
        reached[above].setdefault(here, []).append(_Visit(number, start))
        known.add(number)
    return _walked(rings, reached)


@dataclass(frozen=True, slots=True)
class _Visit:
    """A ring that is walked around from one of its points."""

    number: int
    start: int


_Known = tuple[float, float, int, int]  # a point, the number of its ring, its index there


class _Grid:
    """Points of rings by the square cell that they lie in."""

    def __init__(self, rings: Sequence[Ring]) -> None:
        self._rings = rings
        low = np.min([ring.min(axis=0) for ring in rings], axis=0)
        high = np.max([ring.max(axis=0) for ring in rings], axis=0)
        self._low = low
        self._side = max(_SMALLEST_CELL, float((high - low).max()) / _CELLS)
        self._cells: defaultdict[tuple[int, int], list[_Known]] = defaultdict(list)

    def add(self, number: int) -> None:
        """With the points of that ring."""
        ring = self._rings[number]
        cells = ((ring - self._low) // self._side).astype(int).tolist()
        for index, ((x, y), (column, row)) in enumerate(zip(ring.tolist(), cells, strict=True)):
            self._cells[column, row].append((x, y, number, index))

    def nearest(self, ring: Ring) -> tuple[int, int, int]:
        """Where a new ring is near: the number of the other, the index of its point, and of the
        new one's. Of the new one's points some are tried."""
        best = (float("inf"), 0, 0, 0)
        # Rounded up: of short rings every point, of long ones never more than _STARTS.
        for start in range(0, len(ring), -(-len(ring) // _STARTS)):
            x, y = ring[start].tolist()
            apart, number, index = self._nearest_to(x, y, best[0])
            if apart < best[0]:
                best = (apart, number, index, start)
            if best[0] == 0:
                break
        return best[1:]

    def _nearest_to(self, x: float, y: float, most: float) -> tuple[float, int, int]:
        """The squared distance to the nearest point, if that is under `most`, and whose it is."""
        column, row = int((x - self._low[0]) // self._side), int((y - self._low[1]) // self._side)
        best = (most, 0, 0)
        for reach in range(_CELLS + 2):
            for cell in _around(column, row, reach):
                for other_x, other_y, number, index in self._cells.get(cell, ()):
                    apart = (other_x - x) ** 2 + (other_y - y) ** 2
                    if apart < best[0]:
                        best = (apart, number, index)
            # Whatever lies in cells farther out is at least that far away.
            if best[0] <= (reach * self._side) ** 2:
                break
        return best


def _around(column: int, row: int, reach: int) -> list[tuple[int, int]]:
    """The cells so many cells away."""
    if reach == 0:
        return [(column, row)]
    along = range(-reach, reach + 1)
    across = range(-reach + 1, reach)
    above = [(column + x, row + y) for y in (-reach, reach) for x in along]
    beside = [(column + x, row + y) for x in (-reach, reach) for y in across]
    return above + beside


def _walked(rings: Sequence[Ring], reached: Mapping[int, Mapping[int, Sequence[_Visit]]]) -> Ring:
    """The first ring, left at each point from which others are reached and gone on with after."""
    pieces: list[Ring] = []
    walks = [_stretches(rings[0], 0, reached.get(0, {}))]
    # With a list, not by recursion: a chain of holes may be longer than Python lets calls nest.
    while walks:
        stretch = next(walks[-1], None)
        if stretch is None:
            walks.pop()
        elif isinstance(stretch, _Visit):
            ring = rings[stretch.number]
            walks.append(_stretches(ring, stretch.start, reached.get(stretch.number, {})))
        else:
            pieces.append(stretch)
    return np.concatenate(pieces)[:-1]  # the last point is the first


def _stretches(
    ring: Ring, start: int, visits: Mapping[int, Sequence[_Visit]]
) -> Iterator[Ring | _Visit]:
    """Once around, from a point to itself, with the visits where they branch off."""
    walk = np.concatenate([ring[start:], ring[: start + 1]])
    done = 0
    for index in sorted(visits, key=lambda index: (index - start) % len(ring)):
        here = (index - start) % len(ring)
        yield walk[done : here + 1]
        for visit in visits[index]:
            yield visit
            yield walk[here : here + 1]
        done = here + 1
    yield walk[done:]


def _edge(contour: NDArray[np.int64]) -> Ring:
    """A contour of the doubled mask as corners of pixels: at turns alone, each once.

    A doubled pixel's outer corner is that of the whole pixel; where a contour steps from one pixel
    to the next across a corner, both ends are that corner.
    """
    corners = (contour + 1) // 2
    corners = corners[(corners != np.roll(corners, 1, axis=0)).any(axis=1)]
    before = corners - np.roll(corners, 1, axis=0)
    after = np.roll(corners, -1, axis=0) - corners
    turns = before[:, 0] * after[:, 1] != before[:, 1] * after[:, 0]
    return np.asarray(corners[turns], np.float64)
