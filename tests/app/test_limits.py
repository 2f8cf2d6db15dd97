"""A running annotator whose files, clients and users are in each other's way: nobody waits for
another, and Ctrl-C ends it."""

from __future__ import annotations

import http.client
import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from waiting import wait_until

from vtmr.app import reading
from vtmr.app.exports import member_name
from vtmr.app.store import Store
from vtmr.app.turns import LARGE, Turns
from vtmr.serving import connections

TESTS = Path(__file__).parents[1]
AT_ONCE_S = 3.0  # what hangs in these tests hangs for ten seconds or minutes
# The annotator with the colour network. SLOW is run before, in the same process; what calls `held`
# there says so with a file and waits for another.
SERVE = """
import os, sys, threading, time
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from fakes import ColourNetwork
from vtmr.app.annotator import Annotator
from vtmr.app.running import Reach, run
from vtmr.segmenter import segmenter_for
from vtmr.app import pictures, reading
from vtmr.serving import connections
def held():
    Path(sys.argv[3], "begun").touch()
    while not Path(sys.argv[3], "go").exists():
        time.sleep(0.02)
def stuck(name, module=pictures):
    real = getattr(module, name)
    def read(path, *more):
        if Path(os.path.realpath(path)).name.startswith("slow"):
            held()
        return real(path, *more)
    setattr(module, name, read)
SLOW
run(Annotator(Path(sys.argv[1]), segmenter_for(ColourNetwork()), made_with={}), Reach())
"""


class Server:
    """The annotator in a process of its own."""

    def __init__(self, folder: Path, slow: str = "") -> None:
        self._signs = folder.parent / "signs"
        self._signs.mkdir()
        code = SERVE.replace("SLOW", slow)
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, str(folder), str(TESTS), str(self._signs)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.base, self.token = self.process.stdout.readline().strip().split("/?token=")
        self.port = int(self.base.rpartition(":")[2])

    def ask(self, path: str, body: Any = None, timeout: float = 30) -> tuple[int, bytes]:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.base}/api/v1{path}", data, headers)
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    def ids(self) -> dict[str, str]:
        images = json.loads(self.ask("/images")[1])["images"]
        return {image["name"]: image["id"] for image in images}

    def brush(self, image: str, revision: int) -> int:
        body = {"op": "brush", "revision": revision, "object": None, "points": [[9, 9]]}
        return self.ask(f"/images/{image}/changes", {**body, "radius": 4, "mode": "add"})[0]

    def in_background(self, path: str, body: Any = None) -> threading.Thread:
        """A request that nobody waits for."""

        ask = partial(self.ask, path, body, timeout=60)
        thread = threading.Thread(target=_quietly, args=[ask], daemon=True)
        thread.start()
        return thread

    def wait_until_held(self) -> None:
        wait_until((self._signs / "begun").exists)

    def let_go(self) -> None:
        """What is held goes on, and nothing is held any more."""
        (self._signs / "go").touch()

    def interrupt(self) -> tuple[float, int, str]:
        """Ctrl-C: the seconds that it took, the exit code, and what was said."""
        begun = time.monotonic()
        self.process.send_signal(signal.SIGINT)
        _, said = self.process.communicate(timeout=20)
        return time.monotonic() - begun, self.process.returncode, said


@pytest.fixture
def serve(folder: Path) -> Iterator[Callable[..., Server]]:
    running: list[Server] = []

    def start(slow: str = "") -> Server:
        running.append(Server(folder, slow))
        return running[-1]

    yield start
    for server in running:
        if server.process.poll() is None:
            server.process.kill()
            server.process.communicate()


def timed(function: Callable[[], Any]) -> tuple[Any, float]:
    begun = time.monotonic()
    return function(), time.monotonic() - begun


