"""Predictors and samples whose outcome is known beforehand: each picture shows its own truth in its
red channel."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vtmr.data import EvalSample
from vtmr.geometry import Box
from vtmr.masks import Mask
from vtmr.types import Event, Image, active_clicks


@dataclass(frozen=True)
class Answer:
    """A prediction that is its mask."""

    mask: Mask
    nbytes: int = 0

    def render(self) -> Mask:
        return self.mask.copy()


@dataclass
class Player:
    """Answers the n-th click on a picture with `answer(gt_mask, n)`, and counts the clicks it was
    asked."""

    answer: Callable[[Mask, int], Mask]
    name: str = "player"
    asked: int = 0
    takes_boxes: bool = True

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
    """After n clicks, the share shares[n - 1] of the object's columns, which is the IoU on a
    rectangle."""

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


class Discs:
    """Its mask is a disc of 6 px around every positive click less one around every negative: it
    depends on where the clicks are, and on nothing else."""

    name = "discs"

    def prepare(self, image: Image) -> tuple[int, int]:
        return image.shape[0], image.shape[1]

    def predict(
        self,
        scene: Any,
        events: Sequence[Event],
        previous: Any = None,
        mask: Mask | None = None,
        region: Box | None = None,
    ) -> Answer:
        rows, cols = np.mgrid[: scene[0], : scene[1]]
        found = np.zeros(scene, np.bool_)
        for click in active_clicks(events):
            found[(rows + 0.5 - click.y) ** 2 + (cols + 0.5 - click.x) ** 2 <= 36] = click.positive
        return Answer(found)


def ellipses() -> list[EvalSample]:
    """Seven ellipses of different sizes in two data sets."""
    rows, cols = np.mgrid[:40, :60]
    sizes = [(12, 20), (6, 9), (15, 7), (9, 25), (4, 4), (17, 28), (10, 12)]
    masks = [
        ((rows - 20) / height) ** 2 + ((cols - 30) / width) ** 2 < 1 for height, width in sizes
    ]
    return [
        sample(f"{i}", dataset="pairs" if i < 4 else "grabcut", gt_mask=mask)
        for i, mask in enumerate(masks)
    ]


def swapped_ellipses() -> list[EvalSample]:
    return ellipses()[::-1]


def dying() -> Discs:
    """No predictor comes of it: the process ends."""
    os._exit(9)
