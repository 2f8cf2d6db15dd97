"""Nothing is lost: two tabs, a server that goes away, SIGKILL between two accepts."""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from desk import Desk, Server
from fakes import shapes_image
from PIL import Image
from playwright.sync_api import Response, Route, expect

pytestmark = pytest.mark.browser
ELLIPSE, RECTANGLE = (56, 54), (124, 66)
ACCEPTS, PATIENCE_S = 50, 60
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


def test_a_click_waits_for_a_server_that_comes_back(
    desk: Desk, server: Server, picture: str
) -> None:
    place = desk.window_point(*ELLIPSE)
    desk.page.mouse.move(
        0, 0
    )  # a pointer that rests on the object from before would show a preview of it
    desk.lose_the_server()
    desk.page.mouse.click(*place)
    expect(desk.page.get_by_role("alert")).to_contain_text("doesn't answer")
    assert desk.is_painted(*ELLIPSE)  # the click is drawn, though not yet answered
    assert not desk.is_painted(40, 54)
    desk.page.unroute_all()
    desk.ready()
    expect(desk.page.get_by_role("alert")).to_have_count(0)
    assert len(server.document(picture)["objects"][0]["clicks"]) == 1
    assert desk.is_painted(40, 54)


def test_a_restarted_server_is_told_apart_from_one_that_is_away(
    folder: Path, serve: Start, sit_down: Sit
) -> None:
    """The token changed: the page says so, and the new address shows all that was acknowledged."""
    server = serve(folder)
    desk = sit_down(server).click(*ELLIPSE)
    server.kill()
    again = serve(folder, port=server.port)
    desk.page.mouse.click(*desk.window_point(*RECTANGLE))
    expect(desk.page.get_by_role("status")).to_contain_text(
        ["no longer valid"], use_inner_text=True
    )
    assert len(again.document("a.png")["objects"]) == 1
    assert sit_down(again, "a.png").is_painted(40, 54)


def test_a_tab_goes_on_after_a_restart_that_keeps_the_token(
    folder: Path, serve: Start, sit_down: Sit
) -> None:
    """Three steps while nobody answers: all are sent, in their order, and nothing is asked."""
    server = serve(folder, keep="keep")
    desk = sit_down(server, "a.png").click(*ELLIPSE)
    places = [desk.window_point(*point) for point in (RECTANGLE, (140, 20), (20, 100))]
    server.kill()
    for x, y in places:
        desk.page.keyboard.press("n")
        desk.page.mouse.click(x, y)
    expect(desk.page.get_by_role("alert")).to_contain_text("doesn't answer")
    again = serve(folder, keep="keep")
    assert again.url == server.url
    expect(desk.page.get_by_role("alert")).to_have_count(0)
    desk.ready()
    objects = again.document("a.png")["objects"]
    assert [len(one["clicks"]) for one in objects] == [1, 1, 1, 1]
    clicks = [(round(one["clicks"][0]["x"]), round(one["clicks"][0]["y"])) for one in objects]
    for found, wanted in zip(clicks, (ELLIPSE, RECTANGLE, (140, 20), (20, 100)), strict=True):
        assert abs(found[0] - wanted[0]) <= 1
        assert abs(found[1] - wanted[1]) <= 1


def test_what_waits_behind_a_change_whose_answer_was_lost_is_sent(
    desk: Desk, server: Server, picture: str
) -> None:
    """The first click is saved and its answer lost; the second one was made behind it."""
    places = [desk.window_point(*point) for point in (ELLIPSE, RECTANGLE)]
    lost: list[str] = []

    def lose_the_first(route: Route) -> None:
        if not lost:
            lost.append(route.request.url)
            route.fetch()
            route.abort("connectionreset")
        else:
            route.continue_()

    desk.intercept("**/changes", lose_the_first)
    for x, y in places:
        desk.page.mouse.click(x, y)
        desk.page.keyboard.press("n")
    expect(desk.page.get_by_role("alert")).to_have_count(0)
    desk.ready()
    desk.page.unroute_all()
    assert lost
    assert len(server.document(picture)["objects"]) == 2


def test_the_page_works_below_a_path_of_a_proxy(
    folder: Path, serve: Start, sit_down: Sit, unused_port: int
) -> None:
    """The proxy takes its path off and keeps the Host, as jupyter-server-proxy does."""
    prefix = "/user/me/proxy/8000"
    base = f"http://127.0.0.1:{unused_port}{prefix}"
    server = serve(folder, base=base)
    with proxied(unused_port, prefix, server.port):
        token = server.url.partition("?")[2]
        server.url = f"{base}/?{token}"
        desk = sit_down(server, "a.png").click(*ELLIPSE)
        assert desk.page.url.startswith(f"{base}/#")
        assert desk.is_painted(40, 54)
        desk.page.locator("#export").click()
        with desk.page.expect_download() as download:
            desk.page.locator("[data-format=coco]").click()
        assert download.value.suggested_filename == "shapes-coco.zip"
        desk.page.reload()
        desk.ready()
        assert desk.is_painted(40, 54)
    cookies = desk.page.context.cookies()
    assert [cookie["path"] for cookie in cookies if cookie["httpOnly"]] == [prefix]
    assert {cookie["path"] for cookie in cookies} == {prefix}  # and what the page keeps for itself


