"""Damaged files cost themselves alone, are told, and are kept."""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stores import NAME, commit_all, described, grown, objects_in
from typer.testing import CliRunner

from vtmr.app.document import Content, Document
from vtmr.app.exports import annotated_images
from vtmr.app.lines import sealed, unsealed
from vtmr.app.project import image_id
from vtmr.app.store import Store
from vtmr.errors import InputError
from vtmr.serving.maskruns import MaskRuns

JOURNAL, DOCUMENT = "journal.jsonl", f"documents/{image_id(NAME)}.jsonl"


def killed(folder: Path, documents: list[Document]) -> Path:
    """The journal of a store that was killed after those changes."""
    store = Store(folder)
    commit_all(store, documents)
    data = (folder / ".vtmr" / JOURNAL).read_bytes()
    store.close()
    (folder / ".vtmr" / JOURNAL).write_bytes(data)
    (folder / ".vtmr" / DOCUMENT).unlink()
    return folder / ".vtmr" / JOURNAL


def folded(folder: Path, documents: list[Document]) -> Path:
    """The document's file of a store that was closed after those changes."""
    store = Store(folder)
    commit_all(store, documents)
    store.close()
    return folder / ".vtmr" / DOCUMENT


class TestLines:
    def test_every_changed_byte_is_noticed(self) -> None:
        line = sealed({"image": "ü\n.png", "revision": 3, "change": {"mask": [1, 2, 3]}})
        assert unsealed(line) == (
            {"image": "ü\n.png", "revision": 3, "change": {"mask": [1, 2, 3]}},
            True,
        )
        for place in range(len(line) - 1):
            for bit in (1, 32):
                changed = bytearray(line)
                changed[place] ^= bit
                try:
                    record, intact = unsealed(bytes(changed))
                except (ValueError, RecursionError):
                    continue
                # Only where the checksum's own key is gone does a line pass for an older one's.
                assert not intact or set(record) - {"image", "revision", "change"}

    @pytest.mark.parametrize(
        "line", [b"[]", b"", b"1e999x", b'{"a":Infinity}', b'{"a":NaN}', b"[" * 5000, b"\0" * 50]
    )
    def test_nonsense_is_refused(self, line: bytes) -> None:
        with pytest.raises((ValueError, RecursionError)):
            unsealed(line)

    def test_lines_without_a_checksum_are_those_of_an_older_version(self) -> None:
        assert unsealed(b'{"a": 1}\n') == ({"a": 1}, True)


