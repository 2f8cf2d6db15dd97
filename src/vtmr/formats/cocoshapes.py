"""COCO's three forms of a mask (polygons, run lengths as numbers or as text) as run lengths.

What a shape costs is known before pycocotools sees it: it takes 50 bytes and a third of a
microsecond for each pixel along a polygon's edges, wherever they lie, and copies whatever it is
given as counts.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from vtmr.errors import InputError
from vtmr.images import MAX_PIXELS
from vtmr.masks import RunLengths, runs_in

_FARTHEST = 1e6  # pixels: no coordinate lies beyond
_ALWAYS_ALLOWED_PX = 50_000  # of outline, on the smallest image too
_LONGEST_OUTLINE_PX = 2_000_000
_MOST_RUNS = 4_000_000  # numbers, or characters of text
_BESIDE_ITS_KIND = (KeyError, TypeError, ValueError, IndexError, OverflowError, AttributeError)


def coco_runs(segmentation: Any, height: int, width: int) -> RunLengths:
    """Any of COCO's forms as run lengths of a height x width mask.

    Polygons of fewer than three points enclose nothing and are passed over where others are left.
    Raises InputError for anything else, for run lengths of another size, and for shapes that would
    cost more than any mask of this size needs.
    """
    if not (height > 0 and width > 0 and height * width <= MAX_PIXELS):
        raise InputError(
            f"The file says that the image has {width}x{height} pixels: expected at least one "
            f"and at most {MAX_PIXELS:,}."
        )
    if not segmentation:
        raise InputError(
            "There is no outline, only a box or nothing: expected polygons or run lengths."
        )
    try:
        if isinstance(segmentation, list):
            return _of_polygons(segmentation, height, width)
        return _of_run_lengths(segmentation, height, width)
    except _BESIDE_ITS_KIND as error:
        raise InputError(
            f"A COCO segmentation can't be read ({repr(segmentation)[:60]}): expected polygons, as "
            "lists x1, y1, x2, y2, …, or run lengths, as size and counts."
        ) from error


def short_polygons(segmentation: Any) -> int:
    """How many of a segmentation's polygons have fewer than three points, where others have
    more."""
    if not isinstance(segmentation, list):
        return 0
    polygons = _polygons(segmentation)
    short = sum(len(polygon) < 6 for polygon in polygons)
    return short if short < len(polygons) else 0


def outline_px(segmentation: Any) -> float:
    """The length of a readable segmentation's polygons, which is what they cost; run lengths have
    none."""
    if not isinstance(segmentation, list):
        return 0.0
    polygons = _polygons(segmentation)
    return sum(_outline_px(_points(polygon)) for polygon in polygons if len(polygon) >= 6)


def _polygons(segmentation: list[Any]) -> list[list[Any]]:
    """The numbers x1, y1, x2, y2, … of each polygon.

    Where there is one, many exporters leave out the list around it, and points come as pairs, too:
    neither could mean anything else.
    """
    if all(isinstance(entry, int | float | str) for entry in segmentation):
        return [segmentation]
    if len(segmentation) > 2 and all(map(_is_pair, segmentation)):
        return [_numbers(segmentation)]
    return [
        _numbers(polygon) if _is_pair(next(iter(polygon), None)) else polygon
        for polygon in segmentation
    ]


def _is_pair(entry: Any) -> bool:
    """Whether it is a point x, y."""
    return isinstance(entry, list) and len(entry) == 2 and not isinstance(entry[0], list)


def _numbers(points: list[Any]) -> list[Any]:
    return [number for point in points for number in point]


def _of_polygons(segmentation: list[Any], height: int, width: int) -> RunLengths:
    # Not the shorter ones: pycocotools takes lists of four numbers for boxes.
    polygons = [_points(numbers) for numbers in _polygons(segmentation) if len(numbers) >= 6]
    if not polygons:
        raise InputError(
            "A polygon has fewer than three points: expected x1, y1, x2, y2, x3, y3, …"
        )
    length = sum(_outline_px(points) for points in polygons)
    most = longest_outline_px(height, width)
    if length > most:
        raise InputError(
            f"The polygons are {length:,.0f} pixels long: expected at most {most:,} on an "
            f"image of {width}x{height}."
        )
    shapes = coco_mask.frPyObjects([points.reshape(-1) for points in polygons], height, width)
    return RunLengths(height, width, coco_mask.merge(shapes)["counts"])


def longest_outline_px(height: int, width: int) -> int:
    """The most that the outlines of one object may measure: all edges of all pixels, at least
    50,000, at most two million."""
    every_edge = 2 * height * width + 16 * (height + width)
    return min(max(every_edge, _ALWAYS_ALLOWED_PX), _LONGEST_OUTLINE_PX)


def _points(polygon: list[Any]) -> NDArray[np.float64]:
    """N x 2 image points (x, y)."""
    if len(polygon) % 2:
        raise InputError("A polygon has half a point: expected x1, y1, x2, y2, …")
    points = np.array(polygon, np.float64).reshape(-1, 2)
    # Asked this way round, NaN is refused as well.
    if not (np.abs(points) < _FARTHEST).all():
        raise InputError(
            "A polygon has a coordinate beyond a million pixels or one that is no number."
        )
    return points


def _outline_px(points: NDArray[np.float64]) -> float:
    """The steps that a polygon's edges take from pixel to pixel."""
    steps = np.abs(points - np.roll(points, 1, axis=0))
    return float(steps.max(axis=1).sum())


def _of_run_lengths(segmentation: Any, height: int, width: int) -> RunLengths:
    if [int(side) for side in segmentation["size"]] != [height, width]:
        raise InputError(
            f"COCO run lengths of size {segmentation['size']} on an image of "
            f"{[height, width]}: expected one size."
        )
    counts = segmentation["counts"]
    if not isinstance(counts, list | str | bytes):
        raise InputError(
            f"COCO run lengths are {type(counts).__name__}: expected a list of numbers or text."
        )
    if len(counts) > min(_MOST_RUNS, 2 * height * width + 16):
        raise InputError(
            f"COCO run lengths of {len(counts):,} numbers or characters: expected fewer on an "
            f"image of {width}x{height}."
        )
    if isinstance(counts, list):
        runs = np.array([int(count) for count in counts], np.int64)
    else:
        runs = runs_in(counts.encode("ascii") if isinstance(counts, str) else counts)
    return RunLengths.of_runs(runs, height, width)
