"""Whose clicks training simulates: careful users, who click as the benchmark's robot does, and
casual ones; and the boxes that either draws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from vtmr.masks import Mask
from vtmr.people import drawn_box, edge_click, part_click, random_click
from vtmr.train.clicks import Rng, corrective_click, first_click, random_pixel
from vtmr.types import BoxPrompt, Click

# How often a casual user's first click is near the object's outline, and how often a later one is
# on another part of the object, whether that part is missing or not.
EDGE_CHANCE, PART_CHANCE = 0.25, 0.25
LOOSEST_BOX = 0.3  # how much larger than the object a box may be
SHAKIEST_BOX = 0.1  # the largest standard deviation of a side, as a share of the box


class User(Protocol):
    """Who clicks on one object."""

    def first(self, target: Mask, rng: Rng) -> Click:
        """The first click on an object; target: bool H x W, not empty."""

    def next(self, mask: Mask, target: Mask, clicked: Sequence[Click], rng: Rng) -> Click | None:
        """The click after an answer; None where nothing is wrong.

        mask, target: bool H x W; clicked: the clicks so far.
        """


@dataclass(frozen=True)
class CarefulUser:
    """Clicks near the middle of the object and of what is wrong.

    centred, deepest_share: see `ClickRecipe`.
    """

    centred: bool
    deepest_share: float

    def first(self, target: Mask, rng: Rng) -> Click:
        return first_click(target, rng, self.centred, self.deepest_share)

    def next(self, mask: Mask, target: Mask, clicked: Sequence[Click], rng: Rng) -> Click | None:
        return corrective_click(mask.astype(np.float32), target, rng, self.deepest_share)


@dataclass(frozen=True)
class CasualUser:
    """Clicks anywhere on the object, near its outline or on another of its parts, and anywhere on
    the largest error."""

    def first(self, target: Mask, rng: Rng) -> Click:
        if rng.random() < EDGE_CHANCE:
            near = edge_click(target, None, rng)
            if near is not None:
                return near
        return random_pixel(target, rng, positive=True)

    def next(self, mask: Mask, target: Mask, clicked: Sequence[Click], rng: Rng) -> Click | None:
        if np.array_equal(mask, target):
            return None
        # An object that began with a box may have no click yet that a part could be far from.
        if clicked and rng.random() < PART_CHANCE:
            part = part_click(target, None, clicked, rng)
            if part is not None:
                return part
        return random_click(mask, target, None, clicked, rng)


def box_around(target: Mask, rng: Rng) -> BoxPrompt:
    """A box as people draw it: tight to loose, its sides off by more or less.

    target: bool H x W, not empty.
    """
    margin, jitter = rng.uniform(0, LOOSEST_BOX), rng.uniform(0, SHAKIEST_BOX)
    return drawn_box(target, None, margin, jitter, rng)
