"""CDNet's pixel diffusion module (PDM): the answer spreads between pixels of similar colour, from
the clicks and from where it is sure [cdnet2021; docs/zoo.md §Z.4]."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vtmr.segmenter.logits import sigmoid
from vtmr.types import FloatMap

DILATIONS = (1, 2, 4, 8)  # of the neighbours that a pixel takes from, in pixels
ROUNDS = 5  # each reaches as far again
UNSURE = 0.25  # of -1..1: an answer nearer to 0 spreads nothing
CLICK = 10.0  # what a click's disc adds
SHARPNESS, TINY = 0.1, 1e-8


def diffused(logits: FloatMap, image: FloatMap, discs: FloatMap) -> FloatMap:
    """New logits H x W: the answer, -1..1, and what spread of it in ROUNDS rounds.

    logits: H x W; image: H x W x 3 in 0..1; discs: of the positive and of the negative clicks, 2 x
    H x W.
    """
    own = 2 * sigmoid(logits) - 1
    spread = np.where(np.abs(own) > UNSURE, own, np.float32(0)) + CLICK * (discs[0] - discs[1])
    weights = likeness(image)
    for _ in range(ROUNDS):
        taken = np.zeros_like(own)
        for weight, neighbour in zip(weights, neighbours(spread), strict=True):
            taken += weight * neighbour
        spread = taken
    return np.asarray(spread + own, np.float32)


def likeness(image: FloatMap) -> FloatMap:
    """How alike each pixel is to its neighbours: float32 32 x H x W, each pixel's sum is 1.

    Differences count by the standard deviation of the surroundings, each colour on its own.
    """
    height, width = image.shape[:2]
    count = 8 * len(DILATIONS)
    apart = np.zeros((count, height, width), np.float32)
    for channel in range(3):
        centre = np.ascontiguousarray(image[:, :, channel], np.float32)
        around = np.stack(list(neighbours(centre)))
        # The centre is a member of each dilation's 3 x 3 pixels, and so counted with each.
        members = np.concatenate([around, np.repeat(centre[None], len(DILATIONS), axis=0)])
        deviation = members.std(axis=0, ddof=1)
        apart -= np.abs(around - centre) / (TINY + SHARPNESS * deviation)
    apart /= 3
    # The most alike gets exp(0): of colours far apart all could underflow to 0.
    apart -= apart.max(axis=0)
    np.exp(apart, out=apart)
    return np.asarray(apart / apart.sum(axis=0), np.float32)


def neighbours(plane: FloatMap) -> Iterator[FloatMap]:
    """The plane H x W shifted to each of the 8 neighbours at each distance; the border repeats."""
    height, width = plane.shape
    for step in DILATIONS:
        padded = np.pad(plane, step, mode="edge")
        for down in (0, step, 2 * step):
            for right in (0, step, 2 * step):
                if (down, right) != (step, step):
                    yield padded[down : down + height, right : right + width]
