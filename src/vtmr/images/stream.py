"""Files as decoders see them: plain files alone, of these the parts that count, and no header
without an end."""

from __future__ import annotations

import io
import os
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from vtmr.errors import InputError

# Windows has a flag of its own and lacks the others.
_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_BINARY", 0)
)
HEADER_SECONDS = 2.0  # of this thread's CPU: a slow disk may take as long as it does

_KINDS = (
    (stat.S_ISDIR, "is a directory"),
    (stat.S_ISFIFO, "is a pipe"),
    (stat.S_ISSOCK, "is a socket"),
    (stat.S_ISCHR, "is a device"),
    (stat.S_ISBLK, "is a device"),
)


@contextmanager
def plain_file(path: str | Path) -> Iterator[BinaryIO]:
    """The file, open for reading.

    Raises InputError when it can't be opened, is empty or is anything but a file: reading a pipe
    waits for a writer for good.
    """
    try:
        descriptor = os.open(path, _FLAGS)
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        kind = next((name for is_it, name in _KINDS if is_it(mode)), "is no file")
        raise InputError(f"{path} {kind}: expected an image file.")
    with os.fdopen(descriptor, "rb") as stream:
        try:
            if not stream.peek(1):
                raise InputError(f"{path} is empty (zero bytes): expected an image.")
            yield stream
        except OSError as error:
            raise _unreadable(path, error) from error


class Spliced:
    """Parts of a file one after the other, as if they were a file.

    While `header` is true, reading stops once it has taken HEADER_SECONDS: a damaged or hostile
    header may go on byte by byte for hundreds of megabytes.
    """

    def __init__(self, stream: BinaryIO, parts: Sequence[tuple[int, int]], *, whole: bool) -> None:
        """whole: the parts are the file, so that a decoder may read it by its descriptor."""
        self._stream, self._parts, self._whole = stream, parts, whole
        self._size = sum(length for _, length in parts)
        self._place = 0
        self._until = time.thread_time() + HEADER_SECONDS
        self.header = True

    def read(self, size: int = -1) -> bytes:
        """As a file's."""
        if self.header and time.thread_time() > self._until:
            raise OSError("its header has no end")
        left = self._size - self._place
        wanted = left if size is None or size < 0 else min(size, left)
        found = []
        while wanted > 0:
            data = self._read_part(wanted)
            if not data:
                break
            found.append(data)
            self._place += len(data)
            wanted -= len(data)
        return found[0] if len(found) == 1 else b"".join(found)

    def seek(self, place: int, whence: int = io.SEEK_SET) -> int:
        """As a file's."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence]
        if start + place < 0:
            raise ValueError(f"there is no place {start + place}")
        self._place = start + place
        return self._place

    def tell(self) -> int:
        """As a file's."""
        return self._place

    def fileno(self) -> int:
        """The file's descriptor. Raises OSError where this isn't the whole file."""
        if not self._whole:
            raise io.UnsupportedOperation("parts of a file have no descriptor")
        return self._stream.fileno()

    def _read_part(self, wanted: int) -> bytes:
        """What is there at the place, up to the end of its part."""
        before = 0
        for offset, length in self._parts:
            inside = self._place - before
            if inside < length:
                self._stream.seek(offset + inside)
                return self._stream.read(min(wanted, length - inside))
            before += length
        return b""


def _unreadable(path: str | Path, error: Exception) -> InputError:
    reason = getattr(error, "strerror", None) or error
    return InputError(f"{path} can't be read: {reason}.")
