"""The links to photos that an export puts beside its labels: none that is there is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from vtmr.app.exports import export_to_folder
from vtmr.formats import Files
from vtmr.formats.records import Link


def files() -> Files:
    found = Files()
    found.content["labels/a.txt"] = b"0 0 0 1 0 1 1\n"
    found.links.append(Link("images/a.jpg", "a.jpg", "labels/a.txt"))
    return found


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photos" / "a.jpg"
    path.parent.mkdir()
    path.write_bytes(b"a photo")
    return path


def test_a_set_whose_photos_are_its_own_links_keeps_them(tmp_path: Path, photo: Path) -> None:
    """As when one goes on from an exported set: the photo is opened by the very link."""
    out = tmp_path / "set"
    link = out / "images" / "a.jpg"
    link.parent.mkdir(parents=True)
    link.symlink_to(photo)
    exported = files()
    export_to_folder(exported, out, out / "images")
    assert link.readlink() == photo
    assert link.read_bytes() == b"a photo"
    assert exported.warnings == []


def test_a_link_to_another_photo_is_replaced(tmp_path: Path, photo: Path) -> None:
    link = tmp_path / "set" / "images" / "a.jpg"
    link.parent.mkdir(parents=True)
    for target in (tmp_path / "gone.jpg", Path(__file__)):
        link.unlink(missing_ok=True)
        link.symlink_to(target)
        export_to_folder(files(), tmp_path / "set", photo.parent)
        assert link.readlink() == photo
    assert list(link.parent.iterdir()) == [link]


def test_a_photo_that_is_gone_takes_no_link_with_it(tmp_path: Path, photo: Path) -> None:
    link = tmp_path / "set" / "images" / "a.jpg"
    link.parent.mkdir(parents=True)
    link.symlink_to(photo)
    exported = files()
    export_to_folder(exported, tmp_path / "set", tmp_path / "elsewhere")
    assert link.read_bytes() == b"a photo"
    assert any("couldn't be linked" in sentence for sentence in exported.warnings)
