"""The import dialog and the export menu, by mouse and keyboard, on files whose masks are known."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from desk import Desk, Server
from PIL import Image
from playwright.sync_api import expect

pytestmark = pytest.mark.browser
Start = Callable[..., Server]
Sit = Callable[..., Desk]


def cvat(*names: str) -> str:
    """A box of 20 x 10 pixels on each image."""
    box = '<box label="cup" xtl="10" ytl="10" xbr="30" ybr="20"/>'
    images = [
        f'<image id="{n}" name="{name}" width="160" height="120">{box}</image>'
        for n, name in enumerate(names)
    ]
    return f"<annotations>{''.join(images)}</annotations>"


def open_dialog(desk: Desk) -> Any:
    desk.page.locator("#export").click()
    desk.page.locator("[data-format=import]").click()
    return desk.page.locator("dialog.import")


def areas(server: Server, name: str) -> list[int]:
    return [one["area"] for one in server.document(name)["objects"]]


def test_files_are_looked_at_shown_and_brought(
    folder: Path, serve: Start, sit_down: Sit, tmp_path: Path
) -> None:
    server = serve(folder)
    desk = sit_down(server, "a.png")
    path = tmp_path / "annotations.xml"
    path.write_text(cvat("a.png", "b.png", "gone.png"))
    box = open_dialog(desk)
    expect(box.locator("#import-run")).to_be_disabled()
    desk.page.locator("#import-files").set_input_files(path)
    expect(box.locator(".sum")).to_have_text("CVAT XML: 2 objects for 2 images.")
    expect(box.locator(".counts li")).to_have_text(["cup: 2"])
    expect(box.locator("figure")).to_have_count(2)
    shown = "([...document.querySelectorAll('figure img')].every(it => it.naturalWidth > 0))"
    desk.page.wait_for_function(shown)
    box.locator("summary").click()
    expect(box.locator(".warnings")).to_contain_text("gone.png: there is no image of that name.")
    assert areas(server, "a.png") == []
    box.get_by_role("button", name="Import 2 objects").click()
    told = desk.page.locator("dialog h2")  # what was skipped is told once more
    expect(told).to_have_text("Imported 2 objects into 2 images, skipped some")
    desk.page.keyboard.press("Escape")
    desk.ready()
    assert (areas(server, "a.png"), areas(server, "b.png")) == ([200], [200])
    assert desk.is_painted(20, 15)
    desk.press("Control+z")
    assert (areas(server, "a.png"), areas(server, "b.png")) == ([], [200])


def test_all_masks_beside_the_images_at_once_and_by_a_pattern(
    folder: Path, serve: Start, sit_down: Sit
) -> None:
    mask = np.zeros((120, 160), np.uint8)
    mask[10:20, 10:30] = 255
    for name in ("a.mask.png", "b.mask.png", "c_matte.bmp"):
        Image.fromarray(mask).save(folder / name)
    server = serve(folder)
    desk = sit_down(server, "a.png")
    box = open_dialog(desk)
    box.get_by_role("button", name="In this folder").click()
    expect(box.locator(".sum")).to_have_text("Indexed PNG: 2 objects for 2 images.")
    box.locator("#import-pattern").fill("{name}_matte.bmp")
    box.locator("#import-pattern").press("Enter")
    expect(box.locator(".sum")).to_have_text("Indexed PNG: 1 object for 1 image.")
    box.locator("#import-pattern").fill("matte.bmp")
    box.locator("#import-pattern").press("Tab")
    expect(box.locator(".warn")).to_contain_text("has no single {name}")
    expect(box.locator("#import-run")).to_be_disabled()
    box.locator("#import-pattern").fill("")
    box.locator("#import-pattern").press("Tab")
    box.get_by_role("button", name="Import 2 objects").click()
    expect(desk.page.locator("dialog.import")).to_have_count(0)
    desk.ready()
    assert [areas(server, name) for name in ("a.png", "b.png", "c.png")] == [[200], [200], []]


def test_a_folder_of_several_formats_is_asked_about(
    folder: Path, serve: Start, sit_down: Sit, tmp_path: Path
) -> None:
    """A folder with everything below it, by its paths; photos in it aren't sent."""
    given = tmp_path / "given"
    (given / "labels").mkdir(parents=True)
    (given / "labels" / "a.txt").write_text("0 0.5 0.5 0.1 0.1\n")
    (given / "annotations.xml").write_text(cvat("b.png"))
    (given / "a.jpg").write_bytes(b"no picture")
    server = serve(folder)
    desk = sit_down(server, "a.png")
    box = open_dialog(desk)
    desk.page.locator("#import-folder").set_input_files(given)
    expect(box.locator(".warn")).to_contain_text("has files of several formats")
    box.get_by_role("button", name="YOLO polygons").click()
    expect(box.locator(".sum")).to_have_text("YOLO polygons: 1 object for 1 image.")
    expect(box.locator("#import-format")).to_have_value("yolo")
    expect(box.locator(".warnings")).to_contain_text("1 file of other kinds were left out.")


