"""`vtmr train FOLDER`: stages in the order of their numbers, skipped, resumed, stopped and
refused."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from shapes import RECIPE, write_pairs

from vtmr.cli import main, stages
from vtmr.models import read_weights
from vtmr.train import loop


def write_stages(folder: Path, names: Sequence[str] = ("1-first", "2-second")) -> Path:
    """A folder of stages, of one step each, with four images of shapes beside it."""
    write_pairs(folder / "data" / "shapes", 4)
    recipes = folder / "stages"
    recipes.mkdir()
    for name in names:
        text = RECIPE.replace('root = "data"', 'root = "../data"')
        (recipes / f"{name}.toml").write_text(text)
    return recipes


class Alone:
    """Runs a stage's command in this process, and keeps what it was."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []

    def __call__(self, words: Sequence[str]) -> stages.Ended:
        self.calls.append(list(words))
        return stages.Ended(main(list(words)), "")


@pytest.fixture
def alone(small: int, monkeypatch: pytest.MonkeyPatch) -> Alone:
    assert small
    monkeypatch.setattr(loop, "keep_freed_memory", lambda: True)
    monkeypatch.setattr(loop, "plot_losses", lambda rows, out: None)
    found = Alone()
    monkeypatch.setattr(stages, "run_alone", found)
    return found


def train(recipes: Path, out: Path, *more: str) -> int:
    fixed = ["--set", "steps=1", "--set", "data.workers=0"]
    return main(["train", str(recipes), "--out", str(out), *fixed, *more])


@pytest.mark.slow
def test_each_starts_from_the_one_before_by_number(
    tmp_path: Path, alone: Alone, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ten comes after nine, not after one; finished ones are skipped the next time."""
    names = [f"{number}-stage" for number in range(1, 11)]
    recipes, out = write_stages(tmp_path, names), tmp_path / "out"
    assert train(recipes, out) == 0
    assert [Path(call[1]).stem for call in alone.calls] == names
    assert "--init" not in alone.calls[0]
    for before, call in zip(names, alone.calls[1:], strict=False):
        assert call[call.index("--init") + 1] == str(out / before / "weights.safetensors")
    lineage = read_weights(out / names[-1] / "weights.safetensors")[1].lineage
    assert [run.steps for run in lineage] == [1] * 10
    assert "Stage 10 of 10, 10-stage: 1 steps." in capsys.readouterr().out

    alone.calls.clear()
    assert train(recipes, out) == 0
    assert alone.calls == []
    assert "Stage 3 of 10, 3-stage: finished before." in capsys.readouterr().out


@pytest.mark.slow
def test_an_interrupted_stage_is_resumed_and_the_finished_one_left_alone(
    tmp_path: Path,
    alone: Alone,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recipes, out = write_stages(tmp_path), tmp_path / "out"
    update = loop.Training.update

    def interrupted(training: loop.Training, losses: dict[str, float], step: int) -> None:
        update(training, losses, step)
        if training.out.name == "2-second":
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(loop.Training, "update", interrupted)
    assert train(recipes, out, "--set", "steps=3") == 130
    err = capsys.readouterr().err
    assert "Interrupted in stage 2 of 2; the same command goes on" in err
    first = (out / "1-first" / "weights.safetensors").read_bytes()
    monkeypatch.setattr(loop.Training, "update", update)
    alone.calls.clear()
    assert train(recipes, out, "--set", "steps=3") == 0
    (call,) = alone.calls
    assert call[1].endswith("2-second.toml")
    assert "--resume" in call
    assert "--init" not in call
    assert "Stage 2 of 2, 2-second: goes on from step 2 of 3." in capsys.readouterr().out
    assert (out / "1-first" / "weights.safetensors").read_bytes() == first
    lineage = read_weights(out / "2-second" / "weights.safetensors")[1].lineage
    assert [run.steps for run in lineage] == [3, 3]


@pytest.mark.slow
def test_a_stage_that_fails_ends_it_with_its_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a process of its own, whose sentence becomes ours."""
    recipes, out = write_stages(tmp_path), tmp_path / "out"
    assert train(recipes, out, "--set", "data.root=gone") == 2
    err = capsys.readouterr().err
    assert err.startswith("vtmr: Stage 1 of 2, 1-first, failed: ")
    assert "is not a folder: check the data set's path" in err
    assert err.count("\n") == 1
    assert not out.exists()


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        ((), "holds no recipe (.toml)"),
        (("1-first", "second"), "second.toml has no number"),
        (("1-first", "3-third"), "has no stage 2"),
        (("1-first", "01-again"), "have the same number"),
        (("0-none", "1-first"), "has no stage 2"),
    ],
)
def test_a_folder_that_holds_no_stages_is_refused(
    names: Sequence[str],
    sentence: str,
    tmp_path: Path,
    alone: Alone,
    capsys: pytest.CaptureFixture[str],
) -> None:
    recipes = write_stages(tmp_path, names)
    assert train(recipes, tmp_path / "out") == 2
    assert sentence in capsys.readouterr().err
    assert alone.calls == []


