"""Classical methods as predictors: clicks become seeds on a small copy of the image, the answer is
enlarged again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from vtmr.bench.baselines.answers import Answer
from vtmr.bench.baselines.seeds import Seeds, place_seeds
from vtmr.geometry import Box, Frame
from vtmr.masks import Mask
from vtmr.types import Event, FloatMap, Image, active_clicks, last_edit

# The working image, h x w x 3, and seeds -> the object's probability, h x w.
Method = Callable[[Image, Seeds], FloatMap]


@dataclass(frozen=True)
class Scene:
    """An image and its working copy, whose longer side is at most the baseline's `side`."""

    frame: Frame
    small: Image


@dataclass(frozen=True)
class ClassicalBaseline:
    """A method that labels an image from seeds, as a Predictor.

    Every click starts anew from all clicks; `previous`, `mask` and `region` are not used. A mask to
    correct (the last MaskEdit) gives further seeds (`place_seeds`). Without any seed of the object,
    as with negative clicks alone, the answer is the empty mask.

    Args:
        name: As tables show it.
        method: From an image, uint8 h x w x 3, and seeds to the object's probability, float32
            h x w.
        side: The working image's longer side, in pixels; smaller images stay as they are.
        radius: Of a click's disc in that image, in pixels.
    """

    name: str
    method: Method
    side: int
    radius: float

    def prepare(self, image: Image) -> Scene:
        """See `Predictor.prepare`; image: uint8 H x W x 3."""
        height, width = image.shape[:2]
        scale = min(1.0, self.side / max(height, width))
        frame = Frame(
            Box.whole(height, width), max(1, round(width * scale)), max(1, round(height * scale))
        )
        small = cv2.resize(image, (frame.width, frame.height), interpolation=cv2.INTER_AREA)
        return Scene(frame, np.asarray(small, np.uint8))

    def predict(
        self,
        scene: Scene,
        events: Sequence[Event],
        previous: Any = None,
        mask: Mask | None = None,
        region: Box | None = None,
    ) -> Answer:
        """See `Predictor.predict`; `previous`, `mask` and `region` are not used."""
        initial = None
        edit = last_edit(events)
        if edit is not None:
            initial = edit.runs.decode()
        box = scene.frame.box
        seeds = place_seeds(active_clicks(events), initial, scene.frame, self.radius)
        if seeds is None:
            return Answer.of(np.zeros((box.height, box.width), np.bool_))
        prob = self.method(scene.small, seeds)
        large = cv2.resize(prob, (box.width, box.height), interpolation=cv2.INTER_LINEAR)
        return Answer.of(np.asarray(large > 0.5))
