"""Where annotation files come from, folders, ZIPs or single files, and how their format is told."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

import pytest
from foreignfiles import assert_masks, block, cvat, labelme, only, source

from vtmr.errors import InputError
from vtmr.formats import read
from vtmr.formats.labelstudio import CONFIG_FILE
from vtmr.formats.registry import format_of
from vtmr.formats.sources import bytes_source, opened_source


def zipped(files: dict[str, bytes | str]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return stream.getvalue()


def test_a_zip_a_folder_and_a_file_say_the_same(tmp_path: Path) -> None:
    files = cvat('<box label="b" xtl="30" ytl="5" xbr="40" ybr="9"/>')
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "annotations.xml").write_text(str(files["annotations.xml"]))
    (tmp_path / "x.zip").write_bytes(zipped({**files, "../out.xml": "", "__MACOSX/._a.xml": ""}))
    for path in (tmp_path / "in", tmp_path / "x.zip", tmp_path / "in" / "annotations.xml"):
        with opened_source(path) as opened:
            assert format_of(opened) == "cvat"
            found, said = only(read("cvat", opened))
        assert_masks(found, {"b": block(5, 30, 9, 40)})
        assert len(said) == 1


def test_a_folders_links_and_pipes_are_passed_over(tmp_path: Path) -> None:

    (tmp_path / "secret.json").write_text("{}")
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.json").symlink_to(tmp_path / "secret.json")
    os.mkfifo(folder / "b.json")
    with opened_source(folder) as opened:
        assert opened.names == ()
        with pytest.raises(InputError, match="of no format"):
            format_of(opened)


def test_a_zip_that_unpacks_to_too_much_is_read_no_further() -> None:
    bomb = zipped({"a.json": b" " * 5_000_000, "b.json": b" " * 5_000_000})
    assert len(bomb) < 20_000
    opened = bytes_source("The ZIP", bomb, 6_000_000)
    opened.read("a.json")
    with pytest.raises(InputError, match=r"b.json is too large"):
        opened.read("b.json")


@pytest.mark.parametrize(
    "data", [b"PK\x03\x04", b"PK\x05\x06" + bytes(18), zipped({"a": "b"})[:-9]]
)
def test_damaged_and_empty_zips(data: bytes) -> None:
    with pytest.raises(InputError):
        format_of(bytes_source("The ZIP", data, 1000))


def test_several_formats_are_asked_about() -> None:
    files = {**cvat(), **labelme(), "a.txt": "0 0.5 0.5 0.1 0.1", CONFIG_FILE: "<View/>"}
    with pytest.raises(InputError, match=r"several formats \(labelme, cvat, yolo\)"):
        format_of(source(files))


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(InputError, match="'xyz' is unknown: expected auto, coco"):
        format_of(source(cvat()), "xyz")
    with pytest.raises(InputError, match="has no files of CVAT XML"):
        read("cvat", source(labelme()))
