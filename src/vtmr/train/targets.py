"""Masks of objects as targets: one of their components, and where they can't be relied on."""

from __future__ import annotations

from math import ceil

import cv2
import numpy as np

from vtmr.geometry import Box
from vtmr.masks import Mask, bounding_box
from vtmr.train.clicks import Rng


def single_component(mask: Mask, rng: Rng) -> Mask:
    """One of the components that make up at least a tenth of the mask."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=8)
    least = 0.1 * mask.sum()
    large = [i for i in range(1, count) if stats[i, cv2.CC_STAT_AREA] >= least]
    if not large:
        return mask  # hundreds of specks
    return np.asarray(labels == large[int(rng.integers(len(large)))])


def rim_of(mask: Mask, px: float) -> Mask:
    """The pixels up to px away from the other side of a mask's outline; of the image's border
    nothing, bool H x W."""
    rim = np.zeros_like(mask)
    box = bounding_box(mask)
    if box is None:
        return rim
    # Distances cost time by the pixel: only the object's surroundings are looked at.
    room = ceil(px) + 1
    roomy = Box(box.x0 - room, box.y0 - room, box.x1 + room, box.y1 + room)
    wide = roomy.intersection(Box.whole(*mask.shape)) or box
    near = mask[wide.slices].view(np.uint8)
    if near.all():
        return rim  # without a pixel outside there is no distance to it
    inside = cv2.distanceTransform(near, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    outside = cv2.distanceTransform(1 - near, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    rim[wide.slices] = np.maximum(inside, outside) <= px
    return rim
