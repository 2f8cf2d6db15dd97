"""One mask as several: cut along a line, or by its connected parts."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from vtmr.app.edits import SMALL_PART_RATIO
from vtmr.app.strokes import brushed
from vtmr.errors import InputError
from vtmr.geometry import Box, Points
from vtmr.masks import Mask, bounding_box

_LINE_RADIUS = 0.5  # the pixels under the line: enough to part what is connected over sides
_CRUMB_RATIO = 0.002  # of the mask's pixels: smaller pieces along a cut are nobody's wish


def cut_along(mask: Mask, points: Points) -> list[Mask]:
    """The pieces that a line cuts a mask into, the largest first; what the line doesn't touch stays
    with that one.

    mask: bool H x W. points: N x 2 (x, y) in image coordinates, N >= 2. Every pixel of the mask,
    those under the line included, is in exactly one piece. Raises InputError where the line doesn't
    part it.
    """
    box = bounding_box(mask)
    inside = None if box is None else mask[box.slices]
    if box is None or inside is None:
        raise InputError("The object is empty: there is nothing to cut.")
    local = np.asarray(points, np.float64).reshape(-1, 2) - (box.x0, box.y0)
    line = brushed(np.zeros_like(inside), local, _LINE_RADIUS, add=True)
    parted = (inside & ~line).view(np.uint8)
    pieces = np.asarray(cv2.connectedComponents(parted, connectivity=4)[1], np.int32)
    beside = cv2.dilate(line.view(np.uint8), np.ones((3, 3), np.uint8)) > 0
    areas = np.bincount(pieces.ravel())
    touched = np.unique(pieces[beside & inside & ~line])
    least = max(areas[1:].sum() * _CRUMB_RATIO, 1) if len(areas) > 1 else 1
    chosen = [int(piece) for piece in touched if piece > 0 and areas[piece] >= least]
    if len(chosen) < 2:
        raise InputError(
            "The line doesn't part the object: draw it right across, from outside to outside."
        )
    chosen.sort(key=lambda piece: -int(areas[piece]))
    return _shared_out(mask, box, inside, pieces, chosen)


def connected_parts(mask: Mask, smallest: int | None = None) -> list[Mask]:
    """The 8-connected parts, the largest first, which has all parts of fewer than `smallest`
    pixels besides; None: of under 5 % of the largest part's.

    mask: bool H x W. Raises InputError where that leaves a single one.
    """
    box = bounding_box(mask)
    if box is None:
        raise InputError("The object is empty: there is nothing to part.")
    inside = mask[box.slices]
    count, parts = cv2.connectedComponents(inside.view(np.uint8), connectivity=8)
    areas = np.bincount(parts.ravel(), minlength=count)
    areas[0] = 0
    least = areas.max() * SMALL_PART_RATIO if smallest is None else smallest
    order = np.argsort(-areas, kind="stable")
    chosen = [int(part) for part in order if areas[part] and areas[part] >= least]
    if len(chosen) < 2:
        raise InputError(
            "The object has one connected part: draw a line across it to cut it in two."
        )
    crumbs = inside & ~np.isin(parts, chosen)
    made = [_placed(mask, box, parts == part) for part in chosen]
    made[0][box.slices] |= crumbs
    return made


def _shared_out(
    mask: Mask, box: Box, inside: Mask, pieces: NDArray[np.int32], chosen: list[int]
) -> list[Mask]:
    """A mask for each chosen piece; what lies under the line, and crumbs beside it, go to the
    nearest one, and pieces elsewhere to the first."""
    cores = np.isin(pieces, chosen)
    around = cv2.dilate((inside & ~cores & (pieces == 0)).view(np.uint8), np.ones((3, 3), np.uint8))
    owners = _nearest(pieces, cores)
    loose = inside & ~cores
    elsewhere = loose & (pieces > 0) & ~np.isin(pieces, np.unique(pieces[around > 0]))
    owners[elsewhere] = chosen[0]
    return [_placed(mask, box, inside & (owners == piece)) for piece in chosen]


def _nearest(pieces: NDArray[np.int32], cores: Mask) -> NDArray[np.int32]:
    """For each pixel the piece of the nearest one in `cores`."""
    _, labels = cv2.distanceTransformWithLabels(
        (~cores).view(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    names = np.zeros(int(labels.max()) + 1, np.int32)
    names[labels[cores]] = pieces[cores]
    return np.asarray(names[labels], np.int32)


def _placed(mask: Mask, box: Box, part: Mask) -> Mask:
    """A part of a box as a mask of the whole image."""
    whole = np.zeros_like(mask)
    whole[box.slices] = part
    return whole
