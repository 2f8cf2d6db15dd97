"""Other programs' annotation files, written by hand, and what is read of them: what the tests of
those formats share."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np

from vtmr.formats.foreign import Foreign
from vtmr.formats.sources import Source, source_of
from vtmr.masks import Mask

HEIGHT, WIDTH = 40, 60
SIZE = HEIGHT, WIDTH


def source(files: dict[str, bytes | str]) -> Source:
    content = {
        name: data.encode() if isinstance(data, str) else data for name, data in files.items()
    }
    return source_of(list(content), "the files", lambda name: io.BytesIO(content[name]))


def block(top: int, left: int, bottom: int, right: int) -> Mask:
    mask = np.zeros(SIZE, bool)
    mask[top:bottom, left:right] = True
    return mask


def only(found: Foreign) -> tuple[list[tuple[str, Mask]], list[str]]:
    """The one image's objects, and everything that was said."""
    (image,) = found.images
    assert image.size in (None, SIZE)
    objects, said = image.decode(SIZE)
    masks = [(one.label, one.runs.decode()) for one in objects]
    return masks, [*found.said.sentences(), *said.sentences()]


def assert_masks(found: list[tuple[str, Mask]], wanted: dict[str, Mask]) -> None:
    assert [label for label, _ in found] == list(wanted)
    for label, mask in found:
        np.testing.assert_array_equal(mask, wanted[label])


def cvat(*shapes: str, name: str = "sub/a.jpg") -> dict[str, bytes | str]:
    inner = "".join(shapes)
    image = f'<image id="0" name="{name}" width="60" height="40">{inner}</image>'
    return {"annotations.xml": f"<annotations><version>1.1</version>{image}</annotations>"}


def labelme(*shapes: Any, **more: Any) -> dict[str, bytes | str]:
    document = {"version": "5.5.0", "shapes": shapes, "imagePath": "a.jpg"}
    return {"sub/a.json": json.dumps(document | {"imageHeight": 40, "imageWidth": 60} | more)}
