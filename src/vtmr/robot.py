"""The robot user: clicks the middle of the largest error, as the field's benchmarks do [facts.md §D.1]."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from vtmr.errors import InputError
from vtmr.masks import Mask, bounding_box
from vtmr.types import Click


def next_click(
    mask: Mask, gt_mask: Mask, ignore_mask: Mask | None = None, clicked: Sequence[Click] = ()
) -> Click | None:
    """The robot's next click: the error pixel farthest from the rim of its error region.

    mask, gt_mask, ignore_mask: bool H x W of one frame; ignored pixels are no errors and end a region, and so
    does the image's border. clicked: the clicks so far, whose pixels are never chosen again.
    Returns the centre (x = col + .5, y = row + .5) of the first such pixel in row-major order: positive when
    the largest missed distance is strictly greater than the largest wrongly covered one. None when no
    unclicked error pixel is left. Raises InputError when the shapes differ. Source: facts.md §D.1.
    """
    for name, other in (("prediction", mask), ("ignore mask", ignore_mask)):
        if other is not None and other.shape != gt_mask.shape:
            raise InputError(f"The {name} is {other.shape}, the ground truth {gt_mask.shape}: expected one frame.")
    errors = mask != gt_mask
    if ignore_mask is not None:
        errors &= ~ignore_mask
    pixels = [click.pixel for click in clicked]
    missed_depth, missed_pixel = _deepest(errors & gt_mask, pixels)
    wrong_depth, wrong_pixel = _deepest(errors & ~gt_mask, pixels)
    if max(missed_depth, wrong_depth) == 0:
        return None
    positive = missed_depth > wrong_depth
    row, col = missed_pixel if positive else wrong_pixel
    return Click(col + 0.5, row + 0.5, positive)


def _deepest(region: Mask, excluded: Sequence[tuple[int, int]]) -> tuple[int, tuple[int, int]]:
    """The largest squared distance to the outside and the first (row, col) that has it; 0 when there is none.

    Only the region's box is transformed, with one pixel of zeros around: every pixel's nearest zero lies in there.
    Squared distances are whole numbers; rounding takes OpenCV's last-digit noise out of comparisons between regions.
    """
    box = bounding_box(region)
    if box is None:
        return 0, (0, 0)
    padded: NDArray[np.uint8] = np.pad(region[box.slices].view(np.uint8), 1)
    depth = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    for row, col in excluded:
        if box.contains(col, row):
            depth[row - box.y0, col - box.x0] = 0
    row, col = divmod(int(np.argmax(depth)), box.width)
    return round(float(depth[row, col]) ** 2), (row + box.y0, col + box.x0)
