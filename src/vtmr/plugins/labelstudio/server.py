"""The routes that Label Studio calls on a machine-learning backend, and the door in front of them.

Of an answer that isn't 2xx Label Studio shows people nothing but the reason on the status line. So
the sentence of every error stands there too (reasons.py), beside {"error": sentence} in the body.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from vtmr.plugins.labelstudio.backend import Backend
from vtmr.plugins.labelstudio.reasons import reason_header
from vtmr.serving.access import Access
from vtmr.serving.answers import Refusal, json_answer
from vtmr.serving.bodies import read_json

MAX_BODY = 64 << 20  # a brush is a list of its bytes, in JSON
# What Label Studio tells of in its webhooks.
EVENTS = ("ANNOTATION_CREATED", "ANNOTATION_UPDATED", "ANNOTATION_DELETED", "START_TRAINING")
_NO_TRAINING = (
    "vtmr learns nothing from Label Studio: export the annotations and run vtmr train on them."
)

log = logging.getLogger("vtmr.labelstudio")

Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Credentials:
    """The user and password that Label Studio is told for the backend (basic authentication)."""

    user: str
    password: str = field(repr=False)

    def given_in(self, header: str) -> bool:
        """Whether an Authorization header holds them; in constant time."""
        scheme, _, encoded = header.partition(" ")
        try:
            offered = base64.b64decode(encoded.strip(), validate=True)
        except (binascii.Error, ValueError):
            return False
        own = f"{self.user}:{self.password}".encode()
        return scheme.lower() == "basic" and hmac.compare_digest(offered, own)


def create_app(backend: Backend, access: Access, credentials: Credentials | None) -> Starlette:
    """The whole server. It closes the backend when it ends."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        backend.close()

    return Starlette(
        routes=_routes(backend),
        middleware=[Middleware(Door, access=access, credentials=credentials)],
        exception_handlers={Refusal: _refused, HTTPException: _no_route, Exception: _defect},
        lifespan=lifespan,
    )


def _routes(backend: Backend) -> list[Route]:
    async def health(request: Request) -> Response:
        return json_answer(backend.health())

    async def setup(request: Request) -> Response:
        return json_answer(backend.setup(await read_json(request, MAX_BODY)))

    async def predict(request: Request) -> Response:
        return json_answer(await backend.predict(await read_json(request, MAX_BODY)))

    async def webhook(request: Request) -> Response:
        body = await read_json(request, MAX_BODY)
        event = body.get("action") if isinstance(body, dict) else None
        if event not in EVENTS:
            return json_answer({"status": "Unknown event"})
        result = _NO_TRAINING if event == "START_TRAINING" else None
        return json_answer({"result": result, "status": "ok"}, 201)

    async def train(request: Request) -> Response:
        await read_json(request, MAX_BODY)
        return json_answer({"result": _NO_TRAINING, "status": "ok"}, 201)

    async def versions(request: Request) -> Response:
        return json_answer({"versions": [backend.version]})

    async def metrics(request: Request) -> Response:
        return json_answer(backend.metrics())

    return [
        Route("/", health),
        Route("/health", health),
        Route("/setup", setup, methods=["POST"]),
        Route("/predict", predict, methods=["POST"]),
        Route("/webhook", webhook, methods=["POST"]),
        Route("/train", train, methods=["POST"]),
        Route("/versions", versions),
        Route("/metrics", metrics),
    ]


class Door:
    """ASGI middleware: answers whoever doesn't know the password and, where there is none, pages
    of other sites."""

    def __init__(self, app: ASGIApp, access: Access, credentials: Credentials | None) -> None:
        self.app, self.access, self.credentials = app, access, credentials

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(Headers(scope=scope)) if scope["type"] == "http" else None
        await (answer_of(refusal) if refusal else self.app)(scope, receive, send)

    def _refusal(self, headers: Headers) -> Refusal | None:
        # Browsers add it to what a page sends to another site, servers don't.
        if "origin" in headers:
            return Refusal(403, "forbidden", "Label Studio's server may ask, and no page.")
        if self.credentials is not None:
            if self.credentials.given_in(headers.get("authorization", "")):
                return None
            return Refusal(
                401,
                "unauthorised",
                "User and password of the backend are missing or wrong: set them in Label Studio.",
                headers={"www-authenticate": 'Basic realm="vtmr"'},
            )
        if self.access.allows_host(headers.get("host", "")):
            return None
        return Refusal(
            403,
            "forbidden",
            "Without a password only the printed address may be asked: set BASIC_AUTH_USER and "
            "BASIC_AUTH_PASS to reach vtmr by another name.",
        )


def answer_of(refusal: Refusal) -> Response:
    """As Label Studio reads errors."""
    headers = {**refusal.headers, **reason_header(refusal.message)}
    return json_answer({"error": refusal.message}, refusal.status, headers)


async def _refused(request: Request, error: Exception) -> Response:
    if not isinstance(error, Refusal):
        raise error
    log.warning("%s %s: %s", request.method, request.url.path, error.message)
    return answer_of(error)


async def _no_route(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    sentence = (
        "This address takes another method."
        if status == 405
        else "There is nothing at this address: give Label Studio the one that vtmr printed."
    )
    headers = error.headers if isinstance(error, HTTPException) else None
    return answer_of(Refusal(status, "refused", sentence, None, headers))


async def _defect(request: Request, error: Exception) -> Response:
    sentence = "An unexpected error, which is a defect of vtmr: its terminal shows more."
    return answer_of(Refusal(500, "defect", sentence))
