"""VOC's pictures: what it says becomes masks, and what is wrong costs itself alone.

The files are written by hand after the format's description; the masks that they mean are known
from their coordinates.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from foreignfiles import SIZE, assert_masks, block, only, source
from PIL import Image

from vtmr.errors import InputError
from vtmr.formats import read
from vtmr.formats.voc import voc_palette


def indexed(values: np.ndarray) -> bytes:
    image = Image.fromarray(values.astype(np.uint8))
    image.putpalette(voc_palette().reshape(-1).tolist())
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


def coloured(values: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(voc_palette()[values.astype(int)]).save(stream, "PNG")
    return stream.getvalue()


CLASSES = block(5, 5, 9, 9) * 1 + block(5, 20, 9, 30) * 15 + block(0, 50, 3, 60) * 255
OBJECTS = block(5, 5, 9, 9) * 1 + block(5, 20, 9, 25) * 2 + block(5, 25, 9, 30) * 3
LABELS = "# label:color_rgb:parts:actions\nbackground:0,0,0::\ncup:128,0,0::\ndish:192,128,128::"


@pytest.mark.parametrize("picture", [indexed, coloured])
def test_objects_and_their_classes(picture: Any) -> None:
    """Of palettes and of plain colours, as datumaro writes them; the void is no object."""
    found, said = only(
        read(
            "voc",
            source(
                {
                    "SegmentationClass/a.png": picture(CLASSES),
                    "SegmentationObject/a.png": picture(OBJECTS),
                    "labelmap.txt": LABELS,
                }
            ),
        )
    )
    assert [label for label, _ in found] == ["cup", "dish", "dish"]
    masks = [block(5, 5, 9, 9), block(5, 20, 9, 25), block(5, 25, 9, 30)]
    for (_, mask), wanted in zip(found, masks, strict=True):
        np.testing.assert_array_equal(mask, wanted)
    assert said == []


@pytest.mark.parametrize("picture", [indexed, coloured])
def test_labels_without_colours_have_vocs(picture: Any) -> None:
    """As datumaro writes them."""
    files: dict[str, bytes | str] = {
        "SegmentationClass/a.png": picture(block(5, 5, 9, 9) * 2),
        "labelmap.txt": "background:::\ncup:::\ndish:::\n",
    }
    found, _ = only(read("voc", source(files)))
    assert_masks(found, {"dish": block(5, 5, 9, 9)})


def test_classes_alone_and_vocs_own_labels() -> None:
    """VOC2012's first class is the aeroplane, its fifteenth the person."""
    files: dict[str, bytes | str] = {"VOC/SegmentationClass/sub/a.png": indexed(CLASSES)}
    found, said = only(read("voc", source(files)))
    wanted = {"aeroplane": block(5, 5, 9, 9), "person": block(5, 20, 9, 30)}
    assert_masks(found, wanted)
    assert len(said) == 2
    (image,) = read("voc", source(files)).images
    assert image.names == ("sub/a.png",)


def test_the_palette_is_vocs() -> None:
    """The first five and the last of VOClabelcolormap."""
    wanted = [(0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0), (0, 0, 128), (224, 224, 192)]
    assert [tuple(voc_palette()[n].tolist()) for n in (0, 1, 2, 3, 4, 255)] == wanted


def test_a_picture_of_another_size_costs_its_image_alone() -> None:
    files: dict[str, bytes | str] = {"SegmentationClass/a.png": indexed(CLASSES[:9])}
    (image,) = read("voc", source(files)).images
    with pytest.raises(InputError, match="60x9: expected the image's size 60x40"):
        image.decode(SIZE)
