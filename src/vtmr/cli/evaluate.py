"""`vtmr evaluate`: from flags to one run of the benchmark, or to one run out of several shards."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from pathlib import Path

from rich.console import Console

from vtmr.atomic import is_folder
from vtmr.bench import (
    Shard,
    Work,
    load_protocol,
    merge_runs,
    on_ray,
    open_benchmarks,
    print_table,
    processes,
    read_records,
    run_benchmark,
    summarise,
    write_summary,
)
from vtmr.cli import contenders
from vtmr.cli.failures import resumable
from vtmr.errors import InputError, needs_extra
from vtmr.runtime import default_threads
from vtmr.segmenter import AS_THE_MODEL_SAYS, ModelOptions


def parse_data(text: str) -> tuple[str, Path]:
    """`NAME=PATH` as (name, path).

    Raises InputError for anything else and for a path that isn't a folder.
    """
    name, separator, path = text.partition("=")
    if not (name and separator and path):
        raise InputError(
            f"The data set {text!r} can't be read: expected NAME=PATH, for example "
            "grabcut=data/GrabCut."
        )
    if not is_folder(path):
        raise InputError(
            f"The data set {name} should be in the folder {path}, which doesn't exist."
        )
    return name, Path(path)


def parse_shard(text: str) -> Shard:
    """`I/N` as a shard.

    Raises InputError for anything else, ConfigError for a part that there isn't.
    """
    index, separator, of = text.partition("/")
    if not (separator and index.isascii() and index.isdigit() and of.isascii() and of.isdigit()):
        raise InputError(f"The shard {text!r} can't be read: expected I/N, for example 1/4.")
    return Shard(int(index), int(of))


def keeping_objects(out: Path) -> AbstractContextManager[None]:
    """Turns Ctrl-C in the block into a sentence on what the folder keeps and how to go on."""
    return resumable(
        lambda: (
            f"Interrupted; {out} keeps every finished object: run the same command again to go on."
        )
    )


def evaluate_model(
    data: Sequence[str],
    model: str,
    out: Path,
    *,
    limit: int | None = None,
    protocol: str = "default",
    options: ModelOptions = AS_THE_MODEL_SAYS,
    jobs: int = 1,
    shard: str | None = None,
    ray: str | None = None,
) -> None:
    """Runs the benchmark; records and summary.json go into `out`, the table to the terminal.

    options: how the model is used; the protocol's threshold goes before theirs, and processes
    beside each other share the machine's threads.
    Raises InputError for data that can't be found or named twice, an unknown `zoom` or `shard`,
    DataError for damaged data, CheckpointError for a model that can't be loaded, ConfigError for an
    unusable protocol, when `out` holds a run with other settings and when an extra is missing.
    """
    sets = [parse_data(text) for text in data]
    if len({name for name, _ in sets}) < len(sets):
        raise InputError(
            f"A data set is named twice in {', '.join(data)}: expected each name once."
        )
    part, rules = None, load_protocol(protocol)
    if shard:
        part = parse_shard(shard)
    if ray is not None and jobs > 1:
        raise InputError(f"--jobs {jobs} and --ray {ray} are given: expected one of them.")
    options = replace(options, threshold=rules.threshold)
    if options.threads is None and ray is not None:
        options = replace(options, threads=1)  # of machines that aren't known here
    elif options.threads is None and jobs > 1:
        options = replace(options, threads=default_threads(jobs))
    load = partial(contenders.load, model, options)
    # Here as well where others play: what is wrong with the model is told before they are started.
    predictor, info = load()
    work = Work(partial(open_benchmarks, sets, limit), partial(contenders.only_predictor, load))
    team = None
    if jobs > 1:
        team = processes(work, jobs)
    if ray is not None:
        with needs_extra("cluster"):
            on_gpu = options.device is not None and options.device.startswith("cuda")
            team = on_ray(work, ray, options.threads or 1, gpus=int(on_gpu))
    with keeping_objects(out):
        run_benchmark(sets, predictor, info, out, limit, rules, shard=part, team=team)


def merge_shards(folders: Sequence[Path], out: Path) -> None:
    """Merges the shards' folders into `out`, with summary.json and table.md, and prints the table.

    Raises ConfigError, DataError and InputError, see `merge_runs`.
    """
    run = merge_runs(folders, out)
    summary = summarise(read_records(out), run.protocol)
    write_summary(out, summary, run.protocol, run.model)
    print_table(summary, run.protocol, run.model, Console())