class TestJournal:
    @pytest.mark.parametrize("number", [0, 2, 4])
    @pytest.mark.parametrize("how", ["bit", "zeros", "gone", "cut", "joined"])
    def test_a_damaged_line_costs_its_change_alone(
        self, tmp_path: Path, number: int, how: str
    ) -> None:
        """Of five changes, each of which adds an object; the rest is there, and it is said."""
        journal = killed(tmp_path, grown(5))
        lines = journal.read_bytes().splitlines(keepends=True)
        line = lines[number]
        lines[number] = {
            "bit": line[:20] + bytes([line[20] ^ 1]) + line[21:],
            "zeros": b"\0" * (len(line) - 1) + b"\n",
            "gone": b"",
            "cut": line[: len(line) // 2] + b"\n",
            "joined": line[:-1],  # its end is another byte: two lines are one now
        }[how]
        journal.write_bytes(b"".join(lines))
        damaged = journal.read_bytes()
        expected = {f"o{n}" for n in range(1, 6)} - {f"o{number + 1}"}
        if how == "joined":
            expected -= {f"o{number + 2}"}
        store = Store(tmp_path)
        document = store.document(NAME)
        told = " ".join(store.notices)
        if how == "gone" and number == 4:  # nothing shows that there ever was a fifth
            assert len(document.content.items) == 4
            store.close()
            return
        assert {one.id for one in document.content.items} == expected
        assert JOURNAL in told
        store.close()
        assert objects_in(tmp_path) == len(expected)
        (kept,) = (tmp_path / ".vtmr").glob("journal-damaged-*")
        assert kept.read_bytes() == damaged

    def test_other_images_are_not_affected(self, tmp_path: Path) -> None:
        store = Store(tmp_path)
        commit_all(store, grown(3))
        commit_all(store, grown(3, "b.jpg"))
        data = (tmp_path / ".vtmr" / JOURNAL).read_bytes().splitlines(keepends=True)
        store.close()
        for path in (tmp_path / ".vtmr" / "documents").iterdir():
            path.unlink()
        (tmp_path / ".vtmr" / JOURNAL).write_bytes(b"".join([data[0], b"???\n", *data[2:]]))
        again = Store(tmp_path)
        assert described(again.document("b.jpg")) == described(grown(3, "b.jpg")[-1])
        assert {one.id for one in again.document(NAME).content.items} == {"o1", "o3"}
        again.close()

    def test_an_undo_after_a_lost_change_is_passed_over(self, tmp_path: Path) -> None:
        """It may have been the lost change's: undoing another would lose that as well."""
        documents = grown(3)
        documents += [documents[-1].moved(-1)]
        documents += [documents[-1].accepted(True)]
        journal = killed(tmp_path, documents)
        lines = journal.read_bytes().splitlines(keepends=True)
        journal.write_bytes(b"".join([*lines[:2], *lines[3:]]))
        store = Store(tmp_path)
        document = store.document(NAME)
        assert [one.id for one in document.content.items] == ["o1", "o2"]
        assert (document.revision, document.state) == (5, "done")
        store.close()

    def test_a_torn_end_is_told_but_not_to_who_only_reads(self, tmp_path: Path) -> None:
        """A reader may meet a line that a running annotator is just writing."""
        journal = killed(tmp_path, grown(2))
        journal.write_bytes(journal.read_bytes() + b'{"image":"a.j')
        assert Store(tmp_path, write=False).notices == []
        store = Store(tmp_path)
        assert "13 bytes" in store.notices[0]
        store.close()
        assert objects_in(tmp_path) == 2


class TestDocuments:
    @pytest.mark.parametrize("how", ["first byte", "newline", "name", "revision", "gone", "json"])
    def test_a_damaged_first_line_is_made_again(
        self, tmp_path: Path, how: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = folded(tmp_path, grown(4))
        head, _, body = path.read_bytes().partition(b"\n")
        whole = {
            "first byte": b"[" + head[1:] + b"\n" + body,
            "newline": head + b"X" + body,
            "name": head.replace(b"a.jpg", b"b.jpg") + b"\n" + body,
            "revision": head.replace(b'"revision":4', b'"revision":9') + b"\n" + body,
            "gone": body,
            "json": head[:30] + b"\n" + body,
        }[how]
        path.write_bytes(whole)
        reader = Store(tmp_path, write=False)
        assert described(reader.document(NAME)) == described(grown(4)[-1])
        assert reader.heads[NAME].objects == 4
        assert NAME in reader.notices[0]
        assert path.read_bytes() == whole
        writer = Store(tmp_path)
        assert "first line" in writer.notices[0]
        writer.close()
        assert path.with_suffix(".damaged").read_bytes() == whole
        healed = Store(tmp_path, write=False)
        assert healed.notices == []
        assert described(healed.document(NAME)) == described(grown(4)[-1])

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"\n\n",
            b"\0" * 4000,
            b'{"format":1,"image":"a.jpg","width":30,"height":20,"revision":1,"state":"done",'
            b'"objects":1}\n{"history":[',
            b'{"format":1,"image":"a.jpg","width":1000000,"height":1000000,"revision":1,'
            b'"state":"done","objects":1}\n{"history":[{"op":"","change":{"order":[],"next_id":1,'
            b'"items":{}}}],"at":0}\n',
            b'{"format":1,"image":"a.jpg","width":30,"height":20,"revision":Infinity,'
            b'"state":"done","objects":1}\n{"history":[],"at":0}\n',
            b'{"format":1,"image":"a.jpg","width":30,"height":20,"revision":1e999,'
            b'"state":"done","objects":1}\n{"history":[],"at":0}\n',
            b'{"format":1,"image":"a.jpg","width":30,"height":20,"revision":1,"state":"done",'
            b'"objects":1}\n{"history":' + b"[" * 20000,
        ],
        ids=["empty", "lines", "zeros", "cut", "huge", "infinite", "overflow", "deep"],
    )
    def test_a_lost_document_is_told_everywhere(self, tmp_path: Path, content: bytes) -> None:
        """The list of images, opening it, the page's export, the command, the replay."""
        from vtmr.app.exports import Exports
        from vtmr.cli import app

        store = Store(tmp_path)
        commit_all(store, grown(2))
        commit_all(store, grown(3, "b.jpg"))
        store.close()
        path = tmp_path / ".vtmr" / DOCUMENT
        path.write_bytes(content)
        store = Store(tmp_path)
        try:
            with pytest.raises(InputError, match="documents/"):
                store.document(NAME)
            assert image_id(NAME) in store.damaged
            export = Exports().make(store, [], "x", "coco", only_done=False)
            assert any(image_id(NAME) in warning for warning in export.warnings)
        finally:
            store.close()
        assert path.read_bytes() == content
        out = tmp_path / "out"
        given = ["export-annotations", str(tmp_path), "--format", "coco", "--out", str(out)]
        result = CliRunner().invoke(app, given, standalone_mode=False)
        assert result.return_value == 2
        assert image_id(NAME) in result.output
        assert len(json.loads((out / "annotations.json").read_text())["annotations"]) == 3

    def test_a_hand_edited_mask_counts_and_is_told(self, tmp_path: Path) -> None:
        """Whoever renames a label with an editor loses nothing; a flipped bit isn't silent."""
        path = folded(tmp_path, grown(2))
        path.write_bytes(path.read_bytes().replace(b"label \\u00fc 1", b"renamed"))
        store = Store(tmp_path)
        assert store.document(NAME).content.items[0].label == "renamed"
        assert "outside of vtmr" in store.notices[0]
        store.close()

    def test_a_lost_document_is_made_again_from_a_whole_journal(self, tmp_path: Path) -> None:
        journal = killed(tmp_path, grown(3))
        assert journal.stat().st_size
        path = tmp_path / ".vtmr" / DOCUMENT
        path.write_bytes(b"nonsense")
        store = Store(tmp_path)
        assert described(store.document(NAME)) == described(grown(3)[-1])
        assert store.damaged == {}
        assert "made again from journal.jsonl" in store.notices[0]
        store.close()
        assert path.with_suffix(".damaged").read_bytes() == b"nonsense"
        assert objects_in(tmp_path) == 3

    @pytest.mark.parametrize(
        "name", ["../../evil.jpg", "/etc/evil.jpg", "sub/../../evil.jpg", "..", "a\0.jpg"]
    )
    def test_a_name_that_leads_out_is_damage(self, tmp_path: Path, name: str) -> None:
        """A .vtmr of somebody else's, in the documents and in the journal."""
        path = folded(tmp_path, grown(1))
        _, _, body = path.read_bytes().partition(b"\n")
        head = {"format": 1, "image": name, "width": 30, "height": 20, "revision": 1}
        other = path.with_name(f"{image_id(name)}.jsonl")
        other.write_bytes(sealed({**head, "state": "done", "objects": 1}) + body)
        line = {"image": name, "size": [20, 30], "revision": 1, "done": True}
        (tmp_path / ".vtmr" / JOURNAL).write_bytes(sealed(line))
        store = Store(tmp_path)
        assert set(store.heads) == {NAME}
        assert image_id(name) in store.damaged
        assert "outside the folder" in " ".join(store.notices)
        store.close()

    def test_a_mask_that_leaves_its_image_costs_its_image_alone(self, tmp_path: Path) -> None:
        store = Store(tmp_path)
        commit_all(store, grown(1))
        wide = Document("b.jpg", 20, 30)
        mask = MaskRuns.encode(np.ones((40, 40), bool))
        bad = grown(1, "b.jpg")[-1].content.items[0]
        store.commit(wide, wide.changed("mask", Content((replace(bad, mask=mask),), 2)))
        found = annotated_images(store, [], only_done=False)
        assert [image.name for image in found.images] == [NAME]
        assert len(found.missing) == 1
        store.close()


