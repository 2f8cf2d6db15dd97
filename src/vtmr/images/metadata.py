"""What a file says beside its pixels: read here, in bounds, so that no decoder stumbles over it.

Text, colour profiles and EXIF are large or odd in many sound pictures. Of a PNG and a JPEG only the
parts that make the picture are shown to the decoder; which way up it is, and the labels of our own
masks, are read here.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import BinaryIO

Parts = list[tuple[int, int]]  # (offset, length) in the file, in order

LABELS = "vtmr:labels"
_PICTURE_CHUNKS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
_MAX_CHUNKS = 1_000_000  # of a PNG: each is a seek
_MAX_TEXT = 1 << 20  # bytes of a text that is looked at
_XMP = b"XML:com.adobe.xmp"
_RAW_EXIF = (b"Raw profile type exif", b"Raw profile type APP1")  # ImageMagick's
_MAX_ENTRIES = 4096  # of EXIF: cameras write some hundred
_ORIENTATION = 0x0112  # EXIF's tag


@dataclass
class Told:
    """What stands beside the pixels. orientation: EXIF's 1 to 8; labels: of an exported indexed
    PNG, as its JSON."""

    orientation: int = 1
    labels: str = ""
    texts: dict[bytes, bytes] = field(default_factory=dict)


def picture_parts(stream: BinaryIO, size: int, kind: str) -> tuple[Parts, Told]:
    """The parts of a PNG or a JPEG that make the picture, and what the others say.

    A file that breaks its format's rules is given whole: whether it can be read is the decoder's to
    say.
    """
    whole = [(0, size)]
    try:
        if kind == "PNG":
            return _png_parts(stream, size)
        if kind == "JPEG":
            return _jpeg_parts(stream, size)
    except (struct.error, ValueError, OSError):
        return whole, Told()
    return whole, Told()


def orientation_in(exif: bytes, xmp: bytes = b"") -> int:
    """The orientation that EXIF says, 1 to 8; where it says none XMP's, and 1 where nothing does.

    Nothing else of the EXIF is looked at. Source: EXIF 2.3, TIFF 6.0.
    """
    exif = exif.removeprefix(b"Exif\0\0")
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order:
        with suppress(struct.error):
            (start,) = struct.unpack_from(order + "I", exif, 4)
            (count,) = struct.unpack_from(order + "H", exif, start)
            for number in range(min(count, _MAX_ENTRIES)):
                place = start + 2 + 12 * number
                tag, form = struct.unpack_from(order + "HH", exif, place)
                if tag == _ORIENTATION:
                    width = {1: "B", 3: "H", 4: "I"}.get(form, "H")
                    (value,) = struct.unpack_from(order + width, exif, place + 8)
                    return value if 1 <= value <= 8 else 1
    found = re.search(rb'tiff:Orientation(?:="|>)([1-8])', xmp[:_MAX_TEXT])
    return int(found[1]) if found else 1


def _png_parts(stream: BinaryIO, size: int) -> tuple[Parts, Told]:
    """The critical chunks and the transparency. Source: PNG specification, third edition."""
    parts: Parts = [(0, 8)]
    told = Told()
    exif = b""
    for kind, start, length in _chunks(stream, size):
        if kind in _PICTURE_CHUNKS:
            _extend(parts, start, length + 12)
        elif kind == b"eXIf" and length <= _MAX_TEXT:
            exif = stream.read(length)
        elif kind in (b"tEXt", b"zTXt", b"iTXt"):
            _remember(told, kind, stream.read(min(length, _MAX_TEXT)))
    for name in _RAW_EXIF:
        exif = exif or _unpacked_profile(told.texts.get(name, b""))
    told.orientation = orientation_in(exif, told.texts.get(_XMP, b""))
    with suppress(UnicodeDecodeError):
        told.labels = told.texts.get(LABELS.encode(), b"").decode()
    return parts, told


def _chunks(stream: BinaryIO, size: int) -> Iterator[tuple[bytes, int, int]]:
    """Each chunk's type, where it starts and its data's length; the stream stands at its data."""
    place = 8
    for _ in range(_MAX_CHUNKS):
        stream.seek(place)
        head = stream.read(8)
        if len(head) < 8:
            return
        length, kind = struct.unpack(">I4s", head)
        yield kind, place, length
        place += length + 12
        if kind == b"IEND" or place > size:
            return
    raise ValueError("more chunks than any picture has")


def _extend(parts: Parts, start: int, length: int) -> None:
    """Adds a part, joined to the last one where that ends there."""
    offset, before = parts[-1]
    if offset + before == start:
        parts[-1] = (offset, before + length)
    else:
        parts.append((start, length))


def _remember(told: Told, kind: bytes, data: bytes) -> None:
    """Keeps a text of the few that are asked for; one that can't be unpacked is as none."""
    name, _, rest = data.partition(b"\0")
    if name not in (_XMP, LABELS.encode(), *_RAW_EXIF):
        return
    if kind == b"zTXt":
        rest = _inflated(rest[1:])
    elif kind == b"iTXt":
        packed = rest[:1] == b"\1"
        _, _, rest = rest[2:].partition(b"\0")  # the language
        _, _, rest = rest.partition(b"\0")  # the translated name
        rest = _inflated(rest) if packed else rest
    told.texts[name] = rest


def _inflated(data: bytes) -> bytes:
    with suppress(zlib.error):
        return zlib.decompressobj().decompress(data, _MAX_TEXT)
    return b""


def _unpacked_profile(text: bytes) -> bytes:
    """ImageMagick's profile: a name, a length and hexadecimal digits, a line each and more."""
    with suppress(ValueError):
        return bytes.fromhex(b"".join(text.split()[2:]).decode("ascii"))
    return b""


def _jpeg_parts(stream: BinaryIO, size: int) -> tuple[Parts, Told]:
    """All but the application segments and comments that say nothing of the pixels.

    JFIF's (0) and Adobe's (14) stay: they tell how colours are stored. Source: ITU-T T.81.
    """
    parts: Parts = [(0, 2)]
    exif = xmp = b""
    place = 2
    for _ in range(_MAX_CHUNKS):
        stream.seek(place)
        head = stream.read(4)
        if len(head) < 4 or head[0] != 0xFF or head[1] in (0x00, 0xFF):
            raise ValueError("no marker")
        marker, length = head[1], struct.unpack(">H", head[2:])[0] + 2
        if marker == 0xDA:  # the pixels
            _extend(parts, place, size - place)
            return parts, Told(orientation_in(exif, xmp))
        if marker in (0xE0, 0xEE) or not (0xE0 <= marker <= 0xEF or marker == 0xFE):
            _extend(parts, place, length)
        elif marker == 0xE1:
            data = stream.read(length - 4)
            if data.startswith(b"Exif\0\0"):
                exif = exif or data
            elif data.startswith(b"http://ns.adobe.com/xap/1.0/\0"):
                xmp = xmp or data
        place += length
    raise ValueError("more segments than any picture has")
