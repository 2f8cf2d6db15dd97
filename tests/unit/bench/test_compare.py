"""Paired differences: the expected means are worked out by hand, the intervals where they are
certain."""

from __future__ import annotations

import pytest

from vtmr.bench import Protocol, Record
from vtmr.bench.compare import Difference, differences, differing_settings
from vtmr.bench.figures import Objects, objects_of

PROTOCOL = Protocol(max_clicks=5, min_clicks=1, report_at=(1,))


def objects(clicks: dict[str, int]) -> Objects:
    """Objects that reach IoU 1 with that click and are at .5 before; 6 for never."""
    records = [
        Record(
            "d",
            "s",
            name,
            "0",
            k,
            1.5,
            2.5,
            True,
            1.0 if k == needed else 0.5,
            0.5,
            0.01,
            last=k == min(needed, 5),
        )
        for name, needed in clicks.items()
        for k in range(1, min(needed, 5) + 1)
    ]
    return objects_of(records, PROTOCOL)


def noc(one: dict[str, int], reference: dict[str, int], figure: str = "NoC@90") -> Difference:
    return {found.figure: found for found in differences(objects(one), objects(reference), seed=0)}[
        figure
    ]


def test_a_difference_that_all_objects_share_is_resolved() -> None:
    found = noc(dict.fromkeys("abcdef", 2), dict.fromkeys("abcdef", 3))
    assert (found.n, found.value, found.reference) == (6, 2, 3)
    assert (found.difference, found.low, found.high) == (-1, -1, -1)
    assert found.resolved
    assert found.reading == "better"  # fewer clicks
    assert noc(dict.fromkeys("abcdef", 3), dict.fromkeys("abcdef", 2)).reading == "worse"


def test_more_iou_is_better() -> None:
    found = noc(dict.fromkeys("abcdef", 1), dict.fromkeys("abcdef", 3), "IoU@1")
    assert (found.difference, found.reading) == (0.5, "better")


def test_five_objects_resolve_nothing() -> None:
    """Five equal signs have p = 2 · .5⁵ = .06 under no difference."""
    found = noc(dict.fromkeys("abcde", 2), dict.fromkeys("abcde", 3))
    assert (found.low, found.high, found.reading) == (-1, -1, "not resolved")


def test_an_interval_around_nothing_is_not_resolved() -> None:
    found = noc({"a": 1, "b": 3, "c": 2, "d": 2, "e": 3, "f": 1}, dict.fromkeys("abcdef", 2))
    assert found.difference == 0
    assert found.low < 0 < found.high
    assert found.reading == "not resolved"


def test_equal_runs_are_called_equal() -> None:
    same = {"a": 1, "b": 3, "c": 2, "d": 2, "e": 3, "f": 1}
    assert noc(same, same).reading == "equal"


def test_only_common_objects_count_and_failures_are_counted() -> None:
    """c and d are in one run alone; b fails in the first, a in both."""
    found = noc({"a": 6, "b": 6, "c": 1}, {"d": 1, "b": 2, "a": 6}, "NoF@90")
    assert (found.n, found.value, found.reference, found.difference) == (2, 2, 1, 1)
    assert (found.low, found.high) == (0, 2)
    assert differences(objects({"a": 1}), objects({"b": 1}), seed=0) == []


def test_pairing_takes_the_objects_spread_out() -> None:
    """One click less for each of very different objects: the interval has no width."""
    reference = {name: 2 + i % 4 for i, name in enumerate("abcdefgh")}
    found = noc({name: clicks - 1 for name, clicks in reference.items()}, reference)
    assert (found.low, found.high) == (-1, -1)


def test_settings_that_differ_are_named() -> None:
    base = {
        "protocol": {"seed": 0, "stop": "never"},
        "model": {"name": "m", "zoom": None},
        "datasets": {"d": 1},
    }
    other = {
        "protocol": {"seed": 1, "stop": "never"},
        "model": {"name": "n", "zoom": {"grid": 3}},
        "datasets": {},
    }
    assert differing_settings({"one": base, "two": other, "three": base}) == {
        "protocol.seed": {"one": "0", "two": "1", "three": "0"},
        "model.zoom": {"one": "null", "two": '{"grid": 3}', "three": "null"},
    }


@pytest.mark.parametrize("labels", [["one"], ["one", "two"]])
def test_equal_settings_are_not_mentioned(labels: list[str]) -> None:
    assert differing_settings({label: {"protocol": {"seed": 0}} for label in labels}) == {}
