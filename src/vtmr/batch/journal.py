"""What a batch keeps as it goes: a line for each image that is through, in OUT/masks.jsonl."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from vtmr.atomic import append, write_atomically
from vtmr.batch.records import Answered, from_line, to_line
from vtmr.errors import InputError

JOURNAL = "masks.jsonl"


def read_journal(folder: Path) -> dict[str, Answered]:
    """What earlier runs did, by key; nothing where there is no journal.

    A line that can't be read, as one that was cut off, only means that its image is done again.
    Raises InputError for a journal that can't be opened.
    """
    path = folder / JOURNAL
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise InputError(f"{path} can't be read: {error.strerror or error}.") from error
    found: dict[str, Answered] = {}
    # A damaged byte costs its own line, not the journal.
    for line in content.decode("utf-8", "replace").split("\n"):
        with suppress(ValueError, KeyError, TypeError, AttributeError):
            answered = from_line(line)
            if answered.was_read:
                found[answered.key] = answered
    return found


def add_to_journal(folder: Path, answered: Answered) -> None:
    """Adds a line. Raises InputError."""
    append(folder / JOURNAL, to_line(answered))


def replace_journal(folder: Path, kept: Mapping[str, Answered]) -> None:
    """Writes the journal anew, whole or not at all. Raises InputError."""
    lines = [to_line(answered) for answered in kept.values()]
    write_atomically(folder / JOURNAL, "".join(lines).encode())
