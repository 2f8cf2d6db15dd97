"""The door for many images: a file of prompts."""

from __future__ import annotations

import csv
import io
from contextlib import redirect_stderr, redirect_stdout
from typing import Any, ClassVar

import vtmr
from doors.door import GARBAGE, HUGE, Door, Prompt
from vtmr.images import write_png
from vtmr.masks import Mask


class BatchDoor(Door):
    """`vtmr apply` with a CSV file."""

    BAD: ClassVar = {
        "no prompts": [],
        "a click outside": [{"kind": "click", "x": 5000, "y": 1}],
        "a click that is no number": [{"kind": "click", "x": "nan", "y": 1}],
        "a click of another shape": [{"kind": "click", "x": 1}],
        "a box and a mask": [
            {"kind": "box", "x0": 1, "y0": 1, "x1": 9, "y1": 9},
            {"kind": "mask", "mask": "given.png"},
        ],
        "a mask outside the folder": [{"kind": "mask", "mask": "/etc/passwd"}],
        "no image": GARBAGE,
        "a huge image": HUGE,
    }

    def mask(self, prompt: Prompt) -> Mask:
        rows: list[dict[str, Any]] = []
        if prompt.box is not None:
            rows.append(
                {"kind": "box", **dict(zip(("x0", "y0", "x1", "y1"), prompt.box, strict=True))}
            )
        if prompt.mask is not None:
            write_png(self.photo.with_name("given.png"), prompt.mask)
            rows.append({"kind": "mask", "mask": "given.png"})
        for x, y, positive in prompt.clicks:
            rows.append({"kind": "click", "x": x, "y": y, "positive": int(positive)})
        code, _, err = self._run(self.photo, rows)
        assert code == 0, err
        out = self.photo.with_name("batch")
        (path,) = (out / self.photo.stem).glob("*.png")
        return vtmr.read_mask(path, self.image.shape[:2])

    def refusal(self, bad: list[dict[str, Any]] | bytes) -> str:
        image, rows = self.photo, bad
        if isinstance(bad, bytes):
            image = self.photo.with_name("bad.png")
            image.write_bytes(bad)
            rows = [{"kind": "click", "x": 1, "y": 1}]
        code, _, err = self._run(image, rows)
        assert code == 2
        assert all(line.startswith("vtmr: ") for line in err.splitlines())
        return err

    def _run(self, image: Any, rows: Any) -> tuple[int, str, str]:
        from vtmr.cli import main

        prompts = self.photo.with_name("prompts.csv")
        with prompts.open("w", newline="") as file:
            names = (
                "image",
                "object",
                "kind",
                "x",
                "y",
                "positive",
                "x0",
                "y0",
                "x1",
                "y1",
                "mask",
            )
            writer = csv.DictWriter(file, names)
            writer.writeheader()
            for row in rows:
                writer.writerow({"image": image.name, "object": "one", **row})
        where = ("--prompts", str(prompts), "--out", str(self.photo.with_name("batch")))
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            code = main(["apply", str(image), *where, "--format", "png"])
        return code, out.getvalue(), err.getvalue()
