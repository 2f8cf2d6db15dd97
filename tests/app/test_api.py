"""Every route and every error of docs/api.md, and that the page, openapi.json and the server say
the same."""

from __future__ import annotations

import asyncio
import io
import json
import re
import sys
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from fakes import ColourNetwork, shapes_image
from PIL import Image

from vtmr.app.annotator import Annotator
from vtmr.app.server import api_routes
from vtmr.formats import FORMATS
from vtmr.masks import RunLengths
from vtmr.segmenter import segmenter_for
from vtmr.serving.answers import Refusal
from vtmr.serving.maskruns import MaskRuns

ROOT = Path(__file__).parents[2]
API = ROOT / "docs" / "api.md"
OPENAPI = json.loads((ROOT / "src" / "vtmr" / "app" / "openapi.json").read_text())
NAME = "shapes.png"


class TestDocuments:
    def test_openapi_lists_exactly_the_routes(self, annotating: Any) -> None:
        routes = {
            (re.sub(r":\w+", "", route.path), method.lower())
            for route in api_routes(annotating.annotator)
            for method in route.methods or ()
            if method != "HEAD"
        }
        assert routes == {
            (path, method) for path, found in OPENAPI["paths"].items() for method in found
        }

    def test_openapi_lists_exactly_the_operations(self) -> None:
        from vtmr.app.operations import OPERATIONS

        mapping = OPENAPI["components"]["schemas"]["Change"]["discriminator"]["mapping"]
        assert set(mapping) == {*OPERATIONS, "undo", "redo", "done", "review"}
        assert set(OPENAPI["components"]["schemas"]["Format"]["enum"]) == set(FORMATS)

    def test_the_page_names_every_route_operation_code_and_format(self, annotating: Any) -> None:
        text = API.read_text()
        for operation in OPENAPI["components"]["schemas"]["Change"]["discriminator"]["mapping"]:
            assert f"`{operation}`" in text
        for path in OPENAPI["paths"]:
            assert path.split("/{")[0] in text
        for form in FORMATS:
            assert f"| `{form}` |" in text
        codes = set(re.findall(r"^\| \d+ \| `(\w+)`", text, flags=re.M))
        source = "".join(
            path.read_text()
            for room in ("app", "serving")
            for path in (ROOT / "src/vtmr" / room).glob("*.py")
        )
        used = set(re.findall(r'(?:Refusal|error_answer)\(\s*\d+,\s*"(\w+)"', source)) | {
            "bad_request",
            "not_found",
            "method_not_allowed",
        }
        assert used - {"defect"} == codes

    def test_the_script_of_the_page_runs(
        self,
        annotating: Any,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """Word for word, its requests handed to the server in this process."""
        (code,) = re.findall(r"^```python\n(.*?)^```", API.read_text(), flags=re.S | re.M)
        assert len([line for line in code.splitlines() if line.strip()]) <= 20

        class Answer(io.BytesIO):
            pass

        def urlopen(request: Any) -> Answer:
            path = request.full_url.removeprefix("http://127.0.0.1:8000")
            answer = annotating.http.request(
                request.get_method(), path, content=request.data, headers=dict(request.headers)
            )
            assert answer.status_code == 200, answer.text
            return Answer(answer.content)

        monkeypatch.setattr("urllib.request.urlopen", urlopen)
        monkeypatch.setattr(sys, "argv", ["script.py", "http://127.0.0.1:8000/?token=secret"])
        monkeypatch.chdir(tmp_path)
        exec(code, {})
        assert re.findall(r"^(\S+) \d+ pixels", capsys.readouterr().out, flags=re.M) == [
            NAME,
            "sub/other.png",
        ]
        archive = zipfile.ZipFile(tmp_path / "photos-coco.zip")
        assert len(json.loads(archive.read("annotations.json"))["annotations"]) == 2


class TestReading:
    def test_project_and_list(self, annotating: Any) -> None:
        project = annotating.http.get("/api/v1/project").json()
        assert project["name"] == "photos"
        assert project["model"] == "colour"
        assert project["labels"] == ["cup", "plate"]
        assert project["read_only"] is None
        assert project["counts"] == {
            "images": 2,
            "untouched": 2,
            "in_work": 0,
            "review": 0,
            "done": 0,
            "unreadable": 0,
        }
        images = annotating.http.get("/api/v1/images").json()["images"]
        assert [(image["name"], image["state"], image["objects"]) for image in images] == [
            (NAME, "untouched", 0),
            ("sub/other.png", "untouched", 0),
        ]

    def test_an_opened_image(self, annotating: Any) -> None:
        opened = annotating.open(NAME)
        document = opened["document"]
        assert (document["width"], document["height"], document["revision"], document["state"]) == (
            160,
            120,
            0,
            "untouched",
        )
        assert document["tiles"]["levels"] == 1
        assert opened["masks"] == {}

    def test_tiles_cover_the_image_at_every_level(
        self, folder: Path, start: Callable[..., Any]
    ) -> None:
        """1100 x 600: 3 x 2 tiles of 512, then 550 x 300 in two, then 275 x 150 in one; smooth, so
        JPEG is near."""
        rows, cols = np.mgrid[:600, :1100]
        pixels = np.stack(
            [cols * 255 // 1099, rows * 255 // 599, (cols + rows) * 255 // 1698], axis=2
        ).astype(np.uint8)
        Image.fromarray(pixels).save(folder / "wide.png")
        annotating = start(folder)
        tiles, image = (
            annotating.open("wide.png")["document"]["tiles"],
            annotating.ids()["wide.png"],
        )
        assert tiles["levels"] == 3
        for level in range(3):
            width, height = -(-1100 // 2**level), -(-600 // 2**level)
            whole = np.zeros((height, width, 3), np.uint8)
            for row in range(-(-height // 512)):
                for column in range(-(-width // 512)):
                    answer = annotating.http.get(
                        f"/api/v1/images/{image}/tiles/{level}/{column}/{row}.jpg"
                    )
                    tile = np.array(Image.open(io.BytesIO(answer.content)))
                    whole[
                        row * 512 : row * 512 + tile.shape[0],
                        column * 512 : column * 512 + tile.shape[1],
                    ] = tile
            wanted = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
            assert np.abs(whole.astype(int) - wanted).max() <= 8
        for place in ("0/3/0", "0/0/2", "3/0/0", "99/0/0"):
            assert (
                annotating.http.get(f"/api/v1/images/{image}/tiles/{place}.jpg").status_code == 404
            )

    def test_thumbnails_are_small_and_upright(
        self, folder: Path, start: Callable[..., Any]
    ) -> None:
        """EXIF orientation 6: a wide file that is shown tall."""
        exif = Image.Exif()
        exif[0x0112] = 6
        Image.new("RGB", (800, 400), "red").save(folder / "turned.jpg", exif=exif)
        annotating = start(folder)
        answer = annotating.http.get(
            f"/api/v1/images/{annotating.ids()['turned.jpg']}/thumbnail.jpg"
        )
        assert Image.open(io.BytesIO(answer.content)).size == (128, 256)
        document = annotating.open("turned.jpg")["document"]
        assert (document["width"], document["height"]) == (400, 800)

    def test_an_unreadable_image_is_marked_and_the_others_work(
        self, folder: Path, start: Callable[..., Any]
    ) -> None:
        (folder / "broken.jpg").write_bytes(b"nonsense")
        annotating = start(folder)
        image = annotating.ids()["broken.jpg"]
        answer = annotating.http.get(f"/api/v1/images/{image}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "unreadable")
        listed = {
            one["name"]: one["error"]
            for one in annotating.http.get("/api/v1/images").json()["images"]
        }
        assert listed["broken.jpg"].startswith("broken.jpg is not an image")
        assert listed[NAME] is None
        assert annotating.http.get("/api/v1/project").json()["counts"]["unreadable"] == 1
        assert annotating.click(NAME)["object"] == "o1"

    @pytest.mark.parametrize("size", [(60, 80), (300, 400), (120, 100), (20, 20)])
    def test_an_image_that_was_replaced_by_one_of_another_size_opens_for_viewing(
        self, folder: Path, annotating: Any, size: tuple[int, int]
    ) -> None:
        """Smaller, larger, narrower, and so small that the object lies outside."""
        annotating.click(NAME)
        original = (folder / NAME).read_bytes()
        before = annotating.open(NAME)
        Image.fromarray(shapes_image(*size)).save(folder / NAME)
        opened = annotating.open(NAME)
        document, mask = opened["document"], MaskRuns.from_json(opened["masks"]["o1"])
        assert (document["height"], document["width"]) == size
        assert (
            f"{size[1]}x{size[0]} pixels, but its annotations are of an image of 160x120"
            in document["read_only"]
        )
        whole = MaskRuns.from_json(before["masks"]["o1"]).decode(120, 160)
        inside = np.zeros(size, bool)
        height, width = min(size[0], 120), min(size[1], 160)
        inside[:height, :width] = whole[:height, :width]
        np.testing.assert_array_equal(mask.decode(*size), inside)
        assert document["objects"][0]["area"] == inside.sum()
        refused = annotating.attempt(NAME, "delete", object="o1")
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "read_only")
        (folder / NAME).write_bytes(original)
        assert annotating.open(NAME)["document"]["read_only"] is None
        annotating.change(NAME, "delete", object="o1")

    def test_an_empty_folder_opens(self, tmp_path: Path, start: Callable[..., Any]) -> None:
        assert start(tmp_path).http.get("/api/v1/images").json() == {"images": [], "left_out": []}

    @pytest.mark.parametrize(
        "path", ["v1/images/no", "v1/images/no/thumbnail.jpg", "v1/exports/1/x.zip", "v2/project"]
    )
    def test_what_is_not_there(self, annotating: Any, path: str) -> None:
        answer = annotating.http.get(f"/api/{path}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")

    def test_another_method(self, annotating: Any) -> None:
        answer = annotating.http.delete("/api/v1/images")
        assert (answer.status_code, answer.json()["error"]["code"]) == (405, "method_not_allowed")


class TestRefusedChanges:
    @pytest.mark.parametrize(
        ("body", "fragment"),
        [
            ("[1]", "The body is a list: expected an object"),
            ("{", "The body isn't JSON"),
            ("[" * 100_000, "The body isn't JSON"),
            ('{"op": "click", "revision": NaN}', "NaN is no number"),
        ],
        ids=["list", "cut", "deep", "NaN"],
    )
    def test_a_body_that_is_no_record(self, annotating: Any, body: str, fragment: str) -> None:
        url = f"/api/v1/images/{annotating.ids()[NAME]}/changes"
        answer = annotating.http.post(
            url, content=body, headers={"Content-Type": "application/json"}
        )
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_request"), (
            answer.text
        )
        assert fragment in answer.json()["error"]["message"]

    @pytest.mark.parametrize(
        ("op", "fields", "fragment"),
        [
            ("paint", {}, "'op' is \"paint\": expected one of click"),
            ("undo", {"revision": -1}, "'revision' is -1: expected a whole number"),
            ("undo", {"revision": True}, "'revision' is true"),
            ("done", {"done": 1}, "'done' is 1: expected true or false"),
            ("done", {"done": True, "colour": 1}, 'the unknown field "colour"'),
            ("click", {"clicks": []}, "'clicks' is 0 of them: expected a list of 1"),
            ("click", {"clicks": [{"x": 1}]}, "A click lacks the field 'y'"),
            ("click", {"clicks": [{"x": 160, "y": 1}]}, "lies outside the image of 160x120"),
            ("click", {"clicks": [{"x": "1", "y": 1}]}, "'x' is \"1\": expected a number"),
            ("click", {"clicks": [{"x": 1, "y": 1}], "region": [5, 5, 5, 9]}, "'region' is empty"),
            (
                "click",
                {"clicks": [{"x": 1, "y": 1}], "label": " "},
                "expected 1 to 100 printable characters",
            ),
            ("brush", {"points": [[1]], "radius": 2, "mode": "add"}, "something else than [x, y]"),
            (
                "brush",
                {"points": [[1, 1]], "radius": 1e9, "mode": "add"},
                "'radius' is 1000000000.0",
            ),
            ("mask", {"mask": {"box": [0, 0, 2, 2], "runs": [3]}}, "runs don't fill its box"),
            (
                "mask",
                {"mask": {"box": [0, 0, 200, 1], "runs": [0, 200]}},
                "leaves the image of 160x120",
            ),
            ("order", {"objects": ["o1"]}, "every object's id, each once"),
        ],
    )
    def test_a_sentence_says_what_is_wrong(
        self, annotating: Any, op: str, fields: dict[str, Any], fragment: str
    ) -> None:
        new = {"object": None} if op in ("click", "brush", "mask") else {}
        answer = annotating.attempt(NAME, op, **(new | fields))
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_request"), (
            answer.text
        )
        assert fragment in answer.json()["error"]["message"]
        assert annotating.open(NAME)["document"]["revision"] == 0

    def test_objects_and_clicks_that_are_not_there(self, annotating: Any) -> None:
        annotating.click(NAME)
        for op, fields in (
            ("delete", {"object": "o9"}),
            ("delete_click", {"object": "o1", "index": 1}),
        ):
            answer = annotating.attempt(NAME, op, **fields)
            assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")

    def test_a_viewer_changes_nothing(self, annotating: Any) -> None:
        store = annotating.annotator.store
        store.read_only = "The folder can't be written."
        for answer in (
            annotating.attempt(NAME, "done", done=True),
            annotating.http.post("/api/v1/import", json={"images": [], "annotations": []}),
        ):
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "read_only")
        assert annotating.open(NAME)["document"]["revision"] == 0
        store.read_only = None

    def test_a_disk_that_refuses(self, annotating: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(descriptor: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("os.fsync", refuse)
        answer = annotating.attempt(NAME, "done", done=True)
        monkeypatch.undo()
        assert (answer.status_code, answer.json()["error"]["code"]) == (507, "not_saved")
        assert annotating.open(NAME)["document"]["revision"] == 0
        assert annotating.change(NAME, "done", done=True)["document"]["revision"] == 1


class TestWorker:
    def test_a_full_queue_answers_503_with_retry_after(self, annotating: Any) -> None:
        """One prediction is held up, sixteen wait, the next is refused; all others are answered in
        the end."""
        held, release = threading.Event(), threading.Event()
        network = annotating.annotator._sessions._predictor.network
        coarse = network.coarse

        def slow(*arguments: Any) -> Any:
            held.set()
            release.wait(20)
            return coarse(*arguments)

        network.coarse = slow
        body = {"revision": 0, "object": None, "clicks": [{"x": 50, "y": 50}]}
        # A preview per image would be overtaken by the next of the same image: the worker's own
        # door is asked.
        worker = annotating.annotator._worker
        image = annotating.ids()[NAME]

        async def crowd() -> tuple[list[Any], Any]:
            first = asyncio.create_task(annotating.annotator.preview(image, body))
            while not held.is_set():
                await asyncio.sleep(0.01)
            waiting = [asyncio.create_task(worker.run(lambda: "done")) for _ in range(16)]
            await asyncio.sleep(0)
            with pytest.raises(Refusal) as refused:
                await worker.run(lambda: "never")
            # Whoever doesn't need the network is answered meanwhile.
            opened = await annotating.annotator.opened_json(image)
            assert opened["document"]["revision"] == 0
            release.set()
            await first
            return [await task for task in waiting], refused.value

        done, refused = asyncio.run(crowd())
        assert done == ["done"] * 16
        assert (refused.status, refused.code, refused.headers) == (
            503,
            "busy",
            {"retry-after": "1"},
        )

    def test_an_overtaken_preview_is_dropped(self, annotating: Any) -> None:
        annotator, image = annotating.annotator, annotating.ids()[NAME]
        body = {"revision": 0, "object": None, "clicks": [{"x": 50, "y": 50}]}

        async def three() -> list[Any]:
            return await asyncio.gather(
                *(annotator.preview(image, body) for _ in range(3)), return_exceptions=True
            )

        first, second, third = asyncio.run(three())
        assert third["mask"]["box"]
        assert first.code == second.code == "overtaken"


class TestImportAndExport:
    def test_coco_comes_in_by_name(self, annotating: Any) -> None:
        mask = np.zeros((120, 160), bool)
        mask[10:20, 30:50] = True
        counts = RunLengths.encode(mask).counts.decode()
        coco = {
            "images": [
                {"id": 1, "file_name": NAME, "width": 160, "height": 120},
                {"id": 2, "file_name": "C:\\set\\sub\\other.png", "width": 160, "height": 120},
                {"id": 3, "file_name": "../../etc/passwd", "width": 1, "height": 1},
                {"id": 4, "file_name": NAME, "width": 9, "height": 9},
                {"id": 5, "file_name": "elsewhere/other.png", "width": 160, "height": 120},
            ],
            "categories": [{"id": 7, "name": "spoon"}],
            "annotations": [
                {
                    "image_id": 1,
                    "category_id": 7,
                    "segmentation": {"size": [120, 160], "counts": counts},
                },
                {
                    "image_id": 1,
                    "category_id": 7,
                    "segmentation": [[30, 10, 50, 10, 50, 20, 30, 20]],
                },
                {"image_id": 2, "category_id": 8, "segmentation": [[0, 0, 4, 0, 4, 4]]},
                {"image_id": 4, "category_id": 7, "segmentation": [[0, 0, 4, 0, 4, 4]]},
            ],
        }
        ids = annotating.ids()
        answer = annotating.http.post("/api/v1/import", json=coco).json()
        assert answer["imported"] == {ids[NAME]: 2, ids["sub/other.png"]: 1}
        assert len(answer["skipped"]) == 4
        assert "category 8, which isn't listed" in answer["skipped"].pop(0)
        assert answer["skipped"][1].startswith("elsewhere/other.png: there is no such image")
        assert answer["skipped"][0] == "../../etc/passwd: there is no image of that name."
        assert "160x120 pixels, its annotations say 9x9" in answer["skipped"][2]
        opened = annotating.open(NAME)
        assert [one["label"] for one in opened["document"]["objects"]] == ["spoon", "spoon"]
        for one in ("o1", "o2"):
            np.testing.assert_array_equal(
                MaskRuns.from_json(opened["masks"][one]).decode(120, 160), mask
            )
        assert annotating.change(NAME, "undo")["document"]["objects"] == []

    @pytest.mark.parametrize(
        "coco",
        [{}, [], {"images": 3, "annotations": []}, {"images": [{"id": 1}], "annotations": []}],
    )
    def test_what_is_not_coco_is_refused(self, annotating: Any, coco: Any) -> None:
        answer = annotating.http.post("/api/v1/import", json=coco)
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "unreadable")

    @pytest.mark.parametrize("form", list(FORMATS))
    def test_exports_are_fetched_once_made(self, annotating: Any, form: str) -> None:
        annotating.click(NAME)
        annotating.change(NAME, "done", done=True)
        annotating.click("sub/other.png")
        files = {}
        for only_done in (True, False):
            made = annotating.http.post(
                "/api/v1/exports", json={"format": form, "only_done": only_done}
            ).json()
            assert made["name"] == f"photos-{form}.zip"
            answer = annotating.http.get(made["url"])
            assert (
                answer.headers["content-disposition"] == f'attachment; filename="photos-{form}.zip"'
            )
            files[only_done] = zipfile.ZipFile(io.BytesIO(answer.content)).namelist()
        assert not any("other" in name for name in files[True])
        in_one_file = form.startswith("coco") or form in ("cvat", "datumaro", "label-studio")
        assert in_one_file or any("other" in name for name in files[False])

    @pytest.mark.parametrize(
        ("name", "safe"),
        [('übel"; filename=x\r\nX-Evil: 1', "bel_filename_x_X-Evil_1"), ("写真", "annotations")],
    )
    def test_the_name_of_a_download_is_safe(
        self, tmp_path: Path, start: Callable[..., Any], name: str, safe: str
    ) -> None:
        """The folder gives it: whatever that is called, the header is one line with a plain
        name."""
        (tmp_path / name).mkdir()
        annotating = start(tmp_path / name)
        made = annotating.http.post("/api/v1/exports", json={"format": "coco"}).json()
        assert made["url"].endswith(f"/{safe}-coco.zip")
        headers = annotating.http.get(made["url"]).headers
        assert headers["content-disposition"] == f'attachment; filename="{safe}-coco.zip"'
        assert "x-evil" not in headers

    def test_coco_goes_out_and_comes_back(
        self, annotating: Any, folder: Path, tmp_path: Path, start: Callable[..., Any]
    ) -> None:
        masks = annotating.click(NAME)["masks"]
        made = annotating.http.post("/api/v1/exports", json={"format": "coco"}).json()
        coco = json.loads(
            zipfile.ZipFile(io.BytesIO(annotating.http.get(made["url"]).content)).read(
                "annotations.json"
            )
        )
        copy = tmp_path / "copy"
        copy.mkdir()
        (copy / NAME).write_bytes((folder / NAME).read_bytes())
        other = start(copy)
        other.http.post("/api/v1/import", json=coco)
        assert other.open(NAME)["masks"] == masks


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    from vtmr.errors import InputError

    with pytest.raises(InputError, match="is not a folder"):
        Annotator(tmp_path / "nothing", segmenter_for(ColourNetwork()), made_with={})
