"""What `vtmr apply` makes of rough masks without a click: mean IoU before and after.

    python tools/tighten_masks.py ../shared/data

Every ninth object of the validation list, 60 in all, and every fifth pair of `scenes`, 28 pairs of
objects that are one mask. Each one's mask is made wrong until its IoU is
about .7, .8 and .9 (`vtmr.perturb`); it is grown by a twentieth of the root of its area; and it is
drawn on a grid of 28 x 28 cells over its box, as Mask R-CNN's masks are, which leaves little wrong
with it. Printed for each: the mean IoU before; after,
as `vtmr apply` has it; after, if the answer were always taken; and the share of masks that got
better, that got worse, and that were kept as they were.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

import vtmr
from vtmr.batch.tightening import is_better, refitted
from vtmr.bench.robot import click_stream
from vtmr.data import EvalSample, open_benchmark
from vtmr.masks import Mask, bounding_box, iou
from vtmr.perturb import perturb_to_iou
from vtmr.segmenter import Segmenter

STEPS = {"validation": 9, "scenes": 5}  # which of a data set's objects
CELLS, GROWTH = 28, 0.05
IOUS = (0.7, 0.8, 0.9)


def main(root: Path) -> None:
    predictor = vtmr.load()
    for dataset, step in STEPS.items():
        measure(open_benchmark(dataset, root)[::step], predictor)


def measure(samples: Sequence[EvalSample], predictor: Segmenter) -> None:
    """Prints the figures of one data set's objects."""
    figures: dict[str, list[tuple[float, float, float, bool]]] = {}
    for sample in samples:
        image, gt_mask, ignore_mask = sample.load()
        scene = predictor.prepare(image)
        for name, rough in rough_masks(gt_mask, sample.image_id, sample.object_id).items():
            before = iou(rough, gt_mask, ignore_mask)
            answer = refitted(predictor, image, rough, scene)
            always = iou(answer, gt_mask, ignore_mask)
            taken = is_better(answer, rough)
            after = always if taken else before
            figures.setdefault(name, []).append((before, after, always, not taken))
    for name, rows in figures.items():
        before, after, always, kept = np.array(rows, np.float64).T
        print(
            f"{samples[0].dataset} {name:6} n {len(rows)}: {before.mean():.3f} -> "
            f"{after.mean():.3f}, always taken {always.mean():.3f}; better "
            f"{np.mean(after > before):.0%}, worse {np.mean(after < before):.0%}, kept "
            f"{kept.mean():.0%}",
            flush=True,
        )


def rough_masks(gt_mask: Mask, *names: str) -> dict[str, Mask]:
    """The object made wrong in each way; the same names give the same masks."""
    made = {
        f"{target:g}": perturb_to_iou(gt_mask, target, click_stream(0, f"p{target:g}", *names))[0]
        for target in IOUS
    }
    made["grown"] = grown(gt_mask)
    made["grid"] = on_a_grid(gt_mask)
    return {name: mask for name, mask in made.items() if mask.any()}


def grown(mask: Mask) -> Mask:
    """The mask with a rim around it."""
    radius = max(2, round(GROWTH * float(np.sqrt(np.count_nonzero(mask)))))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return cv2.dilate(mask.view(np.uint8), disc).view(np.bool_)


def on_a_grid(mask: Mask) -> Mask:
    """The mask from 28 x 28 cells over its box, drawn smoothly and cut at a half."""
    box = bounding_box(mask)
    drawn = np.zeros_like(mask)
    if box is not None:
        part = mask[box.slices].astype(np.float32)
        cells = cv2.resize(part, (CELLS, CELLS), interpolation=cv2.INTER_AREA)
        drawn[box.slices] = cv2.resize(cells, (box.width, box.height)) > 0.5
    return drawn


if __name__ == "__main__":
    main(Path(sys.argv[1]))
