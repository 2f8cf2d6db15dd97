"""Frozen records from plain values, as TOML and JSON have them: every key known, every type right,
or a clear error. Keys of earlier versions are found out and told."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from vtmr.errors import ConfigError, did_you_mean

_NAMES = {
    bool: "true or false",
    int: "a whole number",
    float: "a finite number",
    str: "a text",
    NoneType: "nothing",
}
_LARGEST = 1 << 63  # whole numbers beyond are for no machine
_FORMERLY = "formerly"


def formerly(*names: str) -> Mapping[str, tuple[str, ...]]:
    """Metadata of a field that earlier versions had by those names: see `by_present_names`."""
    return {_FORMERLY: names}


def by_present_names(record: type, values: Any, where: str) -> tuple[Any, list[str]]:
    """A table as `from_values` wants it, with the fields' present names for those they had before,
    and a sentence for each name that was replaced.

    Tables inside are gone through, too; what is no table or no field is left as it is. Raises
    ConfigError for a field that is given by both names.
    """
    if not isinstance(values, Mapping):
        return values, []
    former: dict[str, str] = {}
    for f in fields(record):
        former |= dict.fromkeys(f.metadata.get(_FORMERLY, ()), f.name)
    # The fields' own types are texts, as annotations are put off.
    hints = get_type_hints(record)
    present: dict[str, Any] = {}
    notes: list[str] = []
    for key, value in values.items():
        name = former.get(str(key), str(key))
        if name != key:
            if name in values:
                raise ConfigError(f"{where} has {name!r} and its old name {key!r}: leave one out.")
            notes.append(f"{where}.{key} is {where}.{name} now: the old name is still read.")
        inside = _record_in(hints.get(name))
        if inside is not None:
            value, more = by_present_names(inside, value, f"{where}.{name}")
            notes += more
        present[name] = value
    return present, notes


def _record_in(hint: Any) -> type | None:
    """The dataclass that an annotation names, alone or beside None; None where it names none."""
    for option in (hint, *get_args(hint)):
        if isinstance(option, type) and is_dataclass(option):
            return option
    return None


def from_values(record: type, values: Any, where: str) -> Any:
    """Builds the dataclass `record`, with those inside it, from a table.

    Lists become tuples, whole numbers pass for floats; what isn't given takes its default. where:
    what the table is called in errors. Raises ConfigError for unknown and missing keys and for
    values of another type, with the place.
    """
    if not isinstance(values, Mapping):
        raise ConfigError(f"{where} is {_shown(values)}: expected a table.")
    require_keys(values, record, where)
    hints = get_type_hints(record)
    arguments = {key: _value(hints[key], value, f"{where}.{key}") for key, value in values.items()}
    return record(**arguments)


def require_keys(values: Mapping[str, Any], record: type, where: str) -> None:
    """Refuses keys that the dataclass `record` doesn't have, naming the nearest one that it has,
    and missing ones."""
    known = {f.name: f for f in fields(record)}
    for key in values:
        if key not in known:
            hint = did_you_mean(str(key), known) or f" Known: {', '.join(known)}."
            raise ConfigError(f"{where} has the unknown key {key!r}.{hint}")
    for key, f in known.items():
        if key not in values and f.default is MISSING and f.default_factory is MISSING:
            raise ConfigError(f"{where} lacks the key {key!r}.")


def _value(hint: Any, value: Any, place: str) -> Any:
    """The value as a field of that annotation wants it."""
    if get_origin(hint) in (UnionType, Union):
        options = get_args(hint)
        if value is None and NoneType in options:
            return None
        # Of unions, records have optional fields alone.
        (hint,) = [option for option in options if option is not NoneType]
    if is_dataclass(hint):
        return from_values(hint, value, place)  # type: ignore[arg-type]
    if get_origin(hint) is tuple:
        return _items(get_args(hint), value, place)
    if get_origin(hint) is dict:
        return _entries(get_args(hint)[1], value, place)
    if get_origin(hint) is Literal:
        if value not in get_args(hint):
            raise ConfigError(
                f"{place} is {_shown(value)}: expected one of {', '.join(get_args(hint))}."
            )
        return value
    # Not isinstance: Python's True is an int, too.
    if hint is float and type(value) is int and abs(value) < _LARGEST:
        return float(value)
    if (
        type(value) is not hint
        or (hint is float and not math.isfinite(value))
        or (hint is int and abs(value) >= _LARGEST)
    ):
        raise ConfigError(f"{place} is {_shown(value)}: expected {_NAMES[hint]}.")
    return value


def _items(hints: tuple[Any, ...], value: Any, place: str) -> tuple[Any, ...]:
    """An array of the length and the types that tuple[...] asks for."""
    if not isinstance(value, list | tuple):
        raise ConfigError(f"{place} is {_shown(value)}: expected an array.")
    if hints[-1] is Ellipsis:
        hints = (hints[0],) * len(value)
    if len(value) != len(hints):
        raise ConfigError(f"{place} has {len(value)} values: expected {len(hints)}.")
    items = []
    for i, (hint, item) in enumerate(zip(hints, value, strict=True)):
        items.append(_value(hint, item, f"{place}[{i}]"))
    return tuple(items)


def _entries(hint: Any, value: Any, place: str) -> dict[str, Any]:
    """A table of any keys, whose values are all of one type."""
    if not isinstance(value, Mapping):
        raise ConfigError(f"{place} is {_shown(value)}: expected a table.")
    return {str(key): _value(hint, item, f"{place}.{key}") for key, item in value.items()}


def _shown(value: Any) -> str:
    """The value for a sentence, cut where it is long."""
    if type(value) is int and abs(value) >= _LARGEST:
        # Python refuses to write numbers of thousands of digits
        return "a number of more than 18 digits"
    text = repr(value)
    if len(text) > 80:
        text = f"{text[:77]}..."
    return text
