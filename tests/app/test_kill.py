"""The server killed with SIGKILL in the middle of changes: whatever was answered 200 is there after
a restart.

The page's own version of this drives a browser; here a script makes changes as fast as they are
answered.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest

from vtmr.app.store import Store

SERVE = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from fakes import ColourNetwork
from offline import stay_offline
from vtmr.app.annotator import Annotator
from vtmr.app.running import Reach, run
from vtmr.segmenter import Segmenter, segmenter_for
stay_offline()
annotator = Annotator(Path(sys.argv[1]), segmenter_for(ColourNetwork()), made_with={})
run(annotator, Reach())
"""
NAMES = ("shapes.png", "sub/other.png")


class Server:
    """The annotator in a process of its own."""

    def __init__(self, folder: Path) -> None:
        tests = str(Path(__file__).parents[1])
        command = [sys.executable, "-c", SERVE, str(folder), tests]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self.process.stdout is not None
        self.base, self._token = self.process.stdout.readline().strip().split("/?token=")

    def ask(self, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        with urllib.request.urlopen(
            urllib.request.Request(self.base + path, data, headers), timeout=20
        ) as answer:
            return json.loads(answer.read())

    def end(self, number: int) -> None:
        os.kill(self.process.pid, number)
        self.process.wait(20)
        assert self.process.stdout is not None
        self.process.stdout.close()


def change_until_it_dies(
    server: Server, name: str, image: str, acknowledged: dict[str, Any]
) -> None:
    """Clicks, edits and accepts one after the other; remembers the last document that was
    answered."""
    changes = (
        {"op": "click", "object": None, "clicks": [{"x": 56, "y": 54}]},
        {"op": "done", "done": True},
        {"op": "brush", "object": None, "points": [[9, 9], [30, 20]], "radius": 4, "mode": "add"},
        {"op": "undo"},
        {"op": "done", "done": True},
    )
    revision, number = acknowledged.get(name, {"revision": 0})["revision"], 0
    try:
        while True:
            answer = server.ask(
                f"/api/v1/images/{image}/changes", {**changes[number % 5], "revision": revision}
            )
            acknowledged[name] = answer["document"]
            revision, number = answer["document"]["revision"], number + 1
    except (OSError, HTTPException):
        return


def kill_and_look(folder: Path, rounds: int) -> int:
    """How many changes were acknowledged; fails when one of them is missing or more than one more
    is there."""
    acknowledged: dict[str, Any] = {}
    for number in range(rounds):
        server = Server(folder)
        ids = {image["name"]: image["id"] for image in server.ask("/api/v1/images")["images"]}
        for name in NAMES:
            now = server.ask(f"/api/v1/images/{ids[name]}")["document"]
            last = acknowledged.get(name, now)
            # The change that was under way when the server died may have been saved without having
            # been answered.
            assert now["revision"] - last["revision"] in (0, 1)
            if now["revision"] == last["revision"]:
                assert now["objects"] == last["objects"]
                assert now["state"] == last["state"]
            acknowledged[name] = now
        threads = [
            threading.Thread(
                target=change_until_it_dies, args=(server, name, ids[name], acknowledged)
            )
            for name in NAMES
        ]
        for thread in threads:
            thread.start()
        time.sleep(0.2 + 0.037 * (number % 11))
        server.end(signal.SIGKILL)
        for thread in threads:
            thread.join()
    server = Server(folder)
    server.end(signal.SIGTERM)
    heads = Store(folder, write=False).heads
    assert (folder / ".vtmr" / "journal.jsonl").read_bytes() == b""
    for name, last in acknowledged.items():
        assert heads[name].revision - last["revision"] in (0, 1)
    return sum(last["revision"] for last in acknowledged.values())


@pytest.mark.slow
def test_three_kills_lose_nothing(folder: Path) -> None:
    assert kill_and_look(folder, 3) > 10


@pytest.mark.proof
def test_fifty_kills_lose_nothing(folder: Path) -> None:
    print(kill_and_look(folder, 50), "acknowledged changes, none lost")
