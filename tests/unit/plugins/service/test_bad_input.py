"""Whatever comes that isn't a request: an error in JSON with its status, never a stack trace."""

from __future__ import annotations

import json
import re
import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from httpservice import ON_ELLIPSE, PHOTO, PHOTO_ID, PNG, png_of
from starlette.testclient import TestClient

JSON = {"content-type": "application/json"}


def png_header(width: int, height: int) -> bytes:
    """A PNG whose header says that size, and little more."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(b"\0" * 99)), (b"IEND", b"")]
    parts = [b"\x89PNG\r\n\x1a\n"]
    for name, data in chunks:
        parts += [struct.pack(">I", len(data)), name, data]
        parts.append(struct.pack(">I", zlib.crc32(name + data)))
    return b"".join(parts)


IMAGE = {"image_id": PHOTO_ID}
BAD_BODIES: dict[str, tuple[Any, int, str]] = {
    "a list": ([], 400, "bad_request"),
    "nothing": ({}, 400, "bad_request"),
    "no image": ({"clicks": [ON_ELLIPSE]}, 400, "bad_request"),
    "no prompts": (IMAGE, 400, "bad_request"),
    "no clicks": ({**IMAGE, "clicks": []}, 400, "bad_request"),
    "an unknown field": ({**IMAGE, "clicks": [ON_ELLIPSE], "x": 1}, 400, "bad_request"),
    "an address": ({"image": "http://a.b/c.png", "clicks": [ON_ELLIPSE]}, 400, "bad_request"),
    "base64 garbage": ({"image": "ab$$", "clicks": [ON_ELLIPSE]}, 400, "bad_request"),
    "base64 of garbage": ({"image": "AAAA", "clicks": [ON_ELLIPSE]}, 422, "unreadable_image"),
    "an empty image": ({"image": "", "clicks": [ON_ELLIPSE]}, 400, "bad_request"),
    "two images": ({**IMAGE, "image": "AAAA", "clicks": [ON_ELLIPSE]}, 400, "bad_request"),
    "no id": ({"image_id": "../../etc/passwd", "clicks": [ON_ELLIPSE]}, 400, "bad_request"),
    "an unknown id": ({"image_id": "0" * 64, "clicks": [ON_ELLIPSE]}, 404, "unknown_image"),
    "too many clicks": ({**IMAGE, "clicks": [ON_ELLIPSE] * 65}, 400, "bad_request"),
    "a click of two numbers": ({**IMAGE, "clicks": [[1, 2]]}, 400, "bad_request"),
    "a click without y": ({**IMAGE, "clicks": [{"x": 1}]}, 400, "bad_request"),
    "a click of text": ({**IMAGE, "clicks": [{"x": "1", "y": 2}]}, 400, "bad_request"),
    "a click that says 1": (
        {**IMAGE, "clicks": [{"x": 1, "y": 2, "positive": 1}]},
        400,
        "bad_request",
    ),
    "a click outside": ({**IMAGE, "clicks": [{"x": 160, "y": 2}]}, 422, "unusable"),
    "a box of three": ({**IMAGE, "box": [1, 2, 3]}, 400, "bad_request"),
    "a box inside out": ({**IMAGE, "box": [9, 9, 1, 1]}, 400, "bad_request"),
    "a box elsewhere": ({**IMAGE, "box": [900, 900, 990, 990]}, 422, "unusable"),
    "a box and a mask": (
        {**IMAGE, "box": [1, 2, 3, 4], "mask": {"size": [120, 160], "counts": [19200]}},
        400,
        "bad_request",
    ),
    "a mask of another size": (
        {**IMAGE, "clicks": [ON_ELLIPSE], "mask": {"size": [2, 2], "counts": [4]}},
        422,
        "unusable",
    ),
    "a mask of a billion rows": (
        {**IMAGE, "clicks": [ON_ELLIPSE], "mask": {"size": [10**9, 10**9], "counts": "1"}},
        400,
        "bad_request",
    ),
    "a mask that isn't full": (
        {**IMAGE, "clicks": [ON_ELLIPSE], "mask": {"size": [120, 160], "counts": [4]}},
        400,
        "bad_request",
    ),
    "a mask of nonsense": (
        {**IMAGE, "clicks": [ON_ELLIPSE], "mask": {"size": [120, 160], "counts": "~~~"}},
        422,
        "unusable",
    ),
    "a mask that is no PNG": (
        {**IMAGE, "clicks": [ON_ELLIPSE], "mask": {"png": "AAAA"}},
        422,
        "unusable",
    ),
    "a mask of text": ({**IMAGE, "clicks": [ON_ELLIPSE], "mask": "m.png"}, 400, "bad_request"),
    "an unknown format": ({**IMAGE, "clicks": [ON_ELLIPSE], "format": "tiff"}, 400, "bad_request"),
    "an unknown correction": (
        {**IMAGE, "clicks": [ON_ELLIPSE], "correction": "there"},
        400,
        "bad_request",
    ),
}


class TestBadInput:
    @pytest.mark.parametrize("what", BAD_BODIES)
    def test_a_bad_body_is_told_what_is_wrong_with_it(self, http: TestClient, what: str) -> None:
        body, status, code = BAD_BODIES[what]
        answer = http.post("/v1/masks", json=body)
        error = answer.json()["error"]
        assert (answer.status_code, error["code"]) == (status, code)
        assert len(error["message"]) > 20
        assert not re.search(r"Traceback|/tmp|\.upload|\.py", answer.text)

    @pytest.mark.parametrize(
        "text",
        [
            '{"image_id": "a',
            '{"clicks": [{"x": NaN, "y": 1}]}',
            '{"clicks": [{"x": 1e999, "y": 1}]}',
            "[" * 100_000,
            "",
            "\xff",
            '{"clicks": ' + "9" * 10_000 + "}",
        ],
        ids=["truncated", "NaN", "infinite", "deep", "empty", "no UTF-8", "a long number"],
    )
    def test_what_is_no_json_is_a_bad_request(self, http: TestClient, text: str) -> None:
        answer = http.post("/v1/masks", content=text.encode("latin-1"), headers=JSON)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_request")

    @pytest.mark.parametrize("path", ["/v1/masks", "/v1/images"])
    @pytest.mark.parametrize("kind", ["text/plain", "application/xml", ""])
    def test_another_type_is_refused(self, http: TestClient, path: str, kind: str) -> None:
        answer = http.post(path, content=b"{}", headers={"content-type": kind})
        assert (answer.status_code, answer.json()["error"]["code"]) == (415, "wrong_type")

    @pytest.mark.parametrize(
        ("data", "status", "code"),
        [
            (png_header(20_000, 10_000), 413, "too_large"),
            (png_header(1000, 1000), 422, "unreadable_image"),  # its pixels are missing
            (PHOTO[:2000], 422, "unreadable_image"),
            (b"GIF89a", 422, "unreadable_image"),
            (b"%!PS-Adobe-3.0 EPSF-3.0", 422, "unreadable_image"),
            (b"", 400, "bad_request"),
        ],
        ids=["200 megapixels", "no pixels", "cut off", "a head", "EPS", "empty"],
    )
    def test_a_bad_image_is_told(
        self, http: TestClient, data: bytes, status: int, code: str
    ) -> None:
        answer = http.post("/v1/images", content=data, headers=PNG)
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
        assert not re.search(r"Traceback|/tmp|\.upload", answer.text)

    @pytest.mark.parametrize(
        ("data", "files"),
        [
            ({}, {}),
            ({"image": "text"}, {"mask": ("a", PHOTO)}),
            ({"prompts": "{"}, {"image": ("a", PHOTO)}),
            ({"prompts": "[]"}, {"image": ("a", PHOTO)}),
            ({}, {"image": ("a", PHOTO)}),
            ({"prompts": "{}", "other": "x"}, {"image": ("a", PHOTO)}),
            ({"prompts": "{}"}, {"photo": ("a", PHOTO)}),
            ({"prompts": json.dumps({**IMAGE, "clicks": [ON_ELLIPSE]})}, {"image": ("a", PHOTO)}),
        ],
    )
    def test_a_bad_form_is_told(self, http: TestClient, data: Any, files: Any) -> None:
        boundary = {"content-type": "multipart/form-data; boundary=x"}
        sent: dict[str, Any] = (
            {"data": data, "files": files} if files else {"content": b"--x--\r\n"}
        )
        answer = http.post("/v1/masks", **sent, headers=None if files else boundary)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_request")

    def test_an_empty_mask_is_not_taken_for_none(self, http: TestClient) -> None:
        prompts = {"prompts": json.dumps({"clicks": [ON_ELLIPSE]})}
        files = {"image": ("a", PHOTO), "mask": ("m", b"")}
        answer = http.post("/v1/masks", data=prompts, files=files)
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "unusable")

    @pytest.mark.parametrize(
        "body",
        [b"", b"--x", b'--x\r\nContent-Disposition: form-data; name="image"\r\n\r\nabc', b"x"],
    )
    @pytest.mark.parametrize("kind", ["multipart/form-data; boundary=x", "multipart/form-data"])
    def test_a_form_that_is_none_is_told(self, http: TestClient, body: bytes, kind: str) -> None:
        for path in ("/v1/masks", "/v1/images"):
            answer = http.post(path, content=body, headers={"content-type": kind})
            assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_request")

    def test_bodies_beyond_the_limits_are_refused(self, start: Callable[..., TestClient]) -> None:
        http = start(upload_mb=1, json_mb=1)
        large = b"\0" * 2_100_000
        for kind in ("image/png", "application/json", "multipart/form-data; boundary=x"):
            answer = http.post("/v1/images", content=large, headers={"content-type": kind})
            assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")

    def test_an_image_beyond_the_folder_is_refused(self, start: Callable[..., TestClient]) -> None:
        """700 x 700 pixels take 1.5 MB and a third."""
        http = start(images_mb=1)
        data = png_of(np.zeros((700, 700, 3), np.uint8))
        answer = http.post("/v1/images", content=data, headers=PNG)
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")

    def test_unknown_addresses_and_methods(self, http: TestClient) -> None:
        assert http.get("/v1/nothing").json()["error"]["code"] == "not_found"
        answer = http.put("/v1/masks")
        assert (answer.status_code, answer.json()["error"]["code"]) == (405, "method_not_allowed")
