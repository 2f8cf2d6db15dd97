"""A whole batch: which images are left to do, who does them, and where their masks are kept."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from pathlib import Path

from rich.console import Console

from vtmr.atomic import make_folder, one_writer
from vtmr.batch.journal import add_to_journal, read_journal, replace_journal
from vtmr.batch.records import Answered, ImageTask, Settings, key_of
from vtmr.progress import with_progress
from vtmr.teams import Make, Team


def run(
    tasks: Sequence[ImageTask],
    settings: Settings,
    out: Path,
    *,
    make: Make,
    team: Team | None = None,
    console: Console | None = None,
) -> list[Answered]:
    """Does what isn't done yet, and returns every task's answer in the tasks' order.

    An image is written to the journal in `out` when it is through, so that the next run goes on
    from there. What was done with other prompts, settings or pictures is done again.

    Args:
        tasks: One an image.
        settings: What the masks depend on besides.
        out: Folder of the journal, made when it is missing.
        make: What a team opens, see `vtmr.teams`; here it is opened where there is no team.
        team: Who does the tasks, None for this process.
        console: Where progress is shown, None for nowhere.

    Raises:
        InputError: When the folder can't be written or another process writes into it.
    """
    make_folder(out)
    with one_writer(out):
        keys = [key_of(task, settings) for task in tasks]
        done = read_journal(out)
        found = {key: done[key] for key in keys if key in done}
        replace_journal(out, found)  # without a line that was cut off: the next begins a line
        left = [(task, key) for task, key in zip(tasks, keys, strict=True) if key not in found]
        done_before = len(found)
        # Closed whatever happens: a team's processes end with it, not when Python gets to it.
        with (
            closing((team or _alone(make))(left)) as answers,
            closing(with_progress(answers, len(tasks), done_before, console, _described)) as shown,
        ):
            for answered in shown:
                add_to_journal(out, answered)
                found[answered.key] = answered
    return [found[key] for key in keys]


def _described(answered: Answered) -> str:
    return answered.name[-40:]


def _alone(make: Make) -> Team:
    """This process, one image after the other."""

    def team(tasks: Sequence[tuple[ImageTask, str]]) -> Generator[Answered]:
        if tasks:
            answer = make()
            for task in tasks:
                yield answer(task)

    return team
