"""napari's door, up to napari itself: points of a layer in, pixels of a layer of labels out."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

import vtmr
from doors.door import NAN, Door, Prompt
from vtmr.masks import Mask
from vtmr.plugins.napari.answers import Answers, Question
from vtmr.plugins.napari.clicked import read_points
from vtmr.plugins.napari.labelling import Outlook, change_to
from vtmr.plugins.napari.pixels import as_rgb
from vtmr.plugins.napari.slices import plane_of

_NUMBER = 3  # of the object, in the labels


class NapariDoor(Door):
    """The plugin's own steps on a photo. What napari makes of its errors, and of the layers, is
    tested in napari (tests/realnapari)."""

    takes_boxes = False
    BAD: ClassVar = {
        "a click outside": {"point": (1.0, 5000.0)},
        "a click that is no number": {"point": (1.0, NAN)},
        "a picture of another shape": {"picture": np.zeros((9, 9, 5), np.uint8)},
        "a picture of complex numbers": {"picture": np.zeros((9, 9, 3), np.complex128)},
    }

    def __init__(self, photo: Path) -> None:
        super().__init__(photo)
        self._answers = Answers(vtmr.load)

    def mask(self, prompt: Prompt) -> Mask:
        labels = np.zeros(self.image.shape[:2], np.int32)
        if prompt.mask is not None:
            labels[prompt.mask] = _NUMBER
        outlook = Outlook.begun(labels, _NUMBER)
        for asked in prompt.so_far():
            question = Question("photo", self._picture, outlook.start, self._clicks(asked))
            mask = self._answers.mask(question).mask
            change = change_to(mask, labels, outlook, preserve=False)
            labels[change.rows, change.columns] = change.labels
            outlook = change.after
        return np.asarray(labels == _NUMBER)

    def refusal(self, bad: dict[str, Any]) -> str:
        ask: Any = partial(plane_of, bad.get("point"), 0, 1, self.image.shape[:2])
        if "picture" in bad:
            ask = partial(as_rgb, bad["picture"], rgb=True)
        with pytest.raises(vtmr.InputError) as raised:
            ask()
        return str(raised.value)

    def _clicks(self, prompt: Prompt) -> Any:
        """As the plugin reads them off the layer of points, in napari's coordinates."""
        count = len(prompt.clicks)
        points = np.array([[y - 0.5, x - 0.5] for x, y, _ in prompt.clicks])
        features: dict[str, Any] = {
            "positive": [positive for _, _, positive in prompt.clicks],
            "object": [_NUMBER] * count,
            "rows": [0] * count,
            "columns": [1] * count,
        }
        (clicks,) = read_points(points, features, self.image.shape[:2]).clicks.values()
        return clicks

    def _picture(self) -> Any:
        return as_rgb(self.image, rgb=True)
