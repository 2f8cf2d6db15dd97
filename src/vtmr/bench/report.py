"""From records to figures: everything in the table and in summary.json is read from the clicks'
records."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from vtmr.atomic import write_atomically
from vtmr.bench.figures import Objects, objects_of, over_repeats, rows_of
from vtmr.bench.metrics import mean_band
from vtmr.bench.protocol import ModelInfo, Protocol
from vtmr.bench.records import Record
from vtmr.errors import DataError

SUMMARY = "summary.json"
TABLE = "table.md"
SPC = ("SPC_p50_ms", "SPC_p95_ms")
INTERVALS_FROM_WIDTH = 115  # columns of a terminal
Summary = dict[str, dict[str, Any]]


def summarise(records: Sequence[Record], protocol: Protocol) -> Summary:
    """{row name: figures}: one row per data set and, where it mixes several sources, one per data
    set/source.

    A row holds n objects, for each target q NoC@q, NoF@q (strict) and NoF@q_ritm, for each reported
    click k IoU@k and BIoU@k, SPC_p50_ms and SPC_p95_ms over all clicks, SPC_wall_ms where wall
    times were recorded, and ci = {figure: [low, high]}, the 95 % bootstrap interval over objects.
    Where objects were played several times, their repeats are averaged first, and the row holds
    repeats, NoC@q_std over the repeats' means, and NoC@q_worst, the mean of each object's worst.

    Args:
        records: One for each click, of one run.
        protocol: The rules that it was played by.

    Raises:
        DataError: Without any record.
    """
    if not records:
        raise DataError("There are no records to summarise: expected at least one finished object.")
    summary: Summary = {}
    for name, row in rows_of(records).items():
        summary[name] = row_figures(objects_of(row, protocol), row, protocol)
    return summary


def row_figures(objects: Objects, records: Sequence[Record], protocol: Protocol) -> dict[str, Any]:
    """One row of the summary, see `summarise`.

    objects: what the records are of.
    """
    count = len(objects.keys)
    row: dict[str, Any] = {"n": count}
    if protocol.repeats > 1:
        row["repeats"] = protocol.repeats
    # All figures together, so that the resamples are drawn once and are the same for each.
    lows, highs = mean_band(np.stack(list(objects.values.values()), axis=1), protocol.seed)
    intervals: dict[str, list[float]] = {}
    for place, (name, values) in enumerate(objects.values.items()):
        scale = 1
        if name.startswith("NoF"):  # a number of objects, not a share
            scale = count
        row[name] = scale * float(values.mean())
        if name.startswith("NoF") and protocol.repeats == 1:
            # A share times the number of objects: whole but for the last digit.
            row[name] = round(row[name])
        intervals[name] = [scale * float(lows[place]), scale * float(highs[place])]
    row |= over_repeats(records, protocol)
    seconds = [1000 * record.seconds for record in records]
    p50, p95 = np.percentile(seconds, [50, 95])
    row |= {"SPC_p50_ms": float(p50), "SPC_p95_ms": float(p95)}
    walls = [1000 * record.wall_seconds for record in records]
    if all(walls):  # runs from before wall times were recorded have zeros
        row["SPC_wall_ms"] = float(np.mean(walls))
    return row | {"ci": intervals}


def write_summary(folder: Path, summary: Summary, protocol: Protocol, model: ModelInfo) -> None:
    """Writes summary.json and table.md into the run's folder, each whole or not at all.

    Raises InputError.
    """
    content = json.dumps(summary, indent=2, ensure_ascii=False)
    write_atomically(folder / SUMMARY, f"{content}\n".encode())
    write_atomically(folder / TABLE, markdown_table(summary, protocol, model).encode())


def digits_of(figure: str, protocol: Protocol) -> int:
    """How many decimals of a figure are worth printing."""
    if figure.startswith("SPC"):
        return 1
    if figure.startswith("NoF"):
        return min(protocol.repeats - 1, 1)  # of averaged repeats it is no whole number
    if figure.startswith("NoC"):
        return 2
    return 3


def table_cells(
    summary: Summary, protocol: Protocol, figures: Sequence[str], corner: str = "data"
) -> tuple[list[str], list[list[str]]]:
    """Header and rows of a table: a figure and, after a space, its interval in brackets; a dash
    where a row lacks it.

    corner: the header over the rows' names.
    """
    names = [figure.replace("_", " ") for figure in figures]
    rows = []
    for name, row in summary.items():
        cells = [figure_cell(row, figure, protocol) for figure in [*figures, *SPC]]
        rows.append([name, str(row["n"]), *cells])
    return [corner, "n", *names, "p50 ms", "p95 ms"], rows


def figure_cell(row: Mapping[str, Any], figure: str, protocol: Protocol) -> str:
    """A figure of a summary's row with its interval, where it has one; a dash where it is
    lacking."""
    if figure not in row:
        return "–"
    digits, interval = digits_of(figure, protocol), row["ci"].get(figure)
    value = f"{row[figure]:.{digits}f}"
    if not interval:
        return value
    return f"{value} [{interval[0]:.{digits}f}, {interval[1]:.{digits}f}]"


def markdown_lines(header: Sequence[str], rows: Sequence[Sequence[str]], names: int = 1) -> str:
    """A Markdown table, the first `names` columns to the left, numbers to the right.

    A bar inside a cell is escaped.
    """
    ruler = [*["---"] * names, *["---:"] * (len(header) - names)]
    text = ""
    for line in [header, ruler, *rows]:
        text += f"| {' | '.join(map(_escaped, line))} |\n"
    return text


def markdown_table(summary: Summary, protocol: Protocol, model: ModelInfo) -> str:
    """The table as Markdown, under two lines that name the model and the protocol."""
    table = markdown_lines(*table_cells(summary, protocol, _main_figures(protocol)))
    return f"{describe(model)}\n\nProtocol: {protocol}.\n\n{table}"


def print_table(summary: Summary, protocol: Protocol, model: ModelInfo, console: Console) -> None:
    """Prints the table for a terminal: all figures and their intervals where there is room, sources
    indented."""
    roomy = console.width >= INTERVALS_FROM_WIDTH
    figures = _main_figures(protocol)
    if not roomy:
        figures = _fewest_figures(protocol)
    header, rows = table_cells(summary, protocol, figures)
    rows = [[re.sub("^.*/", "  ", name), *cells] for name, *cells in rows]
    table = terminal_table(header, rows, intervals=roomy)
    console.print(describe(model), table, f"Protocol: {protocol}.", markup=False, highlight=False)


def terminal_table(
    header: Sequence[str], rows: Sequence[Sequence[str]], *, intervals: bool
) -> Table:
    """A table for a terminal, the figures' intervals under them or left out."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    # Folded over lines, not cut: a figure without its end is another figure.
    table.add_column(header[0], overflow="fold")
    for name in header[1:]:
        table.add_column(name, justify="right", overflow="fold")
    for name, *cells in rows:
        if intervals:
            shown = [cell.replace(" [", "\n[") for cell in cells]
        else:
            shown = [cell.partition(" [")[0] for cell in cells]
        # rich would take brackets in a data set's name for markup.
        table.add_row(escape(name), *shown)
    return table


