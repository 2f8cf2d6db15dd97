"""A whole run of the benchmark: which objects are left to play, who plays them, and where their
records go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from vtmr.atomic import make_folder, one_writer
from vtmr.bench.folder import open_folder, settings_of
from vtmr.bench.playing import key_of, play
from vtmr.bench.protocol import ModelInfo, Protocol, Shard
from vtmr.bench.records import (
    Key,
    ObjectKey,
    Record,
    append_records,
    name_of,
    read_records,
    replace_records,
)
from vtmr.bench.report import print_table, summarise, write_summary
from vtmr.data import EvalSample, open_benchmark
from vtmr.errors import ConfigError, DataError
from vtmr.progress import with_progress
from vtmr.types import Predictor


@dataclass(frozen=True, slots=True)
class Task:
    """One object to play once. place: of its sample among all, from 0; key: its name and the
    repeat."""

    place: int
    key: Key


Team = Callable[[Sequence[Task], Protocol], Generator[list[Record]]]
"""Who plays: yields each task's records as soon as it is done, in any order, and stops its work
when it is closed."""


def run_benchmark(
    data: Sequence[tuple[str, Path]],
    predictor: Predictor,
    model: ModelInfo,
    out: Path,
    limit: int | None = None,
    protocol: Protocol | None = None,
    console: Console | None = None,
    *,
    shard: Shard | None = None,
    team: Team | None = None,
) -> dict[str, Any]:
    """Evaluates a predictor on data sets and returns what summary.json then holds.

    data: (name, path) of each. limit: only the first so many objects of each. shard, team: see
    `evaluate`. Writes records.jsonl, run.json, objects.json, summary.json and table.md into `out`,
    continues an interrupted run there, prints the table. Raises ConfigError, DataError and
    InputError.
    """
    protocol, console = protocol or Protocol(), console or Console()
    samples = open_benchmarks(data, limit)
    records = evaluate(
        samples,
        predictor,
        protocol,
        out,
        model=model,
        console=console,
        shard=shard,
        team=team,
        data=dict(data),
    )
    if shard is not None and not records:
        console.print(
            f"Shard {shard} holds none of the {len(samples)} objects: nothing to play.",
            highlight=False,
        )
        return {}
    # A shard's folder gets a summary too, of its part: merging reads the records, never that.
    summary = summarise(records, protocol)
    write_summary(out, summary, protocol, model)
    print_table(summary, protocol, model, console)
    if shard is not None:
        console.print(
            f"This is shard {shard} alone: vtmr evaluate merge makes one table of all.",
            highlight=False,
        )
    return summary


def open_benchmarks(data: Sequence[tuple[str, Path]], limit: int | None = None) -> list[EvalSample]:
    """The samples of data sets given as (name, path), the first `limit` of each.

    Raises ConfigError, DataError.
    """
    counts = Counter(name for name, _ in data)
    if not counts or max(counts.values()) > 1:
        raise ConfigError(
            f"The data sets are {', '.join(counts.elements()) or 'none'}: expected each of them "
            "once."
        )
    samples: list[EvalSample] = []
    for name, path in data:
        samples += open_benchmark(name, path, limit)
    return samples


def evaluate(
    samples: Sequence[EvalSample],
    predictor: Predictor,
    protocol: Protocol,
    out: Path,
    *,
    model: ModelInfo | None = None,
    console: Console | None = None,
    shard: Shard | None = None,
    team: Team | None = None,
    data: Mapping[str, Path] | None = None,
) -> list[Record]:
    """Plays all samples and returns their records in the samples' order, read again from
    `out`/records.jsonl.

    An object's records are appended when it ends; objects that a former, interrupted run finished
    in this folder are not played again.

    Args:
        samples: The objects, as `vtmr.data.open_benchmark` lists them.
        predictor: What answers the clicks.
        protocol: The rules.
        out: Folder of the run, made when it is missing.
        model: What the run's settings say of the predictor.
        console: Where progress is shown, None for none.
        shard: Only this part of the objects.
        team: Who plays, None for this process with `predictor`; see `processes` and `on_ray`.
        data: Where the data sets lie, noted for reports.

    Raises:
        ConfigError: When the folder holds a run with other settings.
        DataError: For an unusable sample.
        InputError: When the folder can't be written or another process writes into it.
    """
    model = model or ModelInfo(predictor.name)
    _require_same_cut(protocol, model)
    objects = [key_of(sample) for sample in samples]
    _require_each_once(objects)
    tasks = _tasks(objects, protocol.repeats, shard)
    team = team or _alone(samples, predictor)
    make_folder(out)
    # Held for the whole run: two writers' lines would mix, and neither could be continued.
    with one_writer(out):
        settings = settings_of(protocol, model, objects, shard)
        left = _left(out, tasks, open_folder(out, settings, objects, data))
        # Closed here, not when it is collected: an error has to end the team's processes at once.
        with closing(team(left, protocol)) as played:
            _write_played(out, played, len(tasks), len(left), console)
        return _in_order(out, tasks)


def _require_same_cut(protocol: Protocol, model: ModelInfo) -> None:
    """Raises ConfigError when the model cuts masks elsewhere than the protocol says."""
    if protocol.threshold is None or protocol.threshold == model.threshold:
        return
    cut = "no probability"
    if model.threshold is not None:
        cut = f"{model.threshold:g}"
    raise ConfigError(
        f"The protocol cuts at {protocol.threshold:g}, {model.name} at {cut}: expected "
        "a model that is told to cut there."
    )


def _require_each_once(objects: Sequence[ObjectKey]) -> None:
    """Raises DataError when two samples have one name: their records couldn't be told apart."""
    for key, count in Counter(objects).items():
        if count > 1:
            raise DataError(
                f"The object {name_of(key)} occurs {count} times: expected each object once."
            )


