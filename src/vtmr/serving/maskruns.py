"""Masks on the wire: the bounding box and, inside it, run lengths row by row, zeros first
(docs/api.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vtmr.errors import InputError
from vtmr.formats.runlength import boxed_runs, filled_box, require_inside
from vtmr.geometry import Box
from vtmr.masks import Mask


@dataclass(frozen=True, slots=True, eq=False)
class MaskRuns:
    """A mask of some image: its bounding box and the run lengths in it, int64. box: None for an
    empty mask."""

    box: Box | None
    runs: NDArray[np.int64]

    @staticmethod
    def encode(mask: Mask) -> MaskRuns:
        """Of a bool mask H x W."""
        found = boxed_runs(mask)
        return EMPTY if found is None else MaskRuns(*found)

    def decode(self, height: int, width: int) -> Mask:
        """The bool mask height x width. Raises InputError when the box doesn't lie in it."""
        mask = np.zeros((height, width), np.bool_)
        if self.box is not None:
            require_inside(self.box, height, width)
            mask[self.box.slices] = self.decode_box()
        return mask

    def decode_box(self) -> Mask:
        """The bool mask of the box's size; 0 x 0 for an empty mask."""
        if self.box is None:
            return np.zeros((0, 0), np.bool_)
        return filled_box(self.runs, self.box)

    def within(self, height: int, width: int) -> MaskRuns:
        """What of it lies in an image height x width: itself, if all does."""
        inner = self.box and self.box.intersection(Box.whole(height, width))
        if self.box is None or inner == self.box:
            return self
        if inner is None:
            return EMPTY
        whole = self.decode_box()
        rows = slice(inner.y0 - self.box.y0, inner.y1 - self.box.y0)
        columns = slice(inner.x0 - self.box.x0, inner.x1 - self.box.x0)
        cut = MaskRuns.encode(whole[rows, columns])
        if cut.box is None:
            return EMPTY
        x0, y0, x1, y1 = cut.box.as_tuple()
        return MaskRuns(Box(x0 + inner.x0, y0 + inner.y0, x1 + inner.x0, y1 + inner.y0), cut.runs)

    @property
    def area(self) -> int:
        """Pixels that are on."""
        return int(self.runs[1::2].sum())

    def to_json(self) -> dict[str, Any]:
        """{"box", "runs"}"""
        return {"box": list(self.box.as_tuple()) if self.box else None, "runs": self.runs.tolist()}

    @staticmethod
    def from_json(record: Any) -> MaskRuns:
        """The inverse.

        Raises InputError for anything else, and for runs that don't fill the box.
        """
        try:
            box = (
                Box(*(_whole(bound) for bound in record["box"]))
                if record["box"] is not None
                else None
            )
            runs = np.array([_whole(run) for run in record["runs"]], np.int64)
        except (TypeError, KeyError, ValueError, OverflowError) as error:
            reason = f"{type(error).__name__}: {error}"
            raise InputError(
                f"The mask can't be read ({reason}): expected box and runs of whole numbers."
            ) from error
        if (runs < 0).any() or int(runs.sum()) != (box.area if box else 0):
            raise InputError(
                "The mask's runs don't fill its box: expected whole numbers from 0 that sum to its "
                "area."
            )
        return MaskRuns(box, runs)


EMPTY = MaskRuns(None, np.empty(0, np.int64))


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > 1 << 40:
        raise TypeError(f"{value!r} is not a whole number")
    return value
