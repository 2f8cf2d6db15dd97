"""How a change of one object is read and planned: which object, which points, and what becomes of
its neighbours."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vtmr.app.apart import kept_apart
from vtmr.app.document import Content, Item
from vtmr.app.outcomes import Outcome, find, locked
from vtmr.app.workbench import Workbench
from vtmr.formats import Annotation
from vtmr.formats.records import DEFAULT_LABEL, MAX_LABEL
from vtmr.geometry import Box, Points
from vtmr.masks import Mask
from vtmr.serving.bodies import Fields, bad_request, require_number

MAX_OBJECTS = 5000
FAR = 1e6  # pixels: no coordinate lies beyond

Plan = Callable[[Workbench], Outcome]


@dataclass(frozen=True, slots=True)
class Target:
    """The content that a change is for, what new objects are called, and what the mask file beside
    the image holds, with what it was taken for; None where there is none.

    keep_apart: what the change adds to a mask is taken from no neighbour (apart.py).
    """

    content: Content
    default_label: str = DEFAULT_LABEL
    beside: tuple[Sequence[Annotation], tuple[str, ...]] | None = None
    keep_apart: bool = False


def on_item(
    target: Target,
    content: Content,
    item: Item,
    change: Callable[[Workbench, Item], Item],
    aims: Points | None = None,
) -> Plan:
    """The plan that changes one object's mask.

    content: the target's, with a new object's number taken. aims: N x 2 (x, y), where the user
    pointed; objects there give their pixels up where neighbours are kept apart.
    """

    def plan(bench: Workbench) -> Outcome:
        changed = change(bench, item)
        if not target.keep_apart:
            return Outcome(content.put(changed), item.id)
        shape = bench.picture.height, bench.picture.width
        pointed = np.empty((0, 2)) if aims is None else aims
        after, notes = kept_apart(content, item, changed, pointed, shape)
        return Outcome(after, item.id, notes)

    return plan


def on_mask(
    target: Target,
    content: Content,
    item: Item,
    edit: Callable[[Mask], Mask],
    aims: Points | None = None,
) -> Plan:
    """The plan that edits one object's mask by hand: `edit` is given it and answers another of its
    size. The other arguments as for `on_item`."""
    return on_item(target, content, item, lambda bench, item: bench.edited(item, edit), aims)


def object_or_new(fields: Fields, target: Target) -> tuple[Content, Item]:
    """The unlocked object named by `object`, or a new one for null, which `label` names."""
    item_id = fields.take("object")
    label = fields.text("label", MAX_LABEL, target.default_label)
    if item_id is not None:
        return target.content, require_unlocked(find(target.content, item_id))
    new, content = new_id(target.content)
    return content, Item(new, label)


def new_id(content: Content) -> tuple[str, Content]:
    """As Content.new_id. Raises Refusal where the image has its most."""
    if len(content.items) >= MAX_OBJECTS:
        raise bad_request(f"The image has {MAX_OBJECTS} objects, which is the most.")
    return content.new_id()


def unlocked(fields: Fields, target: Target) -> Item:
    """The object named by `object`. Raises Refusal (404, 423)."""
    return require_unlocked(find(target.content, fields.take("object")))


def require_unlocked(item: Item) -> Item:
    """The object itself. Raises Refusal (423) for a locked one."""
    if item.locked:
        raise locked(item)
    return item


def read_points(fields: Fields, least: int, name: str = "points") -> Points:
    """A list of at least so many [x, y] as an array N x 2. Raises Refusal."""
    pairs = fields.items(name, least, 10_000)
    return np.array([_point(pair, name) for pair in pairs], np.float64)


def read_box(fields: Fields, name: str) -> tuple[float, float, float, float]:
    """A box with an inside, as it was given. Raises Refusal."""
    return _box(fields.take(name), name)


def read_region(fields: Fields) -> Box | None:
    """The visible part of the image, rounded outwards; None where it wasn't given."""
    bounds = fields.take("region", None)
    if bounds is None:
        return None
    x0, y0, x1, y1 = _box(bounds, "region")
    return Box(math.floor(x0), math.floor(y0), math.ceil(x1), math.ceil(y1))


def _point(pair: Any, name: str) -> tuple[float, float]:
    if not isinstance(pair, list) or len(pair) != 2:
        raise bad_request(f"{name!r} holds something else than [x, y].")
    return require_number(pair[0], "x", -FAR, FAR), require_number(pair[1], "y", -FAR, FAR)


def _box(bounds: Any, name: str) -> tuple[float, float, float, float]:
    if not isinstance(bounds, list) or len(bounds) != 4:
        raise bad_request(f"{name!r} isn't a box: expected [x0, y0, x1, y1].")
    x0, y0, x1, y1 = (require_number(bound, name, -FAR, FAR) for bound in bounds)
    if not (x0 < x1 and y0 < y1):
        raise bad_request(f"{name!r} is empty: expected x0 < x1 and y0 < y1.")
    return x0, y0, x1, y1
