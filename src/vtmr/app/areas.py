"""Masks drawn, grown and moved by hand: areas inside an outline, areas of one colour, other sizes.

Every function gives a new mask.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from vtmr.app.strokes import brushed
from vtmr.geometry import Box, Points
from vtmr.masks import Mask, bounding_box, in_ranges
from vtmr.types import Image

_SCRIBBLE_REACH = 0.5  # of the stroke's longer side: how far an area goes on around it
_LEAST_REACH_PX = 32
_MOST_PIXELS = 4_000_000  # looked at for one scribble; a larger window is looked at coarsely
_COLOUR_STEP = 8  # of 8-bit Lab: colours nearer than that aren't told apart
_STILL_SMALL_PX = 32  # specks and holes in an area of one colour


def outlined(mask: Mask, points: Points, *, add: bool) -> Mask:
    """With every pixel whose centre the closed line encloses on (add) or off, by the even-odd rule.

    mask: bool H x W. points: N x 2 (x, y) in image coordinates, N >= 3; they may lie outside.
    """
    after = mask.copy()
    points = np.asarray(points, np.float64).reshape(-1, 2)
    box = _box_around(points).intersection(Box.whole(*mask.shape))
    if box is None:
        return after
    inside = _enclosed(points - (box.x0, box.y0), box.height, box.width)
    after[box.slices][inside] = add
    return after


def scribbled(
    image: Image, mask: Mask, points: Points, radius: float, tolerance: float, *, add: bool
) -> Mask:
    """With the area that a rough line means on (add) or off: the line, and what is connected with
    it and coloured like what it covers.

    image: uint8 H x W x 3, RGB. mask: bool H x W. points: N x 2 (x, y) in image coordinates,
    N >= 1. radius: of the line, pixels. tolerance: how far colours may be apart, in units of 8-bit
    Lab. The area ends at most half the line's length beside it.
    """
    stroke = brushed(np.zeros_like(mask), points, radius, add=True)
    reach = _scribble_reach(stroke)
    around = _scribble_window(stroke, reach)
    if around is None:
        return mask.copy()
    inside, below = image[around.slices], stroke[around.slices]
    step = max(1, int(np.ceil(np.sqrt(around.area / _MOST_PIXELS))))
    if step > 1:
        size = (-(-around.width // step), -(-around.height // step))
        inside = np.asarray(cv2.resize(inside, size, interpolation=cv2.INTER_AREA), np.uint8)
        below = cv2.resize(below.view(np.uint8), size, interpolation=cv2.INTER_AREA) > 0
        below = np.asarray(below, np.bool_)
    away = cv2.distanceTransform((~below).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    area = _alike(inside, below, np.asarray(away * step <= reach), tolerance)
    if step > 1:
        whole = (around.width, around.height)
        grey = cv2.resize(area.view(np.uint8), whole, interpolation=cv2.INTER_NEAREST)
        area = np.asarray(grey) > 0
    after = mask.copy()
    after[around.slices][area | stroke[around.slices]] = add
    return after


def grown(mask: Mask, pixels: int) -> Mask:
    """With every pixel whose centre is at most that far from one of the mask's; less than 0:
    without those as near to one outside. The image's border isn't outside."""
    after = mask.copy()
    box = bounding_box(mask)
    if box is None or pixels == 0:
        return after
    reach = max(pixels, 0) + 1
    around = Box(box.x0 - reach, box.y0 - reach, box.x1 + reach, box.y1 + reach)
    area = (around.intersection(Box.whole(*mask.shape)) or box).slices
    inside = mask[area]
    if inside.all():
        return after
    source = ~inside if pixels > 0 else inside
    distance = cv2.distanceTransform(source.view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    after[area] = distance <= pixels if pixels > 0 else distance > -pixels
    return after


def shifted(mask: Mask, dx: int, dy: int) -> Mask:
    """Moved by whole pixels, to the right and down; what leaves the image is gone."""
    after = np.zeros_like(mask)
    box = bounding_box(mask)
    if box is None:
        return after
    target = Box(box.x0 + dx, box.y0 + dy, box.x1 + dx, box.y1 + dy)
    seen = target.intersection(Box.whole(*mask.shape))
    if seen is not None:
        source = Box(seen.x0 - dx, seen.y0 - dy, seen.x1 - dx, seen.y1 - dy)
        after[seen.slices] = mask[source.slices]
    return after


def _box_around(points: Points) -> Box:
    low = np.floor(points.min(axis=0)).astype(int)
    high = np.ceil(points.max(axis=0)).astype(int) + 1
    return Box(*low.tolist(), *high.tolist())


def _enclosed(points: Points, height: int, width: int) -> Mask:
    """Which of height x width pixels have their centre inside the closed line.

    Where a row of centres crosses the line, everything to the right changes sides.
    """
    ends = np.roll(points, -1, axis=0)
    low, high = np.minimum(points[:, 1], ends[:, 1]), np.maximum(points[:, 1], ends[:, 1])
    # Half-open: a corner on a row of centres belongs to one of the two edges that meet there.
    firsts = np.clip(np.ceil(low - 0.5), 0, height).astype(np.intp)
    stops = np.clip(np.ceil(high - 0.5), 0, height).astype(np.intp)
    edge, rows = in_ranges(firsts, stops - firsts)
    (x0, y0), (x1, y1) = points[edge].T, ends[edge].T
    crossings = x0 + (rows + 0.5 - y0) * ((x1 - x0) / (y1 - y0))
    columns = np.clip(np.ceil(crossings - 0.5), 0, width).astype(np.intp)
    turns = np.zeros((height, width + 1), np.int32)
    # Not +=, which counts once where several edges cross at one pixel.
    np.add.at(turns, (rows, columns), 1)
    return np.asarray(np.cumsum(turns[:, :-1], axis=1) % 2 == 1, np.bool_)


def _scribble_reach(stroke: Mask) -> int:
    """How far an area goes on beside that line, in pixels."""
    box = bounding_box(stroke)
    longer = max(box.width, box.height) if box else 0
    return max(round(_SCRIBBLE_REACH * longer), _LEAST_REACH_PX)


def _scribble_window(stroke: Mask, reach: int) -> Box | None:
    """Where an area around that line may be; None where there is no line."""
    box = bounding_box(stroke)
    if box is None:
        return None
    around = Box(box.x0 - reach, box.y0 - reach, box.x1 + reach, box.y1 + reach)
    return around.intersection(Box.whole(*stroke.shape))


def _alike(image: Image, stroke: Mask, near: Mask, tolerance: float) -> Mask:
    """The pixels near the stroke that are coloured like some under it and connected with it, itself
    included, without specks and holes."""
    calm = cv2.GaussianBlur(image, (3, 3), 0)
    bins = np.asarray(cv2.cvtColor(calm, cv2.COLOR_RGB2LAB)) // _COLOUR_STEP
    like = _near_colours(np.unique(bins[stroke], axis=0), tolerance / _COLOUR_STEP)
    similar = (like[bins[..., 0], bins[..., 1], bins[..., 2]] & near) | stroke
    _, parts = cv2.connectedComponents(similar.view(np.uint8), connectivity=8)
    touched = np.unique(parts[stroke])
    area = np.isin(parts, touched[touched > 0])
    return _calmed(area) | stroke


def _near_colours(colours: NDArray[np.uint8], reach: float) -> NDArray[np.bool_]:
    """Which bins of colours, side by side along three axes, lie within `reach` bins of some."""
    side = 256 // _COLOUR_STEP
    bins = np.indices((side, side, side)).reshape(3, -1).T.astype(np.float32)
    near = np.zeros(len(bins), np.bool_)
    for colour in colours.astype(np.float32):
        near |= ((bins - colour) ** 2).sum(axis=1) <= reach**2
    return near.reshape(side, side, side)


def _calmed(area: Mask) -> Mask:
    """Without specks and holes of a few pixels, which a photo's noise makes."""
    for value in (False, True):
        _, parts, stats, _ = cv2.connectedComponentsWithStats(
            (area == value).view(np.uint8), connectivity=4
        )
        small = stats[:, cv2.CC_STAT_AREA] <= _STILL_SMALL_PX
        small[0] = False  # everything else
        area = area ^ small[parts]
    return area
