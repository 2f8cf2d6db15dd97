"""From a path to a decoded picture: which format it is, how large, which way up, and its pixels.

The size is known before anything is decoded. What decoders do to damaged files is caught here, and
only here.
"""

from __future__ import annotations

import io
import struct
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO

from PIL import Image as pillow
from PIL.ImageFile import ImageFile
from PIL.TiffImagePlugin import TiffImageFile

from vtmr.errors import InputError
from vtmr.images import heif, pnm, webp
from vtmr.images.decoded import (
    ArrayPixels,
    Decoded,
    DeepPixels,
    PillowPixels,
    Pixels,
    bits_used,
    mode_for,
    palette_of,
    upright_shape,
)
from vtmr.images.metadata import orientation_in, picture_parts
from vtmr.images.silence import silence_libtiff, silence_pillow
from vtmr.images.stream import Spliced, plain_file

MAX_PIXELS = 150_000_000
# What a decoder holds at once would be gigabytes beyond these: 16 to 25 bytes for every pixel.
MAX_JPEG2000_TILE = 60_000_000
MAX_AVIF_PIXELS = 80_000_000

# Only plain raster formats: Pillow would also hand an EPS file to Ghostscript.
_MAGICS = (
    ("JPEG", b"\xff\xd8\xff"),
    ("PNG", b"\x89PNG\r\n\x1a\n"),
    ("BMP", b"BM"),
    ("GIF", b"GIF8"),
    ("TIFF", b"II*\0"),
    ("TIFF", b"MM\0*"),
    ("TIFF", b"II+\0"),
    ("TIFF", b"MM\0+"),
    ("JPEG2000", b"\xff\x4f\xff\x51"),
    ("JPEG2000", b"\0\0\0\x0cjP  \r\n\x87\n"),
    ("PPM", b"Pf"),
)
_PLUGINS = {
    "JPEG": "Jpeg",
    "PNG": "Png",
    "BMP": "Bmp",
    "GIF": "Gif",
    "PPM": "Ppm",
    "JPEG2000": "Jpeg2K",
    "AVIF": "Avif",
}
_NAMES = "JPEG, PNG, WebP, TIFF, BMP, GIF, PPM, JPEG 2000 or AVIF"
_AVIF_BRANDS = (b"avif", b"avis", b"mif1", b"msf1")
_MAX_FILE = 1 << 30  # bytes of a file that its decoder wants as a whole
_MAX_PAGES = 16
_REDUCED, _PHOTOMETRIC, _ORIENTATION = 254, 262, 274  # TIFF's tags

silence_pillow()


class _Tiff(TiffImageFile):
    """A TIFF that stays as it is stored: turning it, Pillow would write all of its tags anew, and
    odd ones can't be written."""

    def load_end(self) -> None:
        """Nothing is left to do."""


@dataclass(frozen=True, eq=False)
class Opened:
    """A file whose header is read. height, width: upright; labels: of an exported indexed PNG."""

    path: str | Path
    kind: str
    height: int
    width: int
    labels: str
    _load: Callable[[int | None], Decoded]

    def require_size(self, max_pixels: int) -> None:
        """Raises InputError for a picture of more than `max_pixels`."""
        pixels = self.width * self.height
        costly = self.kind in ("AVIF", "HEIF")
        most = min(max_pixels, MAX_AVIF_PIXELS) if costly else max_pixels
        whose = f" of an {self.kind}" if most < max_pixels else ""
        if pixels > most:
            raise InputError(
                f"{self.path} has {self.width}x{self.height} = {pixels / 1e6:.1f} megapixels: "
                f"expected at most {most / 1e6:g}{whose}. "
                "Scale it down or raise the limit."
            )

    def decode(self, side: int | None = None) -> Decoded:
        """The pixels. side: a JPEG no finer than 2 side x 2 side pixels need.

        Raises InputError when they are damaged.
        """
        try:
            return self._load(side)
        except InputError:
            raise
        except Exception as error:
            # Anything may come out of a decoder that stumbles over damaged bytes.
            raise _damaged(self.path, error) from error


@contextmanager
def opened(path: str | Path) -> Iterator[Opened]:
    """The file with its header read and nothing decoded.

    Raises InputError for what isn't there, isn't a file, is damaged or no image.
    """
    with plain_file(path) as stream:
        yield _recognised(path, stream)


@contextmanager
def opened_bytes(name: str, data: bytes) -> Iterator[Opened]:
    """As `opened`, of a file's bytes. name: what errors call it."""
    if not data:
        raise InputError(f"{name} is empty (zero bytes): expected {_NAMES}.")
    yield _recognised(name, io.BytesIO(data))


