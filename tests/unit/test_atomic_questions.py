"""Questions about paths that the system refuses to answer become errors that name the path."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from vtmr import atomic
from vtmr.errors import InputError

QUESTIONS = [atomic.is_file, atomic.is_folder, atomic.exists]


def test_answers(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.touch()
    assert [ask(file) for ask in QUESTIONS] == [True, False, True]
    assert [ask(tmp_path) for ask in QUESTIONS] == [False, True, True]
    assert [ask(tmp_path / "b.txt") for ask in QUESTIONS] == [False, False, False]


@pytest.mark.parametrize("ask", QUESTIONS)
def test_a_name_that_is_too_long(ask: Callable[[Path], bool], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="xxx can't be looked at: File name too long"):
        ask(tmp_path / ("x" * 300))


@pytest.mark.parametrize("ask", QUESTIONS)
def test_a_folder_that_may_not_be_entered(
    ask: Callable[[Path], bool], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr("os.stat", refuse)
    with pytest.raises(InputError, match="can't be looked at: Permission denied"):
        ask(tmp_path / "locked" / "a.png")


def test_a_link_to_itself_has_a_path(tmp_path: Path) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    assert atomic.true_path(loop).name == "loop"
    assert not atomic.exists(loop)
