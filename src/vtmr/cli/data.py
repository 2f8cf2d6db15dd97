"""`vtmr data check`: the doctor's diagnosis as a table and sentences."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from vtmr.cli.evaluate import parse_data
from vtmr.data.doctor import Diagnosis, Size, examine

MOST_SHOWN = 20  # findings, and notes: --json has them all


def diagnose(data: str, *, quiet: bool) -> Diagnosis:
    """The data set NAME=PATH examined, with a bar on stderr where that is a terminal, unless
    `quiet`.

    Raises InputError for anything but NAME=PATH and for a path that isn't a folder, DataError for
    an unknown name.
    """
    name, path = parse_data(data)
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(
        *columns, console=console, disable=quiet or not console.is_terminal, transient=True
    ) as bar:
        task = bar.add_task(name, total=None)
        return examine(
            name, path, lambda done, total: bar.update(task, completed=done, total=total)
        )


def print_diagnosis(diagnosis: Diagnosis) -> None:
    """A table of what is there and what is expected, the verdict, and the findings, on stdout."""
    console = Console()
    table = Table(
        "", "found", "expected", box=SIMPLE_HEAD, title=Text(f"{diagnosis.name}: {diagnosis.path}")
    )
    table.add_row("images", f"{diagnosis.images:,}", _expected(diagnosis.expected_images))
    table.add_row("objects", f"{diagnosis.objects:,}", _expected(diagnosis.expected_objects))
    if diagnosis.image_sizes and diagnosis.object_px:
        table.add_row("image sizes", " to ".join(map(_size, diagnosis.image_sizes)), "")
        least, most = diagnosis.object_px
        table.add_row("object sizes", f"{least:,} to {most:,} pixels", "")
    for source, (right, below) in diagnosis.displaced.items():
        table.add_row(
            f"{source}: masks off the edges", f"{right:+.2f} right, {below:+.2f} below", "0"
        )
    console.print(table)
    count = len(diagnosis.findings)
    verdict = "Sound."
    if not diagnosis.sound:
        verdict = f"Not sound: {count} finding{'s' * (count != 1)}."
    console.print(verdict, highlight=False)
    _print_sentences(console, diagnosis.findings)
    if diagnosis.notes:
        console.print("Right, but to be known:")
        _print_sentences(console, diagnosis.notes)


def _print_sentences(console: Console, sentences: Sequence[str]) -> None:
    """The first ones, and how many more there are."""
    for sentence in sentences[:MOST_SHOWN]:
        # Not wrapped: a path that is broken over two lines can't be copied.
        console.print(f"- {sentence}", markup=False, highlight=False, soft_wrap=True)
    more = len(sentences) - MOST_SHOWN
    if more > 0:
        console.print(f"and {more} more: --json lists them all.", highlight=False)


def _expected(numbers: tuple[int, ...]) -> str:
    return " or ".join(f"{number:,}" for number in numbers) or "any"


def _size(size: Size) -> str:
    return f"{size[0]}x{size[1]}"
