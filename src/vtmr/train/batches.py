"""Batches as tensors, and the data loader whose order is a function of (seed, step) alone.

Of a step's batch every process makes and computes its parts only: part i of n holds the samples i, i + n, i + 2n, ….
Each sample has generators of its own, so that it is the same in whichever part it lies.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from vtmr import inputs
from vtmr.errors import DataError, VtmrError
from vtmr.masks import Mask
from vtmr.train.recipe import Recipe
from vtmr.train.sampling import Sample, Sampler
from vtmr.types import Click

SAMPLE_STREAM, STEP_STREAM, CLICK_STREAM = 1, 2, 3  # keeps the generators of samples, steps and later clicks apart


def step_rng(seed: int, step: int) -> np.random.Generator:
    """The generator for what a whole step shares."""
    return np.random.default_rng((seed, STEP_STREAM, step))


def click_rngs(seed: int, step: int, positions: Sequence[int]) -> tuple[np.random.Generator, ...]:
    """Generators for what happens to each of these samples of a step after it was made: its later clicks."""
    return tuple(np.random.default_rng((seed, CLICK_STREAM, step, position)) for position in positions)


@dataclass(frozen=True)
class Batch:
    """B samples. Images uint8 B x 3 x S x S, masks bool B x 1 x S x S, focus float32 B x 4; cpu_seconds: its cost.

    positions: where each sample stands among the `whole` of its step. unreadable: what kept files from being read, in
    whose place others were drawn.
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

    def refined(self, share: int) -> int:
        """How many samples, the first ones, are among the first `share` of the whole step."""
        return sum(position < share for position in self.positions)

    def to(self, device: torch.device) -> Batch:
        """With its tensors on that device."""
        names = ("image", "gt", "patch", "patch_gt", "patch_edge", "focus")
        return replace(self, **{name: getattr(self, name).to(device) for name in names})


class Parts(Dataset[Batch | VtmrError]):
    """Item i is one process's i-th part of all steps from `first` on, or the error that kept it from being made.

    Each step has `accumulate` parts of every process. A raised error would leave a worker process as text with the
    worker's traceback in it.
    """

    def __init__(self, recipe: Recipe, root: Path, size: int, first: int, rank: int, processes: int) -> None:
        self.sampler = Sampler(recipe, root, size)
        self.recipe = recipe
        self.first, self.rank, self.processes = first, rank, processes

    def __len__(self) -> int:
        return (self.recipe.steps - self.first) * self.recipe.compute.accumulate

    def __getitem__(self, index: int) -> Batch | VtmrError:
        later, turn = divmod(index, self.recipe.compute.accumulate)
        try:
            return self.make(self.first + later, turn)
        except VtmrError as error:
            return error

    def make(self, step: int, turn: int) -> Batch:
        """The part of a step that this process computes in that turn. Raises DataError."""
        started = time.thread_time()
        parts = self.processes * self.recipe.compute.accumulate
        positions = range(turn * self.processes + self.rank, self.recipe.batch, parts)
        samples = [
            self.sampler.draw(np.random.default_rng((self.recipe.seed, SAMPLE_STREAM, step * self.recipe.batch + i)))
            for i in positions
        ]
        return collate(samples, started, positions, self.recipe.batch)


def collate(
    samples: Sequence[Sample], started: float, positions: Sequence[int] | None = None, whole: int | None = None
) -> Batch:
    """Stacks samples; started: this thread's CPU time when they were begun; without the rest they are a whole step."""

    def images(arrays: Sequence[np.ndarray]) -> Tensor:
        return torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2)

    def masks(arrays: Sequence[Mask]) -> Tensor:
        return torch.from_numpy(np.stack(arrays))[:, None]

    return Batch(
        image=images([s.image for s in samples]),
        gt=masks([s.gt_mask for s in samples]),
        patch=images([s.patch for s in samples]),
        patch_gt=masks([s.patch_gt for s in samples]),
        patch_edge=masks([s.patch_edge for s in samples]),
        focus=torch.tensor([s.focus for s in samples], dtype=torch.float32),
        clicks=tuple(s.clicks for s in samples),
        gt_masks=tuple(s.gt_mask for s in samples),
        cpu_seconds=time.thread_time() - started,
        positions=tuple(range(len(samples)) if positions is None else positions),
        whole=len(samples) if whole is None else whole,
        unreadable=tuple(message for s in samples for message in s.unreadable),
    )


def batches(
    recipe: Recipe, root: Path, size: int, first: int, rank: int = 0, processes: int = 1
) -> Generator[Batch, None, None]:
    """A process's parts of the steps first, first + 1, …, made by worker processes ahead of time until it is closed.

    Raises DataError, at once or from the iterator.
    """

    def alone(_: int) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the loop decides when to end
        cv2.setNumThreads(0)
        torch.set_num_threads(1)

    loader: DataLoader[Batch | VtmrError] = DataLoader(
        Parts(recipe, root, size, first, rank, processes),
        batch_size=None,
        shuffle=False,
        num_workers=recipe.data.workers,
        worker_init_fn=alone,
        prefetch_factor=4 if recipe.data.workers else None,
    )
    before = signal.getsignal(signal.SIGCHLD)
    items = iter(loader)
    if threading.current_thread() is threading.main_thread():
        # torch's handler would raise wherever the step happens to be when a worker dies, with half of it done.
        signal.signal(signal.SIGCHLD, before)
    return sound(items)


def sound(items: Iterator[Batch | VtmrError]) -> Generator[Batch, None, None]:
    """The batches as they are; an error is raised, and so is the loss of a worker."""
    while True:
        try:
            item = next(items)
        except StopIteration:
            return
        except (RuntimeError, OSError, EOFError) as error:
            if not lost_a_worker(error):
                raise
            raise DataError(
                "A process that reads the data ended unexpectedly: it was killed, perhaps for lack of memory "
                "(fewer data.workers need less)."
            ) from error
        if isinstance(item, VtmrError):
            raise item
        yield item


def lost_a_worker(error: Exception) -> bool:
    """Whether that is how torch ends that waited for a dead worker, or asked it for a batch's memory."""
    if isinstance(error, RuntimeError):
        return "exited unexpectedly" in str(error)
    return isinstance(error, ConnectionError | EOFError | FileNotFoundError)


def click_maps(clicks: Sequence[Sequence[Click]], radius: float, size: int) -> Tensor:
    """Disc maps float32 B x 2 x size x size, positive first; clicks in the grid's coordinates."""
    return torch.from_numpy(np.concatenate([inputs.click_maps(sample, radius, size) for sample in clicks]))
