"""What the refiner is trained on: a focus box around the object or its border, and the edge band
[docs/method.md §C.6]."""

from __future__ import annotations

import cv2
import numpy as np

from vtmr.masks import Mask

SMALL_AREA = 3600  # of smaller objects a piece of the border would be most of it
OBJECT_SHARE = 0.6  # of the boxes are around the object; the others are on its border
MIN_SIDE = 32  # of the grid's cells

GridBox = tuple[float, float, float, float]


def edge_band(mask: Mask) -> Mask:
    """Where the mask changes when it is shrunk eight times and grown again, dilated twice by 3 x
    3."""
    height, width = mask.shape
    full = mask.astype(np.uint8) * 255
    eighth = (max(1, width // 8), max(1, height // 8))
    # Bilinear, not by area, as FocalClick's code has it: four pixels of each 8 x 8 block count.
    small = cv2.resize(full, eighth, interpolation=cv2.INTER_LINEAR)
    small = ((small > 128) * 255).astype(np.uint8)
    back = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR) > 128
    changed = (back ^ mask).astype(np.uint8)
    return cv2.dilate(changed, np.ones((3, 3), np.uint8), iterations=2) > 0


def largest_component_box(mask: Mask) -> GridBox:
    """Bounding box of the largest 8-connected component of a non-empty mask."""
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=8)
    x, y, width, height, _ = stats[1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))]
    return float(x), float(y), float(x + width), float(y + height)


def draw_focus_box(gt_mask: Mask, rng: np.random.Generator) -> GridBox:
    """A focus box (x0, y0, x1, y1) in the mask's pixels, fractional, inside it, at least MIN_SIDE
    wide and high."""
    height, width = gt_mask.shape
    if gt_mask.sum() < SMALL_AREA or rng.random() < OBJECT_SHARE:
        x0, y0, x1, y1 = largest_component_box(gt_mask)
        ratio = rng.uniform(1.1, 1.6)
        box_width, box_height = max((x1 - x0) * ratio, MIN_SIDE), max((y1 - y0) * ratio, MIN_SIDE)
        x = (x0 + x1) / 2 + rng.uniform(-0.3, 0.3) * box_width
        y = (y0 + y1) / 2 + rng.uniform(-0.3, 0.3) * box_height
    else:
        box_width = max(width / rng.uniform(1.5, 3.9), MIN_SIDE)
        box_height = max(height / rng.uniform(1.5, 3.9), MIN_SIDE)
        border = (cv2.dilate(gt_mask.view(np.uint8), np.ones((5, 5), np.uint8)) > 0) & ~gt_mask
        if not border.any():
            border = gt_mask  # it fills the grid
        rows, cols = np.nonzero(border)
        pick = rng.integers(len(rows))
        x, y = cols[pick] + 0.5, rows[pick] + 0.5
    x = min(max(x, MIN_SIDE / 2), width - MIN_SIDE / 2)
    y = min(max(y, MIN_SIDE / 2), height - MIN_SIDE / 2)
    return (
        max(0.0, x - box_width / 2),
        max(0.0, y - box_height / 2),
        min(float(width), x + box_width / 2),
        min(float(height), y + box_height / 2),
    )
