"""The command line run in-process, with the colour network of tests/fakes.py in place of
weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fakes import ColourNetwork, shapes_image
from PIL import Image
from running import Command, Result

from vtmr.cli import main


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs `vtmr` with the arguments, which may be paths or numbers."""

    def run(*arguments: object) -> Result:
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return run


class ThreadedColourNetwork(ColourNetwork):
    """As the runtime's network, it says how many threads it has and what its own input size is."""

    threads = 1

    @property
    def own_input_size(self) -> int:
        return self.spec.input_size


@pytest.fixture
def colour_network(monkeypatch: pytest.MonkeyPatch) -> ColourNetwork:
    """Every --model is the colour network."""
    network = ThreadedColourNetwork()
    monkeypatch.setattr(
        "vtmr.segmenter.loading.load_network", lambda name, threads=None, input_size=None: network
    )
    return network


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """shapes.png, 160 x 120: a red ellipse about (56, 54) and a blue rectangle about (124, 66) on
    green."""
    path = tmp_path / "shapes.png"
    Image.fromarray(shapes_image()).save(path)
    return path


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """One picture: the red ellipse on green beside a blue rectangle."""
    root = tmp_path / "data"
    for name in ("images", "masks"):
        (root / name).mkdir(parents=True)
    image = shapes_image(48, 64)
    Image.fromarray(image).save(root / "images" / "a.png")
    red = (image[..., 0] > 130).astype(np.uint8)
    Image.fromarray(red * np.uint8(255)).save(root / "masks" / "a.png")
    return root
