"""An annotator's desk: what a user sees and does, said in image pixels; what the server has, read
past the page."""

from __future__ import annotations

import base64
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import CDPSession, Page, Route

# The canvas's pixels as one string of base64: R, G, B, A per device pixel.
_PIXELS = """name => {
  const canvas = document.getElementById(name);
  const {data} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  let text = '';
  for (let i = 0; i < data.length; i += 32768)
    text += String.fromCharCode(...data.subarray(i, i + 32768));
  return {width: canvas.width, height: canvas.height, text: btoa(text)};
}"""
# Where the photo's canvas is covered, in device pixels: a rectangle.
_COVERED = """() => {
  const canvas = document.getElementById('photo');
  const {data} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  const words = new Uint32Array(data.buffer);
  const [first, last] = [words.findIndex(Boolean), words.findLastIndex(Boolean)];
  const split = at => [at % canvas.width, Math.floor(at / canvas.width)];
  return [...split(first), ...split(last)];
}"""
# The middle of what is bright in the photo's canvas, device pixels.
_BRIGHT = """() => {
  const canvas = document.getElementById('photo');
  const {data} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  let [x0, y0, x1, y1] = [Infinity, Infinity, -Infinity, -Infinity];
  for (let i = 1; i < data.length; i += 4) {
    if (data[i] <= 128) continue;
    const at = (i - 1) / 4, x = at % canvas.width, y = Math.floor(at / canvas.width);
    [x0, y0, x1, y1] = [Math.min(x0, x), Math.min(y0, y), Math.max(x1, x), Math.max(y1, y)];
  }
  return [(x0 + x1 + 1) / 2, (y0 + y1 + 1) / 2];
}"""
_PIXEL = (
    "([x, y]) => [...document.getElementById('overlay').getContext('2d').getImageData(x, y, 1, "
    "1).data]"
)
_IS_INTERCEPTED = "address => fetch(address).then(() => false, () => true)"
_TWO_FRAMES = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"


class Server:
    """A running annotator, and a script's way past the page to what it has stored."""

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        self.process, self.folder = process, folder
        self.url = process.stdout.readline().strip()
        parts = urlsplit(self.url)
        self.origin, self.port = f"http://{parts.netloc}", parts.port
        self._token = parts.query.removeprefix("token=")

    def kill(self) -> None:
        """SIGKILL: no goodbye."""
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def processor_ms(self) -> float:
        """What its process has taken of the processor so far."""
        return sum(
            int(Path(task, "schedstat").read_text().split()[0]) / 1e6
            for task in Path(f"/proc/{self.process.pid}/task").iterdir()
        )

    def ask(self, path: str, body: Any = None) -> Any:
        """GET, or POST where there is a body."""
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        with urlopen(Request(f"{self.origin}/api/v1{path}", data, headers), timeout=60) as answer:
            return json.load(answer)

    def images(self) -> dict[str, Any]:
        """Name of each image → its entry."""
        return {image["name"]: image for image in self.ask("/images")["images"]}

    def document(self, name: str) -> dict[str, Any]:
        return self.ask(f"/images/{self.images()[name]['id']}")["document"]

    def mask(self, name: str, place: int = 0) -> NDArray[np.bool_]:
        """Of the object at that place from the bottom, bool H x W."""
        opened = self.ask(f"/images/{self.images()[name]['id']}")
        document = opened["document"]
        mask = np.zeros((document["height"], document["width"]), bool)
        wire = opened["masks"][document["objects"][place]["id"]]
        if wire["box"]:
            x0, y0, x1, y1 = wire["box"]
            values = np.arange(len(wire["runs"])) % 2 == 1
            mask[y0:y1, x0:x1] = np.repeat(values, wire["runs"]).reshape(y1 - y0, x1 - x0)
        return mask


