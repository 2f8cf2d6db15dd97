"""The doctor on tiny copies of the benchmarks, sound and broken; the counts are those that issue
and papers quote."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tinysets import (
    mask,
    photo,
    save,
    write_berkeley,
    write_davis585,
    write_grabcut,
    write_sbd,
    write_squares,
    write_united,
)

from vtmr.data import BENCHMARKS
from vtmr.data.doctor import Diagnosis, examine
from vtmr.data.sources import IMAGE_SUFFIXES, MASK_SUFFIXES, left_out
from vtmr.errors import DataError


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every published set has two images with three objects in all."""
    for name, layout in BENCHMARKS.items():
        counts = {
            "images": (2,) if layout.images else (),
            "objects": (3,) if layout.objects else (),
        }
        monkeypatch.setitem(BENCHMARKS, name, replace(layout, **counts))


def findings(diagnosis: Diagnosis, *, but: str = "playable") -> list[str]:
    """Those that don't speak of the counts."""
    return [finding for finding in diagnosis.findings if but not in finding]


def test_the_published_counts() -> None:
    expected = {
        "grabcut": ((50,), (50,)),
        "berkeley": ((96, 100), (100,)),
        "davis": ((345,), (345,)),
        "sbd": ((2857,), (6671,)),
        "coco-mval": ((800,), (800,)),
        "davis585": ((), (585,)),
        "davis585-stm": ((), (585,)),
        "davis585-zero": ((), (585,)),
        "report": ((1000,), (1000,)),
    }
    found = {name: (layout.images, layout.objects) for name, layout in BENCHMARKS.items()}
    assert {name: counts for name, counts in found.items() if any(counts)} == expected


def test_a_sound_grabcut(tmp_path: Path) -> None:
    write_grabcut(tmp_path, (f"{number}.jpg" for number in range(50)))
    save(tmp_path / "data_GT" / "7.jpg", photo(8, 12))
    save(tmp_path / "boundary_GT" / "7.bmp", mask(0, 128, 255, 255, height=8, width=12))
    told: list[tuple[int, int]] = []
    diagnosis = examine("grabcut", tmp_path, lambda done, total: told.append((done, total)))
    assert diagnosis == Diagnosis(
        "grabcut",
        tmp_path,
        50,
        50,
        (50,),
        (50,),
        image_sizes=((8, 6), (12, 8)),
        object_px=(8, 24),
        findings=(),
    )
    assert diagnosis.sound
    assert told == [(done, 50) for done in range(1, 51)]


@pytest.mark.parametrize("images", [96, 100])
def test_berkeley_is_sound_in_both_its_forms(tmp_path: Path, images: int) -> None:
    letters = {100: [""] * 100, 96: [""] * 92 + ["a"] * 4}[images]
    numbers = [f"{number}{letter}" for number, letter in enumerate(letters)]
    masks = numbers + [f"{number}b" for number in range(92, 96)] * (images == 96)
    stems = [name.rstrip("ab") for name in numbers]
    write_berkeley(tmp_path, (f"{stem}.jpg" for stem in stems), (f"{name}.png" for name in masks))
    diagnosis = examine("berkeley", tmp_path)
    assert diagnosis.sound
    assert (diagnosis.images, diagnosis.objects) == (images, 100)


@pytest.mark.usefixtures("small")
def test_sound_sets_of_the_other_layouts(tmp_path: Path) -> None:
    write_sbd(tmp_path / "sbd", {"a": mask(1, 2), "b": mask(4)})
    write_davis585(tmp_path / "d585", {"bear": ["object1", "object2"], "cow": ["object1"]})
    for name, folder in (
        ("sbd", "sbd"),
        ("davis585", "d585"),
        ("davis585-stm", "d585"),
        ("davis585-zero", "d585"),
    ):
        diagnosis = examine(name, tmp_path / folder)
        assert diagnosis.sound, diagnosis.findings
        assert (diagnosis.images, diagnosis.objects) == (2, 3)


def test_any_number_of_pairs_is_right(tmp_path: Path) -> None:
    save(tmp_path / "images" / "a.png", photo())
    save(tmp_path / "masks" / "a.png", mask())
    assert examine("pairs", tmp_path).sound


