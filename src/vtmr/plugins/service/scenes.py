"""A decoded image as a file: its pixels and all halvings, to be mapped rather than read.

Every process of the service maps the same file, so that an image is decoded once and lies in memory
once, whoever answers for it.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from vtmr.pyramid import Pyramid
from vtmr.types import Image, Predictor

_HEADER = struct.Struct("<8sII")
_MAGIC = b"vtmr-px1"
_SMALLEST = 128  # pixels: no crop asks for a level whose shorter side is below that


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """An image that is ready to be clicked on. prepared: what the predictor made of it."""

    image: Image
    prepared: Any

    @property
    def height(self) -> int:
        """In pixels."""
        return int(self.image.shape[0])

    @property
    def width(self) -> int:
        """In pixels."""
        return int(self.image.shape[1])


def scene_bytes(height: int, width: int) -> int:
    """What a scene of that size takes on disk."""
    sizes = [3 * rows * cols for rows, cols in _level_sizes(height, width)]
    return _HEADER.size + sum(sizes)


def write_scene(stream: BinaryIO, image: Image) -> None:
    """The image, uint8 H x W x 3, with its halvings."""
    pyramid = Pyramid(image)
    stream.write(_HEADER.pack(_MAGIC, pyramid.height, pyramid.width))
    for number, _ in enumerate(_level_sizes(pyramid.height, pyramid.width)):
        np.ascontiguousarray(pyramid.level(number)).tofile(stream)


def read_size(path: Path) -> tuple[int, int]:
    """Height and width of a written scene. Raises OSError."""
    with path.open("rb") as stream:
        _, height, width = _HEADER.unpack(stream.read(_HEADER.size))
    return int(height), int(width)


def open_scene(path: Path, predictor: Predictor) -> Scene:
    """Maps a written scene. Raises OSError."""
    with path.open("rb") as stream:
        # Never closed by us: the arrays hold it, and with the last of them it goes.
        mapped = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
    _, height, width = _HEADER.unpack_from(mapped)
    levels: list[NDArray[np.uint8]] = []
    place = _HEADER.size
    for rows, cols in _level_sizes(height, width):
        flat = np.frombuffer(mapped, np.uint8, 3 * rows * cols, place)
        levels.append(flat.reshape(rows, cols, 3))
        place += flat.size
    prepared = predictor.prepare(levels[0])
    if isinstance(prepared, Pyramid):
        # By itself it would halve the image again, in this process's own memory.
        prepared = Pyramid(levels[0], levels[1:])
    return Scene(levels[0], prepared)


def _level_sizes(height: int, width: int) -> Iterator[tuple[int, int]]:
    """Height and width of the image and of its halvings."""
    yield height, width
    while min(height, width) >= 2 * _SMALLEST:
        height, width = (height + 1) // 2, (width + 1) // 2
        yield height, width
