"""Predictors and samples whose outcome is known beforehand: each picture shows its own truth in its red channel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vtmr.data import EvalSample
from vtmr.geometry import Box
from vtmr.masks import Mask
from vtmr.types import Event, Image


@dataclass(frozen=True)
class Answer:
    """A prediction that is its mask."""

    mask: Mask
    nbytes: int = 0

    def render(self) -> Mask:
        return self.mask.copy()


@dataclass
class Player:
    """Answers the n-th click on a picture with `answer(gt_mask, n)`, and counts the clicks it was asked."""

    answer: Callable[[Mask, int], Mask]
    name: str = "player"
    asked: int = 0

    def prepare(self, image: Image) -> Any:
        return image[..., 0] > 127

    def predict(
        self,
        scene: Any,
        events: Sequence[Event],
        previous: Any = None,
        mask: Mask | None = None,
        region: Box | None = None,
    ) -> Answer:
        self.asked += 1
        return Answer(self.answer(scene, len(events)))


def oracle() -> Player:
    """Right at once."""
    return Player(lambda gt_mask, n: gt_mask)


def blank() -> Player:
    """Never finds anything."""
    return Player(lambda gt_mask, n: np.zeros_like(gt_mask))


def columns(*shares: float) -> Player:
    """After n clicks, the share shares[n - 1] of the object's columns, which is the IoU on a rectangle."""

    def answer(gt_mask: Mask, n: int) -> Mask:
        found = np.flatnonzero(gt_mask.any(axis=0))
        mask = gt_mask.copy()
        mask[:, found[round(shares[n - 1] * found.size) :]] = False
        return mask

    return Player(answer)


def sample(
    name: str = "0",
    dataset: str = "pairs",
    source: str = "pairs",
    gt_mask: Mask | None = None,
    ignore: Mask | None = None,
) -> EvalSample:
    """A 40 x 60 picture with a rectangle of 20 x 50 pixels, or another mask."""
    if gt_mask is None:
        gt_mask = np.zeros((40, 60), bool)
        gt_mask[10:30, 5:55] = True
    image = np.repeat(np.where(gt_mask, 255, 0).astype(np.uint8)[..., None], 3, axis=2)
    return EvalSample(dataset, name, "0", source, lambda: (image, gt_mask, ignore))
