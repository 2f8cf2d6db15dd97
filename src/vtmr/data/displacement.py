"""Whether masks lie where the photos' edges are: half a pixel off costs a small object more than a
click can mend."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from vtmr.masks import Mask, bounding_box
from vtmr.types import FloatMap, Image

REACH = 6  # pixels: displacements up to about 4 are found
MIN_OBJECTS = 50  # the rim of a single object often follows no edge
MIN_CONTRAST = 1.1  # the best place's edges over the median place's


@dataclass
class EdgeProfiles:
    """How strong the photos' edges are at the rims of masks, and so many pixels beside them.

    sums: float64 4 x (2 REACH + 1), for rims on the objects' left, right, top and bottom; each
    object counts alike.
    """

    sums: NDArray[np.float64] = field(default_factory=lambda: np.zeros((4, 2 * REACH + 1)))
    objects: int = 0

    def add(self, image: Image, mask: Mask) -> None:
        """One object. image: uint8 H x W x 3; mask: bool H x W."""
        box = bounding_box(mask)
        if box is None:
            return
        margin = REACH + 1
        rows = slice(max(0, box.y0 - margin), box.y1 + margin)
        cols = slice(max(0, box.x0 - margin), box.x1 + margin)
        near = rows, cols
        grey = cv2.cvtColor(image[near], cv2.COLOR_RGB2GRAY).astype(np.float32)
        inside = mask[near].astype(np.int8)
        profiles = np.stack([*_profiles(grey, inside), *_profiles(grey.T, inside.T)])
        means = profiles.mean(axis=1, keepdims=True)
        # Divided by its mean: a photo of hard contrast says no more than a soft one.
        self.sums += np.divide(profiles, means, out=np.zeros_like(profiles), where=means > 0)
        self.objects += 1

    def displacement(self) -> tuple[float, float] | None:
        """Pixels by which the masks lie right of the photos' edges, and below them.

        The mean of both sides, so that masks which are merely too large or too small aren't
        displaced. None with fewer than MIN_OBJECTS, and where no place within reach has clearly the
        strongest edges.
        """
        peaks: list[float] = []
        for profile in self.sums:
            peak = _peak(profile)
            if peak is None:
                return None
            peaks.append(peak)
        if self.objects < MIN_OBJECTS:
            return None
        left, right, top, bottom = peaks
        # From 0.0, so that no displacement is 0 and not -0.
        return 0.0 - (left + right) / 2, 0.0 - (top + bottom) / 2


def _profiles(
    grey: FloatMap, inside: NDArray[np.int8]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Along the rows: the summed steps of brightness around where the mask begins, and around where
    it ends."""
    steps, turns = np.abs(np.diff(grey, axis=1)), np.diff(inside, axis=1)
    # So near the image's border the steps on one side of a rim can't be told.
    turns[:, :REACH] = 0
    turns[:, max(0, turns.shape[1] - REACH) :] = 0
    return _steps_around(steps, turns > 0), _steps_around(steps, turns < 0)


def _steps_around(steps: FloatMap, rims: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The steps from REACH pixels before a rim to REACH behind it, summed over all rims (bool, as
    `steps`)."""
    rows, cols = np.nonzero(rims)
    offsets = np.arange(-REACH, REACH + 1)
    beside = steps[rows[:, None], cols[:, None] + offsets]
    return np.asarray(beside.sum(axis=0, dtype=np.float64))


def _peak(profile: NDArray[np.float64]) -> float | None:
    """Where a parabola through the largest value and its neighbours has its top, from the middle;
    see MIN_CONTRAST."""
    at = int(np.argmax(profile))
    if not 0 < at < 2 * REACH or profile[at] < MIN_CONTRAST * np.median(profile):
        return None
    before, peak, after = profile[at - 1 : at + 2]
    return float(at - REACH + (before - after) / (2 * (before - 2 * peak + after)))
