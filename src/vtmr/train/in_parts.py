"""A run whose steps are done in parts, by several commands and on several machines in turn.

The schedule is the whole's: the learning rate and what the encoder's BatchNorm does depend on the
steps of all parts. What a part starts from is a weights file, whose lineage says how many of the
steps are done; so nothing but that file has to be carried from one machine to the next.
"""

from __future__ import annotations

from collections.abc import Sequence

from vtmr.errors import ConfigError
from vtmr.spec import ModelSpec, Run
from vtmr.train.recipe import Recipe


def parts_of(recipe: Recipe, lineage: Sequence[Run]) -> list[Run]:
    """The runs of a lineage that are parts of the recipe's whole: the last ones, in a row.

    Earlier ones of that name, with other runs in between, belong to another whole.
    """
    parts: list[Run] = []
    for run in reversed(lineage):
        if run.recipe != recipe.name:
            break
        parts.insert(0, run)
    return parts


def steps_before(recipe: Recipe, spec: ModelSpec) -> int:
    """The steps of the whole that the weights to start from have behind them; 0 for a recipe that
    isn't trained in parts.

    Raises ConfigError when all of them are done.
    """
    if not recipe.in_parts:
        return 0
    done = sum(run.steps for run in parts_of(recipe, spec.lineage))
    if done >= recipe.steps:
        raise ConfigError(
            f"The weights have all {recipe.steps} steps of {recipe.name!r} behind them: there is "
            "nothing left to train; raise steps, or train another recipe."
        )
    return done


def how_far(recipe: Recipe, lineage: Sequence[Run]) -> str:
    """How far the whole is, in one sentence. lineage: with the part that is running."""
    parts = parts_of(recipe, lineage)
    steps = sum(run.steps for run in parts)
    samples = sum(run.samples for run in parts)
    cpu_seconds = sum(run.cpu_seconds for run in parts)
    return (
        f"{recipe.name}: {steps:,} of {recipe.steps:,} steps done ({steps / recipe.steps:.1%}), "
        f"{samples:,} samples, {cpu_seconds:,.0f} CPU seconds, part {len(parts)}."
    )
