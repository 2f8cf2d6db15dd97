"""Datumaro's JSON: what it says becomes masks, and what is wrong costs itself alone.

The files are written by hand after the format's description; the masks that they mean are known
from their coordinates.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from foreignfiles import assert_masks, block, only, source

from vtmr.errors import InputError
from vtmr.formats import read


def dm(*annotations: Any) -> dict[str, bytes | str]:
    item = {"id": "sub/a", "annotations": annotations, "image": {"path": "a.jpg", "size": [40, 60]}}
    categories = {"label": {"labels": [{"name": "cup"}, {"name": "dish"}]}}
    # The categories come last: the items are read before it is known what their labels are called.
    return {"annotations/x.json": json.dumps({"items": [item, 3], "categories": categories})}


def test_every_annotation_that_has_an_area() -> None:
    runs = {"size": [40, 60], "counts": [0, 40, 2360]}
    found, said = only(
        read(
            "datumaro",
            source(
                dm(
                    {"type": "mask", "label_id": 1, "rle": runs, "z_order": 5},
                    {"type": "polygon", "label_id": 0, "points": [1, 1, 5, 1, 5, 5, 1, 5]},
                    {"type": "bbox", "label_id": 9, "bbox": [10, 10, 4, 2]},
                    {"type": "label", "label_id": 1},
                    {"type": "mask", "label_id": 1},
                    {"type": "mask", "label_id": 1, "rle": {"size": [1, 1], "counts": [1]}},
                )
            ),
        )
    )
    wanted = {
        "cup": block(1, 1, 5, 5),
        "object": block(10, 10, 12, 14),
        "dish": block(0, 0, 40, 1),
    }
    assert_masks(found, wanted)
    assert sum("was left out" in one for one in said) == 3
    assert "The item 3 is no image." in said


@pytest.mark.parametrize("content", ["{}", "[]", '{"items": []}', '{"items": [], "categories": 3}'])
def test_other_files_are_refused(content: str) -> None:
    with pytest.raises(InputError, match="isn't Datumaro's JSON"):
        read("datumaro", source({"a.json": content}))
