"""Three classical ways from seeds to an object: iterated graph cut, random walker, geodesic
distance."""

from __future__ import annotations

import warnings
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from vtmr.bench.baselines.seeds import BACKGROUND, OBJECT, UNKNOWN, Seeds
from vtmr.types import FloatMap, Image

ITERATIONS = 3  # of GrabCut: estimate colours, cut, repeat
# of the longer side: as near to a click on the object, pixels are taken for object at first
NEAR = 0.15  # of the longer side: how far from a click the object is first looked for
BETA = 1000.0  # of the random walker: how much a step in colour holds it up
# what a step on even ground costs in the geodesic distance, in units of CIELAB contrast a pixel
STRIDE = 0.5


def grab_cut(image: Image, seeds: Seeds) -> FloatMap:
    """OpenCV's GrabCut [Rother et al. 2004]: two colour mixtures and a graph cut in turn; 0 or 1.

    At first, pixels near the object's seeds (nearer than to a background seed) are taken for
    object, all others for background; a mask to correct takes the place of that guess. Of the
    result, the regions that hold a seed of the object count: colours alone would find their like
    anywhere. OpenCV's random numbers begin anew each time.
    """
    guess = seeds.likely
    if guess is None:
        guess = _near(seeds.labels)
    classes = np.where(guess, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    classes[seeds.labels == OBJECT], classes[seeds.labels == BACKGROUND] = cv2.GC_FGD, cv2.GC_BGD
    if not _of_object(classes).all():  # else there is no colour to be had for the background
        cv2.setRNGSeed(0)
        pixels = np.ascontiguousarray(image[..., ::-1])  # OpenCV's order, BGR
        # 5 Gaussians of 13 numbers each, which OpenCV fills in place.
        mixtures = np.zeros((1, 65)), np.zeros((1, 65))
        cv2.grabCut(
            pixels, classes, None, mixtures[0], mixtures[1], ITERATIONS, cv2.GC_INIT_WITH_MASK
        )  # type: ignore[call-overload]
    _, regions = cv2.connectedComponents(_of_object(classes).view(np.uint8), connectivity=4)
    return np.asarray(np.isin(regions, np.unique(regions[seeds.labels == OBJECT])), np.float32)


def random_walk(image: Image, seeds: Seeds) -> FloatMap:
    """scikit-image's random walker [Grady 2006]: the probability that a walk from a pixel meets the
    object first.

    The image's border is background but for what clicks say.
    """
    from skimage.segmentation import random_walker

    labels = _with_border(seeds.labels)
    if len(np.unique(labels)) < 3:  # nothing unknown, or no background: a picture of a few pixels
        return np.asarray(labels == OBJECT, np.float32)
    if image.min() == image.max():  # without any step in colour, the nearer seed decides
        return _share(_distance(labels == OBJECT), _distance(labels == BACKGROUND))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # probabilities a thousandth outside [0, 1]
        prob = random_walker(
            image, labels.astype(np.int32), BETA, "cg_j", return_full_prob=True, channel_axis=-1
        )
    return np.asarray(prob[OBJECT - 1], np.float32)


def geodesic(image: Image, seeds: Seeds) -> FloatMap:
    """The nearer of object and background seeds along the cheapest path, where contrast costs
    [Criminisi et al. 2008].

    Returns the background's distance as a share of both. The image's border is background but for
    what clicks say.
    """
    from skimage.graph import MCP_Geometric

    labels = _with_border(seeds.labels)
    if not (labels == BACKGROUND).any():
        return np.ones(labels.shape, np.float32)
    smooth = cv2.cvtColor(cv2.GaussianBlur(image, (0, 0), 1.0), cv2.COLOR_RGB2Lab).astype(
        np.float32
    )
    along_x = cv2.Sobel(smooth, cv2.CV_32F, 1, 0, scale=1 / 8)
    along_y = cv2.Sobel(smooth, cv2.CV_32F, 0, 1, scale=1 / 8)
    contrast = np.sqrt((along_x**2).sum(axis=2) + (along_y**2).sum(axis=2))
    # A search each: a second one of the same would write into the first one's answer.
    search = partial(MCP_Geometric, STRIDE + contrast, fully_connected=True)
    of_object, _ = search().find_costs(np.argwhere(labels == OBJECT))
    of_background, _ = search().find_costs(np.argwhere(labels == BACKGROUND))
    return _share(of_object, of_background)


def _of_object(classes: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where GrabCut's classes are object, surely or probably."""
    return np.asarray((classes == cv2.GC_FGD) | (classes == cv2.GC_PR_FGD))


def _near(labels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Near an object seed, and not nearer to a background seed."""
    distance = _distance(labels == OBJECT)
    near = distance < NEAR * max(labels.shape)
    if (labels == BACKGROUND).any():
        near &= distance < _distance(labels == BACKGROUND)
    return np.asarray(near)


def _distance(seeds: NDArray[np.bool_]) -> FloatMap:
    """Of every pixel to the nearest seed, in pixels; there is at least one."""
    return np.asarray(
        cv2.distanceTransform((~seeds).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE),
        np.float32,
    )


def _share(to_object: NDArray[np.floating], to_background: NDArray[np.floating]) -> FloatMap:
    """1 at the object's seeds, 0 at the background's, .5 half way."""
    return np.asarray(to_background / (to_object + to_background), np.float32)


def _with_border(labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The labels with the image's outermost pixels as background where they are unknown."""
    framed = labels.copy()
    for edge in (framed[0], framed[-1], framed[:, 0], framed[:, -1]):
        edge[edge == UNKNOWN] = BACKGROUND
    return framed
