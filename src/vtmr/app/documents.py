"""Documents on the disk: documents/ID.jsonl, a head with what a list of images needs, then a body.

Both lines carry a checksum, and the body a copy of the head, so that a damaged first line costs
nothing. What a file says of its image is believed only where its own name says the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from vtmr.app.directory import Directory
from vtmr.app.document import Document, from_json, to_json
from vtmr.app.lines import sealed, unsealed
from vtmr.app.project import image_id
from vtmr.errors import InputError
from vtmr.images import MAX_PIXELS

DOCUMENTS = "documents"
UNREADABLE = (
    KeyError,
    TypeError,
    ValueError,
    AttributeError,
    IndexError,
    OverflowError,
    RecursionError,
    MemoryError,
    InputError,
)
_SUFFIX = ".jsonl"
_BODY = b'{"history":'  # what every body begins with


@dataclass(frozen=True, slots=True)
class Head:
    """What the list of images says of a document.

    labels: of how many objects each is; past_labels: those that only its history has. None where
    an earlier version wrote the document, which then has to be read.
    """

    state: str
    objects: int
    revision: int
    labels: Mapping[str, int] | None = None
    past_labels: frozenset[str] | None = None

    @staticmethod
    def of(document: Document) -> Head:
        """What its file's first line will say."""
        objects = len(document.content.items)
        labels, past = document.labels, document.past_labels
        return Head(document.state, objects, document.revision, labels, past)


def path_of(found_id: str) -> str:
    """The file of the image of that id, below the store's folder."""
    return f"{DOCUMENTS}/{found_id}{_SUFFIX}"


def document_ids(folder: Directory) -> list[str]:
    """The image ids of all documents of the store's folder. Raises OSError."""
    if folder.status(DOCUMENTS) is None:
        return []
    inside = folder.folder(DOCUMENTS)
    try:
        names = inside.names()
    finally:
        inside.close()
    plain = [name for name in names if name.endswith(_SUFFIX) and not name.startswith(".")]
    return [name.removesuffix(_SUFFIX) for name in plain]


def as_bytes(document: Document) -> bytes:
    """The file's content."""
    head, body = to_json(document)
    return sealed(head) + sealed({**body, "head": head})


def read_head(folder: Directory, found_id: str) -> tuple[str, Head] | None:
    """The image's name and what its document's first line says; None where that can't be trusted.

    Raises OSError.
    """
    try:
        record, intact = unsealed(folder.first_line(path_of(found_id)))
        if not intact:
            return None
        name, state = _named(record, found_id), str(record["state"])
        counts = int(record["objects"]), int(record["revision"])
        past = record.get("past_labels")
        past_labels = None if past is None else frozenset(map(str, past))
        return name, Head(state, *counts, _labels(record.get("labels")), past_labels)
    except UNREADABLE:
        return None


def read_document(folder: Directory, found_id: str) -> tuple[Document, str | None]:
    """The document of that image id, and a sentence where its file isn't as it was written.

    Raises OSError, and one of UNREADABLE when nothing can be made of the file.
    """
    data = folder.read(path_of(found_id))
    # By what it begins with: a damaged first line may have lost its end.
    begin = data.find(_BODY)
    if begin < 0:
        raise ValueError("it has no second line")
    body, body_intact = unsealed(data[begin:])
    head, head_intact = _head(data[:begin], found_id)
    copy = body.pop("head", None)
    if not head_intact and copy is not None:
        head = copy
    if head is None:
        raise ValueError("its first line is damaged")
    _named(head, found_id)
    document = from_json(head, body)
    # Before a mask is made of that size: a damaged number could ask for all memory.
    if not 0 < document.height * document.width <= MAX_PIXELS:
        raise ValueError(f"it is of an image of {document.width}x{document.height} pixels")
    if not body_intact:
        return document, "its second line was changed outside of vtmr: look at the masks"
    if not head_intact:
        return document, "its first line was damaged and has been made again from the second"
    return document, None


def leads_out(name: str) -> bool:
    """Whether an image's name isn't a plain path below a folder."""
    parts = PurePosixPath(name).parts
    return not parts or name.startswith("/") or ".." in parts or "\0" in name


def _labels(found: Any) -> dict[str, int] | None:
    """Raises ValueError or TypeError for nonsense."""
    if found is None:
        return None
    return {str(label): int(count) for label, count in dict(found).items()}


def _head(line: bytes, found_id: str) -> tuple[dict[str, Any] | None, bool]:
    """The first line's record, if it is one of this image's, and whether it is as written."""
    try:
        record, intact = unsealed(line)
        _named(record, found_id)
    except UNREADABLE:
        return None, False
    return record, intact


def _named(record: dict[str, Any], found_id: str) -> str:
    """The image's name. Raises ValueError where it isn't this document's, or leads elsewhere."""
    name = str(record["image"])
    if image_id(name) != found_id:
        raise ValueError("it names another image than its file does")
    if leads_out(name):
        raise ValueError(f"it names an image outside the folder, {name!r}")
    return name
