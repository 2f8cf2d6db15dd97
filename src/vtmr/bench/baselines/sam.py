"""SAM-style tools (`set_image`, `predict`) as predictors, with their own low-resolution mask fed
back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from vtmr.bench.baselines.answers import Answer
from vtmr.errors import InputError
from vtmr.geometry import Box
from vtmr.masks import Mask
from vtmr.types import Event, FloatMap, Image, Prediction, active_clicks, last_edit, places_of

LOW_RES = 256  # the side of SAM's own mask grids
CERTAIN = 6.9  # the logit of .999: how sure of a mask to correct the tool is told to be


class SamTool(Protocol):
    """What `SamPredictor` of segment-anything and its successors offer."""

    def set_image(self, image: Image) -> object:
        """uint8 H x W x 3, RGB; what is asked afterwards is asked of this image."""
        ...

    def predict(
        self,
        *,
        point_coords: FloatMap,
        point_labels: NDArray[np.int32],
        mask_input: FloatMap | None,
        multimask_output: bool,
    ) -> tuple[Any, Any, Any]:
        """(masks C x H x W, scores C, low-resolution logits C x 256 x 256).

        point_coords: N x 2, (x, y), the upper left pixel's centre at 0,0. point_labels: N, 1
        object, 0 background. mask_input: logits 1 x 256 x 256. multimask_output: C is 3, else 1.
        """
        ...


@dataclass(frozen=True, eq=False)
class _Scene:
    """One image; known by identity, so that the tool is told of every change."""

    image: Image


class SamBaseline:
    """A SAM-style tool as a Predictor.

    The first click asks for several masks and takes the one with the best score; every later one
    asks for one mask, with all clicks and the low-resolution logits of the answer before. A mask to
    correct is fed as such logits. Negative clicks alone, without a mask to correct, are answered
    with the empty mask. `mask` and `region` aren't used.
    """

    def __init__(self, tool: SamTool, name: str, *, padded: bool = True) -> None:
        """padded: whether the tool pads images to a square (segment-anything) or stretches them
        (SAM 2)."""
        self.name = name
        self._tool = tool
        self._padded = padded
        self._shown: _Scene | None = None

    def prepare(self, image: Image) -> _Scene:
        """See `Predictor.prepare`; image: uint8 H x W x 3."""
        scene = _Scene(image)
        self._show(scene)
        return scene

    def predict(
        self,
        scene: _Scene,
        events: Sequence[Event],
        previous: Prediction | None = None,
        mask: Mask | None = None,
        region: Box | None = None,
    ) -> Answer:
        """See `Predictor.predict`; neither `mask` nor `region` is used."""
        clicks = active_clicks(events)
        edit = last_edit(events)
        height, width = scene.image.shape[:2]
        points, positive = places_of(clicks)
        if edit is None and not positive.any():
            return Answer.of(np.zeros((height, width), np.bool_))
        fed: FloatMap | None = None
        if isinstance(previous, Answer):
            fed = previous.memory
        if fed is None and edit is not None:
            fed = low_res_logits(edit.runs.decode(), padded=self._padded)
        # Sessions may take turns, and a tool knows a single image.
        self._show(scene)
        found = self._tool.predict(
            # A SAM-style tool's origin is a pixel's centre, ours a pixel's corner.
            point_coords=(points - 0.5).astype(np.float32),
            point_labels=positive.astype(np.int32),
            mask_input=fed,
            multimask_output=fed is None and len(clicks) == 1,
        )
        masks, scores, logits = map(np.asarray, found)
        count = 0
        if scores.ndim == 1:
            count = len(scores)
        if (
            not count
            or masks.shape != (count, height, width)
            or logits.shape != (count, LOW_RES, LOW_RES)
        ):
            raise InputError(
                f"{self.name} answered with masks {masks.shape}, scores {scores.shape} and "
                f"low-resolution logits {logits.shape}: expected (C, {height}, {width}), (C,) and "
                f"(C, {LOW_RES}, {LOW_RES})."
            )
        best = int(np.argmax(scores))
        memory = np.array(logits[best][None], np.float32)
        return Answer.of(np.asarray(masks[best] > 0), memory, memory.nbytes)

    def _show(self, scene: _Scene) -> None:
        """Sets the tool's image, unless it is set already: that is the expensive part."""
        if self._shown is not scene:
            self._tool.set_image(scene.image)
            self._shown = scene


def low_res_logits(mask: Mask, *, padded: bool) -> FloatMap:
    """A mask, bool H x W, as the logits 1 x 256 x 256 that a SAM-style tool is fed with.

    padded: the longer side fills the square and the rest, right or below, is background; else both
    sides fill it.
    """
    height, width = mask.shape
    longest = max(height, width)
    rows, cols = LOW_RES, LOW_RES
    if padded:  # the longer side fills the square, the rest of it stays background
        rows = max(1, round(LOW_RES * height / longest))
        cols = max(1, round(LOW_RES * width / longest))
    share = cv2.resize(mask.astype(np.float32), (cols, rows), interpolation=cv2.INTER_AREA)
    logits = np.full((1, LOW_RES, LOW_RES), -CERTAIN, np.float32)
    logits[0, :rows, :cols] = np.where(share > 0.5, CERTAIN, -CERTAIN)
    return logits
