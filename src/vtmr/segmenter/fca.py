"""FCA's own pipeline [docs/zoo.md §Z.5]: the whole image with its shorter side at 512 pixels, every
click anew from all clicks, and only what hangs together with a positive click is kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import cv2
import numpy as np

from vtmr.geometry import Box
from vtmr.masks import Mask, RunLengths
from vtmr.pyramid import Pyramid
from vtmr.segmenter.logits import sigmoid
from vtmr.segmenter.pipeline import Segmenter, require_clicks
from vtmr.segmenter.whole import WholePrediction
from vtmr.types import Click, Event, FloatMap, Image, Network

LONGEST = 4096  # pixels of the resized image's longer side, which memory has to hold


@final
class FcaSegmenter(Segmenter):
    """One pass over the whole image, then the structural-integrity rule.

    A mask to correct isn't used: the network can't be told of one.
    """

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
        found = probability(self.network, scene.image, clicks) > self.spec.threshold
        return WholePrediction(RunLengths.encode(held_by_clicks(found, clicks)))


def probability(network: Network, image: Image, clicks: Sequence[Click]) -> FloatMap:
    """float32 H x W; image: uint8 H x W x 3."""
    height, width = image.shape[:2]
    rows, cols = resized_sides(height, width, network.spec.input_size)
    small = np.asarray(cv2.resize(image, (cols, rows), interpolation=cv2.INTER_LINEAR), np.uint8)
    # Pixels go to pixels by the ratio of the sides, cut off; + .5 is that pixel's centre.
    points = []
    for click in clicks:
        row, col = click.pixel
        points.append(Click(col * cols // width + 0.5, row * rows // height + 0.5, click.positive))
    logits, _ = network.coarse(small, np.zeros((rows, cols), np.float32), points)
    enlarged = cv2.resize(sigmoid(logits), (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(enlarged, np.float32)


def resized_sides(height: int, width: int, shorter: int) -> tuple[int, int]:
    """Rows and columns when the shorter side has `shorter` pixels; smaller where the longer one
    would have more than LONGEST."""
    shortest = min(height, width)
    rows, cols = height * shorter // shortest, width * shorter // shortest
    if max(rows, cols) > LONGEST:
        longest = max(rows, cols)
        rows, cols = max(32, rows * LONGEST // longest), max(32, cols * LONGEST // longest)
    return rows, cols


def held_by_clicks(mask: Mask, clicks: Sequence[Click]) -> Mask:
    """Structural integrity: the 4-connected parts of the mask that a positive click lies in."""
    _, parts = cv2.connectedComponents(mask.view(np.uint8), connectivity=4)
    held = np.zeros_like(mask)
    for click in clicks:
        part = parts[click.pixel]
        if click.positive and part != 0:  # 0 is the background
            held |= parts == part
    return held
