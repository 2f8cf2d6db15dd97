"""Starting and ending the annotator's process."""

from __future__ import annotations

import socket
import sys
import threading
import webbrowser

import uvicorn

from vtmr.app.annotator import Annotator
from vtmr.app.server import create_app
from vtmr.errors import InputError
from vtmr.serving.access import Access


def run(annotator: Annotator, host: str, port: int, *, open_browser: bool) -> None:
    """Serves until Ctrl-C; the first line on stdout is the address. port: 0 for any that is free.

    Raises InputError when the address can't be used.
    """
    try:
        listener = _listen(host, port)
    except InputError:
        annotator.close()
        raise
    access = Access(host, listener.getsockname()[1])
    print(access.url, flush=True)
    print(_greeting(annotator), file=sys.stderr, flush=True)
    if open_browser:
        threading.Thread(target=webbrowser.open, args=(access.url,), daemon=True).start()
    config = uvicorn.Config(
        create_app(annotator, access),
        access_log=False,  # it would write the token down
        log_level="warning",
        server_header=False,
        ws="none",
        http="h11",
        loop="asyncio",
        timeout_graceful_shutdown=3,
        h11_max_incomplete_event_size=32 << 10,
    )
    try:
        uvicorn.Server(config).run(sockets=[listener])
    except KeyboardInterrupt:
        print("Everything is saved.", file=sys.stderr)


def _listen(host: str, port: int) -> socket.socket:
    """A listening socket, so that a browser that comes at once finds somebody."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(128)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(
            f"The address {host}:{port} can't be used: {reason}. Choose another --port or --host."
        ) from error
    return listener


def _greeting(annotator: Annotator) -> str:
    images = len(annotator.entries)
    sentences = [f"{images} image{'s' * (images != 1)}, model {annotator.model}. Ctrl-C ends."]
    return " ".join(
        [*sentences, *([annotator.store.read_only] if annotator.store.read_only else [])]
    )
