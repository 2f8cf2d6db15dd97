"""Objects that are kept apart: the ellipse and the rectangle of tests/fakes.py, and a band painted
between them. Expected masks are worked out from those that the same changes give alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vtmr.masks import Mask
from vtmr.serving.maskruns import MaskRuns

NAME = "shapes.png"
BAND = {"points": [[60, 54], [130, 54]], "radius": 8, "mode": "add"}  # from the ellipse outwards
OUTER = {"points": [[100, 54], [60, 54]], "radius": 8, "mode": "add"}  # from the green inwards
ON_RECTANGLE = {"x": 124.5, "y": 66.5, "positive": True}


def masks(annotating: Any) -> dict[str, Mask]:
    """Of all objects, by their ids."""
    found = annotating.open(NAME)["masks"]
    return {item_id: MaskRuns.from_json(mask).decode(120, 160) for item_id, mask in found.items()}


@pytest.fixture
def ellipse(annotating: Any) -> Mask:
    """The mask of o1."""
    annotating.click(NAME)
    return masks(annotating)["o1"]


def test_a_stroke_ends_at_its_neighbour(annotating: Any, ellipse: Mask) -> None:
    annotating.change(NAME, "brush", object=None, **OUTER)
    whole = masks(annotating)["o2"]
    assert (whole & ellipse).any()  # without the field they overlap
    annotating.change(NAME, "undo")
    answer = annotating.change(NAME, "brush", object=None, keep_apart=True, **OUTER)
    found = masks(annotating)
    np.testing.assert_array_equal(found["o1"], ellipse)
    np.testing.assert_array_equal(found[answer["object"]], whole & ~ellipse)
    assert answer["notes"] == []


def test_what_is_pointed_at_is_given_up_in_the_same_step(annotating: Any, ellipse: Mask) -> None:
    answer = annotating.change(NAME, "brush", object=None, keep_apart=True, **BAND)
    found = masks(annotating)
    stroke = found[answer["object"]]
    assert stroke[54, 60]
    np.testing.assert_array_equal(found["o1"], ellipse & ~stroke)
    annotating.change(NAME, "undo")
    np.testing.assert_array_equal(masks(annotating)["o1"], ellipse)


def test_who_loses_most_of_its_mask_is_named(annotating: Any, ellipse: Mask) -> None:
    """A click on it with another object selected takes it whole, which may be a slip of the
    hand."""
    answer = annotating.change(NAME, "brush", object=None, keep_apart=True, **BAND)
    assert answer["notes"] == []  # a part of the ellipse
    annotating.change(NAME, "undo")
    over = {"points": [[56, 54]], "radius": 60, "mode": "add"}
    answer = annotating.change(NAME, "brush", object=None, keep_apart=True, **over)
    assert [note.split(" was")[0] for note in answer["notes"]] == ["Most of cup"]
    left = masks(annotating)["o1"].sum()
    annotating.change(NAME, "undo")
    assert 2 * left < masks(annotating)["o1"].sum()


def test_a_locked_neighbour_gives_nothing_up_and_it_is_said(annotating: Any, ellipse: Mask) -> None:
    annotating.change(NAME, "set", object="o1", locked=True)
    answer = annotating.change(
        NAME, "brush", object=None, points=[[56, 54]], radius=5, mode="add", keep_apart=True
    )
    assert "Nothing was added" in answer["notes"][0]
    assert "cup" in answer["notes"][0]
    np.testing.assert_array_equal(masks(annotating)["o1"], ellipse)


@pytest.mark.parametrize("restarted", [False, True])
def test_a_clicked_mask_that_was_cut_goes_on_as_clicks(
    restarted: bool, folder: Path, start: Callable[..., Any]
) -> None:
    """A box painted over half the rectangle keeps its pixels; further clicks on the rest are
    clicks, after a restart too."""
    annotating = start(folder, labels=["cup"])
    half = [[100, 30], [124, 30], [124, 100], [100, 100]]
    annotating.change(NAME, "outline", object=None, points=half, mode="add")
    painted = masks(annotating)["o1"]
    click = {"x": 138.5, "y": 66.5, "positive": True}
    annotating.change(NAME, "click", object=None, clicks=[click], keep_apart=True)
    first = masks(annotating)["o2"]
    assert first[66, 138]
    assert not (first & painted).any()
    if restarted:
        annotating.http.__exit__(None, None, None)
        annotating = start(folder, labels=["cup"])
    again = {"x": 138.5, "y": 80.5, "positive": True}
    answer = annotating.change(NAME, "click", object="o2", clicks=[again], keep_apart=True)
    item = answer["document"]["objects"][1]
    assert item["clicks"] == [click, again]
    assert item["edited"] is False
    np.testing.assert_array_equal(masks(annotating)["o1"], painted)


def test_holes_are_not_filled_over_what_lies_in_them(annotating: Any) -> None:
    ring = [[20, 20], [100, 20], [100, 100], [20, 100], [20, 20]]
    annotating.change(NAME, "brush", object=None, points=ring, radius=5, mode="add")
    annotating.change(NAME, "brush", object=None, points=[[60, 60]], radius=9, mode="add")
    within = masks(annotating)["o2"]
    annotating.change(NAME, "fill_holes", object="o1", keep_apart=True)
    found = masks(annotating)
    np.testing.assert_array_equal(found["o2"], within)
    assert not (found["o1"] & within).any()
    assert found["o1"][40, 60]


def test_a_preview_is_cut_as_the_click_would_be(annotating: Any, ellipse: Mask) -> None:
    opened = annotating.open(NAME)["document"]
    annotating.change(NAME, "set", object="o1", locked=True)
    body = {
        "revision": opened["revision"] + 1,
        "object": None,
        "clicks": [{"x": 56.5, "y": 54.5}],
        "keep_apart": True,
    }
    url = f"/api/v1/images/{annotating.ids()[NAME]}/preview"
    seen = MaskRuns.from_json(annotating.http.post(url, json=body).json()["mask"])
    assert not (seen.decode(120, 160) & ellipse).any()


def test_a_preview_of_an_unknown_correction_says_so(annotating: Any) -> None:
    body = {"revision": 0, "object": None, "clicks": [{"x": 1, "y": 1}], "correction": "both"}
    url = f"/api/v1/images/{annotating.ids()[NAME]}/preview"
    answer = annotating.http.post(url, json=body)
    assert answer.status_code == 400
    assert "'both' is unknown" in answer.json()["error"]["message"]
