"""The command for many images at once, with its flags."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Annotated, cast

import typer

from vtmr.cli.flags import DEFAULT_MODEL, Model, count


def _score(text: str) -> float:
    """A flag's finite number."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise typer.BadParameter(f"{text!r} was given, expected a number")
    return value


def apply(
    images: Annotated[
        list[Path], typer.Argument(metavar="IMAGES...", help="Photos, or folders with photos.")
    ],
    prompts: Annotated[
        list[Path],
        typer.Option(
            "--prompts",
            metavar="FILE",
            help="Clicks, boxes or rough masks: a CSV or COCO file. Repeat it.",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option("--out", metavar="DIR", help="Folder for the masks, made when it is missing."),
    ],
    form: Annotated[
        str, typer.Option("--format", help="What export-annotations takes, or coco-polygons.")
    ] = "coco",
    correction: Annotated[
        str,
        typer.Option(
            "--correction",
            metavar="here|refit",
            help="Clicks on a rough mask: change only the region clicked, or take all.",
        ),
    ] = "here",
    min_score: Annotated[
        float | None,
        typer.Option(
            "--min-score", metavar="S", parser=_score, help="Leave out prompts that score less."
        ),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs", metavar="N", parser=count, help="Processes that work at the same time."
        ),
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option(
            "--ray", metavar="ADDRESS", help="Work on this Ray cluster: host:port, auto, local."
        ),
    ] = None,
    model: Model = DEFAULT_MODEL,
) -> int:
    """Turn prompts for many images into masks. An interrupted run goes on where it stopped."""
    from vtmr.cli.apply import Order, apply_prompts
    from vtmr.types import Correction

    order = Order(
        prompts,
        images,
        out,
        form,
        cast(Correction, correction),
        min_score,
        jobs or 1,
        ray,
        model,
    )
    outcome = apply_prompts(order)
    for sentence in outcome.sentences():
        print(f"vtmr: {sentence}", file=sys.stderr)
    print(outcome.in_words(out))
    return 2 if outcome.failures else 0