@pytest.mark.slow
class TestSlowFiles:
    @pytest.mark.parametrize("where", ["read_image", "read_thumbnail", "read_header", "read_ahead"])
    def test_a_file_that_does_not_come_stalls_itself_alone(
        self, serve: Any, folder: Path, where: str
    ) -> None:
        """Six of them, more than any pool has threads, opened and shown in the list; the others
        open, change and are shown meanwhile, and Ctrl-C ends at once with everything saved."""
        for number in range(6):
            Image.new("RGB", (50, 40)).save(folder / f"slow{number}.png")
        server = serve(f"stuck({where!r})")
        ids = server.ids()
        for number in range(6):
            server.in_background(f"/images/{ids[f'slow{number}.png']}")
            server.in_background(f"/images/{ids[f'slow{number}.png']}/thumbnail.jpg")
        server.wait_until_held()
        time.sleep(0.3)  # as many as are
        image = ids["shapes.png"]
        (status, _), seconds = timed(lambda: server.ask(f"/images/{image}"))
        assert status == 200
        assert seconds < 5  # a pool's patience is two, a turn's one
        assert server.ask(f"/images/{ids['sub/other.png']}/thumbnail.jpg")[0] == 200
        changed, seconds = timed(lambda: server.brush(image, 0))
        assert (changed, seconds < 1.5) == (200, True)
        assert timed(lambda: server.ask("/images"))[1] < 1.5
        seconds, code, said = server.interrupt()
        assert code == 0
        assert seconds < AT_ONCE_S
        assert "Everything is saved." in said
        assert "Traceback" not in said
        assert Store(folder, write=False).heads["shapes.png"].objects == 1

    def test_it_is_given_up_with_a_sentence(self, serve: Any, folder: Path) -> None:
        """After a second here, twenty else; whoever asks again hears it at once, and when the file
        has come after all it is shown."""
        Image.new("RGB", (50, 40)).save(folder / "slow.png")
        server = serve("stuck('read_image'); reading.LIMIT_S = 1.0")
        path = f"/images/{server.ids()['slow.png']}"
        (status, body), seconds = timed(lambda: server.ask(path))
        assert status == 422
        assert 1 <= seconds < 3.5
        assert "slow.png is still being read" in json.loads(body)["error"]["message"]
        (status, _), seconds = timed(lambda: server.ask(path))
        assert (status, seconds < 0.5) == (422, True)
        server.let_go()
        wait_until(lambda: server.ask(path)[0] == 200)

    @pytest.mark.parametrize("kind", ["pipe", "link", "folder", "gone"])
    def test_what_was_swapped_in_is_refused_at_once(
        self, serve: Any, folder: Path, kind: str
    ) -> None:
        """In the place of an image, and of the mask beside one."""
        secret = folder.parent / "secret.png"
        Image.new("RGB", (160, 120), "red").save(secret)
        Image.new("L", (160, 120)).save(folder / "shapes.mask.png")
        server = serve()
        ids = server.ids()
        server.ask(f"/images/{ids['shapes.png']}")
        for path in (folder / "sub" / "other.png", folder / "shapes.mask.png"):
            path.unlink()
            if kind == "pipe":
                os.mkfifo(path)
            elif kind == "link":
                path.symlink_to(secret)
            elif kind == "folder":
                path.mkdir()
        for path in ("", "/thumbnail.jpg", "/tiles/0/0/0.jpg"):
            found = server.ask(f"/images/{ids['sub/other.png']}{path}", timeout=3)
            assert found[0] == 422
            assert b"other.png" in found[1]
        body = {"op": "import_mask", "revision": 0}
        assert server.ask(f"/images/{ids['shapes.png']}/changes", body, timeout=3)[0] == 404

    def test_a_folder_on_the_way_that_became_a_link_is_refused(
        self, serve: Any, folder: Path
    ) -> None:
        server = serve()
        image = server.ids()["sub/other.png"]
        (folder / "sub").rename(folder.parent / "elsewhere")
        (folder / "sub").symlink_to(folder.parent / "elsewhere")
        assert server.ask(f"/images/{image}")[0] == 422

    def test_a_slow_mask_beside_an_image_holds_up_no_prediction(
        self, serve: Any, folder: Path
    ) -> None:
        """It is read like an image, not where predictions are made."""
        Image.open(folder / "shapes.png").save(folder / "slow.png")
        Image.new("L", (160, 120)).save(folder / "slow.mask.png")
        server = serve("from vtmr.app import annotator; stuck('read_masks', annotator)")
        ids = server.ids()
        server.ask(f"/images/{ids['slow.png']}")
        body = {"op": "import_mask", "revision": 0}
        server.in_background(f"/images/{ids['slow.png']}/changes", body)
        server.wait_until_held()
        click = {"op": "click", "revision": 0, "object": None, "clicks": [{"x": 56, "y": 54}]}
        assert server.ask(f"/images/{ids['shapes.png']}/changes", click)[0] == 200


