"""What a viewer shows of a slice, as the picture that a model sees."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vtmr.errors import InputError
from vtmr.types import Image

_CHANNELS = (3, 4)  # red, green, blue, and perhaps alpha, which is left out


def as_rgb(
    values: NDArray[Any], limits: tuple[float, float] | None = None, *, rgb: bool = False
) -> Image:
    """A slice as uint8 H x W x 3.

    values: H x W, or H x W x 3 or 4 where `rgb` is true; of any type of numbers. limits: the values
    that are shown black and white, as the user set them; what lies beyond is cut. Without limits,
    and in colour, whole numbers are taken from their type's range and fractions from 0 to 1.

    Raises InputError for anything else.
    """
    wanted = 3 if rgb else 2
    if values.ndim != wanted or (rgb and values.shape[2] not in _CHANNELS) or not values.size:
        raise InputError(
            f"The slice has the shape {values.shape}: expected height x width"
            + (" x 3 or 4." if rgb else ".")
        )
    if values.dtype == np.bool_:
        values = values.astype(np.uint8) * np.uint8(255)
    if not (np.issubdtype(values.dtype, np.integer) or np.issubdtype(values.dtype, np.floating)):
        raise InputError(f"The image holds {values.dtype}: expected whole numbers or fractions.")
    if rgb:
        return np.ascontiguousarray(_scaled(values[..., :3], _range_of(values.dtype)))
    grey = _scaled(values, limits or _range_of(values.dtype))
    return np.ascontiguousarray(np.broadcast_to(grey[..., np.newaxis], (*grey.shape, 3)))


def _range_of(dtype: np.dtype[Any]) -> tuple[float, float]:
    if np.issubdtype(dtype, np.integer):
        found = np.iinfo(dtype)
        return max(0, found.min), found.max
    return 0.0, 1.0


def _scaled(values: NDArray[Any], limits: tuple[float, float]) -> NDArray[np.uint8]:
    """The values from black to white as 0 to 255; what is no number is black."""
    low, high = limits
    if values.dtype == np.uint8 and (low, high) == (0, 255):
        # There is nothing to scale: through float64 it would take eight times the memory.
        return np.asarray(values, np.uint8)
    span = float(high) - float(low) or 1.0
    shares = (values.astype(np.float64) - float(low)) / span
    whole = np.nan_to_num(shares, nan=0.0, posinf=1.0, neginf=0.0).clip(0, 1)
    return np.asarray(np.rint(whole * 255), np.uint8)
