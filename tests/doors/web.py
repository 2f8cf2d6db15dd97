"""Doors that are servers, asked by a client in this process."""

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
