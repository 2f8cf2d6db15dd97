"""Label Studio's tasks: what it says becomes masks, and what is wrong costs itself alone.

The files are written by hand after the format's description; the masks that they mean are known
from their coordinates.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from foreignfiles import HEIGHT, WIDTH, assert_masks, block, only, source

from vtmr.errors import InputError
from vtmr.formats import read
from vtmr.formats.runlength import encode_label_studio


def tasks(*results: Any, image: str = "/data/upload/1/0a1b2c3d-a.jpg", **more: Any) -> Any:
    annotations = [{"result": list(results), "was_cancelled": False}]
    task = {"id": 1, "data": {"image": image}, "annotations": annotations} | more
    return {"tasks.json": json.dumps([task])}


def region(kind: str, label: str | None, number: int = 0, **value: Any) -> dict[str, Any]:
    labels = {kind: [label]} if label else {}
    return {
        "id": f"r{number}" if number else f"r-{label}",
        "type": kind,
        "original_width": WIDTH,
        "original_height": HEIGHT,
        "image_rotation": 0,
        "value": {**value, **labels},
    }


def test_brushes_polygons_rectangles_and_ellipses() -> None:
    mask = block(2, 3, 6, 9)
    stream = list(encode_label_studio(mask))
    found, said = only(
        read(
            "label-studio",
            source(
                tasks(
                    region("brushlabels", "m", format="rle", rle=stream),
                    region("polygonlabels", "p", points=[[10, 25], [50, 25], [50, 75], [10, 75]]),
                    region("rectanglelabels", "r", x=50, y=10, width=10, height=20),
                    region("rectangle", None, 7, x=0, y=0, width=10, height=10),
                    region("labels", "beside", 7),
                    region("ellipselabels", "e", x=50.5 / 0.6, y=30.5 / 0.4, radiusX=1, radiusY=1),
                    region("keypointlabels", "k", x=1, y=1),
                    region("brushlabels", "short", format="rle", rle=stream[:9]),
                    region("brushlabels", "odd", format="rle", rle=[1000]),
                    {**region("polygonlabels", "turned", points=[]), "image_rotation": 90},
                )
            ),
        )
    )
    wanted = {
        "m": mask,
        "p": block(10, 6, 30, 30),
        "r": block(4, 30, 12, 36),
        "beside": block(0, 0, 4, 6),
        "e": block(30, 50, 31, 51),
    }
    assert_masks(found, wanted)
    assert sum("was left out" in one for one in said) == 4
    assert "tasks.json: 2 rectangles came as filled shapes." in said


def test_a_rectangle_turns_around_its_corner() -> None:
    turned = region("rectanglelabels", "r", x=50, y=50, width=10, height=10, rotation=90)
    found, _ = only(read("label-studio", source(tasks(turned))))
    assert_masks(found, {"r": block(20, 26, 26, 30)})


@pytest.mark.parametrize(
    ("image", "names"),
    [
        ("/data/upload/1/0a1b2c3d-a.jpg", ("/data/upload/1/0a1b2c3d-a.jpg", "a.jpg")),
        ("/data/local-files/?d=sub/a%20b%FF.jpg", ("sub/a b\udcff.jpg",)),
        ("s3://bucket/x/a.jpg", ("s3://bucket/x/a.jpg",)),
    ],
)
def test_how_images_are_named(image: str, names: tuple[str, ...]) -> None:
    (found,) = read("label-studio", source(tasks(image=image))).images
    assert found.names == names


def test_which_annotation_counts() -> None:
    first, second = (
        region("rectanglelabels", label, x=0, y=0, width=10, height=10) for label in "ab"
    )
    skipped = {"result": [second], "was_cancelled": True}
    kept = {"result": [first]}
    files = tasks(annotations=[skipped, kept, kept], predictions=[{"result": [second]}])
    found, said = only(read("label-studio", source(files)))
    assert [label for label, _ in found] == ["a"]
    assert "of 2 annotations the first came." in "".join(said)
    files = tasks(annotations=[skipped], predictions=[{"result": [second]}])
    found, said = only(read("label-studio", source(files)))
    assert [label for label, _ in found] == ["b"]
    assert "a prediction came." in "".join(said)


@pytest.mark.parametrize("content", ['[{"image": "a.jpg", "label": []}]', "3", "[3]", "[{}"])
def test_other_files_are_refused(content: str) -> None:
    with pytest.raises(InputError, match="Label Studio's"):
        read("label-studio", source({"a.json": content}))


def lying_on(view: str, label: str) -> dict[str, Any]:
    return {**region("rectanglelabels", label, x=0, y=0, width=10, height=10), "to_name": view}


def test_a_task_of_two_images_comes_with_the_one_that_its_regions_lie_on() -> None:
    both = {"left": "/data/upload/1/l.jpg", "right": "/data/upload/1/r.jpg"}
    one = read("label-studio", source(tasks(lying_on("right", "cup"), data=both)))
    assert [found.names[0] for found in one.images] == ["/data/upload/1/r.jpg"]
    regions = lying_on("left", "cup"), lying_on("right", "plate")
    two = read("label-studio", source(tasks(*regions, data=both)))
    assert two.images == []
    assert any("its regions lie on 2 images" in said for said in two.said.sentences())
