"""`vtmr evaluate`: from flags to one run of the benchmark."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vtmr.bench import ModelInfo, Protocol, run_benchmark
from vtmr.cli import predictors
from vtmr.cli.failures import resumable
from vtmr.errors import InputError


def parse_data(text: str) -> tuple[str, Path]:
    """`NAME=PATH` as (name, path). Raises InputError for anything else and for a path that isn't a folder."""
    name, separator, path = text.partition("=")
    if not (name and separator and path):
        raise InputError(f"The data set {text!r} can't be read: expected NAME=PATH, for example grabcut=data/GrabCut.")
    if not Path(path).is_dir():
        raise InputError(f"The data set {name} should be in the folder {path}, which doesn't exist.")
    return name, Path(path)


def evaluate_model(
    data: Sequence[str],
    model: str,
    out: Path,
    *,
    limit: int | None,
    threads: int | None,
    device: str | None,
    zoom: str | None,
) -> None:
    """Runs the benchmark; records and summary.json go into `out`, the table to the terminal.

    Raises InputError for data that can't be found or named twice and for an unknown `zoom`, DataError for damaged data,
    CheckpointError for a model that can't be loaded, ConfigError when `out` holds a run with other settings.
    """
    sets = [parse_data(text) for text in data]
    if len({name for name, _ in sets}) < len(sets):
        raise InputError(f"A data set is named twice in {', '.join(data)}: expected each name once.")
    loaded = predictors.load(model, threads=threads, device=device, zoom=zoom)
    segmenter = loaded.predictor
    info = ModelInfo(segmenter.name, loaded.sha256, loaded.threshold, loaded.threads, segmenter.zoom)
    with resumable(lambda: f"Interrupted; {out} keeps every finished object: run the same command again to go on."):
        run_benchmark(sets, segmenter, info, out, limit, Protocol())
