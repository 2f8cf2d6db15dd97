"""Files that a Label Studio server keeps: asked for with its token, and of no other server."""

from __future__ import annotations

import http.client
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import IO, Any
from urllib.parse import quote, urlsplit

from vtmr.errors import InputError
from vtmr.serving.answers import Refusal

MOST_BYTES = 256 << 20  # of one image file
_PATIENCE_S = 10.0  # without a byte
_WHOLE_S = 60.0
_CHUNK = 1 << 20
_PORTS = {"http": 80, "https": 443}
# What a path or query may hold as it is; Label Studio hands them out quoted and unquoted.
_PLAIN = "/%:@!$&'()*+,;=~-._?"


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """An answer that sends elsewhere is an error: the token would go along."""

    def redirect_request(self, *args: Any, **more: Any) -> None:
        return None


@dataclass(eq=False)
class Host:
    """A Label Studio server. url: as `parse_url` gives it; token: a personal access token or a
    legacy one, "" for none."""

    url: str
    token: str = field(default="", repr=False)
    _access: str = field(default="", init=False, repr=False)
    _mutex: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def __post_init__(self) -> None:
        # No proxy of the environment: the server is the one that was named.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect())

    def address(self, value: str) -> str | None:
        """The address of a path on this server, or of a URL of it; None for another server's.

        Raises ValueError for what is no URL.
        """
        parts = urlsplit(value)
        mine = urlsplit(self.url)
        if parts.scheme or parts.netloc:
            # What stands before an @ is no host: http://ours@theirs leads to theirs.
            if "@" in parts.netloc or _origin(value) != _origin(self.url):
                return None
            path = parts.path
        else:
            path = parts.path if parts.path.startswith(f"{mine.path}/") else mine.path + parts.path
        query = f"?{quote(parts.query, safe=_PLAIN)}" if parts.query else ""
        return f"{mine.scheme}://{mine.netloc}{quote(path, safe=_PLAIN)}{query}"

    def read(self, address: str) -> bytes:
        """The file at an address that `address` gave. Raises Refusal (422, 502)."""
        try:
            return self._read(address, self._authorised())
        except urllib.error.HTTPError as error:
            expired = error.code == 401 and _is_personal(self.token)
            if not expired:
                raise self._refused(error) from error
        # The access that a personal token gives lasts minutes.
        try:
            return self._read(address, self._authorised(anew=True))
        except urllib.error.HTTPError as error:
            raise self._refused(error) from error

    def _read(self, address: str, headers: Mapping[str, str]) -> bytes:
        """Raises HTTPError, and Refusal for what else goes wrong."""
        request = urllib.request.Request(address, headers=dict(headers))
        try:
            # The patience is for each read; a server that trickles is ended by _WHOLE_S.
            with closing(self._opener.open(request, timeout=_PATIENCE_S)) as answer:
                return _whole(answer)
        except urllib.error.HTTPError:
            raise
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise self._unreachable(error) from error

    def _authorised(self, *, anew: bool = False) -> dict[str, str]:
        """The header that opens Label Studio's files. Raises as `_read`."""
        if not self.token:
            return {}
        if not _is_personal(self.token):
            return {"authorization": f"Token {self.token}"}
        with self._mutex:
            if anew or not self._access:
                self._access = self._fetched_access()
            return {"authorization": f"Bearer {self._access}"}

    def _fetched_access(self) -> str:
        """What a personal access token is exchanged for."""
        request = urllib.request.Request(
            f"{self.url}/api/token/refresh",
            json.dumps({"refresh": self.token}).encode(),
            {"content-type": "application/json"},
        )
        try:
            with closing(self._opener.open(request, timeout=_PATIENCE_S)) as answer:
                return str(json.loads(_whole(answer))["access"])
        except urllib.error.HTTPError:
            raise
        except (OSError, http.client.HTTPException, ValueError, LookupError, TypeError) as error:
            raise self._unreachable(error) from error

    def _refused(self, error: urllib.error.HTTPError) -> Refusal:
        with error:
            reasons = {
                401: "the token in LABEL_STUDIO_API_KEY is missing or isn't known there",
                403: "the token's user may not see this image",
                404: "there is no such file",
            }
            reason = reasons.get(error.code, f"it answers {error.code}")
            if 300 <= error.code < 400:
                reason = "it sends elsewhere, and vtmr asks no other server"
            return Refusal(
                502, "image_refused", f"Label Studio at {self.url} gives no image: {reason}."
            )

    def _unreachable(self, error: Exception) -> Refusal:
        reason = getattr(error, "reason", None) or error
        return Refusal(
            502,
            "unreachable",
            f"The image can't be fetched from Label Studio at {self.url}: {reason}.",
        )


def parse_url(text: str) -> str:
    """`http://HOST:PORT/PATH` of a Label Studio server, without a slash at its end.

    Raises InputError for anything else.
    """
    try:
        parts = urlsplit(text.strip())
        sound = parts.scheme in _PORTS and parts.hostname and (parts.port or 1) > 0
    except ValueError:
        sound = None
    if not sound or "@" in parts.netloc or parts.query or parts.fragment or not text.isprintable():
        raise InputError(
            f"--label-studio {text!r} is no address: expected http://HOST:PORT as in the browser."
        )
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


def _origin(url: str) -> tuple[str, str | None, int | None]:
    """Raises ValueError for a port that is none."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)


def _is_personal(token: str) -> bool:
    """Whether it is a personal access token, a JWT; legacy tokens are 40 hexadecimal digits."""
    return token.count(".") == 2


def _whole(answer: IO[bytes]) -> bytes:
    """The body. Raises Refusal (422) for more than MOST_BYTES, TimeoutError when it takes too
    long."""
    chunks: list[bytes] = []
    size, until = 0, time.monotonic() + _WHOLE_S
    while chunk := answer.read(_CHUNK):
        size += len(chunk)
        if size > MOST_BYTES:
            raise too_large()
        if time.monotonic() > until:
            raise TimeoutError(f"it takes more than {_WHOLE_S:g} s")
        chunks.append(chunk)
    return b"".join(chunks)


def too_large() -> Refusal:
    """The answer (422) to an image file beyond the limit."""
    return Refusal(
        422, "too_large", f"The image file has more than {MOST_BYTES >> 20} MiB: make it smaller."
    )
