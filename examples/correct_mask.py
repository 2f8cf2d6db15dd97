"""A mask that is wrong in two places is corrected in one of them by one click.

    python examples/correct_mask.py

Makes a mask of the bundled espresso cup, spoils it, clicks once into what is missing, and shows
that every pixel away from the repaired region is as it was.
"""

from __future__ import annotations

from importlib import resources

import numpy as np

import vtmr
from vtmr.masks import iou


def main() -> None:
    image = vtmr.read_image(str(resources.files("vtmr") / "assets" / "photos" / "coffee.jpg"))
    predictor = vtmr.load()
    clicks = [vtmr.Click(290, 235), vtmr.Click(285, 130), vtmr.Click(225, 265)]
    good = vtmr.Session(predictor, image).add(*clicks).mask

    spoiled = good.copy()
    spoiled[150:260, 250:340] = False  # a piece of the cup is missing
    spoiled[20:60, 500:580] = True  # and there is an island in the background

    session = vtmr.Session(predictor, image, initial_mask=spoiled)
    corrected = session.add(vtmr.Click(295, 205)).mask

    changed = corrected != spoiled
    rows, columns = np.nonzero(changed)
    print(
        f"IoU with the good mask: {iou(spoiled, good):.3f} before, {iou(corrected, good):.3f} after"
    )
    print(f"changed: rows {rows.min()} to {rows.max()}, columns {columns.min()} to {columns.max()}")
    print(f"the island is untouched: {bool(corrected[20:60, 500:580].all())}")


if __name__ == "__main__":
    main()
