"""What is known of an object beside its label comes back from the formats that hold it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from foreignfiles import HEIGHT, SIZE, WIDTH, block, source

from vtmr.formats import AnnotatedImage, Annotation, read, write
from vtmr.masks import RunLengths


@pytest.mark.parametrize(
    ("form", "keeps"),
    [
        ("coco", "both"),
        ("coco-polygons", "both"),
        ("labelme", "both"),
        ("labelme-polygons", "both"),
        ("cvat", "attributes"),
        ("datumaro", "attributes"),
        ("label-studio", "notes"),
        ("yolo", ""),
    ],
)
def test_attributes_and_notes(form: str, keeps: str) -> None:
    runs = RunLengths.encode(block(5, 5, 9, 9))
    attributes = (("size", "large & <old>"), ("seen", "true"))
    one = Annotation("cup", runs, False, attributes, "Look again")
    other = Annotation("cup", runs)
    files = write(form, [AnnotatedImage("a.jpg", HEIGHT, WIDTH, (one, other))], [])
    content = dict(files.content.items())
    (image,) = read(form.removesuffix("-polygons"), source(content)).images
    first, second = image.decode(SIZE)[0]
    assert first.attributes == (attributes if keeps in ("both", "attributes") else ())
    assert first.note == ("Look again" if keeps in ("both", "notes") else "")
    assert (second.attributes, second.note) == ((), "")
    lost = [told for told in files.warnings if "of an object is not in the export" in told]
    assert len(lost) == (keeps != "both")


@pytest.mark.parametrize(
    ("meta", "note"),
    [
        ({"text": ["One", "two"]}, "One\ntwo"),
        ({"text": "One"}, "One"),
        ({"text": [3, None, "One"]}, "One"),
        ({"text": {"a": 1}}, ""),
        ("One", ""),
    ],
)
def test_notes_of_label_studio(meta: Any, note: str) -> None:
    """A region's meta is what its page made of it: one text or several."""
    one = Annotation("cup", RunLengths.encode(block(5, 5, 9, 9)))
    files = write("label-studio", [AnnotatedImage("a.jpg", HEIGHT, WIDTH, (one,))], [])
    tasks = json.loads(files.content["tasks.json"])
    tasks[0]["annotations"][0]["result"][0]["meta"] = meta
    (image,) = read("label-studio", source({"tasks.json": json.dumps(tasks)})).images
    (found,) = image.decode(SIZE)[0]
    assert found.note == note
