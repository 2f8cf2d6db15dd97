"""Bodies of requests: never more than a limit in memory, JSON objects only, fields checked one by
one."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncGenerator, Iterable
from typing import Any

from starlette.requests import ClientDisconnect, Request

from vtmr.serving.answers import Refusal

_REQUIRED: Any = object()
_AT_ONCE = 1 << 20  # bytes
_BODY_S = 30.0  # that may pass without a byte
_DEPTH = 100


async def read_json(request: Request, limit: int) -> Any:
    """The body as decoded JSON. Raises Refusal as `read_body`, and 400 for nonsense."""
    body = await read_body(request, limit)
    # A large body is decoded beside the event loop, so that others don't wait for it.
    if len(body) < _AT_ONCE:
        return decoded_json(body, "The body")
    return await asyncio.to_thread(decoded_json, body, "The body")


def decoded_json(data: bytes | str, what: str) -> Any:
    """Decoded JSON. what: it is called in the error. Raises Refusal (400) for nonsense, for numbers
    beyond all bounds and for more than 100 levels."""
    try:
        content = json.loads(data, parse_constant=_refuse_constant)
        _require_plain(content)
    except (ValueError, RecursionError) as error:
        raise bad_request(f"{what} isn't JSON that can be used: {error}.") from error
    return content


async def read_body(request: Request, limit: int, expected: str = "application/json") -> bytes:
    """The body of a request that says it is of that type. Raises Refusal: 415 for another type, 413
    beyond `limit` bytes, 408 when nothing more comes, 400 where it ends early.

    expected: one that no form of another site's page can send.
    """
    kind = content_type(request)
    if kind != expected:
        raise Refusal(
            415,
            "not_json",
            f"The body is {kind or 'of no type'}: expected Content-Type: {expected}.",
        )
    return b"".join([chunk async for chunk in read_chunks(request, limit)])


def declared_size(request: Request) -> int | None:
    """The body's bytes as its head tells them; None where it doesn't."""
    declared = request.headers.get("content-length", "")
    return int(declared[:20]) if declared.isdigit() else None


async def read_chunks(request: Request, limit: int) -> AsyncGenerator[bytes, None]:
    """The body piece by piece. Raises Refusal: 413 beyond `limit` bytes, 408 when nothing more
    comes, 400 where it ends early."""
    declared = declared_size(request)
    if declared is not None and declared > limit:
        raise _too_large(limit)
    size = 0
    stream = request.stream()
    try:
        while True:
            async with asyncio.timeout(_BODY_S):
                chunk = await anext(stream, None)
            if chunk is None:
                return
            size += len(chunk)
            if size > limit:
                raise _too_large(limit)
            yield chunk
    except ClientDisconnect as gone:
        raise bad_request("The body ended early.") from gone
    except TimeoutError as silence:
        raise Refusal(
            408,
            "too_slow",
            f"Nothing more of the body came for {_BODY_S:g} s: send it again.",
            None,
            {"connection": "close"},
        ) from silence


def content_type(request: Request) -> str:
    """What the request says that its body is, without parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _require_plain(content: Any) -> None:
    """Raises ValueError for a number beyond all bounds, and for values nested so deeply that who
    walks them would run out of stack."""
    level, depth = [content], 0
    while level:
        depth += 1
        if depth > _DEPTH:
            raise ValueError(f"it is nested more than {_DEPTH} deep")
        inner: list[Any] = []
        for value in level:
            kind = type(value)
            if kind is dict:
                inner += value.values()
            elif kind is list:
                inner += value
            elif kind is float and math.isinf(value):
                raise ValueError("a number in it is too large")
        level = inner


def bad_request(message: str) -> Refusal:
    return Refusal(400, "bad_request", message)


def _too_large(limit: int) -> Refusal:
    return Refusal(
        413,
        "too_large",
        f"The body is too large: expected at most {limit / 1e6:g} MB.",
        None,
        {"connection": "close"},
    )


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON's")


class Fields:
    """The fields of a JSON object, taken one by one; what is left over at the end is refused by
    name."""

    def __init__(self, record: Any, what: str = "The body") -> None:
        """Raises Refusal when `record` isn't an object."""
        if not isinstance(record, dict):
            raise bad_request(f"{what} is {_kind(record)}: expected an object.")
        self._left, self._what = dict(record), what

    def take(self, name: str, default: Any = _REQUIRED) -> Any:
        """The raw value. Raises Refusal when it is missing and has no default."""
        value = self._left.pop(name, default)
        if value is _REQUIRED:
            raise bad_request(f"{self._what} lacks the field {name!r}.")
        return value

    def number(self, name: str, least: float, most: float, default: Any = _REQUIRED) -> float:
        """A finite number in [least, most]."""
        return require_number(self.take(name, default), name, least, most)

    def integer(self, name: str, least: int, most: int, default: Any = _REQUIRED) -> int:
        """A whole number in [least, most]."""
        value = self.take(name, default)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise bad_request(
                f"{name!r} is {shown(value)}: expected a whole number from {least} to {most}."
            )
        return value

    def boolean(self, name: str, default: Any = _REQUIRED) -> bool:
        value = self.take(name, default)
        if not isinstance(value, bool):
            raise bad_request(f"{name!r} is {shown(value)}: expected true or false.")
        return value

    def optional_boolean(self, name: str) -> bool | None:
        """Null says that there is none."""
        value = self.take(name)
        if value is not None and not isinstance(value, bool):
            raise bad_request(f"{name!r} is {shown(value)}: expected true, false or null.")
        return value

    def choice(self, name: str, choices: Iterable[str], default: Any = _REQUIRED) -> str:
        """One of a few words."""
        value, choices = self.take(name, default), list(choices)
        if not isinstance(value, str) or value not in choices:
            raise bad_request(f"{name!r} is {shown(value)}: expected one of {', '.join(choices)}.")
        return value

    def text(self, name: str, most: int, default: Any = _REQUIRED) -> str:
        """Text of 1 to `most` characters, none of them for control."""
        value = self.take(name, default)
        if (
            not isinstance(value, str)
            or not 1 <= len(value.strip()) <= most
            or not value.strip().isprintable()
        ):
            raise bad_request(
                f"{name!r} is {shown(value)}: expected 1 to {most} printable characters."
            )
        return value.strip()

    def items(self, name: str, least: int, most: int) -> list[Any]:
        """A list of `least` to `most` values."""
        value = self.take(name)
        if not isinstance(value, list) or not least <= len(value) <= most:
            size = f"{len(value)} of them" if isinstance(value, list) else _kind(value)
            raise bad_request(f"{name!r} is {size}: expected a list of {least} to {most}.")
        return value

    def has(self, name: str) -> bool:
        return name in self._left

    def done(self) -> None:
        """Raises Refusal when fields are left that nobody asked for."""
        if self._left:
            raise bad_request(
                f"{self._what} has the unknown field {shown(next(iter(self._left)))}."
            )


def require_number(value: Any, name: str, least: float, most: float) -> float:
    """A finite JSON number in [least, most]. Raises Refusal."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise bad_request(
            f"{name!r} is {shown(value)}: expected a number from {least:g} to {most:g}."
        )
    return float(value) if math.isfinite(value) else least


def shown(value: Any) -> str:
    """A value as an error's sentence shows it: as JSON, at most 60 characters."""
    text = json.dumps(value, ensure_ascii=True)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _kind(value: Any) -> str:
    kinds = {
        list: "a list",
        str: "text",
        bool: "true or false",
        type(None): "null",
        dict: "an object",
    }
    return kinds.get(type(value), "a number")
