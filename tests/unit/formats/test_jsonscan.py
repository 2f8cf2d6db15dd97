"""One long array of a JSON object, item by item: the same values as the json module's."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from peaks import PEAK_KB

from vtmr.formats.jsonscan import array_items

VALUES: list[Any] = [1, -2.5e3, 'a]b,"{}', None, True, [], {}, [[1, [2]], {"k": [3]}], "\u00fc😀\\"]


def scanned(text: str, key: str = "long") -> tuple[list[Any], dict[str, Any]]:
    others: dict[str, Any] = {}
    return [item for item, _ in array_items(text, key, others)], others


@pytest.mark.parametrize("indent", [None, 0, 1])
@pytest.mark.parametrize("ascii_only", [True, False])
@pytest.mark.parametrize("count", [0, 1, len(VALUES)])
def test_items_and_what_is_beside_them(count: int, ascii_only: bool, indent: int | None) -> None:
    beside = {"first": VALUES, "": {"long": [9]}}
    for content in ({**beside, "long": VALUES[:count]}, {"long": VALUES[:count], **beside}):
        text = json.dumps(content, ensure_ascii=ascii_only, indent=indent)
        assert scanned(f" \t\r\n{text}\n ") == (VALUES[:count], beside)


def test_places_give_the_items_again() -> None:
    text = json.dumps({"x": 1, "long": VALUES})
    spans = [span for _, span in array_items(text, "long")]
    assert [span.decoded() for span in spans] == VALUES


@pytest.mark.parametrize(
    "text",
    ["", "[]", "3", "{", '{"long"', '{"long": [', '{"long": [1', '{"long": [1,', '{"long": [1 2]}']
    + ['{"long": [1,]}', '{"long": [,]}', '{"long": [1]', '{"long": [1]} x', '{"long": [1],}']
    + ["{3: [1]}", '{"long" [1]}', '{,"long": [1]}'],
)
def test_what_is_no_such_object_is_refused(text: str) -> None:
    with pytest.raises(
        ValueError, match=r"character|delimiter|value|name|after|Unterminated|double quotes|escape"
    ):
        scanned(text)


@pytest.mark.parametrize("text", ["{}", '{"other": [1]}', '{"long": 3}', '{"a": {"long": [1]}}'])
def test_an_array_that_is_not_there_is_said(text: str) -> None:
    with pytest.raises(LookupError, match="no 'long'"):
        scanned(text)


@pytest.mark.slow
def test_a_coco_file_takes_little_more_than_its_text() -> None:
    """Whole, the json module's values take eight times as much."""
    code = """
import json
from vtmr.formats.coco import CocoFile
entry = {"id": 1, "image_id": 1, "category_id": 1, "segmentation": [[1.25, 2.5] * 100]}
images = [{"id": 1, "file_name": "a.png", "height": 9, "width": 9}]
data = json.dumps({"images": images, "annotations": [entry] * 30_000}).encode()
before = peak_kb()
assert len(CocoFile.parse(data).annotations["1"]) == 30_000
print((peak_kb() - before) * 1024 / len(data))
"""
    done = subprocess.run(
        [sys.executable, "-c", PEAK_KB + code], capture_output=True, text=True, check=True
    )
    assert float(done.stdout) < 3
