"""Mask files whose names follow a pattern: which image and label each belongs to."""

from __future__ import annotations

import io

import numpy as np
import pytest
from foreignfiles import assert_masks, block, only, source
from PIL import Image

from vtmr.errors import InputError
from vtmr.formats import read
from vtmr.formats.foreign import Options
from vtmr.formats.png import png_bytes


@pytest.mark.parametrize(
    ("pattern", "path", "name"),
    [
        ("{name}.mask.png", "sub/a.mask.png", "sub/a.png"),
        ("{name}_mask.png", "sub/a_mask.png", "sub/a.png"),
        ("masks/{name}.png", "masks/sub/a.png", "sub/a.png"),
        ("masks/{name}.png", "set/masks/a.png", "set/a.png"),
        ("{name}/{number}-{label}.png", "sub/a/007-cup.png", "sub/a.png"),
        ("{name}_*.png", "a_matte_3.png", "a_matte.png"),
    ],
)
def test_names(pattern: str, path: str, name: str) -> None:
    files: dict[str, bytes | str] = {path: png_bytes(block(1, 1, 5, 5)), "other.tiff": b""}
    found = read("indexed-png", source(files), Options(pattern))
    assert found.images[0].names == (name,)
    assert len(found.images) == 1


@pytest.mark.parametrize("pattern", ["mask.png", "{name}{name}.png", "{name}{x}.png", "*" * 300])
def test_patterns_that_are_none(pattern: str) -> None:
    with pytest.raises(InputError, match="The pattern"):
        read("png", source({"a.png": b""}), Options(pattern))


def test_files_of_one_image_and_their_labels() -> None:
    files: dict[str, bytes | str] = {
        "a.cup.png": png_bytes(block(1, 1, 5, 5)),
        "a.dish.png": png_bytes(block(9, 9, 12, 12)),
        "a.none.png": b"no picture",
    }
    found, said = only(read("png", source(files), Options("{name}.{label}.png")))
    assert_masks(found, {"cup": block(1, 1, 5, 5), "dish": block(9, 9, 12, 12)})
    assert any(one.startswith("a.none.png") for one in said)


def test_values_take_the_projects_labels() -> None:
    stream = io.BytesIO()
    Image.fromarray((block(1, 1, 9, 9) * 2).astype(np.uint8)).save(stream, "PNG")
    options = Options("", ("cup", "dish"))
    found, _ = only(read("indexed-png", source({"a.mask.png": stream.getvalue()}), options))
    assert [label for label, _ in found] == ["dish"]
