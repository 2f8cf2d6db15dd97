"""The pipeline of one click [docs/method.md §B, §L.1]: numpy and OpenCV only, no float array of the
image's size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, final

import cv2
import numpy as np

from vtmr.geometry import Box, Frame
from vtmr.masks import Mask, bounding_box
from vtmr.pyramid import Pyramid, crop_resized
from vtmr.segmenter.crops import focus_box, square_around, target_around
from vtmr.segmenter.layers import LastMask, LayeredPrediction, LogitLayer, logits_on, overlaid
from vtmr.segmenter.logits import logit_of, sigmoid
from vtmr.segmenter.pipeline import Segmenter, require_clicks
from vtmr.segmenter.prompts import Prompts, filled, prompts_of
from vtmr.segmenter.views import eased, reaches_out, recrop_box, wider_box
from vtmr.segmenter.zoomed import blended, zoom_guidance
from vtmr.types import Click, Event, FloatMap, active_box, active_clicks, places_of
from vtmr.zoom import Warp, warp_towards


@dataclass(frozen=True, slots=True, eq=False)
class CoarsePass:
    """One coarse pass: where it looked, what it was told and what it answered.

    prev_prob: probability of the last answer; logits: of the new one; float32 S x S on the frame's
    grid. features: what the refining pass takes. number: of coarse passes up to this one.
    """

    frame: Frame
    prev_prob: FloatMap
    logits: FloatMap
    features: Any
    number: int


@final
class VtmrSegmenter(Segmenter):
    """Target crop, coarse, focus crop, refining and zoomed pass, layered answer."""

    takes_boxes = True

    def predict(
        self,
        scene: Pyramid,
        events: Sequence[Event],
        previous: LayeredPrediction | None = None,
        mask: Mask | None = None,
        region: Box | None = None,
    ) -> LayeredPrediction:
        """See `Predictor.predict`.

        The target crop of clicks without a mask is `region`, else the whole image; a box's is the
        box, larger by the target ratio, and nothing is answered outside it (prompts.py). Negative
        clicks on pixels that are off change their surroundings at most. Raises InputError without a
        click or a box, and for one outside the image.
        """
        prompts = self.prompts(scene, events, region)
        fresh = fresh_clicks(prompts, previous)
        # Such clicks say that their pixels are right as they are: a whole new answer could change
        # what nobody pointed at.
        if previous is not None and mask is not None and all_off(fresh, mask):
            return self._beside(scene, prompts, fresh, previous, mask)
        mask = self.seen_before(scene, prompts, mask)
        coarse = self.coarse_pass(scene, prompts, previous, mask)
        focus = self.focus_of(coarse, fresh, is_first(previous, mask))
        base = (LogitLayer.of(coarse.frame.box, coarse.logits),)
        # Late clicks correct small parts: a new coarse answer would unsettle the rest of the mask.
        if previous is not None and prompts.made >= self.spec.freeze_from_click:
            return self._refined_on(scene, prompts, coarse, focus, previous)
        return self._refined(scene, prompts, coarse, focus, base, new_layers=2)

    def prompts(self, scene: Pyramid, events: Sequence[Event], region: Box | None) -> Prompts:
        """What the newest events ask for. Raises InputError for what isn't on the image, and
        without a click or a box."""
        whole = whole_of(scene)
        box = active_box(events)
        if box is None:
            return Prompts.of_clicks(require_clicks(events, scene), region, whole)
        box.require_inside(scene.height, scene.width)
        if active_clicks(events):
            require_clicks(events, scene)
        return prompts_of(events, region, whole, self.spec.target_ratio, self.spec.box_prompt)

    def seen_before(self, scene: Pyramid, prompts: Prompts, mask: Mask | None) -> Mask | None:
        """What the network is told that the user saw: the mask, bool H x W.

        Without one, for a network that learnt boxes so, the filled box.
        """
        if mask is None and prompts.box is not None and prompts.filled:
            return filled(prompts.box, whole_of(scene))
        return mask

    def coarse_pass(
        self,
        scene: Pyramid,
        prompts: Prompts,
        previous: LayeredPrediction | None,
        mask: Mask | None,
    ) -> CoarsePass:
        """The coarse pass that answers the newest clicks, after those that the policy made before.

        The arguments as for `predict`. A wider pass is told what the last answer was, not what the
        narrower pass found: told that, it ends at the same side.
        """
        spec, clicks, limits = self.spec, prompts.clicks, prompts.limits
        threshold_logit = logit_of(spec.threshold)
        frame = self.first_view(prompts, previous, mask)
        coarse = self._pass_in(scene, clicks, frame, previous_probability(previous, mask, frame), 1)
        while box := wider_box(
            coarse.logits > threshold_logit, coarse.frame.box, limits, spec.views, coarse.number - 1
        ):
            frame = Frame(box, spec.input_size, spec.input_size)
            prev_prob = previous_probability(previous, mask, frame)
            coarse = self._pass_in(scene, clicks, frame, prev_prob, coarse.number + 1)
        if is_first(previous, mask) and prompts.box is None:  # a box's crop is close already
            return self._recropped(scene, clicks, coarse)
        return coarse

    def first_view(
        self, prompts: Prompts, previous: LayeredPrediction | None, mask: Mask | None
    ) -> Frame:
        """The target crop that a click's first pass is shown.

        previous: the answer that it goes on from; mask: what the user saw before.
        """
        spec, target = self.spec, prompts.region
        if mask is not None:
            box = previous.box_of(mask) if previous is not None else bounding_box(mask)
            whole = Box.whole(*mask.shape)
            around = target_around(box, prompts.clicks, spec.target_ratio, whole, target)
            target = around.intersection(prompts.limits) or prompts.limits
        return Frame(target, spec.input_size, spec.input_size)

    def _recropped(self, scene: Pyramid, clicks: Sequence[Click], first: CoarsePass) -> CoarsePass:
        """A first answer made anew in its own crop, where that is much closer and holds it."""
        spec, threshold_logit = self.spec, logit_of(self.spec.threshold)
        box = recrop_box(spec, first.logits > threshold_logit, clicks, first.frame)
        if box is None:
            return first
        frame = Frame(box, spec.input_size, spec.input_size)
        layer = LogitLayer.of(first.frame.box, first.logits)
        prev_prob = sigmoid(logits_on((layer,), frame))
        second = self._pass_in(scene, clicks, frame, prev_prob, first.number + 1)
        share, limits = spec.views.touch_share, first.frame.box
        # The closer crop cuts the object off, so that the first answer knew more of it. The pass
        # was made all the same, and is counted.
        if reaches_out(second.logits > threshold_logit, box, limits, share):
            return replace(first, number=second.number)
        return second

    def _pass_in(
        self,
        scene: Pyramid,
        clicks: Sequence[Click],
        frame: Frame,
        prev_prob: FloatMap,
        number: int,
    ) -> CoarsePass:
        logits, features = self.coarse(scene, frame, prev_prob, clicks)
        return CoarsePass(frame, prev_prob, logits, features, number)

    def focus_of(self, coarse: CoarsePass, fresh: Sequence[Click], first: bool) -> Box:
        """The focus crop around what the newest clicks changed.

        first: whether nothing was answered before; a re-crop pass is told of a first answer, which
        nobody saw.
        """
        new_mask = coarse.logits > logit_of(self.spec.threshold)
        prev_mask = (coarse.prev_prob > self.spec.threshold) & (not first)
        frame, ratio, rule = coarse.frame, self.spec.focus_ratio, self.spec.focus_rule
        if not fresh:  # a box that no click stands for: all of its crop is new
            return frame.box
        focus = focus_box(new_mask, prev_mask, fresh[0], frame, ratio, rule)
        # Clicks that are answered together may lie far apart: the crop has to hold them all.
        for click in fresh[1:]:
            focus = focus.union(focus_box(new_mask, prev_mask, click, frame, ratio, rule))
        return focus

    def _beside(
        self,
        scene: Pyramid,
        prompts: Prompts,
        fresh: Sequence[Click],
        previous: LayeredPrediction,
        mask: Mask,
    ) -> LayeredPrediction:
        """The answer to negative clicks on pixels that are off already.

        The last answer stays, but for the refined surroundings of those clicks that the target crop
        holds: the network isn't shown the others.
        """
        box = self.first_view(prompts, previous, mask).box
        near = [click for click in fresh if box.contains(click.x, click.y)]
        if not near or not mask.any():
            return self._answer(scene, prompts, previous.layers, 0, passes=0)
        coarse = self.coarse_pass(scene, prompts, previous, mask)
        focus = square_around(near[0], mask, self.spec.focus_ratio, coarse.frame.box)
        for click in near[1:]:
            square = square_around(click, mask, self.spec.focus_ratio, coarse.frame.box)
            focus = focus.union(square)
        return self._refined_on(scene, prompts, coarse, focus, previous)

    def _refined_on(
        self,
        scene: Pyramid,
        prompts: Prompts,
        coarse: CoarsePass,
        focus: Box,
        previous: LayeredPrediction,
    ) -> LayeredPrediction:
        """The last answer with the refined focus crop over it."""
        answer = self._refined(scene, prompts, coarse, focus, previous.layers, new_layers=1)
        if answer.zoomed:  # then the target crop was blended, too
            return answer
        return replace(answer, below=previous.last, last=LastMask())

    def _refined(
        self,
        scene: Pyramid,
        prompts: Prompts,
        coarse: CoarsePass,
        focus: Box,
        base: tuple[LogitLayer, ...],
        *,
        new_layers: int,
    ) -> LayeredPrediction:
        """The answer: the refined focus crop, eased into the base, with the zoomed pass's share.

        new_layers: how many the history gains by it where nothing is zoomed.
        """
        frame, easing, clicks = coarse.frame, self.spec.views.easing, prompts.clicks
        refined = LogitLayer.of(focus, self._refine(scene, focus, coarse, clicks))
        if easing:
            refined = eased(refined, base, whole_of(scene), easing)
        # Image pixels to a cell: where the crop isn't shrunk, zooming shows nothing new.
        shrink = max(frame.box.width, frame.box.height) / self.spec.input_size
        weight = self.zoom.weight(prompts.made, shrink)
        if weight:
            base, refined = self._with_zoomed(scene, base, refined, frame, clicks, weight)
            # The base is a new one, too: the old one stays with the last answer.
            new_layers = 2
        layers = overlaid(base, refined)
        added = new_layers * refined.logits.nbytes
        passes = coarse.number + (weight > 0) + (self.spec.refined_by == "coarse")
        return self._answer(scene, prompts, layers, added, passes=passes, zoomed=weight > 0)

    def _answer(
        self,
        scene: Pyramid,
        prompts: Prompts,
        layers: tuple[LogitLayer, ...],
        nbytes: int,
        *,
        passes: int,
        zoomed: bool = False,
    ) -> LayeredPrediction:
        height, width, threshold_logit = scene.height, scene.width, logit_of(self.spec.threshold)
        return LayeredPrediction(
            height, width, layers, threshold_logit, prompts.made, nbytes, passes, zoomed
        )

    def coarse(
        self, scene: Pyramid, frame: Frame, prev_prob: FloatMap, clicks: Sequence[Click]
    ) -> tuple[FloatMap, Any]:
        """Coarse logits S x S of the frame's box, and the features that the refining pass takes."""
        image = crop_resized(scene, frame.box, self.spec.input_size)
        return self.network.coarse(image, prev_prob, clicks_on(frame, clicks))

    def _with_zoomed(
        self,
        scene: Pyramid,
        base: tuple[LogitLayer, ...],
        refined: LogitLayer,
        frame: Frame,
        clicks: Sequence[Click],
        weight: float,
    ) -> tuple[tuple[LogitLayer, ...], LogitLayer]:
        """Base and refined layer with the zoomed pass blended into both, inside the target crop
        (the frame's box)."""
        if len(base) == 1 and base[0].box == frame.box:
            below = base[0].logits  # its cells are the frame's
        else:
            below = logits_on(base, frame)
        fresh = below.copy()
        refined.sample_into(fresh, frame)
        zoom, radius = self.zoom, self.spec.disc_radius
        threshold_logit = logit_of(self.spec.threshold)
        guidance = zoom_guidance(
            fresh > threshold_logit, clicks_on(frame, clicks), radius, zoom.guidance
        )
        warp = warp_towards(guidance, frame.box, zoom.side or frame.width, zoom.kernel)
        seen = (logits_on(overlaid(base, refined), warp) > threshold_logit).astype(np.float32)
        zoomed, _ = self.network.coarse(warp.sample(scene), seen, clicks_on(warp, clicks))
        # Into both layers: blended into the refined one alone, the zoomed answer would end at the
        # focus crop's sides.
        focus = Frame(refined.box, frame.width, frame.height)
        base = overlaid(base, blended(below, zoomed, warp, frame, weight))
        return base, blended(refined.logits, zoomed, warp, focus, weight)

    def _refine(
        self, scene: Pyramid, focus: Box, coarse: CoarsePass, clicks: Sequence[Click]
    ) -> FloatMap:
        """Refined logits S x S of the focus crop, whose patch is cut from the image at full
        resolution."""
        if self.spec.refined_by == "coarse":
            frame, prev_prob = self.focus_view(focus, coarse)
            return self.coarse(scene, frame, prev_prob, clicks)[0]
        size = self.spec.input_size
        patch = crop_resized(scene, focus, size)
        patch_clicks = clicks_on(Frame(focus, size, size), clicks)
        return self.network.refine(
            patch, patch_clicks, coarse.logits, coarse.features, coarse.frame.box_to_grid(focus)
        )

    def focus_view(self, focus: Box, coarse: CoarsePass) -> tuple[Frame, FloatMap]:
        """What the coarse network is shown of a focus crop in the refiner's place: its grid, and as
        previous mask the coarse answer, as probability float32 S x S."""
        frame = Frame(focus, self.spec.input_size, self.spec.input_size)
        answered = LogitLayer.of(coarse.frame.box, coarse.logits)
        return frame, sigmoid(logits_on((answered,), frame))


