"""Where images are read from: a Label Studio server that answers on loopback, a folder, the task;
and from nowhere else."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from labelstudio import PHOTO, png_of

from vtmr.errors import InputError
from vtmr.plugins.labelstudio import host as host_module
from vtmr.plugins.labelstudio.host import Host, parse_url
from vtmr.plugins.labelstudio.sources import Sources
from vtmr.serving.answers import Refusal

PNG = png_of(PHOTO)
LEGACY, PERSONAL = "0123456789abcdef0123456789abcdef01234567", "head.payload.signature"


class LabelStudio(BaseHTTPRequestHandler):
    """What of Label Studio's server is asked: files for a token, and access for a personal one."""

    asked: list[tuple[str, str]] = []  # noqa: RUF012
    access = "access-1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        good = self.path == "/api/token/refresh" and body == {"refresh": PERSONAL}
        self._answer(200 if good else 401, json.dumps({"access": self.access}).encode())

    def do_GET(self) -> None:
        given = self.headers.get("authorization", "")
        self.asked.append((self.path, given))
        if given not in (f"Token {LEGACY}", f"Bearer {self.access}"):
            self._answer(401, b"")
        elif "away" in self.path:
            self._answer(302, b"", location="http://127.0.0.1:1/secret")
        elif "gone" in self.path:
            self._answer(404, b"")
        elif "mine" in self.path:
            self._answer(403, b"")
        else:
            self._answer(200, PNG)

    def _answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *given: object) -> None:
        """Says nothing."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), LabelStudio)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def asked() -> list[tuple[str, str]]:
    LabelStudio.asked.clear()
    return LabelStudio.asked


def refusal(sources: Sources, value: object) -> str:
    with pytest.raises(Refusal) as caught:
        sources.find(value).read()
    return caught.value.message


class TestHost:
    @pytest.mark.parametrize(
        "path",
        ["/data/upload/1/a-photo.png", "/data/local-files/?d=cats/my%20cat.png", "/a b/ü.png"],
    )
    def test_paths_are_asked_for_with_the_token(
        self, url: str, asked: list[tuple[str, str]], path: str
    ) -> None:
        sources = Sources(Host(url, LEGACY))
        assert sources.find(path).read() == sources.find(url + path).read() == PNG
        assert {header for _, header in asked} == {f"Token {LEGACY}"}
        assert len({address for address, _ in asked}) == 1

    def test_a_personal_token_is_exchanged_and_again_when_its_access_ends(
        self, url: str, asked: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        found = Sources(Host(url, PERSONAL)).find("/data/upload/1/a.png")
        assert found.read() == found.read() == PNG
        monkeypatch.setattr(LabelStudio, "access", "access-2")
        assert found.read() == PNG
        assert [header for _, header in asked] == [
            "Bearer access-1",
            "Bearer access-1",
            "Bearer access-1",
            "Bearer access-2",
        ]

    @pytest.mark.parametrize(
        ("path", "said"),
        [
            ("/data/upload/gone.png", "there is no such file"),
            ("/data/upload/mine.png", "may not see this image"),
            ("/data/upload/away.png", "sends elsewhere, and vtmr asks no other server"),
        ],
    )
    def test_what_it_refuses_is_told(self, url: str, path: str, said: str) -> None:
        assert said in refusal(Sources(Host(url, LEGACY)), path)

    @pytest.mark.parametrize("token", ["", "wrong", "a.wrong.one"])
    def test_a_token_that_is_missing_or_wrong_is_told(self, url: str, token: str) -> None:
        assert "LABEL_STUDIO_API_KEY" in refusal(Sources(Host(url, token)), "/data/upload/a.png")

    def test_a_server_that_is_not_there_is_told(self) -> None:
        sources = Sources(Host("http://127.0.0.1:9", LEGACY))
        assert "can't be fetched" in refusal(sources, "/data/upload/a.png")

    def test_a_file_beyond_the_limit_is_told(
        self, url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(host_module, "MOST_BYTES", 1000)
        assert "make it smaller" in refusal(Sources(Host(url, LEGACY)), "/data/upload/a.png")

    @pytest.mark.parametrize(
        "value",
        [
            "http://127.0.0.1:1/data/upload/a.png",
            "http://169.254.169.254/latest/meta-data",
            "//10.0.0.1/data/upload/a.png",
            "http://user@{origin}/data/upload/a.png",
            "http://{origin}@10.0.0.1/a.png",
            "http://{origin}.evil.example/a.png",
            "https://{origin}/a.png",
            "ftp://{origin}/a.png",
            "file:///etc/passwd",
            "s3://bucket/a.png",
            "gopher://10.0.0.1/",
        ],
    )
    def test_nothing_else_is_asked(
        self, url: str, asked: list[tuple[str, str]], value: str
    ) -> None:
        value = value.format(origin=url.removeprefix("http://"))
        said = refusal(Sources(Host(url, LEGACY)), value)
        assert "is on another server" in said or "is no address" in said
        assert not asked

    def test_a_path_below_the_server_is_kept(self) -> None:
        """A Label Studio behind a proxy's path, in tasks with that path and without."""
        host = Host(parse_url("https://hub.example/label/"))
        expected = "https://hub.example/label/data/upload/1/a.png"
        assert host.address("/data/upload/1/a.png") == expected
        assert host.address("/label/data/upload/1/a.png") == expected
        assert host.address("https://HUB.example:443/label/data/upload/1/a.png") == expected

    @pytest.mark.parametrize(
        "text",
        ["", "label.example", "ftp://a", "http://", "http://a:b", "http://u@a", "http://a?b"],
    )
    def test_an_address_that_is_none_is_refused(self, text: str) -> None:
        with pytest.raises(InputError, match="is no address"):
            parse_url(text)


