"""LabelMe's JSON: what it says becomes masks, and what is wrong costs itself alone.

The files are written by hand after the format's description; the masks that they mean are known
from their coordinates.
"""

from __future__ import annotations

import base64
from typing import Any

import pytest
from foreignfiles import assert_masks, block, labelme, only, source

from vtmr.errors import InputError
from vtmr.formats import read
from vtmr.formats.png import png_bytes


def shape(label: str, kind: str, points: Any, **more: Any) -> dict[str, Any]:
    return {"label": label, "shape_type": kind, "points": points, "group_id": None, **more}


def test_every_shape_that_has_an_area() -> None:
    mask = block(2, 3, 6, 9)
    mask[4, 5] = False
    picture = base64.b64encode(png_bytes(mask[2:6, 3:9])).decode()
    found, said = only(
        read(
            "labelme",
            source(
                labelme(
                    shape("p", "polygon", [[10, 10], [20, 10], [20, 20], [10, 20]]),
                    shape("r", "rectangle", [[40, 9], [30, 5]]),
                    shape("m", "mask", [[3, 2], [8, 5]], mask=picture),
                    shape("c", "circle", [[50.5, 30.5], [51.2, 30.5]]),
                    shape("l", "line", [[1, 1], [2, 2]]),
                    shape("short", "polygon", [[1, 1], [2, 2]]),
                    shape("odd", "polygon", [[1, 1], [2, 2], ["x", 3]]),
                    shape("none", "mask", [[3, 2], [8, 5]]),
                    "nonsense",
                )
            ),
        )
    )
    wanted = {
        "p": block(10, 10, 20, 20),
        "r": block(5, 30, 9, 40),
        "m": mask,
        "c": block(30, 50, 31, 51),
    }
    assert_masks(found, wanted)
    assert sum("was left out" in one for one in said) == 5
    assert "sub/a.jpg: shape 5 was left out. A line has no area" in "".join(said)


def test_a_group_of_one_label_is_one_object() -> None:
    left, right = [[1, 1], [5, 1], [5, 5], [1, 5]], [[9, 9], [12, 9], [12, 12], [9, 12]]
    found, _ = only(
        read(
            "labelme",
            source(
                labelme(
                    shape("cup", "polygon", left, group_id=1),
                    shape("dish", "polygon", left, group_id=1),
                    shape("cup", "polygon", right, group_id=1),
                )
            ),
        )
    )
    assert_masks(found, {"cup": block(1, 1, 5, 5) | block(9, 9, 12, 12), "dish": block(1, 1, 5, 5)})


def test_where_the_image_lies() -> None:
    for path, name in (
        ("a.jpg", "sub/a.jpg"),
        (r"..\photos\b.jpg", "photos/b.jpg"),
        (None, "sub/a.jpg"),
        ("../../../etc/passwd", "etc/passwd"),
    ):
        (image,) = read("labelme", source(labelme(imagePath=path))).images
        assert image.names[0] == name


@pytest.mark.parametrize("content", ["[]", "{}", '{"shapes": 3}', "", "[" * 100_000, "\xff"])
def test_other_files_are_refused(content: str) -> None:
    with pytest.raises(InputError):
        read("labelme", source({"a.json": content.encode("latin-1")}))
