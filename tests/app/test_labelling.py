"""The label manager's part of the server: what becomes of the list, the project file and the
objects. Expected values are counted by hand from the few objects that each test makes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from vtmr.app.labels import Label, labels_from_json
from vtmr.app.store import NotSavedError, Store
from vtmr.errors import InputError

SHAPES, OTHER = "shapes.png", "sub/other.png"
Start = Callable[..., Any]


def post(annotating: Any, op: str, **fields: Any) -> Any:
    return annotating.http.post("/api/v1/labels", json={"op": op, **fields})


def names(annotating: Any) -> list[str]:
    project: dict[str, Any] = annotating.http.get("/api/v1/project").json()
    return list(project["labels"])


def labels_on(annotating: Any, name: str) -> list[str]:
    return [found["label"] for found in annotating.open(name)["document"]["objects"]]


def new_object(annotating: Any, name: str, label: str) -> None:
    square = {"box": [0, 0, 4, 4], "runs": [0, 16]}
    annotating.change(name, "mask", object=None, label=label, mask=square)


@pytest.fixture
def labelled(annotating: Any) -> Any:
    """Two cups and a plate on one image, which is accepted, a cup on the other."""
    for label in ("cup", "cup", "plate"):
        new_object(annotating, SHAPES, label)
    new_object(annotating, OTHER, "cup")
    annotating.change(SHAPES, "done", done=True)
    return annotating


class TestRename:
    def test_every_object_and_its_history_get_the_name(self, labelled: Any) -> None:
        answer = post(labelled, "rename", label="cup", to="mug").json()
        assert answer["changed"] == {"images": 2, "objects": 3}
        assert [label["name"] for label in answer["labels"]] == ["mug", "plate"]
        assert labels_on(labelled, SHAPES) == ["mug", "mug", "plate"]
        assert labelled.open(SHAPES)["document"]["state"] == "done"
        labelled.change(SHAPES, "undo")  # the acceptance
        labelled.change(SHAPES, "undo")
        labelled.change(SHAPES, "undo")
        assert labels_on(labelled, SHAPES) == ["mug"]
        assert names(labelled) == ["mug", "plate"]

    @pytest.mark.parametrize("written", ["by this process", "before it", "by an earlier version"])
    def test_objects_that_only_undo_brings_back_get_the_name(
        self, labelled: Any, folder: Path, start: Start, written: str
    ) -> None:
        labelled.change(OTHER, "delete", object="o1")
        if written != "by this process":
            labelled.http.__exit__(None, None, None)
            labelled = start(folder)
        if written == "by an earlier version":  # whose files don't say what the history has
            heads = labelled.annotator.store.heads
            heads[OTHER] = replace(heads[OTHER], past_labels=None)
        answer = post(labelled, "rename", label="cup", to="mug").json()
        assert answer["changed"] == {"images": 1, "objects": 2}
        labelled.open(OTHER)
        labelled.change(OTHER, "undo")
        assert labels_on(labelled, OTHER) == ["mug"]
        assert names(labelled) == ["mug", "plate"]

    def test_it_is_there_after_a_kill(self, labelled: Any, folder: Path) -> None:
        """A reader that never saw the end of the process finds it in journal and project file."""
        post(labelled, "rename", label="cup", to="mug")
        store = Store(folder, write=False)
        assert store.labels == ["mug", "plate"]
        document = store.document(OTHER)
        assert document is not None
        assert document.labels == {"mug": 1}

    def test_a_name_that_is_taken_is_refused(self, labelled: Any) -> None:
        answer = post(labelled, "rename", label="cup", to="plate")
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "label_exists")
        assert labels_on(labelled, OTHER) == ["cup"]

    def test_a_disk_that_refuses_changes_nothing(
        self, labelled: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: Any) -> None:
            raise NotSavedError("The disk is full.")

        monkeypatch.setattr(labelled.annotator.store, "commit_together", refuse)
        answer = post(labelled, "rename", label="cup", to="mug")
        assert (answer.status_code, answer.json()["error"]["code"]) == (507, "not_saved")
        assert names(labelled) == ["cup", "plate"]
        assert labels_on(labelled, OTHER) == ["cup"]

    def test_an_image_that_can_not_be_read_is_told(
        self, labelled: Any, folder: Path, start: Start
    ) -> None:
        labelled.http.__exit__(None, None, None)
        documents = folder.glob(".vtmr/documents/*.jsonl")
        path = next(path for path in documents if b"sub/other.png" in path.read_bytes())
        path.write_bytes(b"nonsense\n")
        again = start(folder)
        answer = post(again, "rename", label="cup", to="mug").json()
        assert answer["changed"] == {"images": 1, "objects": 2}


class TestDelete:
    def test_objects_that_have_it_are_asked_about(self, labelled: Any) -> None:
        answer = post(labelled, "delete", label="cup")
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "label_in_use")
        assert (answer.json()["objects"], answer.json()["images"]) == (3, 2)
        assert names(labelled) == ["cup", "plate"]

    def test_they_get_another_label_and_undo_gives_it_back(self, labelled: Any) -> None:
        answer = post(labelled, "delete", label="cup", objects={"label": "plate"}).json()
        assert answer["changed"] == {"images": 2, "objects": 3}
        assert labels_on(labelled, SHAPES) == ["plate"] * 3
        assert names(labelled) == ["plate"]
        assert labelled.open(SHAPES)["document"]["state"] == "done"
        labelled.open(OTHER)
        labelled.change(OTHER, "undo")
        assert labels_on(labelled, OTHER) == ["cup"]
        assert names(labelled) == ["plate", "cup"]

    def test_or_they_go(self, labelled: Any) -> None:
        post(labelled, "delete", label="cup", objects={"delete": True})
        assert labels_on(labelled, SHAPES) == ["plate"]
        assert labels_on(labelled, OTHER) == []

    @pytest.mark.parametrize(
        "objects", [{"delete": False}, {"label": "cup"}, {}, 3, {"delete": True, "label": "plate"}]
    )
    def test_nonsense_is_refused(self, labelled: Any, objects: Any) -> None:
        assert post(labelled, "delete", label="cup", objects=objects).status_code == 400
        assert labels_on(labelled, OTHER) == ["cup"]


class TestList:
    def test_it_is_added_to_coloured_ordered_and_kept(self, labelled: Any, folder: Path) -> None:
        sizes = {"size": ["small", "large"]}
        post(labelled, "add", label="spoon", colour="#FF8800")
        post(labelled, "change", label="cup", attributes=sizes)
        post(labelled, "order", labels=["spoon", "plate", "cup"])
        project = labelled.http.get("/api/v1/project").json()
        assert project["labels"] == ["spoon", "plate", "cup"]
        assert project["colours"] == {"spoon": "#ff8800"}
        assert project["attributes"] == {"cup": sizes}
        stored = json.loads((folder / ".vtmr" / "project.json").read_text())
        assert stored["labels"] == ["spoon", "plate", "cup"]
        assert stored["colours"] == {"spoon": "#ff8800"}
        counts = labelled.http.get("/api/v1/labels").json()["labels"]
        assert [(label["objects"], label["images"]) for label in counts] == [(0, 0), (1, 1), (3, 2)]

    def test_an_import_adds_new_labels_and_takes_the_colours_of_known_ones(
        self, labelled: Any
    ) -> None:
        post(labelled, "change", label="plate", colour="#112233")
        found = {"labels": [{"name": "cup", "colour": "#aabbcc"}, "plate", "fork"]}
        answer = post(labelled, "import", labels=found).json()
        colours = [(label["name"], label["colour"]) for label in answer["labels"]]
        assert colours == [("cup", "#aabbcc"), ("plate", "#112233"), ("fork", None)]

    @pytest.mark.parametrize(
        ("op", "fields", "status"),
        [
            ("add", {"label": "cup"}, 409),
            ("add", {"label": "a\nb"}, 400),
            ("add", {"label": "a", "colour": "red"}, 400),
            ("add", {"label": "a", "attributes": {"size": "large"}}, 400),
            ("change", {"label": "none"}, 404),
            ("order", {"labels": ["cup"]}, 400),
            ("order", {"labels": ["cup", 3]}, 400),
            ("import", {"labels": {}}, 400),
            ("import", {"labels": [{"name": "a"}, 7]}, 400),
            ("paint", {}, 400),
        ],
    )
    def test_what_is_wrong_is_refused(
        self, labelled: Any, op: str, fields: dict[str, Any], status: int
    ) -> None:
        assert post(labelled, op, **fields).status_code == status
        assert names(labelled) == ["cup", "plate"]

    def test_a_folder_for_viewing_only_refuses(self, labelled: Any) -> None:
        labelled.annotator.store.read_only = "It is for viewing only."
        assert post(labelled, "add", label="fork").status_code == 403


class TestUndone:
    def test_a_label_goes_with_the_object_that_brought_it(self, annotating: Any) -> None:
        new_object(annotating, SHAPES, "fork")
        assert names(annotating) == ["cup", "plate", "fork"]
        assert annotating.change(SHAPES, "undo")["labels"] == ["cup", "plate"]
        assert annotating.change(SHAPES, "redo")["labels"] == ["cup", "plate", "fork"]

    def test_it_stays_where_another_image_has_it(self, annotating: Any) -> None:
        new_object(annotating, SHAPES, "fork")
        new_object(annotating, OTHER, "fork")
        assert annotating.change(SHAPES, "undo")["labels"] == ["cup", "plate", "fork"]

    def test_the_users_own_stay(self, annotating: Any) -> None:
        new_object(annotating, SHAPES, "cup")
        assert annotating.change(SHAPES, "undo")["labels"] == ["cup", "plate"]

    def test_it_does_not_come_back_with_a_restart(
        self, annotating: Any, folder: Path, start: Start
    ) -> None:
        new_object(annotating, SHAPES, "fork")
        annotating.change(SHAPES, "undo")
        annotating.http.__exit__(None, None, None)
        assert names(start(folder)) == ["cup", "plate"]


class TestFiles:
    def test_labels_of_earlier_versions_stay(self, folder: Path, start: Start) -> None:
        (folder / ".vtmr").mkdir()
        (folder / ".vtmr" / "project.json").write_text('{"labels": ["owl", "fox"]}')
        annotating = start(folder)
        new_object(annotating, SHAPES, "owl")
        annotating.change(SHAPES, "undo")
        assert names(annotating) == ["owl", "fox"]

    def test_what_is_damaged_costs_itself_alone(self, folder: Path, start: Start) -> None:
        (folder / ".vtmr").mkdir()
        text = '{"labels": ["owl", "fox"], "colours": {"owl": "red", "fox": "#123456"}}'
        (folder / ".vtmr" / "project.json").write_text(text)
        project = start(folder).http.get("/api/v1/project").json()
        assert (project["labels"], project["colours"]) == (["owl", "fox"], {"fox": "#123456"})

    def test_cvats_labels_are_read(self) -> None:
        """Its "Raw" tab gives a list of these (docs.cvat.ai, Label constructor)."""
        values = {"name": "size", "input_type": "select", "values": ["small", "large"]}
        content = [{"name": "cup", "color": "#FA3253", "type": "any", "attributes": [values]}]
        assert labels_from_json(content) == [
            Label("cup", "#fa3253", (("size", ("small", "large")),))
        ]

    @pytest.mark.parametrize("content", [None, 3, [], {}, [[]], [{"name": ""}], ["x" * 101]])
    def test_nonsense_is_refused(self, content: Any) -> None:
        with pytest.raises(InputError):
            labels_from_json(content)
