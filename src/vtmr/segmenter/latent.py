"""LD's own pipeline [docs/zoo.md §Z.8]: the whole image, every click anew from all clicks, and the
first of the network's six masks.

The network that chose among the six was never released.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import cv2
import numpy as np

from vtmr.geometry import Box, Frame
from vtmr.masks import Mask, RunLengths
from vtmr.pyramid import Pyramid
from vtmr.segmenter.logits import logit_of
from vtmr.segmenter.pipeline import Segmenter, require_clicks
from vtmr.segmenter.whole import WholePrediction, limited
from vtmr.types import Click, Event, Image, places_of

LONGEST = 1024  # pixels: the network works at full resolution, where larger images need gigabytes


@final
class LatentSegmenter(Segmenter):
    """One pass over the whole image.

    A mask to correct isn't used: the network can't be told of one.
    """

    _last: tuple[Pyramid, Image] | None = None

    def predict(
        self,
        scene: Pyramid,
        events: Sequence[Event],
        previous: Any = None,
        mask: Mask | None = None,
        region: Box | None = None,
    ) -> WholePrediction:
        """See `Predictor.predict`; neither `previous`, `mask` nor `region` is used."""
        clicks = require_clicks(events, scene)
        image = self._working(scene)
        rows, cols = image.shape[:2]
        frame = Frame(Box.whole(scene.height, scene.width), cols, rows)
        points, positive = places_of(clicks)
        inside = []
        for (x, y), sign in zip(frame.to_grid(points).tolist(), positive.tolist(), strict=True):
            # On the last row or column at most: the network's maps are looked up by its pixel.
            inside.append(Click(min(x, cols - 0.5), min(y, rows - 0.5), sign))
        logits, _ = self.network.coarse(image, np.zeros((rows, cols), np.float32), inside)
        if (rows, cols) != (scene.height, scene.width):
            size = (scene.width, scene.height)
            logits = np.asarray(cv2.resize(logits, size, interpolation=cv2.INTER_LINEAR))
        return WholePrediction(RunLengths.encode(logits > logit_of(self.spec.threshold)))

    def _working(self, scene: Pyramid) -> Image:
        """The same array for every click on a scene: by that the network knows that it can use
        what it found in the image before."""
        last = self._last
        if last is None or last[0] is not scene:
            last = (scene, limited(scene.image, LONGEST))
            self._last = last
        return last[1]
