"""The pipeline of one click [docs/method.md §B, §L.1]: numpy and OpenCV only, no float array of the
image's size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import cv2
import numpy as np

from vtmr.geometry import Box, Frame
from vtmr.masks import Mask
from vtmr.pyramid import Pyramid, crop_resized
from vtmr.segmenter.crops import closer_box, focus_box, target_box
from vtmr.segmenter.layers import LayeredPrediction, LogitLayer, logits_on, overlaid
from vtmr.segmenter.logits import logit_of, sigmoid
from vtmr.segmenter.pipeline import Segmenter, require_clicks
from vtmr.segmenter.zoomed import blended, zoom_guidance
from vtmr.spec import ModelSpec
from vtmr.types import Click, Event, FloatMap
from vtmr.zoom import Warp, warp_towards


@final
class VtmrSegmenter(Segmenter):
    """Target crop, coarse, focus crop, refining and zoomed pass, layered answer."""

    def zoom_weight(self, clicks: int) -> float:
        """The zoomed pass's share of the answer to that many clicks; 0 where there is none."""
        return self.zoom.weight(clicks)

    def predict(
        self,
        scene: Pyramid,
        events: Sequence[Event],
        previous: LayeredPrediction | None = None,
        mask: Mask | None = None,
        region: Box | None = None,
    ) -> LayeredPrediction:
        """See `Predictor.predict`.

        The target crop of clicks without a mask is `region`, else the whole image. Raises
        InputError without a click, and for a click outside the image.
        """
        clicks = require_clicks(events, scene)
        spec, whole = self.spec, Box.whole(scene.height, scene.width)
        outlook = (region.intersection(whole) if region else None) or whole
        target = (
            target_box(mask, clicks, spec.target_ratio, outlook) if mask is not None else outlook
        )
        frame = Frame(target, spec.input_size, spec.input_size)
        threshold_logit = logit_of(spec.threshold)

        prev_prob = previous_probability(previous, mask, frame)
        coarse_logits, features = self.coarse(scene, frame, prev_prob, clicks)
        again = second_look(spec, coarse_logits, clicks, frame) if mask is None else None
        if again is not None:
            frame, first_prob = again
            coarse_logits, features = self.coarse(scene, frame, first_prob, clicks)

        fresh = clicks[previous.clicks if previous else 0 :] or clicks[-1:]
        new_mask, prev_mask = coarse_logits > threshold_logit, prev_prob > spec.threshold
        ratio, rule = spec.focus_ratio, spec.focus_rule
        focus = focus_box(new_mask, prev_mask, fresh[0], frame, ratio, rule)
        for click in fresh[1:]:
            focus = focus.union(focus_box(new_mask, prev_mask, click, frame, ratio, rule))

        refined = LogitLayer.of(
            focus, self._refine(scene, focus, frame, clicks, coarse_logits, features)
        )
        frozen = previous is not None and len(clicks) >= spec.freeze_from_click
        base = (
            previous.layers
            if previous is not None and frozen
            else (LogitLayer.of(frame.box, coarse_logits),)
        )
        weight = self.zoom_weight(len(clicks))
        if weight:
            base, refined = self._with_zoomed(
                scene, base, refined, frame, clicks, threshold_logit, weight
            )
        added = refined.logits.nbytes * (1 if frozen and not weight else 2)
        layers = overlaid(base, refined)
        return LayeredPrediction(
            scene.height, scene.width, layers, threshold_logit, len(clicks), added
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
        threshold_logit: float,
        weight: float,
    ) -> tuple[tuple[LogitLayer, ...], LogitLayer]:
        """Base and refined layer with the zoomed pass blended into both, inside the target crop
        (the frame's box)."""
        below = logits_on(base, frame)
        fresh = below.copy()
        refined.sample_into(fresh, frame)
        zoom, radius = self.zoom, self.spec.disc_radius
        guidance = zoom_guidance(
            fresh > threshold_logit, clicks_on(frame, clicks), radius, zoom.guidance
        )
        warp = warp_towards(guidance, frame.box, frame.width, zoom.kernel)
        seen = (logits_on(overlaid(base, refined), warp) > threshold_logit).astype(np.float32)
        zoomed, _ = self.network.coarse(warp.sample(scene), seen, clicks_on(warp, clicks))
        focus = Frame(refined.box, frame.width, frame.height)
        base = overlaid(base, blended(below, zoomed, warp, frame, weight))
        return base, blended(refined.logits, zoomed, warp, focus, weight)

    def _refine(
        self,
        scene: Pyramid,
        focus: Box,
        frame: Frame,
        clicks: Sequence[Click],
        coarse_logits: FloatMap,
        features: Any,
    ) -> FloatMap:
        """Refined logits S x S of the focus crop, whose patch is cut from the image at full
        resolution."""
        size = self.spec.input_size
        patch = crop_resized(scene, focus, size)
        patch_clicks = clicks_on(Frame(focus, size, size), clicks)
        return self.network.refine(
            patch, patch_clicks, coarse_logits, features, frame.box_to_grid(focus)
        )


def second_look(
    spec: ModelSpec, logits: FloatMap, clicks: Sequence[Click], frame: Frame
) -> tuple[Frame, FloatMap] | None:
    """Where a first answer is made anew, and what is told of it there: its own target crop and its
    probability.

    logits: that answer's, on the frame's grid. None where that crop isn't much closer
    (docs/decisions/0011).
    """
    closer = closer_box(logits > logit_of(spec.threshold), clicks, frame, spec.target_ratio)
    if closer is None or closer.area >= spec.second_look * frame.box.area:
        return None
    near = Frame(closer, frame.width, frame.height)
    return near, sigmoid(logits_on((LogitLayer.of(frame.box, logits),), near))


def clicks_on(grid: Frame | Warp, clicks: Sequence[Click]) -> list[Click]:
    """The clicks in the grid's coordinates; those outside its box too, as their discs may reach
    in."""
    points = grid.to_grid(np.array([(click.x, click.y) for click in clicks]))
    return [
        Click(float(x), float(y), click.positive)
        for (x, y), click in zip(points, clicks, strict=True)
    ]


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
        shrunk = cv2.resize(covered, (frame.width, frame.height), interpolation=cv2.INTER_AREA)
        return np.asarray(shrunk, np.float32) / np.float32(255)
    return np.zeros((frame.height, frame.width), np.float32)
