"""Nothing acknowledged is lost: torn journals, kills between any two steps, second processes, full
disks."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from stores import NAME, described, item

from vtmr.app.document import Content, Document, from_json, to_json
from vtmr.app.project import image_id, list_images
from vtmr.app.store import NotSavedError, Store
from vtmr.errors import InputError


def grown(changes: int) -> list[Document]:
    """A document after 0 … `changes` changes of all kinds."""
    documents = [Document(NAME, 20, 30)]
    for number in range(1, changes + 1):
        before = documents[-1]
        if number % 5 == 4:
            after = before.moved(-1)
        elif number % 7 == 6:
            after = before.accepted(True)
        else:
            after = before.changed(
                "click", Content((*before.content.items, item(number)), number + 1)
            )
        documents.append(after)
    return documents


def test_a_document_comes_back_from_json() -> None:
    for document in grown(12):
        head, body = json.loads(json.dumps(to_json(document)))
        assert described(from_json(head, body)) == described(document)


def test_what_was_committed_is_there_after_a_clean_end(tmp_path: Path) -> None:
    store, documents = Store(tmp_path), grown(12)
    for before, after in itertools.pairwise(documents):
        store.commit(before, after)
    store.close()
    assert (tmp_path / ".vtmr" / "journal.jsonl").read_bytes() == b""
    again = Store(tmp_path)
    assert described(again.document(NAME)) == described(documents[-1])
    assert again.heads[NAME].revision == 12
    again.close()


def test_a_journal_torn_at_any_byte_keeps_all_whole_lines(tmp_path: Path) -> None:
    """A kill in the middle of a write leaves a prefix; the lines before it were acknowledged."""
    store, documents = Store(tmp_path / "first", write=False), grown(4)
    (tmp_path / "first").mkdir()
    store = Store(tmp_path / "first")
    for before, after in itertools.pairwise(documents):
        store.commit(before, after)
    journal = (tmp_path / "first" / ".vtmr" / "journal.jsonl").read_bytes()
    store.close()
    ends = [position + 1 for position, byte in enumerate(journal) if byte == 10]
    for cut in sorted({*range(0, len(journal) + 1, 97), *ends, *(end - 1 for end in ends)}):
        folder = tmp_path / str(cut)
        (folder / ".vtmr").mkdir(parents=True)
        (folder / ".vtmr" / "journal.jsonl").write_bytes(journal[:cut])
        opened = Store(folder)
        whole = sum(end <= cut for end in ends)
        assert described(opened.document(NAME)) == (described(documents[whole]) if whole else None)
        # Goes on where it was torn.
        opened.commit(documents[whole], documents[whole].accepted(True))
        opened.close()
        reader = Store(folder, write=False)
        assert reader.heads[NAME].revision == whole + 1


def test_a_kill_between_folding_and_emptying_the_journal_does_nothing_twice(tmp_path: Path) -> None:
    store, documents = Store(tmp_path), grown(6)
    for before, after in itertools.pairwise(documents):
        store.commit(before, after)
    journal = tmp_path / ".vtmr" / "journal.jsonl"
    lines = journal.read_bytes()
    store.close()
    journal.write_bytes(lines)
    again = Store(tmp_path)
    assert described(again.document(NAME)) == described(documents[-1])
    again.close()


def test_a_reader_sees_what_a_writer_has_not_folded_yet(tmp_path: Path) -> None:
    store, documents = Store(tmp_path), grown(1)
    store.commit(*documents)
    assert described(Store(tmp_path, write=False).document(NAME)) == described(documents[1])
    store.close()


def test_a_second_process_is_refused_with_the_first_ones_number(tmp_path: Path) -> None:
    store = Store(tmp_path)
    code = (
        "from pathlib import Path; from vtmr.app.store import Store; "
        f"Store(Path({str(tmp_path)!r}))"
    )
    second = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert f"already being annotated by process {os.getpid()}" in second.stderr
    store.close()
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_folder_that_cannot_be_written_opens_for_viewing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A read-only mount, which root's tests can't have otherwise: opening for writing fails with
    EROFS."""
    store, documents = Store(tmp_path), grown(1)
    store.commit(*documents)
    store.close()
    real = os.open

    def refuse(path: object, flags: int, *more: int, **place: int) -> int:
        if flags & os.O_RDWR:
            raise OSError(30, "Read-only file system")
        return real(path, flags, *more, **place)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", refuse)
    viewer = Store(tmp_path)
    assert viewer.read_only is not None
    assert "Read-only file system" in viewer.read_only
    assert described(viewer.document(NAME)) == described(documents[1])
    with pytest.raises(NotSavedError):
        viewer.commit(documents[1], documents[1].accepted(True))


