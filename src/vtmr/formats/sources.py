"""Where other programs' files come from: a file, a folder or a ZIP, each read in bounds.

Nothing is unpacked onto the disk, no link is followed, and what a ZIP claims of its members' sizes
isn't believed.
"""

from __future__ import annotations

import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from vtmr.errors import InputError

MOST_FILES = 500_000
MOST_BYTES = 1 << 32  # of one file, and of a ZIP's in all
_ZIP_STARTS = (b"PK\x03\x04", b"PK\x05\x06")
# A link may have come into the folder since it was listed, and opening a pipe would wait for
# somebody to write into it.
_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)
# What zipfile raises for damaged ones, beside what it documents.
_ZIP_ERRORS = (
    *(zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, OSError),
    *(ValueError, LookupError, OverflowError, struct.error),
)

Opener = Callable[[str], BinaryIO]  # raises OSError or what zipfile raises


@dataclass(slots=True)
class Source:
    """Files by their paths below where they lie, with forward slashes.

    most: bytes that may still be read; a file that would take more is refused.
    """

    what: str
    names: tuple[str, ...]
    _open: Opener = field(repr=False)
    most: int = MOST_BYTES
    counts_down: bool = False

    def read(self, name: str) -> bytes:
        """A file's bytes. Raises InputError for what can't be read or is too large."""
        # One byte too many tells enough, whatever size the ZIP claims.
        data = self.start_of(name, self.most + 1)
        if len(data) > self.most:
            raise InputError(f"{name} is too large: expected at most {self.most:,} bytes.")
        if self.counts_down:
            self.most -= len(data)
        return data

    def start_of(self, name: str, size: int) -> bytes:
        """A file's first `size` bytes. Raises InputError."""
        try:
            with self._open(name) as stream:
                return stream.read(size)
        except _ZIP_ERRORS as error:
            reason = getattr(error, "strerror", None) or error
            raise InputError(f"{name} can't be read: {reason}.") from error

    def ending(self, *suffixes: str) -> list[str]:
        """The names that end so, whatever the case."""
        return [name for name in self.names if name.lower().endswith(suffixes)]

    @property
    def is_one_file(self) -> bool:
        return len(self.names) == 1


def source_of(names: Sequence[str], what: str, opener: Opener) -> Source:
    """Of files that somebody else holds open."""
    return Source(what, tuple(sorted(names)), opener)


@contextmanager
def opened_source(path: Path) -> Iterator[Source]:
    """A file, a folder or a ZIP. Raises InputError when it is none or can't be read."""
    if path.is_dir():
        names = tuple(sorted(names_below(path)))
        yield Source(str(path), names, lambda name: _plain_file(path / name))
        return
    try:
        # A link that the user named is meant; one inside a folder or a ZIP may be a stranger's.
        stream = _plain_file(path, flags=_FLAGS & ~getattr(os, "O_NOFOLLOW", 0))
    except OSError as error:
        raise InputError(f"{path} can't be read: {error.strerror or error}.") from error
    with stream:
        is_zip = stream.read(4) in _ZIP_STARTS
        stream.seek(0)
        if is_zip:
            yield zip_source(stream, str(path))
        else:
            yield Source(str(path), (path.name,), lambda name: path.open("rb"))


def bytes_source(name: str, data: bytes, most: int) -> Source:
    """Of bytes that were sent: a ZIP's members, `most` bytes in all, else a file of that name."""
    import io

    if data[:4] in _ZIP_STARTS:
        source = zip_source(io.BytesIO(data), name)
        source.most = most
        return source
    return Source(name, (name,), lambda _: io.BytesIO(data), most)


def zip_source(stream: BinaryIO, what: str) -> Source:
    """A ZIP's files, but for those whose names lead out. Raises InputError for a damaged one."""
    try:
        archive = zipfile.ZipFile(stream)
    except _ZIP_ERRORS as error:
        raise InputError(f"{what} is a damaged ZIP ({error}): fetch or make it again.") from error
    members = {
        info.filename: info
        for info in archive.infolist()[:MOST_FILES]
        if _is_wanted(info.filename) and not info.is_dir()
    }
    return Source(
        what,
        tuple(sorted(members)),
        lambda name: archive.open(members[name]),  # type: ignore[arg-type,return-value]
        # All members together, as a small ZIP can unpack to any size.
        counts_down=True,
    )


def _is_wanted(name: str) -> bool:
    """Not macOS' shadows of files, hidden files, and names that lead out."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    return bool(parts) and not name.startswith("/") and not any(map(_is_hidden, parts))


def _is_hidden(part: str) -> bool:
    return part.startswith(".") or part == "__MACOSX"


def names_below(folder: Path, prefix: str = "") -> Iterator[str]:
    """Paths of plain files below a folder; hidden ones and links are passed over.

    Raises InputError for the folder itself.
    """
    try:
        found = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        if prefix:
            return
        raise InputError(f"{folder} can't be listed: {error.strerror or error}.") from error
    for entry in found:
        if _is_hidden(entry.name):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from names_below(folder / entry.name, f"{prefix}{entry.name}/")
        elif entry.is_file(follow_symlinks=False):
            yield prefix + entry.name


def _plain_file(path: Path, flags: int = _FLAGS) -> BinaryIO:
    """Open for reading. Raises OSError for a link, a pipe or anything but a file."""
    descriptor = os.open(path, flags)
    # Asked of what was opened: by now the path may lead to another file.
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    raise OSError(0, "it is no plain file")
