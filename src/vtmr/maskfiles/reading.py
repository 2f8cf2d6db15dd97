"""From a mask file to what it means: the one reader of masks, for every door of vtmr."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vtmr.errors import InputError
from vtmr.images.decoded import Decoded, require_integers
from vtmr.images.opening import MAX_PIXELS, Opened, opened, opened_bytes
from vtmr.maskfiles.colours import alpha_meaning, colour_meaning, palette_meaning
from vtmr.maskfiles.levels import Meaning, Values, levels_meaning
from vtmr.masks import Mask

Reading = Literal["auto", "labels", "any"]

_MAX_COLOURS = 65_535  # an index of 16 bits has no room for more


@dataclass(frozen=True, eq=False)
class MaskFile:
    """A mask file, read.

    values: H x W of whole numbers, 0 where there is no object; objects: the values that are, in
    order; ignored: bool H x W, pixels that are neither object nor background, None where there are
    none; names: what exported indexed PNGs call their objects, as JSON; notes: sentences on what
    was taken how where another reading was possible.
    """

    values: Values
    objects: tuple[int, ...]
    ignored: Mask | None
    names: str
    notes: tuple[str, ...]

    def mask(self, number: int) -> Mask:
        """One object, bool H x W."""
        return np.asarray(self.values == number)

    @property
    def everything(self) -> Mask:
        """All objects as one, bool H x W."""
        return np.asarray(self.values != 0)


def read_mask_file(
    path: str | Path, shape: tuple[int, int] | None = None, *, reading: Reading = "auto"
) -> MaskFile:
    """The objects in a mask file, upright; docs/files.md lists what is read as what.

    shape: the image's (height, width). reading: "auto" finds out what the values mean; "labels":
    every value or index but 0 is a label, 255 beside small ones is ignored; "any": whatever isn't
    zero in any channel is one object, indices of a palette included. Raises InputError for a file
    of another size, a JPEG, whose noise would become object, a photo, and as `read_image`.
    """
    with opened(path) as picture:
        return _mask_file(picture, shape, reading)


def read_mask_bytes(
    name: str, data: bytes, shape: tuple[int, int] | None = None, *, reading: Reading = "auto"
) -> MaskFile:
    """As `read_mask_file`, of a file's bytes. name: for sentences."""
    with opened_bytes(name, data) as picture:
        return _mask_file(picture, shape, reading)


@dataclass(frozen=True, eq=False)
class StoredValues:
    """What a file stores in each pixel, whatever it means.

    values: H x W, upright. colours: uint8 N x 3 by value, of a palette or of the pixels; None of a
    grey file. indexed: whether the values are a palette's indices.
    """

    values: Values
    colours: NDArray[np.uint8] | None
    indexed: bool

    def colour(self, value: int) -> tuple[int, int, int] | None:
        """The colour of a value, where it has one."""
        if self.colours is None or value >= len(self.colours):
            return None
        red, green, blue = self.colours[value].tolist()
        return red, green, blue


def read_stored(name: str, data: bytes, shape: tuple[int, int]) -> StoredValues:
    """The values of a mask file's bytes, for readers that know what they mean.

    Raises InputError for a file of another size, for floating-point values, and as
    `read_mask_file`.
    """
    with opened_bytes(name, data) as picture:
        _require_mask(picture, shape)
        decoded = picture.decode()
    require_integers(name, decoded)
    first = decoded.pixels.rows(0, 1)
    if decoded.palette is not None:
        return StoredValues(_whole(decoded, _as_is, np.uint8), decoded.palette[:, :3], True)
    if first.ndim == 2:
        dtype = first.dtype.newbyteorder("=")
        return StoredValues(_whole(decoded, _as_is, dtype), None, False)
    try:
        return StoredValues(*_colours(decoded), False)
    except InputError as error:
        raise InputError(f"{name} can't be read as a mask. {error}") from error


