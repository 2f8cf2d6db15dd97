"""The server killed with SIGKILL in the middle of changes: whatever was answered 200 is there after
a restart.

The page's own version of this drives a browser; here a script makes changes as fast as they are
answered.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from http.client import HTTPException
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vtmr.app.document import Content, Document, Item
from vtmr.app.store import Store
from vtmr.serving.maskruns import MaskRuns

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
if "start_dying" in globals():
    start_dying()
run(annotator, Reach())
"""
NAMES = ("shapes.png", "sub/other.png")
EACH_ROUND = 5  # changes that are answered before the server is killed


# Before that: a journal that is folded every few changes, and a death at the COUNT-th call that
# makes, flushes, renames or cuts a file.
DYING = """
import os, signal
from vtmr.app import store
store._FOLD_BYTES = 3000
left = COUNT
def dying(name):
    real = getattr(os, name)
    def call(*given, **more):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*given, **more)
    setattr(os, name, call)
def start_dying():
    for name in ("open", "write", "fsync", "replace", "ftruncate"):
        dying(name)
"""


class Server:
    """The annotator in a process of its own. before: code that is run there first."""

    def __init__(self, folder: Path, before: str = "") -> None:
        tests = str(Path(__file__).parents[1])
        command = [sys.executable, "-c", before + SERVE, str(folder), tests]
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
        if self.process.poll() is None:
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


def wait_for(count: Callable[[], int], wanted: int, threads: list[threading.Thread]) -> None:
    """Until so many changes were answered, or all who ask have ended: how long it takes is up to
    the machine."""
    while count() < wanted and any(thread.is_alive() for thread in threads):
        time.sleep(0.005)


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
        wanted = answered(acknowledged) + EACH_ROUND
        wait_for(partial(answered, acknowledged), wanted, threads)
        time.sleep(0.037 * (number % 11))
        server.end(signal.SIGKILL)
        for thread in threads:
            thread.join()
    server = Server(folder)
    server.end(signal.SIGTERM)
    heads = Store(folder, write=False).heads
    assert (folder / ".vtmr" / "journal.jsonl").read_bytes() == b""
    for name, last in acknowledged.items():
        assert heads[name].revision - last["revision"] in (0, 1)
    return answered(acknowledged)


def answered(acknowledged: dict[str, Any]) -> int:
    return sum(last["revision"] for last in list(acknowledged.values()))


@pytest.mark.slow
def test_three_kills_lose_nothing(folder: Path) -> None:
    assert kill_and_look(folder, 3) >= 3 * EACH_ROUND


@pytest.mark.proof
def test_fifty_kills_lose_nothing(folder: Path) -> None:
    print(kill_and_look(folder, 50), "acknowledged changes, none lost")


@dataclass
class Work:
    """What a script does until the server dies, and the labels that were acknowledged, each of an
    object of its own, by image."""

    server: Server
    number: int
    acknowledged: set[tuple[str, str]]

    def brush(self, name: str, image: str) -> None:
        """One object after the other."""
        revision = self.server.ask(f"/api/v1/images/{image}")["document"]["revision"]
        for count in itertools.count():
            label = f"brush {self.number} {count}"
            body = {"op": "brush", "object": None, "points": [[9 + count % 90, 30]], "radius": 4}
            change = {**body, "mode": "add", "label": label, "revision": revision}
            answer = self.server.ask(f"/api/v1/images/{image}/changes", change)
            self.acknowledged.add((name, label))
            revision = answer["document"]["revision"]

    def load(self, names: dict[str, str]) -> None:
        """COCO files, each with an object for every image."""
        by_id = {image: name for name, image in names.items()}
        for count in itertools.count():
            label = f"import {self.number} {count}"
            body = {
                "images": [
                    {"id": n, "file_name": name, "width": 160, "height": 120}
                    for n, name in enumerate(names)
                ],
                "annotations": [
                    {"id": n, "image_id": n, "category_id": 1, "segmentation": SQUARE}
                    for n in range(len(names))
                ],
                "categories": [{"id": 1, "name": label}],
            }
            answer = self.server.ask("/api/v1/import?repeated=add", body)
            assert not answer["skipped"]
            self.acknowledged |= {(by_id[image], label) for image in answer["imported"]}

    def export(self) -> None:
        for form in itertools.cycle(("coco", "png", "yolo", "labelme")):
            self.server.ask("/api/v1/exports", {"format": form})


