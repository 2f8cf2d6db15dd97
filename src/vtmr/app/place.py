"""DIR/.vtmr held open: the one writer's lock, and whether it is still where it was."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from vtmr.app.directory import Directory
from vtmr.app.project import HIDDEN_FOLDER
from vtmr.atomic import take_lock
from vtmr.errors import InputError

_LOCK = "lock"
# What `Directory` raises for links, pipes and the like in the place of a file or folder of ours.
_NOT_OURS = (errno.ELOOP, errno.ENOTDIR, errno.EINVAL, errno.EISDIR, errno.ENXIO)


class Place:
    """The store's folder of a project, None where there is none yet."""

    def __init__(self, path: Path) -> None:
        """Raises InputError when .vtmr isn't a plain folder."""
        self.path = path
        self.folder: Directory | None = None
        self.notices: list[str] = []
        self._root: Directory | None = None
        self._lock = -1
        with contextlib.suppress(OSError):  # what isn't there can still be read: it is empty
            self._root = Directory.open(path)
        if self._root is not None and self._root.status(HIDDEN_FOLDER) is not None:
            with self.explained():
                self.folder = self._root.folder(HIDDEN_FOLDER)

    def take(self) -> None:
        """Makes the folder where it is missing, and locks it for this process.

        Raises InputError when another process has it, or when a link or the like is in the place
        of one of its files; OSError when nothing can be written here.
        """
        root = self._root or Directory.open(self.path)
        with self.explained():
            folder = self.folder or root.folder(HIDDEN_FOLDER, make=True)
        self._root, self.folder = root, folder
        self._take_lock(folder)
        if not folder.flush():
            self._note("This file system can't say when a new file is safe from a power cut.")

    def hold(self) -> None:
        """Takes the lock anew where somebody deleted it: another process could have both.

        Raises InputError when another process was faster, and OSError.
        """
        if self.folder is None or not self.is_here():
            return
        found = self.folder.status(_LOCK)
        ours = os.fstat(self._lock) if self._lock >= 0 else None
        if ours is not None and found is not None and os.path.samestat(ours, found):
            return
        self._let_go()
        self._take_lock(self.folder)

    def _take_lock(self, folder: Directory) -> None:
        """Raises InputError when another process has it, and OSError."""
        with self.explained():
            self._lock = folder.file(_LOCK, os.O_RDWR | os.O_CREAT)
        held = take_lock(self._lock)
        if held is False:
            owner = self._owner()
            self._let_go()
            raise InputError(
                f"{self.path} is already being annotated by process {owner}: use that one or end "
                "it first."
            )
        if held is None:
            self._note(
                "Locks don't work here (a network disk?): make sure that nobody else annotates "
                "this folder at the same time."
            )
        # With another name (a backup made of hard links, or a trap) it is another's file as well.
        if os.fstat(self._lock).st_nlink == 1:
            os.ftruncate(self._lock, 0)
            os.write(self._lock, f"{os.getpid()}\n".encode())

    def take_again(self) -> None:
        """After somebody deleted .vtmr: makes and locks it anew, in the same project.

        Raises InputError with what happened where that can't be, OSError where the disk refuses.
        """
        if self._root is None or self._root.is_deleted():
            raise InputError(f"The folder {self.path} was deleted while it was open.")
        if self.folder is not None and not self.folder.is_deleted():
            raise InputError(
                f"{HIDDEN_FOLDER} was moved to {self.folder.place()} while it was open: move it "
                "back, or end vtmr annotate and start it again."
            )
        self._let_go()
        self.folder = None
        self.take()

    def is_here(self) -> bool:
        """Whether .vtmr is still the folder that was opened."""
        if self._root is None or self.folder is None:
            return False
        return self.folder.is_at(self._root.status(HIDDEN_FOLDER))

    def moved_to(self) -> Path | None:
        """Where the project's folder is now, if that isn't its path any more."""
        if self._root is None:
            return None
        with contextlib.suppress(OSError):
            if self._root.is_at(self.path.stat()):
                return None
        return None if self._root.is_deleted() else self._root.place()

    def close(self) -> None:
        """Lets go of the lock and the folders."""
        self._let_go()
        for folder in (self.folder, self._root):
            if folder is not None:
                folder.close()
        self.folder = self._root = None

    @contextlib.contextmanager
    def explained(self) -> Iterator[None]:
        """Turns what is no file or folder of ours into an InputError; other OSErrors pass."""
        try:
            yield
        except OSError as error:
            if error.errno not in _NOT_OURS:
                raise
            name = error.filename if error.filename not in (None, HIDDEN_FOLDER) else ""
            raise InputError(
                f"{self.path / HIDDEN_FOLDER / name} can't be used: {error.strerror}. Remove it: "
                "nothing is written outside the folder."
            ) from error

    def _note(self, sentence: str) -> None:
        if sentence not in self.notices:
            self.notices.append(sentence)

    def _owner(self) -> str:
        """The process that the lock names."""
        found = os.read(self._lock, 20).decode("ascii", "replace").strip()
        # The other process may just be about to write its number.
        return found if found.isdigit() else "unknown"

    def _let_go(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)
        self._lock = -1
