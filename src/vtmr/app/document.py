"""An image's annotations with their history: immutable, so that undo is an earlier value; and as
JSON, as changes.

A document's history is a row of contents, each sharing with its neighbour whatever the change
between them left alone. On disk it is the first content and what each change replaced.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Any, TypeVar

from vtmr.errors import InputError
from vtmr.formats.records import Attributes
from vtmr.geometry import Box
from vtmr.serving.maskruns import EMPTY, MaskRuns
from vtmr.session.eventlog import event_from_json, event_to_json, whole_number
from vtmr.types import Event

MAX_UNDO = 200
ACCEPT = "accept"  # what undo takes back first of an accepted image

Steps = tuple[tuple[Event, ...], ...]
Json = dict[str, Any]
Kind = TypeVar("Kind")


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """One object: its events as a Session's steps, and the mask that they made.

    region: what was visible at its first click. made_with: the model and versions behind the mask.
    crowd: COCO's iscrowd, as it was imported. attributes, note: what else is known of it.
    """

    id: str
    label: str
    visible: bool = True
    locked: bool = False
    region: Box | None = None
    steps: Steps = ()
    mask: MaskRuns = EMPTY
    made_with: Mapping[str, str] | None = None
    crowd: bool = False
    attributes: Attributes = ()
    note: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Content:
    """The objects of an image, the uppermost last, and the number that the next one is called
    by."""

    items: tuple[Item, ...] = ()
    next_id: int = 1

    def get(self, item_id: str) -> Item | None:
        """The object of that id, None where there is none."""
        return next((item for item in self.items if item.id == item_id), None)

    def put(self, item: Item) -> Content:
        """With the item in the place of the one of its id; on top, if there was none."""
        if self.get(item.id) is None:
            return Content((*self.items, item), self.next_id)
        return Content(
            tuple(item if old.id == item.id else old for old in self.items), self.next_id
        )

    def new_id(self) -> tuple[str, Content]:
        """An id that no object of this image ever had, and the content that knows so."""
        return f"o{self.next_id}", Content(self.items, self.next_id + 1)


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """A content and the operation that led to it."""

    op: str
    content: Content


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """An image's annotations. states: never empty; states[at] is the current one; `revision` counts
    every change. done: accepted; review: somebody else is to look at it, or was when the image was
    accepted, which undo brings back."""

    name: str
    height: int
    width: int
    revision: int = 0
    done: bool = False
    states: tuple[State, ...] = (State("", Content()),)
    at: int = 0
    review: bool = False

    @property
    def content(self) -> Content:
        """The objects as they are now."""
        return self.states[self.at].content

    @property
    def state(self) -> str:
        """untouched, in_work, review or done"""
        if self.done:
            return "done"
        if self.review:
            return "review"
        return "in_work" if self.content.items else "untouched"

    @property
    def labels(self) -> dict[str, int]:
        """The labels of the current objects, and of how many each is."""
        return dict(Counter(item.label for item in self.content.items))

    @property
    def past_labels(self) -> frozenset[str]:
        """Those that no current object has, and one that undo or redo would bring back."""
        every = {item.label for state in self.states for item in state.content.items}
        return frozenset(every - self.labels.keys())

    @property
    def undo_name(self) -> str | None:
        """The operation that would be undone; "accept" while the image is accepted."""
        if self.done:
            return ACCEPT
        return self.states[self.at].op if self.at > 0 else None

    @property
    def redo_name(self) -> str | None:
        """The operation that would be done again; None where nothing was undone."""
        return self.states[self.at + 1].op if self.at + 1 < len(self.states) else None

    def changed(self, op: str, content: Content, *, stays_done: bool = False) -> Document:
        """After a change: what was undone is dropped, and so is what lies further back than
        MAX_UNDO. stays_done: an accepted image stays accepted."""
        # One more than can be undone: the content to come back to.
        states = (*self.states[: self.at + 1], State(op, content))[-MAX_UNDO - 1 :]
        done = self.done and stays_done
        return replace(self._next(done), states=states, at=len(states) - 1)

    def undone(self) -> Document:
        """Without the acceptance, where the image is accepted, else without the last change.

        Raises InputError when there is nothing to undo.
        """
        if not self.done:
            return self.moved(-1)
        return replace(self, revision=self.revision + 1, done=False)

    def moved(self, by: int) -> Document:
        """After an undo (-1) or redo (1). Raises InputError when there is none."""
        if not 0 <= self.at + by < len(self.states):
            raise InputError(f"There is nothing to {'undo' if by < 0 else 'redo'}.")
        return replace(self._next(done=False), at=self.at + by)

    def accepted(self, done: bool) -> Document:
        """Accepted, or taken back into work; an acceptance is the end of a review."""
        return self._next(done)

    def to_review(self, review: bool) -> Document:
        """Marked for somebody else to look at, or not any more; then it isn't accepted yet."""
        done = self.done and not review
        return replace(self, revision=self.revision + 1, done=done, review=review)

    def _next(self, done: bool) -> Document:
        """One change later. Whatever takes an accepted image back into work, but undo, leaves
        nothing of the review that the acceptance was the end of."""
        reopened = self.done and not done
        review = self.review and not reopened
        return replace(self, revision=self.revision + 1, done=done, review=review)

    def renamed(self, label: str, to: str) -> Document:
        """With another name for a label, as if it had always been called so: undo doesn't bring
        the old name back."""
        fresh: dict[int, Item] = {}  # by the old item: states go on sharing what they shared
        states = []
        for state in self.states:
            items = []
            for item in state.content.items:
                if item.label == label:
                    item = fresh.setdefault(id(item), replace(item, label=to))
                items.append(item)
            states.append(State(state.op, Content(tuple(items), state.content.next_id)))
        return replace(self, revision=self.revision + 1, states=tuple(states))


