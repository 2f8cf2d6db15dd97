"""Decoded pictures as arrays, band by band: what a file holds, before anybody says what it means.

Bands keep memory low: a decoder holds a picture once already, and a second whole copy of it in
another form would be more than the picture itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as pillow

from vtmr.errors import InputError

Array = NDArray[Any]

DEPTHS = (8, 10, 12, 14)  # bits that cameras and microscopes store in 16
_BAND_PIXELS = 400_000  # fits the cache: 4 times as fast as the whole image at once
_TURNS: dict[int, tuple[bool, int | None]] = {  # EXIF: rows and columns swapped, then cv2's flip
    2: (False, 1),
    3: (False, -1),
    4: (False, 0),
    5: (True, None),
    6: (True, 1),
    7: (True, -1),
    8: (True, 0),
}


class Pixels(Protocol):
    """A decoded picture as it is stored, not yet upright."""

    @property
    def height(self) -> int:
        """Rows."""
        ...

    @property
    def width(self) -> int:
        """Columns."""
        ...

    def rows(self, top: int, bottom: int) -> Array:
        """Rows of a grey (h x w of uint8, uint16, int32 or float32), grey and alpha (x 2), RGB (x
        3) or RGBA (x 4) picture; of a palette's the indices."""
        ...


@dataclass(frozen=True, eq=False)
class Decoded:
    """A picture as a file holds it.

    kind: the format. orientation: EXIF's. palette: uint8 N x 4, RGBA, of the indices.
    white_is_zero: of 16-bit TIFF, which the decoder leaves as it is. several: whether the file
    holds more pictures than this one.
    """

    kind: str
    pixels: Pixels
    orientation: int = 1
    palette: NDArray[np.uint8] | None = None
    white_is_zero: bool = False
    several: bool = False

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width), upright."""
        return upright_shape(self.pixels.height, self.pixels.width, self.orientation)

    def bands(self, multiple: int = 1) -> Iterator[tuple[int, Array]]:
        """(first row, rows) from the top, as stored; each but the last of a multiple of rows."""
        step = max(multiple, _BAND_PIXELS // max(self.pixels.width, 1) // multiple * multiple)
        for top in range(0, self.pixels.height, step):
            yield top, self.pixels.rows(top, min(top + step, self.pixels.height))

    def upright(self, dtype: Any, depth: int = 0) -> tuple[Array, Array]:
        """An array for the whole picture, upright, and a view of it in the order of the file."""
        shape: tuple[int, ...] = self.shape
        if depth:
            shape = (*shape, depth)
        out = np.empty(shape, dtype)
        # A view of the upright array in stored order is it turned back: quarter turns swap.
        return out, _turned_view(out, {6: 8, 8: 6}.get(self.orientation, self.orientation))

    def put(self, stored: Array, top: int, band: Array) -> None:
        """Writes a band into the view that `upright` gave."""
        place = _turned_view(stored[top : top + len(band)], self.orientation)
        place[...] = turned(band, self.orientation).reshape(place.shape)


def turned(array: Array, orientation: int) -> Array:
    """A copy of the array turned as EXIF's orientation says, or the array where that is upright."""
    swapped, flip = _TURNS.get(orientation, (False, None))
    if swapped:
        array = cv2.transpose(array)
    if flip is not None:
        array = cv2.flip(array, flip)
    return array


def upright_shape(height: int, width: int, orientation: int) -> tuple[int, int]:
    """(height, width) once a picture is turned as EXIF says."""
    swapped, _ = _TURNS.get(orientation, (False, None))
    if swapped:
        return width, height
    return height, width


@dataclass(frozen=True, eq=False)
class ArrayPixels:
    """A picture in one array."""

    array: Array

    @property
    def height(self) -> int:
        """Rows."""
        return int(self.array.shape[0])

    @property
    def width(self) -> int:
        """Columns."""
        return int(self.array.shape[1])

    def rows(self, top: int, bottom: int) -> Array:
        """See Pixels."""
        return self.array[top:bottom]


