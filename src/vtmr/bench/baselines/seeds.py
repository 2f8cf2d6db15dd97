"""What clicks and a mask to correct tell a method that knows only seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vtmr.geometry import Frame
from vtmr.masks import Mask, disc_maps
from vtmr.types import Click, places_of

UNKNOWN, OBJECT, BACKGROUND = 0, 1, 2


@dataclass(frozen=True)
class Seeds:
    """labels: uint8 h x w of the working image, 0 unknown, 1 object, 2 background; at least one
    pixel is object.

    likely: bool h x w, the mask to correct, turned over around clicks that contradict it; None when
    there is none.
    """

    labels: NDArray[np.uint8]
    likely: Mask | None = None


def place_seeds(
    clicks: Sequence[Click], initial: Mask | None, frame: Frame, radius: float
) -> Seeds | None:
    """Seeds for the clicks, in the order of their making, on the core of a mask to correct; None
    without an object.

    clicks: in the image's pixels. initial: bool H x W of the image. frame: from the image to the
    working image. radius: of a click's disc, in the working image's pixels. A pixel between two
    discs belongs to the later click.
    """
    labels = np.zeros((frame.height, frame.width), np.uint8)
    points, positive = places_of(clicks)
    points = frame.to_grid(points)
    likely = None
    if initial is not None:
        size = (frame.width, frame.height)
        share = cv2.resize(initial.astype(np.float32), size, interpolation=cv2.INTER_AREA)
        labels, likely = _doubted(share > 0.5, points, positive.tolist())
    values = np.where(positive, OBJECT, BACKGROUND)
    for point, value in zip(points, values, strict=True):
        disc = disc_maps(point[None], np.array([True]), radius, frame.height, frame.width)[0] > 0
        row, col = min(int(point[1]), frame.height - 1), min(int(point[0]), frame.width - 1)
        disc[row, col] = True  # a disc smaller than a pixel is one
        labels[disc] = value
    if not (labels == OBJECT).any():
        return None
    return Seeds(labels, likely)


def _doubted(
    initial: Mask, points: NDArray[np.float64], positive: Sequence[bool]
) -> tuple[NDArray[np.uint8], Mask]:
    """What a mask to correct says: its inner half as object, the rest's as background (labels h x
    w), and a guess.

    A click that contradicts the mask puts in question all that is as near to it as the mask's edge:
    nothing is sure there, and the guess is the click's.
    """
    labels = np.zeros(initial.shape, np.uint8)
    depths = {}
    for side, label in ((True, OBJECT), (False, BACKGROUND)):
        region = np.ascontiguousarray(initial == side)
        depths[side] = cv2.distanceTransform(
            region.view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE
        )
        if region.any():
            # Of a region without an outside OpenCV's depths have no end: its sides stand for that.
            labels[depths[side] > min(float(depths[side].max()), max(region.shape)) / 2] = label
    guess = initial.copy()
    rows, cols = np.indices(initial.shape)
    for (x, y), sign in zip(points, positive, strict=True):
        row, col = min(int(y), initial.shape[0] - 1), min(int(x), initial.shape[1] - 1)
        if initial[row, col] != sign:
            reach = float(depths[not sign][row, col])
            near = (rows + 0.5 - y) ** 2 + (cols + 0.5 - x) ** 2 <= reach**2
            labels[near], guess[near] = UNKNOWN, sign
    return labels, guess
