"""What networks are fed: normalised pixels and click maps, made the same way for every network."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vtmr.masks import disc_maps
from vtmr.spec import ModelSpec, Normalisation
from vtmr.types import Click, FloatMap, Image


def normalise(image: Image, normalisation: Normalisation) -> FloatMap:
    """(image - mean) / std as float32 1 x 3 x H x W, contiguous; image: uint8 H x W x 3, RGB."""
    scale = (1 / np.asarray(normalisation.std, np.float32))[:, None, None]
    offset = np.asarray(normalisation.mean, np.float32)[:, None, None] * scale
    planes = np.empty((1, 3, *image.shape[:2]), np.float32)
    np.multiply(image.transpose(2, 0, 1), scale, out=planes[0])
    planes[0] -= offset
    return planes


def click_maps(clicks: Sequence[Click], radius: float, size: int) -> FloatMap:
    """Discs of the positive and of the negative clicks, float32 1 x 2 x size x size; clicks: in
    that grid."""
    points = np.array([(click.x, click.y) for click in clicks], np.float64).reshape(-1, 2)
    signs = np.array([click.positive for click in clicks], np.bool_)
    return disc_maps(points, signs, radius, size, size)[None]


def coarse_maps(prev_mask: FloatMap, clicks: Sequence[Click], spec: ModelSpec) -> FloatMap:
    """[prev_mask, positive discs, negative discs] as float32 1 x 3 x S x S; prev_mask: probability
    S x S."""
    discs = click_maps(clicks, spec.disc_radius, spec.input_size)
    return np.concatenate([np.asarray(prev_mask, np.float32)[None, None], discs], axis=1)
