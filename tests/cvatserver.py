"""As much of a CVAT server as cvat-cli's function agent speaks with, on loopback.

Paths, fields and the event stream are those that cvat-cli 2.80 and cvat-sdk 2.80 ask for and
decode (cvat_cli/_internal/agent.py, cvat_sdk/datasets/task_dataset.py); a field that they need and
don't find here fails in their own code.
"""

from __future__ import annotations

import io
import json
import queue
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from PIL import Image as pillow

from vtmr.types import Image

TOKEN = "a-token-of-the-test"
_DATE = "2026-11-30T09:00:00.000000Z"


class StubServer:
    """A server with one task, whose frames are given, and functions that agents serve."""

    def __init__(self, frames: list[Image]) -> None:
        self.frames = frames
        self.functions: list[dict[str, Any]] = []
        self.waiting: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self.done: queue.SimpleQueue[tuple[str, dict[str, Any]]] = queue.SimpleQueue()
        self.events: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self.sent: list[int] = []  # frames that were asked for
        self.watched = threading.Event()
        self.closed = threading.Event()
        self.url = ""

    def interact(self, frame: int = 0, **prompts: Any) -> None:
        """What the page sends when somebody clicked: all prompts so far."""
        empty: dict[str, Any] = {"pos_points": [], "neg_points": [], "obj_bbox": []}
        self.waiting.put({"type": "interact", "task": 1, "frame": frame, **empty, **prompts})
        self.events.put(b'event: newrequest\ndata: {"request_category": "interactive"}\n\n')

    def answer(self, seconds: float = 120) -> tuple[str, dict[str, Any]]:
        """The agent's next answer: "complete" or "fail", and what came with it."""
        return self.done.get(timeout=seconds)

    # --- what is answered to the agent

    def reply(self, method: str, path: str, query: dict[str, str], body: Any) -> Any:
        """A JSON value, or bytes. Raises KeyError for a path that isn't here."""
        if method == "POST" and path == "/api/functions":
            return self._created(body)
        if found := re.fullmatch(r"/api/functions/(\d+)", path):
            return self.functions[int(found[1]) - 1]
        if found := re.fullmatch(r"/api/functions/queues/function:1/requests/(.+)", path):
            return self._request(found[1], body)
        pages: dict[str, Callable[[], Any]] = {
            "/api/server/about": self._about,
            "/api/tasks/1": self._task,
            "/api/labels": lambda: _page([{"id": 1, "name": "object", "attributes": []}]),
            "/api/tasks/1/data/meta": self._meta,
            "/api/tasks/1/data/": lambda: self._frame(int(query["number"]), query["quality"]),
        }
        return pages[path]()

    def _created(self, wanted: dict[str, Any]) -> dict[str, Any]:
        defaults = {
            "id": len(self.functions) + 1,
            "min_neg_points": -1,
            "startswith_box": False,
            "startswith_box_optional": False,
        }
        self.functions.append({**defaults, **wanted})
        return self.functions[-1]

    def _request(self, action: str, body: dict[str, Any]) -> Any:
        if action == "acquire":
            if body["request_category"] != "interactive":
                return {"ar_assignment": None}
            try:
                wanted = self.waiting.get_nowait()
            except queue.Empty:
                return {"ar_assignment": None}
            return {"ar_assignment": {"ar_id": "request-1", "ar_params": wanted}}
        _, _, outcome = action.partition("/")
        self.done.put((outcome, body))
        return {}

    def _about(self) -> dict[str, str]:
        words = dict.fromkeys(("name", "description", "logo_url", "subtitle"), "stub")
        return {**words, "version": "2.80.0"}

    def _task(self) -> dict[str, Any]:
        summary = {"url": f"{self.url}/api/labels?task_id=1"}
        return {
            "id": 1,
            "name": "photos",
            "organization": None,
            "organization_id": None,
            "size": len(self.frames),
            "data_chunk_size": len(self.frames),
            "data_original_chunk_type": "imageset",
            "updated_date": _DATE,
            "created_date": _DATE,
            "jobs": {"count": 1, "completed": 0, "validation": 0, **summary},
            "labels": summary,
        }

    def _meta(self) -> dict[str, Any]:
        frames = [
            {"name": f"{number}.png", "related_files": 0, "width": f.shape[1], "height": f.shape[0]}
            for number, f in enumerate(self.frames)
        ]
        return {"chunks_updated_date": _DATE, "frames": frames, "deleted_frames": []}

    def _frame(self, number: int, quality: str) -> bytes:
        assert quality == "original"
        self.sent.append(number)
        stream = io.BytesIO()
        pillow.fromarray(self.frames[number]).save(stream, "PNG")
        return stream.getvalue()


def _page(results: list[Any]) -> dict[str, Any]:
    return {"count": len(results), "next": None, "previous": None, "results": results}


class _Handler(BaseHTTPRequestHandler):
    stub: StubServer
    protocol_version = "HTTP/1.1"

    def handle(self) -> None:
        with suppress(ConnectionError):  # of an agent that was stopped
            super().handle()

    def do_GET(self) -> None:
        if self.path.endswith("/watch"):
            self._watch()
        else:
            self._reply("GET")

    def do_POST(self) -> None:
        self._reply("POST")

    def _reply(self, method: str) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        raw = self.rfile.read(size)
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self._send(401, "application/json", b'{"detail": "no"}')
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        try:
            path, body = unquote(parts.path), json.loads(raw) if raw else None
            value = self.stub.reply(method, path, query, body)
        except (KeyError, IndexError):
            return self._send(404, "application/json", b'{"detail": "Not found."}')
        if isinstance(value, bytes):
            return self._send(200, "image/png", value)
        return self._send(200, "application/json", json.dumps(value).encode())

    def _send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _watch(self) -> None:
        """The stream of events, until the test is over."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b"retry: 1000\n: connected\n")
        self.stub.watched.set()
        while not self.stub.closed.is_set():
            try:
                self.wfile.write(self.stub.events.get(timeout=0.1))
            except queue.Empty:
                continue
            except OSError:  # the agent is gone
                return

    def log_message(self, *words: Any) -> None:
        """Nothing is logged."""


@contextmanager
def serving(frames: list[Image]) -> Iterator[StubServer]:
    """The server on a free port of loopback. frames: uint8 H x W x 3."""
    stub = StubServer(frames)
    handler = type("Handler", (_Handler,), {"stub": stub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    stub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield stub
    finally:
        stub.closed.set()
        server.shutdown()
        thread.join()
        server.server_close()
