"""The errors that vtmr raises on purpose. The CLI prints them as one sentence and exits with 2."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches


class VtmrError(Exception):
    """Base of all deliberate errors: the message says what is wrong, what was expected, what to
    do."""


class InputError(VtmrError):
    """A value from the caller or the user: an image, a mask, a click, a path."""


class ConfigError(VtmrError):
    """A recipe, a specification or a combination of options that contradicts itself."""


class CheckpointError(VtmrError):
    """A weights file that is damaged, foreign or of another architecture."""


class DataError(VtmrError):
    """A data set whose files don't hold what its layout promises."""


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
            f"This needs the package {error.name}, which is not installed: in a clone of vtmr, "
            f'pip install -c constraints.txt -e ".[{extra}]".'
        ) from error


class VtmrWarning(UserWarning):
    """What the user should know though it keeps nothing from being done. The CLI prints it as one
    sentence."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """ " Did you mean 'x'?" for the nearest of the names, to be put behind a sentence; "" where
    none is near."""
    near = get_close_matches(name, list(known), n=1)
    if not near:
        return ""
    return f" Did you mean {near[0]!r}?"


def tell(notes: Iterable[str]) -> None:
    """A VtmrWarning for each of the sentences."""
    for note in notes:
        warnings.warn(note, VtmrWarning, stacklevel=3)
