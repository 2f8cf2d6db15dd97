"""The project's labels, in project.json: a convenience that no change ever fails for."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable

from vtmr.app.directory import Directory
from vtmr.app.documents import UNREADABLE

LABELS = "project.json"


class Labels:
    """The labels in the order in which they came up. Not thread-safe."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self.names = list(names)
        self.is_saved = True

    def add(self, names: Iterable[str]) -> None:
        """Appends those that are new."""
        merged = list(dict.fromkeys([*self.names, *names]))
        self.is_saved = self.is_saved and merged == self.names
        self.names = merged

    def save(self, folder: Directory) -> None:
        """Writes them, if they changed. A disk that refuses can wait with them: documents say
        which labels they use."""
        if not self.is_saved:
            with contextlib.suppress(OSError):
                folder.write(LABELS, json.dumps({"labels": self.names}).encode())
                self.is_saved = True


def read_labels(folder: Directory) -> tuple[list[str], str | None]:
    """The folder's labels; and a sentence when they can't be read, with none."""
    try:
        return [str(label) for label in json.loads(folder.read(LABELS))["labels"]], None
    except FileNotFoundError:
        return [], None
    except (OSError, *UNREADABLE) as error:
        return [], f"{LABELS} can't be read ({error}): its labels come back as they are used."