class TestLocalFiles:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        root = tmp_path / "root"
        (root / "cats").mkdir(parents=True)
        (root / "cats" / "my cat.png").write_bytes(PNG)
        (tmp_path / "secret.png").write_bytes(PNG)
        (root / "way-out.png").symlink_to(tmp_path / "secret.png")
        return root

    def test_they_are_read_from_the_folder(self, folder: Path) -> None:
        """And not from the server, where both are configured."""
        sources = Sources(Host("http://127.0.0.1:9"), folder)
        for value in (
            "/data/local-files/?d=cats/my%20cat.png",
            "/data/local-files/?d=cats/my cat.png",
        ):
            found = sources.find(value)
            assert found.read() == PNG
            assert found.name == "my cat.png"

    def test_a_file_that_changed_is_another(self, folder: Path) -> None:
        sources = Sources(None, folder)
        before = sources.find("/data/local-files/?d=cats/my cat.png").version
        (folder / "cats" / "my cat.png").write_bytes(PNG + b"more")
        assert sources.find("/data/local-files/?d=cats/my cat.png").version != before

    @pytest.mark.parametrize(
        "wanted",
        [
            "../secret.png",
            "%2e%2e/secret.png",
            "cats/../../secret.png",
            "way-out.png",
            "",
            ".",
            "/../secret.png",
            "../nothing-there",
        ],
    )
    def test_nothing_outside_is_read_or_looked_for(self, folder: Path, wanted: str) -> None:
        said = refusal(Sources(None, folder), f"/data/local-files/?d={wanted}")
        assert "isn't in the folder" in said

    def test_an_absolute_path_is_one_in_the_folder(self, folder: Path) -> None:
        said = refusal(Sources(None, folder), "/data/local-files/?d=/etc/passwd")
        assert "No such file" in said

    def test_a_folder_and_a_null_byte_are_told(self, folder: Path) -> None:
        for wanted in ("cats", "a%00b"):
            assert "can't be read" in refusal(
                Sources(None, folder), f"/data/local-files/?d={wanted}"
            )


def test_uploads_are_asked_for_once_other_addresses_each_time(url: str) -> None:
    """An upload's name is its own; what lies behind another address may change."""
    sources: Any = Sources(Host(url, LEGACY))
    assert sources.find("/data/upload/1/a.png").version == f"{url}/data/upload/1/a.png"
    assert sources.find("/data/local-files/?d=a.png").version is None
