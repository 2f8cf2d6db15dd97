"""`vtmr train`: from flags to one training run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vtmr.cli.failures import needs_extra, resumable
from vtmr.errors import InputError


def train_recipe(recipe: Path, out: Path, *, init: Path | None, resume: bool, overrides: Sequence[str]) -> None:
    """Trains by the recipe, into `out`.

    Raises InputError for a recipe that isn't there, ConfigError for unknown keys or a missing torch, DataError for
    missing data, CheckpointError for weights that don't fit.
    """
    if not recipe.is_file():
        raise InputError(f"There is no recipe {recipe}: expected a TOML file, see the folder recipes.")
    with needs_extra("train"):
        from vtmr.train import run
    with resumable(f"Interrupted; {out} holds the state of the run: add --resume to the same command to go on."):
        run(recipe, out, init=init, resume=resume, overrides=list(overrides), validate=None)
