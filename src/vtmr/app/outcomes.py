"""What a change makes of the objects of an image, and how it finds and refuses them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vtmr.app.document import Content, Item
from vtmr.serving.answers import Refusal


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a change makes of a content, the object that it was about, and what the user should
    know: what a file was taken for where it could mean something else, or what was left alone."""

    content: Content
    object_id: str | None = None
    notes: tuple[str, ...] = ()


def find(content: Content, item_id: Any) -> Item:
    """The object of that id. Raises Refusal (404)."""
    item = content.get(item_id) if isinstance(item_id, str) else None
    if item is None:
        raise missing()
    return item


def missing() -> Refusal:
    """The refusal of a change of an object that isn't there."""
    return Refusal(404, "not_found", "There is no such object on this image.")


def locked(item: Item) -> Refusal:
    """The refusal of a change of a locked object."""
    return Refusal(423, "locked", f"The object {item.id} is locked: unlock it first.")
