"""A large JSON file's one long array, item by item: decoded whole it takes eight times its text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_SPACES = re.compile(r"[ \t\n\r]*")
_DECODER = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class Span:
    """A value that stays text until it is needed."""

    text: str
    start: int

    def decoded(self) -> Any:
        """The value. Raises ValueError or RecursionError."""
        return _DECODER.raw_decode(self.text, self.start)[0]


def array_items(
    text: str, key: str, others: dict[str, Any] | None = None
) -> Iterator[tuple[Any, Span]]:
    """The items of the array `key` of the JSON object that `text` is, decoded, and where they are.

    others: is given the object's other members. Raises ValueError for anything that isn't a JSON
    object, LookupError at the end when it had no such array, RecursionError for values that are
    nested too deeply.
    """
    found = False
    place = _after(text, _SPACES.match(text, 0).end(), "{")  # type: ignore[union-attr]
    while text[place : place + 1] != "}":
        name, place = _value(text, place)
        if not isinstance(name, str):
            raise ValueError(f"expected a name at character {place}")
        place = _after(text, place, ":")
        if name == key and text[place : place + 1] == "[":
            found = True
            place = _after(text, place, "[")
            while text[place : place + 1] != "]":
                start = place
                item, place = _value(text, place)
                yield item, Span(text, start)
                place = _comma(text, place, "]")
            place = _after(text, place, "]")
        else:
            value, place = _value(text, place)
            if others is not None:
                others[name] = value
        place = _comma(text, place, "}")
    if _after(text, place, "}") != len(text):
        raise ValueError("there is something after it")
    if not found:
        raise LookupError(f"no {key!r} in it")


def list_items(text: str) -> Iterator[Any]:
    """The items of the JSON list that `text` is, or the one object that it is.

    Raises ValueError for anything else, RecursionError for values that are nested too deeply.
    """
    place = _SPACES.match(text, 0).end()  # type: ignore[union-attr]
    if text[place : place + 1] == "{":
        item, place = _value(text, place)
        yield item
    else:
        place = _after(text, place, "[")
        while text[place : place + 1] != "]":
            item, place = _value(text, place)
            yield item
            place = _comma(text, place, "]")
        place = _after(text, place, "]")
    if place != len(text):
        raise ValueError("there is something after it")


def _value(text: str, place: int) -> tuple[Any, int]:
    """The value there, and the place of what comes after it."""
    value, end = _DECODER.raw_decode(text, place)
    return value, _SPACES.match(text, end).end()  # type: ignore[union-attr]


def _after(text: str, place: int, mark: str) -> int:
    """The place of what comes after the mark. Raises ValueError where there is another one."""
    if text[place : place + 1] != mark:
        raise ValueError(f"expected {mark!r} at character {place}")
    return _SPACES.match(text, place + 1).end()  # type: ignore[union-attr]


def _comma(text: str, place: int, end: str) -> int:
    """The place of the next item, or of the end. Raises ValueError where there is neither."""
    if text[place : place + 1] == end:
        return place
    place = _after(text, place, ",")
    if text[place : place + 1] == end:
        raise ValueError(f"expected another item at character {place}")
    return place
