"""Schemathesis makes requests from openapi.json, right and wrong ones: never a 500, no foreign file touched."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from httpx2 import Response
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from starlette.testclient import TestClient

from vtmr.app import server

OPENAPI = json.loads((Path(server.__file__).parent / "openapi.json").read_text())
REQUESTS = 200


def everything(folder: Path) -> dict[str, bytes]:
    """All files below, with their bytes, without what the annotator keeps."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".vtmr" not in path.parts
    }


def send(http: TestClient, case: Any) -> Response:
    """The made-up request through the client in this process, with its token."""
    wanted = case.as_transport_kwargs(base_url="http://127.0.0.1:8000")
    body = wanted.get("data")
    if "json" in wanted:
        body = json.dumps(wanted["json"])
    headers = {name: value for name, value in wanted["headers"].items() if name.lower() != "authorization"}
    content = body if isinstance(body, str | bytes) else None
    return http.request(wanted["method"], wanted["url"], params=wanted.get("params"), headers=headers, content=content)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_two_hundred_made_up_requests_do_no_harm(annotating: Any, tmp_path: Path) -> None:
    """Half of them with the id of a real image, so that they get as far as the operations."""
    schema = schemathesis.openapi.from_dict(OPENAPI)
    annotating.click("shapes.png")
    before, images = everything(tmp_path), list(annotating.ids().values())
    statuses: dict[int, int] = {}
    modes = [GenerationMode.POSITIVE, GenerationMode.NEGATIVE]
    strategies = [
        operation.ok().as_strategy(generation_mode=mode) for operation in schema.get_all_operations() for mode in modes
    ]

    @settings(
        max_examples=REQUESTS,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        derandomize=True,
        deadline=None,
        database=None,
    )
    @given(case=st.one_of(strategies), known=st.sampled_from([*images, *images, None]), current=st.booleans())
    def ask(case: Any, known: str | None, current: bool) -> None:
        if known and isinstance(case.path_parameters, dict) and "image" in case.path_parameters:
            case.path_parameters["image"] = known
            if current and isinstance(case.body, dict) and "revision" in case.body:
                opened = annotating.http.get(f"/api/v1/images/{known}").json()
                case.body["revision"] = opened["document"]["revision"]
        answer = send(annotating.http, case)
        statuses[answer.status_code] = statuses.get(answer.status_code, 0) + 1
        assert answer.status_code < 500 or answer.status_code in (503, 507), answer.text

    ask()
    assert sum(statuses.values()) >= REQUESTS
    assert {200, 400, 404} <= set(statuses), statuses
    assert everything(tmp_path) == before
