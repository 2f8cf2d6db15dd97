"""What happens to the folder and its disk while it is open: nothing acknowledged is lost."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from stores import NAME, commit_all, described, grown, is_journal, objects_in, path_of, refusing

from vtmr.app.store import NotSavedError, Store
from vtmr.errors import InputError

HIDDEN, JOURNAL = ".vtmr", "journal.jsonl"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    return folder


class TestMoved:
    @pytest.mark.parametrize("again", [False, True], ids=["renamed", "and made anew"])
    def test_work_goes_on_in_the_renamed_folder(
        self, place: Path, tmp_path: Path, again: bool
    ) -> None:
        store, documents = Store(place), grown(4)
        commit_all(store, documents[:3])
        place.rename(tmp_path / "moved")
        if again:
            place.mkdir()
        commit_all(store, documents[2:])
        assert "moved" in store.told()[-1]
        farewell = store.close()
        assert "Everything is saved" in farewell
        assert str(tmp_path / "moved") in farewell
        assert described(Store(tmp_path / "moved", write=False).document(NAME)) == described(
            documents[-1]
        )
        assert not list(place.iterdir()) if again else not place.exists()

    def test_so_it_does_below_a_renamed_parent(self, tmp_path: Path) -> None:
        (tmp_path / "a" / "photos").mkdir(parents=True)
        store = Store(tmp_path / "a" / "photos")
        commit_all(store, grown(2))
        (tmp_path / "a").rename(tmp_path / "b")
        store.close()
        assert objects_in(tmp_path / "b" / "photos") == 2

    @pytest.mark.parametrize("replaced", [False, True])
    def test_a_hidden_folder_that_was_moved_takes_no_more_changes(
        self, place: Path, replaced: bool
    ) -> None:
        """Changes would go where nobody looks for them. Back in its place it takes them again."""
        store, documents = Store(place), grown(3)
        commit_all(store, documents[:2])
        (place / HIDDEN).rename(place / "old")
        if replaced:
            (place / HIDDEN).mkdir()
        with pytest.raises(NotSavedError, match=r"was moved to .*old"):
            store.commit(documents[1], documents[2])
        assert described(store.document(NAME)) == described(documents[1])
        if replaced:
            (place / HIDDEN).rmdir()
        (place / "old").rename(place / HIDDEN)
        commit_all(store, documents[1:])
        store.close()
        assert objects_in(place) == 3


class TestDeleted:
    @pytest.mark.parametrize("kill", [True, False])
    def test_what_is_known_is_written_anew(self, place: Path, kill: bool) -> None:
        """Three changes before, one after; then a kill, of which a copy is what is left."""
        store, documents = Store(place), grown(4)
        commit_all(store, documents[:4])
        shutil.rmtree(place / HIDDEN)
        store.commit(documents[3], documents[4])
        assert "deleted while it was open" in store.notices[0]
        if kill:
            shutil.copytree(place, place.with_name("killed"))
            assert objects_in(place.with_name("killed")) == 4
        store.close()
        assert objects_in(place) == 4

    def test_so_it_is_when_it_was_made_again_by_somebody(self, place: Path) -> None:
        """As sync tools do: an empty one, or one with an older document."""
        store, documents = Store(place), grown(3)
        commit_all(store, documents[:2])
        store.fold()
        shutil.copytree(place / HIDDEN, place.with_name("backup"))
        commit_all(store, documents[1:3])
        shutil.rmtree(place / HIDDEN)
        shutil.copytree(place.with_name("backup"), place / HIDDEN)
        store.commit(documents[2], documents[3])
        store.close()
        assert described(Store(place, write=False).document(NAME)) == described(documents[3])

    def test_so_it_is_at_the_end_alone(self, place: Path) -> None:
        store = Store(place)
        commit_all(store, grown(3))
        shutil.rmtree(place / HIDDEN)
        assert "written anew" in store.close()
        assert objects_in(place) == 3

    def test_nobody_else_can_take_what_was_made_anew(self, place: Path) -> None:
        store, documents = Store(place), grown(2)
        store.commit(documents[0], documents[1])
        shutil.rmtree(place / HIDDEN)
        store.commit(documents[1], documents[2])
        code = (
            "from pathlib import Path; from vtmr.app.store import Store; "
            f"Store(Path({str(place)!r}))"
        )
        second = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=False
        )
        assert f"already being annotated by process {os.getpid()}" in second.stderr
        store.close()

    def test_a_deleted_lock_is_taken_again(self, place: Path) -> None:
        store, documents = Store(place), grown(2)
        store.commit(documents[0], documents[1])
        (place / HIDDEN / "lock").unlink()
        store.commit(documents[1], documents[2])
        with pytest.raises(InputError, match=f"annotated by process {os.getpid()}"):
            Store(place)
        store.close()
        assert objects_in(place) == 2

    def test_who_took_a_deleted_lock_keeps_it(self, place: Path) -> None:
        """Two writers would empty each other's journal: the first one's changes are refused."""
        store, documents = Store(place), grown(4)
        commit_all(store, documents[:2])
        (place / HIDDEN / "lock").unlink()
        other = Store(place)
        with pytest.raises(NotSavedError, match="already being annotated"):
            store.commit(documents[1], documents[2])
        assert described(store.document(NAME)) == described(documents[1])
        commit_all(other, [documents[1], *documents[2:4]])
        assert "already being annotated" in store.close()
        other.close()
        assert objects_in(place) == 3

    @pytest.mark.parametrize("how", ["deleted", "replaced", "emptied"])
    def test_a_journal_that_is_taken_away_is_made_anew(self, place: Path, how: str) -> None:
        store, documents = Store(place), grown(5)
        commit_all(store, documents[:3])
        journal = place / HIDDEN / JOURNAL
        if how == "emptied":
            journal.write_bytes(b"")
        else:
            journal.unlink()
        if how == "replaced":
            journal.write_bytes(b"somebody else's\n")
        commit_all(store, documents[2:])
        shutil.copytree(place, place.with_name("killed"))
        store.close()
        assert objects_in(place.with_name("killed")) == 5
        assert objects_in(place) == 5
        kept = [path.read_bytes() for path in (place / HIDDEN).glob("journal-damaged*")]
        assert kept == ([b"somebody else's\n"] if how == "replaced" else [])

    def test_a_deleted_documents_folder_is_made_anew(self, place: Path) -> None:
        store, documents = Store(place), grown(3)
        commit_all(store, documents[:3])
        shutil.rmtree(place / HIDDEN / "documents")
        store.commit(documents[2], documents[3])
        store.close()
        assert objects_in(place) == 3

    @pytest.mark.parametrize("again", [False, True])
    def test_a_deleted_project_takes_no_more_changes(self, place: Path, again: bool) -> None:
        store, documents = Store(place), grown(2)
        store.commit(documents[0], documents[1])
        shutil.rmtree(place)
        if again:
            place.mkdir()
        with pytest.raises(NotSavedError, match="photos was deleted while it was open"):
            store.commit(documents[1], documents[2])
        assert described(store.document(NAME)) == described(documents[1])
        assert "was deleted" in store.close()
        assert not again or not list(place.iterdir())


class TestDisk:
    @pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EPERM, errno.EDQUOT])
    @pytest.mark.parametrize("call", ["write", "fsync"])
    @pytest.mark.parametrize("cut", [True, False])
    def test_a_refused_change_is_not_there_and_later_ones_are(
        self, place: Path, monkeypatch: pytest.MonkeyPatch, number: int, call: str, cut: bool
    ) -> None:
        """The journal's disk refuses; with `cut` what came of the line can be taken off again.

        Where it can't, the next change goes into a journal made anew: the torn line, which may be
        whole, must never be taken for a change.
        """
        store, documents = Store(place), grown(5)
        commit_all(store, documents[:3])
        with monkeypatch.context() as patch:
            refusing(patch, call, number, only=is_journal)
            if not cut:
                refusing(patch, "ftruncate", number, only=is_journal)
            for _ in range(2):
                with pytest.raises(NotSavedError, match="disk refused"):
                    store.commit(documents[2], documents[3])
        assert described(store.document(NAME)) == described(documents[2])
        other = documents[2].accepted(True)  # not what was refused
        store.commit(documents[2], other)
        store.commit(other, other.accepted(False))
        shutil.copytree(place, place.with_name("killed"))
        store.close()
        for folder in (place, place.with_name("killed")):
            assert described(Store(folder, write=False).document(NAME)) == described(
                other.accepted(False)
            )

    def test_a_journal_that_stays_torn_is_made_anew(
        self, place: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Half of a line is there, and cutting never works again."""
        store, documents = Store(place), grown(4)
        commit_all(store, documents[:2])
        refusing(monkeypatch, "ftruncate", errno.EPERM, only=is_journal)
        real = os.write

        def torn(descriptor: int, data: bytes) -> int:
            if is_journal(path_of(descriptor)):
                real(descriptor, data[: len(data) // 2])
                raise OSError(errno.EIO, "Input/output error")
            return real(descriptor, data)

        with monkeypatch.context() as patch:
            patch.setattr(os, "write", torn)
            with pytest.raises(NotSavedError):
                store.commit(documents[1], documents[2])
        commit_all(store, documents[1:])
        shutil.copytree(place, place.with_name("killed"))
        assert objects_in(place.with_name("killed")) == 4
        store.close()
        assert objects_in(place) == 4

    def test_a_refused_change_leaves_no_label(
        self, place: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store, documents = Store(place), grown(2)
        store.commit(documents[0], documents[1])
        labels = list(store.labels)
        with monkeypatch.context() as patch:
            refusing(patch, "write", errno.ENOSPC)
            with pytest.raises(NotSavedError):
                store.commit(documents[1], documents[2])
        assert store.labels == labels == ["label ü 1"]
        store.close()
        assert Store(place, write=False).labels == labels

    def test_a_label_whose_file_cannot_be_written_comes_back_with_its_object(
        self, place: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store, documents = Store(place), grown(2)
        with monkeypatch.context() as patch:
            refusing(patch, "write", errno.ENOSPC, only=lambda path: "project" in path)
            commit_all(store, documents)
            assert store.labels == ["label ü 1", "label ü 2"]
            shutil.copytree(place, place.with_name("killed"))
        store.close()
        assert Store(place.with_name("killed"), write=False).labels == store.labels
        assert Store(place, write=False).labels == store.labels

    @pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
    def test_a_full_disk_with_changes_in_the_journal_opens(
        self, place: Path, monkeypatch: pytest.MonkeyPatch, number: int
    ) -> None:
        """Everything can be looked at; changes are refused until there is room, then taken."""
        store, documents = Store(place), grown(3)
        commit_all(store, documents[:3])
        data = (place / HIDDEN / JOURNAL).read_bytes()
        store.close()
        shutil.rmtree(place / HIDDEN / "documents")
        (place / HIDDEN / JOURNAL).write_bytes(data)
        with monkeypatch.context() as patch:
            refusing(patch, "write", number, only=lambda path: not path.endswith("lock"))
            full = Store(place)
            assert "refuses to be written" in full.told()[0]
            full.add_labels(["new"])
            assert described(full.document(NAME)) == described(documents[2])
            with pytest.raises(NotSavedError, match="disk refused"):
                full.commit(documents[2], documents[3])
        full.commit(documents[2], documents[3])
        full.close()
        assert described(Store(place, write=False).document(NAME)) == described(documents[3])

    def test_a_fold_at_the_end_that_fails_is_no_loss(
        self, place: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store = Store(place)
        commit_all(store, grown(3))
        with monkeypatch.context() as patch:
            refusing(patch, "write", errno.ENOSPC)
            assert "in the journal" in store.close()
        assert objects_in(place) == 3

    def test_a_disk_that_hangs_does_not_hold_up_the_end(
        self, place: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store, documents = Store(place), grown(2)
        store.commit(documents[0], documents[1])
        release = threading.Event()
        monkeypatch.setattr(os, "fsync", lambda descriptor: release.wait(20))
        stuck = threading.Thread(target=store.commit, args=documents[1:3])
        stuck.start()
        time.sleep(0.1)
        begun = time.monotonic()
        assert "doesn't answer" in store.close()
        assert time.monotonic() - begun < 2
        release.set()
        stuck.join()


class TestFileSystems:
    @pytest.mark.parametrize(
        "number", [errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOLCK, errno.EBADF]
    )
    def test_without_locks_it_opens_and_says_so(
        self, place: Path, monkeypatch: pytest.MonkeyPatch, number: int
    ) -> None:
        import fcntl

        def refuse(descriptor: int, operation: int) -> None:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(fcntl, "flock", refuse)
        store = Store(place)
        assert "Locks don't work here" in store.told()[0]
        commit_all(store, grown(2))
        store.close()
        assert objects_in(place) == 2

    @pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP])
    @pytest.mark.parametrize("folders", [True, False])
    def test_without_fsync_it_works(
        self, place: Path, monkeypatch: pytest.MonkeyPatch, number: int, folders: bool
    ) -> None:
        """SMB and vboxsf know none of folders, some FUSE systems none at all."""
        refusing(monkeypatch, "fsync", number, only=lambda p: Path(p).is_dir() or not folders)
        store = Store(place)
        commit_all(store, grown(2))
        assert any("file system can't say" in notice for notice in store.told())
        assert "Everything is saved" in store.close()
        assert objects_in(place) == 2

    def test_folders_that_may_not_be_flushed_are_no_refusal(
        self, place: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        refusing(monkeypatch, "fsync", errno.EACCES, only=lambda path: Path(path).is_dir())
        store = Store(place)
        commit_all(store, grown(1))
        store.close()
        assert objects_in(place) == 1

    def test_another_program_that_writes_to_the_journal_is_told(self, place: Path) -> None:
        """As two annotators would where locks don't work."""
        store, documents = Store(place), grown(2)
        store.commit(documents[0], documents[1])
        with (place / HIDDEN / JOURNAL).open("ab") as file:
            file.write(b'{"image": "b.jpg"}\n')
        with pytest.raises(NotSavedError, match="another program"):
            store.commit(documents[1], documents[2])
        store.close()
        assert objects_in(place) == 1

    @pytest.mark.parametrize(
        "hide",
        [
            "sys.modules['fcntl'] = None",
            "sys.modules['fcntl'] = None; del os.O_NOFOLLOW, os.O_NONBLOCK, os.O_CLOEXEC, "
            "os.O_DIRECTORY; os.supports_dir_fd = set()",
        ],
        ids=["no fcntl", "as on Windows"],
    )
    def test_systems_without_these_calls_keep_everything(self, place: Path, hide: str) -> None:
        code = f"""
import os, sys
{hide}
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
import vtmr.cli.annotate, vtmr.cli.annotations, vtmr.app.running
from pathlib import Path
from stores import commit_all, grown, objects_in
from vtmr.app.store import Store
place = Path({str(place)!r})
store, documents = Store(place), grown(3)
print(store.told()[0])
commit_all(store, documents)
print(store.close())
print(objects_in(place))
from PIL import Image
from vtmr.app.pictures import Pictures
from vtmr.app.project import list_images
from vtmr.segmenter import segmenter_for
from fakes import ColourNetwork
Image.new("RGB", (40, 30)).save(place / "a.png")
(entry,) = list_images(place)
picture = Pictures(segmenter_for(ColourNetwork()), lambda picture: None).get(entry)
print(picture.width, picture.height)
"""
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        told, farewell, objects, size = done.stdout.splitlines()
        assert told.startswith("Locks don't work here")
        assert farewell == "Everything is saved."
        assert objects == "3"
        assert size == "40 30"


def test_a_large_export_does_not_hold_up_a_change(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A document is read beside the store's mutex."""
    from vtmr.app import store as module

    store = Store(place)
    commit_all(store, grown(1, "slow.jpg"))
    commit_all(store, grown(1))
    store.fold()
    store._memory.documents.clear()
    reading, release = threading.Event(), threading.Event()
    real: Callable[..., object] = module.read_document

    def slow(folder: object, found_id: str) -> object:
        reading.set()
        release.wait(20)
        return real(folder, found_id)

    monkeypatch.setattr(module, "read_document", slow)
    reader = threading.Thread(target=store.document, args=["slow.jpg"])
    reader.start()
    reading.wait(20)
    commit_all(store, grown(1, "c.jpg"))
    assert reader.is_alive()
    release.set()
    reader.join()
    store.close()
