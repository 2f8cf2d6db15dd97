"""The changes that the API offers (docs/api.md): each reads its fields, then turns one content into
another.

Reading happens before anything else and refuses what is wrong; what it returns runs on the worker's
thread.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from vtmr.app.details import delete, set_details
from vtmr.app.document import Content, Item
from vtmr.app.edits import smoothed, without_holes, without_small_parts
from vtmr.app.handwork import HANDWORK
from vtmr.app.outcomes import Outcome, find
from vtmr.app.plans import (
    FAR,
    MAX_OBJECTS,
    Plan,
    Target,
    new_id,
    object_or_new,
    on_item,
    on_mask,
    read_region,
    unlocked,
)
from vtmr.app.touching import TOUCHING
from vtmr.app.workbench import Place, Workbench, active_places, require_click, with_clicks
from vtmr.errors import InputError
from vtmr.formats import Annotation
from vtmr.formats.records import plain_label
from vtmr.geometry import Box, Points
from vtmr.serving.answers import Refusal
from vtmr.serving.bodies import Fields, bad_request
from vtmr.serving.maskruns import MaskRuns
from vtmr.types import Click, MaskEdit, require_correction

MAX_EDITS = 5000  # of clicks, in one change


def read_change(op: str, fields: Fields, target: Target) -> Plan:
    """The change `op` of OPERATIONS with its fields.

    Raises Refusal for what is missing, unknown or out of range.
    """
    if op in MASKWORK:
        target = replace(target, keep_apart=fields.boolean("keep_apart", False))
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
                one.number("x", -FAR, FAR),
                one.number("y", -FAR, FAR),
                one.boolean("positive", True),
                correction,
            )
        )
        one.done()
    return clicks, read_region(fields), fields.boolean("keep_rest", False)


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
    content, item = object_or_new(fields, target)
    clicks, region, keep_rest = read_clicks(fields)
    return clicking(replace(target, content=content), item, clicks, region, keep_rest)


def clicking(
    target: Target, item: Item, clicks: Sequence[Click], region: Box | None, keep_rest: bool
) -> Plan:
    """The plan of a `click` on that object of the target's content, or on a new one."""
    return on_item(
        target,
        target.content,
        item,
        lambda bench, item: bench.clicked(item, clicks, region, keep_rest),
        _aims(clicks),
    )


def _move_click(fields: Fields, target: Target) -> Plan:
    item = unlocked(fields, target)
    [place] = _clicks_at(item, [_index(fields)])
    return _edited(target, item, {place: _moved(place, fields)})


def _delete_click(fields: Fields, target: Target) -> Plan:
    item = unlocked(fields, target)
    [place] = _clicks_at(item, [_index(fields)])
    return _edited(target, item, {place: None})


def _edit_clicks(fields: Fields, target: Target) -> Plan:
    item = unlocked(fields, target)
    edits = [Fields(record, "An edit") for record in fields.items("edits", 1, MAX_EDITS)]
    places = _clicks_at(item, [_index(edit) for edit in edits])
    changes: dict[Place, Click | None] = {}
    for edit, place in zip(edits, places, strict=True):
        if place in changes:
            raise bad_request("'edits' names a click twice: expected each click once.")
        deleted = edit.boolean("delete", False)
        changes[place] = None if deleted else _moved(place, edit)
        edit.done()
    return _edited(target, item, changes)


def _index(fields: Fields) -> int:
    return fields.integer("index", 0, 1 << 30)


def _moved(place: Place, fields: Fields) -> Click:
    x, y = fields.number("x", -FAR, FAR), fields.number("y", -FAR, FAR)
    return replace(place.click, x=x, y=y)


def _edited(target: Target, item: Item, changes: Mapping[Place, Click | None]) -> Plan:
    """The plan of clicks that are moved, or deleted where there is None: all of them together, so
    that the others are played again once."""
    steps = with_clicks(item.steps, changes)
    return on_item(
        target,
        target.content,
        item,
        lambda bench, item: bench.replayed(item, steps),
        _aims([click for click in changes.values() if click is not None]),
    )


def _fill_holes(fields: Fields, target: Target) -> Plan:
    return on_mask(target, target.content, unlocked(fields, target), without_holes)


def _drop_small(fields: Fields, target: Target) -> Plan:
    item = unlocked(fields, target)
    smallest = fields.integer("smallest", 1, 1 << 30) if fields.has("smallest") else None
    return on_mask(target, target.content, item, lambda mask: without_small_parts(mask, smallest))


def _smooth(fields: Fields, target: Target) -> Plan:
    item, radius = unlocked(fields, target), fields.integer("radius", 1, 50, 2)
    return on_mask(target, target.content, item, lambda mask: smoothed(mask, radius))


def _mask(fields: Fields, target: Target) -> Plan:
    content, item = object_or_new(fields, target)
    runs = MaskRuns.from_json(fields.take("mask"))
    return on_mask(target, content, item, lambda mask: runs.decode(*mask.shape))


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
    item_id, content = new_id(target.content)
    return _at_once(Outcome(content.put(replace(item, id=item_id, locked=False)), item_id))


OPERATIONS: Mapping[str, Callable[[Fields, Target], Plan]] = MappingProxyType(
    {
        "click": _click,
        "move_click": _move_click,
        "delete_click": _delete_click,
        "edit_clicks": _edit_clicks,
        "fill_holes": _fill_holes,
        "drop_small": _drop_small,
        "smooth": _smooth,
        "mask": _mask,
        "import_mask": _import_mask,
        "set": lambda fields, target: _at_once(set_details(fields, target.content)),
        "order": _order,
        "duplicate": _duplicate,
        "delete": lambda fields, target: _at_once(delete(fields, target.content)),
        **HANDWORK,
        **TOUCHING,
    }
)
# What the network is asked for, perhaps a thousand times: such a change can be stopped.
PLAYED = frozenset({"click", "move_click", "delete_click", "edit_clicks", "box"})
# What changes one object's mask, and may keep it apart from its neighbours.
MASKWORK = frozenset({*PLAYED, "fill_holes", "drop_small", "smooth", "mask", *HANDWORK})


def _aims(clicks: Sequence[Click]) -> Points:
    """Where clicks point at what is to be the object's: N x 2 (x, y)."""
    return np.array([(one.x, one.y) for one in clicks if one.positive], np.float64).reshape(-1, 2)


def _at_once(outcome: Outcome) -> Plan:
    return lambda bench: outcome


def _clicks_at(item: Item, indexes: Sequence[int]) -> list[Place]:
    """Raises Refusal (404) where there is no such click."""
    places = active_places(item.steps)
    try:
        return [require_click(item, places, index) for index in indexes]
    except InputError as error:
        raise Refusal(404, "not_found", str(error)) from error
