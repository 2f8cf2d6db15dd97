"""Turns: whoever wants the same waits, however many come and go meanwhile."""

from __future__ import annotations

import asyncio

from vtmr.serving.turns import Turns


def test_never_two_at_a_time_and_nothing_stays() -> None:
    """A third one comes between the first one's end and the second one's beginning."""
    turns = Turns()
    inside = 0
    most = 0

    async def enter() -> None:
        nonlocal inside, most
        async with turns.of("key"):
            inside += 1
            most = max(most, inside)
            for _ in range(3):
                await asyncio.sleep(0)
            inside -= 1

    async def all_of_them() -> None:
        tasks = []
        for _ in range(12):  # at every moment of the others' turns
            tasks.append(asyncio.create_task(enter()))
            await asyncio.sleep(0)
        await asyncio.gather(*tasks)

    asyncio.run(all_of_them())
    assert most == 1
    assert not turns._locks
