"""Image files in and out, through Pillow: whatever a photo looks like on disk, vtmr sees uint8 H x
W x 3, RGB."""

from __future__ import annotations

import io
import struct
import threading
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, ImageOps, UnidentifiedImageError
from PIL import Image as pillow

from vtmr.atomic import write_atomically
from vtmr.errors import InputError

MAX_PIXELS = 150_000_000

# Only plain raster formats, the common ones first: Pillow would also hand an EPS file to
# Ghostscript.
_FORMATS = ("JPEG", "PNG", "BMP", "GIF", "PPM", "WEBP", "TIFF", "JPEG2000", "AVIF")
_NAMES = "JPEG, PNG, WebP, TIFF, BMP, GIF, PPM, JPEG 2000 or AVIF"
# What Pillow's decoders raise on damaged bytes, besides OSError.
_DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    LookupError,
    MemoryError,
    TypeError,
    RuntimeError,
    struct.error,
    zlib.error,
)
_pillow_limit = threading.Lock()
_without_limit: list[
    int | None
] = []  # what Pillow's own limit was, once for each file being opened


def read_image(path: str | Path, *, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """An image file as uint8 H x W x 3, RGB, turned upright as its EXIF orientation says.

    16-bit values keep their high byte; grey, palette and CMYK files become RGB; transparent ones
    are laid on white; of an animation the first frame is taken. The size is checked in the header,
    before anything is decoded. Raises InputError for a file that isn't there, is damaged, isn't an
    image or has more than `max_pixels` pixels.
    """
    with _opened(path) as image:
        _require_size(path, image, max_pixels)
        _decode(path, image)
        return _as_rgb(path, image)


def read_thumbnail(path: str | Path, side: int) -> NDArray[np.uint8]:
    """The image as `read_image` gives it, scaled down to at most side x side pixels.

    A JPEG is decoded only as finely as that needs. Raises InputError as `read_image`.
    """
    with _opened(path) as image:
        _require_size(path, image, MAX_PIXELS)
        image.draft(None, (2 * side, 2 * side))
        _decode(path, image)
        pixels = _as_rgb(path, image)
    shrink = max(1.0, max(pixels.shape[:2]) / side)
    size = max(1, round(pixels.shape[1] / shrink)), max(1, round(pixels.shape[0] / shrink))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


@dataclass(frozen=True, slots=True)
class Header:
    """What an image file says of itself before anything is decoded. height, width: upright; mode:
    Pillow's."""

    height: int
    width: int
    mode: str
    info: Mapping[Any, Any]


def read_header(path: str | Path) -> Header:
    """The header alone. Raises InputError as `read_image`."""
    with _opened(path) as image:
        _require_size(path, image, MAX_PIXELS)
        try:
            turned = image.getexif().get(ExifTags.Base.Orientation, 1) in (5, 6, 7, 8)
        except _DAMAGE as error:
            raise _damaged(path, error) from error
        width, height = (image.height, image.width) if turned else image.size
        return Header(height, width, image.mode, dict(image.info))


def read_mask(path: str | Path, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """A mask file as bool H x W: every pixel that is not zero is object.

    That holds for 0/1, 0/255, label images and palettes (by index) alike; in colour, any channel
    counts; where there is transparency, only pixels that aren't fully transparent. `shape` is the
    image's (height, width). Raises InputError for a damaged file, one of another size, and a JPEG,
    whose noise around zero would become object.
    """
    height, width = shape
    with _opened(path) as image:
        if image.format in ("JPEG", "MPO"):
            raise InputError(f"The mask {path} is a JPEG, which blurs its edge: save it as PNG.")
        size = f"{image.width}x{image.height}"
        if image.width * image.height == height * width:  # else don't even decode it
            _decode(path, image)
        if image.size != (width, height):
            raise InputError(
                f"The mask {path} is {size}: expected the image's size {width}x{height} (width x "
                "height)."
            )
        if image.mode != "P" and image.has_transparency_data:
            image = image.convert("RGBA")
        values = np.asarray(image)
        if values.ndim == 2:
            return np.asarray(values != 0)
        if image.mode in ("LA", "RGBA"):
            return np.asarray(values[..., :-1].any(axis=2) & (values[..., -1] != 0))
        return np.asarray(values.any(axis=2))


def read_values(path: str | Path, *, indices: bool = False) -> NDArray[np.uint8]:
    """A grey image, such as a label map or a mask of several values, as uint8 H x W; colour becomes
    grey.

    indices: of a palette image, take the indices and not the colours' grey. One bit becomes 0 and
    255. Raises InputError for a file that isn't there, is damaged, isn't an image or holds more
    than 8 bits a pixel.
    """
    with _opened(path) as image:
        _decode(path, image)
        if image.mode.startswith(("I", "F")):
            raise InputError(
                f"{path} holds more than 8 bits a pixel ({image.mode}): expected an 8-bit mask."
            )
        plain = image.mode == "L" or (indices and image.mode == "P")
        return np.array(image if plain else image.convert("L"), np.uint8)


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


@contextmanager
def _opened(path: str | Path) -> Iterator[pillow.Image]:
    """The image with its header read and nothing decoded."""
    try:
        with Path(path).open("rb") as stream:
            if not stream.peek(1):
                raise InputError(f"{path} is empty (zero bytes): expected an image.")
            try:
                image = _header(stream)
            except UnidentifiedImageError as error:
                raise InputError(
                    f"{path} is not an image that vtmr can read: expected {_NAMES}."
                ) from error
            except _DAMAGE as error:
                raise _damaged(path, error) from error
            with image:
                yield image
    except OSError as error:
        raise InputError(f"{path} can't be read: {error.strerror or error}.") from error


def _header(stream: object) -> pillow.Image:
    """Pillow's image without its own limit on pixels, which is lower than ours and warns before it
    refuses.

    Several files may be opened at once, so that a header that takes its time (megabytes of
    comments) holds up no other: the first lifts the limit, the last puts it back.
    """
    with _pillow_limit:
        _without_limit.append(pillow.MAX_IMAGE_PIXELS)
        pillow.MAX_IMAGE_PIXELS = None
    try:
        return pillow.open(stream, formats=_FORMATS)  # type: ignore[arg-type]
    finally:
        with _pillow_limit:
            limit = _without_limit.pop()
            if not _without_limit:
                pillow.MAX_IMAGE_PIXELS = limit


def _require_size(path: str | Path, image: pillow.Image, max_pixels: int) -> None:
    pixels = image.width * image.height
    if pixels > max_pixels:
        raise InputError(
            f"{path} has {image.width}x{image.height} = {pixels / 1e6:.1f} megapixels: expected at "
            "most "
            f"{max_pixels / 1e6:g}. Scale it down or raise the limit."
        )


def _decode(path: str | Path, image: pillow.Image) -> None:
    """Decodes the pixels and turns them upright, in place."""
    try:
        image.load()
        ImageOps.exif_transpose(image, in_place=True)
    except _DAMAGE as error:
        raise _damaged(path, error) from error


def _damaged(path: str | Path, error: BaseException) -> InputError:
    return InputError(f"{path} is damaged and can't be decoded: {error}. Fetch or export it again.")


def _as_rgb(path: str | Path, image: pillow.Image) -> NDArray[np.uint8]:
    """A decoded image of any mode as uint8 H x W x 3."""
    if image.mode.startswith("I"):  # 16 bits, or 32 that may hold 16
        values = np.asarray(image)
        if values.min() < 0 or values.max() > 65535:
            raise InputError(
                f"{path} holds 32-bit integers: expected 8 or 16 bits a channel. Convert it to "
                "those."
            )
        return np.repeat((values >> 8).astype(np.uint8)[..., None], 3, axis=2)
    if image.mode == "F":
        raise InputError(
            f"{path} holds floating-point values: expected 8 or 16 bits a channel. Convert it to "
            "those."
        )
    if image.has_transparency_data:
        white = pillow.new("RGBA", image.size, "white")
        image = pillow.alpha_composite(white, image.convert("RGBA"))
    return _as_array(image if image.mode == "RGB" else image.convert("RGB"))


def _as_array(image: pillow.Image) -> NDArray[np.uint8]:
    """Pillow's RGB (4 bytes a pixel inside) as H x W x 3, in bands that fit the cache: 4 times as
    fast as at once."""
    out = np.empty((image.height, image.width, 3), np.uint8)
    rows = max(1, 400_000 // image.width)
    for top in range(0, image.height, rows):
        band = out[top : top + rows]
        pixels = image.crop((0, top, image.width, top + len(band))).tobytes()
        band[...] = np.frombuffer(pixels, np.uint8).reshape(band.shape)
    return out
