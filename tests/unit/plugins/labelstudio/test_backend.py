"""Label Studio's requests and the masks that answer them: those of a Session that is given the same
prompts (docs/doors/label-studio.md)."""

from __future__ import annotations

import gc
import io
import threading
import time
import weakref
from typing import Any

import numpy as np
import pytest
from labelstudio import (
    CONFIG,
    HEIGHT,
    PHOTO,
    PROJECT,
    WIDTH,
    brush,
    client_of,
    data_url,
    keypoint,
    masks_of,
    png_of,
    predictor,
    rectangle,
    region,
    request,
)
from numpy.typing import NDArray
from PIL import Image
from starlette.testclient import TestClient

import vtmr
from vtmr.masks import iou
from vtmr.plugins.labelstudio.backend import Backend
from vtmr.plugins.labelstudio.sources import Sources
from vtmr.segmenter import Segmenter
from vtmr.session import Session
from vtmr.types import BoxPrompt, Click, Event

ON_ELLIPSE, ON_BOX, ON_GRASS = (56.5, 54.5), (124.5, 66.5), (5.5, 5.5)


def session(*events: Event, mask: NDArray[np.bool_] | None = None) -> NDArray[np.bool_]:
    """The reference: one event after another."""
    made = Session(predictor(), PHOTO, initial_mask=mask)
    for event in events:
        made = made.add(event)
    return made.mask


def predict(http: TestClient, *regions: Any, **more: Any) -> list[tuple[str, NDArray[np.bool_]]]:
    answer = http.post("/predict", json=request(*regions, **more))
    assert answer.status_code == 200, answer.text
    return masks_of(answer.json())


