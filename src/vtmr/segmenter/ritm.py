"""RITM's own pipeline, for networks without a refiner: a crop that stays while it serves, and a
mirrored second look.

Source: facts.md §B.1, §D.8, §G.8. The official code keeps the crop's proportions and makes its
longer side 400 px; here it is resized to the network's square grid, which is what RITM calls a
fixed size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from vtmr.geometry import Box
from vtmr.masks import Mask
from vtmr.pyramid import Pyramid
from vtmr.segmenter.crops import ritm_target_box
from vtmr.segmenter.focalclick import (
    FocalClickPrediction,
    ProbabilityLayer,
    cut,
    index_points,
    previous_map,
    resized_by_corners,
    sigmoid,
)
from vtmr.types import Click, FloatMap, Image, Network


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
    seen = mask if merged and mask is not None else prev_prob > spec.threshold
    target = Box.whole(scene.height, scene.width)
    if len(clicks) > 1:
        earlier = previous.layers[0].box if previous is not None and previous.clicks > 1 else None
        target = ritm_target_box(seen, clicks, spec.target_ratio, earlier)

    prev_grid = resized_by_corners(prev_prob[target.slices], size, size)
    probability = _twice(
        network, cut(scene, target, size), prev_grid, index_points(clicks, target, size)
    )
    layer = ProbabilityLayer(target, probability, False)
    return FocalClickPrediction(
        scene.height, scene.width, (layer,), spec.threshold, layer.values.nbytes, clicks=len(clicks)
    )


def _twice(
    network: Network, image: Image, prev_grid: FloatMap, points: Sequence[Click]
) -> FloatMap:
    """The mean of the probabilities for the crop and for its mirror image, mirrored back."""
    size = network.spec.input_size
    logits, _ = network.coarse(image, prev_grid, points)
    mirrored_points = [replace(point, x=size - point.x) for point in points]
    mirrored, _ = network.coarse(
        np.ascontiguousarray(image[:, ::-1]),
        np.ascontiguousarray(prev_grid[:, ::-1]),
        mirrored_points,
    )
    return (sigmoid(logits) + sigmoid(mirrored)[:, ::-1]) * np.float32(0.5)
