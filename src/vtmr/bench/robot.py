"""The robot user: clicks on the largest error as the field's benchmarks do, or less carefully
[docs/method.md §D.1]."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from vtmr.errors import InputError
from vtmr.masks import Mask, bounding_box, deepest_pixel
from vtmr.types import BoxPrompt, Click


def next_click(
    mask: Mask, gt_mask: Mask, ignore_mask: Mask | None = None, clicked: Sequence[Click] = ()
) -> Click | None:
    """The deterministic robot's next click: the error pixel farthest from the rim of its error
    region.

    mask, gt_mask, ignore_mask: bool H x W of one frame; ignored pixels are no errors and end a
    region, and so does the image's border. clicked: the clicks so far, whose pixels are never
    chosen again. Returns the centre (x = col + .5, y = row + .5) of the first such pixel in
    row-major order: positive when the largest missed distance is strictly greater than the largest
    wrongly covered one. None when no unclicked error pixel is left. Raises InputError when the
    shapes differ. Source: docs/method.md §D.1.
    """
    missed, wrong = _errors(mask, gt_mask, ignore_mask)
    pixels = [click.pixel for click in clicked]
    missed_depth, missed_pixel = deepest_pixel(missed, pixels)
    wrong_depth, wrong_pixel = deepest_pixel(wrong, pixels)
    if max(missed_depth, wrong_depth) == 0:
        return None
    positive = missed_depth > wrong_depth
    row, col = missed_pixel if positive else wrong_pixel
    return Click(col + 0.5, row + 0.5, positive)


def random_click(
    mask: Mask,
    gt_mask: Mask,
    ignore_mask: Mask | None,
    clicked: Sequence[Click],
    stream: np.random.Generator,
) -> Click | None:
    """The random robot's next click: a pixel of the largest error region, each with the same
    probability.

    Arrays and `clicked` as for `next_click`. A region is an 8-connected component of the missed
    pixels or of the wrongly covered ones; its size is the number of its unclicked pixels, which are
    those that can be chosen. The largest missed region has to be strictly larger than the largest
    wrong one for a positive click; within a sign the first in row-major order wins a tie. None when
    no unclicked error pixel is left. Raises InputError.
    """
    missed, wrong = _errors(mask, gt_mask, ignore_mask)
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
    counted = gt_mask if ignore_mask is None else gt_mask & ~ignore_mask
    box = bounding_box(counted)
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


def click_stream(seed: int, *names: str | int) -> np.random.Generator:
    """The random numbers of one click: a function of the seed and of what names the click, and of
    nothing else.

    So a click is the same whichever process plays the object, and whatever was played before.
    """
    digest = hashlib.sha256(json.dumps([seed, *names]).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest, "big"))


def _errors(mask: Mask, gt_mask: Mask, ignore_mask: Mask | None) -> tuple[Mask, Mask]:
    """The missed and the wrongly covered pixels that count, bool H x W each. Raises InputError."""
    for name, other in (("prediction", mask), ("ignore mask", ignore_mask)):
        if other is not None and other.shape != gt_mask.shape:
            raise InputError(
                f"The {name} is {other.shape}, the ground truth {gt_mask.shape}: expected one "
                "frame."
            )
    errors = mask != gt_mask
    if ignore_mask is not None:
        errors &= ~ignore_mask
    return errors & gt_mask, errors & ~gt_mask


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
