"""Flags and values by the names that earlier versions had: read as what they are called now, with a
note."""

from __future__ import annotations

import re
from collections.abc import Iterable

from vtmr.errors import tell

FLAGS = {"--peers": "--baselines", "--second-look": "--recrop-share"}
WITH_MODELS = ("--model", "--variant")  # the flags whose values name models
OLD_BASELINE = re.compile(r"(?P<label>(?:[^=]*=)?)peer:")  # LABEL= is of --variant alone


def by_present_names(arguments: Iterable[str]) -> list[str]:
    """The command line's arguments with the present names in place of the old ones.

    A VtmrWarning for each old name says what it is called now. Whatever stands behind `--` is no
    flag and stays.
    """
    present: list[str] = []
    waiting = iter(arguments)
    for argument in waiting:
        if argument == "--":
            return [*present, argument, *waiting]
        flag, equals, value = argument.partition("=")
        if present and present[-1] in WITH_MODELS:
            argument = _model(argument)
        elif flag in FLAGS:
            argument = f"{_noted(flag, FLAGS[flag])}{equals}{value}"
        elif flag in WITH_MODELS:
            argument = f"{flag}{equals}{_model(value)}"
        present.append(argument)
    return present


def _model(value: str) -> str:
    """What a flag that names a model is given."""
    old = OLD_BASELINE.match(value)
    if old is None:
        return value
    return f"{old['label']}{_noted('peer:', 'baseline:')}{value[old.end() :]}"


def _noted(old: str, new: str) -> str:
    """The present name, after a word to the user; what was asked for is done."""
    tell([f"{old} is {new} now: the old name is still read."])
    return new