def test_a_full_disk_refuses_the_change_and_leaves_everything_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, documents = Store(tmp_path), grown(2)
    store.commit(documents[0], documents[1])
    real = os.write
    monkeypatch.setattr(
        os, "write", lambda fd, data: real(fd, data[:40]) if len(data) > 40 else _no_space()
    )
    with pytest.raises(NotSavedError, match="No space left"):
        store.commit(documents[1], documents[2])
    monkeypatch.undo()
    assert described(store.document(NAME)) == described(documents[1])
    store.commit(documents[1], documents[2])
    store.close()
    assert described(Store(tmp_path, write=False).document(NAME)) == described(documents[2])


def _no_space() -> int:
    raise OSError(28, "No space left on device")


def test_a_fold_that_fails_leaves_the_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, documents = Store(tmp_path), grown(1)
    store.commit(*documents)
    monkeypatch.setattr(os, "fsync", lambda descriptor: _no_space())
    with pytest.raises(InputError):
        store.fold()
    monkeypatch.undo()
    assert described(Store(tmp_path, write=False).document(NAME)) == described(documents[1])
    store.close()


@pytest.mark.parametrize(
    "damage",
    [b"{}\n", b"nonsense\n", b'{"image":"a.jpg","revision":9,"size":[20,30],"done":true}\n'],
)
def test_a_damaged_journal_is_told_and_kept(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / ".vtmr").mkdir()
    (tmp_path / ".vtmr" / "journal.jsonl").write_bytes(damage)
    store = Store(tmp_path)
    assert "journal.jsonl" in store.notices[0]
    store.close()
    (kept,) = (tmp_path / ".vtmr").glob("journal-damaged-*.jsonl")
    assert kept.read_bytes() == damage
    assert kept.name in store.notices[1]


def test_a_damaged_document_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / ".vtmr" / "documents" / f"{image_id(NAME)}.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text('{"format": 1}\n{}\n')
    store = Store(tmp_path)
    with pytest.raises(InputError, match="documents/"):
        store.document(NAME)
    store.close()
    assert path.read_text() == '{"format": 1}\n{}\n'


def test_undo_is_kept_for_two_hundred_changes(tmp_path: Path) -> None:
    """MAX_UNDO: states further back are forgotten, the content isn't."""
    document = Document(NAME, 20, 30)
    for number in range(1, 251):
        document = document.changed("click", Content((item(1),), number))
    assert document.at == 200
    for _ in range(200):
        document = document.moved(-1)
    with pytest.raises(InputError, match="nothing to undo"):
        document.moved(-1)
    assert document.content.next_id == 50


class TestImages:
    def test_only_images_inside_the_folder_are_listed(self, tmp_path: Path) -> None:
        folder, outside = tmp_path / "in", tmp_path / "out"
        for path in (folder / "sub", folder / ".hidden", outside):
            path.mkdir(parents=True)
        for path in (
            *(
                folder / name
                for name in (
                    "b.JPG",
                    "a.png",
                    "a.mask.png",
                    "alone.mask.png",
                    "notes.txt",
                    "sub/c.webp",
                )
            ),
            folder / ".hidden" / "d.png",
            outside / "secret.png",
        ):
            path.write_bytes(b"")
        (folder / "link.png").symlink_to(outside / "secret.png")
        (folder / "linked").symlink_to(outside)
        assert [entry.name for entry in list_images(folder)] == [
            "a.png",
            "alone.mask.png",
            "b.JPG",
            "sub/c.webp",
        ]

    def test_a_file_that_becomes_a_link_later_is_refused(self, tmp_path: Path) -> None:
        folder = tmp_path / "in"
        (folder / "sub").mkdir(parents=True)
        (folder / "sub" / "a.png").write_bytes(b"")
        (entry,) = list_images(folder)
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "a.png").write_bytes(b"secret")
        (folder / "sub" / "a.png").unlink()
        (folder / "sub").rmdir()
        (folder / "sub").symlink_to(tmp_path / "out")
        with pytest.raises(InputError, match="has become a link"):
            entry.require_inside()

    def test_a_linked_store_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "in").mkdir()
        (tmp_path / "out").mkdir()
        (tmp_path / "in" / ".vtmr").symlink_to(tmp_path / "out")
        with pytest.raises(InputError, match="is a link"):
            Store(tmp_path / "in")
        assert not list((tmp_path / "out").iterdir())
