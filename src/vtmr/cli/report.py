"""`vtmr report`: from folders of `vtmr evaluate` to one page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vtmr.bench import ModelInfo
from vtmr.bench.document import PAGE, write_report
from vtmr.bench.entries import Entry, labels_of, open_entries
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
    entries = open_entries(labels_of(folders))
    paths = dict(parse_data(text) for text in data)
    known = dict.fromkeys(record.dataset for entry in entries for record in entry.records)
    if unknown := next((name for name in paths if name not in known), None):
        raise InputError(
            f"No run has the data set {unknown!r}: expected one of {', '.join(known)}."
        )
    out = out or folders[0] / "report"
    with needs_extra("bench"):
        notes = write_report(entries, out, data=paths, predictors=_predictors(entries, models))
    return out / PAGE, notes


def _predictors(entries: Sequence[Entry], models: Sequence[str]) -> dict[str, Predictor]:
    """{run's label: what answered its clicks}, where its model is among those given.

    Raises InputError for a model that made none of the runs.
    """
    found: dict[str, Predictor] = {}
    for model in models:
        _, named = contenders.load(model)
        made = [entry for entry in entries if _same(entry.run.model, named)]
        if not made:
            raise InputError(
                f"The model {model} made none of the runs: expected the file whose SHA-256 a run "
                "names."
            )
        for entry in made:
            info = entry.run.model
            options = ModelOptions(
                threads=info.threads,
                device=info.device or None,
                threshold=entry.run.protocol.threshold,
                input_size=None if info.eval_mode else info.input_size,
                eval_mode=info.eval_mode or None,
            )
            # By its file: where the run names no input size it was the file's own, and `model` may
            # be a name that stands for another.
            predictor, _ = contenders.load(str(file_of(model)), options)
            if isinstance(predictor, Segmenter) and info.zoom is not None:
                predictor = predictor.with_zoom(info.zoom)
            found[entry.label] = predictor
    return found


def _same(one: ModelInfo, other: ModelInfo) -> bool:
    return (one.name, one.sha256) == (other.name, other.sha256)
