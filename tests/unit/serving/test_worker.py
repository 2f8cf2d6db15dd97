"""Pools of threads: order, limits, and that a stuck job holds up nobody."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from functools import partial

import pytest

from vtmr.serving import worker
from vtmr.serving.answers import Refusal
from vtmr.serving.worker import Pool


@pytest.fixture
def gate() -> threading.Event:
    return threading.Event()


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never came")


def test_results_and_errors_come_back() -> None:
    async def both() -> int:
        pool = Pool("test", 2)
        with pytest.raises(ZeroDivisionError):
            await pool.run(lambda: 1 // 0)
        return await pool.run(lambda: 7)

    assert asyncio.run(both()) == 7


def test_no_more_threads_run_than_were_asked_for() -> None:
    running: list[int] = []
    most: list[int] = []

    def job() -> None:
        running.append(1)
        most.append(len(running))
        time.sleep(0.01)
        running.pop()

    async def crowd() -> None:
        pool = Pool("test", 3)
        await asyncio.gather(*(pool.run(job) for _ in range(40)))

    asyncio.run(crowd())
    assert max(most) == 3


def test_one_thread_keeps_the_order() -> None:
    order: list[int] = []

    async def crowd() -> None:
        pool = Pool("test", 1)
        await asyncio.gather(*(pool.run(partial(order.append, n)) for n in range(50)))

    asyncio.run(crowd())
    assert order == list(range(50))


def test_a_stuck_job_is_worked_around(
    gate: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two of two threads are stuck; after the patience, others do what comes."""
    monkeypatch.setattr(worker, "_PATIENCE_S", 0.1)

    async def crowd() -> int:
        pool = Pool("test", 2)
        stuck = [asyncio.create_task(pool.run(lambda: gate.wait(20))) for _ in range(2)]
        await until(lambda: len(pool._running) == 2)
        done = await asyncio.wait_for(pool.run(lambda: 5), 5)
        assert pool.busy
        gate.set()
        await asyncio.gather(*stuck)
        await until(lambda: not pool.busy)
        return done

    assert asyncio.run(crowd()) == 5


def test_a_pool_of_one_that_may_not_grow_waits(
    gate: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "_PATIENCE_S", 0.05)

    async def crowd() -> None:
        pool = Pool("test", 1, most=1)
        first = asyncio.create_task(pool.run(lambda: gate.wait(20)))
        second = asyncio.create_task(pool.run(lambda: 1))
        await asyncio.sleep(0.3)
        assert not second.done()
        gate.set()
        assert await second == 1
        await first

    asyncio.run(crowd())


def test_too_many_are_refused(gate: threading.Event) -> None:
    async def crowd() -> Refusal:
        pool = Pool("test", 1, waiting=2, most=1, what="exports")
        tasks = [asyncio.create_task(pool.run(lambda: gate.wait(20))) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(Refusal) as refused:
            await pool.run(lambda: None)
        gate.set()
        await asyncio.gather(*tasks)
        assert await pool.run(lambda: 1) == 1
        return refused.value

    refused = asyncio.run(crowd())
    assert (refused.status, refused.code) == (503, "busy")
    assert "exports" in refused.message


def test_closing_drops_what_waits_and_leaves_what_runs(gate: threading.Event) -> None:
    async def crowd() -> None:
        pool = Pool("test", 1, most=1)
        first = asyncio.create_task(pool.run(lambda: gate.wait(20)))
        await until(lambda: pool.busy)
        second = asyncio.create_task(pool.run(lambda: 1))
        await asyncio.sleep(0)
        begun = time.monotonic()
        pool.close()
        assert time.monotonic() - begun < 1
        with pytest.raises(asyncio.CancelledError):
            await second
        with pytest.raises(Refusal):
            await pool.run(lambda: 1)
        gate.set()
        await first

    asyncio.run(crowd())


def test_threads_keep_nobody_from_ending(gate: threading.Event) -> None:
    async def start() -> None:
        pool = Pool("vtmr-left-behind", 1)
        task = asyncio.create_task(pool.run(lambda: gate.wait(20)))
        await until(lambda: pool.busy)
        task.cancel()

    asyncio.run(start())
    (left,) = (one for one in threading.enumerate() if one.name == "vtmr-left-behind")
    assert left.daemon
    gate.set()