def transition(before: Document, after: Document) -> Json:
    """What the journal keeps of one change: enough to make `after` of `before`."""
    record: Json = {
        "image": after.name,
        "size": [after.height, after.width],
        "revision": after.revision,
    }
    if after.states is not before.states:
        change = difference(before.content, after.content)
        stays = {"stays_done": True} if after.done else {}
        return record | {"op": after.states[-1].op, "change": change} | stays
    if after.at != before.at:
        return record | {"move": after.at - before.at}
    reopened = before.done and not after.done
    if after.review if reopened else after.review != before.review:
        return record | {"review": after.review}
    return record | {"done": after.done}


def renaming(after: Document, label: str, to: str) -> Json:
    """What the journal keeps of `after`, which is `before.renamed(label, to)`."""
    size = [after.height, after.width]
    record = {"image": after.name, "size": size, "revision": after.revision}
    return record | {"rename": [label, to]}


def follow(before: Document, record: Json, *, gap: bool = False) -> Document:
    """`after`, from `transition(before, after)`.

    gap: changes before this one are missing. Then objects that they made are left out, and an undo
    or redo, which may have been theirs, is passed over. Raises KeyError, TypeError, ValueError or
    InputError for nonsense.
    """
    if "done" in record:
        return before.accepted(_as(bool, record["done"]))
    if "review" in record:
        return before.to_review(_as(bool, record["review"]))
    if "rename" in record:
        label, to = record["rename"]
        return before.renamed(_as(str, label), _as(str, to))
    if "move" in record:
        return before if gap else before.moved(_as(int, record["move"]))
    content = applied(before.content, record["change"], gap=gap)
    stays_done = _as(bool, record.get("stays_done", False))
    return before.changed(_as(str, record["op"]), content, stays_done=stays_done)


def to_json(document: Document) -> tuple[Json, Json]:
    """A head, with what a list of images needs, and the body with all objects and their history."""
    first, *rest = document.states
    pairs = zip(document.states, rest, strict=False)
    changes = [
        {"op": after.op, "change": difference(before.content, after.content)}
        for before, after in pairs
    ]
    head = {
        "format": 1,
        "image": document.name,
        "width": document.width,
        "height": document.height,
        "revision": document.revision,
        "state": document.state,
        "objects": len(document.content.items),
        "labels": document.labels,
        "past_labels": sorted(document.past_labels),
    }
    if document.done and document.review:
        head["reviewed"] = True
    base = {"op": first.op, "change": difference(Content(), first.content)}
    return head, {"history": [base, *changes], "at": document.at}


