"""One training step: iterative clicks, then the passes that learn [docs/method.md §C.5-C.7].

The interactions run without gradients. The losses are VTMR's eq. 1-3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from vtmr.masks import iou
from vtmr.models.network import InteractiveNetwork
from vtmr.spec import Normalisation
from vtmr.train.batches import Batch, click_maps, click_rngs, step_rng
from vtmr.train.clicks import Rng, further_clicks
from vtmr.train.clock import Clock
from vtmr.train.coarse_losses import coarse_loss
from vtmr.train.iterative_clicks import IterativeClicks
from vtmr.train.iterative_passes import IterativePasses, iterative_passes
from vtmr.train.losses import boundary_weights
from vtmr.train.maskmatch import SecondInteraction, match_loss, second_interaction
from vtmr.train.recipe import MaskMatchRecipe, Recipe
from vtmr.train.refiner_losses import clicks_on_patches, edge_loss, no_loss, refined_loss

FIGURES = ("iou", "gate")  # reported beside the losses


@dataclass(frozen=True)
class Losses:
    """Means over the step's batch, the refiner's over its share of it.

    Of a micro-batch, what it adds to them.

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
        """What the gradients are of: the sum of all losses."""
        total = self.coarse + self.refined + self.edge
        if self.match is not None:
            total = total + self.match
        return total

    @property
    def by_name(self) -> dict[str, Tensor]:
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


def overlap_of(logits: Tensor, batch: Batch) -> Tensor:
    """The samples' part in the mean IoU of a step's coarse masks.

    logits: B x 1 x S x S.
    """
    masks = (logits[:, 0] > 0).cpu().numpy()
    # Over the whole step's number: the micro-batches' parts add up to the mean.
    return logits.new_tensor(sum(map(iou, masks, batch.gt_masks)) / batch.whole)


def set_training(network: InteractiveNetwork, recipe: Recipe, step: int) -> None:
    """Training mode, but not for frozen parts, nor for the encoder in steps where the recipe says
    so."""
    network.train()
    optimiser = recipe.optimiser
    learns = step < optimiser.batch_norm_share * recipe.steps
    if optimiser.encoder_batch_norm == "eval" or not learns:
        network.encoder.eval()
    for name in recipe.optimiser.frozen:
        network.get_submodule(name).eval()