class TestTurns:
    def test_large_images_take_turns_and_small_ones_do_not(self) -> None:
        turns = Turns()
        order: list[str] = []
        with turns.taken(LARGE):
            thread = threading.Thread(target=lambda: _take(turns, LARGE, order, "large"))
            thread.start()
            _take(turns, LARGE - 1, order, "small")
            time.sleep(0.1)
            assert order == ["small"]
        thread.join()
        assert order == ["small", "large"]

    def test_two_small_ones_are_decoded_at_the_same_time(self) -> None:
        turns = Turns()
        order: list[str] = []
        with turns.taken(1), turns.taken(LARGE):
            _take(turns, 1, order, "second")
            with turns.taken(1):
                thread = threading.Thread(target=lambda: _take(turns, 1, order, "third"))
                thread.start()
                time.sleep(0.1)
                assert order == ["second"]
            thread.join()
        assert order == ["second", "third"]

    @pytest.mark.parametrize("pixels", [1, LARGE])
    def test_nobody_waits_for_ever(self, pixels: int) -> None:
        turns = Turns()
        turns._small.patience_s = turns._large.patience_s = 0.2
        order: list[str] = []
        with turns.taken(pixels), turns.taken(1 if pixels == 1 else LARGE):
            _take(turns, pixels, order, "came")
        assert order == ["came"]


def _take(turns: Turns, pixels: int, order: list[str], name: str) -> None:
    with turns.taken(pixels):
        order.append(name)


class TestExports:
    @pytest.mark.slow
    def test_many_slow_ones_hold_up_nobody_and_the_surplus_is_refused(
        self, serve: Any, folder: Path
    ) -> None:
        """Twelve at once: two are held, six wait, the others are told to come again."""
        server = serve(
            "import zipfile; real = zipfile.ZipFile.__init__\n"
            "def slow(self, *given, **more): held(); real(self, *given, **more)\n"
            "zipfile.ZipFile.__init__ = slow"
        )
        image = server.ids()["shapes.png"]
        answers: list[int] = []
        crowd = [
            threading.Thread(
                target=lambda: answers.append(server.ask("/exports", {"format": "coco"})[0])
            )
            for _ in range(12)
        ]
        for thread in crowd:
            thread.start()
        wait_until(lambda: len(answers) >= 4)
        for revision in range(3):
            assert server.brush(image, revision) == 200
        assert server.ask("/images")[0] == 200
        assert server.ask(f"/images/{image}/thumbnail.jpg")[0] == 200
        assert answers == [503] * 4
        server.let_go()
        for thread in crowd:
            thread.join()
        assert sorted(answers) == [200] * 8 + [503] * 4

    @pytest.mark.slow
    def test_many_slow_imports_hold_up_nobody_either(self, serve: Any) -> None:
        server = serve(
            "from vtmr.formats.coco import CocoFile; real = CocoFile.parse\n"
            "CocoFile.parse = lambda content: (held(), real(content))[1]"
        )
        image = server.ids()["shapes.png"]
        file: dict[str, Any] = {"images": [], "annotations": [], "categories": []}
        crowd = [server.in_background("/import", file) for _ in range(12)]
        server.wait_until_held()
        assert server.brush(image, 0) == 200
        assert server.ask("/images")[0] == 200
        server.let_go()
        for thread in crowd:
            thread.join()

    @pytest.mark.slow
    def test_ctrl_c_does_not_wait_for_one(self, serve: Any) -> None:
        server = serve("from vtmr.app import exports; exports.write = lambda *given: held()")
        thread = server.in_background("/exports", {"format": "coco"})
        server.wait_until_held()
        seconds, code, said = server.interrupt()
        assert (code, seconds < AT_ONCE_S) == (0, True)
        assert "Traceback" not in said
        thread.join()

    @pytest.mark.parametrize(
        ("name", "inside"),
        [
            ("a/b.txt", "a/b.txt"),
            ("../../evil.txt", "__/__/evil.txt"),
            ("/etc/passwd", "etc/passwd"),
            ("a/../../b", "a/__/__/b"),
            ("..", "__"),
            ("a/./b", "a/_/b"),
            ("a/ .. /b", "a/____/b"),
            ("..\\..\\evil.txt", ".._.._evil.txt"),
            ("C:\\evil.txt", "C__evil.txt"),
            ("C:/evil.txt", "C_/evil.txt"),
            ("a\nb\0c", "a_b_c"),
            ("a//b", "a/b"),
            ("写真/é.json", "写真/é.json"),
        ],
    )
    def test_no_name_in_a_zip_leads_out(self, name: str, inside: str) -> None:
        assert member_name(name) == inside

    def test_names_that_become_the_same_stay_two(self, folder: Path, start: Any) -> None:
        for name in ("a\\b.png", "a_b.png"):
            Image.open(folder / "shapes.png").save(folder / name)
        annotating = start(folder)
        for name in ("a\\b.png", "a_b.png"):
            annotating.click(name)
        made = annotating.http.post("/api/v1/exports", json={"format": "labelme"}).json()
        data = annotating.http.get(made["url"]).content
        members = zipfile.ZipFile(io.BytesIO(data)).namelist()
        assert len(set(members)) == len(members) == 2


