"""Whole or not at all, on real files; the full disk is played by an fsync that fails as it does
there."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from vtmr.atomic import append, one_writer, write_atomically
from vtmr.errors import InputError, VtmrWarning


def test_the_file_is_written_or_replaced(tmp_path: Path) -> None:
    path = tmp_path / "f.bin"
    for data in (b"first, and longer", b"second"):
        write_atomically(path, data)
        assert path.read_bytes() == data
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_keeps_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "f.bin"
    path.write_bytes(b"old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match=r"f\.bin can't be written: No space left on device"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"gone/f\.bin can't be written: No such file or directory"
    ):
        write_atomically(tmp_path / "gone" / "f.bin", b"")


def test_adding_to_a_file(tmp_path: Path) -> None:
    append(tmp_path / "a.txt", "one\n")
    append(tmp_path / "a.txt", "two\n")
    assert (tmp_path / "a.txt").read_text() == "one\ntwo\n"


def test_what_can_not_be_added_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").mkdir()
    with pytest.raises(InputError, match=r"log\.jsonl can't be written: Is a directory"):
        append(tmp_path / "log.jsonl", "one\n")


def test_a_name_that_is_too_long(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="File name too long"):
        write_atomically(tmp_path / ("x" * 300), b"")


class TestOneWriter:
    def test_a_second_process_is_refused_with_the_firsts_number(self, tmp_path: Path) -> None:
        with one_writer(tmp_path):
            second = subprocess.run(
                [sys.executable, "-c", SECOND, str(tmp_path)], capture_output=True, text=True
            )
            assert second.stdout.strip() == (
                f"{tmp_path} is being written by process {os.getpid()}: wait for it, or name "
                "another folder."
            )
        again = subprocess.run(
            [sys.executable, "-c", SECOND, str(tmp_path)], capture_output=True, text=True
        )
        assert again.stdout.strip() == "mine"

    def test_a_killed_process_leaves_no_lock(self, tmp_path: Path) -> None:
        first = subprocess.Popen(
            [sys.executable, "-c", SECOND + "import time; time.sleep(60)", str(tmp_path)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert first.stdout is not None
        assert first.stdout.readline() == "mine\n"
        first.kill()
        first.wait()
        first.stdout.close()
        with one_writer(tmp_path):
            assert (tmp_path / ".lock").read_text() == f"{os.getpid()}\n"

    def test_where_there_are_no_locks_nobody_is_kept_out_and_that_is_said(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("vtmr.atomic.take_lock", lambda descriptor: None)
        with (
            pytest.warns(VtmrWarning, match=r"Locks don't work in .*: make sure that no other"),
            one_writer(tmp_path),
            one_writer(tmp_path),
        ):
            pass

    @pytest.mark.parametrize("kind", ["link", "second name", "pipe", "folder"])
    def test_what_lies_in_the_locks_place_stays_as_it_is(self, tmp_path: Path, kind: str) -> None:
        folder, other = tmp_path / "run", tmp_path / "other.txt"
        folder.mkdir()
        other.write_text("precious")
        lock = folder / ".lock"
        if kind == "link":
            lock.symlink_to(other)
        elif kind == "second name":
            lock.hardlink_to(other)
        elif kind == "pipe":
            os.mkfifo(lock)
        else:
            lock.mkdir()
        with pytest.raises(
            InputError, match=r"\.lock (is a link|is no plain file|can't be written)"
        ):
            one_writer(folder).__enter__()
        assert other.read_text() == "precious"

    def test_a_folder_that_cant_be_written(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="can't be written"), one_writer(tmp_path / "nowhere"):
            pass


SECOND = """
import sys
from pathlib import Path
from vtmr.atomic import one_writer
from vtmr.errors import InputError
try:
    held = one_writer(Path(sys.argv[1]))
    held.__enter__()
    print("mine", flush=True)
except InputError as error:
    print(error, flush=True)
"""
