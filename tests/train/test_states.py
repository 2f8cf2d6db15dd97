"""Training states whose header says nonsense, with tensors and digest that are right."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fuzzing.tinytraining import tiny_training

from vtmr.errors import CheckpointError
from vtmr.models.weights import read_safetensors, sealed
from vtmr.train.checkpoint import STATE, Progress, restore_checkpoint, save_checkpoint


def saved(folder: Path) -> tuple[Any, ...]:
    """A state in the folder; what it is read into."""
    recipe, network, adam, average, spec = tiny_training()
    progress = Progress(3, 1.5, 2.5, "2026-11-30", "abc", "imagenet", scaler={"scale": 2.0})
    save_checkpoint(folder, recipe, network, adam, average, spec, progress)
    return recipe, network, adam, average


def test_what_was_saved_is_read(tmp_path: Path) -> None:
    parts = saved(tmp_path)
    progress, spec = restore_checkpoint(tmp_path, *parts)
    assert (progress.step, progress.scaler, spec.model) == (3, {"scale": 2.0}, "lite0")


@pytest.mark.parametrize(
    "changes",
    [
        {"step": "three"},
        {"step": -1},
        {"step": 2.5},
        {"seconds": float("inf")},
        {"begun": 4},
        {"begun": -1},
        {"scaler": [1]},
        {"scaler": {"scale": "large"}},
        {"other": 1},
    ],
)
def test_a_progress_that_cannot_be(changes: dict[str, Any], tmp_path: Path) -> None:
    parts = saved(tmp_path)
    tensors, header = read_safetensors(tmp_path / STATE)
    header.pop("sha256")
    header["progress"] = json.dumps(json.loads(header["progress"]) | changes)
    (tmp_path / STATE).write_bytes(sealed(tensors, header))
    with pytest.raises(CheckpointError, match="damaged or not a training state"):
        restore_checkpoint(tmp_path, *parts)


@pytest.mark.parametrize("key", ["progress", "recipe", "spec"])
@pytest.mark.parametrize("text", ["[]", "null", "{}", "[" * 5000, "7", ""])
def test_headers_that_are_no_tables(key: str, text: str, tmp_path: Path) -> None:
    parts = saved(tmp_path)
    tensors, header = read_safetensors(tmp_path / STATE)
    header.pop("sha256")
    (tmp_path / STATE).write_bytes(sealed(tensors, header | {key: text}))
    with pytest.raises(CheckpointError, match="damaged or not a training state"):
        restore_checkpoint(tmp_path, *parts)
