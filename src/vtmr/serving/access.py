"""Who may ask: a random token, or a code that is good for once, then a cookie; only under our own
name (DNS rebinding), only from our own pages."""

from __future__ import annotations

import hashlib
import hmac
import html
import ipaddress
import secrets
import time
from dataclasses import dataclass, field

from starlette.datastructures import Headers, QueryParams
from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vtmr.serving.answers import error_answer
from vtmr.serving.baseurl import BaseUrl

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

_HERE = "./"  # of the page, wherever a proxy put it
_GO_ON = (
    '<!doctype html><meta charset="utf-8">'
    f'<meta http-equiv="refresh" content="0; url={_HERE}"><title>vtmr</title>'
)
_CODE_S = 300.0
_LOCKED_OUT = (
    '<!doctype html><meta charset="utf-8"><title>vtmr</title><h1>This address needs its token</h1>'
    "<p>Open the whole address that vtmr printed in the terminal, with everything after the "
    "question mark.</p>"
)


@dataclass(frozen=True, slots=True)
class Access:
    """The address a server listens on and the token that opens it. host: as bound; base: the
    address that browsers reach it at where that is another."""

    host: str
    port: int
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    base: BaseUrl | None = None
    _codes: dict[str, float] = field(default_factory=dict, repr=False, compare=False)

    @property
    def cookie(self) -> str:
        """The cookie's name: cookies don't tell ports apart, and two servers may run at once."""
        return f"vtmr-{self.port}"

    @property
    def cookie_value(self) -> str:
        """What the cookie holds: made of the token, which it doesn't give away. Browsers send a
        cookie to every port of a host, and so to other people's servers."""
        key = self.token.encode()
        return hmac.new(key, self.cookie.encode(), hashlib.sha256).hexdigest()

    @property
    def url(self) -> str:
        """The address to open on this machine, with the token."""
        return f"{self._local}?token={self.token}"

    @property
    def base_url(self) -> str:
        """The address to open where browsers reach the server at another one, with the token."""
        return f"{self.base.url if self.base else self._local}?token={self.token}"

    def code_url(self) -> str:
        """An address that opens the page once, within five minutes: unlike the token it may stand
        where others can read it, such as in the arguments of a browser's process."""
        code = secrets.token_urlsafe(24)
        self._codes[code] = time.monotonic() + _CODE_S
        return f"{self._local}?code={code}"

    def spends(self, offered: str | None) -> bool:
        """Whether that is a code that nobody has used; it is used then."""
        if offered is None:
            return False
        # One by one in constant time: how long a dict looks for a code may tell what it has.
        for code, end in list(self._codes.items()):
            if hmac.compare_digest(code.encode(), offered.encode()):
                del self._codes[code]
                return time.monotonic() < end
        return False

    def allows_host(self, value: str) -> bool:
        """Whether a Host header names this server.

        Behind a bound address other than loopback any IP address counts too: only a name can be
        rebound by DNS.
        """
        if self.base is not None and self.base.allows_host(value):
            return True
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
        if origin is None:
            return True
        if self.base is not None and origin.lower() == self.base.origin:
            return True  # whatever Host a proxy makes of it
        at_base = self.base is not None and self.base.allows_host(host)
        return not at_base and origin.lower() == f"http://{host.lower()}"

    def knows(self, offered: str | None) -> bool:
        """Whether that is the token; in constant time."""
        return offered is not None and _same(offered, self.token)

    def knows_cookie(self, offered: str | None) -> bool:
        """Whether that is the cookie's value, or the token itself; in constant time."""
        return offered is not None and (_same(offered, self.cookie_value) or self.knows(offered))

    @property
    def _local(self) -> str:
        # These stand for all of a machine's addresses, and are none that a browser can open.
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host
        return f"http://{_bracketed(host)}:{self.port}/"

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
                # An answer's own headers go before these.
                present = {name for name, _ in message["headers"]}
                extra = [
                    (name.encode(), value.encode()) for name, value in SECURITY_HEADERS.items()
                ]
                message["headers"] = [
                    *message["headers"],
                    *(pair for pair in extra if pair[0] not in present),
                ]
            await send(message)

        if self.access.base is not None:
            path = self.access.base.inner(scope["path"])
            if not path:  # links in the page are relative to what its address ends with
                await _with_slash(self.access.base, scope)(scope, receive, send_safely)
                return
            scope = {**scope, "path": path, "raw_path": path.encode("utf-8", "surrogateescape")}
        await (self._refusal(scope) or self.app)(scope, receive, send_safely)

    def _refusal(self, scope: Scope) -> Response | None:
        """The answer to a request that mustn't get through, or None."""
        headers, access = Headers(scope=scope), self.access
        host = headers.getlist("host")
        # Of two Host headers a proxy may have judged by the other one.
        if len(host) != 1 or not access.allows_host(host[0]):
            return _other_host(host[0] if host else "", scope)
        foreign = headers.get("sec-fetch-site", "none") not in ("none", "same-origin")
        # The page may be opened from anywhere, a mail or a terminal: it shows nothing by itself.
        navigation = scope["method"] == "GET" and scope["path"] == "/"
        if not access.allows_origin(headers.get("origin"), host[0]) or (foreign and not navigation):
            return error_answer(
                403,
                "forbidden",
                "The request comes from another page: only this server's own may ask. Behind a "
                "proxy start vtmr annotate with --base-url and the address in the browser.",
            )
        query = QueryParams(scope["query_string"])
        if navigation and (access.knows(query.get("token")) or access.spends(query.get("code"))):
            return self._welcome(foreign)
        cookie = HTTPConnection(scope).cookies.get(access.cookie)
        if access.knows(_bearer(headers)) or access.knows_cookie(cookie):
            return None
        if navigation:
            return HTMLResponse(_LOCKED_OUT, 401, {"cache-control": "no-store"})
        return error_answer(
            401,
            "unauthorised",
            "The token is missing or of an earlier start: open the printed address.",
        )

    def _welcome(self, foreign: bool) -> Response:
        """Sets the cookie and goes on to the page without the token.

        The cookie has no Path and the page's address is relative, so that browsers keep to the
        path below which they reached us: that is known to them alone behind a proxy.

        After a link on another site (a terminal in the browser) a redirect would count as that
        site's and leave the strict cookie out; a page of our own that goes on by itself doesn't.
        """
        answer: Response = HTMLResponse(_GO_ON) if foreign else RedirectResponse(_HERE, 303)
        answer.set_cookie(
            self.access.cookie,
            self.access.cookie_value,
            path=None,
            httponly=True,
            samesite="strict",
        )
        answer.headers["cache-control"] = "no-store"
        return answer


