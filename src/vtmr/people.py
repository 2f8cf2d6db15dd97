"""Where people click that a careful robot doesn't, and the boxes that they draw.

The benchmark's robots play with these rules, and training's simulated users do; in words:
docs/protocol.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from vtmr.errors import InputError
from vtmr.masks import Mask, bounding_box, counted, errors_between
from vtmr.types import BoxPrompt, Click

FAR_SHARE = 1 / 3  # of the object's longer side: how far a part is from the first click
EDGE_SHARE = 0.15  # of the object's largest depth: how near to its outline the edge robot clicks


def random_click(
    mask: Mask,
    gt_mask: Mask,
    ignore_mask: Mask | None,
    clicked: Sequence[Click],
    stream: np.random.Generator,
) -> Click | None:
    """The random robot's next click: a pixel of the largest error region, each with the same
    probability.

    Arrays and `clicked` as for `vtmr.bench.robot.next_click`. A region is an 8-connected component
    of the missed pixels or of the wrongly covered ones; its size is the number of its unclicked
    pixels, which are those that can be chosen. The largest missed region has to be strictly larger
    than the largest wrong one for a positive click; within a sign the first in row-major order wins
    a tie. None when no unclicked error pixel is left. Raises InputError.
    """
    missed, wrong = errors_between(mask, gt_mask, ignore_mask)
    pixels = [click.pixel for click in clicked]
    missed_region, wrong_region = (
        _largest_component(missed, pixels),
        _largest_component(wrong, pixels),
    )
    positive = len(missed_region) > len(wrong_region)
    region = missed_region if positive else wrong_region
    if not len(region):
        return None
    row, col = region[stream.integers(len(region))]
    return Click(float(col) + 0.5, float(row) + 0.5, positive)


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


def jittered(
    click: Click,
    gt_mask: Mask,
    ignore_mask: Mask | None,
    jitter_px: float,
    stream: np.random.Generator,
) -> Click:
    """Where a click lands when the hand isn't steady: off by a Gaussian of `jitter_px` in x and,
    alike, in y.

    gt_mask, ignore_mask: bool H x W. The landing point is clipped into the image and moved to its
    pixel's centre. It may lie outside the error region that was aimed at. The click then stays
    there and says the truth of that pixel: positive on the object, negative elsewhere. On an
    ignored pixel it keeps the sign that was meant.
    """
    height, width = gt_mask.shape
    dx, dy = stream.normal(0.0, jitter_px, 2)
    row = min(max(math.floor(click.y + dy), 0), height - 1)
    col = min(max(math.floor(click.x + dx), 0), width - 1)
    counts = ignore_mask is None or not ignore_mask[row, col]
    return Click(col + 0.5, row + 0.5, bool(gt_mask[row, col]) if counts else click.positive)


def drawn_box(
    gt_mask: Mask,
    ignore_mask: Mask | None,
    margin: float,
    jitter: float,
    stream: np.random.Generator,
) -> BoxPrompt:
    """The box that a user draws around the object's pixels that count.

    gt_mask, ignore_mask: bool H x W. margin: how much larger than the object's own box, as a share
    of its width and height in all; jitter: the standard deviation of each side, alike. A box that
    the jitter turns over keeps a pixel. Raises InputError for an object without pixels that count.
    """
    box = bounding_box(counted(gt_mask, ignore_mask))
    if box is None:
        raise InputError("The object has no pixel that counts: expected one to draw a box around.")
    off = stream.normal(0.0, 1.0, 4) * jitter
    x0 = box.x0 + box.width * (off[0] - margin / 2)
    x1 = box.x1 + box.width * (off[1] + margin / 2)
    y0 = box.y0 + box.height * (off[2] - margin / 2)
    y1 = box.y1 + box.height * (off[3] + margin / 2)
    height, width = gt_mask.shape
    x0, y0 = float(np.clip(x0, 0, width - 1)), float(np.clip(y0, 0, height - 1))
    return BoxPrompt(x0, y0, float(np.clip(x1, x0 + 1, width)), float(np.clip(y1, y0 + 1, height)))


def _largest_component(region: Mask, excluded: Sequence[tuple[int, int]]) -> NDArray[np.intp]:
    """The pixels (row, col), N x 2 in row-major order, of the component with most pixels that
    aren't excluded."""
    box = bounding_box(region)
    if box is None:
        return np.zeros((0, 2), np.intp)
    pixels = np.ascontiguousarray(region[box.slices]).view(np.uint8)
    labels = cv2.connectedComponents(pixels, connectivity=8)[1]
    for row, col in excluded:
        if box.contains(col, row):
            labels[row - box.y0, col - box.x0] = 0
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    # The numbers that OpenCV gives to components may depend on its threads: a tie goes by place.
    largest = np.isin(labels, np.flatnonzero(sizes == sizes.max())) & (labels > 0)
    if not largest.any():
        return np.zeros((0, 2), np.intp)
    first = labels.ravel()[np.argmax(largest)]
    return np.argwhere(labels == first) + (box.y0, box.x0)


def _pixels(mask: Mask, ignore_mask: Mask | None, clicked: Sequence[Click]) -> NDArray[np.intp]:
    """(row, col), N x 2 in row-major order, of the pixels that count and weren't clicked."""
    counts = counted(mask, ignore_mask).copy()
    for click in clicked:
        counts[click.pixel] = False
    return np.argwhere(counts)


def _one_of(pixels: NDArray[np.intp], stream: np.random.Generator) -> Click:
    row, col = pixels[stream.integers(len(pixels))]
    return Click(float(col) + 0.5, float(row) + 0.5, True)
