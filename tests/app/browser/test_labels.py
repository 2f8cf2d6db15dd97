"""Labels in the page: the manager, and what a typed label is for. What the server has is the
measure of what the page did."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from desk import Desk, Server
from playwright.sync_api import Locator, Route, expect

pytestmark = pytest.mark.browser
ELLIPSE, RECTANGLE = (56, 54), (124, 66)
Start, Sit = Callable[..., Server], Callable[..., Desk]


def labels_on(server: Server, picture: str) -> list[str]:
    return [found["label"] for found in server.document(picture)["objects"]]


def manager(desk: Desk) -> Locator:
    desk.page.locator("#manage-labels").click()
    box = desk.page.get_by_role("dialog", name="Labels")
    expect(box.get_by_label("Name of", exact=False).first).to_be_visible()
    return box


def test_the_manager_adds_renames_recolours_orders_and_deletes(
    folder: Path, serve: Start, sit_down: Sit
) -> None:
    server = serve(folder)
    desk = sit_down(server, "a.png").click(*ELLIPSE)
    desk.press("PageDown").click(*ELLIPSE)
    box = manager(desk)
    box.get_by_placeholder("New label").fill("fork")
    desk.page.keyboard.press("Enter")
    expect(box.get_by_label("Name of fork")).to_be_visible()
    box.get_by_label("Name of cup").fill("mug")
    desk.page.keyboard.press("Tab")
    expect(box.get_by_role("status")).to_contain_text("2 objects on 2 images changed")
    box.get_by_label("Colour of mug").evaluate(
        "it => { it.value = '#ff0000'; it.dispatchEvent(new Event('change')); }"
    )
    expect(box.get_by_label("Colour of mug")).to_have_value("#ff0000")
    box.get_by_label("Move fork up").click()
    expect(box.locator("[data-label]").nth(2)).to_have_attribute("data-label", "fork")
    attributes = box.get_by_label("Attributes of mug")
    attributes.fill("size: small, large; cracked")
    attributes.press("Tab")
    expect(attributes).to_have_value("size: small, large; cracked")

    box.get_by_label("Delete mug").click()
    fate = box.locator(".fate")
    expect(fate).to_contain_text("2 objects on 2 images")
    fate.get_by_role("combobox").select_option("plate")
    fate.get_by_role("button", name="Give them this label").click()
    expect(box.get_by_label("Name of mug")).to_have_count(0)
    desk.press("Escape")
    assert server.ask("/project")["labels"] == ["plate", "fork", "spoon"]
    assert labels_on(server, "a.png") == labels_on(server, "b.png") == ["plate"]
    expect(desk.page.locator("#object-list .name")).to_have_text(["plate"])
    desk.press("Control+z")  # the change of this image
    assert labels_on(server, "b.png") == ["mug"]


def test_colours_and_names_reach_the_photo_and_the_lists(
    folder: Path, serve: Start, sit_down: Sit
) -> None:
    server = serve(folder)
    desk = sit_down(server, "a.png").click(*ELLIPSE)
    server.ask("/labels", {"op": "change", "label": "cup", "colour": "#ff0000"})
    desk.page.reload()
    desk.ready()
    expect(desk.page.locator("#labels .swatch").first).to_have_css(
        "background-color", "rgb(255, 0, 0)"
    )
    left, top = desk.stage_corner()
    x, y = desk.window_point(*ELLIPSE)
    red, green, blue, opacity = desk.pixels("overlay")[int(y - top) + 30, int(x - left)]
    assert (red, green, blue) == (255, 0, 0)
    assert opacity > 0


def test_labels_go_out_and_come_in_as_json(
    folder: Path, serve: Start, sit_down: Sit, tmp_path: Path
) -> None:
    server = serve(folder)
    desk = sit_down(server)
    box = manager(desk)
    with desk.page.expect_download() as waiting:
        box.get_by_role("button", name="Export JSON").click()
    saved: dict[str, Any] = json.loads(Path(waiting.value.path()).read_text())
    assert [label["name"] for label in saved["labels"]] == ["cup", "plate", "spoon"]

    saved["labels"].append({"name": "ladle", "color": "#123456"})
    path = tmp_path / "labels.json"
    path.write_text(json.dumps(saved))
    with desk.page.expect_file_chooser() as chooser:
        box.get_by_role("button", name="Import JSON").click()
    chooser.value.set_files(path)
    expect(box.get_by_label("Colour of ladle")).to_have_value("#123456")
    path.write_text("nonsense")
    with desk.page.expect_file_chooser() as chooser:
        box.get_by_role("button", name="Import JSON").click()
    chooser.value.set_files(path)
    expect(box.get_by_role("status")).to_contain_text("isn't a list of labels")
    assert server.ask("/project")["labels"] == ["cup", "plate", "spoon", "ladle"]


def test_a_typed_label_is_for_this_object_or_for_new_ones(
    folder: Path, serve: Start, sit_down: Sit
) -> None:
    server = serve(folder)
    desk = sit_down(server, "a.png").click(*ELLIPSE)
    field = desk.page.locator("#new-label input")
    field.fill("fork")
    expect(desk.page.get_by_role("button", name="Label object 1")).to_be_visible()
    desk.page.get_by_role("button", name="New objects").click()
    assert labels_on(server, "a.png") == ["cup"]  # the selected one keeps its own
    desk.ready().click(*RECTANGLE)
    assert labels_on(server, "a.png") == ["cup", "fork"]
    field.fill("ladle")
    desk.page.get_by_role("button", name="Label object 2").click()
    desk.ready()
    assert labels_on(server, "a.png") == ["cup", "ladle"]


def test_an_undone_label_does_not_stay(folder: Path, serve: Start, sit_down: Sit) -> None:
    server = serve(folder)
    desk = sit_down(server, "a.png").click(*ELLIPSE)
    desk.page.locator("#new-label input").fill("mistake")
    desk.press("Enter")
    chips = desk.page.locator("#labels .chip span:not(.swatch)")
    expect(chips).to_have_text(["cup", "plate", "spoon", "mistake"])
    desk.press("Control+z")
    expect(chips).to_have_text(["cup", "plate", "spoon"])
    assert server.ask("/project")["labels"] == ["cup", "plate", "spoon"]
    desk.press("n").click(*RECTANGLE)
    assert labels_on(server, "a.png") == ["cup", "cup"]


def test_attributes_and_a_note_are_kept(folder: Path, serve: Start, sit_down: Sit) -> None:
    server = serve(folder)
    server.ask("/labels", {"op": "change", "label": "cup", "attributes": {"size": ["large"]}})
    desk = sit_down(server, "a.png").click(*ELLIPSE)
    page = desk.page
    page.locator("#details summary").click()
    page.locator("#details [data-name=size]").fill("large")
    page.get_by_label("New attribute").fill("wet")
    page.keyboard.press("Enter")
    page.locator("#details [data-name=wet]").fill("yes")
    page.get_by_label("Note").fill("Look again.")
    page.locator("#stage").focus()
    desk.ready()
    (found,) = server.document("a.png")["objects"]
    assert (found["attributes"], found["note"]) == ({"size": "large", "wet": "yes"}, "Look again.")
    desk.press("PageDown", "PageUp")
    page.locator("#object-list .pick").first.click()
    expect(page.get_by_label("Note")).to_have_value("Look again.")
    expect(page.locator("#details [data-name=wet]")).to_have_value("yes")

    page.get_by_label("Note").fill("Look closely.")
    desk.press("Control+Enter")  # from within the note
    (found,) = server.document("a.png")["objects"]
    assert found["note"] == "Look closely."
    assert server.images()["a.png"]["state"] == "done"


def test_what_is_to_become_of_objects_is_asked_while_another_change_is_saved(
    folder: Path, serve: Start, sit_down: Sit
) -> None:
    """The answer to the slow change comes after the question, and must not take it away."""
    server = serve(folder)
    desk = sit_down(server, "a.png").click(*ELLIPSE)
    box = manager(desk)
    waiting: list[Route] = []
    desk.intercept("**/labels", lambda route: waiting.append(route))
    attributes = box.get_by_label("Attributes of cup")
    attributes.fill("size")
    attributes.press("Tab")
    expect(box.get_by_role("status")).to_have_text("Saving …")
    box.get_by_label("Delete cup").click()
    expect(box.locator(".fate")).to_contain_text("1 object on 1 image")
    for route in waiting:
        route.continue_()
    expect(box.get_by_role("status")).not_to_have_text("Saving …")
    expect(box.locator(".fate")).to_contain_text("1 object on 1 image")
    desk.page.unroute("**/labels")
    box.locator(".fate").get_by_role("button", name="Keep the label").click()
    expect(box.locator(".fate")).to_have_count(0)
