"""What the values of a recipe may be: declared beside the fields, checked when a record is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from vtmr.errors import ConfigError

KEY = "bound"  # in the metadata of a field


@dataclass(frozen=True, slots=True)
class Bound:
    """Whether a value is allowed, and the words for those that are."""

    allows: Callable[[Any], bool]
    expected: str


Metadata = Mapping[str, Bound]


def within(least: float, most: float, expected: str = "") -> Metadata:
    """From the least to the most, both included."""
    words = expected or f"{least:g} to {most:g}"
    return {KEY: Bound(lambda value: least <= value <= most, words)}


def below(least: float, limit: float, expected: str) -> Metadata:
    """From the least, included, to the limit, which is not; a limit of infinity asks for finite
    numbers."""
    return {KEY: Bound(lambda value: least <= value < limit, expected)}


def between(low: float, high: float, expected: str) -> Metadata:
    """Both ends excluded."""
    return {KEY: Bound(lambda value: low < value < high, expected)}


def at_least(least: float, expected: str = "") -> Metadata:
    """From the least on."""
    words = expected or f"at least {least:g}"
    return {KEY: Bound(lambda value: value >= least, words)}


def one_of(known: Sequence[str], expected: str = "") -> Metadata:
    """One of those names."""
    words = expected or f"one of {', '.join(known)}"
    return {KEY: Bound(lambda value: value in known, words)}


def require(condition: bool, message: str) -> None:
    """Raises ConfigError with the message unless the condition holds."""
    if not condition:
        raise ConfigError(message)


def require_bounds(record: Any, table: str = "") -> None:
    """Checks those fields of a dataclass that have a bound, in their order.

    table: what the recipe calls the record, with a dot behind it. Raises ConfigError.
    """
    for known in fields(record):
        bound: Bound | None = known.metadata.get(KEY)
        value = getattr(record, known.name)
        if bound is not None and not bound.allows(value):
            raise ConfigError(f"{table}{known.name} is {value!r}: expected {bound.expected}.")
