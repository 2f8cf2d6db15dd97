"""Other programs' files through the page's API: looked at first, then brought, one change an image.

Masks are rectangles whose pixels are known from their coordinates.
"""

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

from vtmr.app import importroutes
from vtmr.serving.maskruns import MaskRuns

NAME = "shapes.png"
LOOK = "/api/v1/imports"


def labelme(name: str = NAME, label: str = "cup", top: int = 10) -> str:
    points = [[10, top], [30, top], [30, top + 10], [10, top + 10]]
    shape = {"label": label, "shape_type": "polygon", "points": points, "group_id": None}
    size = {"imageHeight": 120, "imageWidth": 160}
    return json.dumps({"version": "5.5.0", "shapes": [shape], "imagePath": name, **size})


def zipped(**files: str | bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in files.items():
            archive.writestr(name.replace("__", "/").replace("_json", ".json"), data)
    return stream.getvalue()


def look_at(annotating: Any, data: bytes, **query: str) -> Any:
    headers = {"content-type": "application/zip"}
    return annotating.http.post(LOOK, content=data, params=query, headers=headers)


def save_mask(path: Path, top: int = 10) -> None:
    mask = np.zeros((120, 160), np.uint8)
    mask[top : top + 10, 10:30] = 255
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(mask).save(path)


def areas(annotating: Any, name: str = NAME) -> list[tuple[str, int]]:
    objects = annotating.open(name)["document"]["objects"]
    return [(one["label"], one["area"]) for one in objects]


class TestLooking:
    def test_what_would_come_is_counted_and_nothing_changes(self, annotating: Any) -> None:
        data = zipped(a_json=labelme(), b_json=labelme("gone.png"), c_json="[]")
        answer = look_at(annotating, data).json()
        image = annotating.ids()[NAME]
        assert answer["format"] == "labelme"
        counts = {"id": image, "name": NAME, "objects": 1, "repeated": 0}
        assert answer["images"] == [counts]
        assert (answer["objects"], answer["image_count"], answer["repeated"]) == (1, 1, 0)
        assert answer["labels"] == {"cup": 1}
        other, gone = sorted(answer["skipped"])
        assert other.startswith("c.json was left out. It isn't LabelMe's JSON")
        assert gone == "gone.png: there is no image of that name."
        assert areas(annotating) == []

    def test_then_it_is_made_once_and_undone_at_once(self, annotating: Any) -> None:
        look = look_at(annotating, zipped(a_json=labelme())).json()["id"]
        answer = annotating.http.post(f"{LOOK}/{look}", json={"repeated": "skip"}).json()
        assert answer == {"imported": {annotating.ids()[NAME]: 1}, "skipped": []}
        assert areas(annotating) == [("cup", 200)]
        again = annotating.http.post(f"{LOOK}/{look}", json={"repeated": "skip"})
        assert (again.status_code, again.json()["error"]["code"]) == (404, "not_found")
        annotating.change(NAME, "undo")
        assert areas(annotating) == []

    def test_what_is_there_already_is_counted(self, annotating: Any) -> None:
        first = look_at(annotating, zipped(a_json=labelme())).json()["id"]
        annotating.http.post(f"{LOOK}/{first}", json={"repeated": "skip"})
        both = zipped(a_json=labelme(), b_json=labelme(top=50))
        for repeated, wanted in (("skip", [200, 200]), ("add", [200, 200, 200, 200])):
            look = look_at(annotating, both).json()
            assert look["repeated"] == (1 if repeated == "skip" else 2)
            annotating.http.post(f"{LOOK}/{look['id']}", json={"repeated": repeated})
            assert [area for _, area in areas(annotating)] == wanted

    def test_the_preview_is_drawn_on_the_thumbnail(self, annotating: Any) -> None:
        look = look_at(annotating, zipped(a_json=labelme())).json()["id"]
        image = annotating.ids()[NAME]
        answer = annotating.http.get(f"{LOOK}/{look}/{image}.jpg")
        assert answer.headers["content-type"] == "image/jpeg"
        drawn = np.array(Image.open(io.BytesIO(answer.content))).astype(int)
        plain = annotating.http.get(f"/api/v1/images/{image}/thumbnail.jpg").content
        changed = np.abs(drawn - np.array(Image.open(io.BytesIO(plain)))).sum(axis=2) > 60
        rows, cols = np.nonzero(changed)
        assert (rows.min() >= 7, rows.max() <= 22, cols.min() >= 7, cols.max() <= 32) == (True,) * 4
        other = annotating.ids()["sub/other.png"]
        assert annotating.http.get(f"{LOOK}/{look}/{other}.jpg").status_code == 404

    def test_the_last_two_looks_are_kept(self, annotating: Any) -> None:
        looks = [look_at(annotating, zipped(a_json=labelme())).json()["id"] for _ in range(3)]
        codes = [
            annotating.http.post(f"{LOOK}/{look}", json={"repeated": "add"}).status_code
            for look in looks
        ]
        assert codes == [404, 200, 200]


class TestTheFolderItself:
    def test_all_masks_beside_images_at_once(self, folder: Path, start: Callable[..., Any]) -> None:
        save_mask(folder / "shapes.mask.png")
        save_mask(folder / "sub" / "other.mask.png", 50)
        annotating = start(folder)
        look = annotating.http.post(LOOK, json={}).json()
        assert (look["format"], look["objects"], look["image_count"]) == ("indexed-png", 2, 2)
        annotating.http.post(f"{LOOK}/{look['id']}", json={"repeated": "skip"})
        assert areas(annotating) == [("object", 200)]
        opened = annotating.open("sub/other.png")
        mask = MaskRuns.from_json(opened["masks"]["o1"]).decode(120, 160)
        assert mask[50:60, 10:30].all() and mask.sum() == 200

    def test_masks_by_a_pattern(self, folder: Path, start: Callable[..., Any]) -> None:
        """Also by one that the photos themselves fit, which are no masks."""
        save_mask(folder / "masks" / "shapes.png")
        annotating = start(folder)
        for pattern in ("masks/{name}.png", "{name}.png"):
            look = annotating.http.post(LOOK, json={"pattern": pattern}).json()
            names = [one["name"] for one in look.get("images", [])]
            assert names == ([NAME] if pattern.startswith("masks") else [])

    def test_labelme_beside_images(self, folder: Path, start: Callable[..., Any]) -> None:
        (folder / "sub" / "other.json").write_text(labelme("other.png"))
        annotating = start(folder)
        look = annotating.http.post(LOOK, json={"format": "auto"}).json()
        assert [one["name"] for one in look["images"]] == ["sub/other.png"]

    def test_links_out_of_the_folder_are_not_read(
        self, folder: Path, tmp_path: Path, start: Callable[..., Any]
    ) -> None:
        (tmp_path / "secret.json").write_text(labelme())
        (folder / "a.json").symlink_to(tmp_path / "secret.json")
        answer = start(folder).http.post(LOOK, json={})
        assert answer.status_code == 422
        assert "This folder is of no format" in answer.json()["error"]["message"]

    def test_several_formats_are_asked_about(self, folder: Path, start: Callable[..., Any]) -> None:
        save_mask(folder / "shapes.mask.png")
        (folder / "shapes.json").write_text(labelme())
        annotating = start(folder)
        answer = annotating.http.post(LOOK, json={})
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "several_formats")
        assert answer.json()["formats"] == ["labelme", "indexed-png"]
        chosen = annotating.http.post(LOOK, json={"format": "labelme"}).json()
        assert chosen["format"] == "labelme"


