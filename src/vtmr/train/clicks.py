"""Simulated users of the trainer: clicks to start with and clicks where the prediction is wrong
[docs/method.md §C.4-C.5]."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from vtmr.masks import Mask
from vtmr.train.recipe import ClickRecipe
from vtmr.types import Click

Rng = np.random.Generator
MAX_CLICKS = 24  # of each sign
DECAY = 0.8  # how much rarer each further initial click is
CENTRE_SHARE = 1.7  # a first click lies deeper than the object's depth by this
NEGATIVE_SOURCES = (0.1, 0.4, 0.5)  # background, other objects, border
PREV_THRESHOLD = 0.49  # RITM's: an undecided pixel counts as object


def distance_inside(mask: Mask, precise: bool) -> NDArray[np.float32]:
    """Distance of each pixel of the mask to its outside, image borders counted as outside."""
    padded = np.pad(mask.view(np.uint8), 1)
    size = cv2.DIST_MASK_5
    if precise:
        size = cv2.DIST_MASK_PRECISE
    return np.asarray(cv2.distanceTransform(padded, cv2.DIST_L2, size)[1:-1, 1:-1], np.float32)


def random_pixel(mask: Mask, rng: Rng, positive: bool) -> Click:
    """A click on the centre of a uniformly drawn pixel of a non-empty mask."""
    pixels = np.flatnonzero(mask)
    return click_on(int(pixels[rng.integers(len(pixels))]), mask.shape[1], positive)


def click_on(index: int, width: int, positive: bool) -> Click:
    """A click on the centre of the pixel of that place in row-major order."""
    row, col = divmod(index, width)
    return Click(col + 0.5, row + 0.5, positive)


def draw_count(rng: Rng, least: int, most: int) -> int:
    """least + k with P(k) proportional to DECAY^k, at most `most`."""
    weights = DECAY ** np.arange(most - least + 1)
    return least + int(rng.choice(len(weights), p=weights / weights.sum()))


def deep_click(
    distance: NDArray[np.float32], least: float, rng: Rng, positive: bool, deepest_share: float
) -> Click:
    """A click on a pixel whose distance is over `least`, drawn with equal chances; a share of them
    on the deepest one.

    The first of several that are equally deep is what the benchmark's robot takes, too.
    """
    if deepest_share and rng.random() < deepest_share:
        return click_on(int(distance.argmax()), distance.shape[1], positive)
    return random_pixel(distance > least, rng, positive)


def first_click(gt_mask: Mask, rng: Rng, centred: bool, deepest_share: float) -> Click:
    """Near the centre of a non-empty mask, or anywhere on it but seldom at its border."""
    if not centred:
        return random_pixel(interior(gt_mask, rng), rng, positive=True)
    distance = distance_inside(gt_mask, precise=True)
    return deep_click(distance, distance.max() / CENTRE_SHARE, rng, True, deepest_share)


def interior(gt_mask: Mask, rng: Rng) -> Mask:
    """Mostly the mask without its border, where enough of it is left."""
    core = cv2.erode(gt_mask.view(np.uint8), np.ones((3, 3), np.uint8), iterations=3).astype(bool)
    if core.sum() > 10 and rng.random() < 0.9:
        return core
    return gt_mask


def initial_clicks(
    gt_mask: Mask,
    others: Mask,
    rng: Rng,
    single: bool = False,
    centred: bool = True,
    second: Mask | None = None,
    deepest_share: float = 0.0,
) -> list[Click]:
    """The clicks a training sample starts with: the first near the object's centre, then more of
    both signs.

    gt_mask: bool H x W, not empty. others: pixels of other objects. single: one first click only.
    centred, deepest_share: see `first_click`. second: one of two objects that the mask is made of;
    each then has a first click.
    """
    objects = [gt_mask]
    if second is not None:
        objects = [gt_mask & ~second, gt_mask & second]
    clicks = []
    for each in objects:
        if each.any():  # one of two objects may lie outside the crop
            clicks.append(first_click(each, rng, centred, deepest_share))
    if single:
        return clicks
    inside = interior(gt_mask, rng)
    wanted = draw_count(rng, 1, MAX_CLICKS)
    while len(clicks) < wanted:
        clicks.append(random_pixel(inside, rng, positive=True))
    return clicks + negative_clicks(gt_mask, others, rng)


def negative_clicks(gt_mask: Mask, others: Mask, rng: Rng) -> list[Click]:
    """Clicks beside the object: anywhere, on other objects, or near its border.

    The arguments as for `initial_clicks`.
    """
    count = draw_count(rng, 0, MAX_CLICKS)
    if count == 0:
        return []
    # Near is a tenth of the side that the object would have as a square.
    reach = math.ceil(0.1 * math.sqrt(gt_mask.sum()))
    near = cv2.dilate(gt_mask.view(np.uint8), np.ones((3, 3), np.uint8), iterations=reach) > 0
    places = (~gt_mask, others & ~gt_mask, near & ~gt_mask)
    clicks = []
    for place in rng.choice(len(places), size=count, p=NEGATIVE_SOURCES):
        if places[place].any():
            clicks.append(random_pixel(places[place], rng, positive=False))
    return clicks


def further_clicks(recipe: ClickRecipe, rng: Rng) -> int:
    """K, rounds of prediction and click after the first ones.

    No number is drawn where there is nothing to decide.
    """
    if recipe.first_share and rng.random() < recipe.first_share:
        return 0
    return int(rng.integers(recipe.max_further + 1))


def corrective_click(
    prob: NDArray[np.float32], gt_mask: Mask, rng: Rng, deepest_share: float = 0.0
) -> Click | None:
    """A click in the larger of the two errors, drawn from its inner half; None where there is no
    error.

    prob: float32 H x W of the present prediction. deepest_share: of the clicks, in the middle of
    the error.
    """
    mask = prob > PREV_THRESHOLD
    missed = distance_inside(gt_mask & ~mask, precise=False)
    extra = distance_inside(~gt_mask & mask, precise=False)
    positive = bool(missed.max() > extra.max())
    distance = extra
    if positive:
        distance = missed
    deepest = distance.max()
    if deepest == 0:
        return None
    return deep_click(distance, deepest / 2, rng, positive, deepest_share)
