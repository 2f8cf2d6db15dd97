"""Batches as tensors, and the processes that make them, whose order is a function of (seed, step)
alone.

Of a step's batch every process makes and computes its micro-batches only: number i of n holds the
samples i, i + n, i + 2n, …. Each sample has generators of its own, so that it is the same in
whichever micro-batch it lies.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cached_property
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from vtmr import inputs
from vtmr.errors import ConfigError, DataError, VtmrError
from vtmr.masks import Mask
from vtmr.train.recipe import Recipe
from vtmr.train.rollouts import Rollouts
from vtmr.train.sampling import Sample, Sampler
from vtmr.types import Click

AHEAD = 4  # micro-batches that each worker is asked for before they are needed
# A seed, one of these and a place in the run make a generator: no two uses share their numbers, and
# a step's samples are the same after resuming and with another number of processes.
SAMPLE_STREAM, STEP_STREAM, CLICK_STREAM, ROLLOUT_STREAM = 1, 2, 3, 4


def step_rng(seed: int, step: int) -> np.random.Generator:
    """The generator for what a whole step shares."""
    return np.random.default_rng((seed, STEP_STREAM, step))


def click_rngs(seed: int, step: int, positions: Sequence[int]) -> tuple[np.random.Generator, ...]:
    """Generators for what happens to each of these samples of a step after it was made: its later
    clicks."""
    return tuple(
        np.random.default_rng((seed, CLICK_STREAM, step, position)) for position in positions
    )


@dataclass(frozen=True)
class Batch:
    """B samples. Images uint8 B x 3 x S x S, masks bool B x 1 x S x S, focus float32 B x 4;
    cpu_seconds: its cost.

    gt, patch_gt: int8 B x 1 x S x S, as the losses want them: 1 object, 0 background, -1 ignored.
    positions: where each sample stands among the `whole` of its step. unreadable: what kept files
    from being read, in whose place others were drawn. prev_mask: float32 B x 1 x S x S, of a step
    whose samples are rolled out.
    """

    image: Tensor
    gt: Tensor
    patch: Tensor
    patch_gt: Tensor
    patch_edge: Tensor
    focus: Tensor
    clicks: tuple[tuple[Click, ...], ...]
    gt_masks: tuple[Mask, ...]
    cpu_seconds: float
    positions: tuple[int, ...]
    whole: int
    unreadable: tuple[str, ...] = ()
    prev_mask: Tensor | None = None

    def refiner_samples(self, share: int) -> int:
        """How many samples, the first ones, are among the first `share` of the whole step."""
        return sum(position < share for position in self.positions)

    def to(self, device: torch.device) -> Batch:
        """With its tensors on that device."""
        moved: dict[str, Any] = {}
        for name, value in vars(self).items():
            if isinstance(value, Tensor):
                moved[name] = value.to(device)
        return replace(self, **moved)


class MicroBatches:
    """Item i is one process's i-th micro-batch of all steps from `first` on, or the error that kept
    it from being made.

    Each step has `accumulate` of every process. A raised error would leave a worker process
    as text with the worker's traceback in it.
    """

    def __init__(
        self,
        recipe: Recipe,
        root: Path,
        size: int,
        first: int,
        rank: int,
        processes: int,
        rollouts: Path | None = None,
    ) -> None:
        """rollouts: the model file whose answers the rollouts follow; needed where the recipe has
        any."""
        self.sampler = Sampler(recipe, root, size)
        self.recipe, self.size, self.rollout_model = recipe, size, rollouts
        self.first, self.rank, self.processes = first, rank, processes

    def __len__(self) -> int:
        return (self.recipe.steps - self.first) * self.recipe.compute.accumulate

    @cached_property
    def rollouts(self) -> Rollouts:
        """Opened where it is first used: in a worker, as its threads wouldn't outlive the fork."""
        if self.rollout_model is None:
            raise ConfigError(
                "The recipe has clicks.rollout_share, but no model to roll out with was given."
            )
        return Rollouts.open(self.rollout_model, self.recipe.clicks, self.size)

    def rolls_out(self, step: int) -> bool:
        """Whether the samples of a step are rollouts."""
        share = self.recipe.clicks.rollout_share
        if share == 0:
            return False
        # By the step alone: all processes agree, and a batch is all rollouts or none.
        rng = np.random.default_rng((self.recipe.seed, ROLLOUT_STREAM, step))
        return rng.random() < share

    def __getitem__(self, index: int) -> Batch | VtmrError:
        later, turn = divmod(index, self.recipe.compute.accumulate)
        try:
            return self.make(self.first + later, turn)
        except VtmrError as error:
            return error

    def make(self, step: int, turn: int) -> Batch:
        """The micro-batch of a step that this process computes in that turn. Raises DataError."""
        started = time.thread_time()
        count = self.processes * self.recipe.compute.accumulate
        positions = range(turn * self.processes + self.rank, self.recipe.batch, count)
        rollouts = None
        if self.rolls_out(step):
            rollouts = self.rollouts
        samples = []
        for position in positions:
            number = step * self.recipe.batch + position
            rng = np.random.default_rng((self.recipe.seed, SAMPLE_STREAM, number))
            samples.append(self.sampler.draw(rng, rollouts))
        return collate(samples, started, positions, self.recipe.batch)


