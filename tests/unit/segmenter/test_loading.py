"""`vtmr.load` on a file written here: the six lines of the README end in a mask."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vtmr
from vtmr.errors import CheckpointError, ConfigError, InputError
from vtmr.segmenter import zoom_schedule
from vtmr.spec import VIEWS

sys.path.insert(0, str(Path(__file__).parent / "runtime"))
import tiny

PHOTO = Path(vtmr.__file__).parent / "assets" / "photos" / "coffee.jpg"


def test_a_loaded_model_answers_a_click(tmp_path: Path) -> None:
    path = tiny.bundle(tmp_path)
    # The tiny network's mean: without clicks its logits are 0.
    image = np.full((48, 64, 3), (10, 20, 30), np.uint8)
    session = vtmr.Session(vtmr.load(path, threads=1), image).add(vtmr.Click(40.5, 20.5))
    assert session.mask.shape == (48, 64)
    assert session.mask[20, 40], "the tiny network says +100 under a positive click"


def test_what_cannot_be_loaded_is_said(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="There is no model 'lite00'"):
        vtmr.load("lite00")
    with pytest.raises(ConfigError, match="threads is -1"):
        vtmr.load(tiny.bundle(tmp_path), threads=-1)


def test_it_takes_what_the_command_line_takes(tmp_path: Path) -> None:
    path = tiny.bundle(tmp_path)
    plain = vtmr.load(path)
    used = vtmr.load(path, threads=1, zoom="eager=0.5@1.2:64", threshold=0.25, views="wide")
    assert used.zoom == zoom_schedule("eager=0.5@1.2:64", plain.zoom)
    assert (used.zoom.min_shrink, used.zoom.side) == (1.2, 64)
    assert str(used.zoom) == "eager=0.5@1.2:64"
    assert used.spec.threshold == 0.25
    assert used.spec.views == VIEWS["wide"]
    assert vtmr.load(path, views="narrow").spec.views == VIEWS["narrow"]
    assert vtmr.load(path, zoom="off").zoom.schedule == "off"


def test_a_bundled_model_at_another_size() -> None:
    assert vtmr.load("lite0", input_size=192, threads=1).spec.input_size == 192


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"zoom": "sometimes"}, InputError, "The zoom 'sometimes' can't be read"),
        ({"views": "deep"}, InputError, "The views 'deep' aren't known"),
        ({"eval_mode": "fixed32"}, InputError, "isn't played by RITM's"),
        ({"eval_mode": "cvpr"}, ConfigError, "only ritm and fbrs have modes"),
        ({"eval_mode": "fixed"}, InputError, "The evaluation mode 'fixed' can't be read"),
        ({"eval_mode": "cvpr", "input_size": 320}, InputError, "both given"),
        ({"device": "cpu", "input_size": 320}, InputError, "both given"),
        ({"threshold": 1.5}, ConfigError, "threshold"),
    ],
)
def test_impossible_options_are_named(
    tmp_path: Path, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        vtmr.load(tiny.bundle(tmp_path), **options)


def test_a_device_without_torch_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith("vtmr.models")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ConfigError, match=r"the package torch.*\[train\]"):
        vtmr.load(tiny.bundle(tmp_path), device="cpu")


def test_a_device_and_no_file() -> None:
    with pytest.raises(CheckpointError, match="There is no file nothing"):
        vtmr.load("nothing.safetensors", device="cpu")


def test_a_device_answers_as_the_runtime_does() -> None:
    """The bundled weights in torch: the masks agree but for pixels at the threshold."""
    pytest.importorskip("torch")
    image = vtmr.read_image(PHOTO)
    click = vtmr.Click(290, 235)
    masks = [
        vtmr.Session(vtmr.load("lite0", threads=1, device=device), image).add(click).mask
        for device in (None, "cpu")
    ]
    assert masks[0].any()
    assert (masks[0] != masks[1]).mean() < 0.001
