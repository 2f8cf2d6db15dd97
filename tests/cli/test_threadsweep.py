"""`vtmr latency --sweep`: the clock is the test's own, and what follows from it is worked out by
hand."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from running import Command

from vtmr.cli import latency, threadsweep
from vtmr.cli.latency import TimedClick
from vtmr.cli.threadsweep import ThreadSweep, fewest_of_the_fastest, in_turn, tried
from vtmr.runtime.threads import default_threads, usable_cores


@pytest.mark.parametrize(
    ("cores", "numbers"),
    [(1, [1]), (2, [1, 2]), (4, [1, 2, 3, 4]), (7, [1, 2, 3, 4, 6]), (64, [1, 2, 3, 4, 6, 8])],
)
def test_no_more_threads_than_cores_and_eight_at_most(cores: int, numbers: list[int]) -> None:
    assert tried(cores) == numbers


@pytest.mark.parametrize(
    ("p50_ms", "best"),
    [
        ({1: 20.0}, 1),
        ({1: 20.0, 2: 12.0, 4: 8.0, 8: 6.0}, 8),
        ({1: 20.0, 2: 12.0, 4: 8.0, 8: 7.7}, 4),  # 4 % more isn't worth four cores
        ({1: 20.0, 2: 12.0, 4: 25.0}, 2),
    ],
)
def test_the_fewest_threads_that_are_as_good(p50_ms: dict[int, float], best: int) -> None:
    assert fewest_of_the_fastest(p50_ms) == best


def test_all_numbers_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """A warm-up round, then forwards and backwards; click 1 and clicks with two passes don't
    count."""
    played = []

    def time_clicks(threads: Any, *_: Any) -> list[TimedClick]:
        played.append(threads)
        seconds = 0.04 / threads + 0.001 * len(played)
        return [
            TimedClick(9.0, 1, False),
            TimedClick(seconds, 1, False),
            TimedClick(8.0, 2, False),
        ]

    monkeypatch.setattr(latency, "time_clicks", time_clicks)
    nothing = np.zeros((1, 1, 3), np.uint8)
    ways: Any = {1: 1, 2: 2}  # a number of threads for the predictor that has it
    found = in_turn(ways, nothing, nothing[..., 0] > 0, rounds=3)
    assert played == [1, 2, 2, 1, 1, 2, 2, 1]
    assert found == {1: 45.0, 2: 26.0}  # the medians of 44, 45, 48 and of 23, 26, 27


def test_the_advice() -> None:
    def advice(default: int, best: int) -> str:
        return ThreadSweep("m", "640x480", 8, default, best, {1: 20.0, 8: 5.0}).advice()

    assert advice(4, 4) == "Best here: 4, as by default."
    assert advice(4, 2) == "Best here: 2, the default is 4: --threads 2."
    assert "--threads 8, or VTMR_MOST_THREADS=8 in the environment" in advice(4, 8)


def test_the_command_measures_this_machine(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threadsweep, "ROUNDS", 1)
    monkeypatch.setattr(latency, "CLICKS", 3)
    result = command("latency", "--sweep", "--size", "64x48", "--json")
    assert result.code == 0, result.err
    swept = json.loads(result.out)
    assert swept["cores"] == usable_cores()
    assert swept["default"] == default_threads()
    assert [int(threads) for threads in swept["p50_ms"]] == tried(usable_cores())
    assert str(swept["best"]) in swept["p50_ms"]
    refused = command("latency", "--sweep", "--threads", "2")
    assert refused.code != 0
    assert "--threads 2 asks for one" in refused.err
