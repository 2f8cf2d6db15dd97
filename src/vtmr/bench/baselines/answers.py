"""What a baseline answers: its mask, kept as run lengths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vtmr.masks import Mask, RunLengths


@dataclass(frozen=True, slots=True)
class Answer:
    """A prediction. memory: what the baseline wants back with the next click; memory_bytes: what
    that takes."""

    runs: RunLengths
    memory: Any = None
    memory_bytes: int = 0

    @staticmethod
    def of(mask: Mask, memory: Any = None, memory_bytes: int = 0) -> Answer:
        """mask: bool H x W."""
        return Answer(RunLengths.encode(mask), memory, memory_bytes)

    @property
    def nbytes(self) -> int:
        """See `Prediction.nbytes`."""
        return len(self.runs.counts) + self.memory_bytes

    def render(self) -> Mask:
        """A fresh bool mask H x W."""
        return self.runs.decode()
