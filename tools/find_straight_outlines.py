"""Looks for masks that end along a ruler: straight outlines where the photo shows no edge.

    python tools/find_straight_outlines.py ../shared/data

The photos are those of coco's and coco_more's val.txt, 120 in all. Each is clicked in the middle,
then at .3 of its width and .6 of its height, with the bundled model, as an annotator might who
knows nothing of the benchmark. Counted are the masks whose outline has a straight, horizontal or
vertical run of at least 24 px and 6 % of the shorter side along which the photo's colours step by
less than 12 of 255 and by no more than 1.5 times what they do beside it. It knows nothing of crops:
unlike cut@k of the benchmark it also finds lines that lie in the photo, and misses cuts beside an
edge.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import vtmr
from vtmr.data.sources import read_stems
from vtmr.masks import Mask
from vtmr.segmenter import segmenter_for
from vtmr.session import Session
from vtmr.spec import VIEWS, ZoomSchedule
from vtmr.types import Click, FloatMap, Image

FOLDERS = ("coco", "coco_more")
PLACES = ((0.5, 0.5), (0.3, 0.6))  # of width and height
LEAST_PX, LEAST_SHARE = 24, 0.06
LEAST_STEP, LEAST_RATIO = 12.0, 1.5
DEPTH_PX, BESIDE_PX = 3, (5, 7, 9)  # colours are averaged over; how far beside the outline


def main(root: Path) -> None:
    network = vtmr.load().network
    photos = [
        root / folder / "images" / f"{stem}.webp"
        for folder in FOLDERS
        for stem in read_stems(root / folder / "val.txt")
    ]
    for name, views in VIEWS.items():
        segmenter = segmenter_for(network, views=views, zoom=ZoomSchedule(schedule="off"))
        found = np.zeros(len(PLACES), np.int64)
        for path in photos:
            image = vtmr.read_image(path)
            height, width = image.shape[:2]
            session = Session(segmenter, image)
            for k, (x, y) in enumerate(PLACES):
                session = session.add(Click(x * width, y * height))
                found[k] += longest_straight_px(session.mask, image) > 0
        shares = ", ".join(
            f"{n} of {len(photos)} after click {k}" for k, n in enumerate(found, start=1)
        )
        print(f"{name}: {shares}; {found.sum() / found.size / len(photos):.1%} in all", flush=True)


def longest_straight_px(mask: Mask, image: Image) -> int:
    """The longest straight run of outline that lies on no edge of the photo; 0 without one."""
    colours = image.astype(np.float32)
    return max(_longest(mask, colours), _longest(mask.T, colours.transpose(1, 0, 2)))


def _longest(mask: Mask, colours: FloatMap) -> int:
    """Of the horizontal runs."""
    least = max(LEAST_PX, LEAST_SHARE * min(mask.shape))
    longest = 0
    for row in range(DEPTH_PX, len(mask) - DEPTH_PX):
        turns = np.flatnonzero(
            np.diff((mask[row - 1] != mask[row]).astype(np.int8), prepend=0, append=0)
        )
        for start, end in zip(turns[::2], turns[1::2], strict=True):
            if end - start >= least and not _on_edge(colours[:, start:end], row):
                longest = max(longest, int(end - start))
    return longest


def _on_edge(colours: FloatMap, row: int) -> bool:
    """Whether the photo has an edge above or below that row, or a row beside it."""
    last = len(colours) - DEPTH_PX
    here = [r for r in (row - 1, row, row + 1) if DEPTH_PX <= r <= last]
    beside = [row + sign * d for d in BESIDE_PX for sign in (-1, 1)]
    others = [_step(colours, r) for r in beside if DEPTH_PX <= r <= last]
    step = max(_step(colours, r) for r in here)
    return step >= LEAST_STEP or step > LEAST_RATIO * float(np.median(others))


def _step(colours: FloatMap, row: int) -> float:
    """By how much the colours differ above and below a row, the median along it."""
    above = colours[row - DEPTH_PX : row].mean(axis=0)
    below = colours[row : row + DEPTH_PX].mean(axis=0)
    return float(np.median(np.abs(above - below).mean(axis=1)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
