"""Whatever is wrong with a request: a sentence in Label Studio's form, and never a stack trace."""

from __future__ import annotations

import base64
import json
import re
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from labelstudio import (
    CONFIG,
    PHOTO,
    brush,
    client_of,
    data_url,
    keypoint,
    png_of,
    rectangle,
    region,
    request,
)
from starlette.testclient import TestClient

from vtmr.plugins.labelstudio.backend import Backend
from vtmr.plugins.labelstudio.server import Credentials

POINT = keypoint(56.5, 54.5)


def png_header(width: int, height: int) -> bytes:
    """A PNG that says its size and has no pixels."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def at(x: float, y: float, **more: Any) -> Any:
    """A keypoint at that percentage."""
    return region("keypointlabels", "Ellipse", {"x": x, "y": y, "width": 1}, "point", **more)


def with_value(**value: Any) -> Any:
    made = brush(np.ones((120, 160), np.bool_))
    made["value"].update(value)
    return made


OTHER_IMAGE = {**POINT, "to_name": "other"}
TWO_IMAGES = CONFIG.replace("</View>", '<Image name="other" value="$other"/></View>')
BODIES = {
    "x beyond": (request(at(130, 20)), "x 130: expected percent of the image, 0 to 100"),
    "y before": (request(at(20, -5)), "y -5: expected percent"),
    "x is text": (request(at("12", 20)), "x .12.: expected a number"),  # type: ignore[arg-type]
    "no y": (request(region("keypointlabels", "a", {"x": 1}, "point")), "y null"),
    "an odd sign": (request(at(20, 20, is_positive="yes")), "is_positive"),
    "an empty rectangle": (request(rectangle((20, 20, 20, 30))), "is empty"),
    "a wide rectangle": (request(rectangle((20, 20, 600, 30))), "width 362.5: expected percent"),
    "another size": (
        request({**POINT, "original_width": 1920, "original_height": 1080}),
        "shows the image in 1920x1080 pixels, and the file has 160x120",
    ),
    "a turned image": (request({**POINT, "image_rotation": 90}), "turned by 90 degrees"),
    "a brush of another size": (
        request(brush(np.ones((5, 5), np.bool_))),
        "hold 100 words: expected 19200 pixels",
    ),
    "a brush of nothing": (request(with_value(rle=[])), "0 bytes"),
    "a brush of garbage": (request(with_value(rle=[300, "a"])), "can't be read"),
    "a brush without strokes": (request(brush(np.zeros((120, 160), np.bool_))), "without a pixel"),
    "a brush as a picture": (request(with_value(format="png")), "expected rle"),
    "a polygon": (request(region("polygonlabels", "a", {"points": []}, "p")), "type polygon"),
    "several images drawn on": (request(POINT, OTHER_IMAGE), "on several images"),
    "the second image of a list": (request({**POINT, "item_index": 1}), "on several images"),
    "several images in the task": (request(POINT, image=["a", "b"]), "a list of 2 images"),
    "several images in the config": (
        request(POINT, label_config=CONFIG.replace('value="$image"', 'valueList="$image"')),
        "shows several images",
    ),
    "an unknown image": (request(OTHER_IMAGE), "'other', which is no Image"),
    "no brush on the image": (
        request(OTHER_IMAGE, label_config=TWO_IMAGES),
        "no 'other' in its data",
    ),
    "an unknown label": (request(keypoint(56.5, 54.5, "Cat")), "has the label 'Cat'"),
    "no data": (request(POINT, tasks=[{"id": 1}]), "The task's data is null"),
    "no image in the data": (
        request(POINT, tasks=[{"id": 1, "data": {"text": "a"}}]),
        "no 'image' in its data",
    ),
    "no task": (request(POINT, tasks=None), "The tasks are null"),
    "two tasks": (request(POINT, tasks=[{}, {}]), "2 tasks with one context"),
    "a task of text": (request(POINT, tasks=["a"]), "The task is"),
    "an image of null": (request(POINT, image=None), "expected its address"),
    "an image of a number": (request(POINT, image=3), "expected its address"),
    "no project": (request(POINT, project=None), "The project is null"),
    "an odd project": (request(POINT, project="../etc"), "The project is"),
    "an unknown project": (request(POINT, project="999.1", label_config=None), "is unknown"),
    "a config of text": (request(POINT, label_config="<View>"), "is no XML"),
    "a config with entities": (
        request(POINT, label_config='<!DOCTYPE a [<!ENTITY b "c">]><View/>'),
        "declares a document type",
    ),
    "a config without a brush": (
        request(POINT, label_config='<View><Image name="image" value="$image"/></View>'),
        "no <BrushLabels>",
    ),
    "a config without an image": (request(POINT, label_config="<View/>"), "no <Image"),
    "a long config": (request(POINT, label_config="a" * 1_100_000), "at most 1048576"),
    "a context of text": ({**request(), "params": {"context": "a"}}, "The context is"),
    "a result of text": ({**request(), "params": {"context": {"result": "a"}}}, "The context is"),
    "a region of text": ({**request(), "params": {"context": {"result": ["a"]}}}, "A region"),
    "regions without end": (request(*[POINT] * 1001), "at most 1000 regions"),
    "params of text": ({**request(), "params": "a"}, "'params' is"),
    "a list": ([1], "The body is"),
    "base64 garbage": (request(POINT, image="data:image/png;base64,%%%"), "isn't base64"),
    "no base64": (request(POINT, image="data:image/png;base64"), "without a comma"),
    "another server": (request(POINT, image="http://10.0.0.1/a.png"), "is on another server"),
    "cloud storage": (request(POINT, image="s3://bucket/a.png"), "is on another server"),
    "a file": (request(POINT, image="file:///etc/passwd"), "is on another server"),
    "a path": (request(POINT, image="/data/upload/1/a.png"), "start vtmr serve"),
    "a word": (request(POINT, image="photo.png"), "is no address"),
    "an odd port": (request(POINT, image="http://a:b/"), "is o?n? ?(no address|another server)"),
}
UNREADABLE = {
    "no image": (b"GIF89a", "can"),
    "EPS": (b"%!PS-Adobe-3.0 EPSF-3.0", "not an image"),
    "cut off": (png_of(PHOTO)[:3000], "damaged"),
    "200 megapixels": (png_header(20_000, 10_000), "200.0 megapixels: expected at most 150"),
    "nothing": (b"", "is empty"),
}


def told(answer: Any, status: int) -> str:
    """The sentence of an error."""
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert list(body) == ["error"]
    assert not re.search(r"Traceback|\.py\b|/tmp", answer.text)
    return str(body["error"])


@pytest.mark.parametrize("what", BODIES)
def test_a_bad_request_is_told(http: TestClient, what: str) -> None:
    body, said = BODIES[what]
    assert re.search(said, told(http.post("/predict", json=body), 400))


@pytest.mark.parametrize("what", UNREADABLE)
def test_an_unreadable_image_is_told(http: TestClient, what: str) -> None:
    data, said = UNREADABLE[what]
    answer = http.post("/predict", json=request(POINT, image=data_url(data)))
    assert re.search(said, told(answer, 422))


@pytest.mark.parametrize(
    ("text", "status"),
    [('{"tasks": [', 400), ('{"a": NaN}', 400), ("[" * 100_000, 400), ("", 400), ("\xff", 400)],
)
def test_what_is_no_json_is_told(http: TestClient, text: str, status: int) -> None:
    kind = {"content-type": "application/json"}
    for path in ("/predict", "/setup", "/webhook", "/train"):
        told(http.post(path, content=text.encode("latin-1"), headers=kind), status)


def test_other_types_methods_and_addresses_are_told(http: TestClient) -> None:
    told(http.post("/predict", content=b"{}", headers={"content-type": "text/plain"}), 415)
    told(http.get("/predict"), 405)
    told(http.get("/nothing"), 404)


def test_a_body_beyond_the_limit_is_told(http: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vtmr.plugins.labelstudio.server.MAX_BODY", 1000)
    told(http.post("/predict", json={"a": "b" * 2000}), 413)


@pytest.mark.parametrize(
    ("schema", "said"), [(None, "is missing"), ("<View/>", "no <Image"), ("a", "is no XML")]
)
def test_a_config_without_a_place_for_masks_is_told_at_set_up(
    http: TestClient, schema: object, said: str
) -> None:
    assert said in told(http.post("/setup", json={"project": "1.2", "schema": schema}), 400)


def test_a_defect_is_told_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*given: object) -> None:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(Backend, "_masks", broken)
    with client_of() as client:
        sentence = told(client.post("/predict", json=request(POINT)), 500)
    assert "defect of vtmr" in sentence
    assert "secret" not in sentence


class TestDoor:
    def test_a_page_in_a_browser_may_not_ask(self, http: TestClient) -> None:
        told(http.get("/health", headers={"origin": "http://127.0.0.1:9090"}), 403)

    def test_another_name_may_not_be_asked_without_a_password(self) -> None:
        """DNS rebinding: a page's own name that points here."""
        with client_of(address="http://evil.example:9090") as client:
            told(client.get("/health"), 403)

    def test_a_password_opens_it_by_any_name(self) -> None:
        credentials = Credentials("studio", "a secret")
        with client_of(credentials=credentials, address="http://vtmr.internal") as client:
            answer = client.get("/health")
            assert "missing or wrong" in told(answer, 401)
            assert answer.headers["www-authenticate"].startswith("Basic")
            assert client.get("/health", auth=("studio", "a secret")).status_code == 200
            told(client.get("/health", auth=("studio", "wrong")), 401)
            for header in ("Basic", "Basic %%%", "Bearer a", f"Basic {b64('studio')}"):
                told(client.get("/health", headers={"authorization": header}), 401)


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_a_refused_request_costs_itself_alone(http: TestClient) -> None:
    http.post("/predict", json=request(at(130, 20)))
    answer = http.post("/predict", json=json.loads(json.dumps(request(POINT))))
    assert len(answer.json()["results"][0]["result"]) == 1
