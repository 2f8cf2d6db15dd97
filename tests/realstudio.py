"""Label Studio itself, from PyPI, on loopback: what `make proof` asks instead of believing what is
written about it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from socket import socket
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
VERSION = "1.23.2"
PAGE = ROOT / "docs" / "doors" / "label-studio.md"
PHOTO = ROOT / "src" / "vtmr" / "assets" / "photos" / "rocket.jpg"
USER, PASSWORD = "you@example.com", "a-password-of-yours"
_TOKEN = "0123456789abcdef0123456789abcdef01234567"
# It talks to nobody but us: no statistics, no look for newer versions, no reports of errors.
_ALONE = {
    "COLLECT_ANALYTICS": "false",
    "LATEST_VERSION_CHECK": "false",
    "SENTRY_DSN": "",
    "FRONTEND_SENTRY_DSN": "",
}
_WAIT_S = 600.0  # for its data base to be made, on a machine with other work


def label_config() -> str:
    """The one that the page in the documentation says to paste."""
    (found,) = re.findall(r"^```xml\n(.*?)^```", PAGE.read_text(), flags=re.S | re.M)
    return str(found)


def environment() -> Path:
    """A virtual environment with Label Studio in it: that of VTMR_LABEL_STUDIO, or one in build/,
    made when it is first needed. Skips where it can't be installed."""
    given = os.environ.get("VTMR_LABEL_STUDIO")
    folder = Path(given) if given else ROOT / "build" / f"label-studio-{VERSION}"
    if not (folder / "bin" / "label-studio").exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        install = [folder / "bin" / "python", "-m", "pip", "install", "-q"]
        done = subprocess.run(
            [*install, f"label-studio=={VERSION}"], capture_output=True, text=True, check=False
        )
        if done.returncode:
            pytest.skip(f"label-studio {VERSION} can't be installed: {done.stderr[-300:]}")
    return folder


@dataclass(frozen=True)
class Studio:
    """A running Label Studio. url: without a slash at its end."""

    url: str
    environment: Path

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Its API, with the token that it was started with."""
        data = None if body is None else json.dumps(body).encode()
        return self._call(method, path, data, "application/json")

    def upload(self, project: int, photo: Path) -> Any:
        """The task that a photo becomes."""
        mark = uuid.uuid4().hex
        name = f'form-data; name="file"; filename="{photo.name}"'
        head = f"--{mark}\r\nContent-Disposition: {name}\r\nContent-Type: image/jpeg\r\n\r\n"
        data = head.encode() + photo.read_bytes() + f"\r\n--{mark}--\r\n".encode()
        kind = f"multipart/form-data; boundary={mark}"
        self._call("POST", f"/api/projects/{project}/import", data, kind)
        (task,) = self.call("GET", f"/api/tasks?project={project}")["tasks"]
        return task

    def personal_token(self) -> str:
        """A personal access token, as the page of the account makes one."""
        return str(self.call("POST", "/api/token/", {})["token"])

    def converter(self, code: str, given: Any) -> Any:
        """What the code makes of `given` in Label Studio's own environment: it sets `answer`."""
        lines = [
            "import json, sys",
            "given = json.load(sys.stdin)",
            code,
            "print(json.dumps(answer))",
        ]
        done = subprocess.run(
            [self.environment / "bin" / "python", "-c", "\n".join(lines)],
            input=json.dumps(given),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def _call(self, method: str, path: str, data: bytes | None, kind: str) -> Any:
        headers = {"authorization": f"Token {_TOKEN}", "content-type": kind}
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.loads(answer.read() or "null")
        except urllib.error.HTTPError as error:
            pytest.fail(f"{method} {path}: {error.code} {error.read()[:1000]!r}")


@contextmanager
def running_studio(folder: Path) -> Iterator[Studio]:
    """Label Studio with an empty data base in the folder."""
    own = environment()
    port = free_port()
    command = [
        *(own / "bin" / "label-studio", "start", "--no-browser", "--port", str(port)),
        *("--internal-host", "127.0.0.1", "--username", USER, "--password", PASSWORD),
        *("--user-token", _TOKEN, "--enable-legacy-api-token"),
    ]
    # The two that the page in the documentation says: a backend on this very machine is allowed.
    allowed = {"ML_BLOCK_LOCAL_IP": "false", "SSRF_PROTECTION_ENABLED": "false"}
    place = {"LABEL_STUDIO_BASE_DATA_DIR": str(folder)}
    with (folder / "log.txt").open("w") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, env={**os.environ, **_ALONE, **allowed, **place}
        )
        try:
            studio = Studio(f"http://127.0.0.1:{port}", own)
            _wait_for(studio, process, folder / "log.txt")
            yield studio
        finally:
            process.terminate()
            process.wait(30)


@contextmanager
def running_vtmr(studio: Studio, token: str) -> Iterator[str]:
    """`vtmr serve label-studio` beside it; its address."""
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "vtmr.cli", "serve", "label-studio", "--port", "0"),
            *("--label-studio", studio.url),
        ],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "LABEL_STUDIO_API_KEY": token},
    )
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait(30)
        process.stdout.close()


def free_port() -> int:
    with socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(studio: Studio, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + _WAIT_S
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{studio.url}/health", timeout=10):
                return
        except OSError:
            time.sleep(1)
    pytest.fail(f"Label Studio didn't start: {log.read_text()[-2000:]}")
