"""Initial masks, made wrong on purpose, for the experiments on correction.

Images are uint8 H x W x 3, masks bool H x W. The same stream of random numbers gives the same mask.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from vtmr.bench.protocol import Protocol
from vtmr.masks import Mask, iou
from vtmr.perturb import perturb_to_iou
from vtmr.types import Image

DRAWS = 10  # until something that counts is wrong
WANTED_IOU = (0.75, 0.85)  # DAVIS-585's range
ATTEMPTS, DEFECTS = 30, 10  # tries at most, and superpixels flipped in each
# About how many superpixels an image is cut into: one of these for each defect.
SUPERPIXELS = (50, 100, 200, 300, 500, 700)
COMPACTNESS = 10.0  # as scikit-image has it
RIM_STEPS = 3  # erosions and dilations by 5 x 5 between which the rim lies
RIM_SHARE, INSIDE_SHARE = 0.65, 0.25  # of the defects; the others lie outside


def made_wrong(
    image: Image,
    gt_mask: Mask,
    ignore_mask: Mask | None,
    protocol: Protocol,
    stream: np.random.Generator,
) -> Mask:
    """The object made wrong as the protocol says, drawn again where all that is wrong with it would
    be ignored."""
    counts = np.ones_like(gt_mask) if ignore_mask is None else ~ignore_mask
    mask = gt_mask
    for _ in range(DRAWS):
        if protocol.initial_mask == "perturbed":
            mask, _ = perturb_to_iou(gt_mask, protocol.initial_iou, stream)
        else:
            mask = superpixel_defects(image, gt_mask, stream)
        if ((mask != gt_mask) & counts).any():
            break
    return mask


def superpixel_defects(image: Image, gt_mask: Mask, stream: np.random.Generator) -> Mask:
    """The object with whole superpixels too many or too few, at an IoU of .75 to .85, as
    DAVIS-585's masks have it.

    A defect flips the superpixel at a random pixel of the object's rim, inside or outside: it is
    added where that pixel is off, else removed. A try ends below the wanted IoU or after 10
    defects. Where no try gets there, as happens to objects smaller than superpixels, the nearest
    mask seen is returned; it always differs from `gt_mask`. Needs scikit-image. Source:
    docs/method.md §D.7.
    """
    superpixels, places = _superpixels_of(image), _places(gt_mask)
    best, nearest = gt_mask, math.inf
    for _ in range(ATTEMPTS):
        mask = gt_mask.copy()
        for _ in range(DEFECTS):
            row, col = _random_pixel(places, gt_mask.shape[1], stream)
            labels = superpixels(int(stream.choice(SUPERPIXELS)))
            mask[labels == labels[row, col]] = not mask[row, col]
            reached = iou(mask, gt_mask)
            off = max(WANTED_IOU[0] - reached, reached - WANTED_IOU[1], 0.0)
            if reached < 1 and off < nearest:
                best, nearest = mask.copy(), off
            if off == 0:
                return best
            if reached < WANTED_IOU[0]:
                break
    return best


def _superpixels_of(image: Image) -> Callable[[int], NDArray[np.intp]]:
    """The image's superpixels H x W for about so many of them, each number cut once."""
    from skimage.segmentation import slic

    @cache
    def labels(count: int) -> NDArray[np.intp]:
        return np.asarray(
            slic(image, n_segments=count, compactness=COMPACTNESS, start_label=0), np.intp
        )

    return labels


def _places(gt_mask: Mask) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """The pixels at the object's rim, inside and outside, as indices into the flat mask; each may
    be empty."""
    kernel = np.ones((5, 5), np.uint8)
    pixels = gt_mask.view(np.uint8)
    inner = cv2.erode(pixels, kernel, iterations=RIM_STEPS) > 0
    outer = cv2.dilate(pixels, kernel, iterations=RIM_STEPS) == 0
    return np.flatnonzero(~inner & ~outer), np.flatnonzero(inner), np.flatnonzero(outer)


def _random_pixel(
    places: Sequence[NDArray[np.intp]], width: int, stream: np.random.Generator
) -> tuple[int, int]:
    """(row, col) in one of the places, chosen by their shares among those that have pixels."""
    shares = np.array([RIM_SHARE, INSIDE_SHARE, 1 - RIM_SHARE - INSIDE_SHARE]) * [
        len(place) > 0 for place in places
    ]
    place = places[stream.choice(len(places), p=shares / shares.sum())]
    row, col = divmod(int(place[stream.integers(len(place))]), width)
    return row, col
