"""JSON files of a source, one after the other, and where the images lie that they speak of."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any

from vtmr.errors import InputError
from vtmr.formats.records import Summary
from vtmr.formats.sources import Source


def read_each_json(source: Source, said: Summary, read: Callable[[str, bytes], None]) -> None:
    """Calls `read` with the name and the content of every .json file; of one that it raises
    InputError for is said so.

    Raises InputError when that is the only file.
    """
    for name in source.ending(".json"):
        try:
            read(name, source.read(name))
        except InputError as error:
            if source.is_one_file:
                raise
            said.add("files", f"{name} was left out. {error}")


def json_text(content: bytes, name: str) -> str:
    """A JSON file's text: UTF-8, 16 or 32, with a mark at its start or without. Raises
    InputError."""
    try:
        return content.decode(json.detect_encoding(content), "surrogatepass")
    except UnicodeDecodeError as error:
        raise InputError(f"{name} isn't UTF-8 ({error}): save it as UTF-8.") from error


def decoded_json(content: bytes, name: str) -> Any:
    """The document. Raises InputError."""
    try:
        return json.loads(json_text(content, name))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{name} isn't JSON: {error}.") from error


def beside(file: str, path: str) -> str:
    """A path that a file names from where it lies itself, below the source."""
    plain = path.replace("\\", "/")
    if plain.startswith("/") or plain[1:2] == ":":
        return path
    parts = list(PurePosixPath(file).parent.parts)
    for part in PurePosixPath(plain).parts:
        if part == ".." and parts:
            parts.pop()
        elif part != "..":
            parts.append(part)
    return "/".join(parts)
