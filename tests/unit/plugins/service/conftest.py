"""The service on the colour network, and a client in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from httpservice import PHOTO, PNG, Process, engine_in
from starlette.testclient import TestClient

from vtmr.plugins.service.keys import Keys
from vtmr.plugins.service.limits import Limits
from vtmr.plugins.service.server import Service, create_app
from vtmr.serving.access import Access

ADDRESS = "http://127.0.0.1:8000"


@pytest.fixture(scope="module")
def start(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[..., TestClient]]:
    """Starts a service in a folder of its own, for the whole module."""
    running: list[TestClient] = []

    def begin(keys: Keys | None = None, host: str = "127.0.0.1", **limits: int) -> TestClient:
        folder = tmp_path_factory.mktemp("service")
        bounds = Limits(**limits)
        engine = engine_in(folder, bounds)
        service = Service(engine, keys or Keys(), bounds, folder / "incoming")
        app = create_app(service, Access(host, 8000))
        client = TestClient(app, ADDRESS, raise_server_exceptions=False)
        client.__enter__()
        running.append(client)
        return client

    yield begin
    for client in running:
        client.__exit__(None, None, None)


@pytest.fixture(scope="module")
def http(start: Callable[..., TestClient]) -> TestClient:
    """A service without keys that has the photo."""
    client = start()
    assert client.post("/v1/images", content=PHOTO, headers=PNG).status_code == 201
    return client


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    started: list[Process] = []

    def begin(*flags: str) -> Process:
        started.append(Process(tmp_path, *flags))
        return started[-1]

    yield begin
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
            one.process.communicate()
