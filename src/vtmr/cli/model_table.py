"""`vtmr models`: the bundled models and their figures, from the manifest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vtmr.runtime import bundled_models


def records() -> list[dict[str, Any]]:
    """One object a model: name, path, bytes, sha256, input size where it isn't the file's own,
    figures; for --json."""
    listed = []
    for model in bundled_models():
        record = {
            "name": model.name,
            "path": str(model.path),
            "bytes": model.bytes,
            "sha256": model.sha256,
            "input_size": model.input_size,
            "figures": dict(model.figures),
        }
        listed.append(record)
    return listed


def as_text(models: Sequence[dict[str, Any]]) -> str:
    """A table: a line per model, a column per figure that any of them has."""
    if not models:
        return "No model is bundled with this version."
    figures: dict[str, None] = {}  # a set that keeps the manifest's order
    for model in models:
        figures |= dict.fromkeys(model["figures"])
    rows = [["name", "MB", *figures]]
    for model in models:
        own = [str(model["figures"].get(figure, "–")) for figure in figures]
        rows.append([model["name"], f"{model['bytes'] / 1e6:.1f}", *own])
    columns = []
    for column in zip(*rows, strict=True):
        width = max(map(len, column))
        columns.append([text.ljust(width) for text in column])
    # Without the spaces behind the last column, which a terminal would wrap.
    lines = ["  ".join(row).rstrip() for row in zip(*columns, strict=True)]
    return "\n".join(lines)
