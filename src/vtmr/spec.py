"""What a model file says about itself: everything a runtime needs to use it, and where it comes from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from difflib import get_close_matches
from typing import Any, Literal, get_args

from vtmr.errors import CheckpointError, ConfigError

FORMAT = 1
Pipeline = Literal["vtmr", "focalclick"]


@dataclass(frozen=True, slots=True)
class Normalisation:
    """What a network does to pixel values 0..255 before its first layer: (value - mean) / std, RGB."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]


RAW = Normalisation((0.0, 0.0, 0.0), (255.0, 255.0, 255.0))  # [0, 1], as every refiner wants it (facts.md §A.4)


@dataclass(frozen=True, slots=True)
class ZoomSchedule:
    """When the zoomed pass counts: weight 0 for t < rounds/2, else min(t, rounds)/rounds (facts.md §L.2)."""

    rounds: int = 20

    def __post_init__(self) -> None:
        if self.rounds < 2:
            raise ConfigError(f"zoom.rounds is {self.rounds}: expected at least 2 (the paper's T is 20).")


@dataclass(frozen=True, slots=True)
class Run:
    """One training run in a checkpoint's ancestry."""

    recipe: str
    commit: str
    started: str
    steps: int
    samples: int
    cpu_seconds: float
    initialised_from: str


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A network's contract with the pipeline around it, stored as JSON inside every model file.

    Raises ConfigError for values no pipeline could use.
    """

    model: str
    coarse_normalisation: Normalisation
    refine_normalisation: Normalisation = RAW
    input_size: int = 256
    disc_radius: float = 5.0
    threshold: float = 0.5
    target_ratio: float = 1.4
    focus_ratio: float = 1.4
    freeze_from_click: int = 11
    pipeline: Pipeline = "vtmr"
    zoom: ZoomSchedule = field(default_factory=ZoomSchedule)
    licence: str = "Apache-2.0"
    terms: str = ""
    training_data: tuple[str, ...] = ()
    lineage: tuple[Run, ...] = ()
    format: int = FORMAT

    def __post_init__(self) -> None:
        if self.format != FORMAT:
            raise CheckpointError(f"The model file has format {self.format}; this version reads format {FORMAT}.")
        if self.input_size < 32 or self.input_size % 32:
            raise ConfigError(f"input_size is {self.input_size}: expected a positive multiple of 32.")
        if not 0 < self.threshold < 1:
            raise ConfigError(f"threshold is {self.threshold}: expected a probability between 0 and 1.")
        if self.disc_radius <= 0 or self.target_ratio < 1 or self.focus_ratio < 1:
            raise ConfigError("disc_radius must be positive, target_ratio and focus_ratio at least 1.")
        if self.pipeline not in get_args(Pipeline):
            raise ConfigError(f"pipeline is {self.pipeline!r}: expected one of {', '.join(get_args(Pipeline))}.")

    def to_json(self) -> str:
        """As one JSON object."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @staticmethod
    def from_json(text: str) -> ModelSpec:
        """The inverse of `to_json`. Raises CheckpointError for anything else."""
        try:
            values = json.loads(text)
            if not isinstance(values, dict):
                raise CheckpointError(f"The model's spec is a JSON {type(values).__name__}: expected an object.")
            require_keys(values, ModelSpec, "the model's spec")
            for key in ("coarse_normalisation", "refine_normalisation"):
                values[key] = Normalisation(tuple(values[key]["mean"]), tuple(values[key]["std"]))
            values["zoom"] = ZoomSchedule(**values["zoom"])
            values["training_data"] = tuple(values["training_data"])
            values["lineage"] = tuple(Run(**run) for run in values["lineage"])
            return ModelSpec(**values)
        except (ValueError, KeyError, TypeError) as error:
            raise CheckpointError(f"The model's spec can't be read: {error}. Export the model again.") from error
        except ConfigError as error:
            raise CheckpointError(f"The model's spec is not usable: {error}") from error


def require_keys(values: Mapping[str, Any], record: type, where: str) -> None:
    """Refuses keys that the dataclass `record` doesn't have, naming the nearest one that it has, and missing ones."""
    known = {f.name: f for f in fields(record)}
    for key in values:
        if key not in known:
            near = get_close_matches(key, known, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else f" Known: {', '.join(known)}."
            raise ConfigError(f"{where} has the unknown key {key!r}.{hint}")
    for key, f in known.items():
        if key not in values and f.default is MISSING and f.default_factory is MISSING:
            raise ConfigError(f"{where} lacks the key {key!r}.")
