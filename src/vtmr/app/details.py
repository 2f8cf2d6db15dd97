"""Changes of what is said of objects, one or several at once: label, visible, locked, attributes,
note; and their deletion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from vtmr.app.document import Content, Item
from vtmr.app.outcomes import Outcome, find, locked, missing
from vtmr.formats.details import MAX_ATTRIBUTES, MAX_NOTE, MAX_VALUE
from vtmr.formats.records import MAX_LABEL, Attributes
from vtmr.serving.bodies import Fields, bad_request, shown

MAX_CHOSEN = 5000  # objects in one change


@dataclass(frozen=True, slots=True)
class _Chosen:
    """The objects that a change is for. alone: it names a single one, which must not be locked."""

    items: tuple[Item, ...]
    alone: bool


@dataclass(frozen=True, slots=True)
class _Details:
    """What a change says of each of its objects; None where it leaves that alone."""

    label: str | None
    visible: bool | None
    locked: bool | None
    attributes: Attributes | None
    note: str | None

    def of(self, item: Item) -> Item:
        """The object with these."""
        given = {
            "label": self.label,
            "visible": self.visible,
            "locked": self.locked,
            "attributes": self.attributes,
            "note": self.note,
        }
        fresh: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        if all(getattr(item, name) == value for name, value in fresh.items()):
            return item
        return replace(item, **fresh)

    @property
    def minds_locks(self) -> bool:
        """Whether a locked object keeps what it has."""
        return (self.label, self.attributes, self.note) != (None, None, None)


def set_details(fields: Fields, content: Content) -> Outcome:
    """`set`: what is given of `object`, or of all `objects`. Raises Refusal."""
    chosen, details = _chosen(fields, content), _read_details(fields)
    spared: list[Item] = []
    fresh: dict[str, Item] = {}
    for item in chosen.items:
        changed = details.of(item)
        # A change that unlocks the object may change the rest of it, too.
        if details.minds_locks and item.locked and changed.locked:
            if chosen.alone:
                raise locked(item)
            spared.append(item)
            continue
        fresh[item.id] = changed
    items = tuple(fresh.get(item.id, item) for item in content.items)
    return Outcome(Content(items, content.next_id), _only(chosen), _told(spared))


def delete(fields: Fields, content: Content) -> Outcome:
    """`delete`: without `object`, or without all `objects` that aren't locked. Raises Refusal."""
    chosen = _chosen(fields, content)
    spared = [item for item in chosen.items if item.locked]
    if spared and chosen.alone:
        raise locked(spared[0])
    gone = {item.id for item in chosen.items if not item.locked}
    kept = tuple(item for item in content.items if item.id not in gone)
    return Outcome(Content(kept, content.next_id), _only(chosen), _told(spared))


def _chosen(fields: Fields, content: Content) -> _Chosen:
    """Raises Refusal."""
    if not fields.has("objects"):
        return _Chosen((find(content, fields.take("object")),), alone=True)
    ids = fields.items("objects", 1, MAX_CHOSEN)
    known = {item.id: item for item in content.items}
    for one in ids:
        if not isinstance(one, str) or one not in known:
            raise missing()
    return _Chosen(tuple(known[one] for one in dict.fromkeys(ids)), alone=False)


def _only(chosen: _Chosen) -> str | None:
    return chosen.items[0].id if chosen.alone else None


def _told(spared: Sequence[Item]) -> tuple[str, ...]:
    if not spared:
        return ()
    if len(spared) == 1:
        return ("One locked object was left as it is.",)
    return (f"{len(spared)} locked objects were left as they are.",)


def _read_details(fields: Fields) -> _Details:
    """Raises Refusal."""
    return _Details(
        fields.text("label", MAX_LABEL) if fields.has("label") else None,
        fields.boolean("visible") if fields.has("visible") else None,
        fields.boolean("locked") if fields.has("locked") else None,
        _attributes(fields.take("attributes")) if fields.has("attributes") else None,
        _note(fields.take("note")) if fields.has("note") else None,
    )


def _attributes(found: Any) -> Attributes:
    """Raises Refusal."""
    if not isinstance(found, dict) or len(found) > MAX_ATTRIBUTES:
        raise bad_request(
            f"'attributes' is {shown(found)}: expected an object of at most {MAX_ATTRIBUTES} names "
            "with their values."
        )
    pairs = []
    for name, value in found.items():
        if not _is_line(name, MAX_LABEL):
            raise bad_request(
                f"The attribute {shown(name)} can't be used: expected a name of 1 to {MAX_LABEL} "
                "printable characters."
            )
        if not _is_line(value, MAX_VALUE):
            raise bad_request(
                f"The attribute {name!r} is {shown(value)}: expected 1 to {MAX_VALUE} printable "
                "characters."
            )
        pairs.append((name.strip(), value.strip()))
    return tuple(dict(pairs).items())


def _is_line(found: Any, most: int) -> bool:
    if not isinstance(found, str):
        return False
    return 1 <= len(found.strip()) <= most and found.strip().isprintable()


def _note(found: Any) -> str:
    """Raises Refusal."""
    plain = found.strip() if isinstance(found, str) else None
    if plain is None or len(plain) > MAX_NOTE or not plain.replace("\n", "").isprintable():
        raise bad_request(
            f"'note' is {shown(found)}: expected text of at most {MAX_NOTE} printable characters."
        )
    return plain
