"""Every operation of the API, on the shapes of tests/fakes.py, of which the colour network finds
each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes import ColourNetwork, shapes_image
from PIL import Image

from vtmr.masks import Mask
from vtmr.segmenter import segmenter_for
from vtmr.serving.maskruns import MaskRuns
from vtmr.session import NOTHING_TO_TAKE, Session
from vtmr.types import Click

NAME = "shapes.png"
ELLIPSE, RECTANGLE = (
    {"x": 56.5, "y": 54.5, "positive": True},
    {"x": 124.5, "y": 66.5, "positive": True},
)
FAR = {"x": 20.5, "y": 100.5, "positive": True}


def mask_of(answer: dict[str, Any], object_id: str = "o1") -> Mask:
    return MaskRuns.from_json(answer["masks"][object_id]).decode(120, 160)


def session(*clicks: dict[str, Any]) -> Session:
    """What the benchmark would do with the same clicks."""
    made = Session(segmenter_for(ColourNetwork()), shapes_image())
    for click in clicks:
        made = made.add(Click(**click))
    return made


class TestClicks:
    def test_a_click_makes_an_object_with_the_sessions_mask(self, annotating: Any) -> None:
        answer = annotating.click(NAME, **ELLIPSE)
        np.testing.assert_array_equal(mask_of(answer), session(ELLIPSE).mask)
        (made,) = answer["document"]["objects"]
        assert answer["object"] == made["id"] == "o1"
        assert made["label"] == "cup"
        assert made["clicks"] == [ELLIPSE]
        assert made["area"] == np.count_nonzero(session(ELLIPSE).mask)
        assert made["edited"] is False
        assert answer["document"]["state"] == "in_work"
        assert answer["document"]["revision"] == 1

    def test_further_clicks_go_to_the_same_object(self, annotating: Any) -> None:
        annotating.click(NAME, **ELLIPSE)
        answer = annotating.click(NAME, "o1", **RECTANGLE)
        np.testing.assert_array_equal(mask_of(answer), session(ELLIPSE, RECTANGLE).mask)
        assert len(answer["document"]["objects"]) == 1

    def test_the_region_decides_where_the_first_click_looks(self, annotating: Any) -> None:
        answer = annotating.change(
            NAME, "click", object=None, clicks=[ELLIPSE], region=[20, 20, 100, 100]
        )
        ys, xs = np.nonzero(mask_of(answer))
        assert xs.min() >= 20
        assert xs.max() < 100
        assert ys.min() >= 20

    def test_a_first_click_that_is_negative_finds_nothing_and_says_so(
        self, annotating: Any
    ) -> None:
        answer = annotating.click(NAME, **(ELLIPSE | {"positive": False}))
        assert not mask_of(answer).any()
        assert answer["notes"] == [NOTHING_TO_TAKE]
        answer = annotating.click(NAME, "o1", **RECTANGLE)
        assert mask_of(answer).any()
        assert answer["notes"] == []

    def test_a_deleted_click_is_as_if_it_had_never_been(self, annotating: Any) -> None:
        annotating.click(NAME, **ELLIPSE)
        annotating.click(NAME, "o1", **RECTANGLE)
        answer = annotating.change(NAME, "delete_click", object="o1", index=0)
        np.testing.assert_array_equal(mask_of(answer), session(RECTANGLE).mask)
        assert answer["document"]["objects"][0]["clicks"] == [RECTANGLE]

    def test_an_object_without_clicks_is_empty(self, annotating: Any) -> None:
        annotating.click(NAME, **ELLIPSE)
        answer = annotating.change(NAME, "delete_click", object="o1", index=0)
        assert answer["masks"] == {"o1": {"box": None, "runs": []}}

    def test_a_moved_click_plays_the_rest_again(self, annotating: Any) -> None:
        annotating.click(NAME, **ELLIPSE)
        annotating.click(NAME, "o1", **FAR)
        answer = annotating.change(NAME, "move_click", object="o1", index=1, x=124.5, y=66.5)
        np.testing.assert_array_equal(mask_of(answer), session(ELLIPSE, RECTANGLE).mask)

    def test_several_clicks_are_moved_and_deleted_together(self, annotating: Any) -> None:
        """Indexes are those of before, and it is one step for undo."""
        annotating.click(NAME, **ELLIPSE)
        away = {**RECTANGLE, "positive": False}
        for click in (FAR, away, FAR):
            before = mask_of(annotating.click(NAME, "o1", **click))
        edits = [
            {"index": 3, "delete": True},
            {"index": 0, "delete": True},
            {"index": 1, "x": 56.5, "y": 54.5},
        ]
        answer = annotating.change(NAME, "edit_clicks", object="o1", edits=edits)
        np.testing.assert_array_equal(mask_of(answer), session(ELLIPSE, away).mask)
        assert answer["document"]["objects"][0]["clicks"] == [ELLIPSE, away]
        np.testing.assert_array_equal(mask_of(annotating.change(NAME, "undo")), before)

    @pytest.mark.parametrize(
        ("edits", "status"),
        [
            ([], 400),
            ([{"index": 1, "delete": True}], 404),
            ([{"index": 0, "delete": True}, {"index": 0, "x": 1, "y": 1}], 400),
            ([{"index": 0, "x": 1}], 400),
            ([{"index": 0, "x": 999, "y": 1}], 400),
        ],
    )
    def test_edits_of_clicks_that_cant_be(
        self, annotating: Any, edits: list[Any], status: int
    ) -> None:
        annotating.click(NAME, **ELLIPSE)
        answer = annotating.attempt(NAME, "edit_clicks", object="o1", edits=edits)
        assert answer.status_code == status
        assert annotating.open(NAME)["document"]["revision"] == 1

    def test_keep_rest_changes_only_the_component_that_is_clicked(self, annotating: Any) -> None:
        annotating.click(NAME, **ELLIPSE)
        before = mask_of(annotating.click(NAME, "o1", **RECTANGLE))
        away = {**ELLIPSE, "positive": False}
        after = mask_of(
            annotating.change(NAME, "click", object="o1", clicks=[away], keep_rest=True)
        )
        left = np.zeros((120, 160), bool)
        left[:, :100] = True
        assert not after[54, 56]
        np.testing.assert_array_equal(after[~left], before[~left])

    def test_a_mask_that_was_drawn_is_refitted_where_a_click_asks_for_it(
        self, annotating: Any
    ) -> None:
        """A speck painted far from the ellipse stays by "here" and goes by "refit"."""
        annotating.click(NAME, **ELLIPSE)
        painted = annotating.change(
            NAME, "brush", object="o1", points=[[150, 5]], radius=2, mode="add"
        )
        assert mask_of(painted)[5, 150]
        kept = annotating.change(NAME, "click", object="o1", clicks=[RECTANGLE], correction="here")
        assert mask_of(kept)[5, 150]
        annotating.change(NAME, "undo")
        fitted = annotating.change(
            NAME, "click", object="o1", clicks=[RECTANGLE], correction="refit"
        )
        assert not mask_of(fitted)[5, 150]
        assert mask_of(fitted)[66, 124]

    def test_an_unknown_correction_is_refused(self, annotating: Any) -> None:
        annotating.click(NAME, **ELLIPSE)
        body = {"op": "click", "revision": 1, "object": "o1", "clicks": [ELLIPSE]}
        url = f"/api/v1/images/{annotating.ids()[NAME]}/changes"
        wrong_ones: tuple[Any, ...] = ("all", 3, ["here"], {})
        for wrong in wrong_ones:
            answer = annotating.http.post(url, json=body | {"correction": wrong})
            assert answer.status_code == 400
            assert "expected 'here'" in answer.json()["error"]["message"]

    def test_a_preview_is_what_the_click_makes_and_leaves_no_trace(self, annotating: Any) -> None:
        annotating.click(NAME, **ELLIPSE)
        url = f"/api/v1/images/{annotating.ids()[NAME]}/preview"
        seen = annotating.http.post(
            url, json={"revision": 1, "object": "o1", "clicks": [RECTANGLE]}
        ).json()["mask"]
        assert annotating.open(NAME)["document"]["revision"] == 1
        assert annotating.click(NAME, "o1", **RECTANGLE)["masks"]["o1"] == seen


class TestEdits:
    def test_the_brush_paints_and_erases(self, annotating: Any) -> None:
        answer = annotating.change(
            NAME, "brush", object=None, points=[[10, 20], [30, 20]], radius=4, mode="add"
        )
        painted = mask_of(answer)
        assert painted[20, 20]
        assert answer["document"]["objects"][0]["edited"]
        answer = annotating.change(
            NAME, "brush", object="o1", points=[[20, 20]], radius=2, mode="erase"
        )
        assert not mask_of(answer)[20, 20]
        assert mask_of(answer)[20, 12]

    def test_after_an_edit_a_click_changes_only_what_it_touches(self, annotating: Any) -> None:
        """The house's promise for corrected masks, through the API."""
        annotating.change(NAME, "brush", object=None, points=[[10, 10]], radius=5, mode="add")
        before = mask_of(annotating.click(NAME, "o1", **ELLIPSE))
        assert before[10, 10]
        after = mask_of(annotating.click(NAME, "o1", **{**ELLIPSE, "positive": False}))
        np.testing.assert_array_equal(after[:20, :20], before[:20, :20])

    def test_holes_are_filled_and_small_parts_dropped(self, annotating: Any) -> None:
        ring = np.zeros((120, 160), bool)
        ring[10:40, 10:40] = True
        ring[20:30, 20:30] = False
        ring[100:102, 100:102] = True
        annotating.change(NAME, "mask", object=None, mask=MaskRuns.encode(ring).to_json())
        filled = mask_of(annotating.change(NAME, "fill_holes", object="o1"))
        assert filled[25, 25]
        assert filled.sum() == 904
        dropped = mask_of(annotating.change(NAME, "drop_small", object="o1", smallest=5))
        assert dropped.sum() == 900

    def test_an_edit_that_changes_nothing_makes_no_revision(self, annotating: Any) -> None:
        annotating.change(NAME, "mask", object=None, mask={"box": [5, 5, 9, 9], "runs": [0, 16]})
        answer = annotating.change(NAME, "fill_holes", object="o1")
        assert answer["document"]["revision"] == 1
        assert answer["document"]["undo"] == "mask"
        assert answer["masks"] == {}

    def test_smoothing_takes_a_lone_spike_off(self, annotating: Any) -> None:
        spiked = np.zeros((120, 160), bool)
        spiked[40:80, 40:80] = True
        spiked[30:40, 60] = True
        annotating.change(NAME, "mask", object=None, mask=MaskRuns.encode(spiked).to_json())
        calm = mask_of(annotating.change(NAME, "smooth", object="o1", radius=2))
        assert not calm[:37].any()
        assert calm[45:75, 45:75].all()


