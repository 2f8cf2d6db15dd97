"""Training: `run` takes a recipe to weights. Needs the extra `train`."""

from vtmr.train.loop import run
from vtmr.train.recipe import Recipe, load_recipe

__all__ = ["Recipe", "load_recipe", "run"]