def test_mistakes_are_found_before_anything_is_trained(
    tmp_path: Path, alone: Alone, capsys: pytest.CaptureFixture[str]
) -> None:
    recipes, out = write_stages(tmp_path), tmp_path / "out"
    second = recipes / "2-second.toml"
    right = second.read_text()
    second.write_text(f"colour = 1\n{right}")
    assert train(recipes, out) == 2
    assert "unknown key 'colour'" in capsys.readouterr().err
    second.write_text(right.replace('model = "lite0"', 'model = "vtmr-b0"'))
    assert train(recipes, out) == 2
    assert "all stages of a folder need the same model" in capsys.readouterr().err
    second.write_text(right)
    assert train(recipes, out, "--init", "w.onnx") == 2
    assert "--init is for one recipe" in capsys.readouterr().err
    assert alone.calls == []


def test_stages_whose_weights_would_be_others_are_refused(
    tmp_path: Path, alone: Alone, capsys: pytest.CaptureFixture[str]
) -> None:
    """A recipe changed under its run, and a run whose start is gone."""
    recipes, out = write_stages(tmp_path), tmp_path / "out"
    assert train(recipes, out) == 0
    alone.calls.clear()
    assert train(recipes, out, "--set", "seed=5") == 2
    assert "The recipe differs from the one" in capsys.readouterr().err
    (out / "1-first").rename(out / "kept")
    assert train(recipes, out) == 2
    assert "the stage before, 1-first, isn't finished" in capsys.readouterr().err
    assert alone.calls == []


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(signal.SIGTERM, marks=pytest.mark.slow),
        pytest.param(signal.SIGINT, marks=pytest.mark.proof),
    ],
)
def test_a_signal_stops_the_stage_and_the_same_command_goes_on(
    tmp_path: Path, number: signal.Signals
) -> None:
    """Real processes, two for each stage; the signal goes to the first command alone."""
    recipes, out = write_stages(tmp_path), tmp_path / "out"
    changes = ("steps=6", "input_size=64", "compute.devices=2", "threads=1")
    words = [sys.executable, "-m", "vtmr.cli", "train", str(recipes), "--out", str(out)]
    for change in changes:
        words += ["--set", change]
    log = out / "2-second" / "log.jsonl"
    with subprocess.Popen(
        [*words, "--set", "checkpoint_minutes=0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        deadline = time.monotonic() + 400
        state = log.with_name("state.safetensors")
        while process.poll() is None and time.monotonic() < deadline and not state.exists():
            time.sleep(0.02)
        process.send_signal(number)
        shown, err = process.communicate(timeout=400)
    assert process.returncode == 130, err
    assert err.endswith(
        "vtmr: Interrupted in stage 2 of 2; the same command goes on from the last checkpoint.\n"
    )
    assert "Stage 1 of 2, 1-first: 6 steps." in shown
    done = subprocess.run(words, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stderr
    assert "Stage 1 of 2, 1-first: finished before." in done.stdout
    assert "Stage 2 of 2, 2-second: goes on from step " in done.stdout
    lineage = read_weights(out / "2-second" / "weights.safetensors")[1].lineage
    assert [run.steps for run in lineage] == [6, 6]