class TestWhatIsNotOurs:
    @pytest.mark.parametrize("name", [JOURNAL, "lock", DOCUMENT, "project.json"])
    @pytest.mark.parametrize("kind", ["pipe", "link", "folder"])
    def test_nothing_but_plain_files_is_used(self, tmp_path: Path, name: str, kind: str) -> None:
        """None of them is waited for, written through or followed."""
        (tmp_path / "in").mkdir()
        path = folded(tmp_path / "in", grown(1))
        place = tmp_path / "in" / ".vtmr" / name
        outside = tmp_path / "outside"
        outside.write_bytes(b"precious\n")
        place.unlink(missing_ok=True)
        if kind == "pipe":
            os.mkfifo(place)
        elif kind == "link":
            place.symlink_to(outside)
        else:
            place.mkdir()
        try:
            store = Store(tmp_path / "in")
        except InputError as error:
            assert name in str(error)  # either way is an answer
            assert name in (JOURNAL, "lock")
        else:
            assert store.damaged or store.notices
            store.close()
        assert outside.read_bytes() == b"precious\n"
        assert path.exists() or name == DOCUMENT

    @pytest.mark.parametrize("name", [JOURNAL, "lock"])
    def test_a_file_with_another_name_is_not_written_through(
        self, tmp_path: Path, name: str
    ) -> None:
        """A backup made of hard links, or a trap: the other name keeps its bytes."""
        killed(tmp_path, grown(2))
        place, other = tmp_path / ".vtmr" / name, tmp_path / "other"
        os.link(place, other)
        before = other.read_bytes()
        store = Store(tmp_path)
        documents = grown(3)
        store.commit(documents[2], documents[3])
        store.close()
        assert other.read_bytes() == before
        assert objects_in(tmp_path) == 3


