"""The variables in a TensorFlow checkpoint (X.index beside X.data-00000-of-00001), without
TensorFlow; nothing is run.

The index is a sorted table: blocks of entries whose keys share beginnings with the one before, a
block that says where those blocks are, and a footer. An entry's value is a protobuf message: type
(1), shape (2), shard (3), offset (4), size (5) and CRC-32C (6) of a variable's bytes in the data
file.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vtmr.errors import CheckpointError
from vtmr.protobuf import fields, varint

MAGIC, FOOTER, TRAILER = 0xDB4775248B80FB57, 48, 5
LARGEST_INDEX, LARGEST_DATA = 64 * 2**20, 8 * 2**30  # bytes
MOST_VARIABLES, LONGEST_KEY = 10_000, 1024  # far beyond LD's file: a bomb ends there
FLOAT = 1  # TensorFlow's number for float32
INDEX, DATA = ".index", ".data-00000-of-00001"


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a variable's values are in the data file."""

    kind: int
    shape: tuple[int, ...]
    shard: int
    offset: int
    size: int
    crc: int | None


def prefix_of(path: Path) -> Path:
    """The name that a checkpoint's files begin with, from that or from one of the files."""
    name = path.name
    for suffix in (INDEX, DATA, ".meta"):
        name = name.removesuffix(suffix)
    return path.with_name(name)


def read_tensorflow(path: Path, most_bytes: int) -> dict[str, Tensor]:
    """All float32 variables by name, in their own order of axes; others are left out.

    path: the checkpoint's prefix or one of its files. most_bytes: how much one variable may have.
    Raises CheckpointError for a file that is missing, damaged or of another format.
    """
    prefix = prefix_of(path)
    # Not with_suffix: a prefix such as model-1.5 has a dot of its own.
    index, data = prefix.with_name(prefix.name + INDEX), prefix.with_name(prefix.name + DATA)
    try:
        entries = _entries(_whole(index, LARGEST_INDEX), index)
        with data.open("rb") as file:
            length = file.seek(0, 2)
            found = {}
            for name, entry in entries.items():
                if entry.kind != FLOAT:
                    continue
                _check_entry(name, entry, length, most_bytes)
                file.seek(entry.offset)
                found[name] = _variable(name, entry, file.read(entry.size))
    except OSError as error:
        raise CheckpointError(
            f"{prefix} can't be read as a TensorFlow checkpoint ({error.strerror or error}): "
            f"expected {index.name} and {data.name} beside each other."
        ) from error
    except (ValueError, IndexError, struct.error) as error:
        raise CheckpointError(
            f"{prefix} can't be read as a TensorFlow checkpoint ({error}): expected the files as "
            "their authors released them, whole."
        ) from error
    if not found:
        raise CheckpointError(f"{index} holds no variable of type float32.")
    return found


def _whole(path: Path, most: int) -> bytes:
    if path.stat().st_size > most:
        raise ValueError(f"{path.name} has more than {most} bytes")
    return path.read_bytes()


def _check_entry(name: str, entry: Entry, length: int, most: int) -> None:
    """Raises ValueError for a variable that the data file can't hold or nobody would want."""
    if entry.shard != 0:
        raise ValueError(f"{name!r} is in another data file than the first")
    if entry.size > most or entry.size != 4 * math.prod(entry.shape):
        raise ValueError(f"{name!r} of shape {entry.shape} has {entry.size} bytes")
    if entry.offset + entry.size > min(length, LARGEST_DATA):
        raise ValueError(f"{name!r} runs past the end of the data")


def _variable(name: str, entry: Entry, values: bytes) -> Tensor:
    if len(values) != entry.size:
        raise ValueError(f"{name!r} is cut off")
    if entry.crc is not None and masked_crc(values) != entry.crc:
        raise ValueError(f"the values of {name!r} don't match their checksum")
    array = np.frombuffer(values, "<f4").astype(np.float32)
    return torch.from_numpy(array.reshape(entry.shape))