def _quietly(function: Callable[[], Any]) -> None:
    with suppress(OSError, http.client.HTTPException):
        function()


@pytest.mark.slow
class TestConnections:
    def test_a_head_that_does_not_come_is_given_up(self, serve: Any) -> None:
        """Nothing, a part, a byte every now and then: none begins the clock anew."""
        server = serve("connections.HEAD_S = 1.0")
        silent, half, dripping = (
            socket.create_connection(("127.0.0.1", server.port)) for _ in range(3)
        )
        half.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
        begun = time.monotonic()
        with suppress(OSError):
            for byte in b"GET / HTTP/1.1\r\nX: " + b"y" * 1000:
                dripping.sendall(bytes([byte]))
                time.sleep(0.1)
        assert time.monotonic() - begun < 4
        for one in (silent, half):
            one.settimeout(5)
            assert one.recv(100) == b""
            one.close()
        dripping.close()

    def test_an_answered_connection_stays_for_the_next_request(self, serve: Any) -> None:
        server = serve("connections.HEAD_S = 1.0")
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
        for _ in range(4):
            headers = {"Authorization": f"Bearer {server.token}"}
            connection.request("GET", "/api/v1/project", headers=headers)
            answer = connection.getresponse()
            assert (answer.status, bool(answer.read())) == (200, True)
            time.sleep(0.5)
        connection.close()

    def test_silent_clients_keep_nobody_out(self, serve: Any) -> None:
        """Three times as many as there may be: the newest come in, the oldest go."""
        server = serve("connections.MOST = 20")
        crowd = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(60)]
        assert server.ask("/project")[0] == 200
        open_files = Path(f"/proc/{server.process.pid}/fd")
        sockets = [one for one in open_files.iterdir() if _is_socket(one)]
        assert len(sockets) < 40
        for one in crowd:
            one.close()

    def test_where_all_are_at_work_a_new_one_is_told(self, serve: Any, folder: Path) -> None:
        for number in range(6):
            Image.new("RGB", (50, 40)).save(folder / f"slow{number}.png")
        server = serve("stuck('read_image'); connections.MOST = 6")
        ids = server.ids()
        time.sleep(0.2)
        for number in range(6):
            server.in_background(f"/images/{ids[f'slow{number}.png']}")
        time.sleep(0.5)
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
        connection.request("GET", "/api/v1/project")
        answer = connection.getresponse()
        assert answer.status == 503
        assert answer.read() == b"Too many connections are open.\r\n"
        connection.close()

    def test_ctrl_c_waits_for_no_connection(self, serve: Any) -> None:
        server = serve()
        crowd = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(5)]
        crowd[0].sendall(b"GET / HTTP/1.1\r\n")
        crowd[1].sendall(
            b"POST /api/v1/exports HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Length: 99\r\n"
            b"Content-Type: application/json\r\nAuthorization: Bearer %s\r\n\r\n{"
            % (server.port, server.token.encode())
        )
        time.sleep(0.3)
        seconds, code, said = server.interrupt()
        assert (code, seconds < AT_ONCE_S) == (0, True)
        assert "Traceback" not in said
        for one in crowd:
            one.close()


