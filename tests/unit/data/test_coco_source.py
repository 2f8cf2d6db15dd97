"""COCO files as training sources, as other programs write them: on tiny folders made here."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from vtmr.data import CocoSource
from vtmr.errors import DataError

HEIGHT, WIDTH = 12, 16
SMALL, LARGE = [[1, 1, 4, 1, 4, 4, 1, 4]], [[5, 5, 11, 5, 11, 11, 5, 11]]  # 9 and 36 pixels


def photo(root: Path, name: str, value: int = 90) -> None:
    path = root / "images" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((HEIGHT, WIDTH, 3), value, np.uint8)).save(path)


def record(name: str, key: Any = 1, **more: Any) -> dict[str, Any]:
    return {"id": key, "file_name": name, "height": HEIGHT, "width": WIDTH, **more}


def shape(segmentation: Any, key: Any = 1, of: Any = 1, **more: Any) -> dict[str, Any]:
    return {"id": key, "image_id": of, "segmentation": segmentation, **more}


def opened(
    root: Path, images: list[Any], annotations: list[Any], before: bytes = b""
) -> CocoSource:
    content = {"images": images, "annotations": annotations, "categories": []}
    text = json.dumps(content, ensure_ascii=False).encode()
    (root / "instances.json").write_bytes(before + text)
    return CocoSource.open("own", root)


def objects(source: CocoSource) -> list[tuple[str, str, int]]:
    return [
        (stem, key, int(source.mask(stem, key).sum()))
        for stem in source.stems
        for key in source.object_ids(stem)
    ]


def test_repeated_ids_are_several_objects(tmp_path: Path) -> None:
    photo(tmp_path, "a.png")
    source = opened(
        tmp_path, [record("a.png")], [shape(SMALL, 0), shape(LARGE, 0), shape(SMALL, 3)]
    )
    assert objects(source) == [("a", "0", 9), ("a", "0#2", 36), ("a", "3", 9)]
    assert source.findings == ()


def test_missing_ids_are_several_objects(tmp_path: Path) -> None:
    photo(tmp_path, "a.png")
    bare = [{"image_id": 1, "segmentation": one} for one in (SMALL, LARGE)]
    found = objects(opened(tmp_path, [record("a.png")], bare))
    assert [area for _, _, area in found] == [9, 36]


def test_subfolders_keep_images_of_one_name_apart(tmp_path: Path) -> None:
    photo(tmp_path, "s1/a.png", 10)
    photo(tmp_path, "s2/a.png", 20)
    photo(tmp_path, "s2/.hidden/a.png", 30)
    images = [record("s2/a.png", 2), record("s1/a.png", 1)]
    source = opened(tmp_path, images, [shape(SMALL, 1, 1), shape(LARGE, 2, 2)])
    assert objects(source) == [("s1/a", "1", 9), ("s2/a", "2", 36)]
    assert [int(source.image(stem)[0, 0, 0]) for stem in source.stems] == [10, 20]


@pytest.mark.parametrize(
    "name", [r"D:\set\images\s1\a.png", "/mnt/set/images/s1/a.png", "images/s1/a.png", "./s1/a.png"]
)
def test_paths_of_other_machines(tmp_path: Path, name: str) -> None:
    photo(tmp_path, "s1/a.png")
    photo(tmp_path, "s2/a.png")
    assert objects(opened(tmp_path, [record(name)], [shape(SMALL)])) == [("s1/a", "1", 9)]


def test_accents_in_another_form(tmp_path: Path) -> None:
    photo(tmp_path, unicodedata.normalize("NFD", "é.png"))
    source = opened(tmp_path, [record(unicodedata.normalize("NFC", "é.png"))], [shape(SMALL)])
    assert len(objects(source)) == 1


def test_a_byte_order_mark_and_text_for_ids(tmp_path: Path) -> None:
    photo(tmp_path, "a.png")
    source = opened(
        tmp_path, [record("a.png", 1)], [shape(SMALL, "x", "1")], before=b"\xef\xbb\xbf"
    )
    assert objects(source) == [("a", "x", 9)]


def test_sizes_that_the_file_lacks_are_the_images(tmp_path: Path) -> None:
    photo(tmp_path, "a.png")
    photo(tmp_path, "b.png")
    images = [{"id": 1, "file_name": "a.png"}, record("b.png", 2, height=0, width=None)]
    source = opened(tmp_path, images, [shape(SMALL, 1, 1), shape(LARGE, 2, 2)])
    assert [area for _, _, area in objects(source)] == [9, 36]


@pytest.mark.parametrize(
    ("bad", "named"),
    [
        ({"id": 9, "image_id": 1, "bbox": [1, 1, 2, 2]}, "a.png: annotation 9 has no outline"),
        (shape([], 9), "a.png: annotation 9 has no outline"),
        (shape(SMALL, 9, 7), "Annotation 9 is of image 7, which the file doesn't list"),
        ("nonsense", "The annotation number 1 is no object"),
    ],
)
def test_a_bad_annotation_costs_itself_alone(tmp_path: Path, bad: Any, named: str) -> None:
    photo(tmp_path, "a.png")
    source = opened(tmp_path, [record("a.png")], [bad, shape(SMALL, 1), shape(LARGE, 2)])
    assert [area for _, _, area in objects(source)] == [9, 36]
    (sentence,) = source.findings
    assert named in sentence


@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("gone.png", "gone.png: there is no image of that name"),
        ("s3/b.png", "s3/b.png: there is no such image, only s1/b.png, s2/b.png"),
        ("b.png", "b.png: several images may be meant (s1/b.png, s2/b.png)"),
    ],
)
def test_an_absent_image_costs_itself_alone(tmp_path: Path, name: str, named: str) -> None:
    for there in ("a.png", "s1/b.png", "s2/b.png"):
        photo(tmp_path, there)
    images = [record("a.png", 1), record(name, 2)]
    source = opened(tmp_path, images, [shape(SMALL, 1, 1), shape(LARGE, 2, 2)])
    assert objects(source) == [("a", "1", 9)]
    (sentence,) = source.findings
    assert named in sentence


def test_a_file_of_boxes_alone_is_refused(tmp_path: Path) -> None:
    photo(tmp_path, "a.png")
    with pytest.raises(DataError, match=r"holds no object to use.*annotation 1 has no outline"):
        opened(tmp_path, [record("a.png")], [shape(None, 1)])


def test_two_images_of_one_stem_are_refused_where_both_are_meant(tmp_path: Path) -> None:
    photo(tmp_path, "a.png")
    photo(tmp_path, "a.jpg")
    assert len(objects(opened(tmp_path, [record("a.jpg")], [shape(SMALL)]))) == 1
    with pytest.raises(DataError, match=r"a\.jpg and a\.png: expected one file a stem"):
        opened(
            tmp_path,
            [record("a.jpg", 1), record("a.png", 2)],
            [shape(SMALL, 1, 1), shape(SMALL, 2, 2)],
        )


def test_a_name_never_means_the_only_other_image(tmp_path: Path) -> None:
    """a.jpg and a.png are listed, one of them is there: the other's objects don't come onto it."""
    photo(tmp_path, "a.png")
    images = [record("a.jpg", 1), record("a.png", 2)]
    source = opened(tmp_path, images, [shape(SMALL, 1, 1), shape(LARGE, 2, 2)])
    assert objects(source) == [("a", "2", 36)]
