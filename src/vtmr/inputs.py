"""What networks are fed: normalised pixels and click maps, made the same way for every network."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vtmr.encodings import ENCODINGS
from vtmr.masks import disc_maps
from vtmr.spec import ModelSpec, Normalisation
from vtmr.types import Click, FloatMap, Image, places_of


def normalise(image: Image | FloatMap, normalisation: Normalisation) -> FloatMap:
    """(image - mean) / std as float32 1 x 3 x H x W, contiguous.

    image: H x W x 3, RGB, of 0 to 255, uint8 or float32.
    """
    # (x - mean) / std as x * scale - offset: one pass fewer over all pixels, and no temporary
    # array.
    scale = (1 / np.asarray(normalisation.std, np.float32))[:, None, None]
    offset = np.asarray(normalisation.mean, np.float32)[:, None, None] * scale
    planes = np.empty((1, 3, *image.shape[:2]), np.float32)
    np.multiply(image.transpose(2, 0, 1), scale, out=planes[0])
    planes[0] -= offset
    return planes


def click_maps(
    clicks: Sequence[Click], radius: float, height: int, width: int | None = None
) -> FloatMap:
    """Discs of the positive and of the negative clicks, float32 1 x 2 x height x width.

    clicks: in that grid, which is square unless `width` is given.
    """
    if width is None:
        width = height
    points, signs = places_of(clicks)
    return disc_maps(points, signs, radius, height, width)[None]


def coarse_maps(prev_mask: FloatMap, clicks: Sequence[Click], spec: ModelSpec) -> FloatMap:
    """What the coarse network is told besides the image: [prev_mask, positive discs, negative
    discs] as float32 1 x 3 x H x W, or what its pipeline has in their place (`encodings`).

    prev_mask: probability H x W, the network's grid.
    """
    if encode := ENCODINGS.get(spec.pipeline):
        return encode(np.asarray(prev_mask, np.float32), clicks, spec)
    discs = click_maps(clicks, spec.disc_radius, *prev_mask.shape)
    return np.concatenate([np.asarray(prev_mask, np.float32)[None, None], discs], axis=1)
