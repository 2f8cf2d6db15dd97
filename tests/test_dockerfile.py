"""The Dockerfile: linted, safe in what it says, and its steps done one by one in a folder."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from dockerfile import ROOT, Instruction, copy, instructions, is_sent, stages

DOCKERFILE = ROOT / "Dockerfile"
STEPS = instructions(DOCKERFILE.read_text())
BUILD, RUNTIME = stages(STEPS)
KEY = "a-key-for-the-container"


def the(word: str, steps: list[Instruction]) -> Instruction:
    (step,) = (step for step in steps if step.word == word)
    return step


def test_hadolint_finds_nothing() -> None:
    """hadolint comes with the extra [dev] as a package."""
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([hadolint, DOCKERFILE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_it_runs_as_nobody_in_particular() -> None:
    users = [step.text for step in RUNTIME if step.word == "USER"]
    assert users == ["10001"]
    after = RUNTIME[RUNTIME.index(the("USER", RUNTIME)) :]
    assert not {"RUN", "COPY", "ADD"} & {step.word for step in after}


def test_it_ends_by_a_signal_that_the_service_gets_itself() -> None:
    """The exec form: a shell in between would keep SIGTERM to itself."""
    assert the("CMD", RUNTIME).text.startswith("[")
    assert the("STOPSIGNAL", RUNTIME).text == "SIGTERM"
    assert "ENTRYPOINT" not in {step.word for step in STEPS}


def test_only_pinned_files_are_installed() -> None:
    installs = [step.text for step in BUILD if "pip install" in step.text]
    assert any("--require-hashes -r requirements-serve.txt" in text for text in installs)
    for text in installs:
        assert "--require-hashes" in text or "--no-deps --no-build-isolation" in text
    assert all("pip" not in step.text for step in RUNTIME if step.word == "RUN")


def test_the_build_is_sent_what_it_copies_and_no_more() -> None:
    for name in (".git", "tests", ".venv", "docs"):
        assert not is_sent(name)
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    sent = {line[1:] for line in lines if line.startswith("!")}
    copied = {name for step in BUILD if step.word == "COPY" for name in step.words[:-1]}
    assert sent == copied


def test_pins_of_the_service_are_those_of_the_runtime_and_its_extra() -> None:
    """Both are written by tools/pin.py."""
    base = (ROOT / "requirements.txt").read_text().splitlines()[3:]
    served = (ROOT / "requirements-serve.txt").read_text().splitlines()[3:]
    assert set(base) <= set(served)
    more = {line.split("==")[0] for line in set(served) - set(base) if "==" in line}
    assert more == {"prometheus-client", "python-multipart"}


@pytest.mark.proof
def test_its_steps_give_a_service_that_answers(tmp_path: Path) -> None:
    """RUN and COPY into a folder in place of the image's, then HEALTHCHECK and CMD as they stand.

    What needs another root (useradd) is left out, and the port is one that is free. Needs the
    package index for the build; afterwards no way leads out where the system can take it away.
    """
    build, image = tmp_path / "build", tmp_path / "opt" / "vtmr"
    build.mkdir()
    for step in BUILD:
        if step.word == "COPY":
            copy(step, build)
        elif step.word == "RUN":
            shell(step.text, build, image)
    assert the("COPY", RUNTIME).words == ["--from=build", "/opt/vtmr", "/opt/vtmr"]
    others = [step.text.split()[0] for step in RUNTIME if step.word == "RUN"]
    assert others == ["useradd"]
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {"PATH": f"{image / 'bin'}:/usr/bin:/bin", "VTMR_API_KEYS": KEY}
    settings = dict(word.split("=", 1) for word in the("ENV", RUNTIME).words)
    environment |= {name: value for name, value in settings.items() if name != "PATH"}
    assert settings["PATH"] == "/opt/vtmr/bin:$PATH"
    command = [word.replace("8000", str(port)) for word in the("CMD", RUNTIME).words]
    command[0] = str(image / "bin" / command[0])
    refused = subprocess.run(
        command, env={"PATH": environment["PATH"]}, capture_output=True, text=True, check=False
    )
    assert refused.returncode == 2
    assert "VTMR_API_KEYS" in refused.stderr
    with subprocess.Popen(command, env=environment, cwd="/tmp", stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline().decode().strip() == f"http://0.0.0.0:{port}/"
            answers(port)
            healthy(port, image, environment)
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert subprocess.run(health_of(port, image), env=environment, check=False).returncode != 0


def shell(text: str, build: Path, image: Path) -> None:
    """A RUN of the build, with this Python for the image's."""
    command = re.sub(r"^python ", f"{sys.executable} ", text).replace("/opt/vtmr", str(image))
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run(["sh", "-euc", command], cwd=build, env=environment, check=True)


def health_of(port: int, image: Path) -> list[str]:
    """The HEALTHCHECK's command."""
    step = the("HEALTHCHECK", RUNTIME)
    words = json.loads(step.text.partition("CMD ")[2])
    assert words[0] == "python"
    return [str(image / "bin" / "python"), *(word.replace("8000", str(port)) for word in words[1:])]


def healthy(port: int, image: Path, environment: dict[str, str]) -> None:
    subprocess.run(health_of(port, image), env=environment, check=True)


def answers(port: int) -> None:
    """A mask with the key; nothing without."""
    photo = (ROOT / "src/vtmr/assets/photos/coffee.jpg").read_bytes()
    url = f"http://127.0.0.1:{port}/v1"
    headers = {"authorization": f"Bearer {KEY}", "content-type": "image/jpeg"}
    with urllib.request.urlopen(
        urllib.request.Request(f"{url}/images", photo, headers), timeout=120
    ) as answer:
        image_id = json.load(answer)["image_id"]
    body = json.dumps({"image_id": image_id, "clicks": [{"x": 290, "y": 235}]}).encode()
    headers["content-type"] = "application/json"
    with urllib.request.urlopen(
        urllib.request.Request(f"{url}/masks", body, headers), timeout=120
    ) as answer:
        assert json.load(answer)["area"] > 1000
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(f"{url}/images/{image_id}", timeout=60)
