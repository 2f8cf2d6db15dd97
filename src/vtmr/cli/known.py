"""`vtmr models --known`: the systems of Table 1, where their files are to be had, and what they
should score."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vtmr.bench.experiments.published import clicks_in_words
from vtmr.bench.systems import SETS, SYSTEMS, Figures, System


def records() -> list[dict[str, Any]]:
    """One object a system, for --json; figures are [NoC@85, NoC@90], null where there is none."""
    return list(map(_record, SYSTEMS))


def _record(system: System) -> dict[str, Any]:
    return {
        "name": system.name or None,
        "title": system.title,
        "file": system.file or None,
        "where": system.where,
        "megabytes": system.megabytes,
        "licence": system.licence,
        "trained_on": system.trained_on,
        "own": {name: list(pair) for name, pair in system.own.items()},
        "quoted": {name: list(pair) for name, pair in system.quoted.items()},
        "check": system.check or None,
        "note": system.note or None,
    }


def as_text(systems: Sequence[dict[str, Any]]) -> str:
    """A paragraph a system, an empty line between them."""
    return "\n\n".join(map(_paragraph, systems))


def _paragraph(system: dict[str, Any]) -> str:
    title, file = system["title"], system["file"] or "none"
    if system["name"]:
        title += f" ({system['name']})"
    if system["megabytes"]:
        file += f", {system['megabytes']:g} MB"
    if system["trained_on"]:
        file += f"; trained on {system['trained_on']}"
    lines = [
        title,
        f"  file      {file}",
        f"  from      {system['where']}",
        f"  licence   {system['licence']}",
    ]
    for label, key in (("its own", "own"), ("quoted", "quoted")):
        if system[key]:
            lines.append(f"  {label:9} {_figures(system[key])}")
    if system["check"]:
        lines.append(f"  check by  {system['check']}")
    if system["note"]:
        lines.append(f"  note      {system['note']}")
    return "\n".join(lines)


def _figures(figures: Figures) -> str:
    parts = []
    for name in SETS:
        if name in figures:
            pair = "/".join(map(clicks_in_words, figures[name]))
            parts.append(f"{name} {pair}")
    return "NoC@85/90 " + ", ".join(parts)