@dataclass(frozen=True, eq=False)
class PillowPixels:
    """A picture that Pillow decoded. mode: which of its modes the rows are given in."""

    image: pillow.Image
    height: int
    width: int
    mode: str

    def rows(self, top: int, bottom: int) -> Array:
        """See Pixels."""
        band = self.image.crop((0, top, self.width, bottom))
        if band.mode != self.mode:
            band = band.convert(self.mode)
        dtype, depth = _LAYOUTS[self.mode]
        shape: tuple[int, ...] = (bottom - top, self.width)
        if depth > 1:
            shape = (*shape, depth)
        return np.frombuffer(band.tobytes(), dtype).reshape(shape)


@dataclass(frozen=True, eq=False)
class DeepPixels:
    """A picture of 16-bit colours of which fewer bits are used, in the highest 8 of these.

    high, low: the bytes of its values; alpha keeps its high byte.
    """

    high: Pixels
    low: Pixels
    bits: int

    @property
    def height(self) -> int:
        """Rows."""
        return self.high.height

    @property
    def width(self) -> int:
        """Columns."""
        return self.high.width

    def rows(self, top: int, bottom: int) -> Array:
        """See Pixels."""
        high, low = self.high.rows(top, bottom), self.low.rows(top, bottom)
        shown = ((high.astype(np.uint16) << 8 | low) >> (self.bits - 8)).astype(np.uint8)
        shown[..., 3:] = high[..., 3:]
        return shown


def bits_used(high: Pixels) -> int:
    """How many bits colours stored in 16 use: 8, 10, 12 or 14, else 16. high: their high bytes."""
    most = 0
    # In bands, as pictures that use all 16 bits are mostly known by their first rows.
    for top in range(0, high.height, 256):
        most = max(most, int(high.rows(top, min(top + 256, high.height))[..., :3].max()))
        if most >> (DEPTHS[-1] - 8):
            return 16
    return least_depth(most << 8)


def least_depth(value: int) -> int:
    """The smallest depth that cameras store which has the value: 8, 10, 12 or 14, else 16 bits."""
    for bits in DEPTHS:
        if value < 1 << bits:
            return bits
    return 16


_LAYOUTS: dict[str, tuple[str, int]] = {
    "L": ("u1", 1),
    "P": ("u1", 1),
    "LA": ("u1", 2),
    "RGB": ("u1", 3),
    "RGBA": ("u1", 4),
    "I;16": ("<u2", 1),
    "I;16L": ("<u2", 1),
    "I;16B": (">u2", 1),
    "I;16N": ("=u2", 1),
    "I": ("=i4", 1),
    "F": ("=f4", 1),
}


def mode_for(image: pillow.Image) -> str:
    """In which mode a picture's rows are read: its own where arrays have it, else one that loses
    nothing of it."""
    mode = image.mode
    if mode in ("I;16", "I;16L", "I;16B", "I;16N", "I", "F", "P", "LA", "RGBA"):
        return mode
    if image.has_transparency_data:
        return "RGBA"
    if mode in ("1", "L"):
        return "L"
    return "RGB"


def palette_of(image: pillow.Image) -> NDArray[np.uint8] | None:
    """The palette of a P image as RGBA, uint8 N x 4: transparent where the file says so."""
    if image.mode != "P" or image.palette is None:
        return None
    colours = np.array(image.getpalette("RGBA"), np.uint8).reshape(-1, 4)[:256]
    clear = image.info.get("transparency")
    if isinstance(clear, int) and 0 <= clear < len(colours):
        colours[clear, 3] = 0
    elif isinstance(clear, bytes):
        alpha = np.frombuffer(clear[: len(colours)], np.uint8)
        colours[: len(alpha), 3] = alpha
    return colours


def require_integers(path: object, decoded: Decoded) -> None:
    """Refuses floating-point values, whose range nothing tells. Raises InputError."""
    if decoded.pixels.rows(0, 1).dtype.kind == "f":
        raise InputError(
            f"{path} holds floating-point values: expected 8 or 16 bits a channel. Convert it to "
            "those."
        )


def _turned_view(array: Array, orientation: int) -> Array:
    """The array turned as EXIF's orientation says, without copying it."""
    swapped, flip = _TURNS.get(orientation, (False, None))
    if swapped:
        array = array.swapaxes(0, 1)
    # cv2's numbers: 0 turns rows about, 1 columns, -1 both.
    if flip in (0, -1):
        array = array[::-1]
    if flip in (1, -1):
        array = array[:, ::-1]
    return array
