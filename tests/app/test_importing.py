"""COCO files onto images: each object on its photo, once, and everything else named."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

NAME = "shapes.png"
SQUARE = [[10, 10, 20, 10, 20, 20, 10, 20]]
OTHER = [[40, 40, 60, 40, 60, 50, 40, 50]]
IMPORT = "/api/v1/import"


def image(name: str = NAME, key: Any = 1, **more: Any) -> dict[str, Any]:
    return {"id": key, "file_name": name, "width": 160, "height": 120, **more}


def shape(segmentation: Any, key: Any = 1, of: Any = 1, **more: Any) -> dict[str, Any]:
    return {"id": key, "image_id": of, "category_id": 1, "segmentation": segmentation, **more}


def coco(images: list[Any], annotations: list[Any]) -> dict[str, Any]:
    categories = [{"id": 1, "name": "spoon"}]
    return {"images": images, "annotations": annotations, "categories": categories}


def areas(annotating: Any, name: str = NAME) -> list[int]:
    return [one["area"] for one in annotating.open(name)["document"]["objects"]]


def imported(annotating: Any, content: Any, **query: str) -> Any:
    return annotating.http.post(IMPORT, json=content, params=query)


class TestTwice:
    CONTENT = coco([image()], [shape(SQUARE, 1), shape(OTHER, 2)])

    def test_the_same_file_is_asked_about_and_nothing_changes(self, annotating: Any) -> None:
        assert imported(annotating, self.CONTENT).status_code == 200
        before = annotating.open(NAME)
        answer = imported(annotating, self.CONTENT)
        assert answer.status_code == 409
        assert answer.json()["error"]["code"] == "already_imported"
        assert (answer.json()["repeated"], answer.json()["new"]) == (2, 0)
        assert annotating.open(NAME) == before

    def test_so_it_is_after_a_restart_and_after_corrections(
        self, folder: Path, start: Callable[..., Any]
    ) -> None:
        first = start(folder)
        imported(first, self.CONTENT)
        first.change(NAME, "brush", object="o1", points=[[15, 15]], radius=9, mode="add")
        first.change(NAME, "set", object="o2", label="another")
        first.http.__exit__(None, None, None)
        first.annotator.store.close()
        again = start(folder)
        answer = imported(again, self.CONTENT).json()
        assert (answer["repeated"], answer["new"]) == (2, 0)

    def test_objects_that_were_drawn_here_count_too(self, annotating: Any) -> None:
        mask = {"box": [10, 10, 20, 20], "runs": [0, 100]}
        annotating.change(NAME, "mask", object=None, mask=mask)
        answer = imported(annotating, self.CONTENT).json()
        assert (answer["repeated"], answer["new"]) == (1, 1)

    def test_skip_adds_the_others_alone(self, annotating: Any) -> None:
        imported(annotating, coco([image()], [shape(SQUARE)]))
        answer = imported(annotating, self.CONTENT, repeated="skip").json()
        assert answer["imported"] == {annotating.ids()[NAME]: 1}
        assert areas(annotating) == [100, 200]
        assert imported(annotating, self.CONTENT, repeated="skip").json()["imported"] == {}

    def test_add_adds_all_again(self, annotating: Any) -> None:
        for _ in range(2):
            assert imported(annotating, self.CONTENT, repeated="add").status_code == 200
        assert areas(annotating) == [100, 200, 100, 200]

    def test_what_was_undone_or_deleted_is_new(self, annotating: Any) -> None:
        imported(annotating, self.CONTENT)
        annotating.revision.clear()
        annotating.change(NAME, "undo")
        assert imported(annotating, self.CONTENT).status_code == 200
        annotating.revision.clear()
        annotating.change(NAME, "delete", object="o1")
        assert imported(annotating, self.CONTENT).json()["new"] == 1

    def test_anything_else_is_refused(self, annotating: Any) -> None:
        answer = imported(annotating, self.CONTENT, repeated="perhaps")
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_request")
        assert areas(annotating) == []


class TestCrowds:
    def test_they_stay_crowds_through_copies_restarts_and_exports(
        self, folder: Path, start: Callable[..., Any]
    ) -> None:
        first = start(folder)
        imported(first, coco([image()], [shape(SQUARE, 1, iscrowd=1), shape(OTHER, 2)]))
        first.change(NAME, "duplicate", object="o1")
        first.http.__exit__(None, None, None)
        again = start(folder)
        objects = again.open(NAME)["document"]["objects"]
        assert [one["crowd"] for one in objects] == [True, False, True]
        made = again.http.post("/api/v1/exports", json={"format": "coco"}).json()
        records = _exported(again, made)["annotations"]
        assert [record["iscrowd"] for record in records] == [1, 0, 1]


def _exported(annotating: Any, made: dict[str, Any]) -> Any:
    data = annotating.http.get(made["url"]).content
    return json.loads(zipfile.ZipFile(io.BytesIO(data)).read("annotations.json"))


class TestPlaces:
    def test_same_names_in_two_folders(self, tmp_path: Path, start: Callable[..., Any]) -> None:
        folder = _folder(tmp_path, "a/same.png", "b/same.png")
        annotating = start(folder)
        content = coco(
            [image(r"X:\old\a\same.png", 1), image("/mnt/b/same.png", 2), image("c/same.png", 3)],
            [shape(SQUARE, 1, 1), shape(OTHER, 2, 2), shape(SQUARE, 3, 3)],
        )
        answer = imported(annotating, content).json()
        assert areas(annotating, "a/same.png") == [100]
        assert areas(annotating, "b/same.png") == [200]
        (sentence,) = answer["skipped"]
        assert sentence.startswith("c/same.png: there is no such image, only a/same.png")

    def test_the_folders_own_name_tells(self, tmp_path: Path, start: Callable[..., Any]) -> None:
        """The file is of a whole data set, the folder one of its."""
        folder = _folder(tmp_path, "same.png")
        annotating = start(folder)
        content = coco(
            [image("other/same.png", 1), image("photos/same.png", 2)],
            [shape(SQUARE, 1, 1), shape(OTHER, 2, 2)],
        )
        assert len(imported(annotating, content).json()["skipped"]) == 1
        assert areas(annotating, "same.png") == [200]

    def test_two_entries_of_one_image_both_come(self, annotating: Any) -> None:
        content = coco([image(), image(key=2)], [shape(SQUARE, 1, 1), shape(OTHER, 1, 2)])
        assert imported(annotating, content).json()["imported"] == {annotating.ids()[NAME]: 2}
        assert areas(annotating) == [100, 200]


class TestWhatIsWrong:
    @pytest.mark.parametrize("size", [(120, 160), (160, 119), (80, 60)])
    def test_another_size_than_the_images(self, annotating: Any, size: tuple[int, int]) -> None:
        width, height = size
        content = coco([image(width=width, height=height)], [shape(SQUARE)])
        (sentence,) = imported(annotating, content).json()["skipped"]
        assert f"it has 160x120 pixels, its annotations say {width}x{height}" in sentence
        assert ("turned upright" in sentence) == (size == (120, 160))
        assert areas(annotating) == []

    def test_an_image_that_cannot_be_read_costs_itself_alone(
        self, tmp_path: Path, start: Callable[..., Any]
    ) -> None:
        folder = _folder(tmp_path, "a.png", "b.png")
        (folder / "a.png").write_bytes(b"no image")
        annotating = start(folder)
        content = coco(
            [image("a.png", 1), image("b.png", 2)], [shape(SQUARE, 1, 1), shape(OTHER, 2, 2)]
        )
        (sentence,) = imported(annotating, content).json()["skipped"]
        assert sentence.startswith("a.png: ")
        assert areas(annotating, "b.png") == [200]

    def test_too_many_objects_cost_their_image_alone(self, annotating: Any) -> None:
        content = coco(
            [image(), image("sub/other.png", 2)],
            [*[shape(SQUARE, n, 1) for n in range(5001)], shape(OTHER, 1, 2)],
        )
        (sentence,) = imported(annotating, content).json()["skipped"]
        assert "5001 more are too many" in sentence
        assert areas(annotating, "sub/other.png") == [200]

    def test_bad_annotations_are_counted(self, annotating: Any) -> None:
        content = coco([image()], [shape(SQUARE), *[shape([], n) for n in range(2, 1000)]])
        answer = imported(annotating, content).json()
        assert answer["imported"] == {annotating.ids()[NAME]: 1}
        assert len(answer["skipped"]) == 21
        assert answer["skipped"][-1] == "The same holds for 978 more annotations."

    @pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
    def test_other_encodings(self, annotating: Any, encoding: str) -> None:
        data = json.dumps(coco([image()], [shape(SQUARE)])).encode(encoding)
        headers = {"content-type": "application/json"}
        assert annotating.http.post(IMPORT, content=data, headers=headers).status_code == 200
        assert areas(annotating) == [100]

    def test_a_read_only_folder_takes_none(self, annotating: Any) -> None:
        annotating.annotator.store.read_only = "for a test"
        assert imported(annotating, coco([image()], [shape(SQUARE)])).status_code == 403


def _folder(tmp_path: Path, *names: str) -> Path:
    folder = tmp_path / "photos"
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((120, 160, 3), np.uint8)).save(folder / name)
    return folder
