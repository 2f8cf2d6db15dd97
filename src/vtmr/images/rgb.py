"""A decoded picture as RGB: what colours, transparency, and more than 8 bits are shown as."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from vtmr.errors import InputError
from vtmr.images.decoded import Array, Decoded, least_depth, require_integers, turned

_SAMPLE = 1_000_000  # values from which a range is taken
_TAILS = (0.1, 99.9)  # percent: a few odd values don't darken all others


def as_rgb(path: str | Path, decoded: Decoded) -> NDArray[np.uint8]:
    """The whole picture, upright, uint8 H x W x 3. Raises InputError for values that can't be
    shown."""
    shown = Shown(path, decoded)
    out, stored = decoded.upright(np.uint8, 3)
    for top, band in decoded.bands():
        decoded.put(stored, top, shown(band))
    return out


def as_grey(path: str | Path, decoded: Decoded, *, indices: bool) -> NDArray[np.uint8]:
    """Grey values, or a palette's indices, upright, uint8 H x W; colours as Rec. 601 weighs them,
    alpha left out.

    Raises InputError for more than 8 bits a pixel.
    """
    first = decoded.pixels.rows(0, 1)
    if first.dtype.itemsize > 1:
        raise InputError(
            f"{path} holds more than 8 bits a pixel ({first.dtype}): expected an 8-bit mask."
        )
    greys = None
    if decoded.palette is not None and not indices:
        greys = np.zeros(256, np.uint8)
        colours = np.ascontiguousarray(decoded.palette[:, :3])
        greys[: len(colours)] = cv2.cvtColor(colours[None], cv2.COLOR_RGB2GRAY)[0]
    out, stored = decoded.upright(np.uint8)
    for top, band in decoded.bands():
        if greys is not None:
            band = greys[band]
        elif band.ndim == 3 and band.shape[2] == 2:
            band = band[..., 0]  # grey and alpha
        elif band.ndim == 3:
            colour = np.ascontiguousarray(band[..., :3])
            band = cv2.cvtColor(colour, cv2.COLOR_RGB2GRAY)
        decoded.put(stored, top, np.ascontiguousarray(band))
    return out


def deep_grey(path: str | Path, decoded: Decoded) -> Array | None:
    """Grey values of more than 8 bits as they are stored, upright, uint16 or int32 H x W, the
    larger the brighter; None for any other picture.

    Raises InputError for floating-point values and for integers beyond 16 bits.
    """
    require_integers(path, decoded)
    first = decoded.pixels.rows(0, 1)
    if first.ndim != 2 or first.dtype.itemsize == 1 or decoded.palette is not None:
        return None
    _grey_table(path, decoded)  # refuses what can't be shown
    white = np.iinfo(first.dtype).max if decoded.white_is_zero else 0
    out, stored = decoded.upright(first.dtype)
    for top, band in decoded.bands():
        decoded.put(stored, top, np.ascontiguousarray(band ^ white))
    return out


def thumbnail(path: str | Path, decoded: Decoded, side: int) -> NDArray[np.uint8]:
    """The same at most side x side pixels large, without the whole in between."""
    shown = Shown(path, decoded)
    height, width = decoded.pixels.height, decoded.pixels.width
    shrink = max(1.0, max(height, width) / side)
    step = max(1, int(shrink))
    small = []
    # First by whole numbers, band by band, then to the exact size: no two bands share a pixel.
    for _, band in decoded.bands(step):
        rows, cols = max(1, band.shape[0] // step), max(1, band.shape[1] // step)
        small.append(cv2.resize(shown(band), (cols, rows), interpolation=cv2.INTER_AREA))
    size = max(1, round(width / shrink)), max(1, round(height / shrink))
    whole = cv2.resize(np.concatenate(small), size, interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(turned(whole, decoded.orientation))


class Shown:
    """How a picture's rows become RGB: what only the whole picture tells is found out first."""

    def __init__(self, path: str | Path, decoded: Decoded) -> None:
        """Raises InputError for floating-point values and for integers beyond 16 bits."""
        require_integers(path, decoded)
        self._palette = None
        if decoded.palette is not None:
            colours = np.zeros((256, 4), np.uint8)
            colours[:, 3] = 255
            colours[: len(decoded.palette)] = decoded.palette
            self._palette = colours.view(np.uint32)[:, 0]  # a number each: looked up 4 times faster
        first = decoded.pixels.rows(0, 1)
        self._grey = None
        if first.ndim == 2 and first.dtype.itemsize > 1:
            self._grey = _grey_table(path, decoded)
        self._clear = _has_alpha(decoded, first) and _shows_anything(decoded)

    def __call__(self, band: Array) -> NDArray[np.uint8]:
        """uint8 h x w x 3."""
        if self._palette is not None:
            band = self._palette[band].view(np.uint8).reshape(*band.shape, 4)
        if band.ndim == 2 and self._grey is not None:
            band = self._grey(band)
        elif band.ndim == 3 and band.shape[2] in (2, 4):
            band = self._without_alpha(band)
        if band.ndim == 2 or band.shape[2] == 1:
            band = cv2.cvtColor(np.ascontiguousarray(band), cv2.COLOR_GRAY2RGB)
        return np.asarray(band, np.uint8)

    def _without_alpha(self, band: Array) -> Array:
        """What is seen of the colours: over white, or as they are where nothing would be seen."""
        if self._clear:
            return _on_white(band)
        return band[..., :-1]