def _is_socket(path: Path) -> bool:
    try:
        return str(path.readlink()).startswith("socket:")
    except OSError:
        return False


def test_the_defaults_are_what_the_page_says() -> None:
    text = (TESTS.parent / "docs" / "api.md").read_text()
    assert f"has to come within {connections.HEAD_S:g} s" in text
    assert f"At most {connections.MOST}\n  connections" in text
    assert f"haven't come within {reading.LIMIT_S:g} s" in text


@pytest.mark.parametrize("number", ["9" * 5000, "9" * 10, "-1", "x", "1e3", "٣", "%00"])
@pytest.mark.parametrize("place", ["{}/0/0", "0/{}/0", "0/0/{}"])
def test_a_tile_of_no_number_is_a_bad_request(annotating: Any, number: str, place: str) -> None:
    image = annotating.ids()["shapes.png"]
    path = f"/api/v1/images/{image}/tiles/{place.format(number)}.jpg"
    answer = annotating.http.get(path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_request")


@pytest.mark.parametrize("place", ["9/0/0", "0/999999999/0", "0/0/1"])
def test_a_tile_that_is_not_there_is_not_found(annotating: Any, place: str) -> None:
    image = annotating.ids()["shapes.png"]
    assert annotating.http.get(f"/api/v1/images/{image}/tiles/{place}.jpg").status_code == 404


@pytest.mark.parametrize("name", ["写" * 83 + ".png", "a" * 251 + ".png", "é" * 120 + ".jpeg"])
def test_names_as_long_as_they_can_be_work(folder: Path, start: Any, name: str) -> None:
    """255 bytes; the mask beside it would have a longer name still."""
    Image.open(folder / "shapes.png").save(folder / name, "PNG")
    annotating = start(folder)
    assert annotating.click(name)["object"] == "o1"
    assert annotating.open(name)["document"]["mask_beside"] is None
    image = annotating.ids()[name]
    assert annotating.http.get(f"/api/v1/images/{image}/thumbnail.jpg").status_code == 200


class TestLinks:
    def test_links_are_left_out_and_counted(self, tmp_path: Path, start: Any) -> None:
        (tmp_path / "store").mkdir()
        Image.new("RGB", (9, 9)).save(tmp_path / "store" / "a.png")
        folder = tmp_path / "set"
        folder.mkdir()
        for number in range(3):
            (folder / f"{number}.png").symlink_to("../store/a.png")
        (folder / "more").symlink_to("../store")
        (folder / "notes.txt").symlink_to("../store/a.png")  # no image: not missed
        annotating = start(folder)
        assert annotating.ids() == {}
        (notice,) = annotating.http.get("/api/v1/project").json()["notices"]
        assert notice.startswith("4 links")

    @pytest.mark.parametrize("target", ["gone.png", "loop.png"])
    def test_broken_links_are_no_trouble(self, folder: Path, start: Any, target: str) -> None:
        (folder / "loop.png").symlink_to(target)
        annotating = start(folder)
        assert set(annotating.ids()) == {"shapes.png", "sub/other.png"}
