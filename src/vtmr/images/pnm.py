"""PBM, PGM and PPM, plain and raw, of any largest value; comments of any length cost no more than
their bytes.

Source: the Netpbm manual pages pbm(5), pgm(5), ppm(5).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

MAGICS = (b"P1", b"P2", b"P3", b"P4", b"P5", b"P6")

_MAX_HEADER = 1 << 20  # bytes: comments may be long, but not endless
_BAND_VALUES = 1 << 20  # that are read at a time
_SPACES = np.frombuffer(b" \t\r\n\v\f", np.uint8)
_TOKEN = re.compile(rb"(?:[ \t\r\n\v\f]|#[^\r\n]*[\r\n])*([^ \t\r\n\v\f#]{1,10})")


@dataclass(frozen=True, slots=True)
class Header:
    """A file's header. top: the largest value; start: where the values begin."""

    magic: bytes
    width: int
    height: int
    top: int
    start: int

    @property
    def depth(self) -> int:
        """Channels."""
        if self.magic in (b"P3", b"P6"):
            return 3
        return 1


def read_header(stream: BinaryIO) -> Header:
    """The header. Raises ValueError for one that breaks the rules or is longer than a megabyte."""
    stream.seek(0)
    text = stream.read(_MAX_HEADER)
    magic, place = text[:2], 2
    numbers = []
    names = ["width", "height", "top"]
    if magic in (b"P1", b"P4"):
        names.remove("top")  # bits have no largest value
    for name in names:
        token = _TOKEN.match(text, place)
        if token is None or not token[1].isdigit():
            raise ValueError(f"its header has no {name}")
        numbers.append(int(token[1]))
        place = token.end()
    width, height, top = [*numbers, 1][:3]
    if not width or not height or not 0 < top < 65536:
        raise ValueError(f"its header says {width}x{height} of values up to {top}")
    return Header(magic, width, height, top, place + 1)  # one white space


def read_pixels(stream: BinaryIO, header: Header) -> NDArray[Any]:
    """The values, uint8 or uint16 H x W or uint8 H x W x 3: as they are where the largest is 255 or
    the picture is grey and deep, else scaled to 255.

    Raises ValueError when there are too few, or values above the largest.
    """
    stream.seek(header.start)
    if header.magic == b"P4":
        return _bits(stream, header)
    deep = header.depth == 1 and header.top > 255
    dtype: Any = np.uint8
    if deep:
        dtype = np.uint16
    out: NDArray[Any] = np.empty((header.height, header.width, header.depth), dtype)
    if header.depth == 1:
        out = out[..., 0]
    bands = _raw(stream, header)
    if header.magic in (b"P1", b"P2", b"P3"):
        bands = _plain(stream, header)
    flat, place = out.reshape(-1), 0
    for band in bands:
        band = band[: flat.size - place]
        if band.size and int(band.max()) > header.top:
            raise ValueError(f"a value is above {header.top}, its largest")
        flat[place : place + band.size] = _scaled(band, header, deep)
        place += band.size
        if place == flat.size:
            break
    if place < flat.size:
        raise ValueError("it ends before its last pixel")
    return out


def _scaled(band: NDArray[Any], header: Header, deep: bool) -> NDArray[Any]:
    if header.magic == b"P1":
        return np.where(band == 0, 255, 0)  # 1 is black
    if deep or header.top == 255:
        return band
    return (band.astype(np.uint32) * 510 + header.top) // (2 * header.top)


def _bits(stream: BinaryIO, header: Header) -> NDArray[np.uint8]:
    """P4: eight pixels a byte, rows begin with a byte, 1 is black."""
    width = (header.width + 7) // 8
    data = np.frombuffer(stream.read(width * header.height), np.uint8)
    if data.size < width * header.height:
        raise ValueError("it ends before its last pixel")
    bits = np.unpackbits(data.reshape(header.height, width), axis=1, count=header.width)
    return (1 - bits) * np.uint8(255)


def _raw(stream: BinaryIO, header: Header) -> Iterator[NDArray[Any]]:
    """P5, P6: one byte a value, or two with the high one first."""
    form = ">u2" if header.top > 255 else "u1"
    size = np.dtype(form).itemsize
    while data := stream.read(_BAND_VALUES * size):
        yield np.frombuffer(data[: len(data) // size * size], form)


def _plain(stream: BinaryIO, header: Header) -> Iterator[NDArray[Any]]:
    """P1, P2, P3: decimal numbers between white space; P1's digits need none. Comments are left
    out."""
    rest = b""
    while data := stream.read(_BAND_VALUES):
        text = rest + data
        # A number or a comment that is cut goes on in the next band.
        end = max(text.rfind(space) for space in (b"\n", b"\r", b" ", b"\t")) + 1
        if b"#" in text:
            end = max(text.rfind(b"\n"), text.rfind(b"\r")) + 1
        rest = text[end:]
        if len(rest) > 64 * _BAND_VALUES:
            raise ValueError("a comment in it has no end")
        yield _numbers(text[:end], header)
    yield _numbers(rest, header)


def _numbers(text: bytes, header: Header) -> NDArray[Any]:
    """The numbers of a text. Raises ValueError for anything else."""
    text = re.sub(rb"#[^\r\n]*", b"", text)
    if header.magic == b"P1":
        digits = np.frombuffer(text, np.uint8)
        digits = digits[~np.isin(digits, _SPACES)]
        return digits - np.uint8(48)
    return np.array(text.split(), np.uint32) if text.strip() else np.empty(0, np.uint32)
