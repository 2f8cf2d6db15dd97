"""One thread for predictions, with a short queue in front: a slow image stalls nobody but those
behind it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from vtmr.serving.answers import Refusal

Result = TypeVar("Result")


class Worker:
    """Runs functions one after the other in its own thread. Used from one event loop."""

    def __init__(self, waiting: int = 16) -> None:
        """waiting: how many may wait beside the one that runs."""
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="vtmr-predict")
        self._limit = waiting + 1
        self._inside = 0

    async def run(self, function: Callable[[], Result]) -> Result:
        """Its result, or what it raised.

        Raises Refusal (503, with Retry-After) when too many wait.
        """
        if self._inside >= self._limit:
            raise Refusal(
                503,
                "busy",
                "Too many predictions wait: try again in a second.",
                None,
                {"retry-after": "1"},
            )
        self._inside += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, function)
        finally:
            self._inside -= 1

    def close(self) -> None:
        """Drops what waits and waits for what runs."""
        self._pool.shutdown(cancel_futures=True)
