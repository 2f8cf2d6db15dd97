"""Where a browser reaches the server: another port through a tunnel, a host's name, a path below a
proxy."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from vtmr.errors import InputError

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class BaseUrl:
    """An address of ours as browsers see it. path: without a slash at its end."""

    scheme: str
    host: str
    port: int
    path: str

    @staticmethod
    def parse(text: str) -> BaseUrl:
        """Of `http://HOST:PORT/PATH`. Raises InputError for anything else."""
        try:
            parts = urlsplit(text.strip())
            port = parts.port
        except ValueError as error:
            raise _not_an_address(text) from error
        # Browsers send neither these nor a user's name (@): no Host header would ever fit.
        extra = parts.query or parts.fragment or "@" in parts.netloc
        if parts.scheme not in _PORTS or not parts.hostname or extra or not text.isprintable():
            raise _not_an_address(text)
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        return BaseUrl(parts.scheme, host, port or _PORTS[parts.scheme], parts.path.rstrip("/"))

    @property
    def origin(self) -> str:
        """As browsers send it: without the scheme's own port."""
        return f"{self.scheme}://{self._hosts[0]}"

    @property
    def url(self) -> str:
        """With a slash at its end."""
        return f"{self.origin}{self.path}/"

    def allows_host(self, value: str) -> bool:
        """Whether a Host header is this address's."""
        return value.lower() in self._hosts

    def inner(self, path: str) -> str:
        """The path of a request without ours, which a proxy may have taken off already; empty for
        ours without its slash."""
        if self.path and (path == self.path or path.startswith(f"{self.path}/")):
            return path[len(self.path) :]
        return path

    @property
    def _hosts(self) -> tuple[str, ...]:
        """The ways to write it in a Host header, the browsers' first."""
        whole = f"{self.host}:{self.port}"
        return (self.host, whole) if self.port == _PORTS[self.scheme] else (whole,)


def _not_an_address(text: str) -> InputError:
    return InputError(
        f"--base-url {text!r} is no address: expected http://HOST:PORT/PATH as the browser shows "
        "it, such as http://localhost:9000 or https://hub.example/user/me/proxy/8000."
    )
