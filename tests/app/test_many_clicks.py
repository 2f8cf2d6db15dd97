"""A thousand clicks on one object, with the bundled network: what the last one costs beside the
tenth, what the memory holds, saving, opening again, undo, and a deletion of the first.

`make proof` plays the thousand, the everyday run a few. Times are of the processor, on one thread:
other work on the machine doesn't count.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

import vtmr
from vtmr.app.annotator import Annotator
from vtmr.app.server import create_app
from vtmr.serving.access import Access

CUP = Path(vtmr.__file__).parent / "assets" / "photos" / "coffee.jpg"
WIDTH, HEIGHT = 1920, 1080
ADDRESS = "http://127.0.0.1:8000"
SLOWER = 2.5  # at most, a click after a thousand others than the 11th to 60th


def clicks(number: int) -> list[dict[str, Any]]:
    """Around the cup, on both sides of its outline, the same ones each time."""
    rng = np.random.default_rng(0)
    made = [{"x": 0.48 * WIDTH, "y": 0.5 * HEIGHT, "positive": True}]
    while len(made) < number:
        angle, share = rng.uniform(0, 2 * np.pi), rng.normal(1, 0.08)
        x = WIDTH * (0.48 + 0.22 * share * np.cos(angle))
        y = HEIGHT * (0.5 + 0.3 * share * np.sin(angle))
        made.append({"x": x, "y": y, "positive": bool(share < 1)})
    return made


def resident_mb() -> float:
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


class Table:
    """An annotator on the folder, and a client of it."""

    def __init__(self, folder: Path) -> None:
        self.annotator = Annotator(
            folder, vtmr.load("lite0", threads=1), made_with={"model": "lite0"}
        )
        access = Access("127.0.0.1", 8000, "secret")
        headers = {"Authorization": "Bearer secret"}
        self.http = TestClient(create_app(self.annotator, access), ADDRESS, headers=headers)
        self.http.__enter__()
        [image] = self.http.get("/api/v1/images").json()["images"]
        self.path = f"/api/v1/images/{image['id']}"

    def close(self) -> None:
        self.http.__exit__(None, None, None)

    def open(self) -> dict[str, Any]:
        opened: dict[str, Any] = self.http.get(self.path).json()
        self.revision = opened["document"]["revision"]
        return opened

    def change(self, op: str, **fields: Any) -> tuple[dict[str, Any], float]:
        """The answer, and how many ms of the processor it took."""
        start = time.process_time()
        answer = self.http.post(
            f"{self.path}/changes", json={"op": op, "revision": self.revision, **fields}
        )
        assert answer.status_code == 200, answer.text
        spent = 1000 * (time.process_time() - start)
        found: dict[str, Any] = answer.json()
        self.revision = found["document"]["revision"]
        return found, spent


@pytest.mark.parametrize(
    "number",
    [pytest.param(40, marks=pytest.mark.slow), pytest.param(1000, marks=pytest.mark.proof)],
)
def test_clicks_stay_quick_and_their_memory_bounded(
    number: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = cv2.resize(np.asarray(Image.open(CUP)), (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    Image.fromarray(photo).save(tmp_path / "cup.png")
    table = Table(tmp_path)
    table.open()
    made, times = clicks(number), []
    for place, click in enumerate(made):
        if place == 20:
            early_mb = resident_mb()
        answer, spent = table.change("click", object="o1" if place else None, clicks=[click])
        times.append(spent)
    last = answer["masks"]["o1"]
    early, late = float(np.median(times[10:60])), float(np.median(times[-50:]))
    grown_mb = resident_mb() - early_mb
    live_mb = table.annotator._sessions._live.nbytes / 1e6

    def timed(run: Callable[[], Any]) -> tuple[Any, float]:
        start = time.process_time()
        found = run()
        return found, time.process_time() - start

    undone = min(number - 1, 200)
    undo_ms = [table.change("undo")[1] for _ in range(undone)]
    redo_ms = [table.change("redo")[1] for _ in range(undone)]
    edits = [{"index": index, "delete": True} for index in (0, 5, 10)]
    (after, _), delete_s = timed(lambda: table.change("edit_clicks", object="o1", edits=edits))
    back, _ = table.change("undo")
    _, again_ms = table.change("click", object="o1", clicks=[made[1]])
    table.change("undo")
    table.close()
    files = sum(path.stat().st_size for path in (tmp_path / ".vtmr").rglob("*.jsonl")) / 1e6
    table, open_s = timed(lambda: Table(tmp_path))
    opened, opened_s = timed(table.open)
    table.close()
    with capsys.disabled():
        print(
            f"\n{number} clicks: the 11th to 60th {early:.0f} ms, the last fifty {late:.0f} ms; "
            f"{grown_mb:.0f} MB grown, sessions {live_mb:.0f} MB; undo {np.median(undo_ms):.0f} "
            f"ms, redo {np.median(redo_ms):.0f} ms; the first and two more deleted {delete_s:.1f} "
            f"s; a click after that was undone {again_ms:.0f} ms; {files:.1f} MB on disk, opened "
            f"in {open_s + opened_s:.2f} s"
        )
    assert back["masks"]["o1"] == opened["masks"]["o1"] == last
    assert len(after["document"]["objects"][0]["clicks"]) == number - 3
    assert len(opened["document"]["objects"][0]["clicks"]) == number
    assert live_mb < 200
    assert grown_mb < 400
    if number == 1000:
        assert late < SLOWER * early
        assert np.median(undo_ms) < 100
        assert np.median(redo_ms) < 100
        assert opened_s < 2
