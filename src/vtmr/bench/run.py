"""Plays the robot user against a predictor, through the same `Session` that the annotation app uses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from vtmr.bench.folder import open_folder, settings_of
from vtmr.bench.playing import key_of, play
from vtmr.bench.protocol import ModelInfo, Protocol
from vtmr.bench.records import Record, append_records, name_of, read_records
from vtmr.bench.report import print_table, summarise, write_summary
from vtmr.data import EvalSample, open_benchmark
from vtmr.errors import ConfigError, DataError
from vtmr.types import Predictor


def run_benchmark(
    data: Sequence[tuple[str, Path]],
    predictor: Predictor,
    model: ModelInfo,
    out: Path,
    limit: int | None = None,
    protocol: Protocol | None = None,
    console: Console | None = None,
) -> dict[str, Any]:
    """Evaluates a predictor on data sets, given as (name, path), and returns what summary.json then holds.

    limit: only the first so many objects of each. Writes records.jsonl, run.json, summary.json and table.md into
    `out`, continues an interrupted run there, prints the table. Raises ConfigError, DataError and InputError.
    """
    protocol, console = protocol or Protocol(), console or Console()
    counts = Counter(name for name, _ in data)
    if not counts or max(counts.values()) > 1:
        raise ConfigError(f"The data sets are {', '.join(counts.elements()) or 'none'}: expected each of them once.")
    samples = [sample for name, path in data for sample in open_benchmark(name, path, limit)]
    records = evaluate(samples, predictor, protocol, out, model=model, console=console)
    summary = summarise(records, protocol)
    write_summary(out, summary, protocol, model)
    print_table(summary, protocol, model, console)
    return summary


def evaluate(
    samples: Sequence[EvalSample],
    predictor: Predictor,
    protocol: Protocol,
    out: Path,
    *,
    model: ModelInfo | None = None,
    console: Console | None = None,
) -> list[Record]:
    """Plays all samples and returns their records, read again from `out`/records.jsonl.

    An object's records are appended when it ends; objects that a former, interrupted run finished in this folder
    are not played again. console: where progress is shown, None for none. Raises ConfigError when the folder holds
    a run with other settings, DataError for an unusable sample, InputError when the folder can't be written.
    """
    counts = Counter(key_of(sample) for sample in samples)
    if doubled := next((key for key, count in counts.items() if count > 1), None):
        raise DataError(f"The object {name_of(doubled)} occurs {counts[doubled]} times: expected each object once.")
    settings = settings_of(protocol, model or ModelInfo(predictor.name), list(counts))
    runs = [(sample, repeat) for sample in samples for repeat in range(protocol.repeats)]
    done = {record.key for record in open_folder(out, settings)}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=console is None, transient=True) as progress:
        task = progress.add_task("", total=len(runs), completed=len(done))
        for sample, repeat in runs:
            if (*key_of(sample), repeat) not in done:
                progress.update(task, description=sample.dataset)
                append_records(out, play(sample, predictor, protocol, repeat))
                progress.advance(task)
    return read_records(out)
