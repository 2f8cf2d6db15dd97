"""What tests of the Label Studio backend share: a label config, a task, and regions as Label Studio
1.23 sends them (libs/editor, serializeAnnotation; the examples in its docs/tags)."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from fakes import ColourNetwork, shapes_image
from numpy.typing import NDArray
from PIL import Image
from starlette.testclient import TestClient

from vtmr.formats.runlength import decode_label_studio, encode_label_studio
from vtmr.plugins.labelstudio.backend import Backend
from vtmr.plugins.labelstudio.server import Credentials, create_app
from vtmr.plugins.labelstudio.sources import Sources
from vtmr.segmenter import Segmenter, segmenter_for
from vtmr.serving.access import Access

Json = dict[str, Any]

CONFIG = """<View>
  <Image name="image" value="$image" zoom="true"/>
  <BrushLabels name="brush" toName="image" smart="true">
    <Label value="Ellipse" background="#FF0000"/>
    <Label value="Box" background="#0000FF"/>
  </BrushLabels>
  <KeyPointLabels name="point" toName="image" smart="true">
    <Label value="Ellipse"/>
    <Label value="Box"/>
    <Label value="Not this" negative="true"/>
  </KeyPointLabels>
  <RectangleLabels name="box" toName="image" smart="true">
    <Label value="Ellipse"/>
    <Label value="Box"/>
  </RectangleLabels>
</View>"""
HEIGHT, WIDTH = 120, 160
PHOTO = shapes_image(HEIGHT, WIDTH)
PROJECT = "12.1700000000"
ADDRESS = "http://127.0.0.1:9090"


def predictor() -> Segmenter:
    return segmenter_for(ColourNetwork())


def client_of(
    backend: Backend | None = None,
    credentials: Credentials | None = None,
    address: str = ADDRESS,
) -> TestClient:
    """A client of the door to the backend, a fresh one if none is given, that asks by `address`."""
    door = create_app(
        backend or Backend(predictor(), Sources()), Access("127.0.0.1", 9090), credentials
    )
    return TestClient(door, address, raise_server_exceptions=False)


def png_of(pixels: NDArray[np.uint8]) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def data_url(data: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


PHOTO_URL = data_url(png_of(PHOTO))


def region(kind: str, label: str, value: Json, control: str, **more: Any) -> Json:
    return {
        "id": "a1",
        "type": kind,
        "from_name": control,
        "to_name": "image",
        "original_width": WIDTH,
        "original_height": HEIGHT,
        "image_rotation": 0,
        "origin": "manual",
        "value": {**value, kind: [label]},
        **more,
    }


def keypoint(x: float, y: float, label: str = "Ellipse", **more: Any) -> Json:
    """At pixel (x, y)."""
    value = {"x": x / WIDTH * 100, "y": y / HEIGHT * 100, "width": 0.5}
    return region("keypointlabels", label, value, "point", **{"is_positive": True, **more})


def rectangle(corners: Sequence[float], label: str = "Ellipse", **more: Any) -> Json:
    """Around (x0, y0, x1, y1) in pixels."""
    x0, y0, x1, y1 = corners
    value = {
        "x": x0 / WIDTH * 100,
        "y": y0 / HEIGHT * 100,
        "width": (x1 - x0) / WIDTH * 100,
        "height": (y1 - y0) / HEIGHT * 100,
        "rotation": 0,
    }
    value.update(more)
    return region("rectanglelabels", label, value, "box")


def brush(mask: NDArray[np.bool_], label: str = "Ellipse") -> Json:
    value = {"format": "rle", "rle": list(encode_label_studio(mask))}
    return region("brushlabels", label, value, "brush")


def request(*regions: Json, image: object = PHOTO_URL, **more: Any) -> Json:
    """The body of /predict."""
    task = {"id": 7, "data": {"image": image}, "project": 12}
    context = {"result": list(regions)} if regions else None
    return {
        "tasks": [task],
        "project": PROJECT,
        "label_config": CONFIG,
        "params": {"login": None, "password": None, "context": context},
        **more,
    }


def masks_of(answer: Json) -> list[tuple[str, NDArray[np.bool_]]]:
    """Label and mask of each region in an answer of /predict."""
    (result,) = answer["results"]
    return [
        (
            item["value"]["brushlabels"][0],
            decode_label_studio(
                item["value"]["rle"], item["original_height"], item["original_width"]
            ),
        )
        for item in result["result"]
    ]
