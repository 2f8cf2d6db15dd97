"""Records from plain values, against the rules in the module's docstrings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import pytest

from vtmr.errors import ConfigError
from vtmr.values import from_values


@dataclass(frozen=True)
class Inner:
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outer:
    size: int
    ratio: float = 1.0
    range: tuple[float, float] = (0.0, 1.0)
    kind: Literal["a", "b"] = "a"
    on: bool = False
    inner: Inner = field(default_factory=Inner)
    maybe: Inner | None = None
    several: tuple[Inner, ...] = ()


def test_everything_finds_its_place() -> None:
    values = {
        "size": 3,
        "ratio": 2,
        "range": [0, 0.5],
        "kind": "b",
        "on": True,
        "inner": {"names": ["x"]},
        "maybe": {},
        "several": [{"names": ["y", "z"]}, {}],
    }
    made = from_values(Outer, values, "it")
    assert made == Outer(
        3, 2.0, (0.0, 0.5), "b", True, Inner(("x",)), Inner(), (Inner(("y", "z")), Inner())
    )
    assert type(made.ratio) is float
    assert from_values(Outer, {"size": 3, "maybe": None}, "it").maybe is None


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ([], r"it is \[\]: expected a table"),
        ({}, "it lacks the key 'size'"),
        ({"size": 3, "ratios": 1}, "it has the unknown key 'ratios'. Did you mean 'ratio'"),
        ({"size": 3.0}, "it.size is 3.0: expected a whole number"),
        ({"size": True}, "it.size is True: expected a whole number"),
        ({"size": 10**5000}, "it.size is a number of more than 18 digits: expected a whole number"),
        ({"size": 3, "ratio": float("nan")}, "it.ratio is nan: expected a finite number"),
        (
            {"size": 3, "ratio": 10**400},
            "it.ratio is a number of more than 18 digits: expected a finite number",
        ),
        ({"size": 3, "range": [1]}, "it.range has 1 values: expected 2"),
        ({"size": 3, "range": 1}, "it.range is 1: expected an array"),
        ({"size": 3, "kind": "c"}, "it.kind is 'c': expected one of a, b"),
        ({"size": 3, "kind": []}, r"it.kind is \[\]: expected one of a, b"),
        ({"size": 3, "on": 1}, "it.on is 1: expected true or false"),
        ({"size": 3, "inner": {"names": [1]}}, r"it.inner.names\[0\] is 1: expected a text"),
        ({"size": 3, "several": [{"name": 1}]}, r"it.several\[0\] has the unknown key 'name'"),
        ({"size": "x" * 500}, "it.size is 'x+...: expected"),
    ],
)
def test_what_does_not_fit_is_named(values: object, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        from_values(Outer, values, "it")


@dataclass(frozen=True)
class Table:
    scales: dict[str, float] = field(default_factory=dict)


def test_a_table_of_any_keys_holds_values_of_one_type() -> None:
    assert from_values(Table, {"scales": {"a": 1, "b": 0.5}}, "it") == Table({"a": 1.0, "b": 0.5})
    assert from_values(Table, {}, "it") == Table()
    with pytest.raises(ConfigError, match=r"it\.scales is 3: expected a table"):
        from_values(Table, {"scales": 3}, "it")
    with pytest.raises(ConfigError, match=r"it\.scales\.a is 'x': expected a finite number"):
        from_values(Table, {"scales": {"a": "x"}}, "it")
