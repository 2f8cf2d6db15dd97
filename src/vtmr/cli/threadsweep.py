"""`vtmr latency --sweep`: which number of threads answers a click soonest on this machine."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from vtmr.cli import latency, predictors
from vtmr.errors import InputError
from vtmr.masks import Mask
from vtmr.runtime.threads import MOST_THREADS_VARIABLE, default_threads, usable_cores
from vtmr.segmenter import ModelOptions
from vtmr.spec import ZoomSchedule
from vtmr.types import Image, Predictor

TRIED = (1, 2, 3, 4, 6, 8)
ROUNDS = 5
WORTH_IT = 1.05  # times as fast: below, more threads would only take cores from others


@dataclass(frozen=True, slots=True)
class ThreadSweep:
    """Milliseconds of a plain click by the number of threads: the median over the rounds.

    cores: that this process may use. default: the threads that are taken when nobody asks. best:
    the fewest that are within 5 % of the fastest.
    """

    model: str
    size: str
    cores: int
    default: int
    best: int
    p50_ms: Mapping[int, float]

    def as_record(self) -> dict[str, Any]:
        """For --json."""
        return asdict(self)

    def in_words(self) -> str:
        """Lines for a terminal."""
        alone = self.p50_ms[min(self.p50_ms)]
        lines = [f"{self.model} at {self.size}, cores that may be used: {self.cores}"]
        lines.append("threads  plain click  times as fast as one")
        for threads, ms in self.p50_ms.items():
            lines.append(f"{threads:7d}{ms:10.1f} ms{alone / ms:10.2f}")
        return "\n".join([*lines, self.advice()])

    def advice(self) -> str:
        """What to do about it, in a sentence."""
        if self.best == self.default:
            return f"Best here: {self.best}, as by default."
        if self.best < self.default:
            return f"Best here: {self.best}, the default is {self.default}: --threads {self.best}."
        return (
            f"Best here: {self.best}, the default is {self.default}: --threads {self.best}, or "
            f"{MOST_THREADS_VARIABLE}={self.best} in the environment, for commands without that "
            "flag, too."
        )


def sweep(model: str, size: tuple[int, int], asked: int | None = None) -> ThreadSweep:
    """Times the clicks with each number of threads that the usable cores allow, in turn.

    asked: a number of threads that was asked for, too. Raises InputError where there is one,
    CheckpointError for a model that can't be loaded.
    """
    if asked is not None:
        raise InputError(
            f"--sweep tries several numbers of threads, but --threads {asked} asks for one: "
            "expected one of the two flags."
        )
    cores = usable_cores()
    ways: dict[int, Predictor] = {}
    name = ""
    for threads in tried(cores):
        loaded = predictors.load(model, ModelOptions(threads=threads))
        ways[threads] = loaded.predictor.with_zoom(ZoomSchedule(schedule="off"))
        name = loaded.name
    image, gt_mask = latency.scene(*size)
    p50_ms = in_turn(ways, image, gt_mask, ROUNDS)
    return ThreadSweep(
        model=name,
        size=f"{size[0]}x{size[1]}",
        cores=cores,
        default=default_threads(),
        best=fewest_of_the_fastest(p50_ms),
        p50_ms=p50_ms,
    )


def tried(cores: int) -> list[int]:
    """The numbers of threads that are worth trying on so many cores, 8 at most."""
    numbers = [threads for threads in TRIED if threads <= cores]
    return numbers or [1]


def in_turn(
    ways: Mapping[int, Predictor], image: Image, gt_mask: Mask, rounds: int
) -> dict[int, float]:
    """The median milliseconds of a click with one coarse pass, for each number of threads.

    Every round plays all of them, and every other one backwards, so that whatever else the machine
    does meets all; a first round isn't counted.
    """
    found: dict[int, list[float]] = {threads: [] for threads in ways}
    order: Sequence[int] = list(ways)
    for number in range(rounds + 1):
        for threads in order:
            clicks = latency.time_clicks(ways[threads], image, gt_mask)
            plain = [1000 * timed.seconds for timed in clicks[1:] if timed.passes <= 1]
            if number:
                found[threads].append(statistics.median(plain))
        order = order[::-1]
    return {threads: round(statistics.median(ms), 2) for threads, ms in found.items()}


def fewest_of_the_fastest(p50_ms: Mapping[int, float]) -> int:
    """The fewest threads that are as good as the fastest, but for 5 %."""
    bound = WORTH_IT * min(p50_ms.values())
    return min(threads for threads, ms in p50_ms.items() if ms <= bound)
