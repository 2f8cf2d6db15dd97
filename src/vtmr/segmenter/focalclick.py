"""FocalClick's own pipeline, for imported weights with `pipeline = "focalclick"` [facts.md §B,
§L.4].

Made to reproduce published tables, not to be fast: everything happens at full resolution, as in the
official code. Pixels are resized with the corners aligned while points scale with the size; the
target crop's threshold is .49 on the previous probability, the focus crop's .49 on the new logit;
the click's own component may be the background's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vtmr.geometry import Box, Frame
from vtmr.masks import Mask
from vtmr.pyramid import Pyramid, sample_bilinear
from vtmr.segmenter.crops import focalclick_focus_box, focalclick_target_box
from vtmr.types import Click, FloatMap, Network

_THRESHOLD = 0.49  # of the previous probability and, in the focus rule, of the new logit


@dataclass(frozen=True, slots=True, eq=False)
class ProbabilityLayer:
    """A grid S x S over a box of the image: the coarse pass's probabilities or the refining pass's
    logits."""

    box: Box
    values: FloatMap
    are_logits: bool

    def spread(self) -> FloatMap:
        """The probability at every pixel of the box, corners aligned."""
        values = resized_by_corners(self.values, self.box.height, self.box.width)
        return sigmoid(values) if self.are_logits else values


@dataclass(frozen=True, slots=True, eq=False)
class FocalClickPrediction:
    """Layers laid in order onto probability 0; the first is the target crop's.

    nbytes: of the layers added to the previous answer's; clicks: how many this answers.
    """

    height: int
    width: int
    layers: tuple[ProbabilityLayer, ...]
    threshold: float
    nbytes: int
    clicks: int

    def probability(self) -> FloatMap:
        """float32 H x W."""
        canvas = np.zeros((self.height, self.width), np.float32)
        for layer in self.layers:
            canvas[layer.box.slices] = layer.spread()
        return canvas

    def render(self) -> Mask:
        """A fresh bool mask H x W."""
        return self.probability() > self.threshold


def predict(
    network: Network,
    scene: Pyramid,
    clicks: Sequence[Click],
    previous: FocalClickPrediction | None,
    mask: Mask | None,
    merged: bool,
) -> FocalClickPrediction:
    """One click. mask: what the user saw; merged: whether it comes from an edit, so that it decides
    the target crop."""
    spec, size = network.spec, network.spec.input_size
    prev_prob = previous_map(scene, previous, mask)
    seen = mask if merged and mask is not None else prev_prob > _THRESHOLD
    target = Box.whole(scene.height, scene.width)
    if len(clicks) > 1:
        target = focalclick_target_box(seen, clicks, spec.target_ratio)

    prev_grid = resized_by_corners(prev_prob[target.slices], size, size)
    coarse_logits, features = network.coarse(
        cut(scene, target, size), prev_grid, index_points(clicks, target, size)
    )
    coarse = ProbabilityLayer(target, sigmoid(coarse_logits), False)

    new_mask = np.zeros((scene.height, scene.width), np.bool_)
    new_mask[target.slices] = coarse.spread() > 1 / (1 + math.exp(-_THRESHOLD))
    focus = focalclick_focus_box(
        new_mask, prev_prob > _THRESHOLD, clicks[-1], target, spec.focus_ratio
    )
    box = Frame(target, size, size).box_to_grid(focus)
    logits = network.refine(
        cut(scene, focus, size), index_points(clicks, focus, size), coarse_logits, features, box
    )
    refined = ProbabilityLayer(focus, logits, True)

    frozen = previous is not None and len(clicks) >= spec.freeze_from_click
    base = previous.layers if previous is not None and frozen else (coarse,)
    added = refined.values.nbytes + (0 if frozen else coarse.values.nbytes)
    return FocalClickPrediction(
        scene.height, scene.width, (*base, refined), spec.threshold, added, len(clicks)
    )


def previous_map(
    scene: Pyramid, previous: FocalClickPrediction | None, mask: Mask | None
) -> FloatMap:
    """float32 H x W that the network is told of: the last answer's probability, else the user's
    mask, else zeros."""
    if previous is not None:
        return previous.probability()
    if mask is not None:
        return mask.astype(np.float32)
    return np.zeros((scene.height, scene.width), np.float32)


def resized_by_corners(array: NDArray[Any], height: int, width: int) -> FloatMap:
    """Bilinear, the first and last pixel centres kept on the first and last: float32 height x width
    (x channels)."""
    rows, cols = (
        np.linspace(0, n - 1, m) if m > 1 else np.zeros(1)
        for n, m in zip(array.shape[:2], (height, width), strict=True)
    )
    return sample_bilinear(array, rows, cols)


def sigmoid(logits: FloatMap) -> FloatMap:
    """1 / (1 + exp(-x)), without overflow at either end."""
    half = np.float32(0.5)
    return np.asarray(np.tanh(logits * half) * half + half, np.float32)


def cut(scene: Pyramid, box: Box, size: int) -> NDArray[np.uint8]:
    """The image's box at full resolution as uint8 size x size x 3, corners aligned."""
    return (resized_by_corners(scene.image[box.slices], size, size) + np.float32(0.5)).astype(
        np.uint8
    )


def index_points(clicks: Sequence[Click], box: Box, size: int) -> list[Click]:
    """Index coordinates times the size ratio, in the house's terms: the half pixel isn't scaled."""
    indices = np.array([(click.x - 0.5, click.y - 0.5) for click in clicks])
    points = Frame(box, size, size).to_grid(indices) + 0.5
    return [
        Click(float(x), float(y), click.positive)
        for (x, y), click in zip(points, clicks, strict=True)
    ]
