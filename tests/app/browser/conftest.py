"""A real Chromium, real servers in processes of their own, pictures whose pixels the tests know."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from desk import Desk, Server
from fakes import shapes_image
from PIL import Image
from playwright.sync_api import Browser, expect, sync_playwright

import vtmr
from vtmr.runtime.bundle import bundled_models

ROOT = Path(__file__).parents[3]
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
MANY = 120
# A blank page has no storage.
_NO_LESSON = "if (location.protocol !== 'about:') document.cookie = 'vtmr-lesson=seen'"
WAIT_MS = 60_000  # for what has to come; a machine with other work on it is slow, not wrong
expect.set_options(timeout=WAIT_MS)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium; the run fails with a sentence where there is none."""
    found = subprocess.run(
        [ROOT / "tools" / "chromium.sh"], capture_output=True, text=True, check=False
    )
    if found.returncode:
        pytest.fail(found.stderr.strip().splitlines()[-1], pytrace=False)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found.stdout.strip(), args=FLAGS)
        yield browser
        browser.close()


def start_server(
    folder: Path,
    port: int = 0,
    labels: str = "cup,plate,spoon",
    model: str = "colour",
    keep: str = "",
    base: str = "",
) -> Server:
    command = [
        sys.executable,
        str(Path(__file__).with_name("serving.py")),
        str(folder),
        str(port),
        labels,
        model,
        keep,
        base,
    ]
    return Server(subprocess.Popen(command, stdout=subprocess.PIPE, text=True), folder)


@pytest.fixture(scope="session")
def model() -> str:
    """What annotators are measured and pictured with: $ANNOTATOR_MODEL, else the first bundled
    model."""
    bundled = [model.name for model in bundled_models()]
    return os.environ.get("ANNOTATOR_MODEL") or (bundled[0] if bundled else "colour")


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """Starts annotators of a test's own; what still runs at the end is killed."""
    running: list[Server] = []

    def start(folder: Path, **options: Any) -> Server:
        running.append(start_server(folder, **options))
        return running[-1]

    yield start
    for server in running:
        server.kill()


@pytest.fixture
def sit_down(browser: Browser) -> Iterator[Callable[..., Desk]]:
    """Opens an annotator in a fresh browser profile.

    Fails at the end when a page met an error of its own.
    """
    contexts, errors = [], []

    def open_desk(
        server: Server, image: str | None = None, *, lesson: bool = False, **options: Any
    ) -> Desk:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 720}, **options})
        if not lesson:  # whoever sits down here has had the first minute
            context.add_init_script(_NO_LESSON)
        context.set_default_timeout(WAIT_MS)
        contexts.append(context)
        context.on("weberror", lambda error: errors.append(str(error.error)))
        context.on(
            "console",
            lambda message: "Content Security" in message.text and errors.append(message.text),
        )
        return Desk(context.new_page(), server).open(image)

    yield open_desk
    for context in contexts:
        context.close()
    assert not errors


@dataclass
class Project:
    """A server that many tests share, each on a picture of its own."""

    server: Server
    numbers: Iterator[int] = field(default_factory=count)

    def take(self) -> str:
        """The name of a picture that nobody has touched."""
        number = next(self.numbers)
        assert number < MANY, "More tests than pictures: raise MANY."
        return f"{number:02}.png"


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """Pictures of 160 x 120 pixels: a red ellipse and a blue rectangle on green
    (fakes.shapes_image)."""
    folder = tmp_path_factory.mktemp("annotator") / "shapes"
    folder.mkdir()
    for number in range(MANY):
        Image.fromarray(shapes_image(seed=number % 3)).save(folder / f"{number:02}.png")
    server = start_server(folder)
    yield Project(server)
    server.kill()


@pytest.fixture(scope="session")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """An annotator whose network takes its time, on four pictures."""
    folder = tmp_path_factory.mktemp("slow") / "shapes"
    folder.mkdir()
    for name in "abcd":
        Image.fromarray(shapes_image()).save(folder / f"{name}.png")
    server = start_server(folder, model="slow")
    yield server
    server.kill()


@pytest.fixture
def picture(project: Project) -> str:
    """The name of this test's picture."""
    return project.take()


@pytest.fixture
def server(project: Project) -> Server:
    return project.server


@pytest.fixture
def desk(server: Server, picture: str, sit_down: Callable[..., Desk]) -> Desk:
    """A tab that shows this test's picture."""
    desk = sit_down(server, picture)
    desk.name = picture
    return desk


PHOTOS = Path(vtmr.__file__).parent / "assets" / "photos"
COPIES = 30  # of each bundled photo


@pytest.fixture(scope="session")
def photo_server(tmp_path_factory: pytest.TempPathFactory, model: str) -> Iterator[Server]:
    """Copies of the bundled photos, with the bundled model."""
    folder = tmp_path_factory.mktemp("photos") / "photos"
    folder.mkdir()
    for path in sorted(PHOTOS.glob("*.jpg")):
        for number in range(COPIES):
            shutil.copy(path, folder / f"{path.stem}-{number:02}.jpg")
    server = start_server(folder, model=model)
    yield server
    server.kill()


@pytest.fixture(scope="session")
def copies() -> defaultdict[str, Iterator[int]]:
    """How many copies of each photo were taken."""
    return defaultdict(count)


@pytest.fixture
def photo(
    photo_server: Server, copies: defaultdict[str, Iterator[int]], sit_down: Callable[..., Desk]
) -> Callable[..., Desk]:
    """photo("coffee"): a tab that shows a copy of that photo that nobody has touched."""

    def open_copy(stem: str, **options: Any) -> Desk:
        number = next(copies[stem])
        assert number < COPIES, "More tests than copies: raise COPIES."
        desk = sit_down(photo_server, f"{stem}-{number:02}.jpg", **options)
        desk.name = f"{stem}-{number:02}.jpg"
        return desk

    return open_copy


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three such pictures, for a server of the test's own."""
    folder = tmp_path / "shapes"
    folder.mkdir()
    for seed, name in enumerate("abc"):
        Image.fromarray(shapes_image(seed=seed)).save(folder / f"{name}.png")
    return folder
