"""The robot user, who clicks on the largest error as the field's benchmarks do
[docs/method.md §D.1].

Less careful ones: `vtmr.people`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

import numpy as np

from vtmr.masks import Mask, deepest_pixel, errors_between
from vtmr.types import Click


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
    missed, wrong = errors_between(mask, gt_mask, ignore_mask)
    pixels = [click.pixel for click in clicked]
    missed_depth, missed_pixel = deepest_pixel(missed, pixels)
    wrong_depth, wrong_pixel = deepest_pixel(wrong, pixels)
    if max(missed_depth, wrong_depth) == 0:
        return None
    positive = missed_depth > wrong_depth
    row, col = missed_pixel if positive else wrong_pixel
    return Click(col + 0.5, row + 0.5, positive)


def click_stream(seed: int, *names: str | int) -> np.random.Generator:
    """The random numbers of one click: a function of the seed and of what names the click, and of
    nothing else.

    So a click is the same whichever process plays the object, and whatever was played before.
    """
    digest = hashlib.sha256(json.dumps([seed, *names]).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest, "big"))
