"""The backend connected to Label Studio itself, asked through its API and in its page; masks read
by its own converter. `make proof`."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Page, sync_playwright
from realstudio import (
    PASSWORD,
    PHOTO,
    ROOT,
    USER,
    Studio,
    label_config,
    running_studio,
    running_vtmr,
)

import vtmr
from vtmr.formats.runlength import decode_label_studio, encode_label_studio
from vtmr.masks import iou

pytestmark = pytest.mark.proof

WIDTH, HEIGHT = 640, 427
CLICKS = ((322.5, 242.25, True), (324.75, 405.5, True), (301.0, 396.5, False))
BOX = (300, 120, 345, 420)
READ = """
from label_studio_sdk.converter import brush
import numpy as np
answer = []
for item in given:
    pixels = brush.decode_rle(item["value"]["rle"])
    shape = item["original_height"], item["original_width"], 4
    answer.append((pixels.reshape(shape)[..., 3] > 127).astype(int).tolist())
"""


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    with running_studio(tmp_path_factory.mktemp("studio")) as running:
        yield running


@pytest.fixture(scope="module")
def backend(studio: Studio) -> Iterator[str]:
    """Its address. It reads images with a personal access token."""
    with running_vtmr(studio, studio.personal_token()) as address:
        yield address


class Project:
    """One with the documentation's label config, the photo and the backend."""

    def __init__(self, studio: Studio, backend: str) -> None:
        self.studio = studio
        made = studio.call(
            "POST", "/api/projects", {"title": "vtmr", "label_config": label_config()}
        )
        self.id = int(made["id"])
        self.task = studio.upload(self.id, PHOTO)
        self.ml = studio.call(
            "POST",
            "/api/ml",
            {"project": self.id, "url": backend, "title": "vtmr", "is_interactive": True},
        )

    def ask(self, *regions: Any) -> Any:
        """An interactive prediction, as Label Studio answers its own page."""
        body = {"task": self.task["id"], "context": {"result": list(regions)}}
        return self.studio.call("POST", f"/api/ml/{self.ml['id']}/interactive-annotating", body)

    def mask(self, *regions: Any) -> NDArray[np.bool_]:
        """The one mask of the answer, read by Label Studio's own converter."""
        answer = self.ask(*regions)
        assert "errors" not in answer, answer
        (mask,) = self.studio.converter(READ, answer["data"]["result"])
        return np.array(mask, np.bool_)


@pytest.fixture(scope="module")
def project(studio: Studio, backend: str) -> Project:
    return Project(studio, backend)


def region(kind: str, control: str, **value: Any) -> Any:
    return {
        "id": os.urandom(5).hex(),
        "type": kind,
        "from_name": control,
        "to_name": "image",
        "original_width": WIDTH,
        "original_height": HEIGHT,
        "image_rotation": 0,
        "value": {kind: ["Object"], **value},
    }


def points(clicks: Any = CLICKS) -> list[Any]:
    return [
        {
            **region("keypointlabels", "point", x=x / WIDTH * 100, y=y / HEIGHT * 100, width=0.5),
            "is_positive": positive,
        }
        for x, y, positive in clicks
    ]


def rectangle() -> Any:
    x0, y0, x1, y1 = BOX
    value = {"x": x0 / WIDTH * 100, "y": y0 / HEIGHT * 100, "rotation": 0}
    size = {"width": (x1 - x0) / WIDTH * 100, "height": (y1 - y0) / HEIGHT * 100}
    return region("rectanglelabels", "box", **value, **size)


def test_it_connects_with_the_documented_config(project: Project) -> None:
    assert project.ml["readable_state"] == "Connected"
    assert project.ml["model_version"].startswith("vtmr-lite0-")
    versions = project.studio.call("GET", f"/api/ml/{project.ml['id']}/versions")
    assert versions == {"versions": [project.ml["model_version"]]}


@pytest.mark.parametrize("count", [1, 2, 3])
def test_keypoints_give_the_mask_that_python_gives(project: Project, count: int) -> None:
    """vtmr.segment on the very file; the photo went through Label Studio's upload."""
    expected = vtmr.segment(PHOTO, clicks=CLICKS[:count])
    assert iou(project.mask(*points()[:count]), expected) == 1
    assert expected.sum() > 4000


def test_a_rectangle_gives_the_mask_that_python_gives(project: Project) -> None:
    assert iou(project.mask(rectangle()), vtmr.segment(PHOTO, box=BOX)) == 1


def test_a_brush_is_corrected_as_in_python(project: Project) -> None:
    drawn = np.zeros((HEIGHT, WIDTH), np.bool_)
    drawn[130:300, 310:335] = True
    brush = region("brushlabels", "brush", format="rle", rle=list(encode_label_studio(drawn)))
    expected = vtmr.segment(PHOTO, mask=drawn, clicks=CLICKS[1:2])
    assert iou(project.mask(brush, *points()[1:2]), expected) == 1


