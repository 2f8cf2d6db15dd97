"""Who may come in: whoever has an API key, or, where there are none, programs on this machine and
no page of another site."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from vtmr.plugins.service.keys import Keys
from vtmr.serving.access import LOOPBACK, Access
from vtmr.serving.answers import error_answer

OPEN_PATHS = ("/", "/health", "/openapi.json")  # that need no key


class Door:
    """ASGI middleware that answers strangers itself."""

    def __init__(self, app: ASGIApp, keys: Keys, access: Access) -> None:
        self.app, self.keys, self.access = app, keys, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = self._refusal(scope) if scope["type"] == "http" else None
        await (answer or self.app)(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if not self.keys.needed:
            return self._foreign(headers)
        if scope["path"] in OPEN_PATHS or self.keys.knows(_offered(headers)):
            return None
        return error_answer(
            401,
            "unauthorised",
            "The API key is missing or isn't known: send it as `Authorization: Bearer KEY`.",
            None,
            {"www-authenticate": "Bearer"},
        )

    def _foreign(self, headers: Headers) -> Response | None:
        """A page of another site, or one that made its name point here (DNS rebinding)."""
        host = headers.get("host", "")
        here = self.access.host in LOOPBACK
        if here and not self.access.allows_host(host):
            return error_answer(
                403,
                "forbidden",
                "Without API keys only programs on this machine may ask, at the printed address.",
            )
        if not self.access.allows_origin(headers.get("origin"), host):
            return error_answer(
                403, "forbidden", "The request comes from a page in a browser: use API keys."
            )
        return None


def _offered(headers: Headers) -> str | None:
    """The key that a request brings."""
    scheme, _, key = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return key.strip()
    return headers.get("x-api-key")
