"""Who may decode an image, and for how long others wait for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LARGE = 30_000_000  # pixels: about 300 MB while it is decoded
_PATIENCE_S = 20.0
_AHEAD = 1 << 20


class Turns:
    """Small images are decoded beside each other, large ones one after another, so that memory is
    bounded. Thread-safe.

    A large one that takes longer than a damaged disk or file may take isn't waited for any more.
    """

    def __init__(self) -> None:
        self._large: list[float] = []  # when each began
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, pixels: int) -> Iterator[None]:
        """Waits until an image of so many pixels may be decoded."""
        if pixels < LARGE:
            yield
            return
        with self._changed:
            while self._large and time.monotonic() - self._large[-1] < _PATIENCE_S:
                self._changed.wait(0.5)
            begun = time.monotonic()
            self._large.append(begun)
        try:
            yield
        finally:
            with self._changed:
                self._large.remove(begun)
                self._changed.notify_all()


def read_ahead(path: Path) -> None:
    """Brings a file into the system's memory, so that nobody waits for the disk during a turn.

    Raises OSError.
    """
    with path.open("rb", buffering=0) as file:
        while file.read(_AHEAD):
            pass
