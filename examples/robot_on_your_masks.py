"""How many clicks a model needs on your own images and masks.

    python examples/robot_on_your_masks.py FOLDER

FOLDER holds `images` and `masks`, matched by the files' stems; above 127 is object. The
benchmark's robot user clicks into the middle of the largest error until the mask is good enough,
and the records of its clicks give the figures.
"""

from __future__ import annotations

import sys
from pathlib import Path

import vtmr
from vtmr.bench import Protocol, play, summarise
from vtmr.data import open_benchmark


def main(folder: str) -> None:
    predictor = vtmr.load()
    protocol = Protocol()
    records = []
    for sample in open_benchmark("pairs", Path(folder)):
        clicks = play(sample, predictor, protocol)
        records += clicks
        print(f"{sample.image_id}: {len(clicks)} clicks, IoU {clicks[-1].iou:.3f}")
    figures = summarise(records, protocol)["pairs"]
    for name in ("NoC@85", "NoC@90", "IoU@1", "BIoU@5"):
        low, high = figures["ci"][name]
        print(f"{name} {figures[name]:.3f} (95 % interval {low:.3f} to {high:.3f})")


if __name__ == "__main__":
    main(*sys.argv[1:])