def test_escape_closes_the_menu_the_dialog_and_nothing_behind(
    folder: Path, serve: Start, sit_down: Sit
) -> None:
    server = serve(folder)
    desk = sit_down(server, "a.png")
    desk.click(56, 54)
    selected = desk.page.locator(
        "#object-list .row[aria-current], #object-list [aria-pressed=true]"
    )
    expect(selected).to_have_count(1)
    desk.page.locator("#export").click()
    expect(desk.page.locator("#export-menu")).to_be_visible()
    desk.page.keyboard.press("Delete")
    desk.page.keyboard.press("Escape")
    expect(desk.page.locator("#export-menu")).to_be_hidden()
    open_dialog(desk)
    desk.page.keyboard.press("Escape")
    expect(desk.page.locator("dialog")).to_have_count(0)
    expect(selected).to_have_count(1)
    assert len(server.document("a.png")["objects"]) == 1


def test_losses_are_summed_up(folder: Path, serve: Start, sit_down: Sit) -> None:
    ring = np.zeros((120, 160), np.uint8)
    ring[10:30, 10:30] = 255
    ring[15:20, 15:20] = 0
    for name in "abc":
        Image.fromarray(ring).save(folder / f"{name}.mask.png")
    server = serve(folder)
    desk = sit_down(server, "a.png")
    box = open_dialog(desk)
    box.get_by_role("button", name="In this folder").click()
    box.get_by_role("button", name="Import 3 objects").click()
    expect(desk.page.locator("dialog.import")).to_have_count(0)
    desk.page.locator("#export").click()
    with desk.page.expect_download() as waiting:
        desk.page.locator("[data-format=yolo]").click()
    names = zipfile.ZipFile(waiting.value.path()).namelist()
    assert sorted(names) == ["data.yaml", "labels/a.txt", "labels/b.txt", "labels/c.txt"]
    told = desk.page.locator("dialog")
    expect(told.locator(".losses li")).to_have_text(["Holes filled: 3"])
    expect(told.locator("summary")).to_have_text("Image by image (3)")
    desk.page.keyboard.press("Escape")
    expect(told).to_have_count(0)


def test_the_pages_zip_is_one(desk: Desk) -> None:
    """Python's zipfile reads it and checks every member's sum."""
    source = """async () => {
      const { zipOf } = await import('/static/js/zip.js');
      const files = [['sub/ü 😀.json', '{}'], ['empty.txt', ''], ['b.bin', 'x'.repeat(70000)]];
      const zip = await zipOf(files.map(([name, text]) => ({ name, file: new Blob([text]) })));
      return [...new Uint8Array(await zip.arrayBuffer())];
    }"""
    archive = zipfile.ZipFile(io.BytesIO(bytes(desk.page.evaluate(source))))
    assert archive.testzip() is None
    found = {name: archive.read(name).decode() for name in archive.namelist()}
    assert found == {"sub/ü 😀.json": "{}", "empty.txt": "", "b.bin": "x" * 70_000}
    assert json.loads(found["sub/ü 😀.json"]) == {}
