"""`vtmr train` as a process: Ctrl-C, a disk that is full, and going on afterwards."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from shapes import write_recipe

from vtmr.cli import main
from vtmr.models import read_weights
from vtmr.train import loop

# The command on a grid of 64 cells, a log row a step; the first argument limits the size of files,
# in bytes (0: none).
PROGRAM = """
import dataclasses, resource, sys
from vtmr.models import lite0
from vtmr.train import loop
lite0.SPEC = dataclasses.replace(lite0.SPEC, input_size=64)
loop.LOG_STEPS = 1
if int(sys.argv[1]):
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), int(sys.argv[1])))
from vtmr.cli import main
sys.exit(main(sys.argv[2:]))
"""
STEPS = 25


def command(recipe: Path, out: Path, *more: str, limit: int = 0) -> list[str]:
    fixed = [
        "train",
        str(recipe),
        "--out",
        str(out),
        "--set",
        f"steps={STEPS}",
        "--set",
        "data.workers=1",
    ]
    return [sys.executable, "-c", PROGRAM, str(limit), *fixed, *more]


def files(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in out.iterdir()}


def one_sentence(err: str) -> str:
    assert err.startswith("vtmr: ")
    assert err.count("\n") == 1, err
    return err


def interrupt(recipe: Path, out: Path, number: signal.Signals) -> None:
    """Starts a run and, when it has logged something, sends the signal to its whole process
    group."""
    with subprocess.Popen(
        command(recipe, out),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        deadline = time.monotonic() + 300
        while (
            process.poll() is None
            and time.monotonic() < deadline
            and not (out / "log.jsonl").exists()
        ):
            time.sleep(0.05)
        os.killpg(process.pid, number)
        _, err = process.communicate(timeout=600)
    assert process.returncode == 130, err
    assert f"{out} holds the state of the run: add --resume" in one_sentence(err)


@pytest.mark.slow
def test_ctrl_c_then_a_full_disk_then_the_end(tmp_path: Path) -> None:
    """The interrupt goes to the whole process group, data workers included, as a terminal sends
    it."""
    recipe, out = write_recipe(tmp_path), tmp_path / "out"
    interrupt(recipe, out, signal.SIGINT)
    before = files(out)
    assert before.keys() == {"log.jsonl", "loss.png", "state.safetensors", "weights.safetensors"}

    resume = ("--resume", "--set", "checkpoint_minutes=0")
    done = subprocess.run(
        command(recipe, out, *resume, limit=1_000_000), capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 2, done.stderr
    assert "state.safetensors can't be written: File too large" in one_sentence(done.stderr)
    after = files(out)
    assert after.keys() == before.keys()
    assert all(after[name] == before[name] for name in ("state.safetensors", "weights.safetensors"))

    done = subprocess.run(
        command(recipe, out, "--resume"), capture_output=True, text=True, timeout=600
    )
    assert (done.returncode, done.stderr) == (0, "")
    (lineage,) = read_weights(out / "weights.safetensors")[1].lineage
    assert (lineage.steps, lineage.samples) == (STEPS, 2 * STEPS)


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        (["--set", "optimiser.learnrate=1"], "unknown key 'learnrate'"),
        (["--set", "data.root=gone"], "is not a folder: check the data set's path"),
        (["--init", "gone.onnx"], "no weights file gone.onnx"),
        (["--resume"], "there is nothing to resume"),
    ],
)
def test_refusals_leave_nothing(
    tmp_path: Path,
    arguments: list[str],
    fragment: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loop, "keep_freed_memory", lambda: True)
    recipe, out = write_recipe(tmp_path), tmp_path / "out"
    assert main(["train", str(recipe), "--out", str(out), *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert fragment in one_sentence(captured.err)
    assert not out.exists()


@pytest.mark.slow
def test_sigterm_to_the_whole_group_leaves_a_run_that_goes_on(tmp_path: Path) -> None:
    """As a scheduler ends a job: the data's workers die of it at once, the run saves what is
    done."""
    recipe, out = write_recipe(tmp_path), tmp_path / "out"
    interrupt(recipe, out, signal.SIGTERM)
    done = subprocess.run(
        command(recipe, out, "--resume", "--set", "data.workers=0"),
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_what_could_not_be_read_is_told_at_the_end(
    tmp_path: Path, small: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "keep_freed_memory", lambda: True)
    monkeypatch.setattr(loop, "plot_losses", lambda rows, out: None)
    recipe, out = write_recipe(tmp_path), tmp_path / "out"
    for number in (1, 2):
        (tmp_path / "data" / "shapes" / "images" / f"{number}.png").write_bytes(b"no image")
    assert main(["train", str(recipe), "--out", str(out), "--set", "steps=1"]) == 0
    sentence = one_sentence(capsys.readouterr().err)
    assert "for 2 samples couldn't be read and others took their place; the first:" in sentence
    assert "images/" in sentence


def test_what_a_coco_file_cannot_bring_is_told_at_the_start(
    tmp_path: Path, small: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the rest is trained on: here one image of two, and one annotation of two."""
    monkeypatch.setattr(loop, "keep_freed_memory", lambda: True)
    monkeypatch.setattr(loop, "plot_losses", lambda rows, out: None)
    recipe, out = write_recipe(tmp_path), tmp_path / "out"
    shapes = tmp_path / "data" / "shapes"
    stems = sorted(path.stem for path in (shapes / "images").iterdir())
    outline = [[2, 2, 60, 2, 60, 60, 2, 60]]
    content = {
        "images": [{"id": 1, "file_name": f"{stems[0]}.png"}, {"id": 2, "file_name": "gone.png"}],
        "annotations": [
            {"id": 1, "image_id": 1, "segmentation": outline},
            {"id": 2, "image_id": 1, "segmentation": []},
            {"id": 3, "image_id": 2, "segmentation": outline},
        ],
    }
    (shapes / "instances.json").write_text(json.dumps(content))
    recipe.write_text(recipe.read_text().replace('"duts"', '"coco"'))
    assert main(["train", str(recipe), "--out", str(out), "--set", "steps=1"]) == 0
    told = capsys.readouterr().out
    assert "annotation 2 has no outline, only a box or nothing." in told
    assert "gone.png: there is no image of that name." in told


@pytest.mark.slow
def test_a_damaged_image_is_one_sentence_from_the_data_worker(tmp_path: Path) -> None:
    recipe, out = write_recipe(tmp_path), tmp_path / "out"
    for path in (tmp_path / "data" / "shapes" / "images").iterdir():
        path.write_bytes(path.read_bytes()[:100])
    done = subprocess.run(command(recipe, out), capture_output=True, text=True, timeout=600)
    assert done.returncode == 2
    assert "is damaged and can't be decoded" in one_sentence(done.stderr)