def decoded_by_pillow(name: str, image: pillow.Image, max_pixels: int) -> Decoded:
    """A picture that Pillow opened, and perhaps decoded.

    Raises InputError for one of no pixels or of more than `max_pixels`, before it is decoded, and
    for one that is damaged.
    """
    width, height = image.size
    if width * height == 0:
        raise InputError(f"{name} has {width}x{height} pixels: expected at least one.")
    orientation = orientation_in(image.info.get("exif", b""))
    rows, cols = upright_shape(height, width, orientation)

    def load(side: int | None) -> Decoded:
        image.load()
        pixels = PillowPixels(image, height, width, mode_for(image))
        return Decoded(image.format or "picture", pixels, orientation, palette_of(image))

    picture = Opened(name, image.format or "picture", rows, cols, "", load)
    picture.require_size(max_pixels)
    return picture.decode()


def _recognised(path: str | Path, stream: BinaryIO) -> Opened:
    size = stream.seek(0, io.SEEK_END)
    stream.seek(0)
    prefix = stream.read(32)
    kind = _kind(prefix)
    try:
        if kind == "PNM":
            return _open_pnm(path, stream)
        if kind == "WEBP":
            return _open_webp(path, stream, size)
        if kind == "HEIF":
            return _open_heif(path, stream, size)
        if kind is not None:
            return _open_with_pillow(path, stream, size, kind)
    except SyntaxError as error:  # Pillow's word for a form that it doesn't know
        raise InputError(
            f"{path} is not an image that vtmr can read ({kind}: {error}): expected {_NAMES}."
        ) from error
    except InputError:
        raise
    except Exception as error:
        raise _damaged(path, error) from error
    raise InputError(f"{path} is not an image that vtmr can read: expected {_NAMES}.")


def _kind(prefix: bytes) -> str | None:
    """The format by the first bytes: a file's name says nothing."""
    if prefix[:2] in pnm.MAGICS and prefix[2:3] in (b" ", b"\t", b"\n", b"\r", b"#"):
        return "PNM"
    if webp.is_webp(prefix):
        return "WEBP"
    if heif.is_heif(prefix):
        return "HEIF"
    if prefix[4:8] == b"ftyp" and prefix[8:12] in _AVIF_BRANDS:
        return "AVIF"
    return next((kind for kind, magic in _MAGICS if prefix.startswith(magic)), None)


def _damaged(path: str | Path, error: BaseException) -> InputError:
    reason = str(error) or type(error).__name__
    return InputError(
        f"{path} is damaged and can't be decoded: {reason}. Fetch or export it again."
    )


def _open_pnm(path: str | Path, stream: BinaryIO) -> Opened:
    header = pnm.read_header(stream)

    def load(side: int | None) -> Decoded:
        return Decoded("PPM", ArrayPixels(pnm.read_pixels(stream, header)))

    return Opened(path, "PPM", header.height, header.width, "", load)


def _open_webp(path: str | Path, stream: BinaryIO, size: int) -> Opened:
    _require_file_size(size)
    header = webp.read_header(stream, size)
    height, width = upright_shape(header.height, header.width, header.orientation)

    def load(side: int | None) -> Decoded:
        pixels = ArrayPixels(webp.read_pixels(stream, size))
        if (pixels.height, pixels.width) != (header.height, header.width):
            raise ValueError(f"its header says another size than {pixels.width}x{pixels.height}")
        return Decoded("WEBP", pixels, header.orientation, several=header.animated)

    return Opened(path, "WEBP", height, width, "", load)


def _open_heif(path: str | Path, stream: BinaryIO, size: int) -> Opened:
    _require_file_size(size)
    picture = heif.open_heif(path, stream, size)

    def load(side: int | None) -> Decoded:
        image = picture.decode()
        pixels = PillowPixels(image, picture.height, picture.width, mode_for(image))
        return Decoded("HEIF", pixels)

    return Opened(path, "HEIF", picture.height, picture.width, "", load)


def _open_with_pillow(path: str | Path, stream: BinaryIO, size: int, kind: str) -> Opened:
    parts, told = picture_parts(stream, size, kind)
    source = Spliced(stream, parts, whole=kind == "TIFF")
    if kind == "JPEG2000":
        _require_tiles(path, source)
    image = _plugin(kind)(_without_exif(source, size) if kind == "AVIF" else source, "")
    if isinstance(image, _Tiff):
        _skip_previews(image)
        orientation = _tag(image, _ORIENTATION, 1)
        width, height = image._tile_size
    else:
        orientation = told.orientation
        if "exif" in image.info:  # AVIF's, which Pillow makes from how the picture is to be turned
            orientation = orientation_in(image.info["exif"])
        width, height = image.size
    orientation = orientation if 1 <= orientation <= 8 else 1
    source.header = False
    rows, cols = upright_shape(height, width, orientation)

    def again() -> ImageFile:
        twin = _plugin(kind)(Spliced(stream, parts, whole=kind == "TIFF"), "")
        if isinstance(twin, _Tiff):
            _skip_previews(twin)
        return twin

    def load(side: int | None) -> Decoded:
        return _decode_with_pillow(image, again, kind, orientation, side)

    return Opened(path, kind, rows, cols, told.labels, load)


