"""Many images worked through in a row: the server's memory, the page's heap and its elements don't
grow with them. `make proof` does five hundred, the everyday run thirty."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from desk import Desk, Server
from fakes import shapes_image
from PIL import Image

pytestmark = pytest.mark.browser
# From the first third to the end, whatever their number: the heap holds a list with an entry for
# each image, of a kilobyte or so.
MOST_MB, MOST_HEAP_MB, MOST_NODES = 60, 6, 400


@pytest.mark.parametrize("number", [30, pytest.param(500, marks=pytest.mark.proof)])
def test_nothing_grows_over_many_images(
    number: int, tmp_path: Path, serve: Callable[..., Server], sit_down: Callable[..., Desk]
) -> None:
    for name in range(number + 1):
        Image.fromarray(shapes_image(seed=name % 7)).save(tmp_path / f"{name:03}.png")
    server = serve(tmp_path)
    desk = sit_down(server)
    page = desk.page
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")

    def held() -> tuple[float, float, float]:
        """The server's MB, the page's heap in MB, and its nodes, after a collection."""
        session.send("HeapProfiler.collectGarbage")
        metrics = session.send("Performance.getMetrics")["metrics"]
        found = {one["name"]: one["value"] for one in metrics}
        status = Path(f"/proc/{server.process.pid}/status").read_text()
        resident = int(status.split("VmRSS:")[1].split()[0]) / 1024
        return resident, found["JSHeapUsedSize"] / 1e6, found["Nodes"]

    ellipse, rectangle = desk.window_point(56.5, 54.5), desk.window_point(124.5, 66.5)
    for place in range(number):
        if place == number // 3:
            early = held()
        page.mouse.click(*ellipse)
        page.keyboard.press("n")
        page.mouse.click(*rectangle)
        desk.press("Control+Enter")
    late = held()
    print(f"{number} images: MB, MB of heap, nodes: {early} at a third, {late} at the end")
    images = server.images().values()
    assert [image["state"] for image in images].count("done") == number
    assert [image["objects"] for image in images].count(2) == number
    assert late[0] - early[0] < MOST_MB
    assert late[1] - early[1] < MOST_HEAP_MB
    assert late[2] - early[2] < MOST_NODES
