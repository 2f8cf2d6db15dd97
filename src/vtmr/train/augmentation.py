"""Augmentation: an image with its target is mirrored, changes its colours and is cropped
[docs/method.md §C.3]."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vtmr.geometry import Box
from vtmr.masks import Mask, bounding_box
from vtmr.train.clicks import Rng
from vtmr.train.recipe import AugmentRecipe
from vtmr.types import Image


@dataclass(frozen=True)
class Labelled:
    """An image with one target; `others` are pixels known to belong to other objects.

    second: where the target is made of two objects, the second one. rim: where the target's mask
    can't be relied on, and what its file marks as to be ignored.
    """

    image: Image
    target: Mask
    others: Mask
    second: Mask | None = None
    rim: Mask | None = None

    @property
    def masks(self) -> dict[str, Mask]:
        """Target, others and, where there are any, second and rim."""
        found = {
            "target": self.target,
            "others": self.others,
            "second": self.second,
            "rim": self.rim,
        }
        return {name: mask for name, mask in found.items() if mask is not None}

    def changed(self, image: Image, change: Callable[[Mask], Mask]) -> Labelled:
        """With another image, and with all masks changed in one way."""
        return Labelled(image, **{name: change(mask) for name, mask in self.masks.items()})


def flipped(labelled: Labelled) -> Labelled:
    """Mirrored left to right."""
    return labelled.changed(mirrored(labelled.image), mirrored)


def mirrored(array: NDArray[Any]) -> NDArray[Any]:
    """An image or a mask from right to left, as memory of its own: OpenCV takes no views that run
    backwards."""
    return np.ascontiguousarray(array[:, ::-1])


def jittered(image: Image, share: float, rng: Rng) -> Image:
    """Brightness +-.25, contrast -.15 to +.4 and RGB shift +-10, each in that share of images
    [docs/method.md §C.3]."""
    gain, offset = 1.0, np.zeros(3)
    if rng.random() < share:
        gain = 1 + rng.uniform(-0.15, 0.40)
        offset = offset + 255 * rng.uniform(-0.25, 0.25)
    if rng.random() < share:
        offset = offset + rng.uniform(-10, 10, 3)
    if gain == 1 and not offset.any():
        return image
    # One look-up a pixel instead of float arithmetic on the whole image.
    table = np.clip(np.arange(256)[:, None] * gain + offset, 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(image, table.reshape(1, 256, 3)), np.uint8)


def draw_crop(
    labelled: Labelled, augment: AugmentRecipe, size: int, rng: Rng
) -> tuple[Labelled, Box]:
    """A crop of one of three kinds and the image it lies in (padded with zeros where the crop
    sticks out).

    Whole image, as inference sees it at click 1; RITM's resize by .75-1.4 with pad or crop; the
    object's box times 1.1-3, moved about, as inference sees it from click 2 on.
    """
    height, width = labelled.target.shape
    whole = Box.whole(height, width)
    shares = np.array([augment.whole_share, augment.scaled_share, augment.object_share])
    kind = int(rng.choice(3, p=shares / shares.sum()))
    if kind == 0:
        return labelled, whole
    if kind == 1:
        factor = rng.uniform(*augment.scale)
        return windowed(labelled, round(width / factor), round(height / factor), rng)
    target = bounding_box(labelled.target) or whole
    # In logarithms, so that twice as large is as common as half as large. Most of the draw is
    # shared by both directions: crops of inference are about as wide as they are high.
    low, high = np.log(augment.object_ratio)
    ratio = np.exp(0.7 * rng.uniform(low, high) + 0.3 * rng.uniform(low, high, size=2))
    slack = (ratio - 1) * np.array([target.width, target.height]) / 2
    # Off the middle, but by less than the slack: the object stays in the crop.
    shift = rng.uniform(-0.7, 0.7, 2) * slack
    moved = Box(
        round(target.x0 - slack[0] + shift[0]),
        round(target.y0 - slack[1] + shift[1]),
        round(target.x1 + slack[0] + shift[0]),
        round(target.y1 + slack[1] + shift[1]),
    )
    return labelled, grown(moved, min(32, size), whole)


def grown(box: Box, least: int, whole: Box) -> Box:
    """At least `least` pixels wide and high, clipped to the image."""
    extra_x, extra_y = max(0, least - box.width), max(0, least - box.height)
    # An odd number of pixels puts the one that is over on the far side.
    box = Box(
        box.x0 - extra_x // 2,
        box.y0 - extra_y // 2,
        box.x1 + (extra_x + 1) // 2,
        box.y1 + (extra_y + 1) // 2,
    )
    return box.intersection(whole) or whole


def windowed(labelled: Labelled, width: int, height: int, rng: Rng) -> tuple[Labelled, Box]:
    """A window of that size: placed at random inside the image, or around it with zero padding."""
    rows, cols = labelled.target.shape
    pad_x, pad_y = max(0, width - cols), max(0, height - rows)
    if pad_x or pad_y:
        left, top = int(rng.integers(pad_x + 1)), int(rng.integers(pad_y + 1))
        room = ((top, pad_y - top), (left, pad_x - left))
        image = np.pad(labelled.image, (*room, (0, 0)))  # no padding of the colours
        labelled = labelled.changed(image, partial(np.pad, pad_width=room))
        rows, cols = labelled.target.shape
    x0, y0 = int(rng.integers(cols - width + 1)), int(rng.integers(rows - height + 1))
    return labelled, Box(x0, y0, x0 + width, y0 + height)
