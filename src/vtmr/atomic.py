"""Files on the user's disk: asked about, and written so that what was there stays whole.

A folder that may not be entered and a disk that is full are no defects of ours: they are told as
InputError. A file is replaced at once or added to, never half overwritten."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from vtmr.errors import InputError


def write_atomically(path: str | Path, data: bytes) -> None:
    """Replaces `path` by a file with these bytes, flushed to the disk; what was there stays until
    then.

    Raises InputError when the folder is missing, read-only or full; nothing half-written is left.
    """
    path = Path(path)
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with partial.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise InputError(
            f"{path} can't be written: {error.strerror or error}. Choose another place."
        ) from error
    finally:
        with suppress(OSError):  # it can't be there under a name that can't be
            partial.unlink(missing_ok=True)


def make_folder(folder: Path) -> None:
    """The folder with those above it, where they are missing.

    Raises InputError when it can't be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"The folder {folder} can't be made: {error.strerror or error}. Choose another."
        ) from error


def append(path: str | Path, text: str) -> None:
    """Adds the text to the end of the file, which is made where it is missing.

    Raises InputError.
    """
    try:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise InputError(
            f"{path} can't be written: {error.strerror or error}. Make room or choose another "
            "place."
        ) from error


def is_file(path: str | Path) -> bool:
    """Whether there is a file. Raises InputError where the system doesn't let us look."""
    return _asked(Path(path), Path.is_file)


def is_folder(path: str | Path) -> bool:
    """Whether there is a folder. Raises InputError where the system doesn't let us look."""
    return _asked(Path(path), Path.is_dir)


def exists(path: str | Path) -> bool:
    """Whether there is anything. Raises InputError where the system doesn't let us look."""
    return _asked(Path(path), Path.exists)


def true_path(path: str | Path) -> Path:
    """The absolute path with links followed as far as they lead; a loop of links stays as it is."""
    return Path(os.path.realpath(path))


def _asked(path: Path, question: Callable[[Path], bool]) -> bool:
    try:
        return question(path)
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path} can't be looked at: {reason}. Name another place.") from error
