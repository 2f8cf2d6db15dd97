"""The changes that the page's tools make beside clicks: boxes, strokes, outlines, scribbles, other
sizes and places."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from vtmr.app.areas import grown, outlined, scribbled, shifted
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
from vtmr.app.strokes import brushed
from vtmr.serving.bodies import Fields, bad_request, require_number
from vtmr.types import BoxPrompt

_MOST_PX = 10_000  # that a mask is moved
_MOST_GROWTH_PX = 500
_TOLERANCE = 10  # of a scribble, in 8-bit Lab: chosen by eye on the bundled photos


def _box(fields: Fields, target: Target) -> Plan:
    content, item = object_or_new(fields, target)
    x0, y0, x1, y1 = read_box(fields, "box")
    prompt = BoxPrompt(x0, y0, x1, y1)
    middle = np.array([[(x0 + x1) / 2, (y0 + y1) / 2]])
    return on_item(target, content, item, lambda bench, item: bench.boxed(item, prompt), middle)


def _brush(fields: Fields, target: Target) -> Plan:
    content, item = object_or_new(fields, target)
    points = read_points(fields, 1)
    radius, add = _radii(fields, len(points)), _adds(fields)
    return on_mask(
        target, content, item, lambda mask: brushed(mask, points, radius, add=add), points[:1]
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


def _radii(fields: Fields, count: int) -> float | NDArray[np.float64]:
    """The radius of the whole line, or of each of its segments, where a pen told its pressure at
    the points: the larger one of both ends."""
    radius = fields.number("radius", 0.5, 2000)
    if not fields.has("pressures"):
        return radius
    shares = fields.items("pressures", 1, 10_000)
    if len(shares) != count:
        raise bad_request(
            f"'pressures' is {len(shares)} of them for {count} points: expected one for each."
        )
    radii = radius * np.array([require_number(share, "pressures", 0.05, 4) for share in shares])
    return np.maximum(radii[1:], radii[:-1]) if count > 1 else radii