class TestWhatIsWrong:
    @pytest.mark.parametrize("data", [b"", b"nothing", b"PK\x03\x04", zipped(), zipped(a="b")])
    def test_no_zip(self, annotating: Any, data: bytes) -> None:
        answer = look_at(annotating, data)
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "unreadable")

    @pytest.mark.parametrize(
        "wish",
        [{"format": "x"}, {"pattern": "p" * 201}, {"pattern": 3}, {"other": 1}],
    )
    def test_wishes_that_are_none(self, annotating: Any, wish: dict[str, Any]) -> None:
        assert annotating.http.post(LOOK, json=wish).status_code == 400

    def test_a_pattern_without_a_name(self, annotating: Any) -> None:
        answer = annotating.http.post(LOOK, json={"pattern": "mask.png"})
        assert answer.status_code == 422
        assert "has no single {name}" in answer.json()["error"]["message"]

    def test_another_type_of_body(self, annotating: Any) -> None:
        headers = {"content-type": "text/plain"}
        assert annotating.http.post(LOOK, content=b"{}", headers=headers).status_code == 415

    def test_too_much(self, annotating: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(importroutes, "MAX_UPLOAD", 100)
        assert look_at(annotating, zipped(a_json=labelme())).status_code == 413

    def test_a_read_only_folder_is_looked_at_alone(self, annotating: Any) -> None:
        annotating.annotator.store.read_only = "for a test"
        look = look_at(annotating, zipped(a_json=labelme())).json()["id"]
        answer = annotating.http.post(f"{LOOK}/{look}", json={"repeated": "skip"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "read_only")


def test_an_export_sums_up_what_it_lost(annotating: Any) -> None:
    """Two rings: a hole each, which YOLO fills."""
    ring = np.ones((20, 20), bool)
    ring[5:10, 5:10] = False
    runs = np.diff(np.flatnonzero(np.diff(np.r_[False, ring.reshape(-1), False])), prepend=0)
    for name in (NAME, "sub/other.png"):
        mask = {"box": [10, 10, 30, 30], "runs": runs.tolist()}
        annotating.change(name, "mask", object=None, mask=mask)
    made = annotating.http.post("/api/v1/exports", json={"format": "yolo"}).json()
    assert made["losses"] == ["Holes filled: 2"]
    assert len(made["warnings"]) == 2
    made = annotating.http.post("/api/v1/exports", json={"format": "cvat"}).json()
    assert (made["losses"], made["warnings"]) == ([], [])
