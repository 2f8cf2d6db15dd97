"""Doors that are servers, asked by a client in this process: HTTP and Label Studio's backend."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pycocotools import mask as coco_mask
from starlette.testclient import TestClient

import vtmr
from doors.door import GARBAGE, HUGE, NAN, Door, Prompt
from vtmr.masks import Mask
from vtmr.serving.access import Access


def in_base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


class Server(Door):
    """A server's application, started for the tests."""

    def start(self, app: Any, port: int) -> None:
        """What a process would run; a browser's protections see the address of this machine."""
        client = TestClient(app, f"http://127.0.0.1:{port}", raise_server_exceptions=False)
        self._http = self.closing.enter_context(client)

    def post(self, path: str, body: Any) -> tuple[int, dict[str, Any]]:
        """The status and the JSON of the answer. NaN is sent as many programs write it."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"content-type": "application/json"}
        answer = self._http.post(path, content=content, headers=headers)
        assert answer.headers["content-type"].startswith("application/json")
        return answer.status_code, answer.json()


class HttpDoor(Server):
    """`vtmr serve`."""

    BAD: ClassVar = {
        "no prompts": {},
        "a click outside": {"clicks": [{"x": 5000, "y": 1}]},
        "a click that is no number": {"clicks": [{"x": NAN, "y": 1}]},
        "a click of another shape": {"clicks": [[1]]},
        "a box of another shape": {"box": [1, 1, 9]},
        "a mask of another size": {
            "clicks": [{"x": 1, "y": 1}],
            "mask": {"size": [9, 9], "counts": [81]},
        },
        "no base64": {"image_id": None, "image": "?!", "clicks": [{"x": 1, "y": 1}]},
        "no image": {
            "image_id": None,
            "image": in_base64(GARBAGE),
            "clicks": [{"x": 1, "y": 1}],
        },
        "a huge image": {
            "image_id": None,
            "image": in_base64(HUGE),
            "clicks": [{"x": 1, "y": 1}],
        },
        "an unknown image": {"image_id": "0" * 64, "clicks": [{"x": 1, "y": 1}]},
        "no object": [],
        "no JSON": b"{",
    }

    def __init__(self, photo: Path) -> None:
        super().__init__(photo)
        from vtmr.plugins.service.engine import Engine
        from vtmr.plugins.service.keys import Keys
        from vtmr.plugins.service.limits import Limits
        from vtmr.plugins.service.server import Service, create_app

        for name in ("images", "incoming"):
            photo.with_name(name).mkdir()
        engine = Engine(vtmr.load(), photo.with_name("images"), Limits(), 1)
        service = Service(engine, Keys(), Limits(), photo.with_name("incoming"))
        self.start(create_app(service, Access("127.0.0.1", 8000)), 8000)
        answer = self._http.post(
            "/v1/images", content=photo.read_bytes(), headers={"content-type": "image/png"}
        )
        self._image_id = answer.json()["image_id"]

    def mask(self, prompt: Prompt) -> Mask:
        clicks = [{"x": x, "y": y, "positive": sign} for x, y, sign in prompt.clicks]
        body: dict[str, Any] = {"image_id": self._image_id, "clicks": clicks}
        if prompt.box is not None:
            body["box"] = prompt.box
        if prompt.mask is not None:
            body["mask"] = _coco(prompt.mask)
        status, answer = self.post("/v1/masks", body)
        assert status == 200, answer
        return np.asarray(coco_mask.decode(answer["mask"]), np.bool_)

    def refusal(self, bad: Any) -> str:
        body = bad
        if isinstance(bad, dict):
            whole = {"image_id": self._image_id, **bad}
            body = {name: value for name, value in whole.items() if value is not None}
        status, answer = self.post("/v1/masks", body)
        assert 400 <= status < 500
        assert answer.keys() == {"error"}
        assert answer["error"].keys() == {"code", "message"}
        return str(answer["error"]["message"])


def _coco(mask: Mask) -> dict[str, Any]:
    record = coco_mask.encode(np.asfortranarray(mask))
    return {"size": record["size"], "counts": record["counts"].decode()}


_CONFIG = """<View>
  <Image name="image" value="$image"/>
  <BrushLabels name="brush" toName="image"><Label value="Object"/></BrushLabels>
  <KeyPointLabels name="point" toName="image" smart="true"><Label value="Object"/></KeyPointLabels>
  <RectangleLabels name="box" toName="image" smart="true"><Label value="Object"/></RectangleLabels>
