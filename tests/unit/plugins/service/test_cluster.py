"""Two replicas on a local Ray cluster, one of them killed while everybody asks: no request that was
taken is lost.

Ray Serve takes half a minute to start and end: `make proof`.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from httpservice import PHOTO, PHOTO_ID, PNG

from vtmr.plugins.service import replica
from vtmr.plugins.service.cluster import CONFIG, deployment_options

pytestmark = [
    pytest.mark.proof,
    pytest.mark.filterwarnings("ignore"),  # Ray's own
]
CLIENTS, SECONDS = 8, 20.0


class Front:
    """`vtmr serve --ray local` in a process of its own."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "vtmr.cli", "serve", "--ray", "local", "--port", "0"]
        environment = {**os.environ, "RAY_DISABLE_IMPORT_WARNING": "1"}
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True
        )
        assert self.process.stdout is not None
        address = self.process.stdout.readline().strip()
        self.port = int(address.rstrip("/").rpartition(":")[2])

    def ask(self, method: str, path: str, body: bytes | None, kind: str) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            connection.request(method, path, body, {"content-type": kind})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def mask(self, image_id: str, x: float) -> tuple[int, Any]:
        body = {"image_id": image_id, "clicks": [{"x": x, "y": 54.5}]}
        return self.ask("POST", "/v1/masks", json.dumps(body).encode(), "application/json")

    def replicas(self) -> list[int]:
        """Process ids of the replicas, by what Ray calls their processes."""
        found = []
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit() and _is_replica(folder, self.process.pid):
                found.append(int(folder.name))
        return sorted(found)


def _is_replica(folder: Path, front: int) -> bool:
    try:
        name = (folder / "cmdline").read_bytes().replace(b"\0", b" ")
        return b"ServeReplica:vtmr:Masks" in name and _session(folder) == _session(
            Path("/proc", str(front))
        )
    except OSError:
        return False


def _session(folder: Path) -> str:
    """Ray's processes stay in the session of the one that started them."""
    return (folder / "stat").read_text().rpartition(")")[2].split()[3]


@pytest.fixture
def front() -> Iterator[Front]:
    pytest.importorskip("ray.serve", reason="needs the extra [serve-ray]")
    started = Front()
    yield started
    started.process.send_signal(signal.SIGTERM)
    assert started.process.wait(120) == 0
    assert started.process.stdout is not None
    started.process.stdout.close()


def test_a_killed_replica_costs_no_acknowledged_request(front: Front) -> None:
    """Eight clients click for twenty seconds; after five, one of the two replicas gets SIGKILL.

    Every request is answered, each place with the same mask whichever replica answered, and the
    image that was uploaded before is still known afterwards.
    """
    assert front.ask("POST", "/v1/images", PHOTO, PNG["content-type"])[0] == 201
    status, first = front.mask(PHOTO_ID, 56.5)
    assert (status, first["area"] > 1000) == (200, True)
    masks: dict[float, list[Any]] = defaultdict(list)
    before = front.replicas()
    assert len(before) == 2
    told: list[tuple[float, int]] = []
    begun = time.monotonic()

    def click() -> None:
        while time.monotonic() - begun < SECONDS:
            sent = time.monotonic() - begun
            x = 40.5 + len(told) % 300 / 10
            status, answer = front.mask(PHOTO_ID, x)
            masks[x].append(answer.get("mask"))
            told.append((sent, status))

    clients = [threading.Thread(target=click) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    time.sleep(5)
    os.kill(before[0], signal.SIGKILL)
    for client in clients:
        client.join()
    statuses = {status for _, status in told}
    later = [status for sent, status in told if sent > 5]
    print(f"Ray: {len(told)} requests, {later.count(200)} answered after the kill, {statuses}")
    assert statuses == {200}
    assert all(mask == found[0] for found in masks.values() for mask in found)
    assert len(later) > CLIENTS
    assert front.ask("GET", f"/v1/images/{PHOTO_ID}", None, "")[0] == 200


def test_the_shipped_file_is_one_that_serve_takes() -> None:
    """By Serve's own schema, and the application that it names is built as `serve deploy` does."""
    schema = pytest.importorskip("ray.serve.schema", reason="needs the extra [serve-ray]")
    import yaml

    declared = schema.ServeDeploySchema(**yaml.safe_load(CONFIG.read_text()))
    (application,) = declared.applications
    assert application.import_path == "vtmr.plugins.service.replica:application"
    from ray.serve._private.api import call_user_app_builder_with_args_if_necessary as built

    assert built(replica.application, application.args)._bound_deployment.name == "Masks"
    options = deployment_options()
    assert options["autoscaling_config"]["min_replicas"] == 2
    assert options["ray_actor_options"]["num_cpus"] == 1
