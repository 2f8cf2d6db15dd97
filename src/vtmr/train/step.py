"""One training step: click chains without gradients, then the passes that learn [docs/method.md
§C.5-C.7, VTMR eq. 1-3]."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from vtmr.masks import iou
from vtmr.models.network import InteractiveNetwork
from vtmr.spec import Normalisation
from vtmr.train.batches import Batch, click_maps, click_rngs, step_rng
from vtmr.train.chain import Chain
from vtmr.train.chain_passes import ChainPasses, chain_passes
from vtmr.train.clicks import Rng, further_clicks
from vtmr.train.clock import Clock
from vtmr.train.coarse_losses import coarse_loss
from vtmr.train.losses import boundary_focal_loss, boundary_weights, normalised_focal_loss
from vtmr.train.maskmatch import SecondChain, match_loss, second_chain
from vtmr.train.recipe import MaskMatchRecipe, Recipe
from vtmr.types import Click

FIGURES = ("iou", "gate")  # parts that aren't losses


@dataclass(frozen=True)
class Losses:
    """Means over the step's batch, the refiner's over its share of it; of a part of the batch, what
    it adds to them.

    iou: of the coarse masks, to be watched: the focal losses divide by the sum of their own weights
    and hardly move. match: MaskMatch's term, weighted; gate: the share of samples that it counts.
    Both None where the recipe has none.
    """

    coarse: Tensor
    refined: Tensor
    edge: Tensor
    iou: Tensor
    match: Tensor | None = None
    gate: Tensor | None = None

    @property
    def total(self) -> Tensor:
        total = self.coarse + self.refined + self.edge
        return total if self.match is None else total + self.match

    @property
    def parts(self) -> dict[str, Tensor]:
        """What there is, by name, without gradients; all are losses but FIGURES."""
        values = {
            "coarse": self.coarse,
            "refined": self.refined,
            "edge": self.edge,
            "iou": self.iou,
        }
        if self.match is not None and self.gate is not None:
            values |= {"match": self.match, "gate": self.gate}
        return {name: value.detach() for name, value in values.items()}


def normalised(image: Tensor, normalisation: Normalisation) -> Tensor:
    """uint8 B x 3 x S x S as the network wants it, channels last."""
    mean = torch.tensor(normalisation.mean, device=image.device)[None, :, None, None]
    std = torch.tensor(normalisation.std, device=image.device)[None, :, None, None]
    return ((image.float() - mean) / std).contiguous(memory_format=torch.channels_last)


def set_training(network: InteractiveNetwork, recipe: Recipe) -> None:
    """Training mode, except for the encoder's BatchNorm where the recipe says so, and frozen
    parts."""
    network.train()
    if recipe.optimiser.encoder_batch_norm == "eval":
        network.encoder.eval()
    for name in recipe.optimiser.frozen:
        network.get_submodule(name).eval()


class TrainingStep:
    """Computes the losses of a batch, or of a part of it.

    All randomness comes from (seed, step, position).
    """

    def __init__(
        self, network: InteractiveNetwork, recipe: Recipe, clock: Clock | None = None
    ) -> None:
        self.network = network
        self.recipe = recipe
        self.spec = network.spec
        self.clock = clock or Clock()
        self.early_frozen = not any(p.requires_grad for p in network.early_parameters())
        self.passes: ChainPasses | None = None

    def __call__(self, batch: Batch, step: int, edge_weight: Tensor | None = None) -> Losses:
        """edge_weight: that of the whole batch, where this is a part of it and `edge_weight` says
        that it counts."""
        recipe, rng = self.recipe, step_rng(self.recipe.seed, step)
        torch.manual_seed(
            int(rng.integers(2**31)) + batch.positions[0]
        )  # dropout: the parts' are not the same
        matching = self.matching(rng)
        steps = 0 if batch.prev_mask is not None else further_clicks(recipe.clicks, rng)
        image = normalised(batch.image, self.spec.coarse_normalisation)
        with self.clock.part("chains"):
            rngs = click_rngs(recipe.seed, step, batch.positions)
            c1, chain, second = self.chains(image, batch, matching, steps, rngs)
        set_training(self.network, recipe)
        with self.clock.part("coarse"):
            c1 = c1 if self.early_frozen else self.network.early(image)
            logits, features, auxiliary = self.network.decode(c1, chain.maps(self.spec))
            logits, gt = logits.float(), batch.gt.float()
            coarse = coarse_loss(logits, auxiliary, gt, batch.whole)
            masks = (logits[:, 0] > 0).cpu().numpy()
            overlap = logits.new_tensor(sum(map(iou, masks, batch.gt_masks)) / batch.whole)
        with self.clock.part("refiner"):
            refined, edge = self.refiner_losses(batch, chain, logits, features, edge_weight)
        if recipe.maskmatch is None:
            return Losses(coarse, refined, edge, overlap)
        with self.clock.part("match"):
            match = logits.new_zeros(())
            if matching is not None and second is not None:
                picked = second.samples
                other, _ = self.network.late(c1[picked], second.chain.maps(self.spec))
                match = (
                    match_loss(other.float(), logits[picked], batch.gt[picked], matching).sum()
                    / batch.whole
                )
            gate = logits.new_tensor((len(second.samples) if second else 0) / batch.whole)
        return Losses(coarse, refined, edge, overlap, match, gate)

    def matching(self, rng: Rng) -> MaskMatchRecipe | None:
        """The recipe's MaskMatch when this step uses it.

        No number is drawn where there is nothing to decide.
        """
        recipe = self.recipe.maskmatch
        if recipe is None or recipe.share == 0:
            return None
        return recipe if recipe.share == 1 or rng.random() < recipe.share else None

    @torch.no_grad()
    def chains(
        self,
        image: Tensor,
        batch: Batch,
        matching: MaskMatchRecipe | None,
        steps: int,
        rngs: Sequence[Rng],
    ) -> tuple[Tensor, Chain, SecondChain | None]:
        """Features at stride 4, and what the passes that learn are fed: after K = `steps` further
        clicks.

        With MaskMatch the blank mask's answer comes first, M'01, and both chains make the K steps
        from there. A played batch has its mask and clicks already.
        """
        if self.passes is None:
            self.passes = chain_passes(self.network, self.recipe, image.device)
        passes = self.passes
        passes.refresh()
        c1 = passes.early(image)
        chain = Chain.blank(
            batch.clicks, batch.gt_masks, rngs, image.device, self.recipe.clicks.deepest_share
        )
        if batch.prev_mask is not None:
            chain = replace(chain, prev_mask=batch.prev_mask)
        if matching is not None:
            chain = self.advanced(passes, c1, chain, 1)
        first_mask = chain.prev_mask
        chain = self.advanced(passes, c1, chain, steps)
        second = None
        if matching is not None:
            second = second_chain(first_mask, chain, self.spec.threshold, matching)
        if second is not None:
            second = replace(
                second, chain=self.advanced(passes, c1[second.samples], second.chain, steps)
            )
        return c1.float().contiguous(memory_format=torch.channels_last), chain, second

    def advanced(self, passes: ChainPasses, c1: Tensor, chain: Chain, steps: int) -> Chain:
        """Some passes and clicks further."""
        for _ in range(steps):
            chain = chain.continued(torch.sigmoid(passes.logits(c1, chain.maps(self.spec))))
        return chain

    def refiner_losses(
        self,
        batch: Batch,
        chain: Chain,
        logits: Tensor,
        features: Tensor,
        edge_weight: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        """Refined and edge loss on the samples that train the refiner; zeros when there are none or
        no refiner."""
        refiner = self.network.refiner
        n, whole = batch.refined(self.recipe.refined), min(self.recipe.refined, batch.whole)
        if refiner is None or not whole:
            return logits.new_zeros(()), logits.new_zeros(())
        if not n:  # the other processes wait for the gradients of every parameter
            nothing = torch.stack([p.sum() for p in refiner.parameters()]).sum() * 0
            return nothing, nothing
        patch = normalised(batch.patch[:n], self.spec.refine_normalisation)
        size = patch.shape[3]
        in_patch = [
            [
                Click((c.x - x0) * size / (x1 - x0), (c.y - y0) * size / (y1 - y0), c.positive)
                for c in sample
            ]
            for sample, (x0, y0, x1, y1) in zip(
                chain.clicks[:n], batch.focus[:n].tolist(), strict=True
            )
        ]
        discs = click_maps(in_patch, self.spec.refine_disc_radius, size).to(patch.device)
        discs = discs.contiguous(memory_format=torch.channels_last)
        narrow = refiner.narrowed(features[:n])
        refined, edge = self.network.refine(patch, discs, logits[:n], narrow, batch.focus[:n])
        refined, edge = refined.float(), edge.float()
        gt, band = batch.patch_gt[:n].float(), batch.patch_edge[:n].float()
        losses = self.recipe.losses
        by_boundary, by_entropy = losses.refined == "boundary", losses.edge == "cross_entropy"
        entropy = (
            F.binary_cross_entropy_with_logits(edge, band) * n
            if by_entropy
            else normalised_focal_loss(edge, band)
        )
        return (
            boundary_focal_loss(refined, gt, band, edge_weight)
            if by_boundary
            else normalised_focal_loss(refined, gt).sum() / whole,
            entropy.sum() / whole,
        )

    def edge_weight(self, batch: Batch) -> Tensor | None:
        """What a part of a batch adds to the weight that its refined losses are divided by; None
        where none is."""
        if self.recipe.losses.refined != "boundary" or self.network.refiner is None:
            return None
        return boundary_weights(
            batch.patch_edge[: batch.refined(self.recipe.refined)].float()
        ).sum()
