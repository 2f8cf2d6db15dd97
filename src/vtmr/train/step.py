"""One training step: the click chain without gradients, then the passes that learn [facts.md §C.5-C.7, VTMR eq. 2]."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vtmr.losses import normalised_focal_loss
from vtmr.models.lite0 import Lite0
from vtmr.spec import Normalisation
from vtmr.train.batches import Batch, click_maps, step_rng
from vtmr.train.clicks import corrective_click
from vtmr.train.recipe import Recipe
from vtmr.types import Click


@dataclass(frozen=True)
class Losses:
    """Means over the batch; the refiner's are over its share of it."""

    coarse: Tensor
    refined: Tensor
    edge: Tensor

    @property
    def total(self) -> Tensor:
        return self.coarse + self.refined + self.edge


def normalised(image: Tensor, normalisation: Normalisation) -> Tensor:
    """uint8 B x 3 x S x S as the network wants it, channels last."""
    mean = torch.tensor(normalisation.mean)[None, :, None, None]
    std = torch.tensor(normalisation.std)[None, :, None, None]
    return ((image.float() - mean) / std).contiguous(memory_format=torch.channels_last)


def set_training(network: Lite0, recipe: Recipe) -> None:
    """Training mode, except for the encoder's BatchNorm where the recipe says so, and frozen parts."""
    network.train()
    if recipe.optimiser.encoder_batch_norm == "eval":
        network.encoder.eval()
    for name in recipe.optimiser.frozen:
        network.get_submodule(name).eval()


class TrainingStep:
    """Computes the losses of a batch. All randomness comes from (seed, step)."""

    def __init__(self, network: Lite0, recipe: Recipe) -> None:
        self.network = network
        self.recipe = recipe
        self.spec = network.spec
        self.early_frozen = not any(p.requires_grad for p in network.early_parameters())

    def __call__(self, batch: Batch, step: int) -> Losses:
        rng = step_rng(self.recipe.seed, step)
        torch.manual_seed(int(rng.integers(2**31)))  # dropout
        image = normalised(batch.image, self.spec.coarse_normalisation)
        clicks = [list(sample) for sample in batch.clicks]
        c1, prev_mask = self.chain(image, batch, clicks, rng)
        set_training(self.network, self.recipe)
        c1 = c1 if self.early_frozen else self.network.early(image)
        logits, features = self.network.late(c1, self.maps(prev_mask, clicks))
        coarse = normalised_focal_loss(logits, batch.gt.float()).mean()
        refined, edge = self.refiner_losses(batch, clicks, logits, features)
        return Losses(coarse, refined, edge)

    def maps(self, prev_mask: Tensor, clicks: Sequence[Sequence[Click]]) -> Tensor:
        """[prev_mask, positive discs, negative discs], B x 3 x S x S."""
        discs = click_maps(clicks, self.spec.disc_radius, self.spec.input_size)
        return torch.cat([prev_mask, discs], dim=1).contiguous(memory_format=torch.channels_last)

    @torch.no_grad()
    def chain(
        self, image: Tensor, batch: Batch, clicks: list[list[Click]], rng: np.random.Generator
    ) -> tuple[Tensor, Tensor]:
        """Features at stride 4 and the previous mask after 0 to max_steps clicks, which are appended to `clicks`."""
        self.network.eval()
        prev_mask = torch.zeros(len(clicks), 1, self.spec.input_size, self.spec.input_size)
        low = self.recipe.no_grad_precision == "bfloat16"
        with torch.autocast("cpu", torch.bfloat16, enabled=low):
            c1 = self.network.early(image)
            for _ in range(int(rng.integers(self.recipe.clicks.max_steps + 1))):
                logits, _ = self.network.late(c1, self.maps(prev_mask, clicks))
                prev_mask = torch.sigmoid(logits.float())
                for sample, prob, gt_mask in zip(clicks, prev_mask[:, 0].numpy(), batch.gt_masks, strict=True):
                    click = corrective_click(prob, gt_mask, rng)
                    if click is not None:
                        sample.append(click)
        return c1.float(), prev_mask

    def refiner_losses(
        self, batch: Batch, clicks: list[list[Click]], logits: Tensor, features: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Refined and edge loss on the first `recipe.refined` samples; zeros when there are none."""
        n = self.recipe.refined
        if not n:
            return torch.zeros(()), torch.zeros(())
        patch = normalised(batch.patch[:n], self.spec.refine_normalisation)
        size = self.spec.input_size
        in_patch = [
            [Click((c.x - x0) * size / (x1 - x0), (c.y - y0) * size / (y1 - y0), c.positive) for c in sample]
            for sample, (x0, y0, x1, y1) in zip(clicks[:n], batch.focus[:n].tolist(), strict=True)
        ]
        discs = click_maps(in_patch, self.spec.disc_radius, size).contiguous(memory_format=torch.channels_last)
        refined, edge = self.network.refine(patch, discs, logits[:n], features[:n], batch.focus[:n])
        return (
            normalised_focal_loss(refined, batch.patch_gt[:n].float()).mean(),
            normalised_focal_loss(edge, batch.patch_edge[:n].float()).mean(),
        )
