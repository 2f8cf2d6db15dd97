"""A method of one's own behind the same Session, with undo and correction for nothing.

    python examples/own_predictor.py

A predictor needs a name, `prepare` (what is computed once for an image) and `predict`. This one
takes every pixel whose colour is nearer to a positive click's than to any negative click's.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from typing import Any

import numpy as np

import vtmr
from vtmr.bench.baselines import Answer
from vtmr.geometry import Box
from vtmr.masks import Mask
from vtmr.types import Event, Image, active_clicks


class NearestColour:
    """Every pixel belongs to the click whose colour it resembles most."""

    name = "nearest colour"

    def prepare(self, image: Image) -> Any:
        return image.astype(np.float32)

    def predict(
        self,
        scene: Any,
        events: Sequence[Event],
        previous: Any = None,
        mask: Mask | None = None,
        region: Box | None = None,
    ) -> Answer:
        clicks = active_clicks(events)
        distances = [np.abs(scene - scene[click.pixel]).sum(axis=2) for click in clicks]
        signs = np.array([click.positive for click in clicks])
        return Answer.of(signs[np.argmin(distances, axis=0)])


def main() -> None:
    image = vtmr.read_image(str(resources.files("vtmr") / "assets" / "photos" / "coffee.jpg"))
    session = vtmr.Session(NearestColour(), image)
    session = session.add(vtmr.Click(285, 130))
    print(f"one positive click: {session.mask.mean():.0%} of the image")
    session = session.add(vtmr.Click(20, 20, positive=False))
    print(f"and a negative one: {session.mask.mean():.0%}")
    print(f"after undo: {session.undo().mask.mean():.0%}")


if __name__ == "__main__":
    main()
