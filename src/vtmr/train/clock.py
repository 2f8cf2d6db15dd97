"""Where a run's CPU time goes, for the log."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Clock:
    """CPU seconds of this process by what they were spent on: all its threads', no other's.

    Seconds by the wall would count whatever else the machine does.
    """

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Adds the time of the block to what is spent under that name."""
        before = time.process_time()
        try:
            yield
        finally:
            self.add(name, time.process_time() - before)

    def add(self, name: str, seconds: float) -> None:
        """Adds time that was measured elsewhere."""
        self.spent[name] = self.spent.get(name, 0.0) + seconds

    def taken(self) -> dict[str, float]:
        """What was spent since the last call."""
        spent, self.spent = self.spent, {}
        return spent
