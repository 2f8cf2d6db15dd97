"""Documents in memory: those that aren't written whole yet, and the last few others."""

from __future__ import annotations

from dataclasses import dataclass, field

from vtmr.app.document import Document
from vtmr.app.documents import Head

_KEPT = 64


@dataclass(slots=True)
class Memory:
    """Documents by the name of their image. Not thread-safe: the store's mutex is around it.

    changed: names whose documents on the disk are older, the journal's aside. heads: of all images
    that have a document, here or on the disk.
    """

    documents: dict[str, Document] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)
    heads: dict[str, Head] = field(default_factory=dict)

    def keep(self, document: Document, *, changed: bool = False) -> Document:
        """Remembers it as current; of the unchanged ones the oldest are forgotten."""
        name = document.name
        # Out and in again: so the dict's order is how long ago each was in use.
        self.documents.pop(name, None)
        self.documents[name] = document
        self.heads[name] = Head.of(document)
        if changed:
            self.changed.add(name)
        if len(self.documents) > _KEPT + len(self.changed):
            del self.documents[next(name for name in self.documents if name not in self.changed)]
        return document

    def snapshot(self, name: str) -> tuple[bool, Document | None, Head | None]:
        """What is known of an image, for `put_back`."""
        return name in self.changed, self.documents.get(name), self.heads.get(name)

    def put_back(self, name: str, known: tuple[bool, Document | None, Head | None]) -> None:
        """Makes what is known of an image what it was, after a change that couldn't be saved."""
        changed, document, head = known
        self.documents.pop(name, None)
        self.heads.pop(name, None)
        if document is not None:
            self.documents[name] = document
        if head is not None:
            self.heads[name] = head
        if not changed:
            self.changed.discard(name)
