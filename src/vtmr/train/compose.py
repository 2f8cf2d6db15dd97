"""Copy-paste: cut-outs of objects on other images, so that only the clicks tell which one is
meant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from vtmr.masks import Mask
from vtmr.types import FloatMap, Image

SIDE_SHARE = (0.15, 0.60)  # of the image's sides, as the geometric mean of both directions
BLUR_SIGMA_PX = 0.8


@dataclass(frozen=True)
class CutOut:
    """An object cut from its image: uint8 h x w x 3 and bool h x w."""

    image: Image
    mask: Mask


def composed(
    canvas: Image, cut_outs: Sequence[CutOut], rng: np.random.Generator
) -> tuple[Image, list[Mask]]:
    """Pastes the cut-outs one over the other; the masks, bool H x W, are what remains visible of
    each.

    Edges are blended over about two pixels, so that the seam is no clue.
    """
    image = canvas.copy()
    height, width = canvas.shape[:2]
    masks: list[Mask] = []
    for cut_out in cut_outs:
        rows, cols = cut_out.mask.shape
        share = rng.uniform(*SIDE_SHARE)
        factor = share * (height / rows * width / cols) ** 0.5
        # It has to fit, and enlarged much further it would be told by its blur.
        factor = min(factor, 0.9 * height / rows, 0.9 * width / cols, 1.5)
        patch, alpha = resized(cut_out, factor)
        new_rows, new_cols = alpha.shape
        if rng.random() < 0.5:
            patch, alpha = patch[:, ::-1], alpha[:, ::-1]
        top = int(rng.integers(height - new_rows + 1))
        left = int(rng.integers(width - new_cols + 1))
        place = (slice(top, top + new_rows), slice(left, left + new_cols))
        # Contiguous: OpenCV takes no views that run backwards.
        alpha = np.ascontiguousarray(alpha)
        soft = cv2.GaussianBlur(alpha, (0, 0), BLUR_SIGMA_PX, borderType=cv2.BORDER_CONSTANT)
        soft = soft[..., None]  # the same for all colours
        image[place] = (soft * patch + (1 - soft) * image[place] + 0.5).astype(np.uint8)
        mask = np.zeros((height, width), bool)
        mask[place] = alpha > 0.5
        for earlier in masks:
            earlier &= ~mask  # what the newest one covers is seen no more
        masks.append(mask)
    return image, masks


def resized(cut_out: CutOut, factor: float) -> tuple[Image, FloatMap]:
    """The cut-out's image, uint8 h x w x 3, and its mask as shares, float32 h x w."""
    rows, cols = cut_out.mask.shape
    size = max(4, round(cols * factor)), max(4, round(rows * factor))
    shape = cv2.INTER_LINEAR
    if factor < 1:
        shape = cv2.INTER_AREA  # bilinear would skip pixels
    image = cv2.resize(cut_out.image, size, interpolation=shape)
    alpha = cv2.resize(cut_out.mask.astype(np.float32), size, interpolation=shape)
    return np.asarray(image, np.uint8), np.asarray(alpha, np.float32)
