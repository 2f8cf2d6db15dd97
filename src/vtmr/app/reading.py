"""Files read beside the event loop: each by one thread however many ask for it, and nobody waits
for ever for one that doesn't come."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from vtmr.errors import InputError
from vtmr.serving.answers import Refusal
from vtmr.serving.worker import Pool

Result = TypeVar("Result")

LIMIT_S = 20.0
_LOOK_S = 1.0


class Reading:
    """A pool's jobs by name. Used from one event loop."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._jobs: dict[str, tuple[asyncio.Task[Any], list[float]]] = {}

    async def get(self, name: str, function: Callable[[], Result]) -> Result:
        """What the function gives, or gave to those who asked for this name before it was done.

        Raises Refusal (422) when it takes longer than LIMIT_S; it goes on, so that asking again
        later may find it done.
        """
        task, begun = self._jobs.get(name) or self._start(name, function)
        while not task.done():
            if begun and time.monotonic() - begun[0] > LIMIT_S:
                raise Refusal(
                    422,
                    "unreadable",
                    f"{name} is still being read after {LIMIT_S:g} s: its disk may not answer, or "
                    "the file may be damaged. The other images are not affected.",
                )
            # Not wait_for, which would cancel the reading for all who wait for it.
            await asyncio.wait({task}, timeout=_LOOK_S)
        return task.result()  # type: ignore[no-any-return]

    def _start(
        self, name: str, function: Callable[[], Any]
    ) -> tuple[asyncio.Task[Any], list[float]]:
        begun: list[float] = []  # when a thread took it: waiting for one isn't the file's fault

        def run() -> Any:
            begun.append(time.monotonic())
            return function()

        def end(task: asyncio.Task[Any]) -> None:
            del self._jobs[name]
            if not task.cancelled():
                task.exception()  # whoever asked may have gone: nobody else has to be told

        task = asyncio.ensure_future(self._pool.run(run))
        self._jobs[name] = task, begun
        task.add_done_callback(end)
        return self._jobs[name]


async def unreadable(coming: Awaitable[Result]) -> Result:
    """Its result; a file that can't be read becomes 422."""
    try:
        return await coming
    except InputError as error:
        raise Refusal(422, "unreadable", str(error)) from error