def from_json(head: Json, body: Json) -> Document:
    """The inverse of `to_json`.

    Raises KeyError, TypeError, ValueError or InputError for anything else.
    """
    if head["format"] != 1:
        raise InputError(f"The annotations have format {head['format']!r}: this version reads 1.")
    content, states = Content(), []
    for record in body["history"]:
        content = applied(content, record["change"])
        states.append(State(_as(str, record["op"]), content))
    done = head["state"] == "done"
    review = head["state"] == "review" or head.get("reviewed") is True
    size = _as(int, head["height"]), _as(int, head["width"])
    at = _as(int, body["at"])
    if not 0 <= at < len(states):
        raise InputError(f"The annotations stand at {at} of {len(states)} states.")
    name, revision = _as(str, head["image"]), _as(int, head["revision"])
    return Document(name, *size, revision, done, tuple(states), at, review)


def difference(before: Content, after: Content) -> Json:
    """What must be known of `after` by who has `before`: the order, and of each object what isn't
    as it was."""
    changed = {item.id: _item_json(before.get(item.id), item) for item in after.items}
    return {
        "order": [item.id for item in after.items],
        "next_id": after.next_id,
        "items": {item_id: record for item_id, record in changed.items() if record},
    }


def applied(before: Content, change: Json, *, gap: bool = False) -> Content:
    """`after`, from `difference(before, after)`. gap: without the objects that aren't known."""
    items = []
    for item_id in change["order"]:
        old, record = before.get(item_id), change["items"].get(item_id)
        if old is None and gap and "mask" not in (record or {}):
            continue
        if old is None and record is None:
            raise InputError(f"The object {item_id!r} is changed before it is made.")
        was = old or Item(_as(str, item_id), "")
        items.append(_item_from_json(was, record) if record else old)
    kept = tuple(item for item in items if item is not None)
    return Content(kept, _as(int, change["next_id"]))


def _item_json(old: Item | None, item: Item) -> Json:
    """The item's fields that differ from the old one's; all that aren't as in a fresh item, if
    there is none."""
    # Contents share what a change left alone: for most objects there is nothing to compare.
    if item is old:
        return {}
    was = old or Item(item.id, "")
    record: Json = {name: getattr(item, name) for name in ("label", "visible", "locked")}
    if item.region != was.region:
        record["region"] = item.region.as_tuple() if item.region else None
    if item.steps is not was.steps:
        kept = sum(
            1
            for _ in takewhile(
                lambda pair: pair[0] == pair[1], zip(item.steps, was.steps, strict=False)
            )
        )
        added = [[event_to_json(event) for event in step] for step in item.steps[kept:]]
        record["steps"] = {"kept": kept, "added": added}
    if item.mask is not was.mask:
        record["mask"] = item.mask.to_json()
    if item.crowd != was.crowd:
        record["crowd"] = item.crowd
    if item.attributes != was.attributes:
        record["attributes"] = dict(item.attributes)
    if item.note != was.note:
        record["note"] = item.note
    if item.made_with != was.made_with:
        record["made_with"] = dict(item.made_with or {})
    return record


def _item_from_json(was: Item, record: Json) -> Item:
    steps = was.steps
    if "steps" in record:
        added = tuple(
            tuple(event_from_json(event) for event in step) for step in record["steps"]["added"]
        )
        steps = (*was.steps[: _as(int, record["steps"]["kept"])], *added)
    region, made_with, attributes = was.region, was.made_with, was.attributes
    if "attributes" in record:
        attributes = tuple((_as(str, k), _as(str, v)) for k, v in record["attributes"].items())
    if "region" in record:
        bounds = record["region"]
        region = None if bounds is None else Box(*map(whole_number, bounds))
    if "made_with" in record:
        made_with = {str(key): str(value) for key, value in record["made_with"].items()}
    return Item(
        was.id,
        _as(str, record["label"]),
        _as(bool, record["visible"]),
        _as(bool, record["locked"]),
        region,
        steps,
        MaskRuns.from_json(record["mask"]) if "mask" in record else was.mask,
        made_with,
        _as(bool, record.get("crowd", was.crowd)),
        attributes,
        _as(str, record.get("note", was.note)),
    )


def _as(kind: type[Kind], value: Any) -> Kind:
    """The value, if it is of that very kind. Raises TypeError for anything else."""
    # Not isinstance, for which true is a whole number: a damaged file is to be told.
    if type(value) is not kind:
        raise TypeError(f"{str(value)[:40]!r} is no {kind.__name__}")
    return value
