"""Starting and ending the annotator's process."""

from __future__ import annotations

import logging
import os
import socket
import sys
import threading
import webbrowser
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from vtmr.app.annotator import Annotator
from vtmr.app.server import create_app
from vtmr.app.tokens import Start, keep_start, kept_start
from vtmr.errors import InputError
from vtmr.serving.access import Access
from vtmr.serving.baseurl import BaseUrl
from vtmr.serving.connections import LimitedProtocol
from vtmr.serving.listening import bind


@dataclass(frozen=True, slots=True)
class Reach:
    """How the annotator is reached. port: 0 for any that is free; base: the address that browsers
    see where that is another; keep: the folder whose token and port are kept for its next start.
    """

    host: str = "127.0.0.1"
    port: int = 0
    base: BaseUrl | None = None
    keep: Path | None = None
    open_browser: bool = False


def run(annotator: Annotator, reach: Reach) -> None:
    """Serves until Ctrl-C; the first line on stdout is the address on this machine.

    Raises InputError when the address can't be used.
    """
    try:
        listener, access = _listen(reach)
    except InputError:
        annotator.close()
        raise
    print(access.url, flush=True)
    for sentence in _greeting(annotator, access):
        print(sentence, file=sys.stderr, flush=True)
    if reach.open_browser:
        # Others on this machine can read a process's arguments: they get a code, not the token.
        url = access.code_url()
        threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()
    try:
        with listener:
            _Server(_config(annotator, access)).run(sockets=[listener])
    except KeyboardInterrupt:
        print(annotator.farewell, file=sys.stderr, flush=True)
    if annotator.busy:
        # A thread still waits for a disk, or computes: it isn't waited for, and the end of the
        # interpreter would pull the ground from under it.
        sys.stdout.flush()
        os._exit(0)


class _Server(uvicorn.Server):
    """uvicorn, quiet at the end: what it has to drop was never acknowledged."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        await super().shutdown(sockets)


def _config(annotator: Annotator, access: Access) -> uvicorn.Config:
    return uvicorn.Config(
        create_app(annotator, access),
        access_log=False,  # it would write the token down
        log_level="warning",
        server_header=False,
        ws="none",
        http=LimitedProtocol,
        loop="asyncio",
        timeout_graceful_shutdown=1,
        h11_max_incomplete_event_size=32 << 10,
    )


def _listen(reach: Reach) -> tuple[socket.socket, Access]:
    """A listening socket, so that a browser that comes at once finds somebody, and who may ask.

    Raises InputError.
    """
    kept = kept_start(reach.keep) if reach.keep is not None else None
    listener = None
    if kept is not None and reach.port == 0:
        try:
            listener = bind(reach.host, kept.port)
        except InputError:  # somebody else has the port of the last start by now
            kept = None
    if listener is None:
        listener = bind(reach.host, reach.port)
    port = listener.getsockname()[1]
    if kept is not None:
        access = Access(reach.host, port, kept.token, reach.base)
    else:
        access = Access(reach.host, port, base=reach.base)
    if reach.keep is not None:
        keep_start(reach.keep, Start(access.token, port))
    return listener, access


def _greeting(annotator: Annotator, access: Access) -> list[str]:
    images = len(annotator.entries)
    first = f"{images} image{'s' * (images != 1)}, model {annotator.model}. Ctrl-C ends."
    reached = [f"In the browser: {access.base_url}"] if access.base is not None else []
    read_only = [annotator.store.read_only] if annotator.store.read_only else []
    return [*reached, " ".join([first, *read_only, *annotator.notices()])]
