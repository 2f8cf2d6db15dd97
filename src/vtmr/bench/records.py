"""One JSON line per click, and how a file of them is read again after any end of its writer."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import MISSING, asdict, dataclass, fields
from itertools import chain
from pathlib import Path
from typing import Any, get_args, get_type_hints

from vtmr.atomic import append, write_atomically
from vtmr.errors import DataError

RECORDS = "records.jsonl"
ObjectKey = tuple[str, str, str, str]  # data set, source within it, image, object
Key = tuple[str, str, str, str, int]  # the same and which of the object's repeats, from 0


@dataclass(frozen=True, slots=True)
class Record:
    """What one click did.

    dataset, source, image, object: as the sample names them. k: the click's number, from 1. x, y:
    where, in pixels (x right, y down). iou, biou: of the mask after it. seconds: from `Session.add`
    to the mask array. last: whether the object's run ended with it, so that a run cut off by an
    interruption is told from a finished one. repeat: which of the object's runs it belongs to.
    wall_seconds: all the time since the click before, or since the object was begun, reading and
    measuring included; 0 where that wasn't recorded. cut: whether the mask ends along a side of a
    crop (`vtmr.bench.cuts.is_cut`). passes: coarse passes that the answer took. Both None where
    the method doesn't tell, and in records from before. remains: the share of the error that the
    click was made on that is wrong still; None for a click on no error, a box, and before.
    """

    dataset: str
    source: str
    image: str
    object: str
    k: int
    x: float
    y: float
    positive: bool
    iou: float
    biou: float
    seconds: float
    last: bool
    repeat: int = 0
    wall_seconds: float = 0.0
    cut: bool | None = None
    passes: int | None = None
    remains: float | None = None

    @property
    def object_key(self) -> ObjectKey:
        """What names the object."""
        return self.dataset, self.source, self.image, self.object

    @property
    def key(self) -> Key:
        """What names the object's run: the object and the repeat."""
        return (*self.object_key, self.repeat)

    def to_line(self) -> str:
        """One line of JSON, with its line end."""
        return json.dumps(asdict(self), ensure_ascii=False) + "\n"

    @staticmethod
    def from_line(line: str) -> Record:
        """The inverse of `to_line`; keys that have a default may be missing.

        Raises ValueError for anything else.
        """
        values: Any = json.loads(line)
        if not isinstance(values, dict) or not _REQUIRED <= set(values) <= set(_TYPES):
            raise ValueError(f"expected an object with the keys {', '.join(_TYPES)}")
        for name, value in values.items():
            # Exact types: isinstance would take true for the number 1.
            if type(value) not in _TYPES[name]:
                expected = " or ".join(kind.__name__ for kind in _TYPES[name])
                raise ValueError(f"{name} is {value!r}, expected {expected}")
        return Record(**values)


# Worked out once: reading hints takes longer than a line, and files have tens of thousands.
_HINTS = get_type_hints(Record)
_TYPES: dict[str, tuple[type, ...]] = {}  # by key, in the fields' order
for _name in Record.__slots__:
    _TYPES[_name] = get_args(_HINTS[_name]) or (_HINTS[_name],)
# Fields with a default came later: files from before lack them and are read all the same.
_REQUIRED = {field.name for field in fields(Record) if field.default is MISSING}


def name_of(key: ObjectKey | Key) -> str:
    """As messages name an object, or one of its repeats."""
    name = "/".join(key[:4])
    if len(key) == 5 and key[4]:  # a first repeat is mostly the only one, and isn't told
        name += f", repeat {key[4]}"
    return name


def read_records(folder: Path) -> list[Record]:
    """All finished objects' records of a run's folder, in the order of the file.

    The writer appends an object's clicks at its end, so an interruption can leave at most the last
    object unfinished and the last line cut: both are left out here. Raises DataError where the file
    is missing or damaged elsewhere.
    """
    path = folder / RECORDS
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise DataError(
            f"{path} can't be read ({error.strerror}): expected the records of a vtmr evaluate run."
        ) from error
    lines.pop()  # empty after a complete line, else the cut one
    records: list[Record] = []
    for number, line in enumerate(lines, start=1):
        try:
            records.append(Record.from_line(line.decode()))
        except ValueError as error:
            raise DataError(
                f"{path}, line {number} is damaged ({error}): remove that object's lines, or use a "
                "new folder."
            ) from error
    return _finished(records, path)


def _finished(records: list[Record], path: Path) -> list[Record]:
    """The records without a last, unfinished object.

    Raises DataError when clicks are missing, doubled or mixed.
    """
    # An object's lines are written together, so only the file's last run can be unfinished.
    runs: dict[Key, list[Record]] = {}
    open_key: Key | None = None
    for number, record in enumerate(records, start=1):
        run = runs.setdefault(record.key, [])
        if record.k != len(run) + 1 or (run and run[-1].last) or open_key not in (None, record.key):
            raise DataError(
                f"{path}, line {number} is click {record.k} of {name_of(record.key)} out of order: "
                "remove that object's lines, or use a new folder."
            )
        run.append(record)
        open_key = record.key
        if record.last:
            open_key = None
    if open_key is not None:
        del runs[open_key]
    return list(chain.from_iterable(runs.values()))


def replace_records(folder: Path, records: Iterable[Record]) -> None:
    """Writes a run's records anew, whole or not at all. Raises InputError."""
    write_atomically(folder / RECORDS, _lines(records).encode())


def append_records(folder: Path, records: Iterable[Record]) -> None:
    """Appends one object's records in one go. Raises InputError."""
    # An interruption leaves at most this object unfinished, which `read_records` drops.
    append(folder / RECORDS, _lines(records))


def _lines(records: Iterable[Record]) -> str:
    return "".join(record.to_line() for record in records)