def collate(
    samples: Sequence[Sample],
    started: float,
    positions: Sequence[int] | None = None,
    whole: int | None = None,
) -> Batch:
    """Stacks samples; started: this thread's CPU time when they were begun; without the rest they
    are a whole step."""

    def all_of(name: str) -> list[Any]:
        return [getattr(sample, name) for sample in samples]

    def images(name: str) -> Tensor:
        return torch.from_numpy(np.stack(all_of(name))).permute(0, 3, 1, 2)

    def masks(name: str) -> Tensor:
        return torch.from_numpy(np.stack(all_of(name)))[:, None]

    def labels(objects: str, ignored: str) -> Tensor:
        return masks(objects).to(torch.int8).masked_fill(masks(ignored), -1)

    if positions is None:
        positions = range(len(samples))
    if whole is None:
        whole = len(samples)
    unreadable: list[str] = []
    for sample in samples:
        unreadable += sample.unreadable
    batch = Batch(
        image=images("image"),
        gt=labels("gt_mask", "ignore_mask"),
        patch=images("patch"),
        patch_gt=labels("patch_gt", "patch_ignore"),
        patch_edge=masks("patch_edge"),
        focus=torch.tensor(all_of("focus"), dtype=torch.float32),
        clicks=tuple(all_of("clicks")),
        gt_masks=tuple(all_of("gt_mask")),
        cpu_seconds=time.thread_time() - started,
        positions=tuple(positions),
        whole=whole,
        unreadable=tuple(unreadable),
    )
    if samples[0].prev_mask is None:  # all of a step are rollouts, or none is
        return batch
    return replace(batch, prev_mask=masks("prev_mask"))


def batches(
    recipe: Recipe,
    root: Path,
    size: int,
    first: int,
    rank: int = 0,
    processes: int = 1,
    rollouts: Path | None = None,
) -> Generator[Batch, None, None]:
    """A process's micro-batches of the steps first, first + 1, …, as `made_ahead` gives them.

    rollouts: see MicroBatches. Raises DataError, at once or from the iterator.
    """
    return made_ahead(MicroBatches(recipe, root, size, first, rank, processes, rollouts))


def made_ahead(micro_batches: MicroBatches) -> Generator[Batch, None, None]:
    """The micro-batches, made by worker processes ahead of time until it is closed. Raises
    DataError."""
    recipe = micro_batches.recipe
    if not recipe.data.workers:
        return sound(micro_batches[i] for i in range(len(micro_batches)))
    # Not torch's DataLoader: it waits for good for a worker that was killed while it held one of
    # the loader's locks.
    pool = ProcessPoolExecutor(
        recipe.data.workers, get_context("fork"), begin, (micro_batches, os.getpid())
    )
    first_few = range(min(len(micro_batches), AHEAD * recipe.data.workers))
    ahead = deque(pool.submit(make, index) for index in first_few)
    return sound(made_by(pool, ahead, len(micro_batches)))


def begin(micro_batches: MicroBatches, asker: int) -> None:
    """Makes this process a worker of one thread. Ctrl-C reaches the whole group; the loop decides
    when to end."""
    global _micro_batches
    _micro_batches = micro_batches
    # SIGTERM ends a worker at once; the loop's own handler, inherited by the fork, would keep it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    # Each worker is to take one core; what else there is belongs to the passes.
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    threading.Thread(target=end_with, args=(asker,), daemon=True).start()


_micro_batches: MicroBatches  # this process's, when it is a worker


def make(index: int) -> Batch | VtmrError:
    """Micro-batch `index`, in a worker."""
    return _micro_batches[index]


def end_with(asker: int) -> None:
    """Ends this process when the one that it works for is there no more, even if that was
    killed."""
    while os.getppid() == asker:
        time.sleep(1)
    os._exit(0)


def made_by(
    pool: ProcessPoolExecutor, ahead: deque[Future[Batch | VtmrError]], count: int
) -> Generator[Batch | VtmrError, None, None]:
    """The first `count` micro-batches in order; `ahead`: those asked for so far, of which there are
    always as many."""
    try:
        for asked in range(len(ahead), count + len(ahead)):
            if not ahead:
                return
            micro_batch = ahead.popleft().result()
            if asked < count:
                ahead.append(pool.submit(make, asked))
            yield micro_batch
    except BrokenProcessPool as error:
        raise DataError(
            "A process that reads the data ended unexpectedly: it was killed, perhaps for lack of "
            "memory (fewer data.workers need less)."
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def sound(items: Generator[Batch | VtmrError, None, None]) -> Generator[Batch, None, None]:
    """The batches as they are; an error is raised."""
    with closing(items):
        for item in items:
            if isinstance(item, VtmrError):
                raise item
            yield item


def click_maps(clicks: Sequence[Sequence[Click]], radius: float, size: int) -> Tensor:
    """Disc maps float32 B x 2 x size x size, positive first; clicks in the grid's coordinates."""
    maps = [inputs.click_maps(sample, radius, size) for sample in clicks]
    return torch.from_numpy(np.concatenate(maps))
