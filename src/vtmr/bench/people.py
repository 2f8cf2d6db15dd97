"""What people do that the robot doesn't: clicks on parts and near edges; masks that are cut.

The rules in words: docs/protocol.md.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from vtmr.geometry import Box
from vtmr.masks import Mask, counted
from vtmr.types import Click, Prediction

FAR_SHARE = 1 / 3  # of the object's longer side: how far a part is from the first click
EDGE_SHARE = 0.15  # of the object's largest depth: how near to its outline the edge robot clicks
CUT_PX, CUT_SHARE = 24, 0.06  # a straight run of outline is a cut above both; of the shorter side


def part_click(
    gt_mask: Mask, ignore_mask: Mask | None, clicked: Sequence[Click], stream: np.random.Generator
) -> Click | None:
    """A random pixel of the object at least a third of its longer side away from the first click.

    gt_mask, ignore_mask: bool H x W. Where the object has no such pixel, any of it; never one that
    was clicked. Positive. None when nothing is left.
    """
    pixels = _pixels(gt_mask, ignore_mask, clicked)
    if not len(pixels):
        return None
    longer = int(np.ptp(pixels, axis=0).max()) + 1
    first = np.array([clicked[0].y, clicked[0].x])
    away = np.hypot(*(pixels + 0.5 - first).T)
    far = pixels[away >= FAR_SHARE * longer]
    if len(far):
        pixels = far
    return _one_of(pixels, stream)


def edge_click(
    gt_mask: Mask, ignore_mask: Mask | None, stream: np.random.Generator
) -> Click | None:
    """A random pixel of the object near its outline.

    gt_mask, ignore_mask: bool H x W. Near: no deeper than .15 of the object's deepest pixel, and
    always the outermost pixels; the image's border is no outline. None for an empty object.
    """
    depth = cv2.distanceTransform(gt_mask.view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    near = gt_mask & (depth <= max(1.0, EDGE_SHARE * float(depth.max())))
    pixels = _pixels(near, ignore_mask, ())
    if not len(pixels):
        return None
    return _one_of(pixels, stream)


def is_cut(mask: Mask, prediction: Prediction | None) -> bool | None:
    """Whether the mask ends along a side of one of the crops that it was answered in.

    mask: bool H x W. A cut is a straight run of outline on such a side inside the image, longer
    than 24 px and than 6 % of the image's shorter side. None where a prediction has no crops.
    """
    layers = getattr(prediction, "layers", None)
    if layers is None:
        return None
    longest = longest_run_px(mask, [layer.box for layer in layers])
    return bool(longest > max(CUT_PX, CUT_SHARE * min(mask.shape)))


def longest_run_px(mask: Mask, boxes: Sequence[Box]) -> int:
    """The longest run of the mask's outline that lies on a side of a box, inside the image."""
    height, width = mask.shape
    longest = 0
    for box in boxes:
        # At a side of the image nothing is cut: there is nothing beyond it.
        for y in (box.y0, box.y1):
            if 0 < y < height:
                longest = max(longest, _longest(mask[y - 1] != mask[y], box.x0, box.x1))
        for x in (box.x0, box.x1):
            if 0 < x < width:
                longest = max(longest, _longest(mask[:, x - 1] != mask[:, x], box.y0, box.y1))
    return longest


def _longest(line: Mask, start: int, end: int) -> int:
    """The length of the longest run of true values in a part of the line."""
    # With zeros around, so that a run at an end has both its turns.
    turns = np.flatnonzero(np.diff(line[start:end].astype(np.int8), prepend=0, append=0))
    return int((turns[1::2] - turns[::2]).max(initial=0))


def _pixels(mask: Mask, ignore_mask: Mask | None, clicked: Sequence[Click]) -> NDArray[np.intp]:
    """(row, col), N x 2 in row-major order, of the pixels that count and weren't clicked."""
    counts = counted(mask, ignore_mask).copy()
    for click in clicked:
        counts[click.pixel] = False
    return np.argwhere(counts)


def _one_of(pixels: NDArray[np.intp], stream: np.random.Generator) -> Click:
    row, col = pixels[stream.integers(len(pixels))]
    return Click(float(col) + 0.5, float(row) + 0.5, True)
