"""Reading protobuf messages by their wire format, without anybody's generated code or runtime.

Values stay where they are: what isn't a number is a view of the file's bytes, so that a message of
any size costs no more than it takes itself.
"""

from __future__ import annotations

from collections.abc import Iterator

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


def varint(data: memoryview, at: int) -> tuple[int, int]:
    """The base-128 number at `at`, and the position behind it.

    Raises ValueError for one longer than 64 bits, IndexError for one that the data cut off.
    """
    value = shift = 0
    # Seven bits a byte: ten bytes hold 64. A longer number would go on as long as the file does.
    while shift < 70:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise ValueError("a number is longer than 64 bits")


def fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """(field number, value) of one protobuf message; numbers for varints, views for everything
    else.

    Raises ValueError or IndexError when it isn't one.
    """
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        number, wire = key >> 3, key & 7
        if wire == VARINT:
            value, at = varint(data, at)
            yield number, value
            continue
        if wire == BYTES:
            length, at = varint(data, at)
        elif wire in (FIXED64, FIXED32):
            length = {FIXED64: 8, FIXED32: 4}[wire]
        else:
            raise ValueError(f"wire type {wire} is of no present version")
        # Before the slice: Python would shorten it without a word.
        if number == 0 or at + length > len(data):
            raise ValueError("a field runs past the end")
        yield number, data[at : at + length]
        at += length


def numbers(value: int | memoryview) -> list[int]:
    """Those of a repeated integer field, packed or one by one.

    Raises ValueError or IndexError for anything else.
    """
    if isinstance(value, int):
        return [value]
    found, at = [], 0
    while at < len(value):
        number, at = varint(value, at)
        found.append(number)
    return found
