"""What is known of an object beside its label and mask: attributes and a note, as files may say
them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vtmr.formats.records import MAX_LABEL, AnnotatedImage, Attributes

MAX_ATTRIBUTES = 50  # of an object
MAX_VALUE = 200  # characters
MAX_NOTE = 2000  # characters


def plain_attributes(found: Any) -> Attributes:
    """The attributes of an object in a file, as text: those that can be written in one line.

    found: whatever the file has in their place. Truth values become "true" and "false"; lists,
    objects and null are left out, and so is what comes after MAX_ATTRIBUTES.
    """
    if not isinstance(found, Mapping):
        return ()
    pairs: list[tuple[str, str]] = []
    for name, value in found.items():
        text = _as_text(value)
        plain_name = _in_one_line(str(name), MAX_LABEL)
        if plain_name and text:
            pairs.append((plain_name, text))
    return tuple(dict(pairs).items())[:MAX_ATTRIBUTES]


def plain_note(found: Any) -> str:
    """The note of an object in a file: its printable characters and line breaks."""
    if not isinstance(found, str):
        return ""
    kept = "".join(letter for letter in found if letter.isprintable() or letter == "\n")
    return kept.strip()[:MAX_NOTE]


def lost_details(images: Sequence[AnnotatedImage], *, attributes: bool, notes: bool) -> list[str]:
    """A sentence, where objects have attributes or notes and a format holds none.

    attributes, notes: whether it holds them.
    """
    lost = 0
    for image in images:
        for annotation in image.objects:
            without_attributes = bool(annotation.attributes) and not attributes
            lost += without_attributes or (bool(annotation.note) and not notes)
    if not lost:
        return []
    what = "The attributes and the note"
    if attributes:
        what = "The note"
    elif notes:
        what = "The attributes"
    whose = "an object is" if lost == 1 else f"{lost:,} objects are"
    return [f"{what} of {whose} not in the export: coco and labelme keep them."]


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return _in_one_line(repr(value), MAX_VALUE)
    return _in_one_line(value, MAX_VALUE) if isinstance(value, str) else ""


def _in_one_line(text: str, most: int) -> str:
    plain = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(plain.split())[:most].strip()
