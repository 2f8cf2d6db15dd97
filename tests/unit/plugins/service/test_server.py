"""Every route of the service: masks as `vtmr.segment` makes them, and an error in JSON for whatever
else comes."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes import ColourNetwork, shapes_image
from httpservice import ON_ELLIPSE, PHOTO, PHOTO_ID, PNG, decoded, png_of
from PIL import Image
from starlette.testclient import TestClient

import vtmr
from vtmr.masks import RunLengths
from vtmr.plugins.service.keys import Keys, read_keys
from vtmr.plugins.service.limits import Limits
from vtmr.plugins.service.openapi import document
from vtmr.segmenter import segmenter_for

ROOT = Path(__file__).parents[4]
PREDICTOR = segmenter_for(ColourNetwork())
CLICKS: list[dict[str, Any]] = [
    ON_ELLIPSE,
    {"x": 124.5, "y": 66.5},
    {"x": 5, "y": 5, "positive": False},
]
JSON = {"content-type": "application/json"}


def ask(http: TestClient, **body: Any) -> Any:
    """A mask of the photo that is there already."""
    return http.post("/v1/masks", json={"image_id": PHOTO_ID, **body})


def base64_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


def holes(mask: Any) -> Any:
    """The mask with a hole in the middle of the ellipse."""
    other = mask.copy()
    other[50:60, 50:60] = False
    return other


class TestMasks:
    def test_clicks_give_the_mask_that_python_gives(self, http: TestClient) -> None:
        """vtmr.segment is the reference for every door."""
        answer = ask(http, clicks=CLICKS).json()
        clicks = [(c["x"], c["y"], c.get("positive", True)) for c in CLICKS]
        expected = vtmr.segment(shapes_image(), clicks=clicks, model=PREDICTOR)
        np.testing.assert_array_equal(decoded(answer["mask"]), expected)
        assert answer["area"] == expected.sum() > 0
        assert answer["image_id"] == PHOTO_ID
        assert answer["model"] == "colour"
        x, y, width, height = answer["bbox"]
        rows, cols = np.nonzero(expected)
        assert (x, y, x + width, y + height) == (
            cols.min(),
            rows.min(),
            cols.max() + 1,
            rows.max() + 1,
        )

    def test_a_box_gives_the_mask_that_python_gives(self, http: TestClient) -> None:
        answer = ask(http, box=[20, 15, 92, 95], clicks=[ON_ELLIPSE]).json()
        expected = vtmr.segment(
            shapes_image(), box=(20, 15, 92, 95), clicks=[(56.5, 54.5)], model=PREDICTOR
        )
        np.testing.assert_array_equal(decoded(answer["mask"]), expected)

    @pytest.mark.parametrize("form", ["compressed", "numbers", "png", "file"])
    def test_a_mask_is_corrected_however_it_comes(self, http: TestClient, form: str) -> None:
        """Only the region that the click lies in changes: the hole is filled."""
        whole = vtmr.segment(shapes_image(), clicks=[(56.5, 54.5)], model=PREDICTOR)
        given = holes(whole)
        runs = RunLengths.encode(given)
        size = [runs.height, runs.width]
        masks = {
            "compressed": {"size": size, "counts": runs.counts.decode()},
            "numbers": {"size": size, "counts": uncompressed(given)},
            "png": {"png": base64_of(png_of(given.astype(np.uint8) * 255))},
        }
        if form == "file":
            files = {"mask": ("m.png", png_of(given.astype(np.uint8) * 255), "image/png")}
            prompts = json.dumps({"image_id": PHOTO_ID, "clicks": [ON_ELLIPSE]})
            answer = http.post("/v1/masks", data={"prompts": prompts}, files=files)
        else:
            answer = ask(http, clicks=[ON_ELLIPSE], mask=masks[form])
        expected = vtmr.segment(shapes_image(), clicks=[(56.5, 54.5)], mask=given, model=PREDICTOR)
        np.testing.assert_array_equal(decoded(answer.json()["mask"]), expected)
        assert expected.sum() > given.sum()

    def test_png_is_the_mask_itself(self, http: TestClient) -> None:
        answer = ask(http, clicks=CLICKS, format="png")
        assert answer.headers["content-type"] == "image/png"
        assert answer.headers["x-image-id"] == PHOTO_ID
        pixels = np.asarray(Image.open(io.BytesIO(answer.content)))
        np.testing.assert_array_equal(
            pixels == 255, decoded(ask(http, clicks=CLICKS).json()["mask"])
        )

    def test_image_and_prompts_in_one_request(self, http: TestClient) -> None:
        """As base64 and as a form; the id that comes back is the file's SHA-256."""
        other = png_of(shapes_image(seed=7))
        digest = hashlib.sha256(other).hexdigest()
        body = {"image": base64_of(other), "clicks": [ON_ELLIPSE]}
        first = http.post("/v1/masks", json=body).json()
        body["image"] = "data:image/png;base64," + body["image"]
        second = http.post("/v1/masks", json=body).json()
        third = http.post(
            "/v1/masks",
            files={"image": ("a.png", other, "image/png")},
            data={"prompts": json.dumps({"clicks": [ON_ELLIPSE]})},
        ).json()
        for answer in (first, second, third):
            assert answer["image_id"] == digest
            assert answer["mask"] == first["mask"]

    def test_a_further_click_costs_one_prediction(
        self, start: Callable[..., TestClient], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        http = start()
        passes = []
        coarse = ColourNetwork.coarse
        monkeypatch.setattr(
            ColourNetwork, "coarse", lambda *given: (passes.append(1), coarse(*given))[1]
        )
        http.post("/v1/images", content=PHOTO, headers=PNG)
        ask(http, clicks=CLICKS[:2])
        before = len(passes)
        ask(http, clicks=CLICKS[:2])
        assert len(passes) == before == 2
        ask(http, clicks=CLICKS)
        assert len(passes) == before + 1


def uncompressed(mask: Any) -> list[int]:
    """COCO's run lengths as numbers, column by column, by the definition."""
    flat = mask.T.reshape(-1)
    turns = np.flatnonzero(np.diff(flat)) + 1
    ends = [0, *turns.tolist(), flat.size]
    runs = [after - before for before, after in pairwise(ends)]
    return [0, *runs] if flat[0] else runs


class TestImages:
    @pytest.mark.parametrize("how", ["raw", "octets", "form", "base64"])
    def test_an_upload_is_known_by_its_hash(self, http: TestClient, how: str) -> None:
        sent = {
            "raw": {"content": PHOTO, "headers": PNG},
            "octets": {"content": PHOTO, "headers": {"content-type": "application/octet-stream"}},
            "form": {"files": {"image": ("a.png", PHOTO, "image/png")}},
            "base64": {"json": {"image": base64_of(PHOTO)}},
        }
        answer = http.post("/v1/images", **sent[how])
        assert answer.status_code == 201
        assert answer.json() == {"image_id": PHOTO_ID, "height": 120, "width": 160}
        assert http.get(f"/v1/images/{PHOTO_ID}").json() == answer.json()

    def test_a_forgotten_image_has_to_be_sent_again(self, start: Callable[..., TestClient]) -> None:
        http = start()
        http.post("/v1/images", content=PHOTO, headers=PNG)
        assert ask(http, clicks=CLICKS).status_code == 200
        assert http.delete(f"/v1/images/{PHOTO_ID}").status_code == 204
        for answer in (
            http.delete(f"/v1/images/{PHOTO_ID}"),
            http.get(f"/v1/images/{PHOTO_ID}"),
            ask(http, clicks=CLICKS),
        ):
            assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unknown_image")
        http.post("/v1/images", content=PHOTO, headers=PNG)
        assert ask(http, clicks=CLICKS).status_code == 200

    def test_images_are_bounded_in_bytes(self, start: Callable[..., TestClient]) -> None:
        """1 MB holds 17 images of 120 x 160; the ones used longest ago go."""
        http = start(images_mb=1)
        ids = []
        for seed in range(20):
            sent = http.post("/v1/images", content=png_of(shapes_image(seed=seed)), headers=PNG)
            ids.append(sent.json()["image_id"])
            assert http.get(f"/v1/images/{ids[0]}").status_code == 200  # keeps it in use
        here = [http.get(f"/v1/images/{image}").status_code for image in ids]
        assert here == [200, 404, 404, 404] + [200] * 16
        metrics = http.get("/metrics").text
        assert re.search(r"^vtmr_images 17$", metrics, flags=re.M)
        assert int(re.search(r"^vtmr_image_bytes (\d+)$", metrics, flags=re.M)[1]) <= 1_000_000


class TestBusy:
    def test_one_request_too_many_is_told_to_come_back(
        self, start: Callable[..., TestClient]
    ) -> None:
        """A budget of bodies that this one doesn't fit."""
        http = start(bodies_mb=1)
        answer = http.post("/v1/images", content=b"\0" * 1_000_001, headers=PNG)
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "busy")
        assert answer.headers["retry-after"] == "1"
        assert http.post("/v1/images", content=PHOTO, headers=PNG).status_code == 201


