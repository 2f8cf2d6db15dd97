"""`vtmr experiment`: from flags to one of the paper's experiments on one's own data and models."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from rich.console import Console

from vtmr.bench import ModelInfo, Work, open_benchmarks, processes
from vtmr.bench.experiments import Condition, Contender, Experiment, find_experiment, run_experiment
from vtmr.cli import contenders
from vtmr.cli.evaluate import keeping_objects, parse_data
from vtmr.cli.zoo import found_in
from vtmr.data import EvalSample
from vtmr.errors import InputError, needs_extra
from vtmr.runtime import default_threads
from vtmr.segmenter import ModelOptions
from vtmr.segmenter.vtmr import VtmrSegmenter
from vtmr.spec import Guidance
from vtmr.types import Predictor

IMPORTS = "imports"  # folder of the experiment's own: the zoo's files as ours


def parse_variant(text: str) -> tuple[str, str]:
    """`LABEL=MODEL` as (label, model). Raises InputError for anything else."""
    label, separator, model = text.partition("=")
    if not (label.strip() and separator and model):
        raise InputError(
            f"The variant {text!r} can't be read: expected LABEL=MODEL, for example 'no "
            "zoom=b3.onnx'."
        )
    return label.strip(), model


def conduct(
    name: str,
    data: Sequence[str],
    variants: Sequence[str],
    model: str,
    out: Path,
    *,
    zoo: Path | None = None,
    limit: int | None,
    jobs: int,
    options: ModelOptions,
) -> Path:
    """Runs the experiment and prints its table; the path of the page.

    variants: LABEL=MODEL each; without any, `model` alone. zoo: a folder whose checkpoints play
    beside them, those on torch on the options' device. options: how each is used. Raises
    ConfigError for an unknown experiment, too few variants and a missing extra, InputError for what
    can't be read, and whatever `vtmr evaluate` raises.
    """
    experiment = find_experiment(name)
    sets = [parse_data(text) for text in data]
    models = dict(parse_variant(text) for text in variants) or {_label(model): model}
    if len(models) < len(variants):
        raise InputError(f"A label is given twice in {', '.join(variants)}: expected each once.")
    _require_packages(experiment)
    if options.threads is None and jobs > 1:
        options = replace(options, threads=default_threads(jobs))
    samples = partial(open_benchmarks, sets, limit)
    openers: dict[str, _Opener] = {}
    for label, each in models.items():
        openers[label] = _Opener(partial(load, each, options), samples, jobs)
    if zoo is not None:
        # Without case, as labels become folders: on macOS and Windows A and a are one.
        taken = set(map(str.lower, openers))
        for found in found_in(zoo, out / IMPORTS, options):
            label = found.label
            if label.lower() in taken:
                label += ", zoo"
            openers[label] = _Opener(partial(load, found.model, found.options), samples, jobs)
    with keeping_objects(out):
        return run_experiment(
            experiment, openers, samples(), out, data=dict(sets), console=Console()
        )


def load(
    model: str, options: ModelOptions, guidance: Guidance | None
) -> tuple[Predictor, ModelInfo]:
    """What `contenders.load` gives, its zoomed pass guided otherwise where `guidance` says so.

    A schedule that is off becomes the paper's then: without a zoomed pass nothing would be
    compared. Raises InputError for a predictor without one, and what `contenders.load` raises.
    """
    predictor, info = contenders.load(model, options)
    if guidance is None:
        return predictor, info
    if not isinstance(predictor, VtmrSegmenter):
        raise InputError(
            f"{predictor.name} has no zoomed pass to guide: expected a network with vtmr's own "
            "pipeline."
        )
    zoom = replace(predictor.zoom, guidance=guidance)
    if zoom.schedule == "off":
        zoom = replace(zoom, schedule="paper")  # without a zoomed pass nothing would be guided
    return predictor.with_zoom(zoom), replace(info, zoom=zoom)


@dataclass(frozen=True, slots=True)
class _Opener:
    """Loads one model for each condition, here and in the processes that play beside this one."""

    load: partial[tuple[Predictor, ModelInfo]]
    samples: partial[list[EvalSample]]
    jobs: int

    def __call__(self, condition: Condition) -> Contender:
        load = partial(self.load, condition.guidance)
        predictor, info = load()
        work = Work(self.samples, partial(contenders.only_predictor, load))
        team = None
        if self.jobs > 1:
            team = processes(work, self.jobs)
        return Contender(predictor, info, team)


def _label(model: str) -> str:
    """A model's name in the table: a file's without folder and suffix."""
    if Path(model).suffix:
        return Path(model).stem
    return model.removeprefix(contenders.BASELINE)


def _require_packages(experiment: Experiment) -> None:
    """Raises ConfigError at once for what would only be missed after hours of clicks."""
    with needs_extra("bench"):
        importlib.import_module("matplotlib")
        initial_masks = {condition.protocol.initial_mask for condition in experiment.conditions}
        if "superpixels" in initial_masks:
            importlib.import_module("skimage")
