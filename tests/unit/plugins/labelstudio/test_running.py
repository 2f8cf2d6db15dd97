"""The backend's start, and its real server: what `vtmr serve label-studio` prints, refuses and says
on the status line."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from labelstudio import keypoint, request

from vtmr.errors import ConfigError, InputError
from vtmr.plugins.labelstudio.reasons import reason_header
from vtmr.plugins.labelstudio.running import settings

HERE = "127.0.0.1"


class TestSettings:
    def test_secrets_and_defaults_come_from_the_environment(self, tmp_path: Path) -> None:
        chosen = settings(
            "0.0.0.0",
            9090,
            "",
            tmp_path,
            {
                "LABEL_STUDIO_URL": "http://label.example:8080/",
                "LABEL_STUDIO_API_KEY": " key ",
                "BASIC_AUTH_USER": "studio",
                "BASIC_AUTH_PASS": "word",
            },
        )
        assert chosen.sources.host is not None
        assert chosen.sources.host.url == "http://label.example:8080"
        assert chosen.sources.host.token == "key"
        assert chosen.sources.folder == tmp_path
        assert chosen.credentials is not None
        assert "word" not in repr(chosen)
        assert "key" not in repr(chosen)

    def test_the_flag_comes_before_the_environment(self) -> None:
        chosen = settings(HERE, 0, "http://a", None, {"LABEL_STUDIO_URL": "http://b"})
        assert chosen.sources.host is not None
        assert chosen.sources.host.url == "http://a"

    def test_an_open_address_needs_a_password(self) -> None:
        with pytest.raises(ConfigError, match="can be reached from other machines"):
            settings("0.0.0.0", 9090, "", None, {})

    def test_half_a_password_is_none(self) -> None:
        with pytest.raises(ConfigError, match="one is missing"):
            settings(HERE, 9090, "", None, {"BASIC_AUTH_USER": "studio"})

    def test_what_is_no_folder_or_address_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="is not a folder"):
            settings(HERE, 9090, "", tmp_path / "none", {})
        with pytest.raises(InputError, match="is no address"):
            settings(HERE, 9090, "label", None, {})


@pytest.mark.parametrize(
    ("sentence", "shown"),
    [
        ("The task has no 'image'.", "The task has no 'image'."),
        ("160×120\r\nset-cookie: a", "160?120 set-cookie: a"),
        ("a" * 500, "a" * 397 + "..."),
    ],
)
def test_a_reason_fits_a_status_line(sentence: str, shown: str) -> None:
    assert list(reason_header(sentence).values()) == [shown]


@pytest.mark.slow
def test_the_command_serves_and_ends() -> None:
    """With the bundled model. Label Studio shows people the status line alone, so it says why."""
    quiet = {"LABEL_STUDIO_URL": "", "BASIC_AUTH_USER": "", "BASIC_AUTH_PASS": ""}
    process = subprocess.Popen(
        [sys.executable, "-m", "vtmr.cli", "serve", "label-studio", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **quiet},
    )
    assert process.stdout is not None
    try:
        address = process.stdout.readline().strip().removeprefix("http://")
        line = http.client.HTTPConnection(address, timeout=60)
        for body, status, reason in (
            (request(keypoint(56.5, 54.5)), 200, "OK"),
            (request(keypoint(300, 54.5)), 400, "Region 1 of the context has x 187.5: expected"),
        ):
            line.request("POST", "/predict", json.dumps(body), {"content-type": "application/json"})
            answer = line.getresponse()
            content = json.loads(answer.read())
            assert (answer.status, answer.reason[: len(reason)]) == (status, reason)
            assert "x-vtmr-reason" not in answer.headers
        assert content["error"].startswith("Region 1 of the context")
        line.close()
    finally:
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=30)
    assert "Model vtmr-lite0-" in said
    assert "Traceback" not in said
    assert process.returncode in (0, -signal.SIGTERM)
