"""Several processes on one machine, each with samples and a predictor of its own."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from multiprocessing.connection import Connection, wait

import cv2

from vtmr.bench.playing import key_of, play
from vtmr.bench.protocol import Protocol
from vtmr.bench.records import Record, name_of
from vtmr.bench.run import Task, Team
from vtmr.data import EvalSample
from vtmr.errors import DataError, InputError
from vtmr.types import Predictor


@dataclass(frozen=True, slots=True)
class Work:
    """How another process comes by what it needs, as neither an open data set nor a loaded model
    can be sent.

    samples, predictor: functions that can be pickled: of a module, or a functools.partial of such.
    """

    samples: Callable[[], Sequence[EvalSample]]
    predictor: Callable[[], Predictor]


class Worker:
    """A process's own samples and predictor, opened by the first task, so that an error there is
    that task's.

    opencv_threads: as in the process that the records go to.
    """

    def __init__(self, work: Work, opencv_threads: int) -> None:
        self._work, self._opencv_threads = work, opencv_threads

    @cached_property
    def _opened(self) -> tuple[Sequence[EvalSample], Predictor]:
        cv2.setNumThreads(self._opencv_threads)
        return self._work.samples(), self._work.predictor()

    def play(self, task: Task, protocol: Protocol) -> list[Record]:
        """The task's records.

        Raises DataError when this process finds other objects than the one that asks.
        """
        samples, predictor = self._opened
        sample = samples[task.place] if task.place < len(samples) else None
        asked = task.key[:-1]  # whichever of its repeats comes first
        if sample is None or key_of(sample) != asked:
            found = "none" if sample is None else name_of(key_of(sample))
            raise DataError(
                f"Object {task.place + 1} should be {name_of(asked)}, a further process finds "
                f"{found}: the data set "
                "changed meanwhile, or is another one there; run again with the same data "
                "everywhere."
            )
        return play(sample, predictor, protocol, task.key[-1])


def processes(work: Work, jobs: int) -> Team:
    """A team of `jobs` processes on this machine. Raises InputError when one of them dies."""

    def team(tasks: Sequence[Task], protocol: Protocol) -> Generator[list[Record]]:
        if not tasks:
            return
        # ONNX Runtime and OpenCV don't survive a fork.
        context = multiprocessing.get_context("spawn")
        line, held = context.Pipe(duplex=False)
        pool = ProcessPoolExecutor(
            min(jobs, len(tasks)), context, _begin, (work, cv2.getNumThreads(), line)
        )
        try:
            with _without_interrupts():
                futures = [pool.submit(_play, task, protocol) for task in tasks]
            for future in as_completed(futures):
                yield future.result()
        except BrokenProcessPool as error:
            raise InputError(
                "A process of the run died, perhaps for want of memory: every finished object is "
                "kept, run the same "
                "command again, with fewer jobs if it happens twice."
            ) from error
        finally:
            held.close()  # ends the processes, in the middle of an object, too
            pool.shutdown(cancel_futures=True)

    return team


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Holds Ctrl-C back until the block's end, and from the processes that it starts for good.

    The terminal sends it to all of them, and the asker alone has to decide what it means. Processes
    inherit the mask. For the asker the mask isn't enough: any thread of a library may take the
    signal, and Python handles it in the main thread then, masked or not; between a process's start
    and what is written to it, that process would die of it.
    """
    came: list[int] = []
    handler = signal.getsignal(signal.SIGINT)
    asked = threading.current_thread() is threading.main_thread() and handler is not None
    if asked:
        signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        if asked:
            signal.signal(signal.SIGINT, handler)
        if came:
            signal.raise_signal(signal.SIGINT)


_worker: Worker  # this process's, when it is one of a team


def _begin(work: Work, opencv_threads: int, line: Connection) -> None:
    """Makes this process a worker."""
    global _worker
    _worker = Worker(work, opencv_threads)
    threading.Thread(target=_end_with_the_asker, args=(line,), daemon=True).start()


def _play(task: Task, protocol: Protocol) -> list[Record]:
    return _worker.play(task, protocol)


def _end_with_the_asker(line: Connection) -> None:
    """Ends this process when the asker lets go of the line, which it does even when it is
    killed."""
    wait([line])
    os._exit(0)
