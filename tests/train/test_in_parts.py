"""A run in parts: where the next one begins, when one ends, and what is told of the whole."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from shapes import write_recipe

from vtmr.cli import main
from vtmr.errors import ConfigError
from vtmr.models import lite0, read_weights
from vtmr.spec import Run
from vtmr.train import loop, run
from vtmr.train.in_parts import how_far, parts_of, steps_before
from vtmr.train.recipe import Recipe, load_recipe

WEIGHTS = "weights.safetensors"
IN_PARTS = ["in_parts=true", "optimiser.warmup_steps=2"]


@pytest.fixture(autouse=True)
def light(small: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small networks, every step logged, nothing plotted, no wait for the disk."""
    monkeypatch.setattr(loop, "LOG_STEPS", 1)
    monkeypatch.setattr(loop, "keep_freed_memory", lambda: True)
    monkeypatch.setattr(loop, "plot_losses", lambda rows, out: None)
    monkeypatch.setattr(os, "fsync", lambda _: None)


def rows(out: Path) -> list[dict[str, Any]]:
    """The log."""
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_recipe(tmp_path)


@pytest.fixture
def recipe(path: Path) -> Recipe:
    """Four steps of two samples."""
    return load_recipe(path, IN_PARTS)


def part(name: str, steps: int) -> Run:
    return Run(
        recipe=name,
        commit="abc",
        started="2026-11-30",
        steps=steps,
        samples=2 * steps,
        cpu_seconds=10.0,
        initialised_from="imagenet",
    )


def test_the_parts_are_the_last_runs_of_that_name_in_a_row(recipe: Recipe) -> None:
    """An earlier one of that name, before another run, was of another whole."""
    own, other = recipe.name, "other"
    runs = [part(own, 7), part(other, 5), part(own, 1), part(own, 2)]
    assert parts_of(recipe, runs) == runs[2:]
    assert parts_of(recipe, runs[:2]) == []


def test_what_is_told_of_the_whole(recipe: Recipe) -> None:
    told = how_far(recipe, [part("other", 5), part(recipe.name, 1), part(recipe.name, 2)])
    assert told == (f"{recipe.name}: 3 of 4 steps done (75.0%), 6 samples, 20 CPU seconds, part 2.")


def test_weights_of_the_finished_whole(recipe: Recipe) -> None:
    spec = replace(lite0.SPEC, lineage=(part(recipe.name, 3), part(recipe.name, 1)))
    with pytest.raises(ConfigError, match=r"all 4 steps of .* nothing left to train; raise steps"):
        steps_before(recipe, spec)


def test_minutes_of_a_part_without_parts(path: Path) -> None:
    with pytest.raises(ConfigError, match=r"part_minutes is 3.*in_parts = true"):
        load_recipe(path, ["part_minutes=3"])


@pytest.mark.slow
def test_two_parts(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A part ends when its minutes are over; the next begins at its step, on the whole's curve."""
    first, second = tmp_path / "first", tmp_path / "second"
    outcome = run(path, first, overrides=[*IN_PARTS, "part_minutes=1e-9"])
    assert outcome is not None
    assert outcome.unfinished
    assert outcome.samples == 2
    assert "1 of 4 steps done (25.0%), 2 samples" in outcome.whole
    outcome = run(path, second, init=first / WEIGHTS, overrides=IN_PARTS)
    assert outcome is not None
    assert not outcome.unfinished
    assert outcome.samples == 6
    assert "4 of 4 steps done (100.0%), 8 samples" in outcome.whole
    assert [(row["step"], row["samples"]) for row in rows(second)] == [(2, 4), (3, 6), (4, 8)]
    _, spec = read_weights(second / WEIGHTS)
    assert [(own.steps, own.samples) for own in spec.lineage] == [(1, 2), (3, 6)]
    rate = load_recipe(path).optimiser.lr
    assert rows(second)[0]["lr"] == pytest.approx(rate / 2)
    with pytest.raises(ConfigError, match="nothing left to train"):
        run(path, tmp_path / "third", init=second / WEIGHTS, overrides=IN_PARTS)


@pytest.mark.slow
def test_a_part_that_was_resumed(path: Path, tmp_path: Path) -> None:
    """It ends after as many minutes of its own, and keeps where it began."""
    first, second = tmp_path / "first", tmp_path / "second"
    short = [*IN_PARTS, "part_minutes=1e-9"]
    run(path, first, overrides=short)
    run(path, second, init=first / WEIGHTS, overrides=short)
    run(path, second, resume=True, overrides=short)
    _, spec = read_weights(second / WEIGHTS)
    assert [(own.steps, own.samples) for own in spec.lineage] == [(1, 2), (2, 4)]


@pytest.mark.slow
def test_the_command_says_how_to_go_on(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "first"
    sets = [word for change in [*IN_PARTS, "part_minutes=1e-9"] for word in ("--set", change)]
    assert main(["train", str(path), "--out", str(out), *sets]) == 0
    told = capsys.readouterr().out
    assert "1 of 4 steps done" in told
    assert f"The next part: vtmr train {path} --init {out / WEIGHTS} --out NEXT" in told
