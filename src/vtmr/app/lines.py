"""Records as lines of JSON with a checksum, so that a changed byte is noticed.

A line is the record's JSON with a last key `crc`, the CRC-32 of the JSON without it. Lines of
versions that wrote none are taken as they are.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Mapping
from typing import Any

# At the line's end alone: somebody's label may read like it.
_SEAL = re.compile(rb',"crc":"([0-9a-f]{8})"\}\s*\Z')


def sealed(record: Mapping[str, Any]) -> bytes:
    """The record, which holds at least one key, as a line with its checksum."""
    text = json.dumps(record, separators=(",", ":")).encode()
    return text[:-1] + b',"crc":"%08x"}\n' % zlib.crc32(text)


def unsealed(line: bytes) -> tuple[dict[str, Any], bool]:
    """The line's record, and whether it is as it was written.

    Raises ValueError or RecursionError for what is no record at all.
    """
    # Python would read NaN and Infinity, which no other reader of JSON knows.
    record = json.loads(line, parse_constant=_refuse)
    if not isinstance(record, dict):
        raise ValueError("expected a record in braces")
    told = record.pop("crc", None)
    seal = _SEAL.search(line)
    if seal is None:
        return record, told is None
    return record, zlib.crc32(line[: seal.start()] + b"}") == int(seal[1], 16)


def is_sealed(line: bytes) -> bool:
    """Whether the line is as it was written, by its checksum alone; one without any isn't told
    from a damaged one by less than reading it."""
    seal = _SEAL.search(line)
    return seal is not None and zlib.crc32(line[: seal.start()] + b"}") == int(seal[1], 16)


def _refuse(name: str) -> float:
    raise ValueError(f"{name} is no number")
