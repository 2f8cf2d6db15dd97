"""Of which formats files are, by their names and first bytes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import PurePosixPath

from vtmr.errors import InputError
from vtmr.formats.maskpattern import BESIDE, PER_OBJECT, compiled
from vtmr.formats.sources import Source
from vtmr.formats.voc import CLASSES, OBJECTS
from vtmr.formats.yoloreader import is_label_text

_START = 1 << 16  # bytes that tell a file's kind
_TRIED = 12  # files of a suffix, spread over all


def detect(source: Source, photos: Collection[str] = ()) -> list[str]:
    """The formats that some of the files are of, the likeliest first. photos: those of the files
    that are known as images."""
    found: list[str] = []
    for name in _some(source.ending(".json")):
        _note(found, _of_json(source, name))
    for name in _some(source.ending(".xml")):
        _note(found, "cvat" if b"<annotations" in _start(source, name) else None)
    pictures = [name for name in source.ending(".png") if name not in photos]
    if any({CLASSES, OBJECTS} & set(PurePosixPath(name).parts[:-1]) for name in pictures):
        _note(found, "voc")
    else:
        for form, pattern in (("indexed-png", BESIDE), ("png", PER_OBJECT)):
            shape = compiled(pattern)
            if any(shape.fullmatch(name) for name in pictures):
                _note(found, form)
    for name in _some(source.ending(".txt")):
        _note(found, "yolo" if is_label_text(_start(source, name)) else None)
    return found


def _note(found: list[str], form: str | None) -> None:
    if form is not None and form not in found:
        found.append(form)


def _some(names: Sequence[str]) -> list[str]:
    step = max(1, -(-len(names) // _TRIED))
    return list(names[::step])


def _start(source: Source, name: str) -> bytes:
    """A file's first bytes; none where it can't be read, which its reader will tell."""
    try:
        return source.start_of(name, _START)
    except InputError:
        return b""


def _of_json(source: Source, name: str) -> str | None:
    """By the words that its first level has; the whole file is looked at, since these may come
    last."""
    try:
        data = source.start_of(name, source.most)
    except InputError:
        return None
    if b"\0" in data[:4]:
        data = data.replace(b"\0", b"")  # UTF-16 and 32, as far as their words are ASCII's
    if b'"dm_format_version"' in data or (b'"items"' in data and b'"categories"' in data):
        return "datumaro"
    if b'"shapes"' in data and (b'"imagePath"' in data or b'"shape_type"' in data):
        return "labelme"
    if b'"images"' in data and b'"annotations"' in data:
        return "coco"
    if b'"data"' in data and (b'"annotations"' in data or b'"predictions"' in data):
        return "label-studio"
    return None
