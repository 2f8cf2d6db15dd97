"""RITM's own pipeline, for networks without a refiner: a crop that stays while it serves, and a
mirrored second pass.

It plays the two modes of RITM's evaluator, which the spec's `eval_mode` names, oddities included.
Source: docs/method.md §B.1, §D.8, §G.8; docs/zoo.md §Z.3.3; the released ZoomIn and
AddHorizontalFlip.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np

from vtmr.geometry import Box, Frame
from vtmr.masks import Mask
from vtmr.pyramid import Pyramid
from vtmr.segmenter.crops import ritm_target_box
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
from vtmr.spec import MAX_INPUT_SIZE, ModelSpec
from vtmr.types import Click, Event, FloatMap, Network

CROP_THRESHOLD = 0.5  # the target crop's own: that of the answers is .49 and may be another


@dataclass(frozen=True, slots=True)
class View:
    """What a click's passes look at, where their answer goes, and the crop that later clicks keep.

    The answer's box isn't the frame's after an answer that left nothing: then the whole image is
    looked at and, as in the official code, the answer laid into the crop from before.
    """

    frame: Frame
    answer: Box
    kept: Box | None


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
        prev_prob = previous_map(scene, previous, mask)
        seen = seen_mask(prev_prob, CROP_THRESHOLD, mask, events)
        kept = None
        if previous is not None:
            kept = previous.kept
        view = view_of(self.spec, seen, clicks, kept)

        frame = view.frame
        image = cut(scene, frame)
        prev_grid = resized_by_corners(prev_prob[frame.box.slices], frame.height, frame.width)
        logits = twice(self.network, image, prev_grid, index_points(clicks, frame))
        layer = ProbabilityLayer(view.answer, sigmoid(logits), False)
        height, width, nbytes = scene.height, scene.width, layer.values.nbytes
        return OfficialPrediction(
            height, width, (layer,), self.spec.threshold, nbytes, len(clicks), view.kept
        )


def view_of(spec: ModelSpec, seen: Mask, clicks: Sequence[Click], earlier: Box | None) -> View:
    """By the spec's mode of evaluation.

    seen: bool H x W, what the last answer or the user says; earlier: the crop kept from before.
    """
    whole = Box.whole(*seen.shape)
    if spec.eval_mode == "cvpr" and (len(clicks) == 1 or not seen.any()):
        return View(at_full_size(whole), earlier or whole, earlier)
    target = ritm_target_box(seen, clicks, spec.target_ratio, earlier)
    frame = Frame(target, spec.input_size, spec.input_size)
    if spec.eval_mode == "cvpr":
        frame = in_proportion(target, spec.input_size)
    return View(frame, target, target)


def in_proportion(box: Box, longer: int) -> Frame:
    """The box on a grid of its own proportions whose longer side has `longer` cells."""
    scale = longer / max(box.width, box.height)
    return Frame(box, max(round(box.width * scale), 1), max(round(box.height * scale), 1))


def at_full_size(whole: Box) -> Frame:
    """A cell a pixel; an image larger than any network is shown is made as small as allowed."""
    if max(whole.width, whole.height) > MAX_INPUT_SIZE:
        return in_proportion(whole, MAX_INPUT_SIZE)
    return Frame(whole, whole.width, whole.height)


def twice(
    network: Network, image: FloatMap, prev_grid: FloatMap, points: Sequence[Click]
) -> FloatMap:
    """The mean of the logits for the crop and for its mirror image, mirrored back.

    Of the logits: the official code takes the sigmoid of the mean.
    """
    width = image.shape[1]
    logits, _ = network.coarse(image, prev_grid, drawn(points))
    mirrored_points = [replace(point, x=width - point.x) for point in points]
    # Copied, as runtimes take no views that run backwards.
    mirrored, _ = network.coarse(
        np.ascontiguousarray(image[:, ::-1]),
        np.ascontiguousarray(prev_grid[:, ::-1]),
        drawn(mirrored_points),
    )
    return (logits + mirrored[:, ::-1]) * np.float32(0.5)
