"""`vtmr data check`: exit code 0 for a sound data set, 1 with its findings for another, 2 for a
wrong call."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from running import Command
from tinysets import write_grabcut, write_squares


@pytest.fixture
def grabcut(tmp_path: Path) -> Path:
    return write_grabcut(tmp_path / "My GrabCut", (f"{number}.jpg" for number in range(50)))


def test_a_sound_set(command: Command, grabcut: Path) -> None:
    result = command("data", "check", f"grabcut={grabcut}")
    assert (result.code, result.err) == (0, "")
    words = result.out.split()
    assert words[-1] == "Sound."
    assert "My GrabCut" in " ".join(words)
    for row in (
        ["images", "50", "50"],
        ["objects", "50", "50"],
        ["8x6", "to", "8x6"],
        ["8", "to", "8", "pixels"],
    ):
        assert " ".join(row) in " ".join(words)


def test_a_sound_set_as_json(command: Command, grabcut: Path) -> None:
    result = command("data", "check", f"grabcut={grabcut}", "--json")
    assert (result.code, result.err) == (0, "")
    assert json.loads(result.out) == {
        "name": "grabcut",
        "path": str(grabcut),
        "sound": True,
        "images": 50,
        "objects": 50,
        "expected_images": [50],
        "expected_objects": [50],
        "image_sizes": [[8, 6], [8, 6]],
        "object_px": [8, 8],
        "displaced": {},
        "findings": [],
        "notes": [],
    }


def test_a_broken_set_ends_with_1_and_its_findings(command: Command, grabcut: Path) -> None:
    (grabcut / "boundary_GT" / "7.bmp").unlink()
    result = command("data", "check", f"grabcut={grabcut}")
    assert (result.code, result.err) == (1, "")
    assert "Not sound: 3 findings." in result.out
    assert f"- {grabcut}/boundary_GT lacks the mask of 7.jpg.\n" in result.out
    told = command("data", "check", f"grabcut={grabcut}", "--json")
    assert told.code == 1
    record = json.loads(told.out)
    assert (record["sound"], record["objects"], len(record["findings"])) == (False, 49, 3)


def test_a_long_list_of_findings_is_cut_in_words_alone(command: Command, grabcut: Path) -> None:
    for path in list((grabcut / "boundary_GT").iterdir())[:30]:
        path.write_bytes(b"")
    result = command("data", "check", f"grabcut={grabcut}")
    assert result.out.count("\n- ") == 20
    assert result.out.endswith("and 12 more: --json lists them all.\n")
    assert (
        len(json.loads(command("data", "check", f"grabcut={grabcut}", "--json").out)["findings"])
        == 32
    )


@pytest.mark.parametrize(
    ("arguments", "fragments"),
    [
        ([], ("NAME=PATH",)),
        (["grabcut"], ("'grabcut'", "NAME=PATH")),
        (["grabcut=nowhere"], ("nowhere", "doesn't exist")),
        (["grabcat=."], ("'grabcat'", "Did you mean 'grabcut'")),
    ],
)
def test_a_wrong_call(command: Command, arguments: list[str], fragments: tuple[str, ...]) -> None:
    command("data", "check", *arguments).assert_refused(*fragments)


def test_displaced_masks_are_a_finding_with_a_row(command: Command, tmp_path: Path) -> None:
    result = command("data", "check", f"pairs={write_squares(tmp_path, right=0, below=2)}")
    assert (result.code, result.err) == (1, "")
    words = " ".join(result.out.split())
    assert "pairs: masks off the edges +0.00 right, +2.00 below 0" in words
    assert (
        "Not sound: 1 finding. - The masks of pairs lie +0.0 pixels right of the photos' edges and "
        "+2.0 below" in words
    )
