"""Objects that are kept apart: what a change adds to a mask isn't taken from its neighbours.

A neighbour gives its pixels up where the user pointed at it, unless it is locked: so a hat is cut
out of the person who wears it by a click on the hat, while a mask that runs over into the next
object ends at its border.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from vtmr.app.document import Content, Item
from vtmr.geometry import Box, Points
from vtmr.masks import Mask
from vtmr.serving.maskruns import MaskRuns
from vtmr.types import MaskEdit


def kept_apart(
    content: Content, before: Item, after: Item, aims: Points, shape: tuple[int, int]
) -> tuple[Content, tuple[str, ...]]:
    """The content with `after` in it, as far as its neighbours let it, and what the user should
    know.

    before, after: the object around the change. aims: N x 2 (x, y), where the user pointed. shape:
    height and width of the image.
    """
    box = after.mask.box
    if box is None or after.mask is before.mask:
        return content.put(after), ()
    near = [other for other in content.items if other.id != after.id and _reaches(other, box)]
    if not near:  # at a hundred megapixels what follows takes a tenth of a second
        return content.put(after), ()
    added = _inside(after.mask, box, shape) & ~_inside(before.mask, box, shape)
    kept = np.zeros_like(added)
    keepers: list[Item] = []
    notes = []
    for other in near:
        shared = added & _inside(other.mask, box, shape)
        if not shared.any():
            continue
        if not other.locked and _holds_any(other, aims, shape):
            content = content.put(_without(other, box, shared, shape))
            if 2 * np.count_nonzero(shared) > other.mask.area:
                notes.append(_mostly_taken(other))
            continue
        kept |= shared
        keepers.append(other)
    if keepers:
        after = _clipped(before, after, box, kept, shape)
        if not (added & ~kept).any():
            notes.append(_said(keepers))
    return content.put(after), tuple(notes)


def others_mask(content: Content, item_id: str, shape: tuple[int, int]) -> Mask:
    """Where any other object is: bool height x width."""
    union = np.zeros(shape, np.bool_)
    for other in content.items:
        box = None if other.id == item_id else other.mask.within(*shape).box
        if box is not None:
            union[box.slices] |= _inside(other.mask, box, shape)
    return union


def _inside(mask: MaskRuns, box: Box, shape: tuple[int, int]) -> Mask:
    """What of the mask lies in the box: bool, of the box's size."""
    part = np.zeros((box.height, box.width), np.bool_)
    seen = mask.within(*shape)
    common = seen.box and seen.box.intersection(box)
    if seen.box is None or common is None:
        return part
    own = seen.decode_box()
    rows = slice(common.y0 - seen.box.y0, common.y1 - seen.box.y0)
    columns = slice(common.x0 - seen.box.x0, common.x1 - seen.box.x0)
    place = Box(common.x0 - box.x0, common.y0 - box.y0, common.x1 - box.x0, common.y1 - box.y0)
    part[place.slices] = own[rows, columns]
    return part


def _reaches(other: Item, box: Box) -> bool:
    """Whether the object's own box reaches into that one."""
    return other.mask.box is not None and other.mask.box.intersection(box) is not None


def _holds_any(other: Item, aims: Points, shape: tuple[int, int]) -> bool:
    """Whether the user pointed at a pixel of the object."""
    for x, y in np.floor(aims).astype(int).tolist():
        pixel = Box(x, y, x + 1, y + 1)
        if pixel.intersection(Box.whole(*shape)) and _inside(other.mask, pixel, shape).any():
            return True
    return False


def _without(other: Item, box: Box, shared: Mask, shape: tuple[int, int]) -> Item:
    """The neighbour that has given those pixels up. Its clicks stay clicks, which can be moved."""
    mask = other.mask.within(*shape).decode(*shape)
    mask[box.slices] &= ~shared
    changed = replace(other, mask=MaskRuns.encode(mask))
    if not _was_drawn(other):
        return changed
    return replace(changed, steps=(*other.steps, (MaskEdit.of(mask),)))


def _clipped(before: Item, after: Item, box: Box, kept: Mask, shape: tuple[int, int]) -> Item:
    """The object without what its neighbours keep; as before, where an edit then changes nothing.

    Clicks stay in its history as they were made: they can be moved, and are answered anew.
    """
    mask = after.mask.decode(*shape)
    mask[box.slices] &= ~kept
    runs = MaskRuns.encode(mask)
    if not _was_drawn(after):
        return replace(after, mask=runs)
    if before.steps and np.array_equal(mask, before.mask.decode(*shape)):
        return before
    steps = (*after.steps[:-1], (*after.steps[-1][:-1], MaskEdit.of(mask)))
    return replace(after, steps=steps, mask=runs)


def _was_drawn(item: Item) -> bool:
    """Whether the newest step of the object's history is a mask rather than clicks."""
    return bool(item.steps) and isinstance(item.steps[-1][-1], MaskEdit)


def _mostly_taken(other: Item) -> str:
    name = other.label or other.id
    return f"Most of {name} was taken, as it was pointed at: Ctrl + Z gives it back."


def _said(keepers: Sequence[Item]) -> str:
    names = " and ".join(sorted({item.label or item.id for item in keepers}))
    return (
        f"Nothing was added: the pixels are those of {names}, and objects are kept apart. Point at "
        "what is to be taken from it, unlock it, or switch “Keep apart” off."
    )
