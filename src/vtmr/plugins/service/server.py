"""The service's routes (docs/doors/http.md), what they measure, and the door in front of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pycocotools import mask as coco_mask
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

import vtmr
from vtmr.formats.png import png_bytes
from vtmr.plugins.service.door import Door
from vtmr.plugins.service.engine import Answer, Backend, hash_of
from vtmr.plugins.service.gate import Gate
from vtmr.plugins.service.keys import Keys
from vtmr.plugins.service.limits import MEGABYTE, Limits
from vtmr.plugins.service.metrics import Metrics
from vtmr.plugins.service.openapi import document
from vtmr.plugins.service.prompts import Asked, parse_asked, require_id
from vtmr.plugins.service.uploads import (
    kind_of,
    largest_body,
    read_form,
    uploaded_image,
    written,
    wrong_type,
)
from vtmr.serving.access import Access
from vtmr.serving.answers import Refusal, error_answer, json_answer
from vtmr.serving.bodies import read_json

Endpoint = Callable[[Request], Awaitable[Response]]

_CODES = {404: "not_found", 405: "method_not_allowed"}


@dataclass(frozen=True, slots=True, eq=False)
class Service:
    """What the routes need. folder: for bodies on their way in."""

    backend: Backend
    keys: Keys
    limits: Limits
    folder: Path


def create_app(service: Service, access: Access) -> Starlette:
    """The whole server. It closes the backend when it ends.

    Raises ConfigError where the extra [serve] isn't installed.
    """

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        await asyncio.to_thread(service.backend.close)

    return Starlette(
        routes=api_routes(service),
        middleware=[Middleware(Door, keys=service.keys, access=access)],
        exception_handlers={HTTPException: _no_route, Exception: _defect},
        lifespan=lifespan,
    )


def api_routes(service: Service) -> list[Route]:
    """The API, as openapi.py describes it."""
    backend, limits, folder = service.backend, service.limits, service.folder
    metrics = Metrics(lambda: backend.images)
    gate = Gate(limits.in_flight, limits.bodies_mb * MEGABYTE)

    async def add(request: Request) -> Response:
        # By what it may become, before a byte of it is read.
        with gate.entered(largest_body(request, limits)):
            async with uploaded_image(request, folder, limits) as file:
                image_id = await asyncio.to_thread(hash_of, file)
                size = await backend.add(file, image_id)
        return json_answer({"image_id": image_id, "height": size.height, "width": size.width}, 201)

    async def find(request: Request) -> Response:
        image_id = require_id(request.path_params["image"])
        size = await backend.find(image_id)
        return json_answer({"image_id": image_id, "height": size.height, "width": size.width})

    async def forget(request: Request) -> Response:
        await backend.forget(require_id(request.path_params["image"]))
        return Response(status_code=204)

    async def mask(request: Request) -> Response:
        with gate.entered(largest_body(request, limits)):
            async with _asked(request, folder, limits) as (asked, file):
                image_id = await _arrived(asked, file)
                answer = await backend.answer(image_id, asked.prompts)
            metrics.predicted(answer.seconds)
            if asked.prompts.form == "png":
                return await asyncio.to_thread(_as_png, answer, image_id)
            return json_answer(_as_json(answer, image_id, backend.model))

    async def _arrived(asked: Asked, file: Path | None) -> str:
        """The image's id, once it is here."""
        if isinstance(asked.image, str):
            return asked.image
        if file is not None:
            image_id = await asyncio.to_thread(hash_of, file)
            await backend.add(file, image_id)
            return image_id
        async with written(asked.image or b"", folder) as own:
            image_id = await asyncio.to_thread(hash_of, own)
            await backend.add(own, image_id)
            return image_id

    async def health(request: Request) -> Response:
        return json_answer({"status": "ok", "model": backend.model, "version": vtmr.__version__})

    async def figures(request: Request) -> Response:
        page, kind = await asyncio.to_thread(metrics.page)
        return Response(page, 200, {"cache-control": "no-store"}, kind)

    async def about(request: Request) -> Response:
        return json_answer(document(limits))

    async def root(request: Request) -> Response:
        return json_answer({"name": "vtmr", "version": vtmr.__version__, "api": "/openapi.json"})

    def route(path: str, endpoint: Endpoint, method: str = "GET") -> Route:
        # Measured by the route's pattern: with images' ids Prometheus would get a series for each.
        return Route(path, _measured(path, endpoint, metrics), methods=[method])

    return [
        route("/v1/images", add, "POST"),
        route("/v1/images/{image}", find),
        route("/v1/images/{image}", forget, "DELETE"),
        route("/v1/masks", mask, "POST"),
        Route("/health", health),
        Route("/metrics", figures),
        Route("/openapi.json", about),
        Route("/", root),
    ]


@asynccontextmanager
async def _asked(
    request: Request, folder: Path, limits: Limits
) -> AsyncIterator[tuple[Asked, Path | None]]:
    """What a request for a mask holds, and the image that came as a file. Raises Refusal."""
    kind = kind_of(request)
    if kind == "application/json":
        record = await read_json(request, limits.json_mb * MEGABYTE)
        # Base64 of megabytes is decoded beside the event loop.
        yield await asyncio.to_thread(parse_asked, record, limits.clicks, {}), None
    elif kind == "multipart/form-data":
        async with read_form(request, folder, limits) as form:
            beside = {} if form.mask is None else {"mask": form.mask}
            if form.image is not None:
                beside["image"] = b""
            record = {} if form.prompts is None else form.prompts
            yield parse_asked(record, limits.clicks, beside), form.image
    else:
        raise wrong_type(kind, "multipart/form-data or ")


def _as_json(answer: Answer, image_id: str, model: str) -> dict[str, Any]:
    runs = answer.mask
    counted = {"size": [runs.height, runs.width], "counts": runs.counts}
    return {
        "image_id": image_id,
        "mask": {"size": [runs.height, runs.width], "counts": runs.counts.decode("ascii")},
        "bbox": [int(value) for value in coco_mask.toBbox(counted)],
        "area": int(coco_mask.area(counted)),
        "model": model,
        "ms": round(answer.seconds * 1000, 1),
    }


def _as_png(answer: Answer, image_id: str) -> Response:
    headers = {"cache-control": "no-store", "x-image-id": image_id}
    return Response(png_bytes(answer.mask.decode()), 200, headers, "image/png")


def _measured(path: str, endpoint: Endpoint, metrics: Metrics) -> Endpoint:
    """The endpoint with its figures, and with refusals answered."""

    async def answered(request: Request) -> Response:
        begun = time.perf_counter()
        # What isn't a Refusal goes on to Starlette, which answers 500 outside of here.
        status = 500
        metrics.in_flight(1)
        try:
            answer = await endpoint(request)
            status = answer.status_code
        except Refusal as refusal:
            status = refusal.status
            answer = refusal.answer
        finally:
            metrics.in_flight(-1)
            metrics.answered(f"{request.method} {path}", status, time.perf_counter() - begun)
        return answer

    return answered


async def _no_route(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    sentence = (
        "This address takes another method."
        if status == 405
        else "There is nothing at this address: /openapi.json lists what there is."
    )
    headers = error.headers if isinstance(error, HTTPException) else None
    return error_answer(status, _CODES.get(status, "refused"), sentence, None, headers)


async def _defect(request: Request, error: Exception) -> Response:
    return error_answer(
        500, "defect", "An unexpected error, which is a defect of vtmr: its log shows more."
    )
