"""What a run leaves on disk: `weights.safetensors` to use and `state.safetensors` to resume from,
both atomic.

No pickle anywhere: the optimiser's moments are tensors under names, everything else is JSON in the
header.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vtmr.atomic import is_file, write_atomically
from vtmr.errors import CheckpointError, ConfigError
from vtmr.models.network import InteractiveNetwork
from vtmr.models.weights import CHECKPOINT_SPEC_KEY, read_safetensors, sealed
from vtmr.spec import ModelSpec, Run
from vtmr.train.optimiser import MovingAverage
from vtmr.train.recipe import Recipe, as_values
from vtmr.values import by_present_names, from_values

WEIGHTS, STATE = "weights.safetensors", "state.safetensors"
MOMENTS = ("exp_avg", "exp_avg_sq", "step")  # of Adam, for each parameter
# What may change between the parts of one run, because no sample and no gradient depends on it, but
# for rounding.
FREE_KEYS = (
    "threads",
    "checkpoint_minutes",
    "validate_minutes",
    "part_minutes",
    "iterative_clicks_engine",
)
FREE_DATA_KEYS = ("root", "workers")  # the data may lie elsewhere
NONSENSE = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
FREE_COMPUTE_KEYS = ("accelerator", "devices", "nodes")  # equal but for rounding


@dataclass(frozen=True)
class Progress:
    """How far a run is. `step` counts finished steps; cpu_seconds and seconds cover all its parts.

    begun: the step at which this part of a run in parts began, 0 otherwise. unreadable: how often
    something couldn't be read, and another sample was drawn. scaler: the state of float16's.
    changes: as in `vtmr.spec.Run`, of the command that started the run.
    """

    step: int
    cpu_seconds: float
    seconds: float
    started: str
    commit: str
    initialised_from: str
    unreadable: int = 0
    scaler: dict[str, float] = field(default_factory=dict)
    changes: str = ""
    begun: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.begun <= self.step:
            raise ConfigError(
                f"The step is {self.step} of a run that began at {self.begun}: expected 0 or more, "
                "and no fewer than it began at."
            )


def comparable(recipe: Recipe) -> dict[str, Any]:
    """The recipe without what may change on resuming."""
    values = as_values(recipe)
    for table, free in (
        (values, FREE_KEYS),
        (values["data"], FREE_DATA_KEYS),
        (values["compute"], FREE_COMPUTE_KEYS),
    ):
        for key in free:
            del table[key]
    # Through JSON, as a saved one went: tuples are lists then.
    plain: dict[str, Any] = json.loads(json.dumps(values))
    return plain


def as_comparable(saved: dict[str, Any]) -> dict[str, Any]:
    """What `comparable` gave when the state was saved; keys that the recipe didn't have then take
    their defaults."""
    # As in TOML, what is off is left out.
    values = {key: value for key, value in saved.items() if value is not None}
    whole = {**values, "data": {"root": "", **values["data"]}}
    # Nothing is told of old names here: the run's folder is written by vtmr, not by its user.
    present, _ = by_present_names(Recipe, whole, "the saved recipe")
    return comparable(from_values(Recipe, present, "the saved recipe"))


def lineage(recipe: Recipe, progress: Progress, ancestors: tuple[Run, ...]) -> tuple[Run, ...]:
    """The ancestors' runs and this one: of a run in parts the newest part."""
    steps = progress.step - progress.begun
    run = Run(
        recipe=recipe.name,
        commit=progress.commit,
        started=progress.started,
        steps=steps,
        samples=steps * recipe.batch,
        cpu_seconds=round(progress.cpu_seconds, 2),
        initialised_from=progress.initialised_from,
        changes=progress.changes,
    )
    return (*ancestors, run)


