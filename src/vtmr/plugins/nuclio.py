"""The function behind CVAT's older, serverless way: nuclio calls `handler` with each request.

The files that nuclio deploys are in serverless/vtmr/nuclio. A request is the image in base64 with
all points and the box so far; nuclio has one worker, so that earlier answers are found again.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
from collections.abc import Mapping
from functools import partial
from typing import Any, cast

from vtmr.errors import ConfigError, InputError
from vtmr.images import decode_image
from vtmr.masks import Mask, bounding_box
from vtmr.plugins.replays import OpenImages, Prompts, is_number
from vtmr.segmenter import Segmenter, load
from vtmr.types import Image

_JSON = "application/json"


class Interactor:
    """Requests of CVAT's interactors in, masks out."""

    def __init__(self, predictor: Segmenter, *, box_first: bool = False) -> None:
        """predictor: what `vtmr.load` returned. box_first: whether the first two positive points
        are the box's corners where none is given, as from servers that know no box of its own."""
        self._predictor = predictor
        self._box_first = box_first
        self._open = OpenImages()

    @staticmethod
    def of_environment(environment: Mapping[str, str]) -> Interactor:
        """By VTMR_MODEL, VTMR_THREADS and VTMR_BOX_FIRST (0 or 1), where they are set.

        Raises ConfigError and CheckpointError as `vtmr.load`, and ConfigError for other values.
        """
        threads, box_first = (
            _whole(name, environment.get(name, "")) for name in ("VTMR_THREADS", "VTMR_BOX_FIRST")
        )
        predictor = load(environment.get("VTMR_MODEL") or "lite0", threads=threads)
        return Interactor(predictor, box_first=bool(box_first))

    def answer(self, body: Any) -> dict[str, Any]:
        """The mask as CVAT takes it.

        Args:
            body: {"image": base64, "pos_points": [[x, y]…], "neg_points": …, "obj_bbox": [[x, y],
                [x, y]] or None, "threshold": 0 to 1 or None}, decoded or as JSON.

        Returns:
            {"mask": rows of 0 and 1 inside the bounds, "bounds": [left, top, right, bottom], the
            last two of pixels that are in}; of an empty mask one pixel of 0.

        Raises:
            InputError: For anything else.
        """
        request = _object(body)
        data = _image_bytes(request.get("image"))
        predictor = self._cut_at(request.get("threshold"))
        # CVAT sends the image with every request and no name for it: its bytes tell it apart.
        digest = hashlib.blake2b(data, digest_size=16).digest()
        key = (digest, predictor.spec.threshold)
        replays = self._open.replays(key, predictor, partial(_decoded, data))
        positive, box = request.get("pos_points"), request.get("obj_bbox")
        if self._box_first and not box and isinstance(positive, list) and len(positive) >= 2:
            positive, box = positive[2:], positive[:2]
        prompts = Prompts.read(
            positive, request.get("neg_points"), box, replays.height, replays.width
        )
        return _masked(replays.answer(prompts).mask)

    def _cut_at(self, threshold: Any) -> Segmenter:
        if threshold is None:
            return self._predictor
        if not is_number(threshold):
            raise InputError(f"The threshold is {threshold!r}: expected a number from 0 to 1.")
        try:
            return self._predictor.with_threshold(float(threshold))
        except ConfigError as error:
            raise InputError(str(error)) from None


def init_context(context: Any) -> None:
    """Called once by nuclio, when the function starts."""
    context.user_data.interactor = Interactor.of_environment(os.environ)
    context.logger.info("vtmr is ready")


def handler(context: Any, event: Any) -> Any:
    """Called by nuclio with each request: 200 with the mask, 400 with what is wrong in it."""
    status = 200
    try:
        answer = context.user_data.interactor.answer(event.body)
    except InputError as error:
        status, answer = 400, {"error": str(error)}
    except Exception as error:
        # Whatever it is, CVAT gets an answer that it can read; nuclio's log gets the rest.
        context.logger.error_with("vtmr failed", kind=type(error).__name__, reason=str(error))
        status, answer = 500, {"error": "vtmr failed; the function's log says why."}
    return context.Response(
        body=json.dumps(answer), headers={}, content_type=_JSON, status_code=status
    )


def _whole(name: str, value: str) -> int | None:
    """A whole number of the environment, None where it isn't set."""
    if not value:
        return None
    if not value.isdecimal():
        raise ConfigError(f"{name} is {value!r}: expected a whole number, or nothing.")
    return int(value)


def _object(body: Any) -> dict[str, Any]:
    """The request's fields. nuclio decodes a body that says it is JSON; others are decoded here."""
    if isinstance(body, str | bytes):
        try:
            body = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise InputError(f"The body isn't JSON: {error}.") from None
    if not isinstance(body, dict):
        raise InputError(f"The body is {type(body).__name__}: expected a JSON object.")
    return cast(dict[str, Any], body)


def _image_bytes(text: Any) -> bytes:
    if not isinstance(text, str):
        raise InputError(f"The image is {type(text).__name__}: expected a file's bytes in base64.")
    try:
        # Without it whatever isn't base64 is passed over, and the image a wrong one.
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InputError(f"The image isn't base64: {error}.") from None


def _decoded(data: bytes) -> Image:
    return decode_image(data)


def _masked(mask: Mask) -> dict[str, Any]:
    box = bounding_box(mask)
    if box is None:
        # CVAT has no shape for nothing at all.
        return {"mask": [[0]], "bounds": [0, 0, 0, 0]}
    x0, y0, x1, y1 = box.as_tuple()
    return {"mask": mask[box.slices].astype(int).tolist(), "bounds": [x0, y0, x1 - 1, y1 - 1]}
