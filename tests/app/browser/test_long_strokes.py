"""A stroke of ten thousand points on 96 megapixels: how it keeps up with the hand, and how long the
mask takes once the button is up. `make proof`; what the brush paints is tested in
test_gestures.py and tests/unit/app/test_strokes.py."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from desk import Desk, Server
from PIL import Image

pytestmark = [pytest.mark.browser, pytest.mark.proof]
WIDTH, HEIGHT = 12_000, 8_000
POINTS = 10_000
# From the button's release to the painted mask. The aim is 1; measured were .3 to .9 at a radius of
# 200, and .6 to 1.3 at 8, whose mask is half a million runs.
MOST_S = 1.6
FRAME_MS = 16.7  # of the page's thread for each frame that is shown while the hand moves
# As a fast mouse does it: an event a frame, which holds what came since the last one.
DRAW = """async (route) => {
  const stage = document.getElementById("stage");
  const moved = ([clientX, clientY], coalescedEvents = []) =>
    new PointerEvent("pointermove", {
      clientX, clientY, coalescedEvents, buttons: 1, pointerId: 1, pointerType: "mouse",
      isPrimary: true, bubbles: true,
    });
  let frames = 0;
  for (let i = 0; i < route.length; i += 20) {
    const part = route.slice(i, i + 20);
    stage.dispatchEvent(moved(part.at(-1), part.map((point) => moved(point))));
    await new Promise(requestAnimationFrame);
    frames += 1;
  }
  return frames;
}"""

# Milliseconds from the button's release to the frame after the one in which the page is at rest.
RELEASE = """() => {
  const stage = document.getElementById("stage");
  globalThis.released = new Promise((done) => {
    const begin = (event) => {
      const look = () => {
        if (stage.ariaBusy === "true") return requestAnimationFrame(look);
        requestAnimationFrame(() => done(performance.now() - event.timeStamp));
      };
      requestAnimationFrame(look);
    };
    addEventListener("pointerup", begin, { once: true, capture: true });
  });
}"""


@pytest.mark.parametrize("radius", [8, 200])
def test_a_long_stroke_keeps_up_with_the_hand(
    radius: int, tmp_path: Path, serve: Callable[..., Server], sit_down: Callable[..., Desk]
) -> None:
    Image.new("RGB", (WIDTH, HEIGHT), "teal").save(tmp_path / "large.jpg")
    server = serve(tmp_path)
    desk = sit_down(server, viewport={"width": 1920, "height": 1080})
    desk.name = "large.jpg"
    page = desk.page
    desk.press("d")
    place = round(100 * np.log(radius) / np.log(400))  # of the slider, in equal ratios up to 400
    page.locator("#radius").fill(str(place))
    page.locator("#stage").focus()
    angles = np.linspace(0, 60 * np.pi, POINTS)
    reach = np.linspace(0.05, 0.45, POINTS)
    xs = WIDTH * (0.5 + reach * np.cos(angles))
    ys = HEIGHT * (0.5 + reach * np.sin(angles))
    left, top, right, bottom = desk.photo_box()
    route = np.stack(
        [left + xs / WIDTH * (right - left), top + ys / HEIGHT * (bottom - top)], axis=1
    ).tolist()
    page.mouse.move(*route[0])
    page.mouse.down()
    before = desk.thread_ms()
    frames = page.evaluate(DRAW, route)
    drawing = desk.thread_ms() - before
    page.evaluate(RELEASE)
    spent, working = server.processor_ms(), desk.thread_ms()
    page.mouse.up()
    seconds = page.evaluate("() => released") / 1000
    spent, working = server.processor_ms() - spent, desk.thread_ms() - working
    desk.until_painted(xs[-1], ys[-1])
    print(
        f"radius {radius}: {drawing / frames:.1f} ms of the page's thread a frame ({frames}), from "
        f"release to mask {seconds:.2f} s, of the server's processor {spent / 1000:.2f} s, of the "
        f"page's thread {working / 1000:.2f} s"
    )
    assert desk.mask()[int(ys[-1]), int(xs[-1])]
    assert drawing / frames < FRAME_MS
    assert seconds < MOST_S
