"""Folders held open: what links, pipes and renames do to them, with descriptors and without."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import pytest

from vtmr.app import directory
from vtmr.app.directory import Directory


@pytest.fixture(params=[True, False], ids=["descriptors", "paths"])
def by_descriptor(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """With openat, and as on Windows."""
    monkeypatch.setattr(directory, "BY_DESCRIPTOR", request.param)
    return bool(request.param)


@pytest.fixture
def folder(tmp_path: Path, by_descriptor: bool) -> Directory:
    (tmp_path / "in" / "sub").mkdir(parents=True)
    (tmp_path / "in" / "sub" / "a.txt").write_bytes(b"one\ntwo\n")
    return Directory.open(tmp_path / "in")


def test_files_are_read_written_renamed_and_removed(folder: Directory) -> None:
    assert folder.read("sub/a.txt") == b"one\ntwo\n"
    assert folder.first_line("sub/a.txt") == b"one\n"
    folder.write("b.txt", b"new")
    folder.write("b.txt", b"newer")
    assert folder.names() == ["b.txt", "sub"]
    folder.rename("b.txt", "c.txt")
    assert folder.read("c.txt") == b"newer"
    folder.remove("c.txt")
    assert folder.status("c.txt") is None
    made = folder.folder("made", make=True)
    assert made.names() == []
    assert folder.is_at(folder.path.stat())
    assert not folder.is_deleted()
    assert folder.flush()


@pytest.mark.parametrize("place", ["link.txt", "linked/a.txt", "sub/link.txt"])
def test_links_are_not_followed(folder: Directory, place: str, by_descriptor: bool) -> None:
    (folder.path / "link.txt").symlink_to("sub/a.txt")
    (folder.path / "sub" / "link.txt").symlink_to("a.txt")
    (folder.path / "linked").symlink_to("sub")
    if by_descriptor or place.startswith("linked"):
        with pytest.raises(OSError, match="link"):
            folder.file(place)
    with pytest.raises(OSError, match="link"):
        folder.folder("linked")


@pytest.mark.parametrize("kind", ["pipe", "folder"])
def test_only_plain_files_are_opened(folder: Directory, kind: str) -> None:
    """Nobody is at the other end of the pipe: opening it the usual way would never return."""
    if kind == "pipe":
        os.mkfifo(folder.path / "x")
    else:
        (folder.path / "x").mkdir()
    with pytest.raises(OSError, match="plain file"):
        folder.file("x")


def test_a_write_that_fails_leaves_the_old_file_alone(
    folder: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.write("b.txt", b"old")

    def refuse(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OSError, match="No space"):
        folder.write("b.txt", b"new")
    assert folder.read("b.txt") == b"old"
    assert folder.names() == ["b.txt", "sub"]


def test_a_renamed_folder_stays_the_same_one(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    folder = Directory.open(tmp_path / "in")
    (tmp_path / "in").rename(tmp_path / "out")
    (tmp_path / "in").mkdir()
    folder.write("a.txt", b"here")
    assert (tmp_path / "out" / "a.txt").read_bytes() == b"here"
    assert folder.place() == tmp_path / "out"
    assert not folder.is_at((tmp_path / "in").stat())
    (tmp_path / "out" / "a.txt").unlink()
    (tmp_path / "out").rmdir()
    assert folder.is_deleted()
    with pytest.raises(FileNotFoundError):
        folder.write("a.txt", b"nowhere")


def test_nothing_is_left_open(folder: Directory) -> None:
    """Descriptors are few, and folders and images many."""
    gc.collect()  # of earlier tests, whose descriptors would be let go of in between
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(50):
        folder.read("sub/a.txt")
        folder.folder("sub").close()
        with pytest.raises(OSError, match="plain file"):
            folder.file("sub")
    assert len(os.listdir("/proc/self/fd")) == before
