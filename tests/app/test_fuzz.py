"""Schemathesis makes requests from openapi.json, right and wrong ones: never a 500, no foreign file
touched."""

from __future__ import annotations

import json
import os
import sys
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


class Watch:
    """Which paths this process writes, makes, renames or removes while `on`: from Python's own
    audit events."""

    def __init__(self) -> None:
        self.on, self.touched = False, set[str]()
        sys.addaudithook(self._note)  # for good: there is no taking a hook away

    def _note(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.on:
            return
        count = {"os.rename": 2, "os.link": 2, "os.symlink": 2}.get(
            event, 1
        )  # how many arguments are paths
        writes = event == "open" and (arguments[2] or 0) & (
            os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
        )
        if (
            writes
            or count > 1
            or event in ("os.mkdir", "os.remove", "os.rmdir", "os.chmod", "os.truncate")
        ):
            paths = (
                path for path in arguments[:count] if isinstance(path, str | bytes | os.PathLike)
            )
            self.touched.update(os.fsdecode(path) for path in paths)


def send(http: TestClient, case: Any) -> Response:
    """The made-up request through the client in this process, with its token."""
    wanted = case.as_transport_kwargs(base_url="http://127.0.0.1:8000")
    body = wanted.get("data")
    if "json" in wanted:
        body = json.dumps(wanted["json"])
    headers = {
        name: value for name, value in wanted["headers"].items() if name.lower() != "authorization"
    }
    content = body if isinstance(body, str | bytes) else None
    return http.request(
        wanted["method"],
        wanted["url"],
        params=wanted.get("params"),
        headers=headers,
        content=content,
    )


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_two_hundred_made_up_requests_do_no_harm(
    annotating: Any, folder: Path, tmp_path: Path
) -> None:
    """Half of them with the id of a real image, so that they get as far as the operations."""
    schema = schemathesis.openapi.from_dict(OPENAPI)
    annotating.click("shapes.png")
    watch = Watch()
    watch.on = True
    annotating.change("shapes.png", "set", object="o1", label="new")
    watch.on = False
    assert "project.json" in watch.touched  # it sees what is written
    before, images = everything(tmp_path), list(annotating.ids().values())
    statuses: dict[int, int] = {}
    modes = [GenerationMode.POSITIVE, GenerationMode.NEGATIVE]
    strategies = [
        operation.ok().as_strategy(generation_mode=mode)
        for operation in schema.get_all_operations()
        for mode in modes
    ]

    @settings(
        max_examples=REQUESTS,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        derandomize=True,
        deadline=None,
        database=None,
    )
    @given(
        case=st.one_of(strategies),
        known=st.sampled_from([*images, *images, None]),
        current=st.booleans(),
    )
    def ask(case: Any, known: str | None, current: bool) -> None:
        if known and isinstance(case.path_parameters, dict) and "image" in case.path_parameters:
            case.path_parameters["image"] = known
            if current and isinstance(case.body, dict) and "revision" in case.body:
                opened = annotating.http.get(f"/api/v1/images/{known}").json()
                case.body["revision"] = opened["document"]["revision"]
        watch.on = True
        answer = send(annotating.http, case)
        watch.on = False
        statuses[answer.status_code] = statuses.get(answer.status_code, 0) + 1
        assert answer.status_code < 500 or answer.status_code in (503, 507), answer.text

    ask()
    assert sum(statuses.values()) >= REQUESTS
    assert {200, 400, 404} <= set(statuses), statuses
    assert everything(tmp_path) == before
    kept = folder.resolve() / ".vtmr"
    for path in watch.touched:
        # Names without a folder are written through the descriptor of .vtmr or a folder in it.
        assert (kept / path).resolve().is_relative_to(kept), path
        assert Path(path).is_absolute() or not Path(path).exists(), path
