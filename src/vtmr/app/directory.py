"""Folders held open: each stays the same one whatever becomes of its path, and no link leads out.

Everything below an open folder is asked for by its descriptor (`openat`), one part of the name
after the other, and no part may be a link: a path that is checked first and opened later can be
swapped in between. Where the system has no such calls (Windows), paths are used instead.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
import weakref
from collections.abc import Iterator
from pathlib import Path

from vtmr.atomic import flush, flush_folder

BY_DESCRIPTOR = hasattr(os, "O_NOFOLLOW") and os.open in os.supports_dir_fd
# Windows has none of these; a FIFO must never make us wait for somebody at its other end.
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_PLAIN = (
    _NO_LINK
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)
_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)
_ONE_PART_WRONG = (errno.ELOOP, errno.ENOTDIR)


class Directory:
    """An open folder. path: where it was when it was opened. Every method raises OSError."""

    def __init__(self, path: Path, descriptor: int | None) -> None:
        """descriptor: of the open folder, which is closed with this object; None without one."""
        self.path = path
        self._at = descriptor
        self._closed = weakref.finalize(self, _close, descriptor)

    @staticmethod
    def open(path: Path) -> Directory:
        """The folder at a path that the user gave: links in it are the user's own."""
        if BY_DESCRIPTOR:
            return Directory(path, os.open(path, _FOLDER))
        if not path.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, "it is no folder", str(path))
        return Directory(path, None)

    def close(self) -> None:
        self._closed()

    def folder(self, name: str, *, make: bool = False) -> Directory:
        """A folder in it; make: it is made where it is missing."""
        if make:
            with contextlib.suppress(FileExistsError):
                os.mkdir(self._name(name), dir_fd=self._at)
        found = self.status(name)
        if found is not None and stat.S_ISLNK(found.st_mode):
            raise OSError(errno.ELOOP, "it is a link", name)
        if BY_DESCRIPTOR:
            flags = _FOLDER | os.O_NOFOLLOW
            return Directory(self.path / name, os.open(name, flags, dir_fd=self._at))
        return Directory.open(self.path / name)

    def file(
        self, name: str, flags: int = os.O_RDONLY, mode: int = 0o644, *, follow: bool = False
    ) -> int:
        """A descriptor of a plain file in it. name: parts joined by /, none of them a link unless
        `follow`: then the user said that links may lead anywhere."""
        if follow:
            found = os.open(self._name(name), flags | _PLAIN & ~_NO_LINK, mode, dir_fd=self._at)
        else:
            found = self._opened(name, flags, mode)
        # Asked of what was opened: by now the name may be another file's.
        if stat.S_ISREG(os.fstat(found).st_mode):
            return found
        os.close(found)
        raise OSError(errno.EINVAL, "it is no plain file", name)

    def _opened(self, name: str, flags: int, mode: int) -> int:
        *folders, last = name.split("/")
        with self._below(folders) as parent:
            try:
                return os.open(parent._name(last), flags | _PLAIN, mode, dir_fd=parent._at)
            except OSError as error:
                raise _explained(error) from error

    def read(self, name: str) -> bytes:
        """A file's bytes."""
        with os.fdopen(self.file(name), "rb") as file:
            return file.read()

    def first_line(self, name: str) -> bytes:
        """A file's first line, with its end."""
        with os.fdopen(self.file(name), "rb") as file:
            return file.readline()

    def write(self, name: str, data: bytes, mode: int = 0o644) -> None:
        """Replaces a file by one with these bytes, flushed to the disk; the old one stays until
        then, and nothing half-written is left."""
        partial = f".{name[:100]}.{secrets.token_hex(4)}.part"
        # O_EXCL: whatever has that name already, a link above all, is never written to.
        descriptor = self.file(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        try:
            try:
                write_all(descriptor, data)
                flush(descriptor)
            finally:
                os.close(descriptor)
            self.rename(partial, name)
        except OSError:
            with contextlib.suppress(OSError):
                self.remove(partial)
            raise

    def names(self) -> list[str]:
        """Of everything in it, sorted."""
        return sorted(os.listdir(self.path if self._at is None else self._at))

    def status(self, name: str, *, follow: bool = False) -> os.stat_result | None:
        """Of a file in it, or of the link itself where it is one, unless `follow`; None where there
        is none."""
        try:
            return os.stat(self._name(name), follow_symlinks=follow, dir_fd=self._at)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def rename(self, name: str, other: str) -> None:
        """Replaces `other`, if there is one."""
        os.replace(self._name(name), self._name(other), src_dir_fd=self._at, dst_dir_fd=self._at)

    def remove(self, name: str) -> None:
        os.unlink(self._name(name), dir_fd=self._at)

    def flush(self) -> bool:
        """Makes new names in it last; whether the file system knows how."""
        return self._at is None or flush_folder(self._at)

    def is_at(self, found: os.stat_result | None) -> bool:
        """Whether that is the status of this very folder."""
        own = self.path.stat() if self._at is None else os.fstat(self._at)
        return found is not None and os.path.samestat(own, found)

    def is_deleted(self) -> bool:
        """Whether the folder has no name left anywhere."""
        if self._at is None:
            return not self.path.is_dir()
        return os.fstat(self._at).st_nlink == 0

    def place(self) -> Path:
        """Where the folder is now, as far as the system tells."""
        with contextlib.suppress(OSError):
            return Path(f"/proc/self/fd/{self._at}").readlink()
        return self.path

    @contextlib.contextmanager
    def _below(self, folders: list[str]) -> Iterator[Directory]:
        """The folder at the end of that row of names."""
        if not folders:
            yield self
            return
        try:
            inner = self.folder(folders[0])
        except OSError as error:
            raise _explained(error) from error
        try:
            with inner._below(folders[1:]) as last:
                yield last
        finally:
            inner.close()

    def _name(self, name: str) -> str:
        """What the system's calls take for it."""
        return str(self.path / name) if self._at is None else name


def write_all(descriptor: int, data: bytes) -> None:
    """All of the bytes, however many pieces the system takes them in. Raises OSError."""
    while data:
        data = data[os.write(descriptor, data) :]


def _explained(error: OSError) -> OSError:
    """With what those numbers mean where links aren't followed."""
    if error.errno in _ONE_PART_WRONG:
        return OSError(
            error.errno, "it has become a link, or a folder in its path has", error.filename
        )
    return error


def _close(descriptor: int | None) -> None:
    if descriptor is not None:
        os.close(descriptor)
