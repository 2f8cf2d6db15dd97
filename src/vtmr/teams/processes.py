"""Several processes on one machine, each with what it needs for its tasks."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import cached_property
from multiprocessing.connection import Connection, wait
from typing import Any

import cv2

from vtmr.errors import InputError

Make = Callable[[], Callable[[Any], Any]]
"""What another process opens by its first task, and does all of them with, as neither an open data
set nor a loaded model can be sent. It is pickled: a function of a module, or a functools.partial of
one."""

Team = Callable[[Sequence[Any]], Generator[Any]]
"""Who does tasks: yields each one's result as soon as it is done, in any order, and stops its work
when it is closed."""


class Worker:
    """A process's own means, opened by the first task, so that an error there is that task's.

    opencv_threads: as in the process that the results go to.
    """

    def __init__(self, make: Make, opencv_threads: int) -> None:
        self._make, self._opencv_threads = make, opencv_threads

    @cached_property
    def _work(self) -> Callable[[Any], Any]:
        cv2.setNumThreads(self._opencv_threads)
        return self._make()

    def do(self, task: Any) -> Any:
        """The task's result; raises what the work raises."""
        return self._work(task)


def processes(make: Make, jobs: int) -> Team:
    """A team of `jobs` processes on this machine. Raises InputError when one of them dies."""

    def team(tasks: Sequence[Any]) -> Generator[Any]:
        if not tasks:
            return
        # ONNX Runtime and OpenCV don't survive a fork.
        context = multiprocessing.get_context("spawn")
        line, held = context.Pipe(duplex=False)
        pool = ProcessPoolExecutor(
            min(jobs, len(tasks)), context, _begin, (make, cv2.getNumThreads(), line)
        )
        try:
            with without_interrupts():
                futures = [pool.submit(_do, task) for task in tasks]
            for future in as_completed(futures):
                yield future.result()
        except BrokenProcessPool as error:
            raise InputError(
                "A process of the run died, perhaps for want of memory: everything that was "
                "finished is kept, run the same command again, with fewer jobs if it happens twice."
            ) from error
        finally:
            held.close()  # ends the processes, in the middle of a task, too
            pool.shutdown(cancel_futures=True)

    return team


@contextmanager
def without_interrupts() -> Iterator[None]:
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


def _begin(make: Make, opencv_threads: int, line: Connection) -> None:
    """Makes this process a worker."""
    global _worker
    _worker = Worker(make, opencv_threads)
    threading.Thread(target=_end_with_the_asker, args=(line,), daemon=True).start()


def _do(task: Any) -> Any:
    return _worker.do(task)


def _end_with_the_asker(line: Connection) -> None:
    """Ends this process when the asker lets go of the line, which it does even when it is
    killed."""
    wait([line])
    os._exit(0)
