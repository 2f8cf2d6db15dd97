"""Stand-ins that tests share. Nothing here is random: the same input gives the same bits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vtmr.masks import disc_maps
from vtmr.spec import RAW, ModelSpec
from vtmr.types import Click, FloatMap, Image

SHARPNESS = 0.15  # logits per grey level of colour distance
REACH = (
    40.0  # grey levels: pixels as near as this to a positive click's colour belong to the object
)


class ColourNetwork:
    """A Network without weights: a pixel belongs to the object when its colour is near a positive
    click's, and nearer than to any negative click's. The previous mask adds up to one logit;
    clicked discs are certain."""

    def __init__(self, **spec: Any) -> None:
        self._spec = ModelSpec(**{"model": "colour", "coarse_normalisation": RAW, **spec})

    @property
    def spec(self) -> ModelSpec:
        return self._spec

    def coarse(
        self, image: Image, prev_mask: FloatMap, clicks: Sequence[Click]
    ) -> tuple[FloatMap, Any]:
        height, width, channels = image.shape
        sides, free = {self.spec.input_size, self.spec.zoom.side}, self.spec.eval_mode == "cvpr"
        assert channels == 3
        assert free or (height == width and height in sides)
        assert image.dtype == (np.uint8 if self.spec.pipeline == "vtmr" else np.float32)
        assert prev_mask.shape == image.shape[:2]
        assert prev_mask.dtype == np.float32
        colours = [
            (self._colour_at(image, click), click.positive)
            for click in clicks
            if self._inside(image, click)
        ]
        return self._logits(image, colours, clicks) + prev_mask, colours

    def refine(
        self,
        patch: Image,
        clicks: Sequence[Click],
        coarse_logits: FloatMap,
        features: Any,
        box: tuple[float, float, float, float],
    ) -> FloatMap:
        size = self.spec.input_size
        assert patch.shape == (*coarse_logits.shape, 3) == (size, size, 3)
        assert 0 <= box[0] < box[2] <= size
        assert 0 <= box[1] < box[3] <= size
        return self._logits(patch, features, clicks)

    def _inside(self, image: Image, click: Click) -> bool:
        return 0 <= click.x < image.shape[1] and 0 <= click.y < image.shape[0]

    def _colour_at(self, image: Image, click: Click) -> NDArray[np.float32]:
        return image[click.pixel].astype(np.float32)

    def _logits(self, image: Image, colours: Any, clicks: Sequence[Click]) -> FloatMap:
        size = image.shape[:2]
        pixels = image.astype(np.float32)
        nearest = {
            True: np.full(size, REACH * 2, np.float32),
            False: np.full(size, REACH, np.float32),
        }
        for colour, positive in colours:
            distance = np.abs(pixels - colour).sum(2) / 3
            np.minimum(nearest[positive], distance, out=nearest[positive])
        logits = (nearest[False] - nearest[True]) * np.float32(SHARPNESS)
        points = np.array([(click.x, click.y) for click in clicks], np.float64).reshape(-1, 2)
        signs = np.array([click.positive for click in clicks], np.bool_)
        positive_discs, negative_discs = disc_maps(points, signs, self.spec.disc_radius, *size)
        logits += 20 * positive_discs
        logits -= 20 * negative_discs
        return logits


def shapes_image(height: int = 120, width: int = 160, seed: int = 0) -> Image:
    """uint8 H x W x 3: a red ellipse and a blue rectangle on green, with a little noise."""
    rows, cols = np.mgrid[:height, :width]
    image = np.full((height, width, 3), (60, 150, 60), np.float32)
    image[
        ((rows - height * 0.45) / (height * 0.3)) ** 2
        + ((cols - width * 0.35) / (width * 0.2)) ** 2
        < 1
    ] = (
        200,
        40,
        40,
    )
    image[int(height * 0.3) : int(height * 0.8), int(width * 0.65) : int(width * 0.9)] = (
        40,
        40,
        200,
    )
    image += np.random.default_rng(seed).normal(0, 6, image.shape).astype(np.float32)
    return image.clip(0, 255).astype(np.uint8)
