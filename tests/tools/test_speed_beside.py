"""The comparison of speed, against a checkout written here: the official layout, no official
code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import speed_beside
from speed_beside import alternate, compared

from vtmr.types import Click

TOOL = Path(speed_beside.__file__)
TESTS = Path(__file__).parents[1]

# Weights under the official names; the fake predictor needs no forward pass of theirs.
NETWORK = """
import torch
from official import fill, key_shapes

class SegFormerModel(torch.nn.Module):
    def __init__(self, model_version, pipeline_version, **kwargs):
        super().__init__()
        assert pipeline_version == "s2"
        self.version = model_version

    def state_dict(self):
        shapes = key_shapes("focalclick-" + self.version)
        return {key: fill(key, shape) for key, shape in shapes.items()}
"""
PREDICTORS = """
import numpy as np

class Predictor:
    def set_input_image(self, image):
        self.shape = image.shape[:2]

    def get_prediction(self, clicker):
        print("a line for every click")
        assert clicker.clicks
        return np.zeros(self.shape)

def get_predictor(net, mode, device, zoom_in_params):
    assert (mode, zoom_in_params["target_size"]) == ("FocalClick", 400)
    return Predictor()
"""
CLICKER = """
class Click:
    def __init__(self, is_positive, coords):
        self.is_positive, self.coords = is_positive, coords

class Clicker:
    def __init__(self):
        self.clicks = []

    def add_click(self, click):
        self.clicks.append(click)
"""


def checkout(folder: Path, network: str) -> Path:
    files = {
        "isegm/__init__.py": "",
        "isegm/model/__init__.py": "",
        "isegm/model/is_segformer_model.py": network,
        "isegm/inference/__init__.py": "",
        "isegm/inference/clicker.py": CLICKER,
        "isegm/inference/predictors/__init__.py": PREDICTORS,
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(TOOL), *map(str, arguments)]
    paths = [str(TESTS), *filter(None, sys.path)]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )


def ways_in(printed: str) -> list[str]:
    return [line.split(" | ")[2] for line in printed.splitlines() if "| focalclick" in line]


def test_ratios_are_medians_of_an_alternations_ratios() -> None:
    seconds = {"slow": [4.0, 8.0, 40.0], "fast": [2.0, 2.0, 8.0]}
    assert compared(seconds) == [("slow", 8.0, 1.0), ("fast", 2.0, 4.0)]


def test_ways_take_turns() -> None:
    played: list[tuple[str, int]] = []

    def way(name: str) -> speed_beside.Player:
        def play(image: np.ndarray, clicks: list[Click]) -> list[float]:
            played.append((name, len(clicks)))
            return [1.0, 9.0, 2.0]

        return play

    image, clicks = np.zeros((4, 4, 3), np.uint8), [Click(1, 1)] * 3
    seconds = alternate({"a": way("a"), "b": way("b")}, image, clicks, 3)
    assert played == [
        ("a", 2),
        ("b", 2),
        *[("a", 3), ("b", 3)],
        *[("b", 3), ("a", 3)],
        *[("a", 3), ("b", 3)],
    ]
    assert seconds == {"a": [2.0] * 3, "b": [2.0] * 3}


@pytest.mark.parametrize(
    ("network", "complaint"),
    [
        ("import a_package_nobody_has\n", "imports a_package_nobody_has, which isn't installed"),
        ("from isegm.model.ops import x\n", "has no module isegm.model.ops"),
        ("SegFormerModel = 3 / 0\n", "can't be imported: ZeroDivisionError"),
        ("def SegFormerModel(**kwargs): raise KeyError('b0')\n", "can't be made: KeyError"),
    ],
)
def test_a_checkout_that_cant_be_played_says_why(
    tmp_path: Path, network: str, complaint: str
) -> None:
    done = run(checkout(tmp_path, network), "--networks", "focalclick-b0", "--threads", "1")
    assert done.returncode == 1
    assert complaint in done.stderr
    assert "Traceback" not in done.stderr


def test_what_is_no_checkout_is_refused(tmp_path: Path) -> None:
    assert "holds no folder isegm" in run(tmp_path).stderr
    assert "expected the folder of an official checkout, or --ours-only" in run().stderr
    assert "and not both" in run(tmp_path, "--ours-only").stderr
    assert "is for one thread" in run("--ours-only", "--cpu-time", "--threads", "2").stderr


SMALL = ("--networks", "focalclick-b0", "--alternations", "1", "--clicks", "1", "--threads", "1")
OURS = ["ours, torch", "ours, ONNX Runtime", "lite0"]


@pytest.mark.slow
def test_our_ways_are_measured_without_a_checkout() -> None:
    done = run("--ours-only", *SMALL, "--cpu-time")
    assert done.returncode == 0, done.stderr
    assert ways_in(done.stdout) == OURS
    assert "1 alternations, CPU time" in done.stdout


@pytest.mark.slow
def test_a_checkouts_network_is_imported_and_played_beside_it(tmp_path: Path) -> None:
    done = run(checkout(tmp_path, NETWORK), *SMALL)
    assert done.returncode == 0, done.stderr
    assert ways_in(done.stdout) == ["official code, torch", *OURS]
    assert "a line for every click" not in done.stdout
