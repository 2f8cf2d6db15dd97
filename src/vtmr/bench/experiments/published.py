"""Table 1 beside what was published: a column of its own, and the difference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vtmr.bench.labelled_runs import LabelledRun, Section
from vtmr.bench.report import markdown_lines
from vtmr.bench.systems import SETS, SYSTEMS, System

TARGETS = ("NoC@85", "NoC@90")
HEADER = ("run", "data", "objects", "figure", "here", "published", "minus published")


def beside_published(runs: Sequence[LabelledRun], sections: Sequence[Section]) -> list[str]:
    """Parts of a page: a line for each figure that a run here and a publication have, then the
    systems of Table 1 of which nothing was played.

    A system is known by the name of its network, that of the run's model. Figures of the file's own
    authors come before those that the paper quotes, which are marked.
    """
    known = {system.name: system for system in SYSTEMS if system.name}
    rows: list[list[str]] = []
    played = set()
    for run in runs:
        system = known.get(run.stored.model.name)
        if system is None:
            continue
        played.add(system.name)
        for section in sections:
            if section.is_whole and run.label in section.summary:
                rows += _rows(run.label, section.name, section.summary[run.label], system)
    parts = []
    if rows:
        parts += [
            "## Beside published figures",
            markdown_lines(list(HEADER), rows, names=2),
            "Published figures are those of the file's own authors, or, marked *, what the paper's "
            "Table 1 quotes. They are of whole data sets: a difference says little where fewer "
            "objects were played than GrabCut's 50, Berkeley's 100, SBD's 6671 or DAVIS's 345.",
        ]
    others = [system for system in SYSTEMS if system.name not in played and published(system)[0]]
    return [
        *parts,
        "## Published figures alone",
        "NoC@85 / NoC@90 of systems that weren't played here, as their authors publish them or, "
        "marked *, as the paper's Table 1 quotes them. Where nothing was released, that is all "
        "there is. `vtmr models --known` says where files are to be had.",
        markdown_lines(["system", *SETS, "remark"], [_alone(system) for system in others]),
    ]


def published(system: System) -> tuple[dict[str, tuple[float | None, float | None]], str]:
    """Its figures by data set, and their mark."""
    if system.own:
        return dict(system.own), ""
    return dict(system.quoted), "*"


def clicks_in_words(value: float | None) -> str:
    """A published number of clicks, or a dash where none was published."""
    if value is None:
        return "–"
    return f"{value:.2f}"


def _rows(label: str, data: str, summary: dict[str, Any], system: System) -> list[list[str]]:
    figures, mark = published(system)
    found = []
    for target, value in zip(TARGETS, figures.get(data, (None, None)), strict=True):
        if value is None or target not in summary:
            continue
        here = float(summary[target])
        cells = [label, data, str(summary["n"]), target, f"{here:.2f}", f"{value:.2f}{mark}"]
        found.append([*cells, f"{here - value:+.2f}"])
    return found


def _alone(system: System) -> list[str]:
    figures, mark = published(system)
    cells = []
    for name in SETS:
        pair = figures.get(name)
        if pair is None:
            cells.append("–")
            continue
        cells.append(" / ".join(map(clicks_in_words, pair)) + mark)
    return [system.title, *cells, system.note]
