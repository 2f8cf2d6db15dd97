"""MATLAB's files of format 5, read as a stream: damaged ones cost no memory and no crash, which
SciPy's reader doesn't promise."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import Any, BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

DAMAGE = (ValueError, struct.error, zlib.error, RecursionError)
HEADER, MATRIX, COMPRESSED = 128, 14, 15
CELL, STRUCT, CHARACTERS, SPARSE, NUMBERS = 1, 2, 4, 5, range(6, 16)
COMPLEX = 0x800  # the flag of a matrix with imaginary parts
TYPES = {1: "i1", 2: "u1", 3: "<i2", 4: "<u2", 5: "<i4", 6: "<u4", 7: "<f4", 9: "<f8", 16: "u1"}
TYPES |= {12: "<i8", 13: "<u8"}
LARGEST, MOST_KEPT = 16 * 2**20, 512 * 2**20  # bytes of one array, and of all
# Far beyond any file of SBD's: a bomb ends there.
MOST_PARTS, DEEPEST, LONGEST_NAME = 20_000, 16, 4096
LONGEST = 2**31  # bytes that a compressed part may stand for
CHUNK = 2**20  # bytes that are read or inflated at a time


class Source(Protocol):
    """Bytes in their order."""

    def read(self, count: int) -> bytes:
        """That many. Raises ValueError where they end before."""

    def skip(self, count: int) -> None:
        """Over that many. Raises ValueError where they end before."""


@dataclass(frozen=True, slots=True)
class Plain:
    """A file's own bytes."""

    file: BinaryIO

    def read(self, count: int) -> bytes:
        """See Source."""
        data = self.file.read(count)
        if len(data) != count:
            raise ValueError("it ends too early")
        return data

    def skip(self, count: int) -> None:
        """See Source. Read and dropped: to seek beyond a file's end is no error."""
        while count > 0:
            count -= len(self.read(min(count, CHUNK)))


class Inflated:
    """The bytes that a compressed part of a file stands for, never more of them than asked for."""

    def __init__(self, file: BinaryIO, length: int) -> None:
        self._file, self._left = file, length
        self._inflate = zlib.decompressobj()
        self._pending = b""
        self._total = 0

    def read(self, count: int) -> bytes:
        """See Source; what isn't asked for isn't inflated."""
        self._total += count
        if self._total > LONGEST:
            raise ValueError("a compressed part stands for too much")
        found = bytearray()
        while len(found) < count:
            if not self._pending and self._left:
                self._pending = Plain(self._file).read(min(self._left, CHUNK))
                self._left -= len(self._pending)
            part = self._inflate.decompress(self._pending, count - len(found))
            self._pending = self._inflate.unconsumed_tail
            if not part and not self._pending and (self._inflate.eof or not self._left):
                raise ValueError("a compressed part ends too early")
            found += part
        return bytes(found)

    def skip(self, count: int) -> None:
        """See Source."""
        while count > 0:
            count -= len(self.read(min(count, CHUNK)))