def test_the_folders_notices_are_shown_until_they_are_put_away(
    folder: Path, serve: Start, sit_down: Sit
) -> None:
    (folder / "d.png").symlink_to("a.png")
    desk = sit_down(serve(folder), "a.png")
    note = desk.page.get_by_role("note")
    expect(note).to_contain_text("1 link to an image or folder was left out")
    note.get_by_role("button", name="OK").click()
    expect(note).to_have_count(0)


def test_an_image_of_another_size_is_shown_and_not_changed(
    folder: Path, serve: Start, sit_down: Sit
) -> None:
    server = serve(folder)
    desk = sit_down(server, "a.png").click(*ELLIPSE)
    Image.fromarray(shapes_image(300, 400)).save(folder / "a.png")
    desk.page.reload()
    desk.ready()
    expect(desk.page.get_by_role("note")).to_contain_text("put the image back")
    assert desk.is_painted(40, 54)
    desk.click(200, 200)
    assert len(server.document("a.png")["objects"]) == 1


@contextmanager
def proxied(port: int, prefix: str, target: int) -> Iterator[None]:
    """A reverse proxy on that port that serves another server's root below `prefix`."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            length = int(self.headers.get("content-length", 0))
            body = self.rfile.read(length)
            connection = HTTPConnection("127.0.0.1", target)
            headers = {name: value for name, value in self.headers.items() if name != "Connection"}
            path = self.path.removeprefix(prefix) or "/"
            connection.request(self.command, path, body, headers)
            answer = connection.getresponse()
            data = answer.read()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name not in ("transfer-encoding", "content-length", "connection"):
                    self.send_header(name, value)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
            connection.close()

        do_POST = do_GET

        def log_message(self, *given: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield
        server.shutdown()


@pytest.fixture
def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


@pytest.mark.parametrize("times", [1, pytest.param(20, marks=pytest.mark.proof)])
def test_every_acknowledged_accept_survives_a_kill(
    times: int, tmp_path: Path, serve: Start, sit_down: Sit
) -> None:
    """SIGKILL somewhere in the middle of fifty accepts."""
    chance = random.Random(7)
    total = 0
    for turn in range(times):
        folder = tmp_path / str(turn)
        folder.mkdir()
        for number in range(ACCEPTS):
            Image.fromarray(shapes_image(40, 60, seed=number)).save(folder / f"{number:02}.png")
        accepted = accept_until_killed(serve(folder), sit_down, chance)
        states = {entry["id"]: entry["state"] for entry in serve(folder).images().values()}
        assert {states[image] for image in accepted} == {"done"}
        total += len(accepted)
    print(f"{times} kills, {total} acknowledged accepts, none lost")


def accept_until_killed(server: Server, sit_down: Sit, chance: random.Random) -> set[str]:
    """Clicks and accepts image after image until a SIGKILL hits, after a fifth to four fifths of
    them.

    Gives the ids of those whose acceptance the browser saw acknowledged.
    """
    accepted: set[str] = set()

    def note(response: Response) -> None:
        request = response.request
        if (
            request.method == "POST"
            and response.status == 200
            and '"op":"done"' in (request.post_data or "")
        ):
            accepted.add(request.url.split("/")[-2])

    desk = sit_down(server)
    desk.page.on("response", note)
    place = desk.window_point(20, 18)
    last = int(chance.uniform(0.2, 0.8) * ACCEPTS)
    killer = threading.Timer(chance.uniform(0, 0.3), server.process.kill)
    for number in range(ACCEPTS):
        if not shows(desk, f"{number:02}.png"):
            break
        desk.page.mouse.click(*place)
        desk.page.keyboard.press("Control+Enter")
        if number == last:
            killer.start()
    killer.join()
    desk.page.wait_for_timeout(50)  # what was answered before the kill still arrives
    assert last <= len(accepted) < ACCEPTS
    return accepted


def shows(desk: Desk, name: str) -> bool:
    """Waits until the page shows that image, at rest; False when the server died before."""
    question = """name => document.querySelector('#image-list .current .name')?.textContent === name
        && document.getElementById('stage').ariaBusy === 'false'"""
    until = time.monotonic() + PATIENCE_S
    while not desk.page.evaluate(question, name):
        if desk.server.process.poll() is not None:
            return False
        assert time.monotonic() < until, f"{name} doesn't open"
        desk.page.wait_for_timeout(10)
    return True