class TestObjects:
    def test_label_visibility_and_lock(self, annotating: Any) -> None:
        annotating.click(NAME)
        answer = annotating.change(
            NAME, "set", object="o1", label="  Tasse ☕ ", visible=False, locked=True
        )
        made = answer["document"]["objects"][0]
        assert (made["label"], made["visible"], made["locked"]) == ("Tasse ☕", False, True)
        assert answer["masks"] == {}
        assert annotating.http.get("/api/v1/project").json()["labels"] == [
            "cup",
            "plate",
            "Tasse ☕",
        ]

    @pytest.mark.parametrize(
        ("op", "fields"),
        [
            ("click", {"clicks": [ELLIPSE]}),
            ("delete_click", {"index": 0}),
            ("brush", {"points": [[1, 1]], "radius": 2, "mode": "add"}),
            ("fill_holes", {}),
            ("set", {"label": "plate"}),
            ("delete", {}),
        ],
    )
    def test_a_locked_object_stays_as_it_is(
        self, annotating: Any, op: str, fields: dict[str, Any]
    ) -> None:
        annotating.click(NAME)
        annotating.change(NAME, "set", object="o1", locked=True)
        answer = annotating.attempt(NAME, op, object="o1", **fields)
        assert (answer.status_code, answer.json()["error"]["code"]) == (423, "locked")
        assert annotating.open(NAME)["document"]["revision"] == 2

    def test_order_duplicate_and_delete(self, annotating: Any) -> None:
        annotating.click(NAME, **ELLIPSE)
        annotating.click(NAME, **RECTANGLE)
        answer = annotating.change(NAME, "duplicate", object="o1")
        assert answer["object"] == "o3"
        assert set(answer["masks"]) == {"o3"}
        answer = annotating.change(NAME, "order", objects=["o3", "o2", "o1"])
        assert [one["id"] for one in answer["document"]["objects"]] == ["o3", "o2", "o1"]
        answer = annotating.change(NAME, "delete", object="o2")
        assert [one["id"] for one in answer["document"]["objects"]] == ["o3", "o1"]
        # An id is never given twice, so that a late answer can't be taken for another object's.
        assert annotating.click(NAME, **RECTANGLE)["object"] == "o4"

    def test_a_duplicate_keeps_its_clicks(self, annotating: Any) -> None:
        annotating.click(NAME, **ELLIPSE)
        annotating.change(NAME, "duplicate", object="o1")
        answer = annotating.click(NAME, "o2", **RECTANGLE)
        np.testing.assert_array_equal(mask_of(answer, "o2"), session(ELLIPSE, RECTANGLE).mask)
        assert set(answer["masks"]) == {"o2"}


