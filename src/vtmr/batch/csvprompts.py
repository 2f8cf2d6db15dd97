"""Prompts in a CSV file: a click, a box or a rough mask a row; docs/doors/batch.md lists the
columns."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

from vtmr.atomic import true_path
from vtmr.batch.records import Failure, Prompt
from vtmr.errors import InputError
from vtmr.formats.records import DEFAULT_LABEL, plain_label
from vtmr.types import BoxPrompt, Click

_POINT, _BOX = ("x", "y"), ("x0", "y0", "x1", "y1")
_NEEDED: Mapping[str, Sequence[str]] = {"click": _POINT, "box": _BOX, "mask": ("mask",)}  # by kind
COLUMNS = ("image", "object", "kind", *_POINT, "positive", *_BOX, "mask", "label", "score")
_YES, _NO = ("", "1", "true", "yes", "+"), ("0", "false", "no", "-")
_DELIMITERS = ",;\t"


@dataclass(frozen=True, slots=True)
class CsvPrompts:
    """A file's prompts by the image's name, and what couldn't be read.

    notes: sentences on what was passed over without costing anything.
    """

    prompts: dict[str, list[Prompt]]
    failures: list[Failure]
    notes: list[str]


@dataclass(slots=True)
class _Rows:
    """An object's rows, sorted by what they say. wrong: why it isn't made, "" where it is."""

    clicks: list[Click] = field(default_factory=list)
    boxes: list[BoxPrompt] = field(default_factory=list)
    masks: list[Path] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    wrong: str = ""


def read_csv(path: Path, content: bytes) -> CsvPrompts:
    """The prompts in the file's bytes; `path` says where rough masks lie and what errors name.

    A row that can't be read costs its object: a mask made of the other rows would look right.
    Raises InputError for a file that isn't UTF-8 and for a header that lacks a column, names one
    twice or misspells one.
    """
    lines = _lines(path, content)
    try:
        header, delimiter = _header(path, lines)
        notes = _require_header(path, header)
        rows: dict[tuple[str, str], _Rows] = {}
        failures: list[Failure] = []
        for line, cells in _each_row(lines, delimiter):
            _read_row(path, header, line, cells, rows, failures)
    except csv.Error as error:
        raise InputError(f"{path} can't be read as CSV: {error}.") from error
    prompts: dict[str, list[Prompt]] = {}
    for (image, object_id), found in rows.items():
        try:
            prompts.setdefault(image, []).append(_prompt(object_id, found))
        except InputError as error:
            failures.append(Failure(image, object_id, str(error)))
    return CsvPrompts(prompts, failures, notes)


def _lines(path: Path, content: bytes) -> list[str]:
    try:
        # Excel's "CSV UTF-8" begins with a byte order mark, which would become part of the first
        # column's name.
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} isn't UTF-8 ({error}): save it as UTF-8.") from error
    # UTF-16 of plain letters passes as UTF-8 with a zero byte beside each.
    if "\0" in text:
        raise InputError(f"{path} holds zero bytes, as no CSV file does: save it as UTF-8.")
    # A quoted cell may hold line ends: newline="" leaves them to the csv module, as it asks for.
    return list(io.StringIO(text, newline=""))


def _header(path: Path, lines: Sequence[str]) -> tuple[list[str], str]:
    """The names of the columns, and what divides them: a comma, a semicolon or a tab."""
    first = lines[0] if lines else ""
    # Spreadsheets save with semicolons where numbers have a decimal comma. The header decides:
    # its names hold none of the three, and a row's cells may.
    delimiter = max(_DELIMITERS, key=first.count)
    header = next(csv.reader([first], delimiter=delimiter), [])
    if not any(name.strip() for name in header):
        raise InputError(f"{path} has no header: expected the columns {', '.join(COLUMNS)}.")
    return [name.strip().lower() for name in header], delimiter


def _require_header(path: Path, header: Sequence[str]) -> list[str]:
    """A sentence on columns that are passed over. Raises InputError."""
    strange = []
    for name in header:
        if header.count(name) > 1 and name:
            raise InputError(f"{path} has two columns {name!r}: expected each once.")
        if name in COLUMNS or not name:
            continue
        near = get_close_matches(name, COLUMNS, n=1, cutoff=0.75)
        if near:
            raise InputError(
                f"{path} has a column {name!r}: did you mean {near[0]!r}? Columns that are called "
                "almost as ours aren't passed over."
            )
        strange.append(name)
    missing = [name for name in ("image", "kind") if name not in header]
    if missing or not any(set(columns) <= set(header) for columns in _NEEDED.values()):
        lacks = missing or ["x and y, x0, y0, x1 and y1, or mask"]
        raise InputError(
            f"{path} lacks the column {' and '.join(lacks)}; its first line is "
            f"{', '.join(header)[:120]!r}. Expected a header with some of {', '.join(COLUMNS)}."
        )
    if strange:
        return [f"{path}: the columns {', '.join(strange)[:120]} aren't used."]
    return []


def _each_row(lines: Sequence[str], delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """The rows after the header that hold anything, each with the number of its last line."""
    reader = csv.reader(lines[1:], delimiter=delimiter)
    for cells in reader:
        if any(cell.strip() for cell in cells):
            yield reader.line_num + 1, cells


def _read_row(
    path: Path,
    header: Sequence[str],
    line: int,
    cells: Sequence[str],
    rows: dict[tuple[str, str], _Rows],
    failures: list[Failure],
) -> None:
    """Adds the row to its object, or says why the object isn't made."""
    row = {name: cell.strip() for name, cell in zip(header, cells, strict=False)}
    image = row.get("image", "")
    if not image:
        failures.append(Failure("", "", f"{path.name}, line {line}: it names no image."))
        return
    # Without a name of its own a row is an object by itself.
    object_id = row.get("object", "") or f"line {line}"
    found = rows.setdefault((image, object_id), _Rows())
    try:
        # As of a decimal comma that divides a number: all cells after it belong to other columns.
        if len(cells) > len(header):
            raise InputError(f"it has {len(cells)} cells, the header {len(header)}.")
        _add(found, row, path.parent)
    except InputError as error:
        found.wrong = found.wrong or f"{path.name}, line {line}: {error}"


