"""Work that is done once however many ask for it at the same time."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager


class Turns:
    """Those who want the same wait for each other; others aren't held up. For one event loop."""

    def __init__(self) -> None:
        self._locks: dict[Hashable, asyncio.Lock] = {}
        self._users: Counter[Hashable] = Counter()  # those who hold a lock or wait for it

    @asynccontextmanager
    async def of(self, key: Hashable) -> AsyncIterator[None]:
        """A turn with what `key` stands for: whoever comes second finds the first one's work
        done."""
        lock = self._locks.setdefault(key, asyncio.Lock())
        self._users[key] += 1
        try:
            async with lock:
                yield
        finally:
            self._users[key] -= 1
            # Not where it is free: between two who wait it is, and a third would get another.
            if not self._users[key]:
                del self._users[key], self._locks[key]
