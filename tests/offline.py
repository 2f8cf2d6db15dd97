"""A process that ends at the first attempt to reach anybody else: for servers that tests start."""

from __future__ import annotations

import os
import sys
from typing import Any

REACHED_OUT = 70  # the exit status
_REACHING = frozenset(
    (
        "socket.connect",
        "socket.sendto",
        "socket.sendmsg",
        "socket.gethostbyname",
        "socket.gethostbyaddr",
    )
)
_OWN = (None, "127.0.0.1", "localhost", "::1")


def stay_offline() -> None:
    """From here on this process may listen and answer: no connection, no name looked up, no program
    started."""
    sys.addaudithook(_refuse)


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    looks_up = event == "socket.getaddrinfo" and arguments[0] not in _OWN
    starts = event in (
        "subprocess.Popen",
        "os.system",
        "os.exec",
        "os.posix_spawn",
        "webbrowser.open",
    )
    if event in _REACHING or looks_up or starts:
        print(f"an attempt to reach out: {event} {arguments}", file=sys.stderr, flush=True)
        os._exit(REACHED_OUT)