def _bearer(headers: Headers) -> str | None:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def _other_host(host: str, scope: Scope) -> Response:
    """The answer to a request for a name or port that isn't ours."""
    shown = host if len(host) <= 100 and host.isprintable() else f"{host[:100]!a}…"
    sentence = (
        f"The request is for {shown or 'no host'}, which isn't the address and port that vtmr "
        "printed. Through a tunnel to another port, by a host's name or behind a proxy, start vtmr "
        f"annotate with --base-url http://{shown or 'HOST:PORT'} (the address in the browser)."
    )
    if scope["method"] == "GET" and scope["path"] == "/":
        page = f'<!doctype html><meta charset="utf-8"><title>vtmr</title><p>{html.escape(sentence)}'
        return HTMLResponse(page, 403, {"cache-control": "no-store"})
    return error_answer(403, "forbidden", sentence)


def _with_slash(base: BaseUrl, scope: Scope) -> Response:
    """The answer to a request for the page's address without its last slash."""
    query = scope["query_string"].decode("ascii", "replace")
    return RedirectResponse(f"{base.path.rpartition('/')[2]}/{query and '?'}{query}", 307)


def _same(one: str, other: str) -> bool:
    # What a header holds need not be text at all; no token has a replacement in it.
    return hmac.compare_digest(one.encode("utf-8", "replace"), other.encode())


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