@pytest.mark.usefixtures("small")
def test_every_defect_is_named_and_none_hides_another(tmp_path: Path) -> None:
    write_united(
        tmp_path,
        ["sound.jpg", "no mask.jpg", "no image.jpg", "cut.jpg", "wide.jpg", "void.jpg", "odd.JPG"],
    )
    (tmp_path / "gt" / "no mask.png").unlink()
    (tmp_path / "img" / "no image.jpg").unlink()
    whole = (tmp_path / "img" / "cut.jpg").read_bytes()
    (tmp_path / "img" / "cut.jpg").write_bytes(whole[:150])
    save(tmp_path / "gt" / "wide.png", mask(width=9))
    save(tmp_path / "gt" / "void.png", mask(0))
    save(tmp_path / "gt" / "odd.png", mask(3, 255))
    diagnosis = examine("coco-mval", tmp_path)
    assert not diagnosis.sound
    assert (diagnosis.images, diagnosis.objects) == (2, 2)
    expected = [
        "gt lacks the mask of no mask.jpg",
        "img lacks the image of the mask no image.png",
        "cut.jpg",
        "The mask of coco-mval/odd/0 holds 3: expected 0, 255 alone.",
        "The object coco-mval/void/0 has no pixel that counts.",
        "wide.png is 9x6",
        "There are 2 playable objects: expected 3.",
    ]
    assert len(diagnosis.findings) == len(expected)
    for part in expected:
        assert any(part in finding for finding in diagnosis.findings), part


def test_what_keeps_a_set_from_being_listed_is_a_finding(tmp_path: Path) -> None:
    diagnosis = examine("sbd", tmp_path)
    assert (diagnosis.images, diagnosis.objects, diagnosis.image_sizes, diagnosis.object_px) == (
        0,
        0,
        None,
        None,
    )
    assert "val.txt can't be read" in diagnosis.findings[0]
    assert diagnosis.findings[1:] == (
        "There are 0 playable images: expected 2,857.",
        "There are 0 playable objects: expected 6,671.",
    )


@pytest.mark.usefixtures("small")
def test_masks_to_begin_with_are_read_too(tmp_path: Path) -> None:
    write_davis585(tmp_path, {"bear": ["object1", "object2"], "cow": ["object1"]})
    save(tmp_path / "cow" / "init_sp_object1_00009.png", mask(width=4))
    assert findings(examine("davis585-stm", tmp_path)) == []
    (finding,) = findings(examine("davis585", tmp_path))
    assert "cow/object1_00009, the one to begin with, is 4x6" in finding


@pytest.mark.usefixtures("small")
def test_an_object_that_only_ignored_pixels_cover_has_none_that_counts(tmp_path: Path) -> None:
    write_grabcut(tmp_path, ["a.jpg"])
    save(tmp_path / "boundary_GT" / "a.bmp", mask(128, 64))
    assert findings(examine("grabcut", tmp_path)) == [
        "The mask of grabcut/a/0 holds 64: expected 0, 128, 255 alone.",
        "The object grabcut/a/0 has no pixel that counts.",
    ]


@pytest.mark.usefixtures("small")
def test_an_image_listed_twice(tmp_path: Path) -> None:
    write_sbd(tmp_path, {"a": mask(1)})
    (tmp_path / "val.txt").write_text("a\na\n")
    assert findings(examine("sbd", tmp_path)) == ["The object sbd/a/1 occurs 2 times."]


def test_the_record_has_what_the_diagnosis_has(tmp_path: Path) -> None:
    write_united(tmp_path, ["a.jpg"])
    record = examine("davis", tmp_path).as_record()
    assert record == {
        "name": "davis",
        "path": str(tmp_path),
        "sound": False,
        "images": 1,
        "objects": 1,
        "expected_images": (345,),
        "expected_objects": (345,),
        "image_sizes": ((8, 6), (8, 6)),
        "object_px": (8, 8),
        "displaced": {},
        "findings": (
            "There are 1 playable images: expected 345.",
            "There are 1 playable objects: expected 345.",
        ),
        "notes": (),
    }


def test_a_wrong_name_or_folder_is_the_callers_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no data set 'daviss'.*Did you mean 'davis'"):
        examine("daviss", tmp_path)
    with pytest.raises(DataError, match="gone is not a folder"):
        examine("davis", tmp_path / "gone")


