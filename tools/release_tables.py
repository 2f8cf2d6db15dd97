"""The tables of a release, in Markdown: for the README, docs/results.md and the model card."""

from __future__ import annotations

from pathlib import Path
from typing import Any

BEGIN, END = "<!-- figures: tools/release.py writes them -->\n", "<!-- end of the figures -->\n"
FIGURES = ("NoC@85", "NoC@90", "IoU@1", "IoU@5", "BIoU@5")
BESIDE = ("validation", "report")  # the lists that all methods were played on
# As published, on GrabCut's 50 images [docs/method.md §J]: parameters in millions [docs/method.md
# §A.6], NoC@85, NoC@90.
PUBLISHED = {
    "FocalClick, SegFormer-B0": ("3.7", "1.40", "1.66"),
    "FocalClick, SegFormer-B3": ("45.7", "1.44", "1.50"),
    "VTMR, SegFormer-B0": ("3.7", "1.42", "1.54"),
    "VTMR, SegFormer-B3": ("45.7", "1.38", "1.42"),
}
LITE0_PARAMETERS = "3.2"
Row = dict[str, Any]  # of summary.json: a figure by its name, n, and ci


def replace_between(path: Path, block: str) -> None:
    """Puts the block between a document's two marks.

    Raises SystemExit when the document lacks them.
    """
    before, begin, rest = path.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise SystemExit(f"{path} lacks the marks that its table of figures stands between.")
    path.write_text(f"{before}{BEGIN}\n{block}\n\n{END}{after}")


def beside_published(own: Row, core_hours: float, classical: Row) -> str:
    """Clicks needed on GrabCut: ours, a classical method's, and the papers' as they printed them.

    own, classical: the rows of `lite0` and of OpenCV's GrabCut. core_hours: of `lite0`'s training.
    """
    rows = [
        f"| **`lite0`**, bundled | {LITE0_PARAMETERS} M | {core_hours:.0f} core hours, CPU "
        f"| {cell(own, 'NoC@85')} | {cell(own, 'NoC@90')} |"
    ]
    for name, (parameters, noc85, noc90) in PUBLISHED.items():
        rows.append(f"| {name}, as published | {parameters} M | two GPUs | {noc85} | {noc90} |")
    classical_cells = f"{cell(classical, 'NoC@85')} | {cell(classical, 'NoC@90')}"
    rows.append(f"| OpenCV's GrabCut, played here | – | – | {classical_cells} |")
    head = (
        "| GrabCut, 50 images | parameters | trained on | NoC@85 | NoC@90 |\n|---|---|---|---|---|"
    )
    return "\n".join([head, *rows])


def all_results(summary: dict[str, Row], methods: dict[str, dict[str, Row]]) -> str:
    """All figures of the release, and those of other methods on the same objects."""
    others = "Beside the same network on smaller grids, and classical methods:"
    return f"{table(summary)}\n\n{others}\n\n{comparison(methods)}"


def table(summary: dict[str, Row]) -> str:
    """All figures of one model."""
    head = f"| objects | n | {' | '.join(FIGURES)} |\n|---|---|{'---|' * len(FIGURES)}"
    return "\n".join([head, *(figure_row(name, row) for name, row in summary.items())])


def comparison(methods: dict[str, dict[str, Row]]) -> str:
    """The figures of several methods on the objects that all were played on."""
    head = f"| objects | method | n | {' | '.join(FIGURES)} |\n|---|---|---|{'---|' * len(FIGURES)}"
    rows = []
    for objects in BESIDE:
        for method, summary in methods.items():
            rows.append(figure_row(f"{objects} | {method}", summary[objects]))
    return "\n".join([head, *rows])


def figure_row(name: str, row: Row) -> str:
    """A line of the tables: name, n, and every figure with its interval."""
    cells = " | ".join(cell(row, figure) for figure in FIGURES)
    return f"| {name.replace('/', ': ')} | {row['n']} | {cells} |"


def cell(row: Row, figure: str) -> str:
    """A figure with its 95 % interval in brackets."""
    low, high = row["ci"][figure]
    digits = 2 if figure.startswith("NoC") else 3
    return f"{row[figure]:.{digits}f} ({low:.{digits}f}–{high:.{digits}f})"
