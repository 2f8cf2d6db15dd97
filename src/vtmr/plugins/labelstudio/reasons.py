"""HTTP/1.1 whose status line says why: `400 The task has no 'image' …` in place of `400 Bad
Request`.

The standard lets a server choose the reason (RFC 9112, section 4), and Label Studio shows people
nothing else of an error. An application names it in a header, which doesn't go out.
"""

from __future__ import annotations

from typing import Any

import h11

from vtmr.serving.connections import LimitedProtocol

_HEADER = "x-vtmr-reason"
_LONGEST = 400
HEAD_BYTES = 32 << 10  # of a request


def reason_header(sentence: str) -> dict[str, str]:
    """The header that makes the sentence the reason: what of it may stand on a status line."""
    # On one line: what a request says stands in the sentence, and a line end would begin a header.
    text = " ".join(sentence.encode("ascii", "replace").decode().split())
    shown = "".join(letter for letter in text if letter.isprintable())
    return {_HEADER: shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 3]}..."}


class ExplainingProtocol(LimitedProtocol):
    """uvicorn's HTTP/1.1 with reasons of our own, for `uvicorn.Config(http=...)`."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.conn = _Explaining(h11.SERVER, HEAD_BYTES)


class _Explaining(h11.Connection):
    """A connection that takes the reason out of a response's headers."""

    def send(self, event: h11.Event) -> bytes | None:  # type: ignore[override]
        if isinstance(event, h11.Response):
            name = _HEADER.encode()
            reasons = [value for key, value in event.headers if key == name]
            if reasons:
                left = [pair for pair in event.headers if pair[0] != name]
                event = h11.Response(status_code=event.status_code, headers=left, reason=reasons[0])
        return super().send(event)
