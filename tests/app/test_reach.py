"""Ways to the page: codes instead of tokens, cookies, other addresses, a token that is kept."""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from vtmr.app import running
from vtmr.app.annotator import Annotator
from vtmr.app.running import Reach
from vtmr.app.server import create_app
from vtmr.app.tokens import Start, keep_start, kept_start
from vtmr.serving import access as access_module
from vtmr.serving.access import Access
from vtmr.serving.baseurl import BaseUrl

API = "/api/v1/project"
TOKEN = "t" * 32


@pytest.fixture
def reached(annotating: Any) -> Callable[..., TestClient]:
    """A client without a token at a server that is reached at `base`; its requests name `host`."""

    def at(base: str | None, host: str = "127.0.0.1:8000", **kept: Access) -> TestClient:
        access = kept.get("access") or Access(
            "127.0.0.1", 8000, TOKEN, BaseUrl.parse(base) if base else None
        )
        app = create_app(annotating.annotator, access)
        return TestClient(app, f"http://{host}", follow_redirects=False)

    return at


class TestCodes:
    def test_a_code_opens_the_page_once(self, reached: Any) -> None:
        access = Access("127.0.0.1", 8000, TOKEN)
        path = access.code_url().removeprefix("http://127.0.0.1:8000")
        assert TOKEN not in path
        first, second = reached(None, access=access), reached(None, access=access)
        answer = first.get(path)
        assert answer.status_code == 303
        assert TOKEN not in answer.headers["set-cookie"]
        assert first.get(API).status_code == 200
        assert second.get(path).status_code == 401
        assert second.get(API).status_code == 401

    @pytest.mark.parametrize("code", ["", "x", "é", "%00", "a" * 5000])
    def test_other_codes_do_not(self, reached: Any, code: str) -> None:
        access = Access("127.0.0.1", 8000, TOKEN)
        access.code_url()
        assert reached(None, access=access).get(f"/?code={code}").status_code == 401

    def test_a_code_is_good_for_five_minutes(
        self, reached: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        access = Access("127.0.0.1", 8000, TOKEN)
        path = access.code_url().removeprefix("http://127.0.0.1:8000")
        later = time.monotonic() + 301
        monkeypatch.setattr(access_module.time, "monotonic", lambda: later)
        assert reached(None, access=access).get(path).status_code == 401

    def test_a_code_opens_no_other_route(self, reached: Any) -> None:
        access = Access("127.0.0.1", 8000, TOKEN)
        query = access.code_url().partition("?")[2]
        assert reached(None, access=access).get(f"{API}?{query}").status_code == 401

    def test_the_browser_that_is_started_gets_a_code(
        self, annotating: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """And nothing in its arguments is the token or of it."""
        opened: list[str] = []
        monkeypatch.setattr(running.webbrowser, "open", opened.append)
        monkeypatch.setattr(running._Server, "run", lambda self, sockets: time.sleep(0.1))
        running.run(annotating.annotator, Reach(open_browser=True))
        token = capsys.readouterr().out.strip().partition("token=")[2]
        assert len(token) == 32
        assert len(opened) == 1
        assert token not in opened[0]
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/\?code=[\w-]{32}", opened[0])


class TestCookie:
    def test_it_opens_this_server_alone(self, reached: Any) -> None:
        """Browsers send it to every port of the host; nobody makes the token of it."""
        one, other = Access("127.0.0.1", 8000, TOKEN), Access("127.0.0.1", 8001, TOKEN)
        assert one.cookie_value != other.cookie_value
        assert TOKEN not in one.cookie_value
        headers = {"Cookie": f"{one.cookie}={one.cookie_value}"}
        assert reached(None).get(API, headers=headers).status_code == 200
        wrong = {"Cookie": f"{one.cookie}={other.cookie_value}"}
        assert reached(None).get(API, headers=wrong).status_code == 401
        bearer = {"Authorization": f"Bearer {one.cookie_value}"}
        assert reached(None).get(API, headers=bearer).status_code == 401
        assert reached(None).get(f"/?token={one.cookie_value}").status_code == 401


class TestAddresses:
    @pytest.mark.parametrize(
        ("base", "host", "prefix"),
        [
            ("http://localhost:9000", "localhost:9000", ""),
            ("http://workstation:8000", "workstation:8000", ""),
            ("http://hub.example/user/me/proxy/8000", "hub.example", "/user/me/proxy/8000"),
            ("http://hub.example/proxy/8000/", "127.0.0.1:8000", "/proxy/8000"),
            ("http://hub.example/proxy/8000/", "127.0.0.1:8000", ""),
            ("http://hub.example/proxy/8000/", "hub.example", ""),
        ],
        ids=["tunnel", "name", "path", "path, own Host", "path taken off", "taken off, Host kept"],
    )
    def test_the_page_and_the_api_are_there(
        self, reached: Any, base: str, host: str, prefix: str
    ) -> None:
        client = reached(base, host)
        answer = client.get(f"{prefix}/?token={TOKEN}")
        assert (answer.status_code, answer.headers["location"]) == (303, "./")
        # The cookie is for the folder that the browser sees, whatever the proxy makes of it.
        name, value = answer.headers["set-cookie"].partition(";")[0].split("=")
        headers = {"Cookie": f"{name}={value}", "Origin": BaseUrl.parse(base).origin}
        for path in ("/", "/static/js/main.js", API):
            assert client.get(prefix + path, headers=headers).status_code == 200
        body = {"format": "coco"}
        made = client.post(f"{prefix}/api/v1/exports", json=body, headers=headers)
        assert made.status_code == 200
        assert client.get(prefix + made.json()["url"], headers=headers).status_code == 200

    def test_without_its_last_slash_the_page_is_elsewhere(self, reached: Any) -> None:
        client = reached("http://hub.example/a/8000", "hub.example")
        answer = client.get(f"/a/8000?token={TOKEN}")
        assert (answer.status_code, answer.headers["location"]) == (307, f"8000/?token={TOKEN}")

    @pytest.mark.parametrize("prefix", ["/proxy/8000", "/proxy/8000/static/..", "/proxy/8000//"])
    def test_a_path_gets_nobody_past_the_guard(self, reached: Any, prefix: str) -> None:
        client = reached("http://hub.example/proxy/8000", "hub.example")
        assert client.get(f"{prefix}{API}").status_code in (401, 404)
        evil = client.get(f"{prefix}{API}", headers={"Host": "evil.example"})
        assert evil.status_code == 403

    @pytest.mark.parametrize(
        "host", ["localhost:9000", "workstation:8000", "workstation", "evil.example:8000"]
    )
    def test_the_refusal_names_the_option(self, reached: Any, host: str) -> None:
        """As a page where a person looks at it, and as JSON elsewhere."""
        client = reached(None, host)
        page = client.get(f"/?token={TOKEN}")
        assert page.status_code == 403
        assert page.headers["content-type"].startswith("text/html")
        assert f"--base-url http://{host}" in page.text
        answer = client.get(API)
        assert answer.status_code == 403
        assert f"--base-url http://{host}" in answer.json()["error"]["message"]

    def test_a_host_is_data(self, reached: Any) -> None:
        page = reached(None).get("/", headers={"Host": "<script>alert(1)</script>"})
        assert page.status_code == 403
        assert "<script" not in page.text

    def test_nothing_in_the_page_is_absolute(self, annotating: Any) -> None:
        page = annotating.http.get("/").text
        links = re.findall(r'(?:href|src)="([^"#]+)', page)
        assert len(links) >= 5
        assert not [link for link in links if link.startswith(("/", "http"))]
        static = Path(running.__file__).parent / "static"
        for script in static.rglob("*.js"):
            assert not re.search(r'["\'`]/(?:api|static)', script.read_text()), script
        for sheet in static.rglob("*.css"):
            assert not re.search(r"url\(['\"]?/", sheet.read_text()), sheet


class TestKeptTokens:
    def test_a_folder_keeps_its_token_for_its_user_alone(self, tmp_path: Path) -> None:
        assert kept_start(tmp_path) is None
        assert keep_start(tmp_path, Start(TOKEN, 8000))
        assert kept_start(tmp_path) == Start(TOKEN, 8000)
        assert kept_start(tmp_path.parent) is None
        (path,) = (
            path
            for path in Path(os.environ["XDG_STATE_HOME"]).rglob("*.json")
            if TOKEN in path.read_text()
        )
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        path.unlink()

    @pytest.mark.parametrize(
        "spoil",
        [
            lambda path: path.chmod(0o640),
            lambda path: path.chmod(0o604),
            lambda path: path.write_text("{}"),
            lambda path: path.write_text('{"token": "short", "port": 8000}'),
            lambda path: path.write_text('{"token": "' + "é" * 32 + '", "port": 8000}'),
            lambda path: path.write_text('{"token": "' + TOKEN + '", "port": 1e999}'),
            lambda path: path.write_bytes(b"\xff" * 5000),
            lambda path: (
                path.rename(path.with_suffix(".x")),
                path.symlink_to(path.with_suffix(".x")),
            ),
            lambda path: (path.unlink(), os.mkfifo(path)),
            lambda path: os.utime(path, (0, 0)),
        ],
    )
    def test_what_cannot_be_trusted_is_not_used(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[Path], object]
    ) -> None:
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
        keep_start(tmp_path, Start(TOKEN, 8000))
        (path,) = (tmp_path / "state").rglob("*.json")
        spoil(path)
        assert kept_start(tmp_path) is None

    def test_a_home_that_cannot_be_written_is_no_refusal(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "state").write_text("a file")
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
        assert not keep_start(tmp_path, Start(TOKEN, 8000))
        assert kept_start(tmp_path) is None

    def test_what_was_long_unused_is_forgotten(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
        keep_start(tmp_path / "a", Start(TOKEN, 8000))
        (old,) = (tmp_path / "state").rglob("*.json")
        os.utime(old, (0, 0))
        keep_start(tmp_path / "b", Start(TOKEN, 8000))
        assert not old.exists()

    def test_a_start_takes_the_last_ones_token_and_port(self, tmp_path: Path) -> None:
        first, access = running._listen(Reach(keep=tmp_path))
        first.close()
        second, again = running._listen(Reach(keep=tmp_path))
        assert (again.token, again.port) == (access.token, access.port)
        # While that port is taken, another one is found, with a token of its own.
        third, other = running._listen(Reach(keep=tmp_path))
        assert other.port != access.port
        assert other.token != access.token
        second.close()
        third.close()
        fourth, fresh = running._listen(Reach())
        assert fresh.token not in (access.token, other.token)
        fourth.close()


def test_a_base_url_is_printed_beside_the_address(
    annotating: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first line of stdout stays the address on this machine, for scripts."""
    monkeypatch.setattr(running._Server, "run", lambda self, sockets: None)
    base = BaseUrl.parse("https://hub.example/user/me/proxy/8000/")
    annotator: Annotator = annotating.annotator
    running.run(annotator, Reach(base=base))
    told = capsys.readouterr()
    token = told.out.strip().partition("/?token=")[2]
    assert told.out.startswith("http://127.0.0.1:")
    assert f"https://hub.example/user/me/proxy/8000/?token={token}" in told.err
