"""`vtmr models --known`: the systems of Table 1, where their files are to be had, and what they
should score."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vtmr.bench.systems import SETS, SYSTEMS, Figures


def records() -> list[dict[str, Any]]:
    """One object a system, for --json; figures are [NoC@85, NoC@90], null where there is none."""
    return [
        {
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
        for system in SYSTEMS
    ]


def as_text(systems: Sequence[dict[str, Any]]) -> str:
    """A paragraph a system, an empty line between them."""
    return "\n\n".join(_paragraph(system) for system in systems)


def _paragraph(system: dict[str, Any]) -> str:
    size = f", {system['megabytes']:g} MB" if system["megabytes"] else ""
    name = f" ({system['name']})" if system["name"] else ""
    trained = f"; trained on {system['trained_on']}" if system["trained_on"] else ""
    lines = [
        f"{system['title']}{name}",
        f"  file      {system['file'] or 'none'}{size}{trained}",
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
            pair = ["–" if value is None else f"{value:.2f}" for value in figures[name]]
            parts.append(f"{name} {'/'.join(pair)}")
    return "NoC@85/90 " + ", ".join(parts)
