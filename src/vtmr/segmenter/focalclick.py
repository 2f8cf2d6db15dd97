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
    drawn,
    index_points,
    previous_map,
    resized_by_corners,
    seen_mask,
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
        seen = seen_mask(prev_prob, _THRESHOLD, mask, events)
        target = Box.whole(scene.height, scene.width)
        if len(clicks) > 1:
            target = focalclick_target_box(seen, clicks, spec.target_ratio)

        frame = Frame(target, size, size)
        prev_grid = resized_by_corners(prev_prob[target.slices], size, size)
        points = drawn(index_points(clicks, frame))
        coarse_logits, features = network.coarse(cut(scene, frame), prev_grid, points)
        coarse = ProbabilityLayer(target, sigmoid(coarse_logits), False)

        new_mask = np.zeros((scene.height, scene.width), np.bool_)
        # The official code compares the logit with .49; this is that logit's probability.
        new_mask[target.slices] = coarse.spread() > 1 / (1 + math.exp(-_THRESHOLD))
        prev_mask, newest = prev_prob > _THRESHOLD, clicks[-1]
        focus = focalclick_focus_box(
            new_mask, prev_mask, newest, target, spec.focus_ratio, spec.focus_rule
        )
        near = Frame(focus, size, size)
        patch, patch_points = cut(scene, near), drawn(index_points(clicks, near))
        box = frame.box_to_grid(focus)
        logits = network.refine(patch, patch_points, coarse_logits, features, box)
        refined = ProbabilityLayer(focus, logits, True)

        base: tuple[ProbabilityLayer, ...] = (coarse,)
        added = refined.values.nbytes + coarse.values.nbytes
        if previous is not None and len(clicks) >= spec.freeze_from_click:
            base, added = previous.layers, refined.values.nbytes
        return OfficialPrediction(
            scene.height, scene.width, (*base, refined), spec.threshold, added, len(clicks)
        )
