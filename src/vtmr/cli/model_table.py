"""`vtmr models`: the bundled models and their figures, from the manifest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vtmr.runtime import bundled_models


def records() -> list[dict[str, Any]]:
    """One object a model: name, path, bytes, sha256, input size where it isn't the file's own,
    figures; for --json."""
    return [
        {
            "name": model.name,
            "path": str(model.path),
            "bytes": model.bytes,
            "sha256": model.sha256,
            "input_size": model.input_size,
            "figures": dict(model.figures),
        }
        for model in bundled_models()
    ]


def as_text(models: Sequence[dict[str, Any]]) -> str:
    """A table: a line per model, a column per figure that any of them has."""
    if not models:
        return "No model is bundled with this version."
    figures = list(dict.fromkeys(key for model in models for key in model["figures"]))
    head = ["name", "MB", *figures]
    body = [
        [
            model["name"],
            f"{model['bytes'] / 1e6:.1f}",
            *(str(model["figures"].get(key, "–")) for key in figures),
        ]
        for model in models
    ]
    widths = [max(len(row[column]) for row in (head, *body)) for column in range(len(head))]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in (head, *body)
    )
