"""Draws docs/pictures/perturbations.png, and with weights docs/pictures/maskmatch.png, from the
bundled photo.

python tools/draw_maskmatch.py [RUN/weights.safetensors]
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch

from vtmr.drawing import Panel, draw_clicks, strip
from vtmr.geometry import Box
from vtmr.images import read_image, write_png
from vtmr.masks import Mask, bounding_box, iou
from vtmr.models.restore import restore
from vtmr.perturb import perturb_official, perturb_to_iou
from vtmr.pyramid import crop_resized
from vtmr.train import load_recipe
from vtmr.train.batches import click_rngs
from vtmr.train.clicks import initial_clicks
from vtmr.train.iterative_clicks import IterativeClicks
from vtmr.train.iterative_passes import TorchPasses
from vtmr.train.maskmatch import second_interaction
from vtmr.train.recipe import MaskMatchRecipe
from vtmr.train.step import TrainingStep, normalised
from vtmr.types import Click, Image

ROOT = Path(__file__).resolve().parents[1]
ASSETS = ROOT / "src/vtmr/assets"
OUT = ROOT / "docs/pictures"
SIZE, SEED, STEPS = 256, 5, 2
KEPT, LOST, WON = (64, 160, 255), (213, 60, 40), (0, 190, 90)
PANEL_WIDTH = 232


def main(weights: Path | None) -> None:
    image, gt_mask = object_crop()
    OUT.mkdir(parents=True, exist_ok=True)
    write_png(OUT / "perturbations.png", perturbations(image, gt_mask))
    if weights is not None:
        write_png(OUT / "maskmatch.png", two_interactions(image, gt_mask, weights))


def object_crop() -> tuple[Image, Mask]:
    """The cup as a training sample shows it: uint8 SIZE x SIZE x 3 and bool SIZE x SIZE."""
    image = read_image(ASSETS / "photos/coffee.jpg")
    gt_mask = cv2.imread(str(ASSETS / "latency/coffee-cup.png"), cv2.IMREAD_GRAYSCALE) > 127
    box = bounding_box(gt_mask).expanded(1.5, Box.whole(*gt_mask.shape))
    full = gt_mask[box.slices].astype(np.uint8) * 255
    return crop_resized(image, box, SIZE), cv2.resize(full, (SIZE, SIZE)) > 127


def panel(
    image: Image, mask: Mask, gt_mask: Mask, caption: str, clicks: tuple[Click, ...] = ()
) -> Panel:
    """What a mask has of the object, what it lacks and what it has beside it, and the clicks."""
    drawn = (0.45 * image).astype(np.uint8)
    for where, colour in ((mask & gt_mask, KEPT), (gt_mask & ~mask, LOST), (mask & ~gt_mask, WON)):
        drawn[where] = (0.45 * image[where] + 0.55 * np.array(colour)).astype(np.uint8)
    drawn = cv2.resize(drawn, (PANEL_WIDTH, PANEL_WIDTH), interpolation=cv2.INTER_AREA)
    points = (
        PANEL_WIDTH
        / SIZE
        * np.array([(click.x, click.y) for click in clicks], np.float64).reshape(-1, 2)
    )
    return Panel(
        draw_clicks(drawn, points, np.array([click.positive for click in clicks], bool)), caption
    )


def perturbations(image: Image, gt_mask: Mask) -> Image:
    """The object, three perturbations by IoU, and what the original pipeline makes of the same
    target."""
    rng = np.random.default_rng(SEED)
    panels = [panel(image, gt_mask, gt_mask, "ground truth")]
    for target in (0.9, 0.8, 0.6):
        mask, reached = perturb_to_iou(gt_mask, target, rng)
        panels.append(panel(image, mask, gt_mask, f"IoU {target} asked: {reached:.3f}"))
    mask = perturb_official(gt_mask, 0.8, rng)
    panels.append(panel(image, mask, gt_mask, f"CascadePSP, 0.8: {iou(mask, gt_mask):.3f}"))
    return strip(panels, panel_width=PANEL_WIDTH, columns=len(panels))


@torch.no_grad()
def two_interactions(image: Image, gt_mask: Mask, weights: Path) -> Image:
    """Both interactions of one training sample, mask by mask: K = STEPS steps, then the masks that
    are matched."""
    network, spec = restore(weights)
    network.eval()
    recipe = replace(load_recipe(ROOT / "recipes/lite0-cpu.toml"), no_grad_precision="float32")
    step, (rng,) = TrainingStep(network, recipe), click_rngs(SEED, 0, (0,))
    passes = TorchPasses(network, recipe.no_grad_precision)
    c1 = network.early(
        normalised(torch.from_numpy(image).permute(2, 0, 1)[None], spec.coarse_normalisation)
    )
    clicks = initial_clicks(gt_mask, np.zeros_like(gt_mask), rng, single=True)

    def led(interaction: IterativeClicks, names: list[str]) -> tuple[IterativeClicks, list[Panel]]:
        panels = []
        for i, name in enumerate(names):
            if i:
                interaction = step.advanced(passes, c1, interaction, 1)
            panels.append(labelled(interaction.prev_mask, name, interaction.clicks[0]))
        logits, _ = network.late(c1, interaction.maps(spec))
        return interaction, [
            *panels,
            labelled(torch.sigmoid(logits), "matched:", interaction.clicks[0]),
        ]

    def labelled(prob: torch.Tensor, name: str, clicks: tuple[Click, ...]) -> Panel:
        mask = prob[0, 0].numpy() > spec.threshold
        return panel(image, mask, gt_mask, f"{name} IoU {iou(mask, gt_mask):.3f}", clicks)

    blank = IterativeClicks.blank([tuple(clicks)], [gt_mask], [rng])
    first = step.advanced(passes, c1, blank, 1)
    names = [f"step {k}:" for k in range(1, STEPS + 1)]
    last, upper = led(first, ["first answer:", *names])
    second = second_interaction(first.prev_mask, last, spec.threshold, MaskMatchRecipe(alpha=0.0))
    if second is None:
        sys.exit(
            "The first answer is too poor to be matched by a perturbed ground truth: use better "
            "weights."
        )
    _, lower = led(second.interaction, ["perturbed:", *names])
    return strip([*upper, *lower], panel_width=PANEL_WIDTH, columns=STEPS + 2)


if __name__ == "__main__":
    if len(sys.argv) > 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]) if len(sys.argv) == 2 else None)
