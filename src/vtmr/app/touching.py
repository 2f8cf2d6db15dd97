"""The changes that are about several objects' pixels: one less another, several as one, one as
several."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from vtmr.app.apart import others_mask
from vtmr.app.document import Content, Item
from vtmr.app.outcomes import Outcome, find
from vtmr.app.parts import connected_parts, cut_along
from vtmr.app.plans import (
    MAX_OBJECTS,
    Plan,
    Target,
    new_id,
    read_points,
    require_unlocked,
    unlocked,
)
from vtmr.app.workbench import Workbench
from vtmr.masks import Mask
from vtmr.serving.bodies import Fields, bad_request


def _subtract(fields: Fields, target: Target) -> Plan:
    item, content = unlocked(fields, target), target.content
    ids = fields.items("minus", 1, MAX_OBJECTS)
    if item.id in ids:
        raise bad_request("'minus' names the object itself: expected other objects.")
    others = tuple(find(content, one) for one in ids)

    def plan(bench: Workbench) -> Outcome:
        shape = bench.picture.height, bench.picture.width
        taken = others_mask(Content(others), "", shape)
        changed = bench.edited(item, lambda mask: mask & ~taken)
        return Outcome(content.put(changed), item.id)

    return plan


def _merge(fields: Fields, target: Target) -> Plan:
    ids, content = fields.items("objects", 2, MAX_OBJECTS), target.content
    items = [require_unlocked(find(content, one)) for one in ids]
    if len(set(ids)) < len(ids):
        raise bad_request("'objects' names an object twice: expected different ones.")
    first, rest = items[0], items[1:]

    def plan(bench: Workbench) -> Outcome:
        shape = bench.picture.height, bench.picture.width
        others = others_mask(Content(tuple(rest)), "", shape)
        changed = bench.edited(first, lambda mask: mask | others)
        gone = {item.id for item in rest}
        left = tuple(one for one in content.items if one.id not in gone)
        return Outcome(Content(left, content.next_id).put(changed), first.id)

    return plan


def _split(fields: Fields, target: Target) -> Plan:
    item = unlocked(fields, target)
    if fields.has("points"):
        points = read_points(fields, 2)
        return _parted(target.content, item, lambda mask: cut_along(mask, points))
    smallest = fields.integer("smallest", 1, 1 << 30) if fields.has("smallest") else None
    return _parted(target.content, item, lambda mask: connected_parts(mask, smallest))


TOUCHING: Mapping[str, Callable[[Fields, Target], Plan]] = MappingProxyType(
    {"subtract": _subtract, "merge": _merge, "split": _split}
)


def _parted(content: Content, item: Item, part: Callable[[Mask], Sequence[Mask]]) -> Plan:
    """The plan that leaves the first part to the object and makes an object like it of each other
    one, on top."""

    def plan(bench: Workbench) -> Outcome:
        first, *rest = part(bench.mask_of(item))
        after = content.put(bench.edited(item, lambda mask: first))
        for mask in rest:
            fresh, after = new_id(after)
            after = after.put(bench.edited(replace(item, id=fresh), _always(mask)))
        return Outcome(after, item.id)

    return plan


def _always(mask: Mask) -> Callable[[Mask], Mask]:
    return lambda before: mask
