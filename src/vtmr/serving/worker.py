"""Threads for what takes its time, so that the event loop never does: pools of daemon threads, and
one thread for predictions with a short queue in front.

A read from a disk that doesn't answer can't be taken back. So a pool doesn't count a thread whose
job takes longer than its patience and starts another in its place, and none of its threads keeps
the process from ending.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from vtmr.serving.answers import Refusal

Result = TypeVar("Result")

_PATIENCE_S = 2.0
_IDLE_S = 30.0  # after which a thread that nobody needs ends


class Pool:
    """A few daemon threads that run functions in the order in which they came. Thread-safe."""

    def __init__(
        self,
        name: str,
        threads: int,
        *,
        waiting: int | None = None,
        most: int = 32,
        what: str = "requests",
    ) -> None:
        """threads: that work at the same time; most: with those that are stuck. waiting: how many
        jobs may wait beside those that run, None for any number; what: they are called."""
        self._name, self._threads, self._most = name, threads, max(threads, most)
        self._waiting, self._what = waiting, what
        self._jobs: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._running: dict[int, float] = {}  # by thread: when its job began
        self._idle = 0
        self._closed = False
        self._letting = False
        self._changed = threading.Condition()

    async def run(self, function: Callable[[], Result]) -> Result:
        """Its result, or what it raised.

        Raises Refusal (503, with Retry-After) when too many wait.
        """
        future = asyncio.wrap_future(self._submit(function))
        try:
            while not future.done():
                await asyncio.wait({future}, timeout=_PATIENCE_S)
                with self._changed:
                    self._grow()
        except asyncio.CancelledError:
            future.cancel()
            raise
        return future.result()

    def let_others(self) -> None:
        """Runs what waits now, from inside a job that takes long: a replay of a thousand clicks
        doesn't hold up a click elsewhere. Of one thread; such a job doesn't let others in turn."""
        if self._letting:
            return
        self._letting = True
        try:
            while True:
                with self._changed:
                    if not self._jobs:
                        return
                    future, function = self._jobs.popleft()
                _settle(future, function)
        finally:
            self._letting = False

    def close(self) -> None:
        """Drops what waits; what runs isn't waited for."""
        with self._changed:
            self._closed = True
            for future, _ in self._jobs:
                future.cancel()
            self._jobs.clear()
            self._changed.notify_all()

    @property
    def busy(self) -> bool:
        """Whether something runs."""
        return bool(self._running)

    def _submit(self, function: Callable[[], Result]) -> Future[Result]:
        future: Future[Result] = Future()
        with self._changed:
            if self._closed:
                raise Refusal(503, "busy", "The server is ending.")
            if self._waiting is not None:
                inside = len(self._jobs) + len(self._running)
                if inside >= self._threads + self._waiting:
                    raise _too_many(self._what)
            self._jobs.append((future, function))
            self._grow()
            self._changed.notify()
        return future

    def _grow(self) -> None:
        """Starts a thread where a job waits for one that could run."""
        now = time.monotonic()
        lively = sum(now - begun < _PATIENCE_S for begun in self._running.values())
        room = lively + self._idle < self._threads
        if len(self._jobs) > self._idle and room and len(self._running) + self._idle < self._most:
            self._idle += 1  # until it takes a job
            threading.Thread(target=self._work, name=self._name, daemon=True).start()

    def _work(self) -> None:
        """A thread's life. It begins idle."""
        me = threading.get_ident()
        while True:
            with self._changed:
                while not self._jobs and not self._closed:
                    if not self._changed.wait(_IDLE_S):
                        break
                if not self._jobs:
                    self._idle -= 1
                    return
                future, function = self._jobs.popleft()
                self._idle -= 1
                self._running[me] = time.monotonic()
            _settle(future, function)
            del future, function  # the result mustn't live as long as the thread waits
            with self._changed:
                del self._running[me]
                if len(self._running) + self._idle >= self._threads:
                    return  # another was started in its place
                self._idle += 1


class Worker:
    """Runs functions one after the other in one thread: predictions, which use all cores
    themselves."""

    def __init__(self, waiting: int = 16) -> None:
        """waiting: how many may wait beside the one that runs."""
        self._pool = Pool("vtmr-predict", 1, waiting=waiting, most=1, what="predictions")

    async def run(self, function: Callable[[], Result]) -> Result:
        """Its result, or what it raised.

        Raises Refusal (503, with Retry-After) when too many wait.
        """
        return await self._pool.run(function)

    def let_others(self) -> None:
        """Runs what waits now, from inside a job that takes long; see `Pool.let_others`."""
        self._pool.let_others()

    def close(self) -> None:
        """Drops what waits; what runs isn't waited for."""
        self._pool.close()

    @property
    def busy(self) -> bool:
        """Whether a prediction runs."""
        return self._pool.busy


def _settle(future: Future[Any], function: Callable[[], Any]) -> None:
    """Runs the job, unless whoever wanted it has gone."""
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = function()
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_result(result)


def _too_many(what: str) -> Refusal:
    return Refusal(
        503,
        "busy",
        f"Too many {what} wait: try again in a second.",
        None,
        {"retry-after": "1"},
    )
