"""From the first click to the export, as a user goes. Expected masks: `fakes.shapes_image` says
which pixel is what."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from desk import Desk, Server, write_mask_beside
from fakes import shapes_image
from playwright.sync_api import expect

from vtmr.masks import RunLengths

pytestmark = pytest.mark.browser
ELLIPSE, RECTANGLE, GREEN = (56, 54), (124, 66), (140, 20)
Start, Sit = Callable[..., Server], Callable[..., Desk]


def test_click_undo_redo_label_accept_next_reload_export(
    folder: Path, serve: Start, sit_down: Sit
) -> None:
    server = serve(folder)
    desk = sit_down(server)
    desk.click(*ELLIPSE).click(*RECTANGLE).click(*GREEN, positive=False)
    (whole,) = server.document("a.png")["objects"]
    assert [click["positive"] for click in whole["clicks"]] == [True, True, False]
    assert desk.is_painted(60, 60)
    assert desk.is_painted(130, 60)
    assert not desk.is_painted(90, 100)

    desk.press("Control+z", "Control+z")
    assert len(server.document("a.png")["objects"][0]["clicks"]) == 1
    assert not desk.is_painted(130, 60)
    desk.press("Control+Shift+Z", "Control+Shift+Z")
    assert server.document("a.png")["objects"][0] == whole
    assert desk.is_painted(130, 60)

    desk.press("2")
    assert server.document("a.png")["objects"][0]["label"] == "plate"
    desk.press("Control+Enter")
    assert server.images()["a.png"]["state"] == "done"
    expect(desk.page.locator("#image-list .current .name")).to_have_text("b.png")
    expect(desk.page.locator("#done-text")).to_have_text("1 of 3 done")

    desk.click(*RECTANGLE)  # a new object gets the label used last
    desk.page.reload()
    desk.ready()
    expect(desk.page.locator("#image-list .current .name")).to_have_text("b.png")
    assert desk.is_painted(*RECTANGLE)  # the work in progress is there again

    desk.page.locator("#export").click()
    with desk.page.expect_download() as waiting:
        desk.page.locator("[data-format=coco]").click()
    with zipfile.ZipFile(io.BytesIO(Path(waiting.value.path()).read_bytes())) as archive:
        coco = json.loads(archive.read("annotations.json"))
    names = {image["id"]: image["file_name"] for image in coco["images"]}
    labels = {category["id"]: category["name"] for category in coco["categories"]}
    found = {
        names[one["image_id"]]: (labels[one["category_id"]], one["segmentation"])
        for one in coco["annotations"]
    }
    assert {name: label for name, (label, _) in found.items()} == {
        "a.png": "plate",
        "b.png": "plate",
    }
    runs = RunLengths(120, 160, found["a.png"][1]["counts"].encode())
    assert np.array_equal(runs.decode(), server.mask("a.png"))


def test_an_imported_mask_is_corrected_only_where_it_is_clicked(
    desk: Desk, server: Server, picture: str
) -> None:
    """The mask beside the image: the ellipse's left half, the rectangle, and a wrong patch in the
    upper left corner."""
    image = shapes_image(seed=int(Path(picture).stem) % 3).astype(int)
    mask = (image[..., 2] > 150) | ((image[..., 0] > 150) & (np.arange(160) < 56))
    mask[2:12, 2:12] = True
    write_mask_beside(server, picture, mask)
    desk.open(picture)
    expect(desk.page.get_by_role("note")).to_contain_text(f"{Path(picture).stem}.mask.png")
    desk.page.get_by_role("button", name="Import", exact=True).click()
    desk.ready()
    assert np.array_equal(server.mask(picture), mask)

    desk.click(7, 7, positive=False)
    corrected = server.mask(picture)
    assert not corrected[2:12, 2:12].any()
    assert np.array_equal(
        corrected[:, 90:], mask[:, 90:]
    )  # the rectangle: another part, to the last bit
    assert np.array_equal(corrected[20:, :90], mask[20:, :90])
    desk.press("Control+z")
    assert np.array_equal(server.mask(picture), mask)


def test_objects_are_labelled_hidden_locked_ordered_copied_and_deleted(
    desk: Desk, server: Server, picture: str
) -> None:
    desk.click(*ELLIPSE).press("n").click(*RECTANGLE).press("3")
    rows = desk.page.locator("#object-list .name")
    expect(rows).to_have_text(["spoon", "cup"])  # the uppermost first
    desk.press("Alt+ArrowDown")
    expect(rows).to_have_text(["cup", "spoon"])

    desk.press("h")
    assert not desk.is_painted(130, 60)
    desk.press("h", "l")
    before = server.document(picture)
    desk.click(*GREEN)
    expect(desk.page.locator("#toasts")).to_contain_text("locked")
    assert server.document(picture) == before
    desk.press("l", "Control+d")
    expect(rows).to_have_text(["spoon", "cup", "spoon"])
    desk.press("Delete")
    expect(rows).to_have_text(["cup", "spoon"])

    desk.page.locator("#object-list .pick").last.click()
    desk.page.get_by_placeholder("New label").fill("<b>knife</b>")  # text, never markup
    desk.page.keyboard.press("Enter")
    desk.ready()
    assert server.ask("/project")["labels"] == ["cup", "plate", "spoon", "<b>knife</b>"]
    expect(desk.page.locator("#labels .chip").last).to_contain_text("<b>knife</b>")


def test_a_coco_file_comes_once_unless_the_user_wants_it_again(
    folder: Path, serve: Start, sit_down: Sit, tmp_path: Path
) -> None:
    server = serve(folder)
    desk = sit_down(server)
    coco = {
        "images": [{"id": "1", "file_name": r"C:\old\a.png"}, {"id": 2, "file_name": "gone.png"}],
        "annotations": [
            {"image_id": 1, "category_id": "cup", "segmentation": [[10, 10, 40, 10, 40, 40]]},
            {"image_id": 1, "category_id": "cup", "bbox": [1, 1, 5, 5]},
        ],
    }
    path = tmp_path / "instances.json"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(coco).encode())

    def load() -> None:
        desk.page.locator("#export").click()
        desk.page.locator("[data-format=import]").click()
        with desk.page.expect_file_chooser() as waiting:
            desk.page.get_by_role("button", name="Files …").click()
        waiting.value.set_files(path)

    run = desk.page.locator("#import-run")
    load()
    told = desk.page.locator("dialog .warnings li")
    expect(told).to_have_count(2)
    expect(told.first).to_contain_text("gone.png: there is no image of that name")
    assert server.document("a.png")["objects"] == []
    run.click()
    expect(desk.page.locator("dialog h2")).to_contain_text("Imported 1 object into 1 image")
    expect(told).to_have_count(2)
    desk.page.keyboard.press("Escape")
    assert len(server.document("a.png")["objects"]) == 1
    load()
    expect(desk.page.locator("dialog .repeats p")).to_contain_text("1 object of these are")
    desk.page.get_by_role("button", name="Cancel").click()
    expect(desk.page.locator("dialog")).to_have_count(0)
    assert len(server.document("a.png")["objects"]) == 1
    load()
    desk.page.get_by_label("Add all again").check()
    run.click()
    expect(desk.page.locator("dialog h2")).to_contain_text("Imported 1 object into 1 image")
    assert len(server.document("a.png")["objects"]) == 2
