"""CDNet's own pipeline [cdnet2021; docs/zoo.md §Z.4]: FocalClick's target crop on a square grid, a
mirrored second pass, and the pixel diffusion module over their mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import numpy as np

from vtmr.geometry import Box, Frame
from vtmr.inputs import click_maps
from vtmr.masks import Mask
from vtmr.pyramid import Pyramid
from vtmr.segmenter.crops import focalclick_target_box
from vtmr.segmenter.logits import sigmoid
from vtmr.segmenter.official import (
    OfficialPrediction,
    ProbabilityLayer,
    cut,
    drawn,
    index_points,
    previous_map,
    seen_mask,
)
from vtmr.segmenter.pipeline import Segmenter, require_clicks
from vtmr.segmenter.pixel_diffusion import diffused
from vtmr.segmenter.ritm import twice
from vtmr.types import Event

_CROP_THRESHOLD = 0.49  # of the previous probability


@final
class CDNetSegmenter(Segmenter):
    """Target crop, one pass as it is and one mirrored, diffusion.

    The network isn't told of the previous mask, which only decides where it looks.
    """

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
        spec, size = self.spec, self.spec.input_size
        target = Box.whole(scene.height, scene.width)
        if len(clicks) > 1:
            prev_prob = previous_map(scene, previous, mask)
            seen = seen_mask(prev_prob, _CROP_THRESHOLD, mask, events)
            target = focalclick_target_box(seen, clicks, spec.target_ratio)

        frame = Frame(target, size, size)
        image = cut(scene, frame)
        points = index_points(clicks, frame)
        nothing = np.zeros((size, size), np.float32)
        logits = twice(self.network, image, nothing, points)
        discs = click_maps(drawn(points), spec.disc_radius, size)[0]
        answer = sigmoid(diffused(logits, image / np.float32(255), discs))
        layer = ProbabilityLayer(target, answer, False)
        return OfficialPrediction(
            scene.height, scene.width, (layer,), spec.threshold, answer.nbytes, len(clicks)
        )
