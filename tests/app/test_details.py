"""Attributes, notes, several objects at once, review, and undo of an acceptance: what the server
makes of them and what exports keep."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

NAME = "shapes.png"
SQUARE = {"box": [0, 0, 4, 4], "runs": [0, 16]}


@pytest.fixture
def three(annotating: Any) -> Any:
    """The objects o1, o2 and o3, of which o2 is locked."""
    for _ in range(3):
        annotating.change(NAME, "mask", object=None, mask=SQUARE)
    annotating.change(NAME, "set", object="o2", locked=True)
    return annotating


def field(annotating: Any, name: str) -> list[Any]:
    return [found[name] for found in annotating.open(NAME)["document"]["objects"]]


class TestAttributes:
    def test_they_are_kept_undone_and_there_after_a_restart(
        self, three: Any, folder: Path, start: Callable[..., Any]
    ) -> None:
        three.change(NAME, "set", object="o1", attributes={"size": "large"}, note="Look\nagain")
        three.change(NAME, "set", object="o1", attributes={}, note="")
        three.change(NAME, "undo")
        three.http.__exit__(None, None, None)
        again = start(folder)
        assert field(again, "attributes") == [{"size": "large"}, {}, {}]
        assert field(again, "note") == ["Look\nagain", "", ""]
        again.change(NAME, "duplicate", object="o1")
        assert field(again, "note")[-1] == "Look\nagain"

    @pytest.mark.parametrize(
        "fields",
        [
            {"attributes": []},
            {"attributes": {"": "x"}},
            {"attributes": {"size": ""}},
            {"attributes": {"size": 3}},
            {"attributes": {"size": "a\nb"}},
            {"attributes": {str(number): "x" for number in range(51)}},
            {"note": None},
            {"note": "\0"},
            {"note": "x" * 2001},
        ],
    )
    def test_what_can_not_be_kept_is_refused(self, three: Any, fields: dict[str, Any]) -> None:
        assert three.attempt(NAME, "set", object="o1", **fields).status_code == 400

    @pytest.mark.parametrize("form", ["coco", "coco-polygons", "labelme", "png", "yolo"])
    def test_exports_keep_them_or_say_so(self, three: Any, form: str) -> None:
        three.change(NAME, "set", object="o1", attributes={"size": "large"}, note="Look again")
        made = three.http.post("/api/v1/exports", json={"format": form}).json()
        lost = [told for told in made["warnings"] if "attributes and the note" in told]
        archive = zipfile.ZipFile(io.BytesIO(three.http.get(made["url"]).content))
        if form.startswith("coco"):
            record = json.loads(archive.read("annotations.json"))["annotations"][0]
            assert (record["attributes"], record["note"]) == ({"size": "large"}, "Look again")
        elif form == "labelme":
            shape = json.loads(archive.read("shapes.json"))["shapes"][0]
            assert (shape["attributes"], shape["description"]) == ({"size": "large"}, "Look again")
        assert len(lost) == (form in ("png", "yolo"))

    def test_they_come_back_with_a_coco_file(self, annotating: Any) -> None:
        """As CVAT writes them: {"occluded": false, …}."""
        outline = [[10, 10, 40, 10, 40, 40]]
        attributes = {"occluded": False, "size": "large", "rotation": 0.5, "list": [1], "empty": ""}
        entry = {"id": 1, "image_id": 1, "category_id": "cup", "segmentation": outline}
        coco = {
            "images": [{"id": 1, "file_name": NAME}],
            "annotations": [entry | {"attributes": attributes, "note": "From elsewhere"}],
        }
        annotating.http.post("/api/v1/import", json=coco)
        (found,) = annotating.open(NAME)["document"]["objects"]
        assert found["note"] == "From elsewhere"
        assert found["attributes"] == {"occluded": "false", "size": "large", "rotation": "0.5"}


class TestSeveral:
    def test_all_but_locked_ones_get_the_label(self, three: Any) -> None:
        answer = three.change(NAME, "set", objects=["o1", "o2", "o3", "o1"], label="plate")
        assert field(three, "label") == ["plate", "cup", "plate"]
        assert answer["notes"] == ["One locked object was left as it is."]
        three.change(NAME, "undo")
        assert field(three, "label") == ["cup", "cup", "cup"]

    def test_locked_ones_are_hidden_too(self, three: Any) -> None:
        assert three.change(NAME, "set", objects=["o1", "o2"], visible=False)["notes"] == []
        assert field(three, "visible") == [False, False, True]

    def test_they_are_deleted_and_come_back_together(self, three: Any) -> None:
        three.change(NAME, "delete", objects=["o1", "o2", "o3"])
        assert field(three, "id") == ["o2"]
        three.change(NAME, "undo")
        assert field(three, "id") == ["o1", "o2", "o3"]

    @pytest.mark.parametrize(
        ("objects", "status"), [([], 400), (["o9"], 404), ([3], 404), ("o1", 400), ([["o1"]], 404)]
    )
    def test_nonsense_is_refused(self, three: Any, objects: Any, status: int) -> None:
        assert three.attempt(NAME, "delete", objects=objects).status_code == status
        assert three.attempt(NAME, "set", objects=objects, visible=True).status_code == status


class TestStates:
    def test_review_stays_through_changes_until_the_image_is_accepted(
        self, three: Any, folder: Path, start: Callable[..., Any]
    ) -> None:
        assert three.change(NAME, "review", review=True)["document"]["state"] == "review"
        assert three.click(NAME)["document"]["state"] == "review"
        assert three.http.get("/api/v1/project").json()["counts"]["review"] == 1
        three.http.__exit__(None, None, None)
        again = start(folder)
        assert again.open(NAME)["document"]["state"] == "review"
        assert again.change(NAME, "done", done=True)["document"]["state"] == "done"
        assert again.change(NAME, "done", done=False)["document"]["state"] == "in_work"

    def test_an_accepted_image_is_sent_to_review_again(self, three: Any, folder: Path) -> None:
        from vtmr.app.store import Store

        three.change(NAME, "done", done=True)
        assert three.change(NAME, "review", review=True)["document"]["state"] == "review"
        document = Store(folder, write=False).document(NAME)  # from the journal
        assert document is not None
        assert document.state == "review"

    def test_undo_takes_back_the_acceptance_first(self, three: Any) -> None:
        three.change(NAME, "done", done=True)
        document = three.open(NAME)["document"]
        assert document["undo"] == "accept"
        answer = three.change(NAME, "undo")["document"]
        assert (answer["state"], answer["undo"]) == ("in_work", "set")
        assert answer["objects"] == document["objects"]

    @pytest.mark.parametrize("whole", [True, False], ids=["from the file", "from the journal"])
    def test_undo_of_an_acceptance_brings_the_review_back(
        self, three: Any, folder: Path, start: Callable[..., Any], whole: bool
    ) -> None:
        from vtmr.app.store import Store

        three.change(NAME, "review", review=True)
        three.change(NAME, "done", done=True)
        if whole:  # the end of a server puts the journal into the images' own files
            three.http.__exit__(None, None, None)
            three = start(folder)
        assert three.open(NAME)["document"]["state"] == "done"
        assert three.change(NAME, "undo")["document"]["state"] == "review"
        document = Store(folder, write=False).document(NAME)
        assert document is not None
        assert document.state == "review"

    @pytest.mark.parametrize("change", ["click", "done"])
    def test_whatever_else_reopens_an_accepted_image_leaves_no_review(
        self, three: Any, folder: Path, change: str
    ) -> None:
        from vtmr.app.store import Store

        three.change(NAME, "review", review=True)
        three.change(NAME, "done", done=True)
        if change == "click":
            three.click(NAME)
        else:
            three.change(NAME, "done", done=False)
        three.change(NAME, "done", done=True)
        assert three.change(NAME, "undo")["document"]["state"] == "in_work"
        document = Store(folder, write=False).document(NAME)
        assert document is not None
        assert document.state == "in_work"
