"""How other authors' networks are told of clicks, where it isn't by discs: one function for each
pipeline.

Each takes the probability that the network is told of (float32 H x W), the clicks in the same
grid and the network's spec, and gives float32 1 x C x H x W.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from vtmr.masks import disc_maps
from vtmr.spec import ModelSpec
from vtmr.types import Click, FloatMap, places_of

FARTHEST = 255.0  # pixels, beyond which distances count the same
FULL_WIDTHS = (10.0, 10.0, 30.0)  # of FCA's Gaussians, at half of their height
DISTANCE_UNIT_PX = 260.0  # of f-BRS's maps
WIDE_RADIUS = 24.0  # of the discs that CDNet's feature diffusion starts from

Encoding = Callable[[FloatMap, Sequence[Click], ModelSpec], FloatMap]


def distances(clicks: Sequence[Click], height: int, width: int) -> FloatMap:
    """float32 height x width: from each pixel to the nearest click's, at most FARTHEST."""
    found = np.full((height, width), FARTHEST, np.float32)
    rows, cols = np.arange(height, dtype=np.float32), np.arange(width, dtype=np.float32)
    for click in clicks:
        row, col = click.pixel
        apart = np.sqrt((rows[:, None] - row) ** 2 + (cols[None] - col) ** 2)
        np.minimum(found, apart, out=found)
    return found


def by_sign(clicks: Sequence[Click]) -> tuple[list[Click], list[Click]]:
    """The positive clicks, and the negative ones."""
    positive: list[Click] = []
    negative: list[Click] = []
    for click in clicks:
        if click.positive:
            positive.append(click)
        else:
            negative.append(click)
    return positive, negative


def distances_by_sign(clicks: Sequence[Click], height: int, width: int) -> FloatMap:
    """To the nearest positive click and to the nearest negative one: float32 2 x height x width."""
    positive, negative = by_sign(clicks)
    return np.stack([distances(positive, height, width), distances(negative, height, width)])


def gaussians(prev_mask: FloatMap, clicks: Sequence[Click], spec: ModelSpec) -> FloatMap:
    """FCA's: around positive, negative and the first click, of whatever sign [docs/zoo.md §Z.5]."""
    planes = []
    for picked, width in zip((*by_sign(clicks), clicks[:1]), FULL_WIDTHS, strict=True):
        apart = distances(picked, *prev_mask.shape)
        planes.append(np.exp(np.float32(-4 * np.log(2) / width**2) * apart**2))
    return np.stack(planes)[None]


def nearness(prev_mask: FloatMap, clicks: Sequence[Click], spec: ModelSpec) -> FloatMap:
    """BRS's: 1 at positive and at negative clicks, 0 from FARTHEST on [docs/zoo.md §Z.7]."""
    apart = distances_by_sign(clicks, *prev_mask.shape)
    return 1 - apart[None] / np.float32(FARTHEST)


def bytes_apart(prev_mask: FloatMap, clicks: Sequence[Click], spec: ModelSpec) -> FloatMap:
    """LD's: distances to positive and to negative clicks without their fractions, then 0 at those
    clicks and 255 elsewhere [docs/zoo.md §Z.8]."""
    # The authors' network was shown them as bytes.
    apart = np.floor(distances_by_sign(clicks, *prev_mask.shape))
    clicked = np.where(apart == 0, 0, FARTHEST)
    return np.concatenate([apart, clicked])[None].astype(np.float32)


def with_newest(prev_mask: FloatMap, clicks: Sequence[Click], spec: ModelSpec) -> FloatMap:
    """FCFI's: [prev_mask, positive discs, negative discs, newest click] [docs/zoo.md §Z.6].

    The last plane is 0 but for the newest click's pixel, which says how many clicks there are:
    above 0 where it is positive, below where it is negative.
    """
    height, width = prev_mask.shape
    points, signs = places_of(clicks)
    newest = np.zeros((1, height, width), np.float32)
    if clicks:
        # The authors cut the fractions of index coordinates, whose 0 is a pixel's centre, off.
        row = min(max(int(clicks[-1].y - 0.5), 0), height - 1)
        col = min(max(int(clicks[-1].x - 0.5), 0), width - 1)
        newest[0, row, col] = len(clicks)
        if not clicks[-1].positive:
            newest[0, row, col] = -len(clicks)
    discs = disc_maps(points, signs, spec.disc_radius, height, width)
    return np.concatenate([prev_mask.astype(np.float32)[None], discs, newest])[None]


def distance_maps(clicks: Sequence[Click], height: int, width: int) -> FloatMap:
    """How far the nearest click of either sign is, 0 at it to 1 far off: float32 1 x 2 x height x
    width.

    tanh of twice the distance in units of 260 px; 1 everywhere where there is no click of that
    sign. clicks: in that grid; one above and left of it is none to the official code [fbrs2020;
    docs/zoo.md §Z.3.1].
    """
    maps = np.ones((1, 2, height, width), np.float32)
    rows, cols = np.arange(height)[:, None] + 0.5, np.arange(width)[None, :] + 0.5
    seen = [click for click in clicks if max(click.x, click.y) >= 0.5]
    for channel, picked in enumerate(by_sign(seen)):
        if picked:
            squares = [(rows - click.y) ** 2 + (cols - click.x) ** 2 for click in picked]
            nearest = np.sqrt(np.min(squares, axis=0)) / DISTANCE_UNIT_PX
            maps[0, channel] = np.tanh(2 * nearest)
    return maps


def distances_alone(prev_mask: FloatMap, clicks: Sequence[Click], spec: ModelSpec) -> FloatMap:
    """f-BRS's: distances to positive and to negative clicks."""
    return distance_maps(clicks, *prev_mask.shape)


def two_discs(prev_mask: FloatMap, clicks: Sequence[Click], spec: ModelSpec) -> FloatMap:
    """CDNet's: discs of positive and of negative clicks, then wide ones of both [docs/zoo.md
    §Z.4.1]."""
    points, signs = places_of(clicks)
    discs = disc_maps(points, signs, spec.disc_radius, *prev_mask.shape)
    wide = disc_maps(points, signs, WIDE_RADIUS, *prev_mask.shape)
    return np.concatenate([discs, wide])[None]


ENCODINGS: dict[str, Encoding] = {
    "fca": gaussians,
    "brs": nearness,
    "ld": bytes_apart,
    "fcfi": with_newest,
    "cdnet": two_discs,
    "fbrs": distances_alone,
}
