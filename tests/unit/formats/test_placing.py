"""Names in annotation files, and the images they mean: never another one of the same name."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from vtmr.formats.placing import place

ROOT = Path("/home/me/set")


@pytest.mark.parametrize(
    "name",
    [
        "sub/a.png",
        "a.png",
        "./sub/a.png",
        "set/sub/a.png",
        "/home/me/set/sub/a.png",
        "/mnt/other/sub/a.png",
        r"sub\a.png",
        r"C:\data\sub\a.png",
        r"\\server\share\sub\a.png",
        "../elsewhere/../sub/a.png",
        "https://example.org/bucket/sub/a.png?width=3",
        "file:///tmp/sub/a.png",
        "s3://bucket/sub/a.png",
    ],
)
def test_many_ways_to_name_one_image(name: str) -> None:
    placed = place([name], ["b.png", "sub/a.png"], ROOT)
    assert placed.files == {name: "sub/a.png"}
    assert placed.reasons == {}


def test_addresses_have_their_escapes_taken_out_and_names_have_not() -> None:
    files = ["my photo.png", "50%20.png"]
    assert place(["http://x/my%20photo.png"], files, ROOT).files == {
        "http://x/my%20photo.png": "my photo.png"
    }
    assert place(["50%20.png"], files, ROOT).files == {"50%20.png": "50%20.png"}


def test_letters_of_another_case_where_nothing_else_is_meant() -> None:
    """As Windows, which doesn't tell them apart, lets programs write them."""
    assert place(["IMG_1.JPG"], ["img_1.jpg"], ROOT).files == {"IMG_1.JPG": "img_1.jpg"}
    assert place(["a.png", "A.png"], ["A.png"], ROOT).files == {"A.png": "A.png"}
    assert place(["a.PNG"], ["a.png", "A.png"], ROOT).files == {}
    assert place([r"D:\Sub\a.png"], ["sub/a.png", "b/a.png"], ROOT).files == {
        r"D:\Sub\a.png": "sub/a.png"
    }
    assert place(["/x/A/i.png"], ["a/i.png", "A/i.png"], ROOT).files == {"/x/A/i.png": "A/i.png"}
    assert place(["x/IMG.JPG"], ["a/img.jpg", "b/img.jpg"], ROOT).files == {}


def test_escapes_of_an_address_without_its_beginning() -> None:
    assert place(["sub/my%20photo.png"], ["sub/my photo.png"], ROOT).files == {
        "sub/my%20photo.png": "sub/my photo.png"
    }


def test_accents_in_one_character_or_in_two() -> None:
    composed = "Größe/é.png"
    decomposed = unicodedata.normalize("NFD", composed)
    assert composed != decomposed
    assert place([composed], [decomposed], ROOT).files == {composed: decomposed}
    assert place([decomposed], [composed], ROOT).files == {decomposed: composed}


def test_where_both_spellings_are_there_each_means_its_own() -> None:
    both = [unicodedata.normalize(form, "é.png") for form in ("NFC", "NFD")]
    assert place(both, both, ROOT).files == dict(zip(both, both, strict=True))


def test_a_name_with_a_backslash_is_found_as_it_is() -> None:
    assert place([r"a\b.png"], [r"a\b.png", "b.png"], ROOT).files == {r"a\b.png": r"a\b.png"}


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("/x/a/same.png", "a/same.png"),
        ("/x/b/same.png", "b/same.png"),
        ("/x/deep/b/same.png", "deep/b/same.png"),
        ("same.png", "same.png"),
        ("set/same.png", "same.png"),
        (r"D:\old\deep\b\same.png", "deep/b/same.png"),
    ],
)
def test_the_longest_common_end_decides(name: str, file: str) -> None:
    files = ["a/same.png", "b/same.png", "deep/b/same.png", "same.png"]
    assert place([name], files, ROOT).files == {name: file}


@pytest.mark.parametrize(
    ("name", "files", "reason"),
    [
        ("c/same.png", ["a/same.png", "b/same.png"], "only a/same.png, b/same.png in another"),
        ("c/same.png", ["a/same.png"], "no such image, only a/same.png in another folder"),
        ("same.png", ["a/same.png", "b/same.png"], "several images may be meant"),
        ("/x/c/same.png", ["a/same.png", "same.png"], "several images may be meant"),
        ("a/other.png", ["a/same.png"], "there is no image of that name"),
        ("a.jpg", ["a.png"], "there is no image of that name"),
        ("../..", ["a.png"], "is no image's name"),
        ("http://[broken", ["a.png"], "is no image's name"),
    ],
)
def test_what_cannot_be_told_is_said(name: str, files: list[str], reason: str) -> None:
    placed = place([name], files, ROOT)
    assert placed.files == {}
    assert reason in placed.reasons[name]


def test_two_names_never_mean_one_image() -> None:
    """A file of the whole data set, for one of its folders: by the folder's own name where that
    tells, else not at all."""
    names = ["a/same.png", "set/same.png"]
    placed = place(names, ["same.png"], ROOT)
    assert placed.files == {"set/same.png": "same.png"}
    assert "same.png is another" in placed.reasons["a/same.png"]
    placed = place(["a/same.png", "b/same.png"], ["same.png"], ROOT)
    assert placed.files == {}
    assert "b/same.png may mean the same image" in placed.reasons["a/same.png"]
    placed = place(["same.png", "x/same.png"], ["same.png"], ROOT)
    assert placed.files == {"same.png": "same.png"}


def test_two_spellings_of_one_name_are_one() -> None:
    names = ["a/same.png", r"a\same.png"]
    assert place(names, ["a/same.png"], ROOT).files == dict.fromkeys(names, "a/same.png")


def test_converted_images_only_where_that_is_asked_for() -> None:
    assert place(["s/a.jpg"], ["s/a.webp"], ROOT, any_suffix=True).files == {"s/a.jpg": "s/a.webp"}
    placed = place(["a.jpg", "a.png"], ["a.jpg"], ROOT, any_suffix=True)
    assert placed.files == {"a.jpg": "a.jpg"}
    placed = place(["x/a.jpg"], ["s/a.webp", "t/a.webp"], ROOT, any_suffix=True)
    assert placed.files == {}
