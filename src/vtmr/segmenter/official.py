"""What the pipelines of other authors' networks share [docs/method.md §B, §L.4].

They are made to reproduce published tables, not to be fast: everything happens at full resolution,
pixels are resized with the corners aligned, while points scale with the size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vtmr.geometry import Box, Frame
from vtmr.masks import Mask
from vtmr.pyramid import Pyramid, sample_bilinear
from vtmr.segmenter.logits import sigmoid
from vtmr.types import Click, Event, FloatMap, last_edit, places_of


@dataclass(frozen=True, slots=True, eq=False)
class ProbabilityLayer:
    """A grid over a box of the image: the coarse pass's probabilities or the refining pass's
    logits.

    values: float32, S x S, or in RITM's mode cvpr as high and wide as the network's input was.
    """

    box: Box
    values: FloatMap
    are_logits: bool

    def spread(self) -> FloatMap:
        """The probability at every pixel of the box, corners aligned."""
        values = resized_by_corners(self.values, self.box.height, self.box.width)
        if self.are_logits:
            return sigmoid(values)
        return values


@dataclass(frozen=True, slots=True, eq=False)
class OfficialPrediction:
    """Layers laid in order onto probability 0; the first is the target crop's.

    nbytes: of the layers added to the previous answer's; clicks: how many this answers. kept: the
    target crop that RITM goes on with while it serves; None before there is one.
    """

    height: int
    width: int
    layers: tuple[ProbabilityLayer, ...]
    threshold: float
    nbytes: int
    clicks: int
    kept: Box | None = None

    def probability(self) -> FloatMap:
        """float32 H x W."""
        canvas = np.zeros((self.height, self.width), np.float32)
        for layer in self.layers:
            canvas[layer.box.slices] = layer.spread()
        return canvas

    def render(self) -> Mask:
        """A fresh bool mask H x W."""
        return self.probability() > self.threshold


def previous_map(
    scene: Pyramid, previous: OfficialPrediction | None, mask: Mask | None
) -> FloatMap:
    """float32 H x W that the network is told of: the last answer's probability, else the user's
    mask, else zeros."""
    if previous is not None:
        return previous.probability()
    if mask is not None:
        return mask.astype(np.float32)
    return np.zeros((scene.height, scene.width), np.float32)


def seen_mask(
    prev_prob: FloatMap, threshold: float, mask: Mask | None, events: Sequence[Event]
) -> Mask:
    """What decides the target crop, bool H x W: the last probability above the threshold.

    A mask that the user brought goes before it. mask: what the user saw before the newest clicks.
    """
    if mask is not None and edited(events):
        return mask
    return prev_prob > threshold


def edited(events: Sequence[Event]) -> bool:
    """Whether the user brought a mask, so that what is on the screen isn't the network's alone."""
    return last_edit(events) is not None


def resized_by_corners(array: NDArray[Any], height: int, width: int) -> FloatMap:
    """Bilinear, the first and last pixel centres kept on the first and last: float32 height x width
    (x channels)."""
    if array.shape[:2] == (height, width):
        return np.asarray(array, np.float32)
    rows, cols = (_by_corners(array.shape[0], height), _by_corners(array.shape[1], width))
    return sample_bilinear(array, rows, cols)


def _by_corners(length: int, count: int) -> NDArray[np.float64]:
    """Indices along a side of that length; the first and the last are its ends. A single one is
    the first, as torch has it."""
    if count == 1:
        return np.zeros(1)
    return np.linspace(0, length - 1, count)


def cut(scene: Pyramid, frame: Frame) -> FloatMap:
    """The image in the frame's box, from full resolution, corners aligned.

    float32 height x width x 3 of 0 to 255, not rounded: the official code makes floats of the
    pixels before it resizes them.
    """
    return resized_by_corners(scene.image[frame.box.slices], frame.height, frame.width)


def index_points(clicks: Sequence[Click], frame: Frame) -> list[Click]:
    """Index coordinates times the size ratio, in the house's terms: the half pixel isn't scaled."""
    points, positive = places_of(clicks)
    found = []
    for (x, y), sign in zip(frame.to_grid(points - 0.5).tolist(), positive.tolist(), strict=True):
        found.append(Click(x + 0.5, y + 0.5, sign))
    return found


def drawn(points: Sequence[Click]) -> list[Click]:
    """Without those above and left of the grid: two negative indices mean no click to the official
    networks, while beyond one side alone a click's disc reaches in [docs/method.md §A.1]."""
    return [point for point in points if max(point.x, point.y) >= 0.5]