def test_errors_reach_whoever_asks_label_studio(project: Project) -> None:
    (sentence,) = project.ask(*points([(900, 10, True)]))["errors"]
    assert sentence.startswith(
        "400 Client Error: Region 1 of the context has x 140.625: expected percent of the image"
    )


def test_predictions_and_training_without_a_context_do_no_harm(project: Project) -> None:
    """Buttons of its pages: "Retrieve predictions" and "Start training"."""
    studio, path = project.studio, f"/api/ml/{project.ml['id']}"
    studio.call("POST", f"{path}/train", {})
    assert studio.call("GET", path)["readable_state"] == "Connected"
    studio.call(
        "POST",
        f"/api/dm/actions?id=retrieve_tasks_predictions&project={project.id}",
        {"selectedItems": {"all": True, "excluded": []}},
    )
    assert studio.call("GET", f"/api/predictions?project={project.id}") == []


def test_our_streams_are_the_converters(studio: Studio) -> None:
    """Random masks: the same bytes out, the same pixels in."""
    random = np.random.default_rng(0)
    masks = []
    for _ in range(100):
        height, width = random.integers(1, 40, 2)
        masks.append(random.random((height, width)) < random.random())
    masks.append(np.arange(300_000).reshape(300, 1000) < 299_000)
    theirs = studio.converter(
        "from label_studio_sdk.converter import brush\n"
        "import numpy as np\n"
        "answer = [brush.mask2rle(np.array(rows, np.uint8) * 255) for rows in given]",
        [mask.astype(int).tolist() for mask in masks],
    )
    assert [list(encode_label_studio(mask)) for mask in masks] == theirs
    for mask, stream in zip(masks, theirs, strict=True):
        np.testing.assert_array_equal(decode_label_studio(stream, *mask.shape), mask)


@pytest.mark.browser
def test_a_person_clicks_in_the_page(project: Project, tmp_path: Path) -> None:
    """Two clicks with Auto-Annotation on, accepted and submitted: the annotation's mask is
    Python's for the same two points. With VTMR_PICTURE=FILE.jpg the page is kept."""
    chromium = subprocess.run(
        [ROOT / "tools" / "chromium.sh"], capture_output=True, text=True, check=True
    ).stdout.strip()
    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=chromium, args=flags)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.set_default_timeout(60_000)
        sent: list[Any] = []
        page.on(
            "request",
            lambda request: (
                sent.append(json.loads(request.post_data or "{}")["context"]["result"])
                if "interactive-annotating" in request.url
                else None
            ),
        )
        _annotate(page, project, Path(os.environ.get("VTMR_PICTURE", tmp_path / "page.jpg")))
        browser.close()
    clicks = [
        (
            item["value"]["x"] * WIDTH / 100,
            item["value"]["y"] * HEIGHT / 100,
            bool(item["is_positive"]),
        )
        for item in sent[-1]
    ]
    assert len(clicks) == 2
    (annotation,) = project.studio.call("GET", f"/api/tasks/{project.task['id']}/annotations/")
    (item,) = annotation["result"]
    assert item["value"]["brushlabels"] == ["Object"]
    (mask,) = project.studio.converter(READ, [item])
    assert iou(np.array(mask, np.bool_), vtmr.segment(PHOTO, clicks=clicks)) == 1


def _annotate(page: Page, project: Project, picture: Path) -> None:
    """Signs in, clicks on the rocket twice, keeps a picture, accepts and submits."""
    url = project.studio.url
    page.goto(f"{url}/user/login/")
    page.fill("input[name=email]", USER)
    page.fill("input[name=password]", PASSWORD)
    page.click("button[type=submit]")
    page.goto(f"{url}/projects/{project.id}/data?task={project.task['id']}")
    page.get_by_text("Auto-Annotation").click()
    page.wait_for_load_state("networkidle")  # the photo is there
    for x, y, _ in CLICKS[:2]:
        page.get_by_text("Object", exact=True).nth(1).click()
        smart = page.locator("button[aria-label=key-point-tool]").last
        smart.evaluate("button => button.click()")
        box = page.locator(".konvajs-content").first.bounding_box()
        assert box is not None
        with page.expect_response(lambda answer: "interactive-annotating" in answer.url):
            page.mouse.click(
                box["x"] + x * box["width"] / WIDTH, box["y"] + y * box["height"] / HEIGHT
            )
        page.get_by_test_id("bottombar-accept-suggestions-button").wait_for()
    page.wait_for_timeout(2000)  # until the mask is painted
    page.screenshot(path=picture, type="jpeg", quality=80)
    page.get_by_test_id("bottombar-accept-suggestions-button").click()
    page.get_by_test_id("bottombar-auto-accept-toggle").wait_for()
    page.get_by_text("Submit", exact=True).click()
    page.get_by_text("Update", exact=True).wait_for()