def _add(found: _Rows, row: Mapping[str, str], folder: Path) -> None:
    kind = row.get("kind", "").lower()
    if kind not in _NEEDED:
        raise InputError(f"the kind {kind!r} is unknown: expected {', '.join(_NEEDED)}.")
    if kind == "click":
        x, y = (_number(row, name) for name in _POINT)
        found.clicks.append(Click(x, y, _sign(row.get("positive", ""))))
    elif kind == "box":
        found.boxes.append(BoxPrompt(*(_number(row, name) for name in _BOX)))
    else:
        found.masks.append(_mask_path(row.get("mask", ""), folder))
    if row.get("label"):
        found.labels.append(row["label"])
    if row.get("score"):
        found.scores.append(_number(row, "score"))


def _number(row: Mapping[str, str], name: str) -> float:
    text = row.get(name, "")
    # float would read 1_0 as ten, and digits of other scripts.
    if text.isascii() and "_" not in text:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if math.isfinite(value):
            return value
    raise InputError(f"{name} is {text[:40]!r}, expected a number with a decimal point.")


def _sign(text: str) -> bool:
    if text.lower() in _YES:
        return True
    if text.lower() in _NO:
        return False
    raise InputError(f"positive is {text[:40]!r}, expected 1 or 0.")


def _mask_path(text: str, folder: Path) -> Path:
    """Where a rough mask lies. Raises InputError for one outside the file's folder."""
    if not text:
        raise InputError("the column mask is empty, expected the path of a mask file.")
    path = folder / text
    # By true paths, as a link in the folder may lead out of it.
    if not true_path(path).is_relative_to(true_path(folder)):
        raise InputError(
            f"the mask {text[:80]!r} lies outside the CSV file's folder {folder}: paths are "
            "relative to it, put the CSV file into a folder that the masks are below of."
        )
    return path


def _prompt(object_id: str, found: _Rows) -> Prompt:
    """An object's rows as one prompt: what it begins with, then the clicks in their order."""
    if found.wrong:
        raise InputError(found.wrong)
    beginnings = len(found.boxes) + len(found.masks)
    if beginnings > 1:
        raise InputError(
            f"it has {len(found.boxes)} boxes and {len(found.masks)} masks: expected one of them."
        )
    labels = dict.fromkeys(found.labels)
    if len(labels) > 1:
        raise InputError(f"it has the labels {', '.join(labels)[:80]}: expected one.")
    label = plain_label(found.labels[0]) if found.labels else DEFAULT_LABEL
    return Prompt(
        object_id,
        label,
        tuple(found.clicks),
        found.boxes[0] if found.boxes else None,
        mask_path=found.masks[0] if found.masks else None,
        score=found.scores[0] if found.scores else None,
    )
