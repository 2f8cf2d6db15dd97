"""Who may ask: a random token, then a cookie; only under our own name (DNS rebinding), only from
our own pages."""

from __future__ import annotations

import hmac
import ipaddress
import secrets
from dataclasses import dataclass, field

from starlette.datastructures import URL, Headers, QueryParams
from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vtmr.serving.answers import error_answer

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")

# What a page of ours may do in a browser: nothing but load from and talk to this server.
SECURITY_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
        "font-src 'self'; "
        "connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}

_GO_ON = (
    '<!doctype html><meta charset="utf-8">'
    '<meta http-equiv="refresh" content="0; url=/"><title>vtmr</title>'
)
_LOCKED_OUT = (
    '<!doctype html><meta charset="utf-8"><title>vtmr</title><h1>This address needs its token</h1>'
    "<p>Open the whole address that vtmr printed in the terminal, with everything after the "
    "question mark. "
    "It changes with every start.</p>"
)


@dataclass(frozen=True, slots=True)
class Access:
    """The address a server listens on and the token that opens it. host: as bound."""

    host: str
    port: int
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)

    @property
    def cookie(self) -> str:
        """The cookie's name: cookies don't tell ports apart, and two servers may run at once."""
        return f"vtmr-{self.port}"

    @property
    def url(self) -> str:
        """The address to open, with the token."""
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host
        return f"http://{_bracketed(host)}:{self.port}/?token={self.token}"

    def allows_host(self, value: str) -> bool:
        """Whether a Host header names this server.

        Behind a bound address other than loopback any IP address counts too: only a name can be
        rebound by DNS.
        """
        host, _, port = (
            value.rpartition(":") if not value.endswith("]") and ":" in value else (value, "", "80")
        )
        host = host.lower()
        if port != str(self.port):
            return False
        if host in LOOPBACK or host == _bracketed(self.host.lower()):
            return True
        return not self._is_loopback() and _is_address(host.strip("[]"))

    def allows_origin(self, origin: str | None, host: str) -> bool:
        """Whether a request from a page of that origin may be answered; without an Origin, yes."""
        return origin is None or origin.lower() == f"http://{host.lower()}"

    def knows(self, offered: str | None) -> bool:
        """Whether that is the token; in constant time."""
        return offered is not None and hmac.compare_digest(offered.encode(), self.token.encode())

    def _is_loopback(self) -> bool:
        return _bracketed(self.host) in LOOPBACK


class Guard:
    """ASGI middleware: answers strangers itself, gives the cookie for the token, adds the security
    headers to all."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self.app = app
        self.access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":  # the server's start and end; there are no websockets
            await self.app(scope, receive, send)
            return

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = {name for name, _ in message["headers"]}
                extra = [
                    (name.encode(), value.encode()) for name, value in SECURITY_HEADERS.items()
                ]
                message["headers"] = [
                    *message["headers"],
                    *(pair for pair in extra if pair[0] not in present),
                ]
            await send(message)

        await (self._refusal(scope) or self.app)(scope, receive, send_safely)

    def _refusal(self, scope: Scope) -> Response | None:
        """The answer to a request that mustn't get through, or None."""
        headers, access = Headers(scope=scope), self.access
        host = headers.getlist("host")
        if len(host) != 1 or not access.allows_host(host[0]):
            return error_answer(
                403,
                "forbidden",
                "The Host header doesn't name this server: open the printed address.",
            )
        foreign = headers.get("sec-fetch-site", "none") not in ("none", "same-origin")
        navigation = scope["method"] == "GET" and scope["path"] == "/"
        if not access.allows_origin(headers.get("origin"), host[0]) or (foreign and not navigation):
            return error_answer(
                403,
                "forbidden",
                "The request comes from another page: only this server's own may ask.",
            )
        if navigation and access.knows(QueryParams(scope["query_string"]).get("token")):
            return self._welcome(foreign)
        if access.knows(_bearer(headers)) or access.knows(
            HTTPConnection(scope).cookies.get(access.cookie)
        ):
            return None
        if navigation:
            return HTMLResponse(_LOCKED_OUT, 401, {"cache-control": "no-store"})
        return error_answer(
            401,
            "unauthorised",
            "The token is missing or of an earlier start: open the printed address.",
        )

    def _welcome(self, foreign: bool) -> Response:
        """Sets the cookie and goes on to / without the token.

        After a link on another site (a terminal in the browser) a redirect would count as that
        site's and leave the strict cookie out; a page of our own that goes on by itself doesn't.
        """
        answer: Response = HTMLResponse(_GO_ON) if foreign else RedirectResponse(URL("/"), 303)
        answer.set_cookie(
            self.access.cookie, self.access.token, path="/", httponly=True, samesite="strict"
        )
        answer.headers["cache-control"] = "no-store"
        return answer


def _bearer(headers: Headers) -> str | None:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
