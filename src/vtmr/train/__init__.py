"""Training: `run` takes a recipe to weights. Needs the extra `train`."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from vtmr.train.recipe import Recipe, load_recipe

if TYPE_CHECKING:
    from vtmr.train.loop import run

__all__ = ["Recipe", "load_recipe", "run"]


def __getattr__(name: str) -> Any:
    """Imports `run` when it is first used: torch and what starts its processes take seconds, and a
    mistake in a recipe is told without them."""
    if name != "run":
        raise AttributeError(f"module 'vtmr.train' has no attribute {name!r}")
    return import_module("vtmr.train.loop").run
