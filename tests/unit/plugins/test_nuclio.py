"""The serverless function of CVAT, called as nuclio calls it: with nuclio-sdk's own objects.

Fields of requests and answers are those of CVAT's `serverless` folder and its lambda manager.
"""

from __future__ import annotations

import base64
import importlib.util
import io
import json
import logging
import re
from pathlib import Path
from typing import Any

import nuclio_sdk
import numpy as np
import pytest
import yaml
from fakes import ColourNetwork, shapes_image
from PIL import Image as pillow

from vtmr.errors import ConfigError
from vtmr.masks import Mask
from vtmr.plugins import nuclio
from vtmr.segmenter import segmenter_for
from vtmr.session import Session
from vtmr.types import BoxPrompt, Click

FOLDER = Path(__file__).parents[3] / "serverless" / "vtmr" / "nuclio"
IMAGE = shapes_image()
HEIGHT, WIDTH = IMAGE.shape[:2]
PREDICTOR = segmenter_for(ColourNetwork())


def in_base64(image: Any = IMAGE) -> str:
    stream = io.BytesIO()
    pillow.fromarray(image).save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode()


def request(**fields: Any) -> dict[str, Any]:
    empty = {"image": in_base64(), "pos_points": [], "neg_points": [], "obj_bbox": None}
    return {**empty, **fields}


class Function:
    """A started function."""

    def __init__(self, **options: Any) -> None:
        self.context = nuclio_sdk.Context(logger=nuclio_sdk.Logger(logging.INFO))
        self.context.user_data.interactor = nuclio.Interactor(PREDICTOR, **options)

    def __call__(self, body: Any) -> tuple[int, dict[str, Any]]:
        """The status and the decoded answer that the processor would send."""
        answer = nuclio.handler(self.context, nuclio_sdk.Event(body=body))
        sent = nuclio_sdk.Response.from_entrypoint_output(json.dumps, answer)
        assert sent["content_type"] == "application/json"
        assert sent["body_encoding"] == "text"
        return sent["status_code"], json.loads(sent["body"])

    def mask(self, body: Any) -> Mask:
        """The answer's mask in the image's size, laid where its bounds say, as CVAT's page does."""
        status, answer = self(body)
        assert status == 200, answer
        left, top, right, bottom = answer["bounds"]
        whole = np.zeros((HEIGHT, WIDTH), np.bool_)
        whole[top : bottom + 1, left : right + 1] = np.array(answer["mask"], np.bool_)
        return whole


def session(*events: Any) -> Mask:
    made = Session(PREDICTOR, IMAGE)
    for event in events:
        made = made.add(event)
    return made.mask


def test_clicks_and_a_box_become_the_sessions_mask() -> None:
    function = Function()
    positive, negative = [[56, 54]], [[20.5, 20]]
    assert np.array_equal(function.mask(request(pos_points=positive)), session(Click(56, 54)))
    both = request(pos_points=positive, neg_points=negative)
    assert np.array_equal(
        function.mask(both), session(Click(56, 54), Click(20.5, 20, positive=False))
    )
    box = request(obj_bbox=[[20, 15], [92, 95]])
    assert np.array_equal(function.mask(box), session(BoxPrompt(20, 15, 92, 95)))


def test_a_body_may_come_as_json() -> None:
    """nuclio hands over bytes where the content type isn't JSON's."""
    body = json.dumps(request(pos_points=[[56, 54]])).encode()
    assert np.array_equal(Function().mask(body), session(Click(56, 54)))


def test_the_box_of_an_old_server_is_the_first_two_points() -> None:
    body = request(pos_points=[[20, 15], [92, 95], [56, 54]])
    expected = session(BoxPrompt(20, 15, 92, 95), Click(56, 54))
    assert np.array_equal(Function(box_first=True).mask(body), expected)


def test_an_image_is_decoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[int] = []
    real = nuclio.decode_image
    monkeypatch.setattr(nuclio, "decode_image", lambda data: decoded.append(1) or real(data))
    function = Function()
    for points in ([[56, 54]], [[56, 54], [60, 60]]):
        function.mask(request(pos_points=points))
    assert len(decoded) == 1


