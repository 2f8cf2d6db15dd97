"""One test per promise of docs/api.md's "Ways in"; the expectations are that page's."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from offline import REACHED_OUT
from starlette.testclient import TestClient

from vtmr.serving.access import Access

TESTS = Path(__file__).parents[1]
SECRET = {"Authorization": "Bearer secret"}
API = "/api/v1/project"


@pytest.fixture
def stranger(annotating: Any) -> TestClient:
    """The same server, without the token."""
    return TestClient(annotating.http.app, "http://127.0.0.1:8000", follow_redirects=False)


def test_the_server_binds_to_loopback_unless_told_otherwise() -> None:
    import typer

    from vtmr.cli import app

    command = typer.main.get_command(app).commands["annotate"]  # type: ignore[attr-defined]
    (host,) = (parameter for parameter in command.params if parameter.name == "host")
    assert host.default == "127.0.0.1"


def test_every_start_has_another_token() -> None:
    tokens = {Access("127.0.0.1", 1).token for _ in range(50)}
    assert len(tokens) == 50
    assert min(map(len, tokens)) >= 32


@pytest.mark.parametrize(
    "path", ["/", API, "/static/index.html", "/api/v1/openapi.json", "/nothing"]
)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Cookie": "vtmr-8000=wrong"},
        {"Cookie": "vtmr-9=secret"},
    ],
)
def test_nothing_is_answered_without_the_token(
    stranger: TestClient, path: str, headers: dict[str, str]
) -> None:
    answer = stranger.get(path, headers=headers)
    assert answer.status_code == 401
    assert "secret" not in answer.text


def test_the_printed_address_gives_a_cookie_that_scripts_and_other_sites_cannot_use(
    stranger: TestClient,
) -> None:
    answer = stranger.get("/?token=secret")
    assert answer.status_code == 303
    assert answer.headers["location"] == "./"  # wherever a proxy put the page
    cookie = answer.headers["set-cookie"].lower()
    assert cookie.startswith("vtmr-8000=")
    assert "secret" not in cookie  # what other servers on this host are sent doesn't open this one
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "domain" not in cookie
    assert "path" not in cookie  # the browser's own: the folder of the page's address
    assert stranger.get(API).status_code == 200
    assert stranger.get("/?token=wrong", headers={"Cookie": ""}).status_code == 401


def test_a_link_on_another_site_gets_a_page_that_goes_on_by_itself(stranger: TestClient) -> None:
    """A redirect would be the other site's request still, and the strict cookie would stay
    behind."""
    answer = stranger.get("/?token=secret", headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 200
    assert 'http-equiv="refresh"' in answer.text
    assert "secret" not in answer.text


@pytest.mark.parametrize(
    "host",
    [
        "evil.example:8000",
        "127.0.0.1",
        "127.0.0.1:8001",
        "127.0.0.1.evil.example:8000",
        "10.0.0.1:8000",
        "",
        "[::1",
    ],
)
def test_other_names_for_this_server_are_refused(annotating: Any, host: str) -> None:
    """DNS rebinding: the browser believes that the page's name is ours."""
    assert annotating.http.get(API, headers={"Host": host}).status_code == 403


@pytest.mark.parametrize(
    "host", ["localhost:8000", "LOCALHOST:8000", "127.0.0.1:8000", "[::1]:8000"]
)
def test_loopback_has_three_names(annotating: Any, host: str) -> None:
    assert annotating.http.get(API, headers={"Host": host}).status_code == 200


def test_bound_to_the_network_addresses_count_but_names_do_not() -> None:
    access = Access("0.0.0.0", 8000, "t")
    assert access.allows_host("192.168.1.7:8000")
    assert access.allows_host("[fe80::1]:8000")
    assert not access.allows_host("evil.example:8000")
    assert not access.allows_host("192.168.1.7:80")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:8000"},  # ours, but not the one that the request names
        {"Origin": "https://127.0.0.1:8000"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_other_pages_may_not_ask(annotating: Any, headers: dict[str, str]) -> None:
    assert annotating.http.get(API, headers=headers).status_code == 403
    assert (
        annotating.http.post(
            "/api/v1/exports", json={"format": "coco"}, headers=headers
        ).status_code
        == 403
    )


def test_our_own_page_may_ask(annotating: Any) -> None:
    ours = {"Origin": "http://127.0.0.1:8000", "Sec-Fetch-Site": "same-origin"}
    assert annotating.http.get(API, headers=ours).status_code == 200


@pytest.mark.parametrize("path", ["/", API, "/nothing", "/?token=wrong"])
def test_every_answer_carries_the_headers_that_bind_the_browser(annotating: Any, path: str) -> None:
    headers = annotating.http.get(path, headers={"Authorization": "Bearer secret"}).headers
    policy = dict(
        part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


def test_a_forms_post_is_refused(annotating: Any) -> None:
    """The types that a form of another site can send without asking first."""
    for kind in (
        "application/x-www-form-urlencoded",
        "text/plain",
        "multipart/form-data; boundary=x",
        "",
    ):
        answer = annotating.http.post(
            "/api/v1/exports", content=b'{"format": "coco"}', headers={"Content-Type": kind}
        )
        assert (answer.status_code, answer.json()["error"]["code"]) == (415, "not_json")


def test_too_large_a_body_is_refused_before_it_is_read(annotating: Any) -> None:
    """At the bare ASGI interface: a declared length is refused without one `receive`, a hidden one
    at the limit."""
    url = f"/api/v1/images/{annotating.ids()['shapes.png']}/changes"

    def post(length: list[tuple[bytes, bytes]]) -> tuple[int, int]:
        received, statuses = 0, []

        async def receive() -> dict[str, Any]:
            nonlocal received
            received += 1
            return {"type": "http.request", "body": b" " * 100_000, "more_body": True}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        headers = [
            (b"host", b"127.0.0.1:8000"),
            (b"authorization", b"Bearer secret"),
            (b"content-type", b"application/json"),
        ]
        scope = {
            "type": "http",
            "method": "POST",
            "path": url,
            "raw_path": url.encode(),
            "query_string": b"",
        }
        scope |= {
            "headers": [*headers, *length],
            "scheme": "http",
            "root_path": "",
            "http_version": "1.1",
        }
        asyncio.run(annotating.http.app(scope, receive, send))
        return statuses[0], received

    assert post([(b"content-length", b"2000000")]) == (413, 0)
    status, chunks = post([])
    assert status == 413
    assert chunks == 11  # of 100 kB: the first beyond 1 MB (2^20)


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/images/../../secret.png",
        "/api/v1/images/..%2f..%2fsecret.png",
        "/api/v1/images/%2e%2e%2fsecret.png/thumbnail.jpg",
        "/static/../server.py",
        "/static/..%2fserver.py",
        "/static/%2e%2e/server.py",
        "/static//etc/passwd",
        "/static/..%5cserver.py",
    ],
)
def test_no_path_leads_out(annotating: Any, folder: Path, path: str) -> None:
    (folder.parent / "secret.png").write_bytes(b"secret")
    answer = annotating.http.get(path)
    assert answer.status_code == 404
    assert "secret" not in answer.text.replace("secret.png", "")