def describe(model: ModelInfo) -> str:
    """One line that names the model and what belongs to it."""
    threads = "{} threads"
    if model.threads == 1:
        threads = "{} thread"
    details = (
        ("sha256 {}", model.sha256[:12]),
        ("input {}", model.input_size),
        ("mode {}", model.eval_mode),
        ("threshold {:g}", model.threshold),
        (threads, model.threads),
        ("on {}", model.device),
        ("zoom {}", model.zoom),
        ("views {}", model.views),
    )
    told = [text.format(value) for text, value in details if value not in (None, "")]
    if not told:
        return model.name
    return f"{model.name} ({', '.join(told)})"


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|")


def _main_figures(protocol: Protocol) -> list[str]:
    """The columns of a run's own table."""
    targets = [f"{100 * q:g}" for q in protocol.targets]
    # By number: as texts, 95 is more than 100.
    highest = max(targets, key=float)
    figures = [f"NoC@{target}" for target in targets]
    if protocol.repeats > 1:
        figures += [f"NoC@{highest}_std", f"NoC@{highest}_worst"]
    figures.append(f"NoF@{highest}")
    figures += [f"IoU@{k}" for k in protocol.report_at]
    return [*figures, f"BIoU@{max(protocol.report_at)}"]


def _fewest_figures(protocol: Protocol) -> list[str]:
    """Those columns that fit a narrow terminal: of the clicks the first and the last, or how far
    repeats vary."""
    first, last = f"IoU@{min(protocol.report_at)}", f"IoU@{max(protocol.report_at)}"
    figures = _main_figures(protocol)
    if protocol.repeats > 1:
        return [name for name in figures if name.startswith("NoC") or name == last]
    for k in protocol.report_at:
        name = f"IoU@{k}"
        if name in figures and name not in (first, last):
            figures.remove(name)
    return figures