@pytest.fixture(scope="module")
def locked(start: Callable[..., TestClient]) -> TestClient:
    """A service that two keys open."""
    return start(read_keys("", {"VTMR_API_KEYS": f"{TestDoor.KEY}, another-key-of-20-chars"}))


class TestDoor:
    KEY = "0123456789abcdef"

    @pytest.mark.parametrize("path", ["/metrics", f"/v1/images/{PHOTO_ID}", "/v1/nothing"])
    def test_without_a_key_nothing_is_told(self, locked: TestClient, path: str) -> None:
        for headers in (
            {},
            {"authorization": "Bearer wrong"},
            {"authorization": f"Basic {self.KEY}"},
            {"x-api-key": self.KEY.upper()},
            {"x-api-key": "é" * 16},
        ):
            encoded = {name: value.encode("utf-8") for name, value in headers.items()}
            answer = locked.get(path, headers=encoded)
            assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unauthorised")
            assert answer.headers["www-authenticate"] == "Bearer"

    @pytest.mark.parametrize(
        "headers", [{"authorization": f"Bearer {KEY}"}, {"x-api-key": "another-key-of-20-chars"}]
    )
    def test_with_one_it_answers(self, locked: TestClient, headers: dict[str, str]) -> None:
        assert locked.get("/metrics", headers=headers).status_code == 200
        answer = locked.get(f"/v1/images/{'0' * 64}", headers=headers)
        assert answer.status_code == 404

    @pytest.mark.parametrize("path", ["/health", "/openapi.json", "/"])
    def test_what_watchdogs_ask_needs_none(self, locked: TestClient, path: str) -> None:
        assert locked.get(path).status_code == 200

    @pytest.mark.parametrize(
        "headers",
        [{"host": "evil.example:8000"}, {"host": "127.0.0.1:9"}, {"origin": "http://evil.example"}],
    )
    def test_without_keys_pages_of_others_get_nothing(
        self, http: TestClient, headers: dict[str, str]
    ) -> None:
        answer = http.get("/health", headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")

    def test_keys_are_kept_as_hashes_alone(self) -> None:
        keys = read_keys("", {"VTMR_API_KEYS": self.KEY})
        assert self.KEY not in repr(keys) + str(keys.digests)
        assert keys == Keys((hashlib.sha256(self.KEY.encode()).digest(),))


class TestDocuments:
    def test_health_names_model_and_version(self, http: TestClient) -> None:
        told = http.get("/health").json()
        assert told == {"status": "ok", "model": "colour", "version": vtmr.__version__}

    def test_openapi_is_served_and_the_page_beside_the_docs_is_current(
        self, http: TestClient
    ) -> None:
        """Renewed by tools/write_openapi.py."""
        served = http.get("/openapi.json").json()
        assert served == document(Limits())
        assert served == json.loads((ROOT / "docs" / "doors" / "http-openapi.json").read_text())

    def test_metrics_count_requests_and_predictions(self, start: Callable[..., TestClient]) -> None:
        http = start()
        http.post("/v1/images", content=PHOTO, headers=PNG)
        for _ in range(3):
            ask(http, clicks=CLICKS)
        ask(http)
        page = http.get("/metrics")
        assert page.headers["content-type"].startswith("text/plain")
        told = dict(
            line.rsplit(" ", 1) for line in page.text.splitlines() if not line.startswith("#")
        )
        assert told['vtmr_requests_total{route="POST /v1/masks",status="200"}'] == "3.0"
        assert told['vtmr_requests_total{route="POST /v1/masks",status="400"}'] == "1.0"
        assert told["vtmr_prediction_seconds_count"] == "3.0"
        assert told["vtmr_requests_in_flight"] == "0.0"
        assert told["vtmr_images"] == "1"
