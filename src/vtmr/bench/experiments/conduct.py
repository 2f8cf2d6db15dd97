"""Runs an experiment: one folder of records for each model and condition, then one table, read
again from them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product, starmap
from pathlib import Path
from typing import Protocol

from rich.console import Console

from vtmr.atomic import write_atomically
from vtmr.bench.document import UNRESOLVED, write_report
from vtmr.bench.experiments.definitions import Condition, Experiment
from vtmr.bench.experiments.table import ResultTable, as_markdown, result_table
from vtmr.bench.labelled_runs import LabelledRun, Section, open_runs, sections_of
from vtmr.bench.protocol import ModelInfo
from vtmr.bench.report import INTERVALS_FROM_WIDTH, terminal_table
from vtmr.bench.run import Team, evaluate
from vtmr.data import EvalSample
from vtmr.errors import ConfigError
from vtmr.types import Predictor

RUNS, REPORT, TABLE = "runs", "report", "table.md"
WIDEST = 6  # figures beside each other in a terminal


@dataclass(frozen=True, slots=True)
class Contender:
    """What plays one condition. team: see `evaluate`."""

    predictor: Predictor
    info: ModelInfo
    team: Team | None = None


class Opener(Protocol):
    """Loads a model for a condition, as late as it is needed."""

    def __call__(self, condition: Condition) -> Contender: ...


def run_experiment(
    experiment: Experiment,
    models: Mapping[str, Opener],
    samples: Sequence[EvalSample],
    out: Path,
    *,
    data: Mapping[str, Path] | None = None,
    console: Console | None = None,
) -> Path:
    """Plays every model under every condition into `out`/runs, and writes `out`/table.md and
    `out`/report.

    models: {label: how it is loaded}, the first being what others are compared with. data: where
    the data sets lie, for the report's pictures. console: where progress and the table are shown,
    None for none. Returns the table's path. A former, interrupted call on the same folder is
    continued. Needs matplotlib. Raises ConfigError for too few models or labels that are too much
    alike, and what `evaluate` raises.
    """
    if len(models) < experiment.fewest_models:
        raise ConfigError(
            f"The experiment {experiment.name} compares variants, and has {len(models)}: expected "
            f"at least {experiment.fewest_models}, each given as LABEL=MODEL."
        )
    plan = list(product(models, experiment.conditions))
    # All names are checked before anything is played: a run may take hours.
    folders = _folders(out / RUNS, list(starmap(_name, plan)))
    for number, (name, planned) in enumerate(zip(folders, plan, strict=True), start=1):
        label, condition = planned
        contender = models[label](condition)
        if console is not None:
            console.print(f"Run {number} of {len(plan)}: {name}", markup=False, highlight=False)
        evaluate(
            samples,
            contender.predictor,
            condition.protocol,
            folders[name],
            model=contender.info,
            console=console,
            team=contender.team,
            data=data,
        )
    return _write_results(experiment, open_runs(folders), out, console)


def _name(label: str, condition: Condition) -> str:
    if not condition.name:
        return label
    return f"{label}, {condition.name}"


def _folders(root: Path, names: Sequence[str]) -> dict[str, Path]:
    """{run's name: its folder}. Raises ConfigError when two names would share one."""
    folders: dict[str, Path] = {}
    for name in names:
        # What a folder may be called on every system.
        plain = re.sub(r"[^\w.]+", "-", name).strip("-.")
        folders[name] = root / (plain or "run")
    # Without case: on macOS and Windows A and a are one folder.
    counts = Counter(str(folder).lower() for folder in folders.values())
    if alike := [name for name, folder in folders.items() if counts[str(folder).lower()] > 1]:
        raise ConfigError(
            f"The labels of {' and '.join(alike)} are too much alike: expected ones that differ in "
            "a word."
        )
    return folders


def _write_results(
    experiment: Experiment, runs: Sequence[LabelledRun], out: Path, console: Console | None
) -> Path:
    """The table and the report, from the records alone."""
    sections = sections_of(runs)
    notes = write_report(runs, out / REPORT, sections=sections)
    write_atomically(out / TABLE, as_markdown(experiment, runs, sections, notes).encode())
    if console is not None:
        console.print(f"{experiment.title}:", markup=False)
        for shown in _for_a_terminal(experiment, sections):
            _print_table(result_table(experiment, runs, shown), runs[0].label, console)
    return out / TABLE


def _for_a_terminal(experiment: Experiment, sections: Sequence[Section]) -> list[Sequence[Section]]:
    """The data sets of each table: all of them in one while that is narrow, else one in each."""
    whole = [section for section in sections if section.is_whole]
    if len(whole) * len(experiment.figures) <= WIDEST:
        return [whole]
    return [[section] for section in whole]


def _print_table(table: ResultTable, first: str, console: Console) -> None:
    """The figures, under them those of the others less the first's; intervals where there is
    room."""
    intervals = len(table.header) <= WIDEST + 1 or console.width >= INTERVALS_FROM_WIDTH
    console.print(terminal_table(table.header, table.rows, intervals=intervals))
    if not table.compared:
        return
    rows = []
    for row in table.compared:  # Markdown's bold is nothing to a terminal
        rows.append([cell.replace("**", "") for cell in row])
    header = [f"minus {first}", *table.header[1:]]
    console.print(
        terminal_table(header, rows, intervals=intervals),
        f"{UNRESOLVED}: not resolved",
        markup=False,
    )
