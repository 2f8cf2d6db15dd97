"""Image files in and out: whatever a photo looks like on disk, vtmr sees uint8 H x W x 3, RGB.

What each format is read as is listed for users in docs/files.md.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as pillow

from vtmr.atomic import write_atomically
from vtmr.errors import InputError
from vtmr.images.heif import reads_heif
from vtmr.images.opening import MAX_PIXELS, decoded_by_pillow, opened, opened_bytes
from vtmr.images.rgb import as_grey, as_rgb, deep_grey, thumbnail

__all__ = [
    "MAX_PIXELS",
    "Header",
    "decode_image",
    "image_of_pillow",
    "read_deep_grey",
    "read_header",
    "read_image",
    "read_thumbnail",
    "read_values",
    "reads_heif",
    "write_png",
]


def read_image(path: str | Path, *, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """An image file as uint8 H x W x 3, RGB, turned upright as its EXIF orientation says.

    Of 16-bit values the high byte is kept, of 10, 12 or 14 bits stored in 16 their highest 8;
    negative ones are shown from the lowest to the highest; grey, palette and CMYK files become RGB;
    transparent ones are laid on white, unless nothing at all would be seen; of an animation or of
    pages the first is taken. The size is checked in the header, before anything is decoded.

    Args:
        path: JPEG, PNG, WebP, TIFF, BMP, GIF, PPM, JPEG 2000 or AVIF.
        max_pixels: The most pixels that are read.

    Raises:
        InputError: For a file that isn't there, is no file, is damaged, isn't an image or has more
            pixels.
    """
    with opened(path) as picture:
        picture.require_size(max_pixels)
        return as_rgb(path, picture.decode())


def decode_image(
    data: bytes, name: str = "The image", *, max_pixels: int = MAX_PIXELS
) -> NDArray[np.uint8]:
    """A file's bytes as `read_image` gives the file. name: what errors call it.

    Raises InputError as `read_image`.
    """
    with opened_bytes(name, data) as picture:
        picture.require_size(max_pixels)
        return as_rgb(name, picture.decode())


def image_of_pillow(
    picture: pillow.Image, name: str = "The image", *, max_pixels: int = MAX_PIXELS
) -> NDArray[np.uint8]:
    """A picture that another program opened with Pillow, as `read_image` would give it.

    Turned upright where its EXIF still says so; of 16-bit colours Pillow keeps 8 bits by itself.
    name: what errors call it. Raises InputError as `read_image`.
    """
    return as_rgb(name, decoded_by_pillow(name, picture, max_pixels))


def read_thumbnail(path: str | Path, side: int) -> NDArray[np.uint8]:
    """The image as `read_image` gives it, scaled down to at most side x side pixels.

    A JPEG is decoded only as finely as that needs. Raises InputError as `read_image`.
    """
    with opened(path) as picture:
        picture.require_size(MAX_PIXELS)
        return thumbnail(path, picture.decode(side), side)


def read_deep_grey(path: str | Path) -> NDArray[Any] | None:
    """A grey image of more than 8 bits as its values, uint16 or int32 H x W, upright; None for any
    other. Raises InputError as `read_image`."""
    with opened(path) as picture:
        picture.require_size(MAX_PIXELS)
        return deep_grey(path, picture.decode())


def read_values(path: str | Path, *, indices: bool = False) -> NDArray[np.uint8]:
    """A grey image as uint8 H x W, upright, where a data set says what its values mean; colour
    becomes grey.

    indices: of a palette image, take the indices and not the colours' grey. One bit becomes 0 and
    255. Raises InputError as `read_image`, and for more than 8 bits a pixel.
    """
    with opened(path) as picture:
        picture.require_size(MAX_PIXELS)
        return as_grey(path, picture.decode(), indices=indices)


@dataclass(frozen=True, slots=True)
class Header:
    """What an image file says of itself before anything is decoded. height, width: upright."""

    height: int
    width: int


def read_header(path: str | Path) -> Header:
    """The header alone. Raises InputError as `read_image`."""
    with opened(path) as picture:
        picture.require_size(MAX_PIXELS)
        return Header(picture.height, picture.width)


def write_png(path: str | Path, array: NDArray[np.uint8] | NDArray[np.bool_]) -> None:
    """Writes a bool mask H x W (as 0 and 255) or a uint8 image, H x W or H x W x 3 (RGB), as PNG.

    All or nothing (`vtmr.atomic`). Raises InputError when the path can't be written or doesn't end
    in .png.
    """
    if Path(path).suffix.lower() != ".png":
        raise InputError(f"{path} would hold a PNG: give it a name that ends in .png.")
    values = array.astype(np.uint8) * 255 if array.dtype == np.bool_ else array
    stream = io.BytesIO()
    pillow.fromarray(np.ascontiguousarray(values)).save(stream, "PNG", compress_level=3)
    write_atomically(path, stream.getvalue())
