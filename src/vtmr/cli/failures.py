"""What a command raises or is wrapped in so that `main` can end with one sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Interrupted(Exception):
    """Ctrl-C in a command that can be continued; the message says how."""


@contextmanager
def resumable(how: Callable[[], str]) -> Iterator[None]:
    """Turns Ctrl-C inside the block into an `Interrupted` that says, by then, what is left and how
    to go on."""
    try:
        yield
    except KeyboardInterrupt as interrupt:
        raise Interrupted(how()) from interrupt
