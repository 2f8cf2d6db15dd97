"""The example scripts and the notebook run, and do what they say."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest

import vtmr
from vtmr.data import CocoSource

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
PHOTOS = ROOT / "src" / "vtmr" / "assets" / "photos"


def output_of(name: str, *arguments: str | Path) -> str:
    """What the script prints."""
    done = subprocess.run(
        [sys.executable, EXAMPLES / name, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_first_mask(tmp_path: Path) -> None:
    told = output_of("first_mask.py", PHOTOS / "coffee.jpg", tmp_path / "mask.png")
    mask = vtmr.read_image(tmp_path / "mask.png")
    assert mask[200, 320].tolist() == [255, 255, 255]
    assert f"covers {(mask[..., 0] > 0).mean():.0%} of" in told


@pytest.mark.slow
def test_correct_mask() -> None:
    told = output_of("correct_mask.py")
    before, after = map(float, re.findall(r"\d\.\d{3}", told))
    assert before < 0.9 < after < 1
    assert "changed: rows 150 to 259, columns 250 to 339" in told  # the hole, and nothing else
    assert "the island is untouched: True" in told


@pytest.mark.slow
def test_coco_from_clicks_makes_what_recipes_read(tmp_path: Path) -> None:
    told = output_of("coco_from_clicks.py", tmp_path / "mine")
    source = CocoSource.open("coco", tmp_path / "mine")
    assert f"{len(source.stems)} images" in told
    for stem in source.stems:
        (object_id,) = source.object_ids(stem)
        assert source.mask(stem, object_id).shape == source.image(stem).shape[:2]


@pytest.mark.slow
def test_robot_on_your_masks(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    shutil.copy(PHOTOS / "chelsea.jpg", tmp_path / "images")
    output_of("first_mask.py", PHOTOS / "chelsea.jpg", tmp_path / "masks" / "chelsea.png")
    told = output_of("robot_on_your_masks.py", tmp_path)
    assert told.startswith("chelsea: ")
    assert "NoC@90" in told


@pytest.mark.slow
def test_own_predictor() -> None:
    told = output_of("own_predictor.py")
    first, second, undone = map(int, re.findall(r"(\d+)%", told))
    assert first == undone == 100  # without a negative click nothing else can be meant
    assert 0 < second < 100


@pytest.mark.slow
def test_the_notebook_is_sound_and_its_cells_run() -> None:
    text = (EXAMPLES / "first_mask.ipynb").read_text()
    notebook = nbformat.reads(text, as_version=4)
    nbformat.validate(notebook)
    names: dict[str, Any] = {}
    for cell in notebook.cells:
        if cell.cell_type == "code":
            exec(cell.source, names)
            assert not cell.outputs  # kept clean: outputs would be old ones
    assert names["changed"].any()
    assert json.loads(text)["nbformat"] == 4
