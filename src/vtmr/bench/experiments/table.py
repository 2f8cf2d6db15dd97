"""An experiment's result as the paper prints it: a line for each run, columns for each data set's
figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vtmr.bench.document import how_to_read, in_words
from vtmr.bench.experiments.definitions import Experiment
from vtmr.bench.experiments.published import beside_published
from vtmr.bench.labelled_runs import LabelledRun, Section
from vtmr.bench.report import describe, figure_cell, markdown_lines

LACKING = "–"


@dataclass(frozen=True, slots=True)
class ResultTable:
    """Cells as text. header: "run", then the columns; rows: a line for each run; compared: its
    difference to the first, for each but that one, where they share objects."""

    header: list[str]
    rows: list[list[str]]
    compared: list[list[str]]


def result_table(
    experiment: Experiment, runs: Sequence[LabelledRun], sections: Sequence[Section]
) -> ResultTable:
    """The experiment's figures of every whole data set, with their intervals."""
    whole = [section for section in sections if section.is_whole]
    rows, compared = [], []
    for number, run in enumerate(runs):
        cells, against = [], []
        for section in whole:
            cells += _figure_cells(experiment, section, run)
            against += _difference_cells(experiment, section, run)
        if experiment.ratio:
            # A model's conditions stand behind each other, in every model's the same order.
            first = runs[number - number % len(experiment.conditions)]
            cells += [_ratio(section, run, first, experiment.ratio) for section in whole]
            against += [LACKING] * len(whole)
        rows.append([run.label, *cells])
        # Without an object in common it would be a line of dashes.
        if run is not runs[0] and set(against) - {LACKING}:
            compared.append([run.label, *against])
    return ResultTable(_header(experiment, whole), rows, compared)


def _header(experiment: Experiment, whole: Sequence[Section]) -> list[str]:
    """The columns' names, with the data set's where there are several."""
    header = ["run"]
    for section in whole:
        for figure in experiment.figures:
            name = figure
            if len(whole) > 1:
                name = f"{section.name} {figure}"
            header.append(name)
    if experiment.ratio:
        header += [f"{section.name} × {experiment.ratio}" for section in whole]
    return [name.replace("_", " ") for name in header]


def _figure_cells(experiment: Experiment, section: Section, run: LabelledRun) -> list[str]:
    """A run's figures of one data set."""
    row = section.summary.get(run.label)
    if not row:
        return [LACKING] * len(experiment.figures)
    protocol = run.stored.protocol
    return [figure_cell(row, figure, protocol) for figure in experiment.figures]


def _difference_cells(experiment: Experiment, section: Section, run: LabelledRun) -> list[str]:
    """How a run's figures of one data set differ from the first run's."""
    cells = dict.fromkeys(experiment.figures, LACKING)
    for difference in section.differences.get(run.label, ()):
        if difference.figure in cells:
            cells[difference.figure] = in_words(difference, run.stored.protocol)
    return list(cells.values())


def _ratio(section: Section, run: LabelledRun, first: LabelledRun, figure: str) -> str:
    """A run's figure as a multiple of the same model's under the first condition."""
    row, base = section.summary.get(run.label), section.summary.get(first.label)
    if not row or not base:
        return LACKING
    return f"{row[figure] / base[figure]:.2f}"


def as_markdown(
    experiment: Experiment,
    runs: Sequence[LabelledRun],
    sections: Sequence[Section],
    notes: Sequence[str],
) -> str:
    """The page of an experiment: table, differences to the first line, what was played, what limits
    it."""
    table = result_table(experiment, runs, sections)
    counts = [_counts(section) for section in sections if section.is_whole]
    parts = [
        f"# {experiment.name}: {experiment.title}",
        f"Objects: {', '.join(counts)}.",
        markdown_lines(table.header, table.rows),
    ]
    if table.compared:
        header = [f"minus {runs[0].label}", *table.header[1:]]
        parts += ["Differences on the same objects:", markdown_lines(header, table.compared)]
    if experiment.is_published:
        parts += beside_published(runs, sections)
    remarks = ""
    for run in runs:
        remarks += f"* {run.label}: {describe(run.stored.model)}; {run.stored.protocol}.\n"
    for note in notes:
        remarks += f"* {note}\n"
    parts += [remarks, how_to_read(bool(table.compared))]
    return "\n\n".join(part.rstrip("\n") for part in parts) + "\n"


def _counts(section: Section) -> str:
    """How many objects the runs have of a data set: every number that occurs."""
    counts = {len(found.keys) for found in section.objects.values()}
    return f"{section.name}: {' to '.join(map(str, sorted(counts)))}"
