"""Windows on images of more than 8 bits: which of their values are shown from black to white.

What the network sees, and so every mask, doesn't depend on them.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vtmr.app.project import Entry
from vtmr.errors import InputError
from vtmr.images import read_deep_grey
from vtmr.pyramid import Pyramid

_KEPT = 2  # pyramids: the one that is shown, and the one that it takes the place of
_USUAL = (0.1, 99.9)  # percent: the window that leaves out a few odd values
_SAMPLE = 1_000_000  # values that it is found from


@dataclass(frozen=True, slots=True, eq=False)
class Values:
    """The values of an image. low, high: of all; usual: a window on all but the rarest."""

    of: tuple[str, str]
    values: NDArray[Any]
    low: int
    high: int
    usual: tuple[int, int]

    def to_json(self) -> dict[str, Any]:
        return {"low": self.low, "high": self.high, "usual": list(self.usual)}


class Windows:
    """The values of the image that was asked for last, and pyramids of them. Thread-safe."""

    def __init__(self) -> None:
        self._mutex = threading.RLock()
        self._values: Values | None = None
        self._pyramids: OrderedDict[tuple[str, str, int, int], Pyramid] = OrderedDict()

    def values(self, entry: Entry, version: str) -> Values | None:
        """None for an image of 8 bits, or in colour. Raises InputError as `read_image`."""
        with self._mutex:
            if self._values is None or self._values.of != (entry.name, version):
                self._values = None
                self._values = _read(entry, version)
            return self._values

    def pyramid(self, entry: Entry, version: str, low: int, high: int) -> Pyramid:
        """The image with black up to `low` and white from `high` on.

        Raises InputError where it has no more than 8 bits, and as `read_image`.
        """
        key = (entry.name, version, low, high)
        with self._mutex:  # a view's tiles are asked for together, and all wait for the same one
            if key in self._pyramids:
                return self._pyramids[key]
            values = self.values(entry, version)
            if values is None:
                raise InputError(
                    f"{entry.name} has 8 bits or is in colour: there is no window on it."
                )
            shown = _windowed(values.values, low, high)
            grey = np.asarray(cv2.cvtColor(shown, cv2.COLOR_GRAY2RGB), np.uint8)
            pyramid = self._pyramids[key] = Pyramid(grey)
            while len(self._pyramids) > _KEPT:
                self._pyramids.popitem(last=False)
            return pyramid


def _read(entry: Entry, version: str) -> Values | None:
    with entry.opened() as path:
        values = read_deep_grey(path)
    if values is None:
        return None
    every = max(1, round((values.size / _SAMPLE) ** 0.5))
    usual = np.percentile(values[::every, ::every], _USUAL)
    ends = int(values.min()), int(values.max())
    return Values((entry.name, version), values, *ends, (round(usual[0]), round(usual[1])))


def _windowed(values: NDArray[Any], low: int, high: int) -> NDArray[np.uint8]:
    """uint8 H x W, linear between, in bands: a float image of the whole would be large."""
    shown = np.empty(values.shape, np.uint8)
    rows = max(1, _SAMPLE // max(values.shape[1], 1))
    for top in range(0, values.shape[0], rows):
        band = values[top : top + rows].astype(np.float32)
        share = (band - low) / max(high - low, 1)
        shown[top : top + rows] = np.clip(255 * share + 0.5, 0, 255)
    return shown
