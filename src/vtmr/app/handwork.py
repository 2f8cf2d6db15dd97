"""The changes that the page's tools make beside clicks: boxes, strokes, outlines, scribbles, other
sizes and places."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from vtmr.app.areas import grown, outlined, scribbled, shifted
from vtmr.app.edits import brushed, brushed_by_lines
from vtmr.app.plans import (
    Plan,
    Target,
    object_or_new,
    on_item,
    on_mask,
    read_box,
    read_points,
    unlocked,
)
from vtmr.geometry import Points
from vtmr.masks import Mask
from vtmr.serving.bodies import Fields, bad_request, require_number
from vtmr.types import BoxPrompt

_MOST_PX = 10_000  # that a mask is moved
_MOST_GROWTH_PX = 500
_TOLERANCE = 10  # of a scribble, in 8-bit Lab: chosen by eye on the bundled photos
_RADIUS_STEPS = 24  # of a stroke of changing width, from its least to its largest radius


def _box(fields: Fields, target: Target) -> Plan:
    content, item = object_or_new(fields, target)
    x0, y0, x1, y1 = read_box(fields, "box")
    prompt = BoxPrompt(x0, y0, x1, y1)
    middle = np.array([[(x0 + x1) / 2, (y0 + y1) / 2]])
    return on_item(target, content, item, lambda bench, item: bench.boxed(item, prompt), middle)


def _brush(fields: Fields, target: Target) -> Plan:
    content, item = object_or_new(fields, target)
    points = read_points(fields, 1)
    radii = _radii(fields, len(points))
    add = _adds(fields)
    return on_mask(
        target, content, item, lambda mask: _stroked(mask, points, radii, add), points[:1]
    )


def _outline(fields: Fields, target: Target) -> Plan:
    content, item = object_or_new(fields, target)
    points, add = read_points(fields, 3), _adds(fields)
    middle = points.mean(axis=0, keepdims=True)
    return on_mask(target, content, item, lambda mask: outlined(mask, points, add=add), middle)


def _scribble(fields: Fields, target: Target) -> Plan:
    content, item = object_or_new(fields, target)
    points, add = read_points(fields, 1), _adds(fields)
    radius = fields.number("radius", 0.5, 2000)
    tolerance = fields.number("tolerance", 0, 128, _TOLERANCE)
    return on_item(
        target,
        content,
        item,
        lambda bench, item: bench.edited(
            item,
            lambda mask: scribbled(
                bench.picture.pyramid.image, mask, points, radius, tolerance, add=add
            ),
        ),
        points,
    )


def _grow(fields: Fields, target: Target) -> Plan:
    item = unlocked(fields, target)
    pixels = fields.integer("pixels", -_MOST_GROWTH_PX, _MOST_GROWTH_PX)
    return on_mask(target, target.content, item, lambda mask: grown(mask, pixels))


def _shift(fields: Fields, target: Target) -> Plan:
    item = unlocked(fields, target)
    dx, dy = (fields.integer(name, -_MOST_PX, _MOST_PX) for name in ("dx", "dy"))
    return on_mask(target, target.content, item, lambda mask: shifted(mask, dx, dy))


HANDWORK: Mapping[str, Callable[[Fields, Target], Plan]] = MappingProxyType(
    {
        "box": _box,
        "brush": _brush,
        "outline": _outline,
        "scribble": _scribble,
        "grow": _grow,
        "shift": _shift,
    }
)


def _adds(fields: Fields) -> bool:
    return fields.choice("mode", ("add", "erase")) == "add"


def _radii(fields: Fields, count: int) -> Points:
    """The radius at each point: `radius` times `pressures`, where a pen told some."""
    radius = fields.number("radius", 0.5, 2000)
    if not fields.has("pressures"):
        return np.full(count, radius)
    shares = fields.items("pressures", 1, 10_000)
    if len(shares) != count:
        raise bad_request(
            f"'pressures' is {len(shares)} of them for {count} points: expected one for each."
        )
    return radius * np.array([require_number(share, "pressures", 0.05, 4) for share in shares])


def _stroked(mask: Mask, points: Points, radii: Points, add: bool) -> Mask:
    """As `brushed`, with a radius at each point: stretches of about the same radius are painted
    together, each with the larger one of its ends."""
    widths = np.maximum(radii[1:], radii[:-1]) if len(radii) > 1 else radii
    low, high = float(widths.min()), float(widths.max())
    if high - low < 0.01:
        return brushed(mask, points, high, add=add)
    lines = []
    steps = np.ceil((widths - low) / (high - low) * (_RADIUS_STEPS - 1)).astype(int)
    turns = np.flatnonzero(np.diff(steps)) + 1
    for first, last in zip([0, *turns], [*turns, len(steps)], strict=True):
        radius = low + (high - low) * float(steps[first]) / (_RADIUS_STEPS - 1)
        lines.append((points[first : last + 1], radius))
    return brushed_by_lines(mask, lines, add=add)