def test_big_masks_are_counted_exactly(tmp_path: Path) -> None:
    save(tmp_path / "images" / "a.png", photo(300, 400))
    save(tmp_path / "masks" / "a.png", np.full((300, 400), 255, np.uint8))
    assert examine("pairs", tmp_path).object_px == (120_000, 120_000)


@pytest.mark.parametrize("moved", [0, 1])
def test_masks_beside_the_photos_edges_are_found(tmp_path: Path, moved: int) -> None:
    diagnosis = examine("pairs", write_squares(tmp_path, right=moved, below=0))
    assert diagnosis.displaced == {"pairs": (moved, 0)}
    assert diagnosis.as_record()["displaced"] == diagnosis.displaced
    expected = [
        "The masks of pairs lie +1.0 pixels right of the photos' edges and +0.0 below them in the "
        "mean"
    ] * moved
    assert [finding.partition(":")[0] for finding in diagnosis.findings] == expected


# --- what is told without being wrong, and what would be left out in silence


@pytest.mark.usefixtures("small")
def test_berkeley_as_published_is_sound(tmp_path: Path) -> None:
    """Some of its masks hold values such as 105, 197 and 243."""
    write_berkeley(tmp_path, ["a.jpg", "b.jpg", "c.jpg"], ["a.png", "b.png", "c.png"])
    save(tmp_path / "masks" / "b.png", mask(105, 197, 243, 255))
    diagnosis = examine("berkeley", tmp_path)
    assert findings(diagnosis) == []
    assert diagnosis.notes == (
        "The mask of berkeley/b/0 holds 105, 197, 243: object above 127, else background.",
    )
    assert diagnosis.object_px == (8, 24)


def test_what_a_mask_was_taken_for_is_told(tmp_path: Path) -> None:
    for stem, values in (("a", mask()), ("b", mask(1, 2)), ("c", mask(1, 0, 255))):
        save(tmp_path / "images" / f"{stem}.png", photo())
        save(tmp_path / "masks" / f"{stem}.tif", values)
    diagnosis = examine("pairs", tmp_path)
    assert diagnosis.sound
    assert (
        diagnosis.as_record()["notes"]
        == diagnosis.notes
        == (
            "The mask of pairs/b/0: Its 2 values but 0 are taken as one object each.",
            "The mask of pairs/b/0: Its 2 objects count as one.",
            "The mask of pairs/c/0: Its value 255 is taken as pixels to ignore, the "
            "others as objects.",
        )
    )


@pytest.mark.parametrize("folder", ["images", "masks"])
def test_what_is_left_out_is_a_finding(tmp_path: Path, folder: str) -> None:
    save(tmp_path / "images" / "a.png", photo())
    save(tmp_path / "masks" / "a.png", mask())
    (tmp_path / folder / "empty").mkdir()
    (tmp_path / folder / "notes.txt").write_text("nothing")
    assert examine("pairs", tmp_path).findings == ()
    save(tmp_path / folder / "s" / "deep" / "b.png", photo())
    save(tmp_path / folder / "c.gif", photo())
    (tmp_path / folder / "gone.png").symlink_to(tmp_path / "nowhere.png")
    (tmp_path / folder / "there").symlink_to(tmp_path / folder / "s")
    found = left_out(tmp_path / folder, IMAGE_SUFFIXES if folder == "images" else MASK_SUFFIXES)
    assert [sentence.partition(folder + "/")[2].partition(":")[0] for sentence in found] == [
        "c.gif is left out",
        "gone.png is a link that leads nowhere",
        "s is a subfolder and left out, with the image files in it (1)",
        "there is a link to a folder and left out, with the image files in it (1)",
    ]
    assert set(found) <= set(examine("pairs", tmp_path).findings)


def test_a_link_to_an_image_is_an_image(tmp_path: Path) -> None:
    for folder, values in (("images", photo()), ("masks", mask())):
        save(tmp_path / "elsewhere" / folder / "a.png", values)
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.png").symlink_to(tmp_path / "elsewhere" / folder / "a.png")
    diagnosis = examine("pairs", tmp_path)
    assert (diagnosis.objects, diagnosis.findings) == (1, ())
