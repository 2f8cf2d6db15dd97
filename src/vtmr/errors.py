"""The errors that vtmr raises on purpose. The CLI prints them as one sentence and exits with 2."""

from __future__ import annotations


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
