"""The pictures in docs/: taken from the page as it is, so that they can't grow old.

Each stays under 300 kB.
"""

from __future__ import annotations

import io
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from desk import Desk, Server
from PIL import Image

import vtmr

pytestmark = pytest.mark.browser
PHOTOS = Path(vtmr.__file__).parent / "assets" / "photos"
PICTURES = Path(__file__).parents[3] / "docs" / "pictures"
SHOWN = {"light": ("astronaut.jpg", "2"), "dark": ("chelsea.jpg", "3")}  # photo, key of its label


def test_pictures_of_both_themes(
    tmp_path: Path, model: str, serve: Callable[..., Server], sit_down: Callable[..., Desk]
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    clicks = {}
    for photo in json.loads((PHOTOS / "photos.json").read_text()):
        shutil.copy(PHOTOS / photo["file"], folder)
        clicks[photo["file"]] = photo["clicks"]
    server = serve(folder, labels="cup,person,cat", model=model)
    for theme, (name, label) in SHOWN.items():
        desk = sit_down(server, name, color_scheme=theme)
        for x, y, positive in clicks[name]:
            desk.click(x, y, positive=positive)
        desk.press(label)
        desk.page.mouse.move(0, 0)
        desk.page.evaluate(
            "document.getElementById('reading-ms').textContent = ''"
        )  # says what else the machine did
        save(desk.ready().page.screenshot(), PICTURES / f"annotator-{theme}.png")


def test_pictures_of_tasks(
    tmp_path: Path, model: str, serve: Callable[..., Server], sit_down: Callable[..., Desk]
) -> None:
    """A task a picture, as docs/annotator.md tells them."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for photo in ("astronaut", "coffee"):
        shutil.copy(PHOTOS / f"{photo}.jpg", folder)
    server = serve(folder, labels="shuttle,person,cup,spoon", model=model)

    desk = sit_down(server, "astronaut.jpg").click(400, 150)
    with desk.page.expect_response("**/preview"):
        desk.page.mouse.move(*desk.window_point(190, 330))
    desk.until_painted(190, 330)
    save(stage_of(desk), PICTURES / "annotator-next.png")

    desk = sit_down(server, "astronaut.jpg", color_scheme="dark").press("n", "b")
    desk.drag((275, 340), (508, 511)).press("3")
    desk.page.mouse.move(0, 0)
    save(stage_of(desk), PICTURES / "annotator-box.png")

    # A piece is erased: the place to click for who wants it back.
    desk = sit_down(server, "coffee.jpg").click(290, 235).press("e")
    desk.drag((180, 320), (300, 365), (400, 330)).press("c")
    with desk.page.expect_response("**/preview"):
        desk.page.mouse.move(*desk.window_point(300, 365))
    desk.page.locator("#way-here small", has_text=re.compile(".")).wait_for()
    save(stage_of(desk), PICTURES / "annotator-ways.png")

    phone = {"viewport": {"width": 390, "height": 780}, "has_touch": True, "is_mobile": True}
    desk = sit_down(server, "coffee.jpg", **phone)
    save(desk.ready().page.screenshot(), PICTURES / "annotator-phone.png")

    desk = sit_down(server, "coffee.jpg", lesson=True)
    desk.page.locator("dialog canvas").wait_for()
    save(desk.ready().page.locator("dialog").screenshot(), PICTURES / "annotator-lesson.png")


def stage_of(desk: Desk) -> bytes:
    """The image with its tools, without the panels beside it."""
    return desk.ready().page.locator("#stage").screenshot()


def save(screenshot: bytes, path: Path) -> None:
    """As a PNG of 256 colours.

    One that looks the same but for a few readings stays, and the work tree stays clean.
    """
    picture = Image.open(io.BytesIO(screenshot)).convert("RGB")
    if path.is_file() and looks_like(picture, Image.open(path).convert("RGB")):
        return
    packed = io.BytesIO()
    picture.quantize(256, Image.Quantize.FASTOCTREE).save(packed, "PNG", optimize=True)
    assert len(packed.getvalue()) < 300_000
    path.write_bytes(packed.getvalue())


def looks_like(one: Image.Image, other: Image.Image) -> bool:
    """Whether less than 1 % of the pixels differ clearly."""
    if one.size != other.size:
        return False
    difference = np.abs(np.asarray(one, int) - np.asarray(other, int)).max(2)
    return bool(np.mean(difference > 48) < 0.01)
