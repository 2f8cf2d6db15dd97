"""RITM's own pipeline, for networks without a refiner.

A crop that stays while it serves, and a mirrored second pass. Source: docs/method.md §B.1, §D.8,
§G.8. The official code keeps the crop's proportions and makes its longer side 400 px; here it is
resized to the network's square grid, which is what RITM calls a fixed size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import final

import numpy as np

from vtmr.geometry import Box
from vtmr.masks import Mask
from vtmr.pyramid import Pyramid
from vtmr.segmenter.crops import ritm_target_box
from vtmr.segmenter.logits import sigmoid
from vtmr.segmenter.official import (
    OfficialPrediction,
    ProbabilityLayer,
    cut,
    edited,
    index_points,
    previous_map,
    resized_by_corners,
)
from vtmr.segmenter.pipeline import Segmenter, require_clicks
from vtmr.types import Click, Event, FloatMap, Image, Network


@final
class RitmSegmenter(Segmenter):
    """Target crop and coarse pass, once as it is and once mirrored."""

    def predict(
        self,
        scene: Pyramid,
        events: Sequence[Event],
        previous: OfficialPrediction | None = None,
        mask: Mask | None = None,
        region: Box | None = None,
    ) -> OfficialPrediction:
        """See `Predictor.predict`; the first click's target crop is the whole image."""
        clicks = require_clicks(events, scene)
        network, spec, size = self.network, self.spec, self.spec.input_size
        prev_prob = previous_map(scene, previous, mask)
        # A mask that the user brought decides the target crop; else it is the probability's. Its
        # threshold is the network's own: one given for the answers doesn't move the crops.
        seen = prev_prob > network.spec.threshold
        if mask is not None and edited(events):
            seen = mask
        target = Box.whole(scene.height, scene.width)
        if len(clicks) > 1:
            kept = previous is not None and previous.clicks > 1
            earlier = previous.layers[0].box if previous is not None and kept else None
            target = ritm_target_box(seen, clicks, spec.target_ratio, earlier)

        prev_grid = resized_by_corners(prev_prob[target.slices], size, size)
        points = index_points(clicks, target, size)
        probability = _twice(network, cut(scene, target, size), prev_grid, points)
        layer = ProbabilityLayer(target, probability, False)
        return OfficialPrediction(
            scene.height, scene.width, (layer,), spec.threshold, layer.values.nbytes, len(clicks)
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
