"""Batches as tensors, and the data loader whose order is a function of (seed, step) alone."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from vtmr import inputs
from vtmr.errors import VtmrError
from vtmr.masks import Mask
from vtmr.train.recipe import Recipe
from vtmr.train.sampling import Sample, Sampler
from vtmr.types import Click

SAMPLE_STREAM, STEP_STREAM = 1, 2  # keeps the generators of samples and of steps apart


def step_rng(seed: int, step: int) -> np.random.Generator:
    """The generator for what a whole step shares, and for its later clicks."""
    return np.random.default_rng((seed, STEP_STREAM, step))


@dataclass(frozen=True)
class Batch:
    """B samples. Images uint8 B x 3 x S x S, masks bool B x 1 x S x S, focus float32 B x 4; cpu_seconds: its cost."""

    image: Tensor
    gt: Tensor
    patch: Tensor
    patch_gt: Tensor
    patch_edge: Tensor
    focus: Tensor
    clicks: tuple[tuple[Click, ...], ...]
    gt_masks: tuple[Mask, ...]
    cpu_seconds: float


class Steps(Dataset[Batch | VtmrError]):
    """Item i is the whole batch of step first + i, or the error that kept it from being made.

    A raised error would leave a worker process as text with the worker's traceback in it.
    """

    def __init__(self, recipe: Recipe, root: Path, size: int, first: int) -> None:
        self.sampler = Sampler(recipe, root, size)
        self.recipe = recipe
        self.first = first

    def __len__(self) -> int:
        return self.recipe.steps - self.first

    def __getitem__(self, index: int) -> Batch | VtmrError:
        try:
            return self.make(self.first + index)
        except VtmrError as error:
            return error

    def make(self, step: int) -> Batch:
        """The batch of a step. Raises DataError."""
        started = time.thread_time()
        number = step * self.recipe.batch
        samples = [
            self.sampler.draw(np.random.default_rng((self.recipe.seed, SAMPLE_STREAM, number + i)))
            for i in range(self.recipe.batch)
        ]
        return collate(samples, started)


def collate(samples: Sequence[Sample], started: float) -> Batch:
    """Stacks samples; started: this thread's CPU time when they were begun."""

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
    )


def batches(recipe: Recipe, root: Path, size: int, first: int) -> Iterator[Batch]:
    """The batches of steps first, first + 1, …, made by worker processes ahead of time.

    Raises DataError, at once or from the iterator.
    """

    def single_threaded(_: int) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the loop decides when to end
        cv2.setNumThreads(0)
        torch.set_num_threads(1)

    loader: DataLoader[Batch | VtmrError] = DataLoader(
        Steps(recipe, root, size, first),
        batch_size=None,
        shuffle=False,
        num_workers=recipe.data.workers,
        worker_init_fn=single_threaded,
        prefetch_factor=4 if recipe.data.workers else None,
    )
    return map(sound, iter(loader))


def sound(item: Batch | VtmrError) -> Batch:
    """A batch as it is; an error is raised."""
    if isinstance(item, VtmrError):
        raise item
    return item


def click_maps(clicks: Sequence[Sequence[Click]], radius: float, size: int) -> Tensor:
    """Disc maps float32 B x 2 x size x size, positive first; clicks in the grid's coordinates."""
    return torch.from_numpy(np.concatenate([inputs.click_maps(sample, radius, size) for sample in clicks]))
