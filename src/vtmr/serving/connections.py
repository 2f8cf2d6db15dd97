"""Connections that don't get in each other's way: a time-out for a request's head, and a limit on
how many there are.

Without them a few clients that connect and say nothing (a browser's spare connections, a scanner, a
program that hangs) use up the process's file descriptors, and then no file can be opened either.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_S = 10.0
MOST = 128

_FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/plain; charset=utf-8\r\n"
    b"retry-after: 1\r\nconnection: close\r\ncontent-length: 32\r\n\r\n"
    b"Too many connections are open.\r\n"
)


class LimitedProtocol(H11Protocol):
    """uvicorn's HTTP/1.1 over h11, for `uvicorn.Config(http=...)`.

    most: connections at once; None is MOST.
    """

    most: int | None = None
    _clock: asyncio.TimerHandle | None = None
    _quiet_since: float | None = None  # None: a request is being answered

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch()
        # One that was closed a moment ago is among them until its end is told.
        others = [one for one in self.connections if not one.transport.is_closing()]
        if len(others) > (self.most or MOST):
            self._make_room(others)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_clock()
        super().connection_lost(exc)

    def _watch(self) -> None:
        """Starts the clock while a request's head is to come; it isn't begun anew by each byte."""
        if self.conn.their_state is not h11.IDLE:
            self._stop_clock()
        elif self._clock is None:
            self._quiet_since = time.monotonic()
            self._clock = self.loop.call_later(HEAD_S, self._give_up)

    def _stop_clock(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
        self._clock = self._quiet_since = None

    def _give_up(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()

    def _make_room(self, others: list[Any]) -> None:
        """Closes the connection that has been quiet for longest; this one, if all are at work."""
        quiet = [
            (one._quiet_since, one)
            for one in others
            if isinstance(one, LimitedProtocol) and one is not self and one._quiet_since is not None
        ]
        if quiet:
            min(quiet, key=lambda pair: pair[0])[1].transport.abort()
        else:
            self.transport.write(_FULL)
            self.transport.close()
