"""Rollouts: objects segmented click by click as inference does it, so that the network learns from
what it will be shown.

Iterative clicks stay in one crop that holds the whole object. At inference the target crop follows
the answer, cuts the object where the answer is too small, a first answer to a small object is made
anew in its own crop, and an answer that reaches a side of its crop in a wider one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vtmr.errors import ConfigError
from vtmr.geometry import Box, Frame
from vtmr.masks import Mask
from vtmr.segmenter.layers import LayeredPrediction
from vtmr.segmenter.loading import load
from vtmr.segmenter.prompts import Prompts
from vtmr.segmenter.vtmr import VtmrSegmenter, clicks_on, previous_probability
from vtmr.spec import ZoomSchedule
from vtmr.train.clicks import Rng, corrective_click, first_click, further_clicks
from vtmr.train.recipe import ClickRecipe
from vtmr.types import Click, FloatMap, Image

LAST_PASS_SHARE = 0.5  # of the samples that show a click's last pass instead of its first


@dataclass(frozen=True)
class Shown:
    """What a coarse pass is shown: prev_mask, float32 S x S, and clicks are on the frame's grid."""

    frame: Frame
    prev_mask: FloatMap
    clicks: tuple[Click, ...]


@dataclass(frozen=True)
class Rollouts:
    """The pipeline of inference, without zoom, and the simulated user of the iterative clicks."""

    segmenter: VtmrSegmenter
    recipe: ClickRecipe

    @staticmethod
    def open(model: Path, recipe: ClickRecipe, size: int) -> Rollouts:
        """With the weights of a model file, on grids of that size.

        Raises CheckpointError, ConfigError.
        """
        segmenter = load(model, threads=1, input_size=size)
        if not isinstance(segmenter, VtmrSegmenter):
            raise ConfigError(
                "clicks.rollout_share asks for vtmr's pipeline, and these weights are used with "
                f"{segmenter.spec.pipeline!r}: leave it out."
            )
        return Rollouts(segmenter.with_zoom(ZoomSchedule(schedule="off")), recipe)

    def shown(self, image: Image, target: Mask, region: Box, rng: Rng) -> Shown:
        """What the pass after some clicks, as many as the recipe draws, is shown of an object.

        target: bool H x W; region: what the first pass is shown, with a part of the target in it.
        """
        segmenter, deepest = self.segmenter, self.recipe.deepest_share
        scene = segmenter.prepare(image)
        first = first_click(target[region.slices], rng, self.recipe.centred, deepest)
        clicks = [Click(first.x + region.x0, first.y + region.y0, True)]
        answer: LayeredPrediction | None = None
        mask: Mask | None = None
        # By the mask, not by the probability: at inference the user sees no more than that.
        for _ in range(further_clicks(self.recipe, rng)):
            answer = segmenter.predict(scene, clicks, answer, mask, region)
            mask = answer.render()
            click = corrective_click(mask.astype(np.float32), target, rng, deepest)
            if click is None:
                break
            clicks.append(click)
        prompts = Prompts.of_clicks(clicks, region, Box.whole(scene.height, scene.width))
        frame = segmenter.first_view(prompts, answer, mask)
        prev_mask = previous_probability(answer, mask, frame)
        if rng.random() < LAST_PASS_SHARE:
            last = segmenter.coarse_pass(scene, prompts, answer, mask)
            frame, prev_mask = last.frame, last.prev_prob
        return Shown(frame, prev_mask, tuple(clicks_on(frame, clicks)))