def _entries(index: bytes, path: Path) -> dict[str, Entry]:
    """Every variable that the index lists. Raises ValueError, IndexError or struct.error."""
    if len(index) < FOOTER or struct.unpack("<Q", index[-8:])[0] != MAGIC:
        raise ValueError(f"{path.name} isn't such an index")
    footer = memoryview(index)[-FOOTER:]
    _, at = varint(footer, 0)  # the block of metadata, of which there are none
    _, at = varint(footer, at)
    offset, at = varint(footer, at)
    size, _ = varint(footer, at)
    found: dict[str, Entry] = {}
    for _, handle in _block(index, offset, size):
        start, at = varint(handle, 0)
        length, _ = varint(handle, at)
        for key, value in _block(index, start, length):
            if not key:  # sorted first, it describes the whole checkpoint
                _check_header(value)
                continue
            if len(found) == MOST_VARIABLES:
                raise ValueError(f"it lists more than {MOST_VARIABLES} variables")
            found[key.decode()] = _entry(value)
    return found


def _block(index: bytes, offset: int, size: int) -> Iterator[tuple[bytes, memoryview]]:
    """Keys and values of one block, whose checksum is looked at first."""
    if offset + size + TRAILER > len(index):
        raise ValueError("a block runs past the end")
    kind, checksum = struct.unpack_from("<BI", index, offset + size)
    if kind:
        raise ValueError("its index is compressed")
    if masked_crc(index[offset : offset + size + 1]) != checksum:
        raise ValueError("its index doesn't match its checksum")
    data = memoryview(index)[offset : offset + size]
    restarts = struct.unpack("<I", data[-4:])[0]
    # Behind the entries: places where keys are whole, for a search that isn't made here.
    end = size - 4 - 4 * restarts
    if end < 0:
        raise ValueError("a block is damaged")
    at, key = 0, b""
    while at < end:
        shared, at = varint(data, at)
        own, at = varint(data, at)
        length, at = varint(data, at)
        if shared > len(key) or shared + own > LONGEST_KEY or at + own + length > end:
            raise ValueError("an entry is damaged")
        key = key[:shared] + bytes(data[at : at + own])
        at += own
        yield key, data[at : at + length]
        at += length


def _check_header(value: memoryview) -> None:
    """Raises ValueError for several data files or the other order of bytes."""
    known = dict(fields(value))
    if known.get(1, 0) != 1:
        raise ValueError(f"its variables are in {known.get(1, 0)} data files instead of one")
    if known.get(2, 0) != 0:
        raise ValueError("its numbers are stored with their highest byte first")


def _entry(value: memoryview) -> Entry:
    numbers = {1: 0, 3: 0, 4: 0, 5: 0}
    shape: list[int] = []
    crc = None
    for number, part in fields(value):
        if number == 2 and isinstance(part, memoryview):
            for inner, side in fields(part):
                if inner == 2 and isinstance(side, memoryview):
                    shape.append(_side(side))
        elif number == 6 and isinstance(part, memoryview):
            crc = int(struct.unpack("<I", part)[0])
        elif number in numbers and isinstance(part, int):
            numbers[number] = part
        elif number == 7:
            raise ValueError("a variable is stored in slices")
    return Entry(numbers[1], tuple(shape), numbers[3], numbers[4], numbers[5], crc)


def _side(data: memoryview) -> int:
    side = dict(fields(data)).get(1, 0)
    if not isinstance(side, int) or not 0 < side < 2**31:
        raise ValueError(f"a side of a variable is {side!r}")
    return side


@cache
def _crc_table() -> tuple[int, ...]:
    """Of CRC-32C, by its reversed polynomial."""
    table = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            odd = value & 1
            value >>= 1
            if odd:
                value ^= 0x82F63B78
        table.append(value)
    return tuple(table)


def masked_crc(data: bytes) -> int:
    """CRC-32C as TensorFlow stores it: rotated, and a constant added."""
    table, value = _crc_table(), 0xFFFFFFFF
    for byte in data:
        value = table[(value ^ byte) & 0xFF] ^ (value >> 8)
    value ^= 0xFFFFFFFF
    return (((value >> 15) | (value << 17)) + 0xA282EAD8) & 0xFFFFFFFF
