"""The journal: a line per change, on the disk before the change is answered.

A line that the disk took only in part is cut off again. Where even that fails the journal is torn:
nothing may follow in it, for who reads it could take the torn line, which nobody was told of, for a
change. Then it has to be made anew (`renew`), once the documents hold what it said.
"""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass
from typing import Any

from vtmr.app.directory import Directory, write_all
from vtmr.app.lines import unsealed
from vtmr.atomic import flush
from vtmr.session.eventlog import whole_number

JOURNAL = "journal.jsonl"
_APPEND = os.O_RDWR | os.O_CREAT | os.O_APPEND


@dataclass(frozen=True, slots=True)
class Entries:
    """What a journal says. records: the sound lines. damaged: sentences about the others. torn:
    bytes of a last line without an end, which was never answered."""

    records: tuple[dict[str, Any], ...]
    damaged: tuple[str, ...] = ()
    torn: int = 0


class Journal:
    """The journal of a folder, open for writing. Every method raises OSError."""

    def __init__(self, folder: Directory) -> None:
        self._folder = folder
        self._descriptor = folder.file(JOURNAL, _APPEND)
        status = os.fstat(self._descriptor)
        self.size = status.st_size  # of what was acknowledged
        self.is_torn = False  # ends with something that couldn't be cut off again
        self.flushes = True  # the file system can say that the bytes are on the disk
        if status.st_nlink > 1:
            # A backup made of hard links, or a trap: what we write mustn't reach the other name.
            self._replace(folder.read(JOURNAL))

    def close(self) -> None:
        """Lets go of the file, which stays as it is."""
        with contextlib.suppress(OSError):
            os.close(self._descriptor)
        self._descriptor = -1

    def append(self, line: bytes) -> None:
        """Adds a line. When this raises, it isn't there, or `is_torn` from now on."""
        try:
            write_all(self._descriptor, line)
            self.flushes = flush(self._descriptor)
        except OSError:
            self.is_torn = True
            with contextlib.suppress(OSError):
                self.cut()
            raise
        self.size += len(line)

    def take_back(self, line: bytes) -> None:
        """Takes off the last line, which wasn't acknowledged after all."""
        self.size -= len(line)
        self.is_torn = True
        with contextlib.suppress(OSError):
            self.cut()

    def cut(self) -> None:
        """Takes off what was never acknowledged."""
        os.ftruncate(self._descriptor, self.size)
        self.is_torn = False

    def is_whole(self) -> bool:
        """Whether it is as long as what was acknowledged."""
        return not self.is_torn and os.fstat(self._descriptor).st_size == self.size

    def is_longer(self) -> bool:
        """Whether somebody else added to it."""
        return os.fstat(self._descriptor).st_size > self.size

    def is_here(self) -> bool:
        """Whether the folder's file of that name is the one that we write to."""
        found = self._folder.status(JOURNAL)
        return found is not None and os.path.samestat(os.fstat(self._descriptor), found)

    def empty(self) -> None:
        """Begins it again, once the documents hold what it said."""
        os.ftruncate(self._descriptor, 0)
        self.size, self.is_torn = 0, False
        flush(self._descriptor)

    def renew(self) -> None:
        """Puts an empty one in its place, whatever became of the old one."""
        self._replace(b"")

    def keep_aside(self) -> str:
        """Keeps a copy of the folder's file of that name, if there is one; the copy's name."""
        name = f"journal-damaged-{time.strftime('%Y%m%d-%H%M%S')}.jsonl"
        with contextlib.suppress(FileNotFoundError):
            self._folder.write(name, self._folder.read(JOURNAL))
        return name

    def _replace(self, data: bytes) -> None:
        self._folder.write(JOURNAL, data)
        self.close()
        self._descriptor = self._folder.file(JOURNAL, _APPEND)
        self.size, self.is_torn = len(data), False


def read_journal(folder: Directory) -> Entries:
    """What the folder's journal says. Raises OSError."""
    try:
        complete, _, torn = folder.read(JOURNAL).rpartition(b"\n")
    except FileNotFoundError:
        return Entries(())
    records: list[dict[str, Any]] = []
    damaged: list[str] = []
    for number, line in enumerate(complete.split(b"\n"), start=1):
        # Of an empty file split() makes one empty line.
        if not line and not complete:
            break
        try:
            record, intact = unsealed(line)
            if not intact:
                raise ValueError("its checksum is another")
            # What follows relies on these.
            image, revision = str(record["image"]), whole_number(record["revision"])
            records.append({**record, "image": image, "revision": revision})
        except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
            damaged.append(f"line {number} of {JOURNAL} is damaged ({error})")
    return Entries(tuple(records), tuple(damaged), len(torn))