class TestMasks:
    def test_keypoints_are_clicks_in_their_order(self, http: TestClient) -> None:
        ((label, mask),) = predict(
            http, keypoint(*ON_ELLIPSE), keypoint(*ON_BOX), keypoint(*ON_GRASS, is_positive=False)
        )
        expected = session(Click(*ON_ELLIPSE), Click(*ON_BOX), Click(*ON_GRASS, positive=False))
        assert label == "Ellipse"
        np.testing.assert_array_equal(mask, expected)
        assert mask.sum() > 2000

    def test_a_rectangle_is_a_box(self, http: TestClient) -> None:
        ((_, mask),) = predict(http, rectangle((20, 15, 92, 95)))
        np.testing.assert_array_equal(mask, session(BoxPrompt(20, 15, 92, 95)))

    def test_keypoints_refine_what_a_rectangle_began(self, http: TestClient) -> None:
        """Whichever was drawn first."""
        box, click = BoxPrompt(20, 15, 92, 95), Click(60.5, 50.5)
        for regions in (
            (rectangle((20, 15, 92, 95)), keypoint(60.5, 50.5)),
            (keypoint(60.5, 50.5), rectangle((20, 15, 92, 95))),
        ):
            ((_, mask),) = predict(http, *regions)
            np.testing.assert_array_equal(mask, session(box, click))

    def test_a_turned_rectangle_is_the_box_around_it(self, http: TestClient) -> None:
        """Label Studio turns it by its upper left corner: by 90 degrees it goes to the left."""
        turned = rectangle((92, 15, 172, 87), rotation=90)
        turned["value"].update(width=80 / WIDTH * 100, height=72 / HEIGHT * 100)
        ((_, mask),) = predict(http, turned)
        np.testing.assert_array_equal(mask, session(BoxPrompt(20, 15, 92, 95)))

    def test_a_brush_is_the_mask_that_keypoints_correct(self, http: TestClient) -> None:
        """Only the region that the click lies in changes, every other pixel stays."""
        whole = session(Click(*ON_ELLIPSE))
        holed = whole.copy()
        holed[50:60, 50:60] = False
        holed[2:6, 2:6] = True
        ((_, mask),) = predict(http, brush(holed), keypoint(*ON_ELLIPSE))
        np.testing.assert_array_equal(mask, session(Click(*ON_ELLIPSE), mask=holed))
        assert mask[50:60, 50:60].all()
        assert mask[2:6, 2:6].all()

    def test_a_brush_alone_is_a_stroke_on_the_object(self, http: TestClient) -> None:
        """A stroke across the ellipse becomes the ellipse."""
        stroke = np.zeros((HEIGHT, WIDTH), np.bool_)
        stroke[50:58, 40:75] = True
        ((_, mask),) = predict(http, brush(stroke))
        whole = session(Click(*ON_ELLIPSE))
        assert iou(stroke, whole) < 0.2
        assert iou(mask, whole) > 0.9

    def test_objects_of_several_labels_have_a_mask_each(self, http: TestClient) -> None:
        found = predict(http, keypoint(*ON_ELLIPSE), keypoint(*ON_BOX, "Box"), keypoint(60.5, 50.5))
        assert [label for label, _ in found] == ["Ellipse", "Box"]
        np.testing.assert_array_equal(found[0][1], session(Click(*ON_ELLIPSE), Click(60.5, 50.5)))
        np.testing.assert_array_equal(found[1][1], session(Click(*ON_BOX)))

    def test_every_rectangle_is_an_object(self, http: TestClient) -> None:
        found = predict(http, rectangle((20, 15, 92, 95)), rectangle((100, 30, 150, 100)))
        assert [label for label, _ in found] == ["Ellipse", "Ellipse"]
        np.testing.assert_array_equal(found[1][1], session(BoxPrompt(100, 30, 150, 100)))

    def test_a_label_that_takes_away_belongs_to_the_object_worked_on(
        self, http: TestClient
    ) -> None:
        found = predict(
            http,
            keypoint(*ON_ELLIPSE),
            keypoint(*ON_BOX, "Box"),
            keypoint(*ON_GRASS, "Not this"),
        )
        np.testing.assert_array_equal(found[0][1], session(Click(*ON_ELLIPSE)))
        np.testing.assert_array_equal(
            found[1][1], session(Click(*ON_BOX), Click(*ON_GRASS, positive=False))
        )

    def test_what_only_takes_away_gives_no_region(self, http: TestClient) -> None:
        assert predict(http, keypoint(*ON_GRASS, "Not this")) == []
        assert predict(http, keypoint(*ON_GRASS, is_positive=False)) == []

    def test_the_edges_belong_to_the_last_pixels(self, http: TestClient) -> None:
        ((_, mask),) = predict(http, keypoint(WIDTH, HEIGHT))
        assert mask[-1, -1]

    def test_a_further_keypoint_costs_one_prediction(
        self, http: TestClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        passes = []
        kind = type(predictor())
        plain = kind.predict
        monkeypatch.setattr(kind, "predict", lambda *given: (passes.append(1), plain(*given))[1])
        regions = [keypoint(50 + step, 50.25) for step in range(4)]
        predict(http, *regions[:3])
        assert len(passes) == 3
        predict(http, *regions)
        assert len(passes) == 4

    def test_the_image_is_upright_as_its_exif_says(self, http: TestClient) -> None:
        """Orientation 6: stored on its side; the page shows it upright, and so is the mask."""
        exif = Image.Exif()
        exif[0x0112] = 6
        stored = Image.fromarray(np.ascontiguousarray(np.rot90(PHOTO)))
        stream = io.BytesIO()
        stored.save(stream, "PNG", exif=exif)
        ((_, mask),) = predict(http, keypoint(*ON_ELLIPSE), image=data_url(stream.getvalue()))
        np.testing.assert_array_equal(mask, session(Click(*ON_ELLIPSE)))


class TestAnswers:
    def test_an_answer_has_what_label_studio_reads(self, http: TestClient) -> None:
        """The keys that Label Studio reads from an answer of a machine-learning backend."""
        answer = http.post("/predict", json=request(keypoint(*ON_ELLIPSE))).json()
        (result,) = answer["results"]
        assert set(result) == {"result", "score", "model_version"}
        (item,) = result["result"]
        assert (
            item.items()
            >= {
                "from_name": "brush",
                "to_name": "image",
                "type": "brushlabels",
                "original_width": WIDTH,
                "original_height": HEIGHT,
                "image_rotation": 0,
                "readonly": False,
            }.items()
        )
        assert item["value"]["format"] == "rle"
        assert item["value"]["brushlabels"] == ["Ellipse"]
        assert 0 < item["score"] <= 1
        assert result["score"] == item["score"]

    def test_without_a_context_there_are_no_results(self, http: TestClient) -> None:
        for context in (None, {}, {"result": []}, {"result": [region("choices", "a", {}, "c")]}):
            body = {**request(), "params": {"context": context}}
            assert http.post("/predict", json=body).json()["results"] == []

    def test_health_setup_versions_and_metrics(self, http: TestClient, backend: Backend) -> None:
        for path in ("/", "/health"):
            assert http.get(path).json() == {
                "status": "UP",
                "model_class": "Vtmr",
                "model_version": backend.version,
            }
        body = {"project": PROJECT, "schema": CONFIG, "extra_params": None, "hostname": "http://x"}
        assert http.post("/setup", json=body).json() == {"model_version": "vtmr-colour"}
        assert http.get("/versions").json() == {"versions": ["vtmr-colour"]}
        assert set(http.get("/metrics").json()) == {"predictions", "images"}

    def test_a_project_that_was_set_up_needs_no_config(self, http: TestClient) -> None:
        http.post("/setup", json={"project": "77.1", "schema": CONFIG})
        body = request(keypoint(*ON_ELLIPSE), label_config=None, project="77.9")
        assert len(masks_of(http.post("/predict", json=body).json())) == 1

    @pytest.mark.parametrize(
        ("action", "status"),
        [
            ("ANNOTATION_CREATED", 201),
            ("ANNOTATION_UPDATED", 201),
            ("ANNOTATION_DELETED", 201),
            ("START_TRAINING", 201),
            ("PROJECT_UPDATED", 200),
            (None, 200),
        ],
    )
    def test_webhooks_are_taken(self, http: TestClient, action: object, status: int) -> None:
        answer = http.post("/webhook", json={"action": action, "project": {"id": 12}})
        assert answer.status_code == status
        assert answer.json()["status"] == ("ok" if status == 201 else "Unknown event")

    def test_training_is_answered_with_what_to_do(self, http: TestClient) -> None:
        told = http.post("/train", json={"annotations": [], "project": PROJECT}).json()
        assert "vtmr train" in told["result"]

    def test_memory_is_bounded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Images of 57,600 bytes and a third within 200,000: two. What was answered on the others
        doesn't keep them."""
        made = []
        prepare = Segmenter.prepare

        def watched(own: Segmenter, image: NDArray[np.uint8]) -> Any:
            scene = prepare(own, image)
            made.append(weakref.ref(scene))
            return scene

        monkeypatch.setattr(Segmenter, "prepare", watched)
        backend = Backend(predictor(), Sources(), image_bytes=200_000)
        with client_of(backend) as client:
            for shade in range(5):
                image = data_url(png_of(np.full_like(PHOTO, shade)))
                body = request(keypoint(*ON_ELLIPSE), image=image)
                assert client.post("/predict", json=body).status_code == 200
            assert client.get("/metrics").json() == {"predictions": 5, "images": 2}
        gc.collect()
        assert [scene() is not None for scene in made] == [False, False, False, True, True]

    def test_many_at_once_are_told_to_come_back(self) -> None:
        """Beyond those that wait: 503 with Retry-After, in Label Studio's form."""
        backend = Backend(predictor(), Sources())
        go = threading.Event()
        plain = backend._masks
        backend._masks = lambda *given: (go.wait(10), plain(*given))[1]  # type: ignore[method-assign]
        answers: list[Any] = []
        with client_of(backend) as client:
            body = request(keypoint(*ON_ELLIPSE))
            threads = [
                threading.Thread(target=lambda: answers.append(client.post("/predict", json=body)))
                for _ in range(20)
            ]
            for thread in threads:
                thread.start()
            until = time.monotonic() + 10
            while len(answers) < 3 and time.monotonic() < until:
                time.sleep(0.01)
            go.set()
            for thread in threads:
                thread.join()
        statuses = sorted(answer.status_code for answer in answers)
        assert statuses == [200] * 17 + [503] * 3  # one runs, 16 wait
        refused = next(answer for answer in answers if answer.status_code == 503)
        assert refused.headers["retry-after"] == "1"
        assert "try again" in refused.json()["error"]


def test_the_python_door_gives_the_same(http: TestClient) -> None:
    """vtmr.segment is the reference for every door."""
    clicks = [(*ON_ELLIPSE, True), (*ON_BOX, True), (*ON_GRASS, False)]
    regions = [keypoint(x, y, is_positive=positive) for x, y, positive in clicks]
    ((_, mask),) = predict(http, *regions)
    expected = vtmr.segment(PHOTO, clicks=clicks, model=predictor())
    assert iou(mask, expected) == 1
