"""Several processes, several parts, other precisions: what they change is rounding (docs/method.md
§L.8-9)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from shapes import write_recipe

from vtmr.errors import ConfigError
from vtmr.train import loop, run
from vtmr.train import step as step_module
from vtmr.train.batches import Batch, batches
from vtmr.train.devices import lost_a_process
from vtmr.train.recipe import load_recipe

STATE = "state.safetensors"
# The command on a grid of 64 cells with BatchNorm in evaluation mode and without dropout. The first
# argument is the step in which the second process gets a SIGINT, or -1.
PROGRAM = """
import dataclasses, os, signal, sys
from vtmr.models import lite0
from vtmr.train import loop, step
lite0.SPEC = dataclasses.replace(lite0.SPEC, input_size=64)
loop.LOG_STEPS = 1
step.set_training = lambda network, recipe, step: network.eval()
compute = step.TrainingStep.__call__
def interrupted(self, batch, number, edge_weight):
    if number == int(sys.argv[1]) and os.environ.get("LOCAL_RANK") == "1":
        os.kill(os.getpid(), signal.SIGINT)
    return compute(self, batch, number, edge_weight)
step.TrainingStep.__call__ = interrupted
from vtmr.cli import main
sys.exit(main(sys.argv[2:]))
"""
# Three samples of four train the refiner, so that the processes have two and one; the loss divides
# by both's pixels.
OVERRIDES = (
    "batch=4",
    "steps=4",
    "refiner_share=0.75",
    "losses.refined=boundary",
    "losses.edge=cross_entropy",
    "maskmatch.alpha=0.05",
    "maskmatch.confidence=0.5",
    "optimiser.clip_norm=5",
    "optimiser.encoder_batch_norm=eval",
    "data.paste_weight=0.3",
)
PARTS = ("coarse", "refined", "edge", "iou", "match", "gate")


@pytest.fixture(autouse=True)
def light(small: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "LOG_STEPS", 1)
    monkeypatch.setattr(loop, "keep_freed_memory", lambda: True)
    monkeypatch.setattr(loop, "plot_losses", lambda rows, out: None)
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.fixture
def evaluating(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step_module, "set_training", lambda network, recipe, step: network.eval())


def rows(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


def losses(out: Path) -> list[list[float]]:
    return [[row[part] for part in PARTS] for row in rows(out)]


def start(
    launcher: tuple[str, ...], recipe: Path, out: Path, *more: str, interrupt: int = -1
) -> int:
    """Runs the command in two processes; the exit code."""
    program = out.with_name("program.py")
    program.write_text(PROGRAM)
    return started(launcher, program, recipe, out, *more, interrupt=interrupt).returncode


def started(
    launcher: tuple[str, ...], program: Path, recipe: Path, out: Path, *more: str, interrupt: int
) -> subprocess.CompletedProcess[str]:
    settings = [word for override in OVERRIDES for word in ("--set", override)]
    command = [
        sys.executable,
        *launcher,
        str(program),
        str(interrupt),
        "train",
        str(recipe),
        "--out",
        str(out),
    ]
    free = {
        k: v
        for k, v in os.environ.items()
        if k not in ("LOCAL_RANK", "MASTER_PORT", "WORLD_SIZE", "NODE_RANK")
    }
    done = subprocess.run(
        [*command, *settings, *more],
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
        env={**free, "OMP_NUM_THREADS": "1"},
    )
    print(done.stdout, done.stderr)  # pytest shows it when the test fails
    return done


@pytest.mark.slow
def test_two_processes_are_one_with_the_same_batch(tmp_path: Path, evaluating: None) -> None:
    """Losses to rounding. Then torchrun in place of Fabric's own launcher, interrupted and resumed:
    to the last bit."""
    recipe = write_recipe(tmp_path)
    run(recipe, tmp_path / "one", overrides=OVERRIDES)
    expected = losses(tmp_path / "one")
    assert all(row["match"] > 0 for row in rows(tmp_path / "one")[:1])

    assert start((), recipe, tmp_path / "two", "--set", "compute.devices=2") == 0
    for found, wanted in zip(losses(tmp_path / "two"), expected, strict=True):
        assert found == pytest.approx(wanted, rel=1e-4)
    assert [row["samples"] for row in rows(tmp_path / "two")] == [4, 8, 12, 16]

    torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")
    assert start(torchrun, recipe, tmp_path / "parts", interrupt=1) != 0
    assert [row["step"] for row in rows(tmp_path / "parts")] == [1, 2]
    assert start(torchrun, recipe, tmp_path / "parts", "--resume") == 0
    assert losses(tmp_path / "parts") == losses(tmp_path / "two")
    found_state, wanted_state = (load_file(tmp_path / name / STATE) for name in ("parts", "two"))
    for name, value in wanted_state.items():
        assert torch.equal(found_state[name], value), name


@pytest.mark.slow
def test_parts_one_after_the_other_are_one_batch(tmp_path: Path, evaluating: None) -> None:
    """compute.accumulate: the same losses to rounding, and the same weights but for what Adam makes
    of rounding."""
    recipe = write_recipe(tmp_path)
    for name, accumulate in (("one", 1), ("four", 4)):
        run(recipe, tmp_path / name, overrides=[*OVERRIDES, f"compute.accumulate={accumulate}"])
    for found, wanted in zip(losses(tmp_path / "four"), losses(tmp_path / "one"), strict=True):
        assert found == pytest.approx(wanted, rel=1e-4)


@pytest.mark.parametrize(("processes", "accumulate"), [(1, 2), (2, 1), (3, 2)])
def test_parts_of_a_batch_are_its_samples(tmp_path: Path, processes: int, accumulate: int) -> None:
    """Each sample is in one part and is what it is in the whole batch; the refined ones are spread
    evenly."""
    recipe = write_recipe(tmp_path)
    overrides = ("batch=6", "steps=2", "refiner_share=0.67", f"compute.accumulate={accumulate}")
    whole = list(batches(load_recipe(recipe, overrides[:-1]), tmp_path / "data", 64, 0))
    loaded = load_recipe(recipe, overrides)
    found: list[list[Batch]] = [[], []]
    for rank in range(processes):
        for i, part in enumerate(batches(loaded, tmp_path / "data", 64, 0, rank, processes)):
            found[i // accumulate].append(part)
    for step in (0, 1):
        positions = [position for part in found[step] for position in part.positions]
        assert sorted(positions) == list(range(6))
        refined = [part.refiner_samples(loaded.refiner_samples) for part in found[step]]
        assert sum(refined) == loaded.refiner_samples == 4
        assert max(refined) - min(refined) <= 1
        for part in found[step]:
            assert part.whole == 6
            for i, position in enumerate(part.positions):
                assert torch.equal(part.image[i], whole[step].image[position])
                assert part.clicks[i] == whole[step].clicks[position]


@pytest.mark.slow
def test_bfloat16_is_close_to_float32(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path)
    for precision in ("float32", "bfloat16"):
        run(recipe, tmp_path / precision, overrides=["steps=1", f"compute.precision={precision}"])
    (full,), (half,) = rows(tmp_path / "float32"), rows(tmp_path / "bfloat16")
    for part in ("coarse", "refined", "edge"):
        assert half[part] == pytest.approx(full[part], rel=0.05)
        assert half[part] != full[part]  # it was asked for
    weights = load_file(tmp_path / "bfloat16" / "weights.safetensors")
    assert {value.dtype for value in weights.values()} == {torch.float32, torch.int64}


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["batch=3", "compute.devices=2"],
            r"batch is 3, which can't be shared evenly by 2 process\(es\) in 1 micro-batch",
        ),
        (["batch=4", "compute.devices=2", "compute.accumulate=4"], "set batch to a multiple of 8"),
        (["compute.accelerator=cuda"], 'wants accelerator "cuda", which needs a CUDA device'),
        (["compute.precision=float16"], 'wants precision "float16", which needs a CUDA device'),
        (["compute.sync_batch_norm=true"], "wants sync_batch_norm, which needs a CUDA device"),
    ],
)
def test_what_cannot_be_computed_here_is_refused(
    tmp_path: Path, overrides: list[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match=message):
        run(write_recipe(tmp_path), tmp_path / "out", overrides=overrides)
    assert not (tmp_path / "out").exists()


def test_statistics_over_all_processes_need_the_refiner_in_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Said before a process is started, on a machine that is made to look as if it had GPUs."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    overrides = ["batch=4", "refiner_share=0.25", "compute={devices=2, sync_batch_norm=true}"]
    with pytest.raises(
        ConfigError, match="1 samples train the refiner, which 2 processes can't share evenly"
    ):
        run(write_recipe(tmp_path), tmp_path / "out", overrides=overrides)


@pytest.mark.slow
def test_the_others_end_when_a_process_is_killed(tmp_path: Path) -> None:
    """With a sentence that says so; torchrun reports it too, and only that one is ours."""
    program = tmp_path / "killed.py"
    program.write_text(PROGRAM.replace("signal.SIGINT", "signal.SIGKILL"))
    torchrun = (
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node=2",
        "--max-restarts=0",
    )
    done = started(
        torchrun,
        program,
        write_recipe(tmp_path),
        tmp_path / "out",
        "--set",
        "checkpoint_minutes=0",
        interrupt=1,
    )
    assert done.returncode != 0
    (sentence,) = [line for line in done.stderr.splitlines() if line.startswith("vtmr: ")]
    assert sentence.startswith("vtmr: Another process of the run ended")
    assert (tmp_path / "out" / STATE).exists()


# Two as Gloo said them when one of two processes was killed, the third as its source words it.
@pytest.mark.parametrize(
    "message",
    [
        "[gloo/transport/tcp/pair.cc:553] Connection closed by peer [127.0.0.1]:4711. This is "
        "typically caused by a remote worker crashing.",
        "[gloo/transport/tcp/pair.cc:537] Read error [127.0.0.1]:4711: Connection reset by peer.",
        "[gloo/transport/tcp/pair.cc:405] writev [127.0.0.1]:4711: Broken pipe",
    ],
)
def test_each_way_in_which_a_connection_ends_is_a_lost_process(message: str) -> None:
    assert lost_a_process(RuntimeError(message))


def test_other_errors_are_no_lost_process() -> None:
    assert not lost_a_process(RuntimeError("The size of tensor a (3) must match b (4)"))


@pytest.mark.slow
def test_another_number_of_processes_may_resume_a_run_but_not_other_parts(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path)
    run(recipe, tmp_path / "out", overrides=["steps=1"])
    with pytest.raises(
        ConfigError, match=r"differs from the one that .*, in compute: resume with the same recipe"
    ):
        run(recipe, tmp_path / "out", resume=True, overrides=["steps=1", "compute.accumulate=2"])
    run(recipe, tmp_path / "out", resume=True, overrides=["steps=1", "compute.accelerator=cpu"])
