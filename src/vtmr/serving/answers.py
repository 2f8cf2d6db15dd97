"""Answers as JSON, and the one form of every error."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

_NO_STORE = {"cache-control": "no-store"}


class Refusal(Exception):
    """A request that is answered with an error: its status, a code for programs and a sentence for
    people.

    more: further fields of the answer. headers: of the response.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        more: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
        self.more, self.headers = dict(more or {}), dict(headers or {})

    @property
    def answer(self) -> Response:
        """What the request gets."""
        return error_answer(self.status, self.code, self.message, self.more, self.headers)


def json_answer(
    content: Any, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """JSON that no cache keeps."""
    body = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    # A lone surrogate, from a file's undecodable name or from a label, has no place in UTF-8.
    data = body.encode("utf-8", "replace")
    return Response(data, status, {**_NO_STORE, **(headers or {})}, "application/json")


def error_answer(
    status: int,
    code: str,
    message: str,
    more: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """{"error": {"code", "message"}, …more}"""
    return json_answer(
        {"error": {"code": code, "message": message}, **(more or {})}, status, headers
    )