def _mask_file(picture: Opened, shape: tuple[int, int] | None, reading: Reading) -> MaskFile:
    _require_mask(picture, shape)
    decoded = picture.decode()
    names = picture.labels
    try:
        meaning = _meaning(decoded, reading, bool(names))
    except InputError as error:
        raise InputError(f"{picture.path} can't be read as a mask. {error}") from error
    notes = meaning.notes
    if decoded.several:
        notes = (f"It holds several pictures ({decoded.kind}): the first is taken.", *notes)
    return MaskFile(meaning.values, meaning.objects, meaning.ignored, names, notes)


def read_mask(path: str | Path, shape: tuple[int, int]) -> Mask:
    """All objects of a mask file as one bool H x W. Raises InputError as `read_mask_file`."""
    return read_mask_file(path, shape).everything


def _require_mask(picture: Opened, shape: tuple[int, int] | None) -> None:
    picture.require_size(MAX_PIXELS)
    if picture.kind == "JPEG":
        raise InputError(
            f"The mask {picture.path} is a JPEG, which blurs its edge: save it as PNG."
        )
    if shape is not None and (picture.height, picture.width) != shape:
        raise InputError(
            f"The mask {picture.path} is {picture.width}x{picture.height}: expected the image's "
            f"size {shape[1]}x{shape[0]} (width x height)."
        )


def _meaning(decoded: Decoded, reading: Reading, named: bool) -> Meaning:
    first = decoded.pixels.rows(0, 1)
    if reading == "any":
        return Meaning(_whole(decoded, _nonzero, np.uint8), (1,))
    if decoded.palette is not None:
        indices = _whole(decoded, _as_is, np.uint8)
        if reading == "labels":
            return levels_meaning(indices, labels=True)
        return palette_meaning(indices, decoded.palette, named)
    if first.ndim == 2:
        values = _whole(decoded, _as_is, first.dtype.newbyteorder("="))
        return levels_meaning(values, labels=reading == "labels")
    if first.shape[2] in (2, 4):
        alpha = _whole(decoded, lambda band: band[..., -1], np.uint8)
        if not (alpha == 255).all():
            return alpha_meaning(alpha, *_colours(decoded))
    index, colours = _colours(decoded)
    if reading == "labels" and (colours == colours[:, :1]).all():
        return levels_meaning(colours[:, 0][index], labels=True)
    return colour_meaning(index, colours)


def _colours(decoded: Decoded) -> tuple[Values, NDArray[np.uint8]]:
    """The picture's colours, N x 3, and which of them each pixel has, uint16 H x W upright.

    Raises InputError for more than 65,535.
    """
    seen = np.zeros(1 << 24, np.bool_)
    for _, band in decoded.bands():
        seen[_codes(band).reshape(-1)] = True
    codes = np.flatnonzero(seen)
    if codes.size > _MAX_COLOURS:
        raise InputError(
            f"It holds {codes.size:,} colours, as a photo does: expected a mask, with a colour an "
            "object."
        )
    table = np.zeros(1 << 24, np.uint16)
    table[codes] = np.arange(codes.size)
    index = _whole(decoded, lambda band: table[_codes(band)], np.uint16)
    return index, np.stack([codes >> 16, codes >> 8 & 255, codes & 255], axis=1).astype(np.uint8)


def _codes(band: Values) -> NDArray[np.uint32]:
    """Red, green and blue as one number."""
    if band.shape[2] == 2:
        return band[..., 0].astype(np.uint32) * 0x10101
    red, green, blue = (band[..., channel].astype(np.uint32) for channel in range(3))
    return np.asarray(red << 16 | green << 8 | blue, np.uint32)


def _nonzero(band: Values) -> NDArray[np.uint8]:
    """1 where any channel isn't zero and the alpha isn't."""
    if band.ndim == 2:
        return np.asarray(band != 0, np.uint8)
    if band.shape[2] in (2, 4):
        return np.asarray(band[..., :-1].any(axis=2) & (band[..., -1] != 0), np.uint8)
    return np.asarray(band.any(axis=2), np.uint8)


def _as_is(band: Values) -> Values:
    return band


def _whole(decoded: Decoded, of: Callable[[Values], Values], dtype: Any) -> Values:
    """One value a pixel, from bands to the whole picture, upright."""
    out, stored = decoded.upright(dtype)
    for top, band in decoded.bands():
        decoded.put(stored, top, np.asarray(of(band), dtype))
    return out