def _decode_with_pillow(
    image: ImageFile, again: Callable[[], ImageFile], kind: str, orientation: int, side: int | None
) -> Decoded:
    """The pixels. again: opens the same picture once more."""
    swapped = _other_byte(image)
    several = bool(getattr(image, "is_animated", False))
    if side is not None:
        image.draft(None, (2 * side, 2 * side))
    image.load()
    # AVIF's decoder and the bytes that it gave would stay as long as the picture.
    image.fp = None
    image.__dict__.pop("_decoder", None)
    width, height = image.im.size
    inverted = image.mode.startswith("I;16") and isinstance(image, _Tiff)
    pixels: Pixels = PillowPixels(image, height, width, mode_for(image))
    bits = bits_used(pixels) if swapped else 16
    if swapped and bits < 16:
        twin = again()
        twin.tile = [
            tile._replace(
                args=(swapped, *tile.args[1:]) if isinstance(tile.args, tuple) else swapped
            )
            for tile in twin.tile
        ]
        twin.load()
        pixels = DeepPixels(pixels, PillowPixels(twin, height, width, mode_for(twin)), bits)
    return Decoded(
        kind,
        pixels,
        orientation,
        palette_of(image),
        white_is_zero=inverted and _tag(image, _PHOTOMETRIC, 1) == 0,
        several=several,
    )


def _other_byte(image: ImageFile) -> str | None:
    """The form in which Pillow's decoder keeps the low byte of 16-bit colours, not the high one;
    None where a picture has no such colours."""
    forms = {_form(tile.args) for tile in image.tile}
    if image.mode not in ("RGB", "RGBA") or len(forms) != 1:
        return None
    stored, _, order = forms.pop().partition(";16")
    if order == "N":
        order = "L" if sys.byteorder == "little" else "B"
    return {"B": f"{stored};16L", "L": f"{stored};16B"}.get(order)


def _form(args: Any) -> str:
    """How a tile's pixels are stored, of what its decoder is told."""
    return str(args[0] if isinstance(args, tuple) else args)


def _plugin(kind: str) -> Callable[[Any, str], ImageFile]:
    """What makes Pillow's image of that format.

    Not Image.open: its limit on pixels, lower than ours, belongs to the process.
    """
    if kind == "TIFF":
        silence_libtiff()
        return _Tiff
    import_module(f"PIL.{_PLUGINS[kind]}ImagePlugin")
    return pillow.OPEN[kind][0]


def _tag(image: ImageFile, number: int, default: int) -> int:
    """A whole number among a TIFF's tags."""
    value = image.tag_v2.get(number, default) if isinstance(image, _Tiff) else default
    return value if isinstance(value, int) else default


def _skip_previews(image: _Tiff) -> None:
    """Goes on from a small preview, as cameras and scanners put it first, to the picture."""
    for page in range(1, _MAX_PAGES):
        if not _tag(image, _REDUCED, 0) & 1:
            return
        try:
            image.seek(page)
        except EOFError:
            break
    image.seek(0)


def _without_exif(source: Spliced, size: int) -> io.BytesIO:
    """An AVIF's bytes with its EXIF under another name: which way up it is stands elsewhere, and
    Pillow would write the EXIF anew, which fails where it is odd."""
    _require_file_size(size)
    data = source.read()
    head, media, rest = data.partition(b"mdat")
    return io.BytesIO(head.replace(b"Exif\0", b"Skip\0") + media + rest)


def _require_tiles(path: str | Path, source: Spliced) -> None:
    """Refuses JPEG 2000 whose tiles would take gigabytes to decode. Raises InputError."""
    head = source.read(1 << 16)
    source.seek(0)
    place = head.find(b"\xff\x4f\xff\x51")
    if place < 0 or len(head) < place + 42:
        return  # the decoder says what is wrong
    width, height, left, top, tile_width, tile_height = struct.unpack_from(">6I", head, place + 8)
    pixels = min(width - left, tile_width) * min(height - top, tile_height)
    if pixels > MAX_JPEG2000_TILE:
        raise InputError(
            f"{path} is a JPEG 2000 with {pixels / 1e6:.1f} megapixels in one tile: expected at "
            f"most {MAX_JPEG2000_TILE / 1e6:g}. Save it in tiles or in another format."
        )


def _require_file_size(size: int) -> None:
    if size > _MAX_FILE:
        raise ValueError(f"its {size / 1e9:.1f} GB are more than any picture of its format has")
