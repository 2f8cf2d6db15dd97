"""What a user does to a mask without the network: brush, fill, drop, smooth. Every function gives a new mask."""

from __future__ import annotations

import cv2
import numpy as np

from vtmr.geometry import Box, Points
from vtmr.masks import Mask, bounding_box

_SHIFT = 4  # OpenCV draws at sixteenths of a pixel
SMALL_PART_RATIO = 0.05  # of the largest part


def brushed(mask: Mask, points: Points, radius: float, *, add: bool) -> Mask:
    """With everything within `radius` of the line on (add) or off.

    mask: bool H x W. points: N x 2 (x, y) in image coordinates, N >= 1, joined in order; they may lie outside.
    """
    after = mask.copy()
    points = np.asarray(points, np.float64).reshape(-1, 2)
    reach = int(np.ceil(radius)) + 2
    low, high = np.floor(points.min(axis=0)).astype(int) - reach, np.ceil(points.max(axis=0)).astype(int) + reach
    box = Box(*low.tolist(), *high.tolist()).intersection(Box.whole(*mask.shape))
    if box is None:
        return after
    stroke = np.zeros((box.height, box.width), np.uint8)
    # From the house's coordinates to OpenCV's, whose pixel centres are whole numbers.
    fixed = np.rint((points - (box.x0, box.y0) - 0.5) * (1 << _SHIFT)).astype(np.int32)
    if len(fixed) > 1:
        thickness = max(1, round(2 * radius))
        cv2.polylines(stroke, [fixed.reshape(-1, 1, 2)], False, 1, thickness, cv2.LINE_8, _SHIFT)
    for x, y in fixed[[0, -1]].tolist():
        cv2.circle(stroke, (x, y), round(radius * (1 << _SHIFT)), 1, cv2.FILLED, cv2.LINE_8, _SHIFT)
    after[box.slices][stroke != 0] = add
    return after


def without_holes(mask: Mask) -> Mask:
    """With everything that the mask encloses; background that reaches the image's border is no hole.

    Background is connected over sides, not over corners, as the object is over both.
    """
    box = bounding_box(mask)
    after = mask.copy()
    if box is None:
        return after
    outside = np.pad(~mask[box.slices], 1, constant_values=True)
    _, labels = cv2.connectedComponents(outside.view(np.uint8), connectivity=4, ltype=cv2.CV_32S)
    after[box.slices] = (labels != labels[0, 0])[1:-1, 1:-1]
    return after


def without_small_parts(mask: Mask, smallest: int | None = None) -> Mask:
    """Without the 8-connected parts of fewer than `smallest` pixels; None: of under 5 % of the largest part's."""
    after = mask.copy()
    box = bounding_box(mask)
    if box is None:
        return after
    part = np.ascontiguousarray(mask[box.slices])
    _, labels, stats, _ = cv2.connectedComponentsWithStats(part.view(np.uint8), connectivity=8, ltype=cv2.CV_32S)
    areas = stats[:, cv2.CC_STAT_AREA]
    kept = areas >= (areas[1:].max() * SMALL_PART_RATIO if smallest is None else smallest)
    kept[0] = False
    after[box.slices] = kept[labels]
    return after


def smoothed(mask: Mask, radius: int) -> Mask:
    """With a calmer outline: every pixel becomes what most of the disc around it is, weighted towards its middle."""
    box = bounding_box(mask)
    after = mask.copy()
    if box is None:
        return after
    reach = 2 * radius
    around = Box(box.x0 - reach, box.y0 - reach, box.x1 + reach, box.y1 + reach).intersection(Box.whole(*mask.shape))
    area = (around or box).slices
    grey = mask[area].view(np.uint8) * np.uint8(255)
    side = 2 * reach + 1
    # Beyond the image the outline goes on as it is at the border.
    blurred = cv2.GaussianBlur(grey, (side, side), radius, borderType=cv2.BORDER_REPLICATE)
    after[area] = np.asarray(blurred) > 127
    return after
