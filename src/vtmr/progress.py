"""A bar on the console for work of which it is known how much there is."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

_Result = TypeVar("_Result")


def with_progress(
    results: Iterable[_Result],
    total: int,
    done: int,
    console: Console | None,
    describe: Callable[[_Result], str],
) -> Generator[_Result]:
    """The results, with a bar on the console that counts each once it has been dealt with.

    Close it when an error ends the work: the bar goes with it.

    Args:
        results: What comes, one after the other.
        total: How many there are with those of earlier runs.
        done: How many earlier runs did.
        console: Where the bar is, if that is a terminal; None for nowhere.
        describe: Says of a result what stands before the bar.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    hidden = console is None or not console.is_terminal  # a file would get an empty line
    with Progress(*columns, console=console, disable=hidden, transient=True) as progress:
        bar = progress.add_task("", total=total, completed=done)
        for result in results:
            yield result
            progress.update(bar, advance=1, description=describe(result))
