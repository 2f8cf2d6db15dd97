"""An experiment's result as the paper prints it: a line for each run, columns for each data set's
figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vtmr.bench.document import how_to_read, in_words
from vtmr.bench.entries import Entry, Section
from vtmr.bench.experiments.definitions import Experiment
from vtmr.bench.experiments.published import beside_published
from vtmr.bench.report import describe, figure_cell, markdown_lines


@dataclass(frozen=True, slots=True)
class ResultTable:
    """Cells as text. header: "run", then the columns; rows: a line for each run; compared: its
    difference to the first, for each but that one, where they share objects."""

    header: list[str]
    rows: list[list[str]]
    compared: list[list[str]]


def result_table(
    experiment: Experiment, entries: Sequence[Entry], sections: Sequence[Section]
) -> ResultTable:
    """The experiment's figures of every whole data set, with their intervals."""
    columns = [
        (section, figure)
        for section in sections
        if section.is_whole
        for figure in experiment.figures
    ]
    several = len({section.name for section, _ in columns}) > 1
    header = [
        "run",
        *(f"{section.name} {figure}" if several else figure for section, figure in columns),
    ]
    if experiment.ratio:
        whole = [section for section in sections if section.is_whole]
        header += [f"{section.name} × {experiment.ratio}" for section in whole]
    rows, compared = [], []
    for number, entry in enumerate(entries):
        protocol = entry.run.protocol
        cells, against = [], []
        for section, figure in columns:
            row = section.summary.get(entry.label)
            cells.append(figure_cell(row, figure, protocol) if row else "–")
            found = {each.figure: each for each in section.differences.get(entry.label, ())}.get(
                figure
            )
            against.append(in_words(found, protocol) if found else "–")
        if experiment.ratio:
            first = entries[number - number % len(experiment.conditions)]
            ratios = [_ratio(section, entry, first, experiment.ratio) for section in whole]
            cells, against = cells + ratios, against + ["–"] * len(ratios)
        rows.append([entry.label, *cells])
        if entry is not entries[0] and any(cell != "–" for cell in against):
            compared.append([entry.label, *against])
    return ResultTable([name.replace("_", " ") for name in header], rows, compared)


def _ratio(section: Section, entry: Entry, first: Entry, figure: str) -> str:
    """An entry's figure as a multiple of the same model's under the first condition."""
    row, base = section.summary.get(entry.label), section.summary.get(first.label)
    return f"{row[figure] / base[figure]:.2f}" if row and base else "–"


def as_markdown(
    experiment: Experiment,
    entries: Sequence[Entry],
    sections: Sequence[Section],
    notes: Sequence[str],
) -> str:
    """The page of an experiment: table, differences to the first line, what was played, what limits
    it."""
    table = result_table(experiment, entries, sections)
    counts = ", ".join(
        f"{section.name}: "
        f"{' to '.join(map(str, sorted({len(found.keys) for found in section.objects.values()})))}"
        for section in sections
        if section.is_whole
    )
    parts = [
        f"# {experiment.name}: {experiment.title}",
        f"Objects: {counts}.",
        markdown_lines(table.header, table.rows),
    ]
    if table.compared:
        header = [f"minus {entries[0].label}", *table.header[1:]]
        parts += ["Differences on the same objects:", markdown_lines(header, table.compared)]
    played = [
        f"{entry.label}: {describe(entry.run.model)}; {entry.run.protocol}." for entry in entries
    ]
    if experiment.is_published:
        parts += beside_published(entries, sections)
    parts += [
        "\n".join(f"* {line}" for line in [*played, *notes]),
        how_to_read(bool(table.compared)),
    ]
    return "\n\n".join(part.rstrip("\n") for part in parts) + "\n"