def test_a_link_in_the_folder_is_not_followed(folder: Path, annotating: Any) -> None:
    """Swapped in after the start: what was a file when the folder was listed is a link out of it
    now."""
    secret = folder.parent / "secret.png"
    (folder / "shapes.png").rename(secret)
    (folder / "shapes.png").symlink_to(secret)
    image = annotating.ids()["shapes.png"]
    for path in ("", "/thumbnail.jpg", "/tiles/0/0/0.jpg"):
        assert annotating.http.get(f"/api/v1/images/{image}{path}").status_code == 422


def test_a_decompression_bomb_is_refused_from_its_header(folder: Path, start: Any) -> None:
    """20000 x 20000 pixels in a few hundred bytes: a PNG header with that size and no data to
    decode."""
    import struct
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", 20000, 20000, 8, 2, 0, 0, 0)
    (folder / "bomb.png").write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
    )
    annotating = start(folder)
    for path in ("", "/thumbnail.jpg"):
        answer = annotating.http.get(f"/api/v1/images/{annotating.ids()['bomb.png']}{path}")
        assert answer.status_code == 422
        assert "expected at most 150" in answer.json()["error"]["message"]


def test_labels_are_data(annotating: Any) -> None:
    """Markup comes back as it was given, as JSON that no browser takes for a page."""
    label = '<img src=x onerror="alert(1)">'
    annotating.click("shapes.png")
    assert annotating.attempt("shapes.png", "set", object="o1", label="a\nb").status_code == 400
    answer = annotating.attempt("shapes.png", "set", object="o1", label=label)
    assert answer.json()["document"]["objects"][0]["label"] == label
    assert answer.headers["content-type"] == "application/json"
    export = annotating.http.post("/api/v1/exports", json={"format": "png"}).json()
    assert "<" not in export["url"]


def test_errors_tell_nothing_of_paths(folder: Path, start: Any) -> None:
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff nonsense")
    annotating = start(folder)
    annotating.http.get(f"/api/v1/images/{annotating.ids()['broken.jpg']}")
    listed = annotating.http.get("/api/v1/images").text
    assert "broken.jpg" in listed
    assert str(folder) not in listed
    assert (
        str(folder)
        not in annotating.http.get(f"/api/v1/images/{annotating.ids()['broken.jpg']}").text
    )


def test_nothing_is_ever_asked_of_others(annotating: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A socket hook: a whole journey without one outgoing connection or name look-up."""

    def refuse(*arguments: object, **more: object) -> None:
        raise AssertionError(f"an outgoing request: {arguments}")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    image = annotating.ids()["shapes.png"]
    annotating.click("shapes.png")
    assert annotating.http.get(f"/api/v1/images/{image}/tiles/0/0/0.jpg").status_code == 200
    coco = {
        "images": [
            {
                "id": 1,
                "file_name": "http://evil.example/a.png",
                "width": 9,
                "height": 9,
                "coco_url": "http://evil.example/",
            }
        ],
        "annotations": [],
    }
    assert annotating.http.post("/api/v1/import", json=coco).status_code == 200
    assert annotating.http.post("/api/v1/exports", json={"format": "coco"}).status_code == 200


@pytest.mark.parametrize(
    "attempt",
    [
        "socket.create_connection(('192.0.2.1', 80), 1)",
        "socket.getaddrinfo('example.org', 80)",
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'', ('192.0.2.1', 53))",
        "subprocess.run(['true'])",
    ],
)
def test_a_server_of_the_tests_dies_when_it_reaches_out(attempt: str) -> None:
    """What the browser tests and the kill tests rely on: their servers serve whole sessions with
    this watch on."""
    code = f"import socket, subprocess, sys; sys.path.insert(0, {str(TESTS)!r})\n"
    code += f"from offline import stay_offline; stay_offline(); {attempt}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == REACHED_OUT
    assert "an attempt to reach out" in done.stderr
