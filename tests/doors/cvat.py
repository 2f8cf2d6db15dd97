"""CVAT's two ways to vtmr: its agent's native functions, and nuclio's serverless ones."""

from __future__ import annotations

import base64
import io
import json
import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
from PIL import Image as pillow
from PIL.PpmImagePlugin import PpmImageFile

from doors.door import GARBAGE, HUGE, NAN, Door, Prompt
from vtmr.masks import Mask

BAD_PROMPTS: dict[str, dict[str, Any]] = {
    "no prompts": {},
    "a click outside": {"pos_points": [[5000, 1]]},
    "a click that is no number": {"pos_points": [[NAN, 1]]},
    "a click of another shape": {"pos_points": [[1]]},
    "a box of another shape": {"obj_bbox": [[1, 1]]},
}


class CvatDoor(Door):
    """CVAT's native function, through cvat-cli's driver and cvat_sdk's masks."""

    takes_masks = False
    BAD: ClassVar = {
        **BAD_PROMPTS,
        "a huge image": HUGE,
    }

    def __init__(self, photo: Path) -> None:
        super().__init__(photo)
        pytest.importorskip("cvat_cli")
        from cvat_cli._internal import agent, agent_driver

        from vtmr.plugins import cvat

        function = cvat.create()
        agent_driver.set_worker_current_function(function)
        made = agent.get_function_driver_class(function.spec)
        made.init_worker(None)
        at_once = SimpleNamespace(
            submit=lambda call, *arguments: call(*arguments), result=lambda value: value
        )
        self._driver = made(None, at_once, function.spec)
        self._picture = pillow.fromarray(self.image)

    def mask(self, prompt: Prompt) -> Mask:
        from cvat_sdk.masks import decode_mask

        shapes: list[Any] = []
        for asked in prompt.so_far():
            shapes = self._ask(
                0,
                self._picture,
                pos_points=asked.points(True),
                neg_points=asked.points(False),
                obj_bbox=[asked.box[:2], asked.box[2:]] if asked.box else [],
            )
        height, width = self.image.shape[:2]
        return decode_mask(shapes[0]["points"], image_width=width, image_height=height)

    def refusal(self, bad: dict[str, Any] | bytes) -> str:
        from cvat_sdk.auto_annotation import BadFunctionError

        picture, frame = self._picture, 0
        if isinstance(bad, bytes):
            picture, frame = PpmImageFile(io.BytesIO(bad)), 1
            bad = {"pos_points": [[1, 1]]}
        with pytest.raises(BadFunctionError) as raised:
            self._ask(frame, picture, **bad)
        return str(raised.value)

    def _ask(self, frame: int, picture: pillow.Image, **prompts: Any) -> list[Any]:
        """The driver's answer to a request. picture: what the server has at that frame."""
        sample = SimpleNamespace(media=SimpleNamespace(load_image=lambda: picture))
        self._driver._get_sample_from_ar_params = lambda asked: (sample, None)
        empty: dict[str, Any] = {"pos_points": [], "neg_points": [], "obj_bbox": []}
        asked = {"type": "interact", "task": 1, "frame": frame, **empty, **prompts}
        return self._driver.calculate_result_for_ar(asked, None)["shapes"]


class NuclioDoor(Door):
    """CVAT's serverless function, as nuclio calls it."""

    takes_masks = False
    BAD: ClassVar = {
        **BAD_PROMPTS,
        "no base64": {"image": "?!", "pos_points": [[1, 1]]},
        "no image": {"image": base64.b64encode(GARBAGE).decode(), "pos_points": [[1, 1]]},
        "a huge image": {"image": base64.b64encode(HUGE).decode(), "pos_points": [[1, 1]]},
        "no object": [],
    }

    def __init__(self, photo: Path) -> None:
        super().__init__(photo)
        nuclio_sdk = pytest.importorskip("nuclio_sdk")
        from vtmr.plugins import nuclio

        self._handler, self._event = nuclio.handler, nuclio_sdk.Event
        self._context = nuclio_sdk.Context(logger=nuclio_sdk.Logger(logging.INFO))
        nuclio.init_context(self._context)
        self._given = base64.b64encode(photo.read_bytes()).decode()

    def mask(self, prompt: Prompt) -> Mask:
        answer: dict[str, Any] = {}
        for asked in prompt.so_far():
            status, answer = self._ask(
                {
                    "image": self._given,
                    "pos_points": asked.points(True),
                    "neg_points": asked.points(False),
                    "obj_bbox": [asked.box[:2], asked.box[2:]] if asked.box else None,
                }
            )
            assert status == 200, answer
        left, top, right, bottom = answer["bounds"]
        whole = np.zeros(self.image.shape[:2], np.bool_)
        whole[top : bottom + 1, left : right + 1] = np.array(answer["mask"], np.bool_)
        return whole

    def refusal(self, bad: Any) -> str:
        body = {"image": self._given, **bad} if isinstance(bad, dict) else bad
        status, answer = self._ask(body)
        assert status == 400
        assert answer.keys() == {"error"}
        return answer["error"]

    def _ask(self, body: Any) -> tuple[int, dict[str, Any]]:
        response = self._handler(self._context, self._event(body=body))
        assert response.content_type == "application/json"
        return response.status_code, json.loads(response.body)
