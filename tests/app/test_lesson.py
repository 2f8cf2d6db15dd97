"""The first minute's clicks: answered as a Session answers them, and nothing is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes import ColourNetwork

from vtmr.app.lesson import PHOTO
from vtmr.images import read_image
from vtmr.segmenter import segmenter_for
from vtmr.serving.maskruns import MaskRuns
from vtmr.session import Session
from vtmr.types import Click

CUP, SPOON = {"x": 290, "y": 235, "positive": True}, {"x": 366, "y": 290, "positive": False}


def test_clicks_are_answered_and_nothing_is_kept(annotating: Any, folder: Path) -> None:
    url = "/api/v1/lesson"
    assert annotating.http.get(f"{url}/photo.jpg").content == PHOTO.read_bytes()
    images = annotating.http.get("/api/v1/images").json()
    answer = annotating.http.post(url, json={"clicks": [CUP, SPOON]})
    image = read_image(PHOTO)
    session = Session(segmenter_for(ColourNetwork()), image)
    session = session.add(Click(290, 235)).add(Click(366, 290, False))
    mask = MaskRuns.from_json(answer.json()["mask"]).decode(*image.shape[:2])
    np.testing.assert_array_equal(mask, session.mask)
    assert annotating.http.get("/api/v1/images").json() == images


@pytest.mark.parametrize(
    ("body", "fragment"),
    [
        ({"clicks": []}, "1 to 20"),
        ({"clicks": [CUP] * 21}, "1 to 20"),
        ({"clicks": [CUP | {"x": 600}]}, "lies outside the image of 600x400"),
        ({"clicks": [CUP], "object": None}, "unknown field"),
    ],
)
def test_a_sentence_says_what_is_wrong(
    annotating: Any, body: dict[str, Any], fragment: str
) -> None:
    answer = annotating.http.post("/api/v1/lesson", json=body)
    assert answer.status_code == 400
    assert fragment in answer.json()["error"]["message"]
