"""`vtmr report`: from folders of `vtmr evaluate` to one page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vtmr.bench import ModelInfo
from vtmr.bench.document import PAGE, write_report
from vtmr.bench.labelled_runs import LabelledRun, labels_of, open_runs
from vtmr.cli import contenders
from vtmr.cli.evaluate import parse_data
from vtmr.errors import InputError, needs_extra
from vtmr.segmenter import ModelOptions, Segmenter
from vtmr.segmenter.loading import file_of
from vtmr.types import Predictor


def report_runs(
    folders: Sequence[Path], out: Path | None, *, data: Sequence[str], models: Sequence[str]
) -> tuple[Path, list[str]]:
    """Writes the report; the page's path and what a reader has to know of its limits, a sentence
    each.

    out: None for `report` in the first folder. models: to draw the masks of the runs that they
    made. Raises InputError, DataError, ConfigError and CheckpointError.
    """
    runs = open_runs(labels_of(folders))
    paths = dict(parse_data(text) for text in data)
    known: dict[str, None] = {}  # a set that keeps the runs' order
    for run in runs:
        known |= dict.fromkeys(record.dataset for record in run.records)
    for name in paths:
        if name not in known:
            raise InputError(
                f"No run has the data set {name!r}: expected one of {', '.join(known)}."
            )
    out = out or folders[0] / "report"
    with needs_extra("bench"):
        notes = write_report(runs, out, data=paths, predictors=_predictors(runs, models))
    return out / PAGE, notes


def _predictors(runs: Sequence[LabelledRun], models: Sequence[str]) -> dict[str, Predictor]:
    """{run's label: what answered its clicks}, where its model is among those given.

    Raises InputError for a model that made none of the runs.
    """
    found: dict[str, Predictor] = {}
    for model in models:
        _, named = contenders.load(model)
        made = [run for run in runs if _same(run.stored.model, named)]
        if not made:
            raise InputError(
                f"The model {model} made none of the runs: expected the file whose SHA-256 a run "
                "names."
            )
        for run in made:
            info = run.stored.model
            options = ModelOptions(
                threads=info.threads,
                device=info.device or None,
                threshold=run.stored.protocol.threshold,
                # A mode has its size in it.
                input_size=None if info.eval_mode else info.input_size,
                eval_mode=info.eval_mode or None,
            )
            # By its file: where the run names no input size it was the file's own, and `model` may
            # be a name that stands for another.
            predictor, _ = contenders.load(str(file_of(model)), options)
            if isinstance(predictor, Segmenter) and info.zoom is not None:
                predictor = predictor.with_zoom(info.zoom)
            found[run.label] = predictor
    return found


def _same(one: ModelInfo, other: ModelInfo) -> bool:
    return (one.name, one.sha256) == (other.name, other.sha256)
