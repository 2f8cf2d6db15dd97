"""JSON that is no use: too deep, beyond all numbers, too slow, too long."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.requests import Request

from vtmr.serving import bodies
from vtmr.serving.answers import Refusal
from vtmr.serving.bodies import read_json


def read(*chunks: bytes, limit: int = 1 << 20, wait_s: float = 0, **headers: str) -> Any:
    """What `read_json` makes of a request whose body comes in those pieces."""
    sent = list(chunks)

    async def receive() -> dict[str, Any]:
        if not sent:
            await asyncio.sleep(wait_s)
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": sent.pop(0), "more_body": bool(sent or wait_s)}

    told = {"content-type": "application/json", **headers}
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in told.items()]
    scope = {"type": "http", "method": "POST", "path": "/", "headers": pairs}
    return asyncio.run(read_json(Request(scope, receive), limit))


@pytest.mark.parametrize("depth", [101, 500, 900, 940, 980, 994, 999, 1500, 100_000])
@pytest.mark.parametrize(("before", "after"), [("[", "]"), ('{"a":', "}"), ('[{"a":[', "]}]")])
def test_deep_json_is_refused_at_every_depth(depth: int, before: str, after: str) -> None:
    body = before * depth + "1" + after * depth
    with pytest.raises(Refusal) as refused:
        read(body.encode())
    assert refused.value.status == 400


def test_a_hundred_levels_are_read() -> None:
    value = read(b"[" * 98 + b"1" + b"]" * 98)
    for _ in range(98):
        (value,) = value
    assert value == 1


@pytest.mark.parametrize(
    "body",
    [
        b'{"x": 1e999}',
        b"[-1e400]",
        b'{"a": [1, {"b": 2e308}]}',
        b"Infinity",
        b'{"x": -Infinity}',
        b"NaN",
        b"9" * 5000,
        b'{"x": ' + b"9" * 5000 + b"}",
        b"",
        b"\xff\xfe",
        b"{",
        b"\xed\xa0\x80",
    ],
    ids=lambda body: repr(body[:20]),
)
def test_numbers_beyond_all_bounds_and_nonsense_are_refused(body: bytes) -> None:
    with pytest.raises(Refusal) as refused:
        read(body)
    assert (refused.value.status, refused.value.code) == (400, "bad_request")


def test_a_body_that_stops_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "_BODY_S", 0.05)
    with pytest.raises(Refusal) as refused:
        read(b'{"a": ', wait_s=10)
    assert (refused.value.status, refused.value.code) == (408, "too_slow")
    assert refused.value.headers == {"connection": "close"}


@pytest.mark.parametrize("length", ["99", "9" * 5000])
def test_a_length_beyond_the_limit_is_refused_unread(length: str) -> None:
    with pytest.raises(Refusal) as refused:
        read(b"{}", limit=10, content_length=length)
    assert refused.value.status == 413
