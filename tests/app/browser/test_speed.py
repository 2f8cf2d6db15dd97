"""From the hand to the eye: click to painted mask at 1920 x 1080, measured in the page
(stopwatch.js); and what of it the server and the page take of the processor, which other work on
the machine changes little.

The limits are issue 6's, for two cores that have nothing else to do. Other work on the machine
makes the figures worse, so the everyday run only looks for a page that has become many times
slower; `make proof` holds the limits.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from desk import Desk, Server
from numpy.typing import NDArray
from PIL import Image

import vtmr

pytestmark = pytest.mark.browser
CUP = Path(vtmr.__file__).parent / "assets" / "photos" / "coffee.jpg"
P50_MS, P95_MS = 80, 150
# A hand that aims rests before it presses; what it is about to press was asked for by then.
REST_MS, RESTED_P50_MS = 250, 60
ROUNDS = 10
# Of coffee.jpg in parts of its width and height: the cup, its handle's side, the saucer; then the
# table, taken away.
CLICKS = [(0.48, 0.59, True), (0.40, 0.35, True), (0.61, 0.72, False)]


@pytest.mark.parametrize("slack", [8, pytest.param(1, marks=pytest.mark.proof)])
@pytest.mark.parametrize(
    ("rest_ms", "most_ms"), [(0, P50_MS), (REST_MS, RESTED_P50_MS)], ids=["at once", "rested"]
)
def test_click_to_painted_mask(
    rest_ms: int,
    most_ms: int,
    slack: int,
    tmp_path: Path,
    model: str,
    serve: Callable[..., Server],
    sit_down: Callable[..., Desk],
) -> None:
    photo = cv2.resize(np.asarray(Image.open(CUP)), (1920, 1080), interpolation=cv2.INTER_CUBIC)
    Image.fromarray(photo).save(tmp_path / "cup.png")
    server = serve(tmp_path, model=model)
    desk = sit_down(server, viewport={"width": 1920, "height": 1080})

    def spent() -> NDArray[np.float64]:
        """What the server and the page's thread took of the processor so far, ms."""
        return np.array([server.processor_ms(), desk.thread_ms()])

    clicks_spent = []
    desk.page.evaluate((Path(__file__).parent / "stopwatch.js").read_text())
    for turn in range(ROUNDS):
        for x, y, positive in CLICKS:
            before = desk.page.evaluate("measured.length")
            place = desk.window_point(
                x * 1920 + 5 * turn, y * 1080
            )  # never the same click: those are remembered
            if rest_ms:
                desk.page.mouse.move(*place)
                desk.page.wait_for_timeout(rest_ms)
            start = spent()
            desk.page.mouse.click(*place, button="left" if positive else "right")
            # Seldom asked: at every frame it would take a part of what is measured.
            desk.page.wait_for_function("count => measured.length > count", arg=before, polling=200)
            clicks_spent.append(spent() - start)
            desk.ready()
        desk.press("Delete")
    measured = desk.page.evaluate("measured")[len(CLICKS) :]  # the first object warms up
    times = np.array([time for time in measured if time is not None])
    assert times.size > len(measured) / 2  # the others changed nothing that could be seen
    p50, p95 = np.percentile(times, [50, 95])
    print(
        f"click to painted mask at 1920x1080, model {model}, after a rest of {rest_ms} ms: p50 "
        f"{p50:.0f} ms, p95 {p95:.0f} ms, n {times.size}"
    )
    server_ms, page_ms = np.median(clicks_spent[len(CLICKS) :], axis=0)
    print(
        f"of the processor: server {server_ms:.0f} ms, the page's thread {page_ms:.0f} ms a click"
    )
    assert p50 <= slack * most_ms
    assert p95 <= slack * P95_MS
