"""`vtmr import`: a released file becomes a checkpoint, and nothing in it is run."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import official
import torch
from running import Command

from vtmr.models import read_weights
from vtmr.models.encoder_weights import NVIDIA_LICENCE


def test_the_command_writes_a_checkpoint_with_its_origin(tmp_path: Path, command: Command) -> None:
    path = official.write("focalclick-b0", tmp_path / "official.pth")
    result = command("import", path, "-o", tmp_path / "ours.safetensors")
    assert (result.code, result.err) == (0, "")
    assert (
        result.out == f"{tmp_path / 'ours.safetensors'}: focalclick-b0, licence: {NVIDIA_LICENCE}\n"
    )
    state, spec = read_weights(tmp_path / "ours.safetensors")
    assert (spec.model, spec.pipeline, spec.licence) == (
        "focalclick-b0",
        "focalclick",
        NVIDIA_LICENCE,
    )
    assert "non-commercial" in spec.licence
    assert f"official.pth (SHA-256 {hashlib.sha256(path.read_bytes()).hexdigest()})" in spec.terms
    assert sum(value.numel() for value in state.values() if value.is_floating_point()) > 3_700_000
    key = "feature_extractor.backbone.block3.1.attn.kv.weight"
    assert torch.equal(
        state["encoder.stages.2.blocks.1.attention.key_value.weight"],
        official.fill(key, (320, 160)),
    )


class Bomb:
    """Unpickled, it would make a folder."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.target),)


def test_a_pickle_that_would_run_code_is_never_run(tmp_path: Path, command: Command) -> None:
    path = tmp_path / "official.pth"
    content = official.content("focalclick-b0") | {"bomb": Bomb(tmp_path / "boom")}
    torch.save(content, path)
    result = command("import", path, "-o", tmp_path / "ours.safetensors")
    result.assert_refused("holds more than tensors and plain values, which is never loaded")
    assert [p.name for p in tmp_path.iterdir()] == ["official.pth"]