class Reader:
    """Turns a source into arrays, cells (lists) and structures (lists of dicts)."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.parts = self.kept = 0

    def tag(self) -> tuple[int, int, int]:
        """An element's type, its length in bytes and the padding behind it."""
        kind, length = struct.unpack("<II", self.source.read(8))
        return kind, length, -length % 8

    def element(self, most: int) -> tuple[int, bytes | None]:
        """An element's type and bytes, None where they are more than `most`."""
        head = self.source.read(8)
        kind, length = struct.unpack("<II", head)
        if kind >> 16:  # a short one, whose bytes are in the tag itself
            length = kind >> 16
            if length > 4:
                raise ValueError("a short element is too long")
            return kind & 0xFFFF, head[4 : 4 + length]
        if length > most:
            self.source.skip(length + -length % 8)
            return kind, None
        data = self.source.read(length)
        self.source.skip(-length % 8)
        return kind, data

    def small(self) -> bytes:
        """The bytes of an element that has to be short."""
        _, data = self.element(LONGEST_NAME)
        if data is None:
            raise ValueError("a name is too long")
        return data

    def matrix(self, depth: int = 0) -> tuple[str, Any]:
        """A matrix's name and value; None for what is skipped."""
        self.parts += 1
        if self.parts > MOST_PARTS or depth > DEEPEST:
            raise ValueError("it has too many parts")
        kind, length, _ = self.tag()
        if kind != MATRIX:
            raise ValueError(f"an element of type {kind} is where a matrix belongs")
        if not length:
            return "", None
        flags = struct.unpack("<II", self.small())[0]
        sides = np.frombuffer(self.small(), "<i4").astype(np.int64)
        if sides.size < 2 or sides.size > 8 or (sides < 0).any():
            raise ValueError("a matrix has impossible sides")
        # Multiplied as floats: of damaged sides the whole numbers may come round to a small one.
        name, count = self.small().decode("latin-1"), int(np.prod(sides.astype(np.float64)))
        what = flags & 0xFF
        if what in (CELL, STRUCT):
            if count > MOST_PARTS:
                raise ValueError("it has too many parts")
            if what == CELL:
                return name, self._cells(count, depth)
            return name, self._structures(count, depth)
        if what == SPARSE:  # places, columns and values: nothing that is wanted
            for _ in range(4 if flags & COMPLEX else 3):
                self.element(0)
            return name, None
        if (what != CHARACTERS and what not in NUMBERS) or flags & COMPLEX:
            raise ValueError(f"a matrix is of the unknown class {what}")
        return name, self._array(sides, what == CHARACTERS)

    def _cells(self, count: int, depth: int) -> list[Any]:
        return [self.matrix(depth + 1)[1] for _ in range(count)]

    def _structures(self, count: int, depth: int) -> list[dict[str, Any]]:
        (length,) = struct.unpack("<i", self.small())
        names = self.small()
        if length < 1 or len(names) % length:
            raise ValueError("the names of a structure are damaged")
        starts = range(0, len(names), length)
        keys = [names[i : i + length].split(b"\0")[0].decode("latin-1") for i in starts]
        found = []
        for _ in range(count):
            found.append({key: self.matrix(depth + 1)[1] for key in keys})
        return found

    def _array(self, sides: NDArray[np.int64], text: bool) -> Any:
        kind, data = self.element(LARGEST)
        if data is None:
            return None
        self.kept += len(data)
        if self.kept > MOST_KEPT:
            raise ValueError(f"it holds more than {MOST_KEPT >> 20} megabytes")
        if text:
            # In UTF-16 every other byte of Latin letters is 0.
            return data.replace(b"\0", b"").decode("latin-1")
        if kind not in TYPES:
            raise ValueError(f"an array is stored as the unknown type {kind}")
        values = np.frombuffer(data, TYPES[kind])
        if values.size != int(np.prod(sides)):
            raise ValueError(f"an array of {sides.tolist()} has {values.size} values")
        return values.reshape(sides.tolist(), order="F")


def read_variable(file: BinaryIO, wanted: str) -> Any:
    """The value of a variable: an array, a text, a list of a cell's or of a structure's parts.

    Arrays beyond LARGEST, sparse and empty ones are None. Raises one of DAMAGE where the file is
    damaged, of another kind or has no such variable.
    """
    header = Plain(file).read(HEADER)
    if header[124:128] != b"\x00\x01IM":
        raise ValueError("it isn't MATLAB's format 5")
    while True:
        start = file.tell()
        head = file.read(8)
        if len(head) < 8:
            raise ValueError(f"there is no variable {wanted!r} in it")
        kind, length = struct.unpack("<II", head)
        if kind == COMPRESSED:
            source: Source = Inflated(file, length)
        elif kind == MATRIX:
            file.seek(start)
            source = Plain(file)
        else:
            raise ValueError(f"an element of type {kind} is where a variable belongs")
        name, value = Reader(source).matrix()
        if name == wanted:
            return value
        # Compressed parts stand close together, all others begin at multiples of 8 bytes.
        file.seek(start + 8 + length + (-length % 8 if kind == MATRIX else 0))
