"""A folder of numbered recipes that are trained one after the other, each from the weights of the
one before."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vtmr.atomic import exists
from vtmr.errors import ConfigError
from vtmr.train.checkpoint import STATE, WEIGHTS, saved_step
from vtmr.train.recipe import Recipe, load_recipe

NUMBERED = re.compile(r"([0-9]+)-.+")
NAMING = "name the stages 1-first.toml, 2-second.toml and so on, without a gap"


@dataclass(frozen=True)
class Stage:
    """One recipe of the folder and where its run lies.

    init: the weights of the stage before, None for the first. done: its finished steps when it was
    looked at, None where nothing was begun.
    """

    number: int
    path: Path
    recipe: Recipe
    out: Path
    init: Path | None
    done: int | None

    @property
    def finished(self) -> bool:
        """Whether all its steps are done."""
        return self.done == self.recipe.steps


def read_stages(folder: Path, out: Path, overrides: Sequence[str] = ()) -> list[Stage]:
    """The folder's stages in the order of their numbers, each with a run's folder below `out`.

    All recipes are read before anything is trained, so that a mistake in the last one isn't found
    after a day.

    Raises:
        ConfigError: For a folder that holds no stages, numbers that aren't 1, 2, 3 …, recipes of
            different networks, a recipe that a begun run differs from, and a stage that was begun
            although the one before isn't finished.
        CheckpointError: For a state that can't be read.
    """
    stages: list[Stage] = []
    for number, path in enumerate(stage_paths(folder), start=1):
        recipe = load_recipe(path, overrides)
        run_folder = out / path.stem
        before = None
        if stages:
            before = stages[-1]
        if before is not None and recipe.model != before.recipe.model:
            raise ConfigError(
                f"{path} trains {recipe.model!r}, the stage before {before.recipe.model!r}: all "
                "stages of a folder need the same model."
            )
        done = None
        if exists(run_folder / STATE):
            done = saved_step(run_folder, recipe)
        # Going on with it, the run would forget that its start has changed.
        if done is not None and before is not None and not before.finished:
            raise ConfigError(
                f"{run_folder} holds a run, but the stage before, {before.path.stem}, isn't "
                f"finished: its weights would be others. Remove {run_folder}, or name another "
                "folder."
            )
        init = None
        if before is not None:
            init = before.out / WEIGHTS
        stages.append(Stage(number, path, recipe, run_folder, init, done))
    return stages


def stage_paths(folder: Path) -> list[Path]:
    """The folder's recipes by number. Raises ConfigError unless they are numbered from 1 on."""
    try:
        paths = [path for path in folder.iterdir() if path.suffix == ".toml"]
    except OSError as error:
        raise ConfigError(f"{folder} can't be read: {error.strerror or error}.") from error
    if not paths:
        raise ConfigError(f"{folder} holds no recipe (.toml): {NAMING}.")
    numbered: dict[int, Path] = {}
    for path in sorted(paths):
        match = NUMBERED.fullmatch(path.stem)
        if match is None:
            raise ConfigError(f"{path} has no number: {NAMING}.")
        number = int(match[1])
        if number in numbered:
            raise ConfigError(f"{numbered[number]} and {path} have the same number: {NAMING}.")
        numbered[number] = path
    expected = range(1, len(numbered) + 1)
    for number in expected:
        if number not in numbered:
            raise ConfigError(f"{folder} has no stage {number}: {NAMING}.")
    return [numbered[number] for number in expected]
