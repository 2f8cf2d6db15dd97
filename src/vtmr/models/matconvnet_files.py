"""VGG-19 from MatConvNet's file (imagenet-vgg-verydeep-19.mat): MATLAB's format 5, read as a
stream.

Only what a convolution needs is kept: arrays beyond LARGEST are skipped, as are the classifier's,
so that half a gigabyte of file costs as much memory as the weights that are wanted.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vtmr.errors import CheckpointError

HEADER, MATRIX, COMPRESSED = 128, 14, 15
CELL, STRUCT, CHARACTERS, NUMBERS = 1, 2, 4, range(6, 16)
COMPLEX = 0x800
TYPES = {1: "i1", 2: "u1", 3: "<i2", 4: "<u2", 5: "<i4", 6: "<u4", 7: "<f4", 9: "<f8", 16: "u1"}
LARGEST, MOST_KEPT = 16 * 2**20, 512 * 2**20  # bytes of one array, and of all
MOST_PARTS, DEEPEST, LONGEST_NAME = 20_000, 16, 4096
LONGEST = 2**31  # bytes that a compressed part may stand for
CHUNK = 2**20


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
        data = self.file.read(count)
        if len(data) != count:
            raise ValueError("it ends too early")
        return data

    def skip(self, count: int) -> None:
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
        name, count = self.small().decode("latin-1"), int(np.prod(sides.astype(np.float64)))
        what = flags & 0xFF
        if what in (CELL, STRUCT):
            if count > MOST_PARTS:
                raise ValueError("it has too many parts")
            inner = self._cells if what == CELL else self._structures
            return name, inner(count, depth)
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
            raise ValueError("it holds more than the weights of a VGG-19")
        if text:
            return data.replace(b"\0", b"").decode("latin-1")
        if kind not in TYPES:
            raise ValueError(f"an array is stored as the unknown type {kind}")
        values = np.frombuffer(data, TYPES[kind])
        if values.size != int(np.prod(sides)):
            raise ValueError(f"an array of {sides.tolist()} has {values.size} values")
        return values.reshape(sides.tolist(), order="F")


def read_vgg(path: Path) -> dict[str, Tensor]:
    """vgg.LAYER.weight, outputs x inputs x height x width, and vgg.LAYER.bias, of all convolutions.

    Raises CheckpointError for a file that is missing, damaged or of another kind.
    """
    try:
        with path.open("rb") as file:
            layers = _variable(file, "layers")
        found: dict[str, Tensor] = {}
        for layer in layers if isinstance(layers, list) else []:
            found |= _convolution(layer)
    except OSError as error:
        raise CheckpointError(f"{path} can't be read: {error.strerror or error}.") from error
    except (ValueError, struct.error, zlib.error) as error:
        raise CheckpointError(
            f"{path} can't be read as MatConvNet's VGG-19 ({error}): expected "
            "imagenet-vgg-verydeep-19.mat as its authors released it, whole."
        ) from error
    if not found:
        raise CheckpointError(f"{path} holds no convolutions: expected MatConvNet's VGG-19.")
    return found


def _variable(file: BinaryIO, wanted: str) -> Any:
    """The value of a variable. Raises ValueError where there is none."""
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
        file.seek(start + 8 + length + (-length % 8 if kind == MATRIX else 0))


def _convolution(layer: Any) -> dict[str, Tensor]:
    """One layer's weights by our names; none for layers that aren't convolutions."""
    if not (isinstance(layer, list) and len(layer) == 1 and isinstance(layer[0], dict)):
        raise ValueError("a layer is no structure")
    values = layer[0]
    name, weights = values.get("name"), values.get("weights")
    if weights is None:  # in files of before 2015
        weights = [values.get("filters"), values.get("biases")]
    if not isinstance(name, str) or not name.startswith("conv"):
        return {}
    if not isinstance(weights, list) or len(weights) < 2:
        raise ValueError(f"the layer {name!r} has no weights")
    filters, biases = weights[:2]
    if not isinstance(filters, np.ndarray) or not isinstance(biases, np.ndarray):
        raise ValueError(f"the layer {name!r} has no weights")
    if filters.ndim != 4:
        raise ValueError(f"the filters of {name!r} have the sides {filters.shape}")
    ours = np.ascontiguousarray(filters.transpose(3, 2, 0, 1), np.float32)
    return {
        f"vgg.{name}.weight": torch.from_numpy(ours),
        f"vgg.{name}.bias": torch.from_numpy(biases.astype(np.float32).reshape(-1)),
    }
