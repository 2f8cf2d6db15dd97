"""A folder of small images, the annotator on it with the colour network, and a client that has the
token."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fakes import ColourNetwork, shapes_image
from httpx2 import Response
from PIL import Image
from starlette.testclient import TestClient

from vtmr.app.annotator import Annotator
from vtmr.app.server import create_app
from vtmr.segmenter import segmenter_for
from vtmr.serving.access import Access

MADE_WITH = {"model": "colour"}
ON_ELLIPSE, ON_RECTANGLE = (
    {"x": 56.5, "y": 54.5, "positive": True},
    {"x": 124.5, "y": 66.5, "positive": True},
)


class Annotating:
    """A client that counts revisions: `change` makes a change and remembers the document."""

    def __init__(self, http: TestClient, annotator: Annotator) -> None:
        self.http, self.annotator = http, annotator
        self.revision: dict[str, int] = {}

    def ids(self) -> dict[str, str]:
        """Image ids by name."""
        return {
            image["name"]: image["id"] for image in self.http.get("/api/v1/images").json()["images"]
        }

    def open(self, name: str) -> dict[str, Any]:
        opened: dict[str, Any] = self.http.get(f"/api/v1/images/{self.ids()[name]}").json()
        self.revision[name] = opened["document"]["revision"]
        return opened

    def attempt(self, name: str, op: str, **fields: Any) -> Response:
        """The bare answer."""
        if name not in self.revision:
            self.open(name)
        body = {"op": op, "revision": self.revision[name], **fields}
        return self.http.post(f"/api/v1/images/{self.ids()[name]}/changes", json=body)

    def change(self, name: str, op: str, **fields: Any) -> dict[str, Any]:
        answer = self.attempt(name, op, **fields)
        assert answer.status_code == 200, answer.text
        self.revision[name] = answer.json()["document"]["revision"]
        changed: dict[str, Any] = answer.json()
        return changed

    def click(self, name: str, object_id: str | None = None, **click: Any) -> dict[str, Any]:
        return self.change(name, "click", object=object_id, clicks=[click or ON_ELLIPSE])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """shapes.png, 160 x 120 (a red ellipse, a blue rectangle on green), and sub/other.png, with
    other noise."""
    photos = tmp_path / "photos"
    (photos / "sub").mkdir(parents=True)
    Image.fromarray(shapes_image()).save(photos / "shapes.png")
    Image.fromarray(shapes_image(seed=1)).save(photos / "sub" / "other.png")
    return photos


@pytest.fixture
def start() -> Iterator[Callable[..., Annotating]]:
    """Opens the annotator on a folder; closes all that were opened."""
    clients: list[TestClient] = []

    def open_on(folder: Path, **options: Any) -> Annotating:
        annotator = Annotator(
            folder, segmenter_for(ColourNetwork()), made_with=MADE_WITH, **options
        )
        access = Access("127.0.0.1", 8000, "secret")
        headers = {"Authorization": "Bearer secret"}
        http = TestClient(create_app(annotator, access), "http://127.0.0.1:8000", headers=headers)
        http.__enter__()
        clients.append(http)
        return Annotating(http, annotator)

    yield open_on
    for client in clients:
        client.__exit__(None, None, None)


@pytest.fixture
def annotating(folder: Path, start: Callable[..., Annotating]) -> Annotating:
    return start(folder, labels=["cup", "plate"])