class TrainingStep:
    """Computes the losses of a batch, or of a micro-batch of it.

    All randomness comes from (seed, step, position).
    """

    def __init__(
        self, network: InteractiveNetwork, recipe: Recipe, clock: Clock | None = None
    ) -> None:
        self.network = network
        self.recipe = recipe
        self.spec = network.spec
        self.clock = clock or Clock()
        early = [parameter.requires_grad for parameter in network.early_parameters()]
        self.early_frozen = not any(early)
        self.passes: IterativePasses | None = None

    def __call__(self, batch: Batch, step: int, edge_weight: Tensor | None = None) -> Losses:
        """The losses, with gradients.

        edge_weight: that of the whole batch, where this is a micro-batch of it and `edge_weight`
        says that it counts.
        """
        recipe, rng = self.recipe, step_rng(self.recipe.seed, step)
        # For dropout. Without the position all micro-batches would drop the same units.
        torch.manual_seed(int(rng.integers(2**31)) + batch.positions[0])
        # Both are drawn by the step's generator, so that all of its micro-batches agree on them.
        matching = self.matching(rng)
        further = 0
        if batch.prev_mask is None:
            further = further_clicks(recipe.clicks, rng)
        image = normalised(batch.image, self.spec.coarse_normalisation)
        with self.clock.timed("iterative clicks"):
            rngs = click_rngs(recipe.seed, step, batch.positions)
            c1, interaction, second = self.iterate_clicks(image, batch, matching, further, rngs)
        set_training(self.network, recipe, step)
        with self.clock.timed("coarse"):
            if not self.early_frozen:
                # The interactions' features have no gradients, which is right where nothing learns
                # there.
                c1 = self.network.early(image)
            logits, features, auxiliary = self.network.decode(c1, interaction.maps(self.spec))
            logits = logits.float()
            coarse = coarse_loss(logits, auxiliary, batch.gt.float(), batch.whole)
            overlap = overlap_of(logits, batch)
        with self.clock.timed("refiner"):
            refined, edge = self.refiner_losses(batch, interaction, logits, features, edge_weight)
        losses = Losses(coarse, refined, edge, overlap)
        if recipe.maskmatch is None:
            return losses
        with self.clock.timed("match"):
            # Zeros where nothing is matched: all processes of a step report the same names.
            match, gate = logits.new_zeros(()), 0.0
            if matching is not None and second is not None:
                match = self.match_losses(batch, matching, second, c1, logits)
                gate = len(second.samples) / batch.whole
            return replace(losses, match=match, gate=logits.new_tensor(gate))

    def match_losses(
        self,
        batch: Batch,
        matching: MaskMatchRecipe,
        second: SecondInteraction,
        c1: Tensor,
        logits: Tensor,
    ) -> Tensor:
        """The samples' part in the mean of MaskMatch's term, of those that have a second
        interaction."""
        picked = second.samples
        other, _ = self.network.late(c1[picked], second.interaction.maps(self.spec))
        losses = match_loss(other.float(), logits[picked], batch.gt[picked], matching)
        return losses.sum() / batch.whole

    def matching(self, rng: Rng) -> MaskMatchRecipe | None:
        """The recipe's MaskMatch when this step uses it.

        No number is drawn where there is nothing to decide.
        """
        recipe = self.recipe.maskmatch
        if recipe is None or recipe.share == 0:
            return None
        if recipe.share < 1 and rng.random() >= recipe.share:
            return None
        return recipe

    @torch.no_grad()
    def iterate_clicks(
        self,
        image: Tensor,
        batch: Batch,
        matching: MaskMatchRecipe | None,
        further: int,
        rngs: Sequence[Rng],
    ) -> tuple[Tensor, IterativeClicks, SecondInteraction | None]:
        """Features at stride 4, and what the passes that learn are fed.

        That is the state of the interactions after K = `further` clicks more. With MaskMatch the
        blank mask's answer comes first, M'01, and both interactions make the K clicks from there. A
        rolled-out batch has its mask and clicks already.
        """
        if self.passes is None:
            self.passes = iterative_passes(self.network, self.recipe, image.device)
        passes = self.passes
        passes.refresh()
        c1 = passes.early(image)
        interaction = IterativeClicks.blank(
            batch.clicks, batch.gt_masks, rngs, image.device, self.recipe.clicks.deepest_share
        )
        if batch.prev_mask is not None:
            interaction = replace(interaction, prev_mask=batch.prev_mask)
        if matching is not None:
            interaction = self.advanced(passes, c1, interaction, 1)
        first_mask = interaction.prev_mask
        interaction = self.advanced(passes, c1, interaction, further)
        second = None
        if matching is not None:
            second = second_interaction(first_mask, interaction, self.spec.threshold, matching)
        if second is not None:
            ended = self.advanced(passes, c1[second.samples], second.interaction, further)
            second = replace(second, interaction=ended)
        # The interactions may run in a lower precision, which the passes that learn don't take on.
        return c1.float().contiguous(memory_format=torch.channels_last), interaction, second

    def advanced(
        self, passes: IterativePasses, c1: Tensor, interaction: IterativeClicks, further: int
    ) -> IterativeClicks:
        """Some passes and clicks further."""
        for _ in range(further):
            interaction = interaction.continued(
                torch.sigmoid(passes.logits(c1, interaction.maps(self.spec)))
            )
        return interaction

    def refiner_losses(
        self,
        batch: Batch,
        interaction: IterativeClicks,
        logits: Tensor,
        features: Tensor,
        edge_weight: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        """Refined and edge loss on the samples that train the refiner; without any, zeros."""
        refiner, recipe = self.network.refiner, self.recipe
        n = batch.refiner_samples(recipe.refiner_samples)
        whole = min(recipe.refiner_samples, batch.whole)
        if refiner is None or not whole:
            return logits.new_zeros(()), logits.new_zeros(())
        if not n:
            nothing = no_loss(refiner)
            return nothing, nothing
        patch = normalised(batch.patch[:n], self.spec.refine_normalisation)
        size = patch.shape[3]
        clicks = clicks_on_patches(interaction.clicks[:n], batch.focus[:n], size)
        discs = click_maps(clicks, self.spec.refine_disc_radius, size).to(patch.device)
        discs = discs.contiguous(memory_format=torch.channels_last)
        narrow = refiner.narrowed(features[:n])
        refined, edge = self.network.refine(patch, discs, logits[:n], narrow, batch.focus[:n])
        labels, band = batch.patch_gt[:n].float(), batch.patch_edge[:n].float()
        of_edge = edge_loss(edge.float(), band, recipe.losses, whole)
        of_mask = refined_loss(refined.float(), labels, band, recipe.losses, whole, edge_weight)
        return of_mask, of_edge

    def edge_weight(self, batch: Batch) -> Tensor | None:
        """What a micro-batch adds to the weight that a step's refined losses are divided by.

        None where they aren't divided by one.
        """
        if self.recipe.losses.refined != "boundary" or self.network.refiner is None:
            return None
        bands = batch.patch_edge[: batch.refiner_samples(self.recipe.refiner_samples)]
        return boundary_weights(bands.float()).sum()
