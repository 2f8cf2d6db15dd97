"""Flags that several commands have, and how their values are read."""

from __future__ import annotations

from typing import Annotated

import typer

DEFAULT_MODEL = "lite0"


def count(text: str) -> int:
    """A flag's whole number from 1."""
    # int() alone would read 1_000 and digits of all scripts.
    if not (text.isascii() and text.isdigit() and int(text) >= 1):
        raise typer.BadParameter(f"{text!r} was given, expected a whole number from 1")
    return int(text)


Model = Annotated[
    str, typer.Option("--model", help="Bundled model (see `vtmr models`) or .onnx file.")
]
Threads = Annotated[
    int | None,
    typer.Option(
        "--threads",
        metavar="N",
        parser=count,
        help="Threads of the network; default: by the machine.",
    ),
]
Zoom = Annotated[
    str | None,
    typer.Option(
        "--zoom",
        metavar="SCHEDULE",
        help="paper, eager, eager=WEIGHT or off, perhaps with @SHRINK and :SIDE; "
        "default: the model's own.",
    ),
]
Views = Annotated[
    str | None,
    typer.Option("--views", metavar="NAME", help="wide or narrow; default: the model's own."),
]
EvalMode = Annotated[
    str | None,
    typer.Option("--eval-mode", metavar="MODE", help="For RITM and f-BRS: cvpr, cvprN, fixedN."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
