"""Nothing but vtmr's own sentences on stderr: decoders chat of odd tags there, in sound pictures
too, and a script takes that for an error."""

from __future__ import annotations

import ctypes
import logging
import warnings
from contextlib import suppress
from functools import cache
from pathlib import Path

import PIL

_MAPS = Path("/proc/self/maps")


@cache
def silence_pillow() -> None:
    """Pillow's warnings and its log, with lines of its source.

    A filter around each call would be no safer: filters belong to the process, not to a thread.
    """
    warnings.filterwarnings("ignore", module=r"PIL\.")
    logging.getLogger("PIL").addHandler(logging.NullHandler())


@cache
def silence_libtiff() -> None:
    """The messages that Pillow's libtiff prints itself: of these Python hears nothing.

    The library is found where it is loaded; one that isn't found goes on talking.
    """
    for path in _libraries():
        with suppress(OSError, AttributeError):
            library = ctypes.CDLL(path)
            library.TIFFSetWarningHandler(None)
            library.TIFFSetErrorHandler(None)


def _libraries() -> set[str]:
    """The paths of libtiff: on Linux those loaded, else those that Pillow brings."""
    with suppress(OSError):
        lines = _MAPS.read_text(errors="replace").splitlines()
        return {line.split(maxsplit=5)[5] for line in lines if "/libtiff" in line}
    return {str(path) for path in Path(PIL.__file__).parent.glob(".dylibs/libtiff*")}
