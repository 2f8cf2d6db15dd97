"""Nothing is lost: two tabs, a server that goes away, SIGKILL between two accepts."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from desk import Desk, Server
from fakes import shapes_image
from PIL import Image
from playwright.sync_api import Response, expect

pytestmark = pytest.mark.browser
ELLIPSE, RECTANGLE = (56, 54), (124, 66)
Start, Sit = Callable[..., Server], Callable[..., Desk]


def test_the_second_of_two_tabs_sees_a_conflict_and_both_works(
    desk: Desk, server: Server, picture: str, sit_down: Sit
) -> None:
    other = sit_down(server, picture)
    desk.click(*ELLIPSE)
    other.click(*RECTANGLE)
    alert = other.page.get_by_role("alert")
    expect(alert).to_contain_text("changed elsewhere")
    assert len(server.document(picture)["objects"]) == 1
    assert other.is_painted(40, 54)  # the first tab's work is shown
    assert not other.is_painted(130, 60)

    alert.get_by_role("button", name="Apply my step").click()
    other.ready()
    expect(alert).to_have_count(0)
    assert len(server.document(picture)["objects"]) == 2
    assert other.is_painted(130, 60)

    desk.click(140, 20)
    expect(desk.page.get_by_role("alert")).to_contain_text("(click) was not applied")
    desk.page.get_by_role("alert").get_by_role("button", name="OK").click()
    desk.ready()
    assert len(server.document(picture)["objects"]) == 2
    assert desk.is_painted(130, 60)


def test_a_click_waits_for_a_server_that_comes_back(desk: Desk, server: Server, picture: str) -> None:
    place = desk.window_point(*ELLIPSE)
    desk.page.mouse.move(0, 0)  # a pointer that rests on the object from before would show a preview of it
    desk.page.route("**/api/**", lambda route: route.abort("connectionrefused"))
    desk.page.mouse.click(*place)
    expect(desk.page.get_by_role("alert")).to_contain_text("doesn't answer")
    assert desk.is_painted(*ELLIPSE)  # the click is drawn, though not yet answered
    assert not desk.is_painted(40, 54)
    desk.page.unroute_all()
    desk.ready()
    expect(desk.page.get_by_role("alert")).to_have_count(0)
    assert len(server.document(picture)["objects"][0]["clicks"]) == 1
    assert desk.is_painted(40, 54)


def test_a_restarted_server_is_told_apart_from_one_that_is_away(folder: Path, serve: Start, sit_down: Sit) -> None:
    """The token changed: the page says so, and the new address shows all that was acknowledged."""
    server = serve(folder)
    desk = sit_down(server).click(*ELLIPSE)
    server.kill()
    again = serve(folder, port=server.port)
    desk.page.mouse.click(*desk.window_point(*RECTANGLE))
    expect(desk.page.get_by_role("status")).to_contain_text(["no longer valid"], use_inner_text=True)
    assert len(again.document("a.png")["objects"]) == 1
    assert sit_down(again, "a.png").is_painted(40, 54)


@pytest.mark.parametrize(
    ("images", "times"),
    [(5, 1), pytest.param(50, 20, marks=pytest.mark.proof)],
)
def test_every_acknowledged_accept_survives_a_kill(
    images: int, times: int, tmp_path: Path, serve: Start, sit_down: Sit
) -> None:
    chance = random.Random(7)
    for turn in range(times):
        folder = tmp_path / str(turn)
        folder.mkdir()
        for number in range(images):
            Image.fromarray(shapes_image(40, 60, seed=number)).save(folder / f"{number:02}.png")
        accepted = accept_until_killed(serve(folder), sit_down, images, chance.uniform(0.2, 0.8))
        assert accepted
        states = {entry["id"]: entry["state"] for entry in serve(folder).images().values()}
        assert {states[image] for image in accepted} == {"done"}


def accept_until_killed(server: Server, sit_down: Sit, images: int, share: float) -> set[str]:
    """Clicks and accepts image after image until a SIGKILL hits, somewhere after that share of them.

    Gives the ids of those whose acceptance the browser saw acknowledged.
    """
    accepted: set[str] = set()

    def note(response: Response) -> None:
        request = response.request
        if request.method == "POST" and response.status == 200 and '"op":"done"' in (request.post_data or ""):
            accepted.add(request.url.split("/")[-2])

    desk = sit_down(server)
    desk.page.on("response", note)
    place = desk.window_point(20, 18)
    killer: threading.Timer | None = None
    for number in range(images):
        desk.page.mouse.click(*place)
        desk.page.keyboard.press("Control+Enter")
        if number == int(share * images):
            killer = threading.Timer(random.Random(number).uniform(0, 0.2), server.process.kill)
            killer.start()
        until = time.monotonic() + 5
        while len(accepted) <= number and server.process.poll() is None and time.monotonic() < until:
            desk.page.wait_for_timeout(10)
        if server.process.poll() is not None:
            break
    killer.join()
    desk.page.wait_for_timeout(50)  # what was answered before the kill still arrives
    return accepted
