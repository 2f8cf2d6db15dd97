"""Schemathesis makes requests from the OpenAPI document, right and wrong ones: never a 500, and
every error in the one form."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import schemathesis
from httpservice import ON_ELLIPSE, PHOTO, PHOTO_ID, PNG
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from starlette.testclient import TestClient

from vtmr.plugins.service.limits import Limits
from vtmr.plugins.service.openapi import document

REQUESTS = 200


def bodies() -> Any:
    """Of every operation with a JSON body, and the paths of the others, by the document."""
    described = document(Limits())
    for operations in described["paths"].values():
        for operation in operations.values():
            # Files and forms are made by hand in test_bad_input.py: a schema says little of them.
            content = operation.get("requestBody", {}) if isinstance(operation, dict) else {}
            for kind in list(content.get("content", {})):
                if kind != "application/json":
                    del content["content"][kind]
    schema = schemathesis.openapi.from_dict(described)
    return [
        operation.ok().as_strategy(generation_mode=mode)
        for operation in schema.get_all_operations()
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    ]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_two_hundred_made_up_requests_get_an_answer(start: Callable[..., TestClient]) -> None:
    """Half of those for masks are about an image that is there, so that they get further."""
    http = start()
    http.post("/v1/images", content=PHOTO, headers=PNG)
    statuses: Counter[int] = Counter()

    @settings(
        max_examples=REQUESTS,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        derandomize=True,
        deadline=None,
        database=None,
    )
    @given(case=st.one_of(bodies()), known=st.booleans())
    def ask(case: Any, known: bool) -> None:
        wanted = case.as_transport_kwargs(base_url="http://127.0.0.1:8000")
        body = wanted.get("json", wanted.get("data"))
        if known and isinstance(body, dict) and case.path == "/v1/masks":
            body.pop("image", None)
            body["image_id"] = PHOTO_ID
        content = body if isinstance(body, str | bytes) else json.dumps(body)
        answer = http.request(
            wanted["method"], wanted["url"], content=content, headers=wanted["headers"]
        )
        statuses[answer.status_code] += 1
        assert answer.status_code < 500, answer.text
        if answer.status_code >= 400:
            assert set(answer.json()["error"]) == {"code", "message"}

    ask()
    assert sum(statuses.values()) >= REQUESTS
    assert {200, 400, 404} <= set(statuses), statuses
    asked = {"image_id": PHOTO_ID, "clicks": [ON_ELLIPSE]}
    assert http.post("/v1/masks", json=asked).status_code in (200, 404)  # it may be deleted
