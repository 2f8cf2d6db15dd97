"""FCFI's own pipeline [docs/zoo.md §Z.6.3]: RITM's with crops in their own proportions, where
negative clicks widen and keep them, too, and the last answer's probability is fed back twice.

The authors' scripts have a size and a widening for each data set: 700 px and 3.0 on GrabCut, 720
and 2.8 on Berkeley, 720 and 3.5 on DAVIS, 480 and 2.3 on SBD. Here it is one for all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import final

from vtmr.geometry import Box
from vtmr.masks import Mask
from vtmr.pyramid import Pyramid
from vtmr.segmenter.crops import ritm_target_box
from vtmr.segmenter.logits import sigmoid
from vtmr.segmenter.official import (
    OfficialPrediction,
    ProbabilityLayer,
    cut,
    index_points,
    previous_map,
    resized_by_corners,
    seen_mask,
)
from vtmr.segmenter.pipeline import Segmenter, require_clicks
from vtmr.segmenter.ritm import CROP_THRESHOLD, View, at_full_size, in_proportion, twice
from vtmr.types import Click, Event

LONGER_SIDE = 720  # of a crop, in the network's pixels


@final
class FcfiSegmenter(Segmenter):
    """Target crop and one pass, as it is and mirrored."""

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
        prev_prob = previous_map(scene, previous, mask)
        seen = seen_mask(prev_prob, CROP_THRESHOLD, mask, events)
        kept = None
        if previous is not None:
            kept = previous.kept
        view = self._view(seen, clicks, kept)

        frame = view.frame
        prev_grid = resized_by_corners(prev_prob[frame.box.slices], frame.height, frame.width)
        logits = twice(self.network, cut(scene, frame), prev_grid, index_points(clicks, frame))
        layer = ProbabilityLayer(view.answer, sigmoid(logits), False)
        height, width, nbytes = scene.height, scene.width, layer.values.nbytes
        return OfficialPrediction(
            height, width, (layer,), self.spec.threshold, nbytes, len(clicks), view.kept
        )

    def _view(self, seen: Mask, clicks: Sequence[Click], earlier: Box | None) -> View:
        """seen: bool H x W, what the last answer or the user says; earlier: the crop kept from
        before."""
        whole = Box.whole(*seen.shape)
        if len(clicks) == 1 or not seen.any():
            return View(at_full_size(whole), earlier or whole, earlier)
        # The authors' crop has to hold negative clicks, too, which RITM's needn't.
        held = [replace(click, positive=True) for click in clicks]
        target = ritm_target_box(seen, held, self.spec.target_ratio, earlier)
        return View(in_proportion(target, LONGER_SIDE), target, target)
