"""The project's labels with their colours and attributes, and its settings, in project.json."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from vtmr.app.directory import Directory
from vtmr.app.documents import UNREADABLE, Head
from vtmr.errors import InputError
from vtmr.formats.details import MAX_ATTRIBUTES, MAX_VALUE
from vtmr.formats.records import MAX_LABEL

LABELS = "project.json"
MAX_LABELS = 5000
MAX_CHOICES = 100  # values that an attribute offers
COLOUR = re.compile(r"#[0-9a-f]{6}")

Choices = tuple[tuple[str, tuple[str, ...]], ...]  # an attribute's name, the values it offers
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Label:
    """A label. colour: "#rrggbb", None for the page's own choice. attributes: what its objects are
    asked for. passing: it came with an object, and goes when that is undone."""

    name: str
    colour: str | None = None
    attributes: Choices = ()
    passing: bool = False

    def to_json(self) -> Json:
        """As it is imported, exported and shown in the manager."""
        attributes = {name: list(values) for name, values in self.attributes}
        return {"name": self.name, "colour": self.colour, "attributes": attributes}


class Labels:
    """The labels in the order in which they came up, or which the user gave them. Not
    thread-safe.

    keep_apart: whether what is added to masks is taken from no neighbour, for whoever opens the
    folder; None where nobody said so yet.
    """

    def __init__(self, labels: Iterable[Label] = (), keep_apart: bool | None = None) -> None:
        self.all = {label.name: label for label in labels}
        self.keep_apart = keep_apart
        self.is_saved = True

    @property
    def names(self) -> list[str]:
        """All of them, in their order."""
        return list(self.all)

    def add(self, names: Iterable[str], *, passing: bool = False) -> None:
        """Appends those that are new; those that are known and wanted for good stay from now on."""
        for name in names:
            known = self.all.get(name)
            if known is None:
                self.all[name] = Label(name, passing=passing)
            elif known.passing and not passing:
                self.all[name] = replace(known, passing=False)
            else:
                continue
            self.is_saved = False

    def put(self, labels: Iterable[Label]) -> None:
        """These in the place of all."""
        self.all = {label.name: label for label in labels}
        self.is_saved = False

    def settle(self, keep_apart: bool | None) -> None:
        """Whether objects are kept apart from now on."""
        self.keep_apart = keep_apart
        self.is_saved = False

    def forget_unused(self, names: Iterable[str], heads: Iterable[Head]) -> None:
        """Drops those of the names that came with an object, unless one still has them.

        heads: of all documents. While what one of them holds isn't known, everything stays.
        """
        # Others were made on purpose, and stay without any object.
        left = {name for name in names if name in self.all and self.all[name].passing}
        for head in heads:
            if not left or head.labels is None:
                return
            left.difference_update(head.labels)
        for name in left:
            del self.all[name]
            self.is_saved = False

    def save(self, folder: Directory) -> None:
        """Writes them, if they changed. A disk that refuses can wait with them: documents say
        which labels they use."""
        with contextlib.suppress(OSError):
            self.save_now(folder)

    def save_now(self, folder: Directory) -> None:
        """Writes them, if they changed. Raises OSError."""
        if not self.is_saved:
            folder.write(LABELS, json.dumps(self._as_json()).encode())
            self.is_saved = True

    def _as_json(self) -> Json:
        """Names in a list of their own, as earlier versions wrote and read them."""
        coloured = [label for label in self.all.values() if label.colour is not None]
        asking = [label for label in self.all.values() if label.attributes]
        settings = {} if self.keep_apart is None else {"keep_apart": self.keep_apart}
        return {
            **settings,
            "labels": self.names,
            "colours": {label.name: label.colour for label in coloured},
            "attributes": {label.name: label.to_json()["attributes"] for label in asking},
            "passing": [label.name for label in self.all.values() if label.passing],
        }


def read_labels(folder: Directory) -> tuple[Labels, str | None]:
    """The folder's labels and settings; and a sentence when they can't be read, with none."""
    try:
        found = json.loads(folder.read(LABELS))
        colours, attributes = found.get("colours", {}), found.get("attributes", {})
        passing = set(found.get("passing", []))
        labels = []
        for entry in found["labels"]:
            name = str(entry)
            record = {
                "name": name,
                "colour": colours.get(name),
                "attributes": attributes.get(name, {}),
            }
            labels.append(replace(_lenient(record), passing=name in passing))
        apart = found.get("keep_apart")
        return Labels(labels, apart if isinstance(apart, bool) else None), None
    except FileNotFoundError:
        return Labels(), None
    except (OSError, *UNREADABLE) as error:
        return Labels(), f"{LABELS} can't be read ({error}): its labels come back as they are used."


def labels_from_json(content: Any) -> list[Label]:
    """Labels as vtmr exports them, as CVAT does, or as a list of names.

    Raises InputError for anything else, and names what is wrong with the first label that can't be
    used.
    """
    records = content.get("labels") if isinstance(content, Mapping) else content
    if not isinstance(records, list) or not records:
        raise InputError(
            'This isn\'t a list of labels: expected {"labels": [{"name": "cup"}]}, or a list of '
            "names."
        )
    labels = {label.name: label for label in map(label_from_json, records)}
    if len(labels) > MAX_LABELS:
        raise InputError(f"It has {len(labels)} labels: expected at most {MAX_LABELS}.")
    return list(labels.values())


def label_from_json(record: Any) -> Label:
    """A label from its name, or from a record with name, colour (or color) and attributes.

    Raises InputError.
    """
    if isinstance(record, str):
        return Label(label_name(record))
    if not isinstance(record, Mapping):
        raise InputError(f"The label {str(record)[:40]!r} is neither a name nor an object.")
    name = label_name(record.get("name"))
    colour = record.get("colour", record.get("color"))
    return Label(name, _colour(colour), _choices(name, record.get("attributes")))


def label_name(found: Any) -> str:
    """Raises InputError for what can't be a label's name."""
    name = found.strip() if isinstance(found, str) else ""
    if not 1 <= len(name) <= MAX_LABEL or not name.isprintable():
        raise InputError(
            f"The label {str(found)[:40]!r} can't be used: expected 1 to {MAX_LABEL} printable "
            "characters."
        )
    return name


def _colour(found: Any) -> str | None:
    """Raises InputError."""
    if found is None or found == "":
        return None
    colour = found.lower() if isinstance(found, str) else ""
    if not COLOUR.fullmatch(colour):
        raise InputError(f"The colour {str(found)[:40]!r} can't be used: expected #rrggbb.")
    return colour


def _choices(label: str, found: Any) -> Choices:
    """Attributes as {name: [values]}, or as CVAT's list of {name, values}. Raises InputError."""
    pairs: list[tuple[Any, Any]] = []
    if isinstance(found, Mapping):
        pairs = list(found.items())
    elif isinstance(found, list):
        for record in found:
            if not isinstance(record, Mapping):
                raise InputError(f"An attribute of {label!r} is no object: expected a name.")
            pairs.append((record.get("name"), record.get("values", [])))
    elif found is not None:
        raise InputError(f"The attributes of {label!r} are no object: expected names and values.")
    choices: dict[str, tuple[str, ...]] = {}
    for name, values in pairs:
        if not isinstance(values, list):
            raise InputError(f"The attribute {name!r} of {label!r} has no list of values.")
        # What is more than can be shown is left out: a file of another tool may have thousands.
        shown = (_value(label, value) for value in values[:MAX_CHOICES])
        choices[label_name(name)] = tuple(dict.fromkeys(shown))
    return tuple(choices.items())[:MAX_ATTRIBUTES]


def _value(label: str, found: Any) -> str:
    value = found.strip() if isinstance(found, str) else ""
    if not 1 <= len(value) <= MAX_VALUE or not value.isprintable():
        raise InputError(
            f"The value {str(found)[:40]!r} of an attribute of {label!r} can't be used: expected 1 "
            f"to {MAX_VALUE} printable characters."
        )
    return value


def _lenient(record: Mapping[str, Any]) -> Label:
    """A label of our own file; what can't be read of it costs itself alone."""
    try:
        return label_from_json(record)
    except InputError:
        return Label(str(record["name"]))
