"""An index that is made once and read often: one compressed record per key, in one file beside its
log.

`records.bin` holds the records one after the other, `log.jsonl` what they were made from, then a
line per record and, at the end, that all are there. Both only grow, so a build that was interrupted
goes on where it stopped; every record has a checksum, so a damaged file is built again from its
first bad record on.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.progress import track

from vtmr.atomic import take_lock, write_atomically
from vtmr.errors import DataError, InputError

VERSION = 1  # another one is built anew
RECORDS, LOG, LOCK = "records.bin", "log.jsonl", ".lock"

Maker = Callable[[str], Any]  # key -> JSON values, or None when there is nothing to say of the key


@dataclass(frozen=True)
class MaskIndex:
    """A finished index: `places` says where in `path` a key's record begins and how long it is.

    Safe to share.
    """

    path: Path
    places: dict[str, tuple[int, int]]

    def read(self, key: str) -> Any:
        """The record's values. Raises DataError when the file changed under us."""
        offset, length = self.places[key]
        try:
            with self.path.open("rb") as file:
                file.seek(offset)
                return json.loads(zlib.decompress(file.read(length)))
        except (OSError, zlib.error, ValueError) as error:
            raise DataError(
                f"{self.path} was damaged in use: {error}. Start again: it is mended then."
            ) from error


def open_index(
    folder: Path,
    sources: Mapping[str, str],
    plan: Callable[[], tuple[Sequence[str], Maker]],
    title: str,
) -> MaskIndex:
    """The index in `folder`; what is missing, damaged or made from other sources is made first,
    with a progress bar.

    sources: what the index is made from, by name, with a checksum. plan: called when there is
    something to make; returns all keys and the function that makes a record. Raises DataError when
    the folder can't be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder / LOCK):
            entries, complete = sound_entries(folder, sources)
            if not complete:
                keys, make = plan()
                extend(folder, sources, entries, keys, make, title)
                entries, complete = sound_entries(folder, sources)
    except (OSError, InputError) as error:
        raise DataError(
            f"The index {folder} can't be made: {error}. Name another folder for it."
        ) from error
    if not complete:
        raise DataError(
            f"The index {folder} is damaged again right after it was made: check the disk."
        )
    places, offset = {}, 0
    for key, length in entries:
        if length:
            places[key] = (offset, length)
        offset += length
    return MaskIndex(folder / RECORDS, places)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """One process at a time; the others wait. The lock goes with its process, however that ends."""
    with path.open("w") as file:
        take_lock(file.fileno(), wait=True)
        yield


def header(sources: Mapping[str, str]) -> dict[str, Any]:
    """The log's first line."""
    return {"version": VERSION, "sources": dict(sources)}


def sound_entries(folder: Path, sources: Mapping[str, str]) -> tuple[list[tuple[str, int]], bool]:
    """(key, length) of the records before the first bad one, and whether these are all there should
    be."""
    entries: list[tuple[str, int]] = []
    try:
        lines = (folder / LOG).read_text(encoding="utf-8").splitlines()
        if not lines or json.loads(lines[0]) != header(sources):
            return [], False
        with (folder / RECORDS).open("rb") as records:
            size = (folder / RECORDS).stat().st_size
            for line in lines[1:]:
                row = json.loads(line)
                if row == {"records": len(entries)}:
                    return entries, True
                key, length, checksum = row
                # Compared first: a damaged length could ask for more memory than there is.
                if not 0 <= length <= size:
                    break
                if _checksum(key, records.read(length)) != checksum:
                    break
                entries.append((key, length))
    except (FileNotFoundError, ValueError, TypeError, AttributeError):
        pass  # as far as it could be read; a line may be torn or nonsense
    return entries, False


def extend(
    folder: Path,
    sources: Mapping[str, str],
    entries: Sequence[tuple[str, int]],
    keys: Sequence[str],
    make: Maker,
    title: str,
) -> None:
    """Cuts both files after the sound entries and adds the records of all other keys."""
    done = {key for key, _ in entries}
    lines = [json.dumps(header(sources))]
    if entries:
        old = (folder / LOG).read_text(encoding="utf-8").splitlines()
        lines += old[1 : 1 + len(entries)]
    write_atomically(folder / LOG, ("\n".join(lines) + "\n").encode())
    with (
        (folder / RECORDS).open("ab") as records,
        (folder / LOG).open("a", encoding="utf-8") as log,
    ):
        records.truncate(sum(length for _, length in entries))
        left = [key for key in keys if key not in done]
        for key in track(left, title, total=len(keys), completed=len(done), disable=not left):
            values, data = make(key), b""
            if values is not None:
                data = zlib.compress(json.dumps(values).encode())
            records.write(data)
            records.flush()  # before its line, so that a line always has its record
            log.write(json.dumps([key, len(data), _checksum(key, data)]) + "\n")
            log.flush()
        log.write(json.dumps({"records": len(done) + len(left)}) + "\n")


def _checksum(key: str, data: bytes) -> int:
    """Of a record and of its key: one that lies under another's key is damaged, too."""
    return zlib.crc32(data, zlib.crc32(key.encode()))
