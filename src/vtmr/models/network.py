"""What every network of ours can do; training, export and inference know no more of it than
this."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar, NamedTuple, final

from torch import Tensor, nn

from vtmr.errors import ConfigError
from vtmr.models.refiner import Refiner
from vtmr.spec import ModelSpec


class FeedbackMaps(NamedTuple):
    """What FCFI's network is also trained by, with that weight: at the features' resolution the
    corrected feedback, the updated one (probabilities) and the box that was corrected.

    auxiliary: the object-context head's logits B x 1 x S x S, where it has any.
    """

    auxiliary: Tensor | None
    corrected: Tensor
    updated: Tensor
    box: Tensor
    weight: float


class Hypotheses(NamedTuple):
    """What LD's network is trained by: its six masks, -1..1 each, B x 6 x S x S, and the maps that
    it was fed."""

    masks: Tensor
    maps: Tensor


class DiversityMaps(NamedTuple):
    """What CDNet's network is also trained by: its gate's probability B x 1 x S x S, the logits of
    its latent masks B x 4 x S x S, and the discs that it was fed, B x 2 x S x S."""

    gate: Tensor
    latent: Tensor
    discs: Tensor


Auxiliary = Tensor | FeedbackMaps | Hypotheses | DiversityMaps | None


class InteractiveNetwork(nn.Module, ABC):
    """A coarse network in two parts, and its refiner where it has one; S is the input size.

    Images are normalised as `spec` says. Where a subclass holds `encoder`, that is the pretrained
    part, for which optimisers have a learning rate of its own.
    """

    runs_on_onnx: ClassVar[bool] = True  # False: it is played and trained on torch alone

    spec: ModelSpec
    encoder: nn.Module
    refiner: Refiner | None

    @abstractmethod
    def load_imagenet(self, path: Path | None = None) -> ModelSpec:
        """Starts the encoder from ImageNet weights; returns the spec with what their licence asks
        for.

        path: the weights' file, where they aren't in an installed package. Raises CheckpointError
        when they can't be found or don't fit, saying where to get them.
        """

    def completed(self, state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """The weights of a file, with those of parts that this network didn't have yet when the
        file was written."""
        return state

    @abstractmethod
    def early_parameters(self) -> Iterator[nn.Parameter]:
        """Those of `early`: where all are frozen, its result serves every step of an
        interaction."""

    @abstractmethod
    def early(self, image: Tensor) -> Tensor:
        """What depends on the image alone; image: normalised B x 3 x S x S."""

    @abstractmethod
    def decode(self, c1: Tensor, maps: Tensor) -> tuple[Tensor, Tensor, Auxiliary]:
        """Like `late`, and third what an auxiliary loss is taken of: logits B x 1 x S x S, or a
        record of the network's own; None where there is none."""

    @final
    def late(self, c1: Tensor, maps: Tensor) -> tuple[Tensor, Tensor]:
        """Logits B x 1 x S x S and features B x E x h x w.

        c1: as `early` returned it; maps: B x 3 x S x S as [prev_mask, positive discs, negative
        discs].
        """
        logits, features, _ = self.decode(c1, maps)
        return logits, features

    @final
    def coarse(self, image: Tensor, maps: Tensor) -> tuple[Tensor, Tensor]:
        """The whole coarse pass, `late(early(image), maps)`, with the features as `refine` takes
        them."""
        logits, features = self.late(self.early(image), maps)
        if self.refiner is not None:
            # Here, not in `refine`: in an export fewer channels go from graph to graph.
            features = self.refiner.narrowed(features)
        return logits, features

    @final
    def refine(
        self, patch: Tensor, discs: Tensor, coarse_logits: Tensor, features: Tensor, boxes: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Refined logits and edge logits of the focus crop, both B x 1 x S x S; see
        `Refiner.forward`.

        features: as `coarse` gives them. Raises ConfigError in a network without a refiner
        (`spec.refines` is false).
        """
        if self.refiner is None:
            raise ConfigError(f"{self.spec.model} has no refiner: expected a spec with `refines`.")
        refined: tuple[Tensor, Tensor] = self.refiner(patch, discs, coarse_logits, features, boxes)
        return refined