class TestHistory:
    def test_undo_and_redo_reach_everything_but_done(self, annotating: Any) -> None:
        steps = [
            annotating.click(NAME, **ELLIPSE),
            annotating.click(NAME, "o1", **RECTANGLE),
            annotating.change(NAME, "brush", object="o1", points=[[9, 9]], radius=3, mode="add"),
            annotating.change(NAME, "set", object="o1", label="plate"),
            annotating.change(NAME, "duplicate", object="o1"),
            annotating.change(NAME, "delete", object="o1"),
        ]
        states = [annotating.open(NAME)]
        for step in reversed(steps):
            assert states[-1]["document"]["undo"] == step["document"]["undo"]
            annotating.change(NAME, "undo")
            states.append(annotating.open(NAME))
        assert states[-1]["document"]["objects"] == []
        assert annotating.attempt(NAME, "undo").status_code == 400
        for earlier in reversed(states[:-1]):
            annotating.change(NAME, "redo")
            now = annotating.open(NAME)
            assert now["masks"] == earlier["masks"]
            assert now["document"]["objects"] == earlier["document"]["objects"]
        assert annotating.attempt(NAME, "redo").status_code == 400

    def test_undo_reaches_behind_a_restart(
        self, annotating: Any, folder: Path, start: Callable[..., Any]
    ) -> None:
        annotating.click(NAME, **ELLIPSE)
        first = annotating.open(NAME)
        annotating.click(NAME, "o1", **RECTANGLE)
        annotating.http.__exit__(None, None, None)
        again = start(folder)
        again.change(NAME, "undo")
        assert again.open(NAME)["masks"] == first["masks"]
        answer = again.click(NAME, "o1", **RECTANGLE)
        np.testing.assert_array_equal(mask_of(answer), session(ELLIPSE, RECTANGLE).mask)

    def test_a_change_takes_an_accepted_image_back_into_work(self, annotating: Any) -> None:
        annotating.click(NAME)
        assert annotating.change(NAME, "done", done=True)["document"]["state"] == "done"
        assert annotating.http.get("/api/v1/project").json()["counts"]["done"] == 1
        assert (
            annotating.change(NAME, "set", object="o1", label="plate")["document"]["state"]
            == "in_work"
        )

    def test_an_image_without_objects_can_be_accepted(self, annotating: Any) -> None:
        assert annotating.change(NAME, "done", done=True)["document"]["state"] == "done"
        assert annotating.change(NAME, "done", done=False)["document"]["state"] == "untouched"

    def test_the_second_of_two_tabs_gets_the_current_document(self, annotating: Any) -> None:
        annotating.open(NAME)
        url = f"/api/v1/images/{annotating.ids()[NAME]}/changes"
        annotating.click(NAME, **ELLIPSE)
        stale = annotating.http.post(
            url, json={"op": "click", "revision": 0, "object": None, "clicks": [RECTANGLE]}
        )
        assert stale.status_code == 409
        assert stale.json()["error"]["code"] == "conflict"
        now = annotating.open(NAME)
        assert stale.json()["document"] == now["document"]
        assert stale.json()["masks"] == now["masks"]
        assert now["document"]["revision"] == 1