@pytest.mark.parametrize("name", ["documents", ""])
def test_a_linked_folder_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    if name:
        (tmp_path / "in" / ".vtmr").mkdir()
    (tmp_path / "in" / ".vtmr" / name if name else tmp_path / "in" / ".vtmr").symlink_to(
        tmp_path / "out"
    )
    with pytest.raises(InputError, match="is a link"):
        Store(tmp_path / "in")
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize("how", ["cut", "bit", "zeros"])
def test_a_damaged_second_line_is_listed_before_its_image_is_opened(
    folder: Path, start: Any, how: str
) -> None:
    """The list is made of first lines; the rest is read beside."""
    annotating = start(folder)
    annotating.click("shapes.png")
    annotating.http.__exit__(None, None, None)
    (path,) = (folder / ".vtmr" / "documents").glob("*.jsonl")
    data = path.read_bytes()
    place = len(data) - 200
    path.write_bytes(
        {
            "cut": data[:place],
            "bit": data[:place] + bytes([data[place] ^ 128]) + data[place + 1 :],
            "zeros": data[:place] + b"\0" * 200,
        }[how]
    )
    again = start(folder)
    for _ in range(200):
        images = again.http.get("/api/v1/images").json()["images"]
        if images[0]["state"] == "damaged":
            break
        time.sleep(0.02)
    assert images[0]["state"] == "damaged"
    assert path.name in images[0]["error"]


def test_damaged_images_are_listed(folder: Path, start: Any) -> None:
    annotating = start(folder)
    annotating.click("shapes.png")
    annotating.http.__exit__(None, None, None)
    (path,) = (folder / ".vtmr" / "documents").glob("*.jsonl")
    path.write_bytes(b"nonsense")
    again = start(folder)
    images = again.http.get("/api/v1/images").json()["images"]
    listed = {image["name"]: (image["state"], image["error"]) for image in images}
    assert listed["sub/other.png"] == ("untouched", None)
    state, error = listed["shapes.png"]
    assert state == "damaged"
    assert path.name in error
    assert again.http.get(f"/api/v1/images/{again.ids()['shapes.png']}").status_code == 422
    notices = again.http.get("/api/v1/project").json()["notices"]
    assert any(notice.startswith("shapes.png") for notice in notices)
    made = again.http.post("/api/v1/exports", json={"format": "coco"})
    assert made.status_code == 200
    assert path.name in made.json()["warnings"][0]


def test_documents_with_any_value_anywhere_are_read_or_refused(tmp_path: Path) -> None:
    """Values of every kind in the place of others, keys taken away, bytes changed."""
    path = folded(tmp_path, grown(3))
    lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    odd: list[Any] = [
        None,
        True,
        -1,
        0,
        1e308,
        float("inf"),
        float("nan"),
        10**30,
        "x",
        "",
        [],
        {},
        [[]],
    ]
    odd += [{"a": 1}, "o1", [1, 2], 1 << 62, -5.5, "\ud800", "../x"]
    chance, refused = random.Random(11), 0
    for _ in range(400):
        record = json.loads(json.dumps(lines))
        for _ in range(chance.choice((1, 1, 2))):
            *inner, last = chance.choice(list(places_in(record, ())))
            target: Any = record
            for key in inner:
                target = target[key]
            target[last] = chance.choice(odd)
        data = bytearray(b"".join(json.dumps(line).encode() + b"\n" for line in record))
        if chance.random() < 0.3:
            data[chance.randrange(len(data))] = chance.randrange(256)
        path.write_bytes(data)
        store = Store(tmp_path, write=False)
        annotated_images(store, [], only_done=False)
        try:
            store.document(NAME)
        except InputError:
            refused += 1
    assert refused > 100


def places_in(value: Any, place: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    """Every place below a value, as keys and indices."""
    keys: list[Any] = []
    if isinstance(value, dict):
        keys = list(value)
    if isinstance(value, list):
        keys = list(range(len(value)))
    for key in keys:
        yield (*place, key)
        yield from places_in(value[key], (*place, key))
