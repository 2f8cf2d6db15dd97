"""The changes that the API offers (docs/api.md): each reads its fields, then turns one content into
another.

Reading happens before anything else and refuses what is wrong; what it returns runs on the worker's
thread.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from vtmr.app.details import delete, set_details
from vtmr.app.document import Content, Item
from vtmr.app.edits import brushed, smoothed, without_holes, without_small_parts
from vtmr.app.outcomes import Outcome, find, locked
from vtmr.app.workbench import Place, Workbench, require_click, with_click
from vtmr.errors import InputError
from vtmr.formats import Annotation
from vtmr.formats.records import DEFAULT_LABEL, MAX_LABEL, plain_label
from vtmr.geometry import Box
from vtmr.serving.answers import Refusal
from vtmr.serving.bodies import Fields, bad_request, require_number
from vtmr.serving.maskruns import MaskRuns
from vtmr.types import Click, MaskEdit, require_correction

MAX_OBJECTS = 5000
_FAR = 1e6  # pixels: no coordinate lies beyond


Plan = Callable[[Workbench], Outcome]


@dataclass(frozen=True, slots=True)
class Target:
    """The content that a change is for, what new objects are called, and what the mask file beside
    the image holds, with what it was taken for; None where there is none."""

    content: Content
    default_label: str = DEFAULT_LABEL
    beside: tuple[Sequence[Annotation], tuple[str, ...]] | None = None


def read_change(op: str, fields: Fields, target: Target) -> Plan:
    """The change `op` of OPERATIONS with its fields.

    Raises Refusal for what is missing, unknown or out of range.
    """
    plan = OPERATIONS[op](fields, target)
    fields.done()
    return plan


def read_clicks(fields: Fields) -> tuple[list[Click], Box | None, bool]:
    """The fields of a click: clicks, with their correction, region, keep_rest."""
    clicks = []
    correction = fields.take("correction", None)
    if correction is not None:
        require_correction(correction)
    for record in fields.items("clicks", 1, 100):
        one = Fields(record, "A click")
        clicks.append(
            Click(
                one.number("x", -_FAR, _FAR),
                one.number("y", -_FAR, _FAR),
                one.boolean("positive", True),
                correction,
            )
        )
        one.done()
    return clicks, _region(fields), fields.boolean("keep_rest", False)


def with_annotations(
    content: Content, annotations: Sequence[Annotation], made_with: Mapping[str, str]
) -> Content:
    """With further objects on top. Raises InputError for more than MAX_OBJECTS."""
    if len(content.items) + len(annotations) > MAX_OBJECTS:
        raise InputError(
            f"An image can have {MAX_OBJECTS} objects: {len(annotations)} more are too many."
        )
    for annotation in annotations:
        item_id, content = content.new_id()
        mask = MaskRuns.encode(annotation.runs.decode())
        label, steps = plain_label(annotation.label), ((MaskEdit(annotation.runs),),)
        item = Item(
            item_id,
            label,
            steps=steps,
            mask=mask,
            made_with=made_with,
            crowd=annotation.crowd,
            attributes=annotation.attributes,
            note=annotation.note,
        )
        content = content.put(item)
    return content


def _click(fields: Fields, target: Target) -> Plan:
    content, item = _object_or_new(fields, target)
    clicks, region, keep_rest = read_clicks(fields)
    return _on_item(
        content, item, lambda bench, item: bench.clicked(item, clicks, region, keep_rest)
    )


def _move_click(fields: Fields, target: Target) -> Plan:
    item = _unlocked(fields, target)
    index, x, y = (
        fields.integer("index", 0, 1 << 30),
        fields.number("x", -_FAR, _FAR),
        fields.number("y", -_FAR, _FAR),
    )
    place = _click_at(item, index)
    steps = with_click(item.steps, place, replace(place.click, x=x, y=y))
    return _on_item(target.content, item, lambda bench, item: bench.replayed(item, steps))


def _delete_click(fields: Fields, target: Target) -> Plan:
    item = _unlocked(fields, target)
    steps = with_click(item.steps, _click_at(item, fields.integer("index", 0, 1 << 30)), None)
    return _on_item(target.content, item, lambda bench, item: bench.replayed(item, steps))


def _brush(fields: Fields, target: Target) -> Plan:
    content, item = _object_or_new(fields, target)
    points = np.array([_point(pair) for pair in fields.items("points", 1, 10_000)], np.float64)
    radius, add = (
        fields.number("radius", 0.5, 2000),
        fields.choice("mode", ("add", "erase")) == "add",
    )
    return _on_item(
        content,
        item,
        lambda bench, item: bench.edited(item, lambda mask: brushed(mask, points, radius, add=add)),
    )


def _fill_holes(fields: Fields, target: Target) -> Plan:
    return _on_item(
        target.content,
        _unlocked(fields, target),
        lambda bench, item: bench.edited(item, without_holes),
    )


def _drop_small(fields: Fields, target: Target) -> Plan:
    item = _unlocked(fields, target)
    smallest = fields.integer("smallest", 1, 1 << 30) if fields.has("smallest") else None
    return _on_item(
        target.content,
        item,
        lambda bench, item: bench.edited(item, lambda mask: without_small_parts(mask, smallest)),
    )


def _smooth(fields: Fields, target: Target) -> Plan:
    item, radius = _unlocked(fields, target), fields.integer("radius", 1, 50, 2)
    return _on_item(
        target.content,
        item,
        lambda bench, item: bench.edited(item, lambda mask: smoothed(mask, radius)),
    )


def _mask(fields: Fields, target: Target) -> Plan:
    content, item = _object_or_new(fields, target)
    runs = MaskRuns.from_json(fields.take("mask"))
    return _on_item(
        content, item, lambda bench, item: bench.edited(item, lambda mask: runs.decode(*mask.shape))
    )


def _import_mask(fields: Fields, target: Target) -> Plan:
    if target.beside is None:
        raise Refusal(404, "not_found", "There is no NAME.mask.png beside this image.")
    found, notes = target.beside

    def plan(bench: Workbench) -> Outcome:
        content = with_annotations(target.content, found, bench.made_with)
        return Outcome(content, content.items[-1].id if found else None, notes)

    return plan


def _order(fields: Fields, target: Target) -> Plan:
    ids = fields.items("objects", 0, MAX_OBJECTS)
    content = target.content
    if not all(isinstance(one, str) for one in ids) or sorted(ids) != sorted(
        item.id for item in content.items
    ):
        raise bad_request("'objects' isn't a new order: expected every object's id, each once.")
    return _at_once(Outcome(Content(tuple(find(content, one) for one in ids), content.next_id)))


def _duplicate(fields: Fields, target: Target) -> Plan:
    item = find(target.content, fields.take("object"))
    item_id, content = _new_id(target.content)
    return _at_once(Outcome(content.put(replace(item, id=item_id, locked=False)), item_id))


OPERATIONS: Mapping[str, Callable[[Fields, Target], Plan]] = MappingProxyType(
    {
        "click": _click,
        "move_click": _move_click,
        "delete_click": _delete_click,
        "brush": _brush,
        "fill_holes": _fill_holes,
        "drop_small": _drop_small,
        "smooth": _smooth,
        "mask": _mask,
        "import_mask": _import_mask,
        "set": lambda fields, target: _at_once(set_details(fields, target.content)),
        "order": _order,
        "duplicate": _duplicate,
        "delete": lambda fields, target: _at_once(delete(fields, target.content)),
    }
)


def _on_item(content: Content, item: Item, change: Callable[[Workbench, Item], Item]) -> Plan:
    return lambda bench: Outcome(content.put(change(bench, item)), item.id)


def _at_once(outcome: Outcome) -> Plan:
    return lambda bench: outcome


def _object_or_new(fields: Fields, target: Target) -> tuple[Content, Item]:
    """The unlocked object named by `object`, or a new one for null, which `label` names."""
    item_id = fields.take("object")
    label = fields.text("label", MAX_LABEL, target.default_label)
    if item_id is not None:
        return target.content, _require_unlocked(find(target.content, item_id))
    new, content = _new_id(target.content)
    return content, Item(new, label)


def _new_id(content: Content) -> tuple[str, Content]:
    if len(content.items) >= MAX_OBJECTS:
        raise bad_request(f"The image has {MAX_OBJECTS} objects, which is the most.")
    return content.new_id()


def _unlocked(fields: Fields, target: Target) -> Item:
    return _require_unlocked(find(target.content, fields.take("object")))


def _require_unlocked(item: Item) -> Item:
    if item.locked:
        raise locked(item)
    return item


def _click_at(item: Item, index: int) -> Place:
    try:
        return require_click(item, index)
    except InputError as error:
        raise Refusal(404, "not_found", str(error)) from error


def _point(pair: Any) -> tuple[float, float]:
    if not isinstance(pair, list) or len(pair) != 2:
        raise bad_request("'points' holds something else than [x, y].")
    return require_number(pair[0], "x", -_FAR, _FAR), require_number(pair[1], "y", -_FAR, _FAR)


def _region(fields: Fields) -> Box | None:
    """The visible part of the image, rounded outwards; None where it wasn't given."""
    bounds = fields.take("region", None)
    if bounds is None:
        return None
    if not isinstance(bounds, list) or len(bounds) != 4:
        raise bad_request("'region' isn't a box: expected [x0, y0, x1, y1] or null.")
    x0, y0, x1, y1 = (require_number(bound, "region", -_FAR, _FAR) for bound in bounds)
    if not (x0 < x1 and y0 < y1):
        raise bad_request("'region' is empty: expected x0 < x1 and y0 < y1.")
    return Box(math.floor(x0), math.floor(y0), math.ceil(x1), math.ceil(y1))