def _has_alpha(decoded: Decoded, first: Array) -> bool:
    if decoded.palette is not None:
        return bool((decoded.palette[:, 3] < 255).any())
    return first.ndim == 3 and first.shape[2] in (2, 4)


def _shows_anything(decoded: Decoded) -> bool:
    """Whether any pixel isn't fully transparent: else the file's writer left the alpha empty, as
    BMPs of 32 bits have it, and the colours are meant."""
    for _, band in decoded.bands():
        if decoded.palette is None:
            alpha = band[..., -1]
        else:
            # A damaged file may have indices beyond its palette.
            alpha = decoded.palette[np.minimum(band, len(decoded.palette) - 1), 3]
        if alpha.any():
            return True
    return False


def _on_white(band: Array) -> NDArray[np.uint8]:
    """Colours over white, by the last channel, their share of 255."""
    alpha = band[..., -1:].astype(np.uint16)
    mixed = band[..., :-1] * alpha + 255 * (255 - alpha) + 127
    return (mixed // 255).astype(np.uint8)


def _grey_table(path: str | Path, decoded: Decoded) -> Callable[[Array], NDArray[np.uint8]]:
    """From grey values of more than 8 bits to those shown.

    Of 16 bits the high byte, or of fewer that are used the highest 8; where values are negative,
    all between the rare ones at both ends. Raises InputError beyond 16 bits.
    """
    lows, highs = [], []
    for _, band in decoded.bands():
        lows.append(int(band.min()))
        highs.append(int(band.max()))
    low, high = min(lows), max(highs)
    signed = -32768 <= low < 0 and high <= 32767
    unsigned = low >= 0 and high <= 65535
    if not signed and not unsigned:
        raise InputError(
            f"{path} holds 32-bit integers from {low} to {high}: expected 8 or 16 bits a channel. "
            "Convert it to those."
        )
    if low < 0:
        return _stretched(decoded)
    bits, inverted = least_depth(high), 0
    if decoded.white_is_zero:
        inverted = (1 << bits) - 1

    def shown(band: Array) -> NDArray[np.uint8]:
        return ((band ^ inverted) >> (bits - 8)).astype(np.uint8)

    return shown


def _stretched(decoded: Decoded) -> Callable[[Array], NDArray[np.uint8]]:
    """Linear, from black at the lowest values to white at the highest."""
    every = max(1, round((decoded.pixels.height * decoded.pixels.width / _SAMPLE) ** 0.5))
    sample = [band[::every, ::every].reshape(-1) for _, band in decoded.bands()]
    low, high = np.percentile(np.concatenate(sample), _TAILS)

    def shown(band: Array) -> NDArray[np.uint8]:
        share = (band.astype(np.float32) - low) / max(high - low, 1)
        return np.asarray(np.clip(255 * share + 0.5, 0, 255), np.uint8)

    return shown
