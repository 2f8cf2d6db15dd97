"""Who may decode an image, and for how long others wait for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

LARGE = 30_000_000  # pixels: about 300 MB while it is decoded
_AHEAD = 1 << 20


@dataclass(slots=True)
class _Queue:
    """Images of one kind: so many at once, of which one isn't counted any more after `patience_s`:
    its disk may not answer, or its file be damaged."""

    at_once: int
    patience_s: float
    begun: list[float] = field(default_factory=list)

    def is_full(self) -> bool:
        now = time.monotonic()
        return sum(now - begun < self.patience_s for begun in self.begun) >= self.at_once


class Turns:
    """Two small images are decoded at the same time, large ones one after another beside them, so
    that cores and memory are enough for all. Thread-safe."""

    def __init__(self) -> None:
        self._small, self._large = _Queue(2, 1.0), _Queue(1, 20.0)
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, pixels: int) -> Iterator[None]:
        """Waits until an image of so many pixels may be decoded."""
        queue = self._small if pixels < LARGE else self._large
        with self._changed:
            while queue.is_full():
                self._changed.wait(0.25)  # the patience may end without a word
            begun = time.monotonic()
            queue.begun.append(begun)
        try:
            yield
        finally:
            with self._changed:
                # By its time: of two that began in the same moment either will do.
                queue.begun.remove(begun)
                self._changed.notify_all()


def read_ahead(path: Path) -> None:
    """Brings a file into the system's memory, so that nobody waits for the disk during a turn.

    Raises OSError.
    """
    with path.open("rb", buffering=0) as file:
        while file.read(_AHEAD):
            pass