class TestMasksBeside:
    def test_a_palette_image_gives_an_object_per_index(
        self, folder: Path, start: Callable[..., Any]
    ) -> None:
        values = np.zeros((120, 160), np.uint8)
        values[10:20, 10:30], values[50:60, 50:90] = 1, 3
        indexed = Image.fromarray(values)
        indexed.putpalette([0, 0, 0] * 4)
        indexed.save(folder / "shapes.mask.png")
        annotating = start(folder, labels=["cup", "plate", "spoon"])
        assert "shapes.mask.png" not in annotating.ids()
        assert annotating.open(NAME)["document"]["mask_beside"] == "shapes.mask.png"
        answer = annotating.change(NAME, "import_mask")
        assert [one["label"] for one in answer["document"]["objects"]] == ["cup", "spoon"]
        np.testing.assert_array_equal(mask_of(answer, "o1"), values == 1)
        np.testing.assert_array_equal(mask_of(answer, "o2"), values == 3)
        assert answer["document"]["mask_beside"] is None
        # Correction of an import: only the component that the click touches changes.
        corrected = mask_of(annotating.click(NAME, "o1", **ELLIPSE))
        assert corrected[54, 56]
        np.testing.assert_array_equal(corrected[10:20, 10:25], values[10:20, 10:25] == 1)

    def test_a_mask_of_another_size_is_refused(self, folder: Path, annotating: Any) -> None:
        Image.fromarray(np.zeros((10, 10), np.uint8)).save(folder / "shapes.mask.png")
        answer = annotating.attempt(NAME, "import_mask")
        assert answer.status_code == 422
        assert (
            "shapes.mask.png is 10x10: expected the image's size 160x120"
            in answer.json()["error"]["message"]
        )
        assert str(folder) not in answer.text

    def test_without_a_mask_there_is_nothing_to_import(self, annotating: Any) -> None:
        assert annotating.attempt(NAME, "import_mask").status_code == 404


def test_a_mask_that_replays_otherwise_stays_as_the_user_saw_it(
    annotating: Any, folder: Path, start: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if the folder came from another machine: the network answers differently now."""
    seen = mask_of(annotating.click(NAME, **ELLIPSE))
    annotating.http.__exit__(None, None, None)
    again = start(folder)
    monkeypatch.setattr("fakes.REACH", 90.0)
    after = mask_of(again.click(NAME, "o1", **RECTANGLE))
    assert after[66, 124]
    np.testing.assert_array_equal(after[:, :90], seen[:, :90])
