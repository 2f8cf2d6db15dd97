"""`vtmr train`: from flags to one training run, which the benchmark's own code validates as it
goes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from vtmr.atomic import exists, is_folder
from vtmr.bench import Protocol, evaluate, summarise
from vtmr.cli import predictors
from vtmr.cli.failures import resumable
from vtmr.cli.stages import train_stages
from vtmr.data import open_benchmark
from vtmr.errors import needs_extra
from vtmr.segmenter import ModelOptions

WEIGHTS = "weights.safetensors"  # in the run's folder, as vtmr.train has it; torch isn't loaded
FIGURES = ("NoC@85", "NoC@90", "IoU@1", "IoU@5")


def train_recipe(
    recipe_path: Path, out: Path, *, init: Path | None, resume: bool, overrides: Sequence[str]
) -> None:
    """Trains by the recipe, into `out`; a folder's recipes are trained as stages, which need no
    `resume`.

    Raises ConfigError for a recipe that can't be read, unknown keys or a missing torch, DataError
    for missing data, CheckpointError for weights that don't fit.
    """
    if is_folder(recipe_path):
        train_stages(recipe_path, out, init=init, overrides=overrides)
        return
    with needs_extra("train"):
        _require_torch()
        from vtmr.train import load_recipe
    root = recipe_path.parent / load_recipe(recipe_path, overrides).data.root
    with needs_extra("train"):
        from vtmr.train import run
    with resumable(lambda: how_to_go_on(out)):
        outcome = run(
            recipe_path,
            out,
            init=init,
            resume=resume,
            overrides=overrides,
            validate=validation(root),
        )
    if outcome is not None and outcome.whole:
        print(outcome.whole)
    if outcome is not None and outcome.unfinished:
        print(f"The next part: vtmr train {recipe_path} --init {out / WEIGHTS} --out NEXT")
    if outcome is not None and outcome.unreadable:
        print(
            f"vtmr: {outcome.unreadable} draws for {outcome.samples} samples couldn't be read and "
            "others took their "
            f"place; the first: {' '.join(outcome.reasons)}",
            file=sys.stderr,
        )


def _require_torch() -> None:
    """Raises ModuleNotFoundError where it isn't installed. It isn't imported, which takes seconds,
    before the recipe is known to be right."""
    if find_spec("torch") is None:
        raise ModuleNotFoundError("torch isn't installed", name="torch")


def how_to_go_on(out: Path) -> str:
    """What an interrupted run left in its folder, and how to continue it."""
    if exists(out / "state.safetensors"):
        return (
            f"Interrupted; {out} holds the state of the run: add --resume to the same command to "
            "go on."
        )
    return (
        "Interrupted before the first step: nothing was saved, start again with the same command."
    )


def validation(root: Path) -> Callable[[Path], dict[str, float]]:
    """What a run calls with its folder to judge its weights on the frozen validation objects under
    `root`."""

    def validate(run_folder: Path) -> dict[str, float]:
        predictor = predictors.load(str(run_folder / WEIGHTS), ModelOptions(device="cpu")).predictor
        protocol = Protocol()
        # The summary is all that is kept: the weights behind the records are soon gone.
        with TemporaryDirectory() as records_folder:
            records = evaluate(
                open_benchmark("validation", root), predictor, protocol, Path(records_folder)
            )
        row = summarise(records, protocol)["validation"]
        return {f"validation {name}": float(row[name]) for name in FIGURES}

    return validate
