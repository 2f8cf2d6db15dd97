"""FocalClick's own pipeline, for imported weights whose spec says so [docs/method.md §B, §L.4].

It follows the official code, oddities included: the target crop's threshold is .49 on the previous
probability, the focus crop's .49 on the new logit; the click's own component may be the
background's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import final

import numpy as np

from vtmr.geometry import Box, Frame
from vtmr.masks import Mask
from vtmr.pyramid import Pyramid
from vtmr.segmenter.crops import focalclick_focus_box, focalclick_target_box
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
from vtmr.types import Event

_THRESHOLD = 0.49  # of the previous probability and, in the focus rule, of the new logit


@final
class FocalClickSegmenter(Segmenter):
    """Target crop, coarse pass, focus crop, refining pass, as FocalClick's own code has them."""

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
        # A mask that the user brought decides the target crop; else it is the probability's.
        seen = mask if mask is not None and edited(events) else prev_prob > _THRESHOLD
        target = Box.whole(scene.height, scene.width)
        if len(clicks) > 1:
            target = focalclick_target_box(seen, clicks, spec.target_ratio)

        prev_grid = resized_by_corners(prev_prob[target.slices], size, size)
        image = cut(scene, target, size)
        coarse_logits, features = network.coarse(
            image, prev_grid, index_points(clicks, target, size)
        )
        coarse = ProbabilityLayer(target, sigmoid(coarse_logits), False)

        new_mask = np.zeros((scene.height, scene.width), np.bool_)
        new_mask[target.slices] = coarse.spread() > 1 / (1 + math.exp(-_THRESHOLD))
        focus = focalclick_focus_box(
            new_mask, prev_prob > _THRESHOLD, clicks[-1], target, spec.focus_ratio
        )
        box = Frame(target, size, size).box_to_grid(focus)
        patch = cut(scene, focus, size)
        patch_clicks = index_points(clicks, focus, size)
        logits = network.refine(patch, patch_clicks, coarse_logits, features, box)
        refined = ProbabilityLayer(focus, logits, True)

        base: tuple[ProbabilityLayer, ...] = (coarse,)
        added = refined.values.nbytes + coarse.values.nbytes
        if previous is not None and len(clicks) >= spec.freeze_from_click:
            base, added = previous.layers, refined.values.nbytes
        return OfficialPrediction(
            scene.height, scene.width, (*base, refined), spec.threshold, added, len(clicks)
        )
