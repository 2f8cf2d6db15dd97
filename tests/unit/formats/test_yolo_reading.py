"""YOLO's lines of text: what it says becomes masks, and what is wrong costs itself alone.

The files are written by hand after the format's description; the masks that they mean are known
from their coordinates.
"""

from __future__ import annotations

import pytest
from foreignfiles import assert_masks, block, only, source

from vtmr.formats import read


def test_polygons_boxes_and_confidences() -> None:
    lines = [
        "1 0.1 0.25 0.5 0.25 0.5 0.75 0.1 0.75",
        "0 0.5 0.5 0.1 0.2",
        "7 0.0 0.0 0.1 0.0 0.1 0.1 0.0 0.1 0.875",
        "",
        "1 2 3",
        "-1 0.5 0.5 0.1 0.2",
        "1 10 10 20 10 20 20",
        "cup 1 1",
    ]
    files: dict[str, bytes | str] = {
        "data.yaml": "names:\n  1: no\n  0: 'a: b'\n",
        "train/labels/a.txt": "\n".join(lines),
    }
    found, said = only(read("yolo", source(files)))
    wanted = {
        "no": block(10, 6, 30, 30),
        "a: b": block(16, 27, 24, 33),
        "class 7": block(0, 0, 4, 6),
    }
    assert_masks(found, wanted)
    assert [one.partition(":")[2][:8] for one in said if "was left out" in one] == [
        f" line {n} " for n in (5, 6, 7, 8)
    ]
    (image,) = read("yolo", source(files)).images
    assert image.names == ("train/images/a.txt", "a.txt")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("data.yaml", "names: [cup, dish]"),
        ("any.yml", "names: {1: dish, 0: cup}"),
        ("classes.txt", "cup\ndish\n"),
        ("obj.names", "cup\r\ndish"),
    ],
)
def test_where_names_come_from(name: str, text: str) -> None:
    found, _ = only(read("yolo", source({name: text, "a.txt": "1 0.5 0.5 0.1 0.1"})))
    assert [label for label, _ in found] == ["dish"]


def test_yaml_is_text_alone() -> None:
    """No object of Python's is made of it, and aliases don't multiply."""
    bomb = "a: &a [x]\n" + "\n".join(
        f"{n}: &{n} [{', '.join([f'*{b}'] * 9)}]"
        for b, n in zip("abcdefgh", "bcdefghi", strict=True)
    )
    for text in (
        "names: !!python/object/apply:os.system ['false']",
        bomb,
        "\t{",
        "x" * 2_000_000,
    ):
        found, _ = only(read("yolo", source({"d.yaml": text, "a.txt": "1 0.5 0.5 0.1 0.1"})))
        assert [label for label, _ in found] == ["class 1"]


def test_other_text_is_named() -> None:
    files: dict[str, bytes | str] = {"README.txt": "Hello\nthere", "a.txt": ""}
    found = read("yolo", source(files))
    assert len(found.images) == 1
    assert any(one.startswith("README.txt was left out.") for one in found.said.sentences())
