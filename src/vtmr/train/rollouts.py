"""Rollouts: objects segmented click by click as inference does it, so that the network learns from
what it will be shown.

Iterative clicks stay in one crop that holds the whole object. At inference the target crop follows
the answer, cuts the object where the answer is too small, a first answer to a small object is made
anew in its own crop, and an answer that reaches a side of its crop in a wider one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vtmr.errors import ConfigError
from vtmr.geometry import Box, Frame
from vtmr.masks import Mask
from vtmr.segmenter.layers import LayeredPrediction
from vtmr.segmenter.loading import load
from vtmr.segmenter.vtmr import (
    VtmrSegmenter,
    clicks_on,
    fresh_clicks,
    is_first,
    previous_probability,
)
from vtmr.spec import ZoomSchedule
from vtmr.train.clicks import Rng, further_clicks
from vtmr.train.recipe import ClickRecipe
from vtmr.train.users import CarefulUser, CasualUser, User, box_around
from vtmr.types import Click, Event, FloatMap, Image, active_clicks

LAST_PASS_SHARE = 0.5  # of the samples that show a click's last pass instead of its first


@dataclass(frozen=True)
class Shown:
    """What a coarse pass is shown: prev_mask, float32 S x S, and clicks are on the frame's grid."""

    frame: Frame
    prev_mask: FloatMap
    clicks: tuple[Click, ...]


@dataclass(frozen=True)
class Rollouts:
    """The pipeline of inference, without zoom, and the recipe for those who click."""

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
        segmenter, user = self.segmenter, self.user(rng)
        scene = segmenter.prepare(image)
        beginning: Event = self.beginning(user, target, region, rng)
        events = [beginning]
        answer: LayeredPrediction | None = None
        mask: Mask | None = None
        # By the mask, not by the probability: at inference the user sees no more than that.
        for _ in range(further_clicks(self.recipe, rng)):
            answer = segmenter.predict(scene, events, answer, mask, region)
            mask = answer.render()
            click = user.next(mask, target, active_clicks(events), rng)
            if click is None:
                break
            events.append(click)
        prompts = segmenter.prompts(scene, events, region)
        before = segmenter.seen_before(scene, prompts, mask)
        frame = segmenter.first_view(prompts, answer, before)
        prev_mask = previous_probability(answer, before, frame)
        if self.recipe.focus_share and rng.random() < self.recipe.focus_share:
            last = segmenter.coarse_pass(scene, prompts, answer, before)
            fresh = fresh_clicks(prompts, answer)
            focus = segmenter.focus_of(last, fresh, is_first(answer, before))
            frame, prev_mask = segmenter.focus_view(focus, last)
        elif rng.random() < LAST_PASS_SHARE:
            last = segmenter.coarse_pass(scene, prompts, answer, before)
            frame, prev_mask = last.frame, last.prev_prob
        return Shown(frame, prev_mask, tuple(clicks_on(frame, prompts.clicks)))

    def user(self, rng: Rng) -> User:
        """Who makes the clicks of one rollout."""
        # Nothing is drawn where there is nothing to decide.
        if self.recipe.casual_share and rng.random() < self.recipe.casual_share:
            return CasualUser()
        return CarefulUser(self.recipe.centred, self.recipe.deepest_share)

    def beginning(self, user: User, target: Mask, region: Box, rng: Rng) -> Event:
        """A box around the whole target, or a first click on its part in the region."""
        if self.recipe.box_share and rng.random() < self.recipe.box_share:
            return box_around(target, rng)
        first = user.first(target[region.slices], rng)
        return Click(first.x + region.x0, first.y + region.y0, True)
