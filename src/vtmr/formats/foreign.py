"""What every reader gives: the images that another program names, with their objects not decoded
yet, and sentences about what couldn't be read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vtmr.errors import InputError
from vtmr.formats.cocoshapes import coco_runs, outline_px
from vtmr.formats.records import Annotation, Attributes, Summary, plain_label
from vtmr.geometry import Box
from vtmr.masks import RunLengths

MOST_OUTLINES_PX = 100e6  # of an image's polygons in all: half a minute's work
TOO_MUCH = "the outlines of its image are longer than a hundred million pixels."
_CORNERS = ((-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5))

Size = tuple[int, int]  # height, width
Decoded = tuple[list[Annotation], Summary]


@dataclass(frozen=True, slots=True)
class Options:
    """How files are read. pattern: how mask files are called, "" for the format's own; labels: the
    project's, for files that number theirs; images: files of the source that are photos."""

    pattern: str = ""
    labels: tuple[str, ...] = ()
    images: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ForeignImage:
    """An image as another program names it.

    names: its path in several spellings, the likeliest first. size: (height, width), None where
    nothing says it. count: of objects that may have an outline. decode: given the image's size,
    its objects, and what is to be said of those that can't be had; raises InputError.
    """

    names: tuple[str, ...]
    size: Size | None
    count: int
    decode: Callable[[Size], Decoded]


@dataclass(slots=True)
class Foreign:
    """What a file, a folder or a ZIP of another program says.

    any_suffix: names of images may differ from theirs in the suffix, as those of mask files do.
    """

    images: list[ForeignImage] = field(default_factory=list)
    said: Summary = field(default_factory=Summary)
    any_suffix: bool = False


@dataclass(frozen=True, slots=True)
class Shape:
    """One object before it is decoded. where: what it is called in sentences; make: given height
    and width, its mask, or InputError; outline_px: what its polygons cost."""

    where: str
    label: str
    make: Callable[[int, int], RunLengths]
    outline_px: float = 0.0
    crowd: bool = False
    attributes: Attributes = ()
    note: str = ""


def polygon_shape(where: str, label: str, polygons: Sequence[Sequence[float]]) -> Shape:
    """Of polygons x1, y1, x2, y2, … in pixels, all of them one object. Raises InputError."""
    lists = [list(polygon) for polygon in polygons]
    try:
        cost = outline_px(lists)
    except (TypeError, ValueError) as error:
        raise InputError("A polygon's coordinates are no numbers.") from error
    return Shape(where, label, lambda height, width: coco_runs(lists, height, width), cost)


def rectangle(x0: float, y0: float, x1: float, y1: float, degrees: float = 0.0) -> list[float]:
    """A rectangle's four corners as a polygon, turned clockwise around its middle."""
    angle = np.deg2rad(degrees)
    points: list[float] = []
    for across, down in _CORNERS:
        x, y = across * (x1 - x0), down * (y1 - y0)
        points.append(float((x0 + x1) / 2 + x * np.cos(angle) - y * np.sin(angle)))
        points.append(float((y0 + y1) / 2 + x * np.sin(angle) + y * np.cos(angle)))
    return points


def ellipse_runs(
    centre: tuple[float, float],
    radii: tuple[float, float],
    degrees: float,
    height: int,
    width: int,
) -> RunLengths:
    """The pixels whose centres lie in an ellipse, turned clockwise by `degrees`. Raises InputError
    for numbers that are none."""
    values = (*centre, *radii, degrees)
    if not all(abs(value) < 1e6 for value in values) or min(radii) <= 0:
        raise InputError(f"An ellipse of {values}: expected a centre and two radii above 0.")
    (x, y), (across, down), angle = centre, radii, np.deg2rad(degrees)
    # Asked of the pixels around it alone: over a large image the distances would take gigabytes.
    reach = max(radii)
    box = Box(int(x - reach) - 1, int(y - reach) - 1, int(x + reach) + 2, int(y + reach) + 2)
    inside = box.intersection(Box.whole(height, width))
    mask = np.zeros((height, width), np.bool_)
    if inside is not None:
        rows, cols = np.ogrid[inside.y0 : inside.y1, inside.x0 : inside.x1]
        right, below = cols + 0.5 - x, rows + 0.5 - y
        along = (right * np.cos(angle) + below * np.sin(angle)) / across
        off = (below * np.cos(angle) - right * np.sin(angle)) / down
        mask[inside.slices] = along**2 + off**2 <= 1
    return RunLengths.encode(mask)


def decoded(name: str, shapes: Iterable[Shape], size: Size) -> Decoded:
    """An image's shapes as masks; one that can't be had costs itself alone."""
    objects: list[Annotation] = []
    said, left_px = Summary(), MOST_OUTLINES_PX
    for shape in shapes:
        where = f"{name}: {shape.where}"
        left_px -= shape.outline_px
        if left_px < 0:
            said.add("objects", f"{where} was left out: {TOO_MUCH}")
            continue
        try:
            runs = shape.make(*size)
        except InputError as error:
            said.add("objects", f"{where} was left out. {error}")
            continue
        if runs.any():
            details = shape.attributes, shape.note
            objects.append(Annotation(plain_label(shape.label), runs, shape.crowd, *details))
        else:
            said.add("objects", f"{where} was left out: it covers no pixel of the image.")
    return objects, said


def image_of(names: Sequence[str], size: Size | None, shapes: Sequence[Shape]) -> ForeignImage:
    """An image whose shapes are at hand."""
    kept = tuple(shapes)
    return ForeignImage(tuple(names), size, len(kept), lambda size: decoded(names[0], kept, size))


def number(value: Any) -> float:
    """A finite number, also where it is written as text. Raises InputError."""
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{repr(value)[:40]} is no number.") from error
    # "not <" rather than ">=": it holds for NaN, too.
    if isinstance(value, bool) or not abs(found) < 1e9:
        raise InputError(f"{repr(value)[:40]} is no number of pixels.")
    return found


def side(value: Any) -> int | None:
    """A side in pixels; None for what says none."""
    try:
        found = int(float(value))
    except (TypeError, ValueError, OverflowError):
        return None
    return found if 0 < found < 1 << 31 else None


def size_of(height: Any, width: Any) -> Size | None:
    """(height, width), None where either is missing."""
    sides = side(height), side(width)
    return (sides[0], sides[1]) if sides[0] and sides[1] else None
