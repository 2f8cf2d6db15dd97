"""Where to look: the target crop around the object and the focus crop around what the newest click
changed.

`target_box`, `closer_box` and `focus_box` are ours: half-open boxes about their true centre.
`focalclick_*` follow the official FocalClick code to the pixel, oddities included, for imported
weights. Source: docs/method.md §B.1, §B.4, §H.4, §L.3.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from vtmr.geometry import Box, Frame
from vtmr.masks import Mask, bounding_box, component_at, largest_component
from vtmr.spec import FocusRule
from vtmr.types import Click

MIN_SIDE_PX = 10  # of any crop: smaller ones would be enlarged beyond what they show
SQUARE_RATIO = 0.2  # half-side of the square around a click, of the object's longer side
OFFICIAL_MIN_AREA_PX = 10  # a mask of fewer pixels has no box to FocalClick's code
RITM_MIN_SIDE_PX = 200  # of its crops, from its own code
RITM_LEAST_OVERLAP = 0.5  # of the crop kept with the one that the mask asks for


def target_box(mask: Mask, clicks: Sequence[Click], ratio: float, fallback: Box) -> Box:
    """The box around the mask and the positive clicks, `ratio` times as large, at least 10 px a
    side where there are.

    mask: bool H x W of the image; clicks: in image coordinates. An empty mask gives `fallback`.
    """
    return target_around(bounding_box(mask), clicks, ratio, Box.whole(*mask.shape), fallback)


def target_around(
    box: Box | None, clicks: Sequence[Click], ratio: float, image: Box, fallback: Box
) -> Box:
    """`target_box` where the mask's bounding box is known already; None is an empty mask's.

    image: the box of all of it.
    """
    if box is None:
        return fallback
    # Bounds first, one box in the end: there may be a thousand clicks.
    rows, cols = [box.y0, box.y1 - 1], [box.x0, box.x1 - 1]
    for click in clicks:
        if click.positive:
            row, col = click.pixel
            rows.append(row)
            cols.append(col)
    box = Box(min(cols), min(rows), max(cols) + 1, max(rows) + 1)
    return box.expanded(ratio, image).grown(MIN_SIDE_PX, image)


def closer_box(mask: Mask, clicks: Sequence[Click], frame: Frame, ratio: float) -> Box | None:
    """The target crop that a first answer asks for, in image pixels and inside `frame.box`; None
    where it is empty.

    mask: bool, on the frame's grid; clicks: in image coordinates. Around the positive clicks and
    the 8-connected components that they lie in (all of the mask where they lie in none), `ratio`
    times as large.
    """
    pixels: list[Box] = []
    components: list[Box | None] = []
    for click in clicks:
        if not click.positive:
            continue
        pixels.append(_pixel_box(click))
        cell = _cell(click, frame)
        # Where the answer missed a click there is no component to go by.
        if cell is not None and mask[cell]:
            components.append(bounding_box(component_at(mask, *cell)))
    if not components:
        components = [bounding_box(mask)]
    found = [frame.box_to_image(box) for box in components if box is not None]
    if not found:
        return None
    box = found[0]
    for other in (*found[1:], *pixels):
        box = box.union(other)
    return box.expanded(ratio, frame.box).grown(MIN_SIDE_PX, frame.box)


def focus_box(
    new_mask: Mask,
    prev_mask: Mask,
    click: Click,
    frame: Frame,
    ratio: float,
    rule: FocusRule = "click",
) -> Box:
    """The box around what the click changed, `ratio` times as large, in image pixels and inside
    `frame.box`.

    new_mask, prev_mask: bool, on the frame's grid; click: in image coordinates. Nothing there
    before: around the new mask. Otherwise by the rule "click" around the 8-connected component of
    the difference at the click; where the click changed nothing or the component is less than a
    third as high or as wide as the object, a square around the click. By the rule "largest" around
    the largest component, wherever the click is; the square where nothing changed. An empty new
    mask gives the whole frame.
    """
    new_box = bounding_box(new_mask)
    if new_box is None:
        return frame.box
    changed: Box | None = new_box
    if prev_mask.any() and rule == "largest":
        changed = bounding_box(largest_component(new_mask ^ prev_mask))
    elif prev_mask.any():
        changed = _changed_box(new_mask, prev_mask, click, frame)
        if changed is not None and _too_small(changed, new_box):
            changed = None
    if changed is None:
        longer = max(new_box.width / frame.scale[0], new_box.height / frame.scale[1])
        box = _square(click, SQUARE_RATIO * longer)
    else:
        box = frame.box_to_image(changed)
    return box.expanded(ratio, frame.box).grown(MIN_SIDE_PX, frame.box)


def square_around(click: Click, mask: Mask, ratio: float, within: Box) -> Box:
    """The square that `focus_box` takes around a click that changed nothing, in image pixels.

    mask: bool H x W of the image, not empty, which says how large the object is.
    """
    around = bounding_box(mask) or within
    half = SQUARE_RATIO * max(around.width, around.height)
    return _square(click, half).expanded(ratio, within).grown(MIN_SIDE_PX, within)


def _changed_box(new_mask: Mask, prev_mask: Mask, click: Click, frame: Frame) -> Box | None:
    """The box of the difference's component at the click, in grid cells; None where the click's
    cell didn't change."""
    cell = _cell(click, frame)
    if cell is None:
        return None
    return bounding_box(component_at(new_mask ^ prev_mask, *cell))


def _too_small(changed: Box, whole: Box) -> bool:
    """Whether what changed says too little of the object to be looked at alone."""
    return changed.height < whole.height / 3 or changed.width < whole.width / 3


