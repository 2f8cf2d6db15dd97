"""`vtmr.load` on a file written here: the six lines of the README end in a mask."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

import vtmr
from vtmr.errors import CheckpointError, ConfigError

sys.path.insert(0, str(Path(__file__).parent / "runtime"))
import tiny


def test_a_loaded_model_answers_a_click(tmp_path: Path) -> None:
    path = tiny.bundle(tmp_path)
    image = np.full(
        (48, 64, 3), (10, 20, 30), np.uint8
    )  # the tiny network's mean: without clicks its logits are 0
    session = vtmr.Session(vtmr.load(path, threads=1), image).add(vtmr.Click(40.5, 20.5))
    assert session.mask.shape == (48, 64)
    assert session.mask[20, 40], "the tiny network says +100 under a positive click"


def test_what_cannot_be_loaded_is_said(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="There is no model 'lite00'"):
        vtmr.load("lite00")
    with pytest.raises(ConfigError, match="threads is -1"):
        vtmr.load(tiny.bundle(tmp_path), threads=-1)