def test_a_threshold_cuts_elsewhere() -> None:
    function, body = Function(), request(pos_points=[[56, 54]])
    usual = function.mask(body)
    stricter = function.mask({**body, "threshold": 0.99})
    expected = Session(PREDICTOR.with_threshold(0.99), IMAGE).add(Click(56, 54)).mask
    assert np.array_equal(stricter, expected)
    assert stricter.sum() < usual.sum()
    assert np.array_equal(function.mask({**body, "threshold": None}), usual)


def test_an_empty_mask_is_one_pixel_of_nothing() -> None:
    status, answer = Function()(request(neg_points=[[56, 54]]))
    assert (status, answer) == (200, {"mask": [[0]], "bounds": [0, 0, 0, 0]})


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", "isn't JSON"),
        (b"[" * 100_000, "isn't JSON"),
        ([1], "body is list"),
        (None, "body is NoneType"),
        ({}, "image is NoneType"),
        (request(image=7), "image is int"),
        (request(image="?!"), "isn't base64"),
        (request(image="é"), "isn't base64"),
        (request(image=""), "empty"),
        (request(image=in_base64()[:100]), "damaged|isn't base64"),
        (request(image=base64.b64encode(b"no image").decode()), "is not an image"),
        (request(), "nothing to go by"),
        (request(pos_points=[[1]]), r"point is \[1\]"),
        (request(pos_points=[[WIDTH + 9, 1]]), "outside the image"),
        (request(pos_points=[[float("nan"), 1]]), "two numbers"),
        (request(obj_bbox=[[1, 1]]), "two corners"),
        (request(pos_points=[[1, 1]], threshold="high"), "threshold is 'high'"),
        (request(pos_points=[[1, 1]], threshold=2), "threshold is 2"),
    ],
)
def test_bad_requests_get_a_400_and_a_sentence(body: Any, message: str) -> None:
    status, answer = Function()(body)
    assert status == 400
    assert answer.keys() == {"error"}
    assert re.search(message, answer["error"])


def test_a_picture_that_is_too_large_is_refused_by_its_header() -> None:
    wide = b"P6\n20000 20000\n255\n"
    status, answer = Function()(request(image=base64.b64encode(wide).decode(), pos_points=[[1, 1]]))
    assert status == 400
    assert "400.0 megapixels" in answer["error"]


def test_what_nobody_foresaw_is_a_500_without_a_trace(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    function = Function()
    monkeypatch.setattr(nuclio, "decode_image", lambda data: 1 / 0)
    status, answer = function(request(pos_points=[[1, 1]]))
    assert (status, answer) == (500, {"error": "vtmr failed; the function's log says why."})
    assert "vtmr failed" in caplog.text


# --- the folder that is deployed
# -----------------------------------------------------------------------------------------------


def test_the_function_says_what_cvat_asks() -> None:
    told = yaml.safe_load((FOLDER / "function.yaml").read_text())
    annotations, spec = told["metadata"]["annotations"], told["spec"]
    assert annotations["type"] == "interactor"
    assert all(isinstance(value, str) for value in annotations.values())
    assert int(annotations["version"]) == 2
    assert (int(annotations["min_pos_points"]), int(annotations["min_neg_points"])) == (0, 0)
    assert "startswith_box" not in annotations
    assert spec["triggers"]["myHttpTrigger"]["kind"] == "http"
    assert spec["triggers"]["myHttpTrigger"]["maxWorkers"] == 1
    module, name = spec["handler"].split(":")
    loaded = importlib.util.spec_from_file_location(module, FOLDER / f"{module}.py")
    main = importlib.util.module_from_spec(loaded)
    loaded.loader.exec_module(main)
    assert getattr(main, name) is nuclio.handler
    assert main.init_context is nuclio.init_context


def test_it_starts_by_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(nuclio, "load", lambda *name, **how: asked.append((name, how)) or PREDICTOR)
    environment = {"VTMR_MODEL": "other.onnx", "VTMR_THREADS": "2", "VTMR_BOX_FIRST": "1"}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    context = nuclio_sdk.Context(logger=nuclio_sdk.Logger(logging.INFO))
    nuclio.init_context(context)
    assert asked == [(("other.onnx",), {"threads": 2})]
    assert context.user_data.interactor._box_first
    with pytest.raises(ConfigError, match="VTMR_THREADS is 'two'"):
        nuclio.Interactor.of_environment({"VTMR_THREADS": "two"})
