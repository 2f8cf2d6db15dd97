"""DIR/.vtmr: every accepted change is on disk before it is answered, and nothing acknowledged is
ever lost.

    lock              held by the process that writes (flock), with its number inside
    journal.jsonl     one line per change, appended and flushed to the disk
    documents/ID.jsonl  one file per annotated image: a head, then a body (`document.to_json`)
    project.json      the labels

A change is appended to the journal before it counts. Now and then, at the start and at the end the
changed documents are written whole (temporary file, fsync, rename) and the journal is emptied. A
kill between the two leaves entries that their documents already hold: an entry counts only where
its revision is the next one. A torn last line was never acknowledged. Anything else that can't be
read is refused with a sentence, never thrown away.
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vtmr.app.document import Document, follow, from_json, to_json, transition
from vtmr.app.project import HIDDEN_FOLDER, image_id
from vtmr.atomic import make_folder, write_atomically
from vtmr.errors import InputError

_FOLD_BYTES = 4 << 20
_KEPT_DOCUMENTS = 64
_OPEN = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
_UNREADABLE = (
    KeyError,
    TypeError,
    ValueError,
    AttributeError,
    IndexError,
    RecursionError,
    InputError,
)


class NotSavedError(Exception):
    """The disk refused a change; nothing is different from before."""


@dataclass(frozen=True, slots=True)
class Head:
    """What the list of images says of a document."""

    state: str
    objects: int
    revision: int


class Store:
    """The documents of a folder. Thread-safe. read_only: None, or a sentence that says why nothing
    can be changed."""

    def __init__(self, folder: Path, *, write: bool = True) -> None:
        """Raises InputError when another process has the folder open for writing, or when its files
        are damaged."""
        self._folder = folder / HIDDEN_FOLDER
        self._mutex = threading.RLock()
        self._documents: dict[str, Document] = {}
        self._changed: set[str] = set()
        self.read_only: str | None = (
            None if write else "The annotations were opened for reading only."
        )
        self._lock = self._journal = -1
        if write:
            self._open_for_writing()
        # The journal first: a writer that folds in between leaves documents that are newer, which
        # is harmless.
        entries = list(self._entries())
        self.labels = self._read_labels()
        self.heads = dict(self._read_heads())
        self._replay(entries)
        if self.read_only is None and entries:
            self.fold()

    def close(self) -> None:
        """Writes what the journal still holds and lets go of the folder."""
        with self._mutex:
            if self.read_only is None and self._changed:
                self.fold()
            for descriptor in (self._journal, self._lock):
                if descriptor >= 0:
                    os.close(descriptor)
            self._lock = self._journal = -1
            self.read_only = self.read_only or "The annotations are closed."

    def document(self, name: str) -> Document | None:
        """The image's document, or None when nothing was ever done there.

        Raises InputError when it is damaged.
        """
        with self._mutex:
            if name not in self._documents:
                found = self._read_document(name)
                if found is None:
                    return None
                self._keep(found)
            return self._documents[name]

    def commit(self, before: Document, after: Document) -> None:
        """Makes `after` the image's document, on disk first. Raises NotSavedError; then everything
        is as it was."""
        line = (json.dumps(transition(before, after), separators=(",", ":")) + "\n").encode()
        with self._mutex:
            if self.read_only is not None:
                raise NotSavedError(self.read_only)
            size = os.fstat(self._journal).st_size
            try:
                _write_all(self._journal, line)
                os.fsync(self._journal)
            except OSError as error:
                os.ftruncate(self._journal, size)
                raise NotSavedError(
                    f"The disk refused the change: {error.strerror or error}."
                ) from error
            self._changed.add(after.name)
            self._keep(after)
            if size + len(line) > _FOLD_BYTES:
                self._try_to_fold()

    def fold(self) -> None:
        """Writes every changed document whole, then empties the journal.

        Raises InputError when the disk refuses.
        """
        with self._mutex:
            folder = self._folder / "documents"
            make_folder(folder)
            for name in sorted(self._changed):
                head, body = to_json(self._documents[name])
                text = json.dumps(head) + "\n" + json.dumps(body, separators=(",", ":")) + "\n"
                write_atomically(folder / f"{image_id(name)}.jsonl", text.encode())
            _flush_folder(folder)
            _flush_folder(self._folder)
            os.ftruncate(self._journal, 0)
            os.fsync(self._journal)
            self._changed.clear()

    def add_labels(self, labels: Sequence[str]) -> None:
        """Appends those that are new, on disk too where the folder can be written.

        Raises NotSavedError.
        """
        with self._mutex:
            merged = list(dict.fromkeys([*self.labels, *labels]))
            if merged == self.labels:
                return
            if self.read_only is None:
                try:
                    write_atomically(
                        self._folder / "project.json", json.dumps({"labels": merged}).encode()
                    )
                except InputError as error:
                    raise NotSavedError(str(error)) from error
            self.labels = merged

    def _open_for_writing(self) -> None:
        """Takes the lock; a folder that can't be written becomes read-only."""
        for path in (self._folder, self._folder / "documents"):
            if path.is_symlink():
                raise InputError(
                    f"{path} is a link: nothing is written outside the folder, remove it."
                )
        try:
            self._folder.mkdir(exist_ok=True)
            self._lock = os.open(self._folder / "lock", _OPEN, 0o644)
            self._journal = os.open(self._folder / "journal.jsonl", _OPEN | os.O_APPEND, 0o644)
        except OSError as error:
            if self._lock >= 0:
                os.close(self._lock)
            self._lock = -1
            self.read_only = (
                f"The folder can't be written ({error.strerror or error}): it is open for viewing "
                "only."
            )
            return
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = os.read(self._lock, 20).decode("ascii", "replace").strip() or "unknown"
            os.close(self._lock)
            os.close(self._journal)
            raise InputError(
                f"{self._folder.parent} is already being annotated by process {owner}: use that "
                "one or end it first."
            ) from error
        os.ftruncate(self._lock, 0)
        os.write(self._lock, f"{os.getpid()}\n".encode())
        _flush_folder(self._folder)

    def _entries(self) -> Iterator[dict[str, Any]]:
        """The journal's complete lines. Raises InputError for one that isn't a record."""
        try:
            data = (self._folder / "journal.jsonl").read_bytes()
        except FileNotFoundError:
            return
        complete, _, torn = data.rpartition(b"\n")
        if torn and self._journal >= 0:
            os.ftruncate(self._journal, len(data) - len(torn))
        for number, line in enumerate(complete.splitlines(), start=1):
            try:
                entry = json.loads(line)
                yield {**entry, "image": str(entry["image"]), "revision": int(entry["revision"])}
            except _UNREADABLE as error:
                raise self._damaged(f"line {number} of journal.jsonl", error) from error

    def _replay(self, entries: Sequence[dict[str, Any]]) -> None:
        """Follows the entries that their documents don't hold yet."""
        for entry in entries:
            name = entry["image"]
            try:
                height, width = (int(side) for side in entry["size"])
                before = self.document(name) or Document(name, height, width)
                if entry["revision"] <= before.revision:
                    continue
                if entry["revision"] != before.revision + 1:
                    raise InputError(f"revision {entry['revision']} comes after {before.revision}")
                after = follow(before, entry)
            except _UNREADABLE as error:
                raise self._damaged(
                    f"the journal's change {entry['revision']} of {name}", error
                ) from error
            self._changed.add(name)
            self._keep(after)

    def _keep(self, document: Document) -> None:
        """Remembers it as current; of the unchanged ones the oldest are forgotten."""
        self._documents.pop(document.name, None)
        self._documents[document.name] = document
        self.heads[document.name] = Head(
            document.state, len(document.content.items), document.revision
        )
        if len(self._documents) > _KEPT_DOCUMENTS + len(self._changed):
            del self._documents[next(name for name in self._documents if name not in self._changed)]

    def _try_to_fold(self) -> None:
        """The change is safe in the journal: a disk that refuses more now is no reason to refuse
        the change."""
        try:
            self.fold()
        except (InputError, OSError):
            return

    def _read_document(self, name: str) -> Document | None:
        path = self._folder / "documents" / f"{image_id(name)}.jsonl"
        try:
            head, body = path.read_text("utf-8").splitlines()
            return from_json(json.loads(head), json.loads(body))
        except FileNotFoundError:
            return None
        except (OSError, *_UNREADABLE) as error:
            raise self._damaged(str(path.relative_to(self._folder)), error) from error

    def _read_heads(self) -> Iterator[tuple[str, Head]]:
        """Every document's first line; one that can't be read is found out when its image is
        opened."""
        for path in sorted(self._folder.glob("documents/*.jsonl")):
            try:
                with path.open("rb") as file:
                    head = json.loads(file.readline())
                yield (
                    str(head["image"]),
                    Head(str(head["state"]), int(head["objects"]), int(head["revision"])),
                )
            except (OSError, *_UNREADABLE):
                continue

    def _read_labels(self) -> list[str]:
        try:
            return [
                str(label)
                for label in json.loads((self._folder / "project.json").read_bytes())["labels"]
            ]
        except FileNotFoundError:
            return []
        except (OSError, *_UNREADABLE) as error:
            raise self._damaged("project.json", error) from error

    def _damaged(self, what: str, error: BaseException) -> InputError:
        return InputError(
            f"{self._folder}: {what} can't be read ({error}). Restore it from a copy or move it "
            "away."
        )


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _flush_folder(folder: Path) -> None:
    """Makes renames and new files in it last."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