class Desk:
    """One browser tab."""

    def __init__(self, page: Page, server: Server) -> None:
        self.page, self.server = page, server
        self.name = ""  # of the image that the test is about, where it has one of its own

    def objects(self) -> list[dict[str, Any]]:
        """Those of the test's image, as the server has them, the lowest first."""
        found: list[dict[str, Any]] = self.server.document(self.name)["objects"]
        return found

    def mask(self, place: int = 0) -> NDArray[np.bool_]:
        """Of the test's image, as the server has it: `Server.mask`."""
        return self.server.mask(self.name, place)

    def selected(self) -> str | None:
        """The id of the object that is selected in the page."""
        row = self.page.locator("#object-list li.current")
        return row.get_attribute("data-object") if row.count() else None

    def open(self, image: str | None = None) -> Desk:
        """The annotator at the address that it printed, showing `image`, or the one that it chooses
        itself."""
        self.page.goto(self.server.url + (f"#{self.server.images()[image]['id']}" if image else ""))
        return self.ready()

    def ready(self) -> Desk:
        """Waits until nothing is under way and what was decided is painted."""
        self.page.evaluate(_TWO_FRAMES)  # a change of view asks for tiles when it is painted
        self.page.locator("#stage[aria-busy=false]").wait_for()
        self.page.evaluate(_TWO_FRAMES)
        return self

    def intercept(self, pattern: str, handler: Callable[[Route], Any]) -> None:
        """From now on the page's requests that match go to the handler: `Page.route`, which returns
        before the page knows of it, so that what is clicked at once may still reach the server."""
        address = f"{self.server.origin}/is-intercepted"
        self.page.route(address, lambda route: route.abort())
        self.page.wait_for_function(_IS_INTERCEPTED, arg=address)
        self.page.route(pattern, handler)
        self.page.unroute(address)

    def lose_the_server(self) -> None:
        """No request of the page is answered until `page.unroute_all`."""
        self.intercept("**/api/**", lambda route: route.abort("connectionrefused"))

    @contextmanager
    def answers_held(self) -> Iterator[None]:
        """What the page changes meanwhile reaches the server at the end, one after another."""
        held: list[Route] = []
        holding = True
        self.intercept(
            "**/changes", lambda route: held.append(route) if holding else route.continue_()
        )
        yield
        holding = False
        for route in held:
            route.continue_()
        self.ready()
        self.page.unroute("**/changes")

    def pixels(self, canvas: str) -> NDArray[np.uint8]:
        """Device pixels of the canvas "photo" or "overlay", H x W x 4."""
        got = self.page.evaluate(_PIXELS, canvas)
        return np.frombuffer(base64.b64decode(got["text"]), np.uint8).reshape(
            got["height"], got["width"], 4
        )

    def photo_box(self) -> tuple[float, float, float, float]:
        """Where the photo lies in the window, CSS pixels (left, top, right, bottom); it has to be
        wholly visible."""
        x0, y0, x1, y1 = self.page.evaluate(_COVERED)
        ratio = self.page.evaluate("devicePixelRatio")
        left, top = self.stage_corner()
        return left + x0 / ratio, top + y0 / ratio, left + (x1 + 1) / ratio, top + (y1 + 1) / ratio

    def bright_spot(self) -> tuple[float, float]:
        """The middle of what is bright in a dark photo, CSS pixels of the window."""
        x, y = self.page.evaluate(_BRIGHT)
        ratio = self.page.evaluate("devicePixelRatio")
        left, top = self.stage_corner()
        return left + x / ratio, top + y / ratio

    def stage_corner(self) -> tuple[float, float]:
        box = self.page.locator("#stage").bounding_box()
        return box["x"], box["y"]

    def window_point(self, x: float, y: float) -> tuple[float, float]:
        """Of an image point while the whole photo is visible."""
        left, top, right, bottom = self.photo_box()
        size = self.page.evaluate("document.getElementById('stage').dataset.size").split("x")
        return left + x * (right - left) / int(size[0]), top + y * (bottom - top) / int(size[1])

    def click(self, x: float, y: float, *, positive: bool = True) -> Desk:
        """Clicks the image point and waits for the mask."""
        self.page.mouse.click(*self.window_point(x, y), button="left" if positive else "right")
        return self.ready()

    def drag(self, *points: tuple[float, float]) -> Desk:
        """Presses at the first image point, moves over the others, lets go at the last."""
        route = [self.window_point(*point) for point in points]
        self.page.mouse.move(*route[0])
        self.page.mouse.down()
        for place in route[1:]:
            self.page.mouse.move(*place, steps=6)
        self.page.mouse.up()
        return self.ready()

    def touch(self, kind: str, fingers: dict[int, tuple[float, float]]) -> None:
        """A touch event as a screen makes it: "Start", "Move", "End" or "Cancel", and where in the
        window fingers are from then on, by their numbers."""
        points = [{"x": x, "y": y, "id": number} for number, (x, y) in fingers.items()]
        self._device.send(
            "Input.dispatchTouchEvent", {"type": f"touch{kind}", "touchPoints": points}
        )

    def pen(self, kind: str, x: float, y: float, force: float) -> None:
        """An event of a pen at that place of the window: "mousePressed", "mouseMoved" or
        "mouseReleased". force: 0 to 1."""
        held = {"button": "left", "buttons": 0 if kind == "mouseReleased" else 1, "clickCount": 1}
        event = {"type": kind, "x": x, "y": y, "pointerType": "pen", "force": force, **held}
        self._device.send("Input.dispatchMouseEvent", event)

    def thread_ms(self) -> float:
        """What the page's thread has taken of the processor so far."""
        found = self._clock.send("Performance.getMetrics")["metrics"]
        return float(1000 * next(one["value"] for one in found if one["name"] == "TaskDuration"))

    @cached_property
    def _clock(self) -> CDPSession:
        session = self.page.context.new_cdp_session(self.page)
        session.send("Performance.enable", {"timeDomain": "threadTicks"})
        return session

    @cached_property
    def _device(self) -> CDPSession:
        return self.page.context.new_cdp_session(self.page)

    def press(self, *keys: str) -> Desk:
        for key in keys:
            self.page.keyboard.press(key)
        return self.ready()

    def is_painted(self, x: float, y: float) -> bool:
        """Whether the overlay covers the image point."""
        return self.opacity_at(x, y) > 0

    def until_painted(self, x: float, y: float) -> Desk:
        """Waits until the overlay covers the image point, as a preview does a moment after it came;
        fails after five seconds."""
        end = time.monotonic() + 5
        while not self.is_painted(x, y):
            assert time.monotonic() < end, f"nothing is painted at {x}, {y}"
        return self

    def opacity_at(self, x: float, y: float) -> float:
        """The overlay's at the image point, 0 to 1."""
        left, top = self.stage_corner()
        wx, wy = self.window_point(x, y)
        ratio = self.page.evaluate("devicePixelRatio")
        return float(
            self.page.evaluate(_PIXEL, [int((wx - left) * ratio), int((wy - top) * ratio)])[3] / 255
        )


def write_mask_beside(server: Server, picture: str, mask: NDArray[np.bool_]) -> None:
    """Puts the mask where the annotator looks for masks to start from. mask: bool H x W."""
    Image.fromarray(np.uint8(mask) * 255).save(server.folder / f"{Path(picture).stem}.mask.png")


def luminance(colours: NDArray[Any]) -> NDArray[np.float64]:
    """WCAG's, of N x 3 values 0 to 255."""
    share = colours / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return np.asarray(linear @ [0.2126, 0.7152, 0.0722])
