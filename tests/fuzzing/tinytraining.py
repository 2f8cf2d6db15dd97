"""The parts of a training run, as small as can be: what a state is saved of and read into."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import torch
from shapes import RECIPE

from vtmr.spec import ModelSpec, Normalisation
from vtmr.train.optimiser import MovingAverage
from vtmr.train.recipe import Recipe, load_recipe


def tiny_training() -> tuple[Recipe, Any, torch.optim.Adam, MovingAverage, ModelSpec]:
    """Recipe, network, optimiser after one step, moving average and spec."""
    torch.manual_seed(1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "tiny.toml")
        path.write_text(RECIPE)
        recipe = load_recipe(path)
    network = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    adam = torch.optim.Adam(network.parameters())
    network(torch.rand(4, 3)).sum().backward()
    adam.step()
    spec = ModelSpec("lite0", Normalisation((1.0, 2.0, 3.0), (4.0, 5.0, 6.0)))
    return recipe, network, adam, MovingAverage(network, 0.5), spec
