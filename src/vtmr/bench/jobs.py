"""The benchmark's tasks for a team of processes or a Ray cluster, each with samples and a predictor
of its own; data lie at the same paths on every machine."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from functools import partial

from vtmr import teams
from vtmr.bench.playing import key_of, play
from vtmr.bench.protocol import Protocol
from vtmr.bench.records import Record, name_of
from vtmr.bench.run import Task, Team
from vtmr.data import EvalSample
from vtmr.errors import DataError
from vtmr.types import Predictor


@dataclass(frozen=True, slots=True)
class Work:
    """How another process comes by what it needs, as neither an open data set nor a loaded model
    can be sent.

    samples, predictor: functions that can be pickled: of a module, or a functools.partial of such.
    """

    samples: Callable[[], Sequence[EvalSample]]
    predictor: Callable[[], Predictor]


def processes(work: Work, jobs: int) -> Team:
    """A team of `jobs` processes on this machine. Raises InputError when one of them dies."""
    return _playing(teams.processes(partial(_player, work), jobs))


def on_ray(work: Work, address: str, threads: int = 1, gpus: int = 0) -> Team:
    """A team of actors on a Ray cluster; arguments and errors are those of `vtmr.teams.on_ray`."""
    return _playing(teams.on_ray(partial(_player, work), address, threads, gpus))


def _playing(team: teams.Team) -> Team:
    """A team for any tasks as one that plays."""

    def played(tasks: Sequence[Task], protocol: Protocol) -> Generator[list[Record]]:
        return team([(task, protocol) for task in tasks])

    return played


def _player(work: Work) -> Callable[[tuple[Task, Protocol]], list[Record]]:
    """What plays a task by the rules, with samples and a predictor opened here."""
    samples, predictor = work.samples(), work.predictor()

    def played(asked: tuple[Task, Protocol]) -> list[Record]:
        task, protocol = asked
        sample = samples[task.place] if task.place < len(samples) else None
        wanted = task.key[:-1]  # whichever of its repeats comes first
        if sample is None or key_of(sample) != wanted:
            found = "none" if sample is None else name_of(key_of(sample))
            raise DataError(
                f"Object {task.place + 1} should be {name_of(wanted)}, a further process finds "
                f"{found}: the data set "
                "changed meanwhile, or is another one there; run again with the same data "
                "everywhere."
            )
        return play(sample, predictor, protocol, task.key[-1])

    return played