def _cell(click: Click, frame: Frame) -> tuple[int, int] | None:
    """Row and column of the grid's cell that a click, in image coordinates, lies in; None outside
    of the grid."""
    if not frame.box.contains(click.x, click.y):
        return None
    x, y = frame.to_grid(np.array([(click.x, click.y)]))[0]
    # A point just inside the right or the lower side may be rounded onto it.
    return min(int(y), frame.height - 1), min(int(x), frame.width - 1)


def _square(click: Click, half: float) -> Box:
    """The whole pixels that the square of that half-side around the click touches."""
    x0, y0 = math.floor(click.x - half), math.floor(click.y - half)
    x1, y1 = math.ceil(click.x + half), math.ceil(click.y + half)
    return Box(x0, y0, max(x1, x0 + 1), max(y1, y0 + 1))  # of no half, the pixel's own


def _pixel_box(click: Click) -> Box:
    row, col = click.pixel
    return Box(col, row, col + 1, row + 1)


def focalclick_target_box(
    mask: Mask, clicks: Sequence[Click], ratio: float, min_side_px: int = MIN_SIDE_PX
) -> Box:
    """FocalClick's target crop. The official bounds are inclusive (20, 230, ...); the Box ends one
    after them.

    mask: bool H x W, the previous probability > .49; clicks: in image coordinates. An empty mask
    gives the whole image.
    """
    height, width = mask.shape
    box = bounding_box(mask)
    if box is None:
        return Box.whole(height, width)
    for click in clicks:
        if click.positive:
            box = box.union(_pixel_box(click))

    def axis(low: int, high: int, size: int) -> tuple[int, int]:
        centre, length = (low + high - 1) / 2, max(ratio * (high - low), min_side_px)
        # Python's rounding, to even halves, is the official code's too.
        return max(round(centre - length / 2), 0), min(round(centre + length / 2), size - 1) + 1

    x0, x1 = axis(box.x0, box.x1, width)
    y0, y1 = axis(box.y0, box.y1, height)
    return Box(x0, y0, x1, y1)


def ritm_target_box(mask: Mask, clicks: Sequence[Click], ratio: float, earlier: Box | None) -> Box:
    """RITM's target crop: the earlier one while it holds all positive clicks and overlaps the new
    one well.

    mask: bool H x W, the previous probability > .5; clicks: in image coordinates. An empty mask
    asks for the whole image. The official code takes a crop's last row and column for outside when
    it looks whether a click is inside. The overlap is the product of both axes' intersection over
    union [docs/method.md §B.1, §D.8; docs/zoo.md §Z.3.3].
    """
    fresh = focalclick_target_box(mask, clicks, ratio, RITM_MIN_SIDE_PX)
    if earlier is None:
        return fresh
    for click in clicks:
        row, col = click.pixel
        inside = earlier.y0 <= row < earlier.y1 - 1 and earlier.x0 <= col < earlier.x1 - 1
        if click.positive and not inside:
            return fresh
    common, around = fresh.intersection(earlier), fresh.union(earlier)
    if common is None or common.area / around.area < RITM_LEAST_OVERLAP:
        return fresh
    return earlier


def focalclick_focus_box(
    new_mask: Mask,
    prev_mask: Mask,
    click: Click,
    target: Box,
    ratio: float,
    rule: FocusRule = "click",
) -> Box:
    """FocalClick's focus crop; its bounds (79, 219, ...) are used as slices, so they are the Box's
    own.

    new_mask, prev_mask: bool H x W of the image; click: in image coordinates; target: the target
    crop. A click whose pixel stayed the same gets everything that stayed the same, nearly the whole
    image: the official code numbers the components of what changed, and looks for the click's
    number, which is then the background's. rule: "largest" takes the largest component in place of
    the click's. Where the official code fails on an empty box (a click far outside the target
    crop), this gives the nearest pixel of the target crop.
    """
    row, col = click.pixel
    object_bounds = _official_bounds(new_mask)
    bounds: tuple[float, float, float, float] = object_bounds
    if prev_mask.any():
        changed = new_mask ^ prev_mask
        if rule == "largest":
            region = largest_component(changed)
        elif changed[row, col]:
            region = component_at(changed, row, col)
        else:
            region = ~changed
        bounds = _official_bounds(region)
        height, width = object_bounds[1] - object_bounds[0], object_bounds[3] - object_bounds[2]
        if bounds[1] - bounds[0] < height / 3 or bounds[3] - bounds[2] < width / 3:
            half = SQUARE_RATIO * max(height, width)
            bounds = row - half, row + half, col - half, col + half

    def axis(low: float, high: float, first: int, last: int) -> tuple[int, int]:
        centre, length = (low + high) / 2, ratio * (high - low + 1)
        # Cut towards 0, where the target crop's bounds were rounded: so it is in the official code.
        start = min(max(int(centre - length / 2), first), last - 1)
        return start, max(min(int(centre + length / 2), last), start + 1)

    y0, y1 = axis(*bounds[:2], target.y0, target.y1)
    x0, x1 = axis(*bounds[2:], target.x0, target.x1)
    return Box(x0, y0, x1, y1)


def _official_bounds(mask: Mask) -> tuple[int, int, int, int]:
    """First and last row, first and last column; 0, H, 0, W for fewer than ten pixels."""
    box = bounding_box(mask)
    if box is None or np.count_nonzero(mask) < OFFICIAL_MIN_AREA_PX:
        return 0, mask.shape[0], 0, mask.shape[1]
    return box.y0, box.y1 - 1, box.x0, box.x1 - 1
