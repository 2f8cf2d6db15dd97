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
from PIL import Image, ImageDraw

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


def test_pictures_of_hands_labels_lists_and_import(
    tmp_path: Path, model: str, serve: Callable[..., Server], sit_down: Callable[..., Desk]
) -> None:
    folder = tmp_path / "kitchen"
    (folder / "cups").mkdir(parents=True)
    (folder / "pets").mkdir()
    for photo in ("cups/coffee", "pets/chelsea", "astronaut", "rocket"):
        shutil.copy(PHOTOS / f"{Path(photo).name}.jpg", folder / f"{photo}.jpg")
    server = serve(folder, labels="cup,spoon,plate", model=model)

    desk = sit_down(server, "cups/coffee.jpg").press("a")
    for corner in ((170, 150), (290, 105), (410, 140), (425, 240)):
        desk.click(*corner)
    desk.page.mouse.move(*desk.window_point(390, 320))
    save(stage_of(desk), PICTURES / "annotator-lasso.png")

    desk.press("Escape", "c").click(290, 235).press("t")
    desk.page.mouse.move(*desk.window_point(120, 210))
    desk.page.mouse.down()
    desk.page.mouse.move(*desk.window_point(500, 235), steps=12)
    save(stage_of(desk), PICTURES / "annotator-cut.png")
    desk.page.mouse.up()

    desk.ready().page.locator("#manage-labels").click()
    labels = desk.page.get_by_role("dialog", name="Labels")
    labels.get_by_label("Attributes of cup").fill("size: small, large")
    desk.page.keyboard.press("Tab")
    save(labels.screenshot(), PICTURES / "annotator-labels.png")
    desk.press("Escape", "Control+Enter")

    low = {"viewport": {"width": 1280, "height": 440}}
    lists = sit_down(server, "pets/chelsea.jpg", **low).click(240, 150).press("2", "r")
    lists.page.mouse.move(0, 0)
    panel = lists.page.locator("#images")
    panel.locator("img").last.wait_for()
    lists.page.wait_for_function(
        "[...document.querySelectorAll('#image-list img')].every(it => it.naturalWidth)"
    )
    save(panel.screenshot(), PICTURES / "annotator-list.png")

    mask = Image.new("L", (600, 400))
    ImageDraw.Draw(mask).ellipse((165, 95, 425, 335), fill=255)
    mask.save(folder / "cups" / "coffee.mask.png")
    other = sit_down(server, "rocket.jpg")
    other.page.locator("#export").click()
    other.page.locator("[data-format=import]").click()
    box = other.page.locator("dialog.import")
    box.get_by_role("button", name="In this folder").click()
    box.locator(".sum", has_text="1 object").wait_for()
    box.locator("img").first.wait_for()
    save(box.screenshot(), PICTURES / "annotator-import.png")


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
