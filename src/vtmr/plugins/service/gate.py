"""How many requests are inside at once, and how large their bodies are together: one more is told
to come back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from vtmr.serving.answers import Refusal

RETRY_AFTER_S = 1


class Gate:
    """Of one process; used from its event loop alone."""

    def __init__(self, requests: int, body_bytes: int) -> None:
        """Both: at most, at the same time."""
        self._most_requests, self._most_bytes = requests, body_bytes
        self.requests, self.body_bytes = 0, 0

    @contextmanager
    def entered(self, size: int) -> Iterator[None]:
        """Inside it, a request with a body of `size` bytes.

        Raises Refusal (503 with Retry-After) where it would be one too many.
        """
        # Refused at once: whoever waits holds its body in memory.
        if self.requests >= self._most_requests or self.body_bytes + size > self._most_bytes:
            raise busy()
        self.requests += 1
        self.body_bytes += size
        try:
            yield
        finally:
            self.requests -= 1
            self.body_bytes -= size


def busy() -> Refusal:
    """The answer (503) to a request that is one too many."""
    return Refusal(
        503,
        "busy",
        "Too many requests are being answered: send this one again in a second.",
        None,
        {"retry-after": str(RETRY_AFTER_S)},
    )