</View>"""


class LabelStudioDoor(Server):
    """`vtmr serve label-studio`: places are percentages, and masks Label Studio's own stream."""

    BAD: ClassVar = {
        "a click outside": {"value": {"x": 500.0, "y": 1.0, "width": 0.5}},
        "a click that is no number": {"value": {"x": NAN, "y": 1.0, "width": 0.5}},
        "a click without a place": {"value": {}},
        "a region of another photo": {"original_width": 9},
        "no base64": {"image": "data:image/png;base64,?!"},
        "no image": {"image": f"data:image/png;base64,{in_base64(GARBAGE)}"},
        "a huge image": {"image": f"data:image/png;base64,{in_base64(HUGE)}"},
        "an unknown project": {"label_config": None},
        "a config that is no XML": {"label_config": "<View"},
        "no object": [],
        "no JSON": b"{",
    }

    def __init__(self, photo: Path) -> None:
        super().__init__(photo)
        from vtmr.plugins.labelstudio.backend import Backend
        from vtmr.plugins.labelstudio.server import create_app
        from vtmr.plugins.labelstudio.sources import Sources

        backend = Backend(vtmr.load(), Sources())
        self.start(create_app(backend, Access("127.0.0.1", 9090), None), 9090)
        self._given = f"data:image/png;base64,{in_base64(photo.read_bytes())}"

    def mask(self, prompt: Prompt) -> Mask:
        from vtmr.formats.runlength import decode_label_studio

        answer: dict[str, Any] = {}
        for asked in prompt.so_far():
            status, answer = self.post("/predict", self._request(*self._regions(asked)))
            assert status == 200, answer
        (item,) = answer["results"][0]["result"]
        height, width = self.image.shape[:2]
        return decode_label_studio(item["value"]["rle"], height, width)

    def refusal(self, bad: Any) -> str:
        body = bad
        if isinstance(bad, dict):
            of_request = {name: bad[name] for name in bad if name in ("image", "label_config")}
            of_region = {name: bad[name] for name in bad if name not in of_request}
            body = self._request({**self._keypoint(1, 1, True), **of_region}, **of_request)
        status, answer = self.post("/predict", body)
        assert 400 <= status < 500
        assert answer.keys() == {"error"}
        return str(answer["error"])

    def _regions(self, prompt: Prompt) -> list[dict[str, Any]]:
        from vtmr.formats.runlength import encode_label_studio

        regions = []
        if prompt.mask is not None:
            stream = list(encode_label_studio(prompt.mask))
            regions.append(self._region("brushlabels", "brush", {"format": "rle", "rle": stream}))
        if prompt.box is not None:
            regions.append(self._rectangle(*prompt.box))
        return regions + [self._keypoint(*click) for click in prompt.clicks]

    def _rectangle(self, x0: float, y0: float, x1: float, y1: float) -> dict[str, Any]:
        height, width = self.image.shape[:2]
        place = {"x": 100 * x0 / width, "y": 100 * y0 / height, "rotation": 0}
        size = {"width": 100 * (x1 - x0) / width, "height": 100 * (y1 - y0) / height}
        return self._region("rectanglelabels", "box", place | size)

    def _keypoint(self, x: float, y: float, positive: bool) -> dict[str, Any]:
        height, width = self.image.shape[:2]
        place = {"x": 100 * x / width, "y": 100 * y / height, "width": 0.5}
        return {**self._region("keypointlabels", "point", place), "is_positive": positive}

    def _region(self, kind: str, control: str, value: dict[str, Any]) -> dict[str, Any]:
        height, width = self.image.shape[:2]
        return {
            "id": "a1",
            "type": kind,
            "from_name": control,
            "to_name": "image",
            "original_width": width,
            "original_height": height,
            "image_rotation": 0,
            "value": {**value, kind: ["Object"]},
        }

    def _request(self, *regions: dict[str, Any], **fields: Any) -> dict[str, Any]:
        """The body of /predict."""
        image, config = fields.get("image", self._given), fields.get("label_config", _CONFIG)
        return {
            "tasks": [{"id": 7, "data": {"image": image}, "project": 12}],
            "project": "12.1700000000",
            "label_config": config,
            "params": {"login": None, "password": None, "context": {"result": list(regions)}},
        }
