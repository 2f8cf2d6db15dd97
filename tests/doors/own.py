"""Doors of vtmr's own: Python, the command line, and Python in SAM's words."""

from __future__ import annotations

import io
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

import vtmr
from doors.door import GARBAGE, HUGE, NAN, Door, Prompt
from vtmr.images import write_png
from vtmr.masks import Mask


class PythonDoor(Door):
    """`vtmr.segment`."""

    BAD: ClassVar = {
        "no prompts": {},
        "a click outside": {"clicks": [(5000, 1)]},
        "a click that is no number": {"clicks": [(NAN, 1)]},
        "a click of another shape": {"clicks": [(1,)]},
        "a box and a mask": {"box": (1, 1, 9, 9), "mask": np.ones((9, 9), np.bool_)},
        "a mask of another size": {"clicks": [(1, 1)], "mask": np.ones((9, 9), np.bool_)},
        "no image": {"clicks": [(1, 1)], "image": GARBAGE},
        "a huge image": {"clicks": [(1, 1)], "image": HUGE},
    }

    def mask(self, prompt: Prompt) -> Mask:
        return vtmr.segment(self.photo, clicks=prompt.clicks, box=prompt.box, mask=prompt.mask)

    def refusal(self, bad: dict[str, Any]) -> str:
        image = self.photo
        if "image" in bad:
            image = self.photo.with_name("bad")
            image.write_bytes(bad["image"])
        with pytest.raises(vtmr.InputError) as raised:
            vtmr.segment(image, **{name: bad[name] for name in bad if name != "image"})
        return str(raised.value)


class CommandDoor(Door):
    """`vtmr segment`."""

    BAD: ClassVar = {
        "no prompts": [],
        "a click outside": ["--click", "5000,1"],
        "a click that is no number": ["--click", "nan,1"],
        "a click of another shape": ["--click", "1"],
        "a box without an inside": ["--box", "9,9,9,9"],
        "a mask that isn't there": ["--click", "1,1", "--initial-mask", "nowhere.png"],
        "no image": GARBAGE,
        "a huge image": HUGE,
    }

    def mask(self, prompt: Prompt) -> Mask:
        arguments = []
        for x, y, positive in prompt.clicks:
            arguments += ["--click", f"{x},{y}" if positive else f"{x},{y},-"]
        if prompt.box is not None:
            arguments += ["--box", ",".join(str(side) for side in prompt.box)]
        if prompt.mask is not None:
            given = self.photo.with_name("given.png")
            write_png(given, prompt.mask)
            arguments += ["--initial-mask", str(given)]
        answer = self.photo.with_name("answer.png")
        code, _, err = self._run(str(self.photo), *arguments, "-o", str(answer))
        assert code == 0, err
        return vtmr.read_mask(answer, self.image.shape[:2])

    def refusal(self, bad: list[str] | bytes) -> str:
        image = self.photo
        if isinstance(bad, bytes):
            image = self.photo.with_name("bad")
            image.write_bytes(bad)
            bad = ["--click", "1,1"]
        code, out, err = self._run(str(image), *bad, "-o", str(self.photo.with_name("no.png")))
        assert (code, out) == (2, "")
        assert err.startswith("vtmr: ")
        assert err.count("\n") == 1
        return err

    def _run(self, *arguments: str) -> tuple[int, str, str]:
        from vtmr.cli import main

        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            code = main(["segment", *arguments])
        return code, out.getvalue(), err.getvalue()


class SamDoor(Door):
    """`vtmr.VtmrPredictor`, whose points are pixels' indices: half a pixel less than ours."""

    BAD: ClassVar = {
        "a click outside": {"point_coords": [[5000, 1]], "point_labels": [1]},
        "a click that is no number": {"point_coords": [[NAN, 1]], "point_labels": [1]},
        "a click of another shape": {"point_coords": [1, 1], "point_labels": [1]},
        "a box of another shape": {"box": [1, 1, 9]},
        "a label that is none": {"point_coords": [[1, 1]], "point_labels": [7]},
        "a mask of another shape": {"mask_input": np.ones((1, 9, 9), np.float32)},
    }

    def __init__(self, photo: Path) -> None:
        super().__init__(photo)
        self._predictor = vtmr.VtmrPredictor()
        self._predictor.set_image(self.image)

    def mask(self, prompt: Prompt) -> Mask:
        points = np.array([[x - 0.5, y - 0.5] for x, y, _ in prompt.clicks]).reshape(-1, 2)
        masks, _, _ = self._predictor.predict(
            point_coords=points if prompt.clicks else None,
            point_labels=np.array([int(sign) for _, _, sign in prompt.clicks]),
            box=None if prompt.box is None else np.array(prompt.box) - 0.5,
            multimask_output=False,
            init_mask=prompt.mask,
        )
        return masks[0]

    def refusal(self, bad: dict[str, Any]) -> str:
        with pytest.raises(vtmr.InputError) as raised:
            self._predictor.predict(**bad)
        return str(raised.value)
