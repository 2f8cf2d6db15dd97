"""From records to figures: everything in the table and in summary.json is read from the clicks' records."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from vtmr.atomic import write_atomically
from vtmr.bench.protocol import ModelInfo, Protocol
from vtmr.bench.records import Key, Record
from vtmr.errors import DataError
from vtmr.metrics import fails, mean_interval, noc, value_at_click

SUMMARY = "summary.json"
TABLE = "table.md"
INTERVALS_FROM_WIDTH = 115  # columns of a terminal
Summary = dict[str, dict[str, Any]]


def summarise(records: Sequence[Record], protocol: Protocol) -> Summary:
    """{row name: figures}: one row per data set and, where it mixes several sources, one per data set/source.

    A row holds n, for each target q NoC@q, NoF@q (strict) and NoF@q_ritm, for each reported click k IoU@k and
    BIoU@k, SPC_p50_ms and SPC_p95_ms over all clicks, and ci = {figure: [low, high]}, the 95 % bootstrap interval
    over objects. Raises DataError without any record.
    """
    if not records:
        raise DataError("There are no records to summarise: expected at least one finished object.")
    rows: dict[str, list[Record]] = {}
    sources: dict[str, set[str]] = {}
    for record in records:
        sources.setdefault(record.dataset, set()).add(record.source)
    for record in records:
        rows.setdefault(record.dataset, []).append(record)
        if len(sources[record.dataset]) > 1:
            rows.setdefault(f"{record.dataset}/{record.source}", []).append(record)
    return {name: _figures(rows[name], protocol) for name in rows}


def _figures(records: Sequence[Record], protocol: Protocol) -> dict[str, Any]:
    """One row of the summary, from one group's records."""
    runs: dict[Key, list[Record]] = {}
    for record in records:
        runs.setdefault(record.key, []).append(record)
    ious = [[record.iou for record in run] for run in runs.values()]
    bious = [[record.biou for record in run] for run in runs.values()]
    means: dict[str, list[float]] = {}
    counts: dict[str, list[bool]] = {}
    for target in protocol.targets:
        name, most = f"{100 * target:g}", protocol.max_clicks
        means[f"NoC@{name}"] = [noc(run, target, most) for run in ious]
        counts[f"NoF@{name}"] = [fails(run, target, most) for run in ious]
        counts[f"NoF@{name}_ritm"] = [fails(run, target, most, ritm_compatible=True) for run in ious]
    for click in protocol.report_at:
        means[f"IoU@{click}"] = [value_at_click(run, click) for run in ious]
        means[f"BIoU@{click}"] = [value_at_click(run, click) for run in bious]
    p50, p95 = np.percentile([1000 * record.seconds for record in records], [50, 95])
    intervals = {name: mean_interval(values, protocol.seed) for name, values in means.items()}
    shares = {name: mean_interval(values, protocol.seed) for name, values in counts.items()}
    return {
        "n": len(runs),
        **{name: float(np.mean(values)) for name, values in means.items()},
        **{name: sum(values) for name, values in counts.items()},
        "SPC_p50_ms": float(p50),
        "SPC_p95_ms": float(p95),
        "ci": {name: list(interval) for name, interval in intervals.items()}
        | {name: [low * len(runs), high * len(runs)] for name, (low, high) in shares.items()},
    }


def write_summary(folder: Path, summary: Summary, protocol: Protocol, model: ModelInfo) -> None:
    """Writes summary.json and table.md into the run's folder, each whole or not at all. Raises InputError."""
    write_atomically(folder / SUMMARY, (json.dumps(summary, indent=2, ensure_ascii=False) + "\n").encode())
    write_atomically(folder / TABLE, markdown_table(summary, protocol, model).encode())


def table_cells(summary: Summary, protocol: Protocol) -> tuple[list[str], list[list[str]]]:
    """Header and rows of the table: a figure and, after a space, its interval in brackets."""
    click, target = max(protocol.report_at), f"{100 * max(protocol.targets):g}"
    figures = [
        *((f"NoC@{100 * q:g}", 2) for q in protocol.targets),
        (f"NoF@{target}", 0),
        *((f"IoU@{k}", 3) for k in protocol.report_at),
        (f"BIoU@{click}", 3),
    ]
    header = ["data", "n", *(name for name, _ in figures), "p50 ms", "p95 ms"]
    rows = []
    for name, row in summary.items():
        cells = [name, str(row["n"])]
        for figure, digits in figures:
            low, high = row["ci"][figure]
            cells.append(f"{row[figure]:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]")
        rows.append([*cells, f"{row['SPC_p50_ms']:.1f}", f"{row['SPC_p95_ms']:.1f}"])
    return header, rows


def markdown_table(summary: Summary, protocol: Protocol, model: ModelInfo) -> str:
    """The table as Markdown, under two lines that name the model and the protocol."""
    header, rows = table_cells(summary, protocol)
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    return f"{_describe(model)}\n\nProtocol: {protocol}.\n\n{table}\n"


def print_table(summary: Summary, protocol: Protocol, model: ModelInfo, console: Console) -> None:
    """Prints the table for a terminal: intervals under the figures where there is room, sources indented."""
    header, rows = table_cells(summary, protocol)
    roomy = console.width >= INTERVALS_FROM_WIDTH
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for i, name in enumerate(header):
        table.add_column(name, justify="right" if i else "left", overflow="fold")
    for name, *cells in rows:
        table.add_row(
            re.sub("^.*/", "  ", name),
            *(cell.replace(" [", "\n[") if roomy else cell.partition(" [")[0] for cell in cells),
        )
    console.print(_describe(model), table, f"Protocol: {protocol}.", markup=False, highlight=False)


def _describe(model: ModelInfo) -> str:
    details = [f"sha256 {model.sha256[:12]}"] if model.sha256 else []
    details += [f"threshold {model.threshold:g}"] if model.threshold is not None else []
    details += [f"{model.threads} threads"] if model.threads is not None else []
    details += [f"zoom {model.zoom}"] if model.zoom is not None else []
    return f"{model.name} ({', '.join(details)})" if details else model.name
