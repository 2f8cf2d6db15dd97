"""DIR/.vtmr: every accepted change is on disk before it is answered, and nothing acknowledged is
ever lost.

    lock              held by the process that writes (flock), with its number inside
    journal.jsonl     one line per change, appended and flushed to the disk
    documents/ID.jsonl  one file per annotated image (`documents`)
    project.json      the labels and settings

A change is appended to the journal before it counts. Now and then, at the start and at the end the
changed documents are written whole (temporary file, fsync, rename) and the journal is emptied. A
kill between the two leaves entries that their documents already hold: an entry counts only where
its revision is the next one. A torn last line was never acknowledged. What is damaged costs itself
alone and is said (`notices`, `damaged`); the damaged file is kept aside.

Everything goes through descriptors (`directory`), so that a folder that is renamed meanwhile keeps
its work. When .vtmr or the journal is deleted meanwhile, what is still known is written anew.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from vtmr.app.directory import Directory
from vtmr.app.document import Document, Json, transition
from vtmr.app.documents import (
    DOCUMENTS,
    UNREADABLE,
    Head,
    as_bytes,
    path_of,
    read_document,
    read_head,
)
from vtmr.app.journal import JOURNAL, Entries, Journal, read_journal
from vtmr.app.labels import LABELS, Label, Labels, read_labels
from vtmr.app.lines import is_sealed, sealed
from vtmr.app.memory import Memory
from vtmr.app.place import Place
from vtmr.app.project import HIDDEN_FOLDER, image_id
from vtmr.app.replay import Trouble, read_heads, reason, replay
from vtmr.errors import InputError

_FOLD_BYTES = 4 << 20
_CLOSING_S = 1.0


class NotSavedError(Exception):
    """The disk refused a change; nothing is different from before."""


class Store:
    """The documents of a folder. Thread-safe.

    read_only: None, or a sentence that says why nothing can be changed.
    """

    def __init__(self, folder: Path, *, write: bool = True) -> None:
        """Raises InputError when another process has the folder open for writing, or when a link
        or the like is in the place of one of its files."""
        # Reentrant: a commit goes through `commit_together`, and that may fold.
        self._mutex = threading.RLock()
        self._memory, self._trouble = Memory(), Trouble()
        self._fold_at = _FOLD_BYTES
        self._journal: Journal | None = None
        self.read_only: str | None = (
            None if write else "The annotations were opened for reading only."
        )
        self._place = Place(folder)
        if write:
            self._open_for_writing()
        self._labels = Labels()
        if self._place.folder is not None:
            self._read(self._place.folder)
        self._told_at_start = len(self.told())

    @property
    def labels(self) -> list[str]:
        return self._labels.names

    def all_labels(self) -> list[Label]:
        """The project's labels, with their colours and attributes."""
        with self._mutex:
            return list(self._labels.all.values())

    @property
    def keep_apart(self) -> bool | None:
        """Whether the project keeps objects apart; None where nobody said so."""
        return self._labels.keep_apart

    def labels_on(self, name: str) -> Mapping[str, int]:
        """The labels on an image, and of how many objects each is. Raises InputError when its
        annotations can't be read."""
        head = self.heads.get(name)
        if head is not None and head.labels is not None:
            return head.labels
        document = self.document(name)
        return document.labels if document is not None else {}

    def past_labels_on(self, name: str) -> frozenset[str]:
        """The labels that only the history of an image has. Raises InputError likewise."""
        head = self.heads.get(name)
        if head is not None and head.past_labels is not None:
            return head.past_labels
        document = self.document(name)
        return document.past_labels if document is not None else frozenset()

    @property
    def heads(self) -> dict[str, Head]:
        """What is known of every image that was ever annotated, by its name."""
        return self._memory.heads

    @property
    def damaged(self) -> dict[str, str]:
        """Image ids whose annotations can't be read, with a sentence about each."""
        return self._trouble.damaged

    @property
    def notices(self) -> list[str]:
        """Sentences about everything that isn't quite as it was written."""
        return self._trouble.notices

    @property
    def lost(self) -> list[str]:
        """Those of the notices that say that work is gone."""
        return self._trouble.lost

    def told(self) -> list[str]:
        """The notices, with what the user should know of the folder and its disk."""
        moved = self._place.moved_to()
        now = [f"The folder was renamed while it was open: it is {moved} now."] if moved else []
        return [*self._place.notices, *self.notices, *now]

    def close(self) -> str:
        """Writes what the journal still holds and lets go of the folder; what to tell the user.

        Never waits long: what was acknowledged is safe in the journal.
        """
        if not self._mutex.acquire(timeout=_CLOSING_S):
            return "The disk doesn't answer. Everything that was acknowledged is in the journal."
        try:
            farewell = self._finish()
            if self._journal is not None:
                self._journal.close()
            self._place.close()
            self._journal = None
            self.read_only = self.read_only or "The annotations are closed."
            return farewell
        finally:
            self._mutex.release()

    def document(self, name: str) -> Document | None:
        """The image's document, or None when nothing was ever done there.

        Raises InputError when it is damaged.
        """
        with self._mutex:
            if name in self._memory.documents:
                return self._memory.documents[name]
        # Beside the mutex, so that an export of many large ones doesn't hold up a change.
        found = self._read_document(name)
        if found is None:
            return None
        with self._mutex:
            if name in self._memory.documents:
                return self._memory.documents[name]
            known = self.heads.get(name)
            if known is not None and found.revision < known.revision:
                # It was changed, written and forgotten again while it was read.
                found = self._read_document(name) or found
            return self._memory.keep(found)

    def check(self) -> None:
        """Reads every document on the disk once, so that damage is told before its image is
        opened. Takes as long as the disk does; ends when the store is closed."""
        for name in list(self.heads):
            folder = self._place.folder
            if folder is None:
                return
            try:
                lines = folder.read(path_of(image_id(name))).splitlines()
            except OSError:  # it isn't written yet, or its image tells
                continue
            sound = len(lines) == 2 and all(is_sealed(line) for line in lines)
            head = self.heads.get(name)
            if not sound or (head is not None and None in (head.labels, head.past_labels)):
                with contextlib.suppress(InputError):
                    self.document(name)

    def blame(self, name: str, error: BaseException | str) -> InputError:
        """The error to raise for an image whose annotations can't be used; it is among the damaged
        from now on."""
        return self._trouble.blame(image_id(name), error)

    def commit(self, before: Document, after: Document) -> None:
        """Makes `after` the image's document, on disk first. Raises NotSavedError; then everything
        is as it was."""
        with self._mutex:
            self.commit_together([(transition(before, after), after)])
            if after.at < before.at:  # an undo: what only the undone was called isn't offered
                gone = before.labels.keys() - after.labels.keys()
                self._labels.forget_unused(gone, self.heads.values())
            self._labels.add(after.labels, passing=True)
            self._save_labels()

    def commit_together(self, changes: Sequence[tuple[Json, Document]]) -> None:
        """Makes documents those of their images with one write to the disk, all or none.

        changes: what the journal keeps of each (`transition`, `renaming`) and the document after
        it. Raises NotSavedError; then everything is as it was. After a power cut in the middle of
        it some may be there, each of them whole.
        """
        lines = b"".join(sealed(record) for record, _ in changes)
        with self._mutex:
            if self.read_only is not None:
                raise NotSavedError(self.read_only)
            journal = self._append(lines)
            known = [(after.name, self._memory.snapshot(after.name)) for _, after in changes]
            for _, after in changes:
                self._memory.keep(after, changed=True)
            try:
                self._secure()
            except (OSError, InputError) as error:
                for name, before in known:
                    self._memory.put_back(name, before)
                journal.take_back(lines)
                raise NotSavedError(f"{reason(error)}.") from error
            if journal.size > self._fold_at:
                self._try_to_fold()

    def fold(self) -> None:
        """Writes every changed document whole, then empties the journal.

        Raises InputError when the disk refuses.
        """
        with self._mutex:
            try:
                self._place.hold()
                self._secure()
                self._write_changed()
                if self._journal is not None:
                    self._journal.empty()
            except OSError as error:
                raise InputError(
                    f"{self._place.path} can't be written: {reason(error)}."
                ) from error
            self._memory.changed.clear()
            self._fold_at = _FOLD_BYTES

    def add_labels(self, labels: Sequence[str]) -> None:
        """Appends those that are new; on the disk now, or when it has room again."""
        with self._mutex:
            self._labels.add(labels)
            self._save_labels()

    def put_labels(self, labels: Sequence[Label]) -> None:
        """Makes these the project's labels, on disk first. Raises NotSavedError; then everything
        is as it was."""
        before = self.all_labels()
        self._put(lambda: self._labels.put(labels), lambda: self._labels.put(before))

    def put_keep_apart(self, keep_apart: bool | None) -> None:
        """Whether the project keeps objects apart. Raises NotSavedError, as `put_labels`."""
        before = self.keep_apart
        self._put(lambda: self._labels.settle(keep_apart), lambda: self._labels.settle(before))

    def _put(self, change: Callable[[], None], undo: Callable[[], None]) -> None:
        """Makes a change of the project file. Raises NotSavedError after undoing it."""
        with self._mutex:
            if self.read_only is not None:
                raise NotSavedError(self.read_only)
            change()
            try:
                self._place.hold()
                self._secure()
                self._labels.save_now(self._folder())
            except (OSError, InputError) as error:
                undo()
                raise NotSavedError(f"The disk refused {LABELS}: {reason(error)}.") from error

    def _save_labels(self) -> None:
        if self._journal is not None and self._place.folder is not None:
            self._labels.save(self._place.folder)

    # --- opening

    def _open_for_writing(self) -> None:
        """Takes the lock; a folder that can't be written becomes read-only."""
        try:
            self._place.take()
            with self._place.explained():
                self._folder().folder(DOCUMENTS, make=True).close()
                self._journal = Journal(self._folder())
        except OSError as error:
            self.read_only = (
                f"The folder can't be written ({reason(error)}): it is open for viewing only."
            )

    def _folder(self) -> Directory:
        """Raises FileNotFoundError where there is none."""
        if self._place.folder is None:
            raise FileNotFoundError(2, f"there is no {HIDDEN_FOLDER}")
        return self._place.folder

    def _read(self, folder: Directory) -> None:
        """Everything that the folder holds, and folds it."""
        # The journal first: a writer that folds in between leaves documents that are newer, which
        # is harmless.
        entries = self._entries(folder)
        self._labels, sentence = read_labels(folder)
        if sentence is not None:
            self._trouble.note(sentence)
        try:
            read_heads(folder, self._memory, self._trouble)
        except OSError as error:
            self._trouble.note(f"{HIDDEN_FOLDER}/{DOCUMENTS} can't be listed: {reason(error)}.")
        sound = replay(entries, self.document, self._memory, self._labels, self._trouble)
        self._labels.forget_unused(self.labels, self.heads.values())
        if self._journal is not None and (self._memory.changed or not sound):
            self._begin_anew(self._journal, sound=sound)

    def _entries(self, folder: Directory) -> Entries:
        try:
            with self._place.explained():
                entries = read_journal(folder)
        except OSError as error:
            return Entries((), (f"{JOURNAL} can't be read ({reason(error)})",))
        # Who only reads may meet a line that is just being written.
        return entries if self._journal is not None else replace(entries, torn=0)

    def _begin_anew(self, journal: Journal, *, sound: bool) -> None:
        """Folds at the start. A full disk is no reason not to open: the journal stays as it is."""
        try:
            if not sound:
                name = journal.keep_aside()
                self._trouble.note(f"The journal as it was is kept as {HIDDEN_FOLDER}/{name}.")
            self._set_aside()
            self.fold()
        except (OSError, InputError) as error:
            self._trouble.note(
                f"The disk refuses to be written now ({reason(error)}): everything can be looked "
                "at, and changes are refused until there is room."
            )

    def _set_aside(self) -> None:
        """Keeps damaged documents that are about to be written anew. Raises OSError."""
        folder = self._folder()
        for found_id in self._trouble.repaired:
            inside = folder.folder(DOCUMENTS)
            try:
                inside.write(f"{found_id}.damaged", folder.read(path_of(found_id)))
            finally:
                inside.close()
        self._trouble.repaired.clear()

    def _read_document(self, name: str) -> Document | None:
        if self._place.folder is None:
            return None
        found_id = image_id(name)
        try:
            document, sentence = read_document(self._place.folder, found_id)
        except FileNotFoundError:
            return None
        except (OSError, *UNREADABLE) as error:
            raise self._trouble.blame(found_id, error) from error
        return self._trouble.accept(document, found_id, sentence)

    # --- writing

    def _append(self, line: bytes) -> Journal:
        """The line at the journal's end, on the disk. Raises NotSavedError."""
        try:
            self._place.hold()
            journal = self._journal or Journal(self._folder())
            if not journal.is_whole():
                self._mend(journal)
            journal.append(line)
            if not journal.flushes:
                self._trouble.note("This file system can't say when a change is safe on the disk.")
        except (OSError, InputError) as error:
            raise NotSavedError(f"The disk refused the change: {reason(error)}.") from error
        return journal

    def _mend(self, journal: Journal) -> None:
        """Makes a journal that isn't as we left it fit to be written again.

        Raises OSError, and InputError when another program writes to it.
        """
        if journal.is_torn:
            with contextlib.suppress(OSError):
                journal.cut()
                return
        elif journal.is_longer():
            raise InputError(
                f"{JOURNAL} was written to by another program: end that, then start vtmr annotate "
                "again"
            )
        self._renew(journal)

    def _renew(self, journal: Journal) -> None:
        """Puts an empty journal in the place of one that can't be used. Raises OSError."""
        self._write_changed()
        # Only after that: until then the old one may be all that holds these changes.
        journal.renew()
        self._memory.changed.clear()

    def _secure(self) -> None:
        """Sees to it that what we write to is what lies in the folder, whoever deleted it.

        Raises InputError with what happened where nothing can be saved any more, and OSError.
        """
        journal = self._journal
        if journal is None or (self._place.is_here() and journal.is_here()):
            return
        if self._place.is_here():
            journal.keep_aside()
            self._renew(journal)
            self._trouble.note(f"{JOURNAL} was taken away while it was open: it is made anew.")
            return
        self._place.take_again()
        self._journal = Journal(self._folder())
        known = sorted(self._memory.documents)
        self._write([name for name in known if not self._is_newer_on_disk(name)])
        self._labels.is_saved = False
        self._labels.save(self._folder())
        lost = len(self.heads) - len(known)
        self._memory.heads = {name: self.heads[name] for name in known}
        self._trouble.note(
            f"{HIDDEN_FOLDER} was deleted while it was open: the annotations of {len(known)} "
            f"images that were still known are written anew, those of {lost} others went with it."
        )

    def _is_newer_on_disk(self, name: str) -> bool:
        """Whether somebody put a later document there."""
        with contextlib.suppress(OSError):
            found = read_head(self._folder(), image_id(name))
            return found is not None and found[1].revision > self._memory.documents[name].revision
        return False

    def _write_changed(self) -> None:
        """The changed documents, whole and for good. Raises OSError."""
        self._write(sorted(self._memory.changed))

    def _write(self, names: Sequence[str]) -> None:
        folder = self._folder()
        inside = folder.folder(DOCUMENTS, make=True)
        try:
            for name in names:
                data = as_bytes(self._memory.documents[name])
                inside.write(path_of(image_id(name)).rpartition("/")[2], data)
            # Before the journal is emptied: a rename may wait in memory, and go with a power cut.
            inside.flush()
        finally:
            inside.close()
        folder.flush()

    def _finish(self) -> str:
        """The last fold; what to tell the user."""
        if self._journal is None:
            return "Nothing was changed."
        try:
            self._place.hold()
            if self._memory.documents:
                self._secure()
            if self._memory.changed:
                self.fold()
            self._labels.save(self._folder())
        except (OSError, InputError) as error:
            if not self._place.is_here():
                return f"{reason(error)}. What was annotated there can't be saved."
            return (
                "Everything is saved, in the journal: the documents couldn't be written "
                f"({reason(error)})."
            )
        return " ".join(["Everything is saved.", *self.told()[self._told_at_start :]])

    def _try_to_fold(self) -> None:
        """The change is safe in the journal: a disk that refuses more now is no reason to refuse
        the change."""
        try:
            self.fold()
        except InputError:
            self._fold_at *= 2  # not at every change from now on
