"""Progressive merge: on a mask that the user brought, a click changes only what it touches
[docs/method.md §B.8]."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vtmr.geometry import Box
from vtmr.masks import Mask, bounding_box, component_in_box
from vtmr.types import Click


@dataclass(frozen=True, slots=True)
class Patch:
    """Which pixels a merge flipped: a box and its bits, compressed. box: None when it flipped
    none."""

    box: Box | None
    packed: bytes

    @staticmethod
    def of(flipped: Mask, within: Box) -> Patch:
        """From a bool mask over the box `within` of the image."""
        box = bounding_box(flipped)
        if box is None:
            return NO_PATCH
        # The fastest level: changed pixels are areas, which any level packs well.
        packed = zlib.compress(np.packbits(flipped[box.slices]).tobytes(), 1)
        return Patch(
            Box(within.x0 + box.x0, within.y0 + box.y0, within.x0 + box.x1, within.y0 + box.y1),
            packed,
        )

    @property
    def nbytes(self) -> int:
        """Bytes of the packed pixels."""
        return len(self.packed)

    def flip(self, mask: Mask) -> None:
        """Flips those pixels of `mask` (bool H x W), in place: does the merge, and undoes it."""
        if self.box is not None:
            bits = np.frombuffer(zlib.decompress(self.packed), np.uint8)
            area = mask[self.box.slices]
            area ^= np.unpackbits(bits, count=self.box.area).reshape(area.shape).view(np.bool_)


NO_PATCH = Patch(None, b"")


def merge(before: Mask, predicted: Mask, clicks: Sequence[Click]) -> tuple[Mask, Patch]:
    """The mask after the clicks, and what it flipped. before, predicted: bool H x W; clicks: the
    new ones, inside.

    R is the 8-connected component of before XOR predicted at a click. Where the click's pixel was
    on, R's pixels that were on go; where it was off, R's pixels that were off come. A click whose
    pixel didn't change changes nothing. Every pixel outside the components stays bit-identical.
    """
    after = before.copy()
    difference = before ^ predicted
    # The system hands out zeros by the page: those that are never touched cost nothing.
    flipped = np.zeros(before.shape, np.bool_)
    within: Box | None = None
    for click in clicks:
        row, col = click.pixel
        if difference[row, col]:
            box, component = component_in_box(difference, row, col)
            flipped[box.slices] |= component & (before[box.slices] == before[row, col])
            if within is not None:
                box = box.union(within)
            within = box
    if within is None:
        return after, NO_PATCH
    after[within.slices] ^= flipped[within.slices]
    return after, Patch.of(flipped[within.slices], within)
