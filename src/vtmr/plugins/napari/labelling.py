"""An object's mask in a plane of labels, where every pixel holds one number and others' stay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vtmr.masks import Mask

Labels = NDArray[Any]  # H x W, whole numbers; 0 is no object


@dataclass(frozen=True, slots=True, eq=False)
class Outlook:
    """An object in a plane, from when its first click was made.

    number: its label. start: where the label was, bool H x W. beneath: the other labels there.
    shown: where the label has been since it was written last.
    """

    number: int
    start: Mask
    beneath: Labels
    shown: Mask

    @staticmethod
    def begun(labels: Labels, number: int) -> Outlook:
        """As the plane is now."""
        start = labels == number
        beneath = np.where(start, np.zeros_like(labels), labels)
        return Outlook(number, start, beneath, start)

    def is_edited(self, labels: Labels) -> bool:
        """Whether somebody else has changed the object since it was written."""
        return not np.array_equal(labels == self.number, self.shown)


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """Pixels of a plane and their new labels, arrays of one length; after: the object with them."""

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    labels: Labels
    after: Outlook


def change_to(mask: Mask, labels: Labels, outlook: Outlook, *, preserve: bool) -> Change:
    """What makes the plane's labels show the mask.

    Where the object was and is no more, what lay beneath comes back. preserve: other objects keep
    their pixels; otherwise the mask is laid over them.
    """
    now = labels == outlook.number
    wanted = mask
    if preserve:
        wanted = mask & ((labels == 0) | now)
    wanted_new, gone = wanted & ~now, now & ~wanted
    values = np.where(wanted_new, labels.dtype.type(outlook.number), outlook.beneath)
    rows, columns = np.nonzero(wanted_new | gone)
    after = Outlook(outlook.number, outlook.start, outlook.beneath, wanted)
    return Change(rows, columns, values[rows, columns].astype(labels.dtype), after)
