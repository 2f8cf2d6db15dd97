"""From the value of --model to what the benchmark plays: a model, or a baseline by
`baseline:NAME`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from vtmr.bench import ModelInfo
from vtmr.bench.baselines import BASELINES, open_baseline
from vtmr.cli import predictors
from vtmr.errors import InputError, needs_extra
from vtmr.segmenter import AS_THE_MODEL_SAYS, ModelOptions
from vtmr.types import Predictor

BASELINE = "baseline:"


def load(model: str, options: ModelOptions = AS_THE_MODEL_SAYS) -> tuple[Predictor, ModelInfo]:
    """As `predictors.load`, or a baseline (`vtmr.bench.baselines.open_baseline`), with what a run
    stores of it.

    threads: of a network; a baseline has none. Raises what `predictors.load` raises; InputError for
    an unknown baseline and for an option of networks with a baseline, ConfigError when the baseline
    needs a package that isn't installed.
    """
    if not model.startswith(BASELINE):
        loaded = predictors.load(model, options)
        predictor = loaded.predictor
        return predictor, ModelInfo(
            predictor.name,
            loaded.sha256,
            loaded.threshold,
            loaded.threads,
            predictor.zoom,
            device=loaded.device,
            input_size=loaded.input_size,
            eval_mode=loaded.eval_mode,
            views=predictor.spec.views,
        )
    for what, value in (
        ("device", options.device),
        ("zoom", options.zoom),
        ("threshold", options.threshold),
        ("input size", options.input_size),
        ("evaluation mode", options.eval_mode),
        ("views", options.views),
    ):
        if value is not None:
            raise InputError(f"The {what} is {value}, but {model} has none: leave it out.")
    with needs_extra("bench"):
        baseline = open_baseline(model.removeprefix(BASELINE))
    return baseline, ModelInfo(baseline.name)


def only_predictor(load: Callable[[], tuple[Predictor, ModelInfo]]) -> Predictor:
    """What another process plays with, where `load` gives what this module's does."""
    return load()[0]


def baselines() -> list[dict[str, str]]:
    """One object for each baseline that comes with vtmr: its value of --model and what it is."""
    return [
        {"name": f"{BASELINE}{name}", "description": baseline.description}
        for name, baseline in BASELINES.items()
    ]


def as_text(listed: Sequence[dict[str, str]]) -> str:
    """A line for each of `baselines`."""
    width = max(len(baseline["name"]) for baseline in listed)
    return "\n".join(
        f"{baseline['name']:{width}}  {baseline['description']}" for baseline in listed
    )
