"""What a command raises or is wrapped in so that `main` can end with one sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from vtmr.errors import ConfigError


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


@contextmanager
def needs_extra(extra: str) -> Iterator[None]:
    """Turns a missing third-party package inside the block into a ConfigError that names the extra
    to install."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] == "vtmr":
            raise
        raise ConfigError(
            f"This command needs the package {error.name}, which is not installed: in a clone of "
            "vtmr, "
            f'pip install -c constraints.txt -e ".[{extra}]".'
        ) from error
