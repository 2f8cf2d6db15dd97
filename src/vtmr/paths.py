"""Asking the disk about paths that a user gave: a folder that may not be entered is no defect of
ours."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from vtmr.errors import InputError


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
