"""What is written in a format comes back from it: masks, labels, order and the image it is of.

Expected values are the masks that went in. Formats that hold one object a pixel are given masks
that don't overlap; YOLO, whose polygons have neither holes nor parts, gets one part without holes.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vtmr.app.edits import without_holes, without_small_parts
from vtmr.formats import READERS, WRITERS, AnnotatedImage, Annotation, Files, read, write
from vtmr.formats.foreign import ForeignImage
from vtmr.formats.placing import place_spelled
from vtmr.formats.registry import format_of
from vtmr.formats.runlength import boxed_runs, of_boxed_runs
from vtmr.formats.sources import Source, source_of
from vtmr.masks import Mask, RunLengths

FAMILY = {"coco-polygons": "coco", "labelme-polygons": "labelme"}  # what reads them
ONE_A_PIXEL = ("voc", "indexed-png")
LABELS = ("cup", "a-b", "Größe", "tea_pot", "cup")


def source(files: Files) -> Source:
    return source_of(
        list(files.content), "the export", lambda name: io.BytesIO(files.content[name])
    )


@st.composite
def masks(draw: st.DrawFn) -> list[Mask]:
    """Up to four masks of one size: noise, blocks, everything, a single pixel."""
    height, width = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    random = np.random.default_rng(draw(st.integers(0, 1 << 30)))
    found = []
    for kind in draw(st.lists(st.sampled_from("nbap"), max_size=4)):
        mask = np.zeros((height, width), bool)
        if kind == "n":
            mask = random.random((height, width)) < random.choice([0.1, 0.5, 0.9])
        elif kind == "a":
            mask[:] = True
        else:
            y, x = random.integers(height), random.integers(width)
            tall, wide = (1, 1) if kind == "p" else random.integers(1, 20, 2)
            mask[y : y + tall, x : x + wide] = True
        if mask.any():
            found.append(mask)
    return found


def came_back(form: str, image: AnnotatedImage) -> tuple[ForeignImage | None, list[Annotation]]:
    files = write(form, [image], [])
    assert not files.missing
    found = read(FAMILY.get(form, form), source(files))
    if not found.images:
        return None, []
    (foreign,) = found.images
    assert foreign.size in (None, (image.height, image.width))
    objects, said = foreign.decode((image.height, image.width))
    assert said.sentences() == []
    return foreign, objects


def annotated(name: str, found: list[Mask]) -> AnnotatedImage:
    height, width = found[0].shape if found else (9, 7)
    objects = [Annotation(LABELS[n], RunLengths.encode(mask)) for n, mask in enumerate(found)]
    return AnnotatedImage(name, height, width, tuple(objects))


@pytest.mark.parametrize("form", WRITERS)
@settings(max_examples=25, deadline=None)
@given(found=masks())
def test_masks_and_labels_come_back(form: str, found: list[Mask]) -> None:
    if form == "yolo":
        found = [without_holes(without_small_parts(mask, None)) for mask in found]
        found = [_largest_part(mask) for mask in found]
    if form in ONE_A_PIXEL:
        found = _apart(found)
    if form == "png" and not found:
        return  # a file for each object, and so none
    image = annotated("sub/photo.jpg", found)
    _, objects = came_back(form, image)
    assert [one.label for one in objects] == [one.label for one in image.objects]
    for one, mask in zip(objects, found, strict=True):
        np.testing.assert_array_equal(one.runs.decode(), mask)


def _apart(found: list[Mask]) -> list[Mask]:
    """Without what an upper mask hides, and without those that are hidden wholly."""
    kept: list[Mask] = []
    for number, mask in enumerate(found):
        seen = mask.copy()
        for upper in found[number + 1 :]:
            seen &= ~upper
        kept.append(seen)
    return [mask for mask in kept if mask.any()]


def _largest_part(mask: Mask) -> Mask:
    import cv2

    _, parts, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    return without_holes(np.asarray(parts == largest))


@pytest.mark.parametrize("form", WRITERS)
@settings(max_examples=25, deadline=None)
@given(
    name=st.sampled_from(
        [
            "a.jpg",
            "a.b.c.png",
            "sub dir/x.webp",
            "labels/images/a.png",
            "caf\udce9.png",
            "50%25.png",
            "grün 😀.jpg",
            "a&<b>\"'.png",
            "masks/x.mask.tif",
        ]
    )
)
def test_the_image_is_found_again(form: str, name: str) -> None:
    """Also beside one that differs in its suffix alone, and one in another folder."""
    image = annotated(name, [np.ones((5, 6), bool)])
    foreign, _ = came_back(form, image)
    assert foreign is not None
    files = [name, f"elsewhere/{Path(name).name}"]
    found = place_spelled([foreign.names], files, Path("/photos"), any_suffix=True)
    assert list(found.files.values()) == [name], found.reasons


@pytest.mark.parametrize("form", READERS)
def test_a_format_is_told_by_its_files(form: str) -> None:
    image = annotated("photo.jpg", [np.eye(9, dtype=bool)])
    assert format_of(source(write(form, [image], []))) == form


@settings(max_examples=100, deadline=None)
@given(found=masks())
def test_runs_along_a_box(found: list[Mask]) -> None:
    for mask in found:
        boxed = boxed_runs(mask)
        assert boxed is not None
        box, runs = boxed
        assert runs.sum() == box.area
        assert (runs[1:] > 0).all()
        back = of_boxed_runs(runs.tolist(), box, *mask.shape)
        np.testing.assert_array_equal(back.decode(), mask)