def _tasks(objects: Sequence[ObjectKey], repeats: int, shard: Shard | None) -> list[Task]:
    """What the run plays, in the samples' order, an object's repeats behind each other."""
    tasks = []
    for place, key in enumerate(objects):
        # A shard's tasks keep their places in the whole: other processes open the whole data set.
        if shard is None or shard.holds(place):
            tasks += [Task(place, (*key, repeat)) for repeat in range(repeats)]
    return tasks


def _left(out: Path, tasks: Sequence[Task], records: Iterable[Record]) -> list[Task]:
    """The tasks that the folder has no records of. Raises DataError for records of others."""
    done = {record.key for record in records}
    others = done - {task.key for task in tasks}
    if others:
        key = next(iter(others))
        raise DataError(
            f"{out} holds clicks on {name_of(key)}, which isn't played here: use a new folder."
        )
    return [task for task in tasks if task.key not in done]


def _write_played(
    out: Path, played: Iterable[list[Record]], total: int, left: int, console: Console | None
) -> None:
    """Appends what is played as it comes, with a bar on the console."""
    shown = with_progress(played, total, total - left, console, lambda records: records[-1].dataset)
    with closing(shown):
        for records in shown:
            append_records(out, records)


def _alone(samples: Sequence[EvalSample], predictor: Predictor) -> Team:
    """This process, one object after the other."""

    def team(tasks: Sequence[Task], protocol: Protocol) -> Generator[list[Record]]:
        for task in tasks:
            yield play(samples[task.place], predictor, protocol, task.key[-1])

    return team


def _in_order(out: Path, tasks: Sequence[Task]) -> list[Record]:
    """The folder's records in the order of the tasks, and the file in that order too."""
    # A team finishes objects in any order; sorted, a run's file is the same however it was played.
    records = read_records(out)
    order = {task.key: number for number, task in enumerate(tasks)}
    ordered = sorted(records, key=lambda record: order[record.key])
    if ordered != records:
        replace_records(out, ordered)
    return ordered
