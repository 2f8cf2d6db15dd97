"""One mask file means the same at every door: beside a photo, as --initial-mask, in pairs, in
training, in a benchmark."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from maskscenes import HEIGHT, LEFT, RIGHT, WIDTH, disc, grown
from PIL import Image

from vtmr.cli.segment import read_inputs
from vtmr.data import PairSource, open_benchmark, read_object
from vtmr.formats.png import read_masks

RIM = grown(LEFT, 2) & ~LEFT


def with_alpha() -> np.ndarray:
    array = np.full((HEIGHT, WIDTH, 4), 255, np.uint8)
    array[..., 3] = LEFT * 255
    return array


def coloured() -> np.ndarray:
    array = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    array[LEFT], array[RIGHT] = (200, 0, 0), (0, 0, 200)
    return array


def first_colour() -> Image.Image:
    image = Image.fromarray((~LEFT).astype(np.uint8))
    image.putpalette([255, 255, 255, 0, 0, 0])
    return image


def map_of(left: int, right: int, rim: int = 0, dtype: Any = np.uint8) -> np.ndarray:
    return (LEFT * left + RIGHT * right + RIM * rim).astype(dtype)


FILES: dict[str, tuple[Any, list[np.ndarray], bool]] = {  # picture, objects, whether it is said
    "0 and 1": (map_of(1, 1), [LEFT | RIGHT], False),
    "soft": (disc(20, 3), [disc(20, 3) > 127], True),
    "labels with 255": (map_of(1, 2, 255), [LEFT, RIGHT], True),
    "ids of 16 bits": (map_of(26001, 26002, dtype=np.uint16), [LEFT, RIGHT], True),
    "trimap": (map_of(255, 0, 128), [LEFT], True),
    "alpha": (with_alpha(), [LEFT], True),
    "colours": (coloured(), [RIGHT, LEFT], True),
    "first colour": (first_colour(), [LEFT], True),
}


@pytest.fixture
def both(tmp_path: Path) -> Callable[[str], tuple[Path, Path]]:
    """A photo and a mask of that kind, as a folder of pairs has them."""

    def write(kind: str) -> tuple[Path, Path]:
        picture = FILES[kind][0]
        for folder in ("images", "masks"):
            (tmp_path / folder).mkdir(exist_ok=True)
        image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
        image.save(tmp_path / "masks" / "a.png")
        Image.fromarray(np.zeros((HEIGHT, WIDTH, 3), np.uint8)).save(tmp_path / "images" / "a.png")
        return tmp_path / "images" / "a.png", tmp_path / "masks" / "a.png"

    return write


@pytest.mark.parametrize("kind", FILES)
def test_a_file_means_the_same_at_every_door(
    kind: str, both: Callable[[str], tuple[Path, Path]], capsys: pytest.CaptureFixture[str]
) -> None:
    photo, mask = both(kind)
    _, objects, said = FILES[kind]
    everything = np.any(objects, axis=0)

    beside, notes = read_masks(mask, (HEIGHT, WIDTH), [])
    for annotation, expected in zip(beside, objects, strict=True):
        np.testing.assert_array_equal(annotation.runs.decode(), expected)
    assert bool(notes) == said

    _, initial = read_inputs(photo, mask)
    np.testing.assert_array_equal(initial, everything)
    assert bool(capsys.readouterr().err) == said

    root = photo.parents[1]
    source = PairSource.open("pairs", root)
    np.testing.assert_array_equal(source.mask("a", "0"), everything)
    assert bool(source.notes("a")) == said

    ignored = {"labels with 255": RIM, "trimap": RIM}.get(kind)
    (sample,) = open_benchmark("pairs", root)
    for _, read, ignore in (read_object(source, "a", "0"), sample.load()):
        np.testing.assert_array_equal(read, everything)
        assert (ignore is None) == (ignored is None)
        if ignore is not None and ignored is not None:
            np.testing.assert_array_equal(ignore, ignored)


def test_the_annotator_says_what_a_file_was_taken_for(
    tmp_path: Path, start: Callable[..., Any]
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    Image.fromarray(np.zeros((HEIGHT, WIDTH, 3), np.uint8)).save(folder / "a.jpg")
    Image.fromarray(map_of(1, 2, 255)).save(folder / "a.mask.png")
    annotating = start(folder, labels=["cup"])
    answer = annotating.change("a.jpg", "import_mask")
    assert answer["notes"] == ["Its value 255 is taken as pixels to ignore, the others as objects."]
    assert [one["area"] for one in answer["document"]["objects"]] == [400, 600]
    assert [one["label"] for one in answer["document"]["objects"]] == ["cup", "object"]