SQUARE = [[10, 10, 20, 10, 20, 20, 10, 20]]


def until_it_dies(work: Callable[[], None]) -> threading.Thread:
    def run() -> None:
        with suppress(OSError, HTTPException):
            work()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def labels_on(folder: Path) -> set[tuple[str, str]]:
    """Image and label of every object that a reader finds; no damage anywhere."""
    store = Store(folder, write=False)
    assert store.damaged == {}
    assert store.notices == []
    documents = [store.document(name) for name in store.heads]
    return {(one.name, item.label) for one in documents if one for item in one.content.items}


def kill_in_the_middle(folder: Path, rounds: int) -> tuple[int, int]:
    """Kills while folding, importing and exporting, in turn; how many objects were acknowledged
    and how many of them are missing.

    While folding the process kills itself at a random call of the disk; while importing and
    exporting it is killed at a random moment of the request. Brush strokes go on all the time.
    """
    chance = random.Random(24)
    for number in range(10):
        shutil.copy(folder / "shapes.png", folder / f"more{number}.png")
    acknowledged: set[tuple[str, str]] = set()
    lost = 0
    for number in range(rounds):
        kind = ("fold", "import", "export")[number % 3]
        count = chance.randrange(20, 400) if kind == "fold" else 1 << 40
        server = Server(folder, DYING.replace("COUNT", str(count)))
        names = {image["name"]: image["id"] for image in server.ask("/api/v1/images")["images"]}
        work, wanted = Work(server, number, acknowledged), len(acknowledged) + EACH_ROUND
        threads = [
            until_it_dies(partial(work.brush, name, names[name]))
            for name in ("shapes.png", "sub/other.png")
        ]
        others = {name: image for name, image in names.items() if name.startswith("more")}
        if kind == "import":
            threads.append(until_it_dies(partial(work.load, others)))
        if kind == "export":
            threads.append(until_it_dies(work.export))
        if kind != "fold":
            wait_for(acknowledged.__len__, wanted, threads)
            time.sleep(chance.uniform(0, 1))
            server.process.kill()
        server.process.wait(60)
        for thread in threads:
            thread.join()
        server.end(signal.SIGKILL)
        lost += len(acknowledged - labels_on(folder))
    return len(acknowledged), lost


@pytest.mark.slow
def test_six_kills_while_folding_importing_and_exporting_lose_nothing(folder: Path) -> None:
    acknowledged, lost = kill_in_the_middle(folder, 6)
    assert acknowledged >= 4 * EACH_ROUND  # where no call of the disk was the last
    assert lost == 0


@pytest.mark.proof
def test_sixty_kills_while_folding_importing_and_exporting_lose_nothing(folder: Path) -> None:
    acknowledged, lost = kill_in_the_middle(folder, 60)
    print(f"60 kills, {acknowledged} acknowledged objects, {lost} lost")
    assert lost == 0


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 4, 6, 8, 30])
def test_a_death_in_the_middle_of_a_rename_loses_no_object(folder: Path, count: int) -> None:
    """At the count-th call of the disk after the start: each object has one of both names, and
    where the rename was answered all have the new one. The last count lets it finish."""
    store = Store(folder)
    store.add_labels(["cup"])
    for name in NAMES:
        before = Document(name, 120, 160)
        item = Item("o1", "cup", mask=MaskRuns.encode(np.ones((120, 160), bool)))
        store.commit(before, before.changed("mask", Content((item,), 2)))
    store.close()
    server = Server(folder, DYING.replace("COUNT", str(count)))
    answered = False
    with suppress(OSError, HTTPException, ValueError):
        server.ask("/api/v1/labels", {"op": "rename", "label": "cup", "to": "mug"})
        answered = True
    server.end(signal.SIGKILL)
    after = Store(folder, write=False)
    found = [after.document(name) for name in NAMES]
    labels = [one.labels for one in found if one is not None]
    assert len(labels) == 2
    assert all(one in ({"cup": 1}, {"mug": 1}) for one in labels)
    if answered:
        assert labels == [{"mug": 1}, {"mug": 1}]
        assert after.labels == ["mug"]
    assert answered or count < 30