def save_checkpoint(
    out: Path,
    recipe: Recipe,
    network: InteractiveNetwork,
    adam: torch.optim.Adam,
    average: MovingAverage,
    spec: ModelSpec,
    progress: Progress,
) -> None:
    """Writes both files. `spec` holds the ancestors' lineage only.

    Raises InputError when the disk is full.
    """
    tensors: dict[str, Tensor] = {}
    for name, value in network.state_dict().items():
        tensors[f"network.{name}"] = value
    for name, value in average.tensors().items():
        tensors[f"average.{name}"] = value
    # Adam knows parameters without their names; what was never trained has no moments.
    for name, parameter in network.named_parameters():
        if parameter in adam.state:
            for key in MOMENTS:
                tensors[f"adam.{key}.{name}"] = adam.state[parameter][key]
    header = {
        "progress": json.dumps(asdict(progress)),
        "recipe": json.dumps(comparable(recipe)),
        "spec": spec.to_json(),
    }
    finished = replace(spec, lineage=lineage(recipe, progress, spec.lineage))
    write_atomically(out / STATE, sealed(tensors, header))
    metadata = {CHECKPOINT_SPEC_KEY: finished.to_json(), "recipe": json.dumps(as_values(recipe))}
    write_atomically(out / WEIGHTS, sealed(average.tensors(), metadata))


def restore_checkpoint(
    out: Path,
    recipe: Recipe,
    network: InteractiveNetwork,
    adam: torch.optim.Adam,
    average: MovingAverage,
) -> tuple[Progress, ModelSpec]:
    """Brings everything back to where `save_checkpoint` left it.

    Raises CheckpointError or ConfigError.
    """
    path = out / STATE
    tensors, progress, spec = _read_state(path, recipe)
    tensors_of: dict[str, dict[str, Tensor]] = {"network": {}, "average": {}, "adam": {}}
    for key, value in tensors.items():
        part, _, name = key.partition(".")
        tensors_of.setdefault(part, {})[name] = value
    try:
        network.load_state_dict(tensors_of["network"])
        for name, value in average.tensors().items():
            value.copy_(tensors_of["average"][name])
        for name, parameter in network.named_parameters():
            if f"exp_avg.{name}" in tensors_of["adam"]:
                adam.state[parameter] = _moments(tensors_of["adam"], name, parameter)
    except (RuntimeError, KeyError) as error:
        reason = " ".join(str(error).split())[:300]
        raise CheckpointError(
            f"{path} doesn't fit the network {recipe.model!r}: {reason}. Start again."
        ) from error
    return progress, spec


def _moments(saved: Mapping[str, Tensor], name: str, parameter: Tensor) -> dict[str, Tensor]:
    """Adam's moments of a parameter, by their names in torch. Raises KeyError where one lacks."""
    moments: dict[str, Tensor] = {}
    for key in MOMENTS:
        value = saved[f"{key}.{name}"]
        if value.ndim > 0:  # all but the count of steps
            # In the parameter's own memory layout, which the file doesn't keep.
            value = torch.empty_like(parameter).copy_(value)
        moments[key] = value
    return moments


def _read_state(path: Path, recipe: Recipe) -> tuple[dict[str, Tensor], Progress, ModelSpec]:
    """The file's tensors and header, if it is of a run by that recipe.

    Raises CheckpointError or ConfigError.
    """
    if not is_file(path):
        raise CheckpointError(
            f"{path} doesn't exist: there is nothing to resume; leave out --resume to start."
        )
    try:
        tensors, header = read_safetensors(path)
        progress: Progress = from_values(Progress, json.loads(header["progress"]), "its progress")
        saved_recipe = as_comparable(dict(json.loads(header["recipe"])))
        spec = ModelSpec.from_json(header["spec"])
    except (ConfigError, CheckpointError, *NONSENSE) as error:
        raise CheckpointError(
            f"{path} is damaged or not a training state: {error}. Start again or use --init."
        ) from error
    wanted = comparable(recipe)
    changed = sorted(key for key in wanted if saved_recipe.get(key) != wanted[key])
    if changed:
        raise ConfigError(
            f"The recipe differs from the one that {path} was made with, in {', '.join(changed)}: "
            "resume with the same recipe, or start a new run from its weights with --init."
        )
    return tensors, progress, spec


def saved_step(out: Path, recipe: Recipe) -> int:
    """How many steps the run in `out` has done.

    Raises CheckpointError for a state that can't be read, ConfigError for one of another recipe.
    """
    _, progress, _ = _read_state(out / STATE, recipe)
    return progress.step
