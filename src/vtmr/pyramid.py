"""Cutting boxes out of an image and resizing them to the network's grid, at a cost that doesn't
grow with the image.

Half-pixel centres everywhere: grid cell i of n covers [i, i+1) * box.width / n of the box.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vtmr.geometry import Box, Frame

Pixels = NDArray[np.uint8]
FloatMap = NDArray[np.float32]


class Pyramid:
    """An image and its halvings, built when first asked for; together they take a third more than
    the image.

    A pixel of level n is the average of 2^n x 2^n pixels of the image; where the size is odd, the
    last row or column is repeated, so that every level's scale is exactly 2^-n.
    """

    def __init__(self, image: Pixels, halvings: Sequence[Pixels] = ()) -> None:
        """image: uint8 H x W x 3; kept, not copied. halvings: levels 1, 2, … where they are there
        already, as `level` made them."""
        self.image = image
        self._levels: dict[int, Pixels] = dict(enumerate((image, *halvings)))

    @property
    def height(self) -> int:
        """Rows of the image."""
        return int(self.image.shape[0])

    @property
    def width(self) -> int:
        """Columns of the image."""
        return int(self.image.shape[1])

    def level(self, n: int) -> Pixels:
        """uint8 ceil(H / 2^n) x ceil(W / 2^n) x 3."""
        if n not in self._levels:
            finer = self.level(n - 1)
            height, width = finer.shape[:2]
            if height % 2 or width % 2:
                below, right = height % 2, width % 2
                even = cv2.copyMakeBorder(finer, 0, below, 0, right, cv2.BORDER_REPLICATE)
                finer = np.asarray(even, np.uint8)
            size = ((width + 1) // 2, (height + 1) // 2)
            halved = np.asarray(cv2.resize(finer, size, interpolation=cv2.INTER_AREA), np.uint8)
            # Two threads may have made it at once: all are to see one array.
            self._levels.setdefault(n, halved)
        return self._levels[n]


def crop_resized(image: Pixels | Pyramid, box: Box, size: int) -> Pixels:
    """The box of the image as uint8 size x size x 3; the aspect ratio isn't kept.

    box: inside the image. Plain bilinear (`cv2.resize(image[box.slices], (size, size))`) while the
    box's smaller shrink is below 2 and the larger below 4; for larger boxes bilinear on the level
    of the pyramid that leaves the smaller shrink in [1, 2). Training and inference both cut with
    this function.
    """
    patch, frame = shrunk_patch(image, box, size, size)
    if min(box.width, box.height) < 2 * size:  # level 0
        return np.asarray(cv2.resize(patch, (size, size), interpolation=cv2.INTER_LINEAR), np.uint8)
    (scale_x, scale_y), (x0, y0) = frame.scale, (frame.box.x0, frame.box.y0)
    # Of the grid, in pixels of the patch.
    step_x, step_y = box.width * scale_x / size, box.height * scale_y / size
    # cv2 counts from the centre of the first pixel, here and there: hence both halves.
    to_patch = np.array(
        [
            [step_x, 0, (box.x0 - x0) * scale_x + step_x / 2 - 0.5],
            [0, step_y, (box.y0 - y0) * scale_y + step_y / 2 - 0.5],
        ]
    )
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    sampled = cv2.warpAffine(
        patch, to_patch, (size, size), flags=flags, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(sampled, np.uint8)


def shrunk_patch(
    image: Pixels | Pyramid, box: Box, width: int, height: int
) -> tuple[Pixels, Frame]:
    """The box of the image at the coarsest resolution that a grid of width x height can be sampled
    from, and its frame.

    uint8 h x w x 3. Both axes are halved alike until the smaller shrink is below 2, then the longer
    one alone until it is below 4. The frame's box, in image coordinates, is `box` rounded outwards
    to whole pixels of the pyramid's level.
    """
    pyramid = image
    if not isinstance(pyramid, Pyramid):
        pyramid = Pyramid(pyramid)
    # The floor of the base-2 logarithm, exactly: at a shrink of 2 the next level counts.
    n = max(int(min(box.width / width, box.height / height)), 1).bit_length() - 1
    step = 1 << n
    # -(-a // b) rounds up: the crop's last pixel is in it, even where it is half of one.
    covered = Box(box.x0 // step, box.y0 // step, -(-box.x1 // step), -(-box.y1 // step))
    patch = _shrink_longer(pyramid.level(n)[covered.slices], width, height)
    outer = Box(covered.x0 * step, covered.y0 * step, covered.x1 * step, covered.y1 * step)
    return patch, Frame(outer, patch.shape[1], patch.shape[0])


def _shrink_longer(patch: Pixels, width: int, height: int) -> Pixels:
    """Averages along an axis that is still four or more times too long, as long thin boxes have
    it."""
    rows, cols = _kept(patch.shape[0], height), _kept(patch.shape[1], width)
    if (rows, cols) == patch.shape[:2]:
        return patch
    return np.asarray(cv2.resize(patch, (cols, rows), interpolation=cv2.INTER_AREA), np.uint8)


def _kept(length: int, wanted: int) -> int:
    """What halvings, rounded up, leave of a length until it is below four times the wanted one."""
    halvings = max(int(length / wanted).bit_length() - 2, 0)
    return -(-length // (1 << halvings))


def sample_bilinear(
    array: NDArray[Any], rows: NDArray[np.float64], cols: NDArray[np.float64]
) -> FloatMap:
    """Values of an array h x w (x channels) on the grid rows x cols, bilinear: float32 len(rows) x
    len(cols) (x ch).

    rows, cols: fractional indices (0 is the centre of the first pixel), held inside the array.
    """
    row, next_row, row_weight = _neighbours(rows, array.shape[0])
    col, next_col, col_weight = _neighbours(cols, array.shape[1])
    channels = (1,) * (array.ndim - 2)
    # In place where it can be: the arrays are the largest that a click makes.
    upper, lower = array[row], array[next_row].astype(np.float32, copy=False)
    lower -= upper
    lower *= row_weight.reshape(-1, 1, *channels)
    lower += upper
    left, right = np.take(lower, col, axis=1), np.take(lower, next_col, axis=1)
    right -= left
    right *= col_weight.reshape(1, -1, *channels)
    right += left
    return right


def _neighbours(
    positions: NDArray[np.float64], length: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """The two indices around each position and the weight of the second."""
    held = np.clip(positions, 0, length - 1)
    first = held.astype(np.intp)
    return first, np.minimum(first + 1, length - 1), (held - first).astype(np.float32)
