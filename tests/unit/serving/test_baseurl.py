"""Addresses that browsers see: which requests they allow, and what of a path is ours."""

from __future__ import annotations

import pytest

from vtmr.errors import InputError
from vtmr.serving.access import Access
from vtmr.serving.baseurl import BaseUrl


@pytest.mark.parametrize(
    ("text", "origin", "path"),
    [
        ("http://localhost:9000", "http://localhost:9000", ""),
        ("HTTP://LocalHost:9000/", "http://localhost:9000", ""),
        ("http://box/", "http://box", ""),
        ("http://box:80", "http://box", ""),
        (
            "https://hub.example:443/user/me/proxy/8000/",
            "https://hub.example",
            "/user/me/proxy/8000",
        ),
        ("https://[fe80::1]:8443/a", "https://[fe80::1]:8443", "/a"),
        ("http://box:443", "http://box:443", ""),
    ],
)
def test_addresses_are_read(text: str, origin: str, path: str) -> None:
    base = BaseUrl.parse(text)
    assert (base.origin, base.path) == (origin, path)
    assert base.url == f"{origin}{path}/"
    assert base.allows_host(origin.split("//")[1].upper())


@pytest.mark.parametrize(
    "text",
    [
        "localhost:9000",
        "ftp://box",
        "http://",
        "http://box:99999",
        "http://box:x",
        "http://user:pass@box",
        "http://box/?a=1",
        "http://box/#a",
        "http://[::1",
        "",
        "//box",
        "http://bo\nx",
    ],
)
def test_nonsense_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InputError, match=r"--base-url .* expected http://HOST:PORT/PATH"):
        BaseUrl.parse(text)


@pytest.mark.parametrize(
    ("path", "inner"),
    [
        ("/proxy/8000/api/v1/project", "/api/v1/project"),
        ("/proxy/8000/", "/"),
        ("/proxy/8000", ""),
        ("/proxy/80001/x", "/proxy/80001/x"),
        ("/api/v1/project", "/api/v1/project"),
        ("/proxy/8000/proxy/8000/", "/proxy/8000/"),
    ],
)
def test_a_proxy_may_take_the_path_off_or_not(path: str, inner: str) -> None:
    assert BaseUrl.parse("https://hub/proxy/8000").inner(path) == inner


def test_only_the_named_address_is_allowed_besides_our_own() -> None:
    access = Access("127.0.0.1", 8000, "t", BaseUrl.parse("http://localhost:9000"))
    assert access.allows_host("localhost:9000")
    assert access.allows_host("LOCALHOST:9000")
    assert access.allows_host("127.0.0.1:8000")
    for host in ("127.0.0.1:9000", "localhost:9001", "localhost", "evil.example:9000", ""):
        assert not access.allows_host(host)


@pytest.mark.parametrize(
    ("origin", "host", "allowed"),
    [
        (None, "hub.example", True),
        ("https://hub.example", "hub.example", True),
        ("https://hub.example", "127.0.0.1:8000", True),  # a proxy that writes its own Host
        ("http://127.0.0.1:8000", "127.0.0.1:8000", True),
        ("http://hub.example", "hub.example", False),  # not the scheme that was named
        ("https://evil.example", "hub.example", False),
        ("https://evil.example", "127.0.0.1:8000", False),
        ("null", "hub.example", False),
    ],
)
def test_origins_go_with_the_address(origin: str | None, host: str, allowed: bool) -> None:
    access = Access("127.0.0.1", 8000, "t", BaseUrl.parse("https://hub.example/proxy/8000"))
    assert access.allows_origin(origin, host) is allowed
