"""Iterative clicks: the simulated user and the network in turns, before the passes that learn
[docs/method.md §C.5]."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from vtmr.encodings import ENCODINGS
from vtmr.inputs import coarse_maps
from vtmr.masks import Mask
from vtmr.spec import ModelSpec
from vtmr.train.batches import click_maps
from vtmr.train.clicks import Rng, corrective_click
from vtmr.types import Click


@dataclass(frozen=True)
class IterativeClicks:
    """Where B interactions are.

    prev_mask: float32 B x 1 x S x S, the probabilities that the network is fed next; clicks: so
    far, in the grid's coordinates; gt_masks: bool S x S each; rngs: what draws each sample's
    clicks; deepest_share: see ClickRecipe.
    """

    prev_mask: Tensor
    clicks: tuple[tuple[Click, ...], ...]
    gt_masks: tuple[Mask, ...]
    rngs: tuple[Rng, ...]
    deepest_share: float = 0.0

    @staticmethod
    def blank(
        clicks: Sequence[tuple[Click, ...]],
        gt_masks: Sequence[Mask],
        rngs: Sequence[Rng],
        device: torch.device | None = None,
        deepest_share: float = 0.0,
    ) -> IterativeClicks:
        """The start of an interaction without a mask."""
        prev_mask = torch.zeros(len(gt_masks), 1, *gt_masks[0].shape, device=device)
        return IterativeClicks(
            prev_mask, tuple(clicks), tuple(gt_masks), tuple(rngs), deepest_share
        )

    def anew(self, samples: Sequence[int]) -> IterativeClicks:
        """Some of the samples at the start of another interaction, with neither mask nor click."""
        gt_masks = [self.gt_masks[i] for i in samples]
        rngs = [self.rngs[i] for i in samples]
        nothing: list[tuple[Click, ...]] = [()] * len(samples)
        device, deepest_share = self.prev_mask.device, self.deepest_share
        return IterativeClicks.blank(nothing, gt_masks, rngs, device, deepest_share)

    def continued(self, prev_mask: Tensor) -> IterativeClicks:
        """With a new mask, and one more click on each sample where that mask is wrong."""
        clicks = []
        for sample, prob, gt_mask, rng in zip(
            self.clicks, prev_mask[:, 0].cpu().numpy(), self.gt_masks, self.rngs, strict=True
        ):
            click = corrective_click(prob, gt_mask, rng, self.deepest_share)
            if click is not None:
                sample = (*sample, click)
            clicks.append(sample)
        return replace(self, prev_mask=prev_mask, clicks=tuple(clicks))

    def maps(self, spec: ModelSpec) -> Tensor:
        """What the network is fed (see `inputs.coarse_maps`), B x C x S x S, channels last."""
        device, size = self.prev_mask.device, self.prev_mask.shape[-1]
        if spec.pipeline in ENCODINGS:
            told = zip(self.prev_mask[:, 0].cpu().numpy(), self.clicks, strict=True)
            maps = np.concatenate([coarse_maps(prob, clicks, spec) for prob, clicks in told])
            return torch.from_numpy(maps).to(device)
        # Our own encoding needs no detour over the CPU for the previous mask.
        discs = click_maps(self.clicks, spec.disc_radius, size).to(device)
        told_maps = torch.cat([self.prev_mask, discs], dim=1)
        return told_maps.contiguous(memory_format=torch.channels_last)
