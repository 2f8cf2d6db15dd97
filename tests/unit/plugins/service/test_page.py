"""docs/doors/http.md word for word: its commands, in a shell, and its lines of Python."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from httpservice import Process
from PIL import Image

ROOT = Path(__file__).parents[4]
PAGE = (ROOT / "docs" / "doors" / "http.md").read_text()
PHOTO = "src/vtmr/assets/photos/coffee.jpg"


def commands(title: str) -> list[str]:
    """Of the console blocks in a section, without what they print."""
    section = PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"^```console\n(.*?)^```", section, flags=re.S | re.M)
    return [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]


def python_of(title: str) -> str:
    section = PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    (code,) = re.findall(r"^```python\n(.*?)^```", section, flags=re.S | re.M)
    return str(code)


FIRST, OFTEN = "From an empty machine to the first mask", "Upload once, click often"


def shell(lines: list[str], folder: Path) -> str:
    """What they print, in one bash."""
    done = subprocess.run(
        ["bash", "-euc", "\n".join(lines)], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def clone(folder: Path) -> Path:
    """What of the repository the page uses."""
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(ROOT / "src", folder / "src", ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE", "constraints.txt"):
        shutil.copy(ROOT / name, folder)
    return folder


def require_masks(folder: Path, printed: str) -> None:
    """What the page promises of mask.png, and that the later commands answered."""
    mask = Image.open(folder / "mask.png")
    with Image.open(ROOT / PHOTO) as photo:
        assert mask.size == photo.size
    assert (mask.getpixel((290, 235)), mask.getpixel((5, 5))) == (255, 0)
    assert printed.count('"image_id"') == 2
    assert '"counts"' in printed


@pytest.mark.slow
def test_the_requests_are_answered(serve: Callable[..., Process], tmp_path: Path) -> None:
    """All but the installation, at a port that is free."""
    service = serve()
    folder = tmp_path / "clone"
    (folder / PHOTO).parent.mkdir(parents=True)
    shutil.copy(ROOT / PHOTO, folder / PHOTO)
    address = f"127.0.0.1:{service.port}"
    lines = [line.replace("127.0.0.1:8000", address) for line in commands(FIRST)[3:]]
    assert len(lines) == 1
    lines += [line.replace("127.0.0.1:8000", address) for line in commands(OFTEN)]
    require_masks(folder, shell(lines, folder))
    code = python_of(OFTEN).replace("127.0.0.1:8000", address)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True
    )
    assert int(done.stdout.split()[0]) > 1000


@pytest.mark.proof
def test_from_an_empty_machine(tmp_path: Path) -> None:
    """The installation, too, into an environment that it makes itself; needs the package index,
    and the page's own port."""
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", 8000)) == 0:
            pytest.skip("another program has the port 8000, which the page uses")
    folder = clone(tmp_path)
    make, install, start, first = commands(FIRST)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    make = make.replace("python3 ", f"{sys.executable} ")
    subprocess.run(["bash", "-euc", f"{make}\n{install}"], cwd=folder, env=environment, check=True)
    with subprocess.Popen(
        ["bash", "-c", f"exec {start}"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as service:
        try:
            assert service.stdout is not None
            assert f"\n{service.stdout.readline()}```" in PAGE
            require_masks(folder, shell([first, *commands(OFTEN)], folder))
            (folder / "ask.py").write_text(python_of(OFTEN))
            area = shell([".venv/bin/python ask.py"], folder).split()[0]
            assert int(area) > 1000
        finally:
            service.send_signal(signal.SIGTERM)
        assert service.wait(60) == 0


def test_keys_are_made_as_the_page_says() -> None:
    """The two commands under Keys; the second is refused without the first."""
    made, start = commands("Keys")
    assert made == "openssl rand -hex 24 > keys.txt"
    assert start.endswith("--keys keys.txt")