def whole_of(scene: Pyramid) -> Box:
    """The box of the scene's image."""
    return Box.whole(scene.height, scene.width)


def fresh_clicks(prompts: Prompts, previous: LayeredPrediction | None) -> tuple[Click, ...]:
    """The clicks that the answer after `previous` is for."""
    if previous is None:
        return prompts.fresh(0)
    return prompts.fresh(previous.clicks)


def is_first(previous: LayeredPrediction | None, mask: Mask | None) -> bool:
    """Whether nothing has been answered or given yet; negative clicks may have been made."""
    return previous is None and (mask is None or not mask.any())


def all_off(clicks: Sequence[Click], mask: Mask) -> bool:
    """Whether the clicks are negative, all on pixels that the mask leaves off already."""
    changing = [click for click in clicks if click.positive or mask[click.pixel]]
    return not changing


def clicks_on(grid: Frame | Warp, clicks: Sequence[Click]) -> list[Click]:
    """The clicks in the grid's coordinates; those outside its box too, as their discs may reach
    in."""
    points, positive = places_of(clicks)
    found = []
    for (x, y), sign in zip(grid.to_grid(points).tolist(), positive.tolist(), strict=True):
        found.append(Click(x, y, sign))
    return found


def previous_probability(
    previous: LayeredPrediction | None, mask: Mask | None, frame: Frame
) -> FloatMap:
    """What the network is told of the last answer: probability float32 on the frame's grid.

    The previous prediction's logits, bilinear at the cells' centres; without one, the share of each
    cell that `mask` (bool H x W) covers; without either, zeros.
    """
    if previous is not None:
        return sigmoid(previous.logits_on(frame))
    if mask is not None:
        covered = mask[frame.box.slices].view(np.uint8) * np.uint8(255)
        # Shares of cells, not samples at their centres: a part thinner than a cell would vanish.
        shrunk = cv2.resize(covered, (frame.width, frame.height), interpolation=cv2.INTER_AREA)
        return np.asarray(shrunk, np.float32) / np.float32(255)
    return np.zeros((frame.height, frame.width), np.float32)
