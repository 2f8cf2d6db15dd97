"""Backpropagating refinement (BRS): at every click, the network is nudged until it agrees with
all clicks.

Some numbers are optimised per image by L-BFGS while the weights stay. f-BRS's are a scale and a
bias for each channel of an inner feature map, at one of three places; RGB-BRS's are added to the
image, DistMap-BRS's to the distance maps [brs2019, fbrs2020; docs/zoo.md §Z.3.4].
"""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vtmr.models.fbrs import Place, RefinableNetwork
from vtmr.models.residual import upsampled

Vector = NDArray[np.floating]

THRESHOLD = 0.49  # of the probability: what a clicked pixel has to reach, and the mask's
TINY = 1e-5  # for signs that have no click yet
COST = 1e-3  # of the squared variables
BIAS_SHARE = 10.0  # a bias costs as much as ten scales
SETTLED = 0.99  # overlap with the mask of the evaluation before, above which nothing more is sought
L_BFGS = {"m": 20, "factr": 0, "pgtol": 1e-8, "maxfun": 20, "maxiter": 40}


@dataclass(frozen=True)
class Question:
    """One crop and its clicks in B views; where there are two, the second is the mirror image.

    image: normalised B x 3 x H x W; distances: B x 2 x H x W; positive, negative: B x 1 x H x W,
    1 where a click says what the answer is.
    """

    image: Tensor
    distances: Tensor
    positive: Tensor
    negative: Tensor


class Correction(ABC):
    """What is corrected, and by how many numbers."""

    size: int

    @abstractmethod
    def logits(self, variables: Tensor) -> Tensor:
        """B x 1 x H x W of the question's views."""

    @abstractmethod
    def cost(self, variables: Tensor) -> Tensor:
        """What keeps the variables small."""


class ChannelCorrection(Correction):
    """f-BRS: features * (1 + scale) + bias, the same in all views."""

    def __init__(self, network: RefinableNetwork, question: Question, place: Place) -> None:
        self.network, self.place, self.like = network, place, question.image
        with torch.no_grad():
            self.features, self.around = network.before(question.image, question.distances, place)
        self.size = 2 * self.features.shape[1]

    def logits(self, variables: Tensor) -> Tensor:
        """See `Correction`; variables: float32 2C, the scales first."""
        scale, bias = variables.reshape(2, -1, 1, 1)
        features = self.features * (1 + scale) + bias
        return upsampled(self.network.after(features, self.around, self.place), self.like)

    def cost(self, variables: Tensor) -> Tensor:
        """See `Correction`."""
        scale, bias = variables.square().reshape(2, -1)
        total: Tensor = scale.sum() + BIAS_SHARE * bias.sum()
        return COST * total


class InputCorrection(Correction):
    """RGB-BRS and DistMap-BRS: a map added to one of the inputs, mirrored as they are."""

    def __init__(
        self, network: RefinableNetwork, question: Question, target: Literal["image", "distances"]
    ) -> None:
        self.network, self.question, self.target = network, question, target
        self.shape: torch.Size = getattr(question, target).shape
        self.size = int(np.prod(self.shape[1:]))

    def logits(self, variables: Tensor) -> Tensor:
        """See `Correction`; variables: float32 C*H*W, the map of the view that isn't mirrored."""
        added = variables.reshape(1, *self.shape[1:])
        views = [added, added.flip(3)][: self.shape[0]]
        changed = getattr(self.question, self.target) + torch.cat(views)
        question = replace(self.question, **{self.target: changed})
        return self.network.answered(question.image, question.distances)

    def cost(self, variables: Tensor) -> Tensor:
        """See `Correction`."""
        once: Tensor = variables.square().sum()
        return COST * self.shape[0] * once  # paid for in each view


class Objective:
    """What L-BFGS minimises, and the best answer that it has passed on its way.

    losses: of all evaluations so far.
    """

    def __init__(self, correction: Correction, question: Question) -> None:
        self.correction, self.question = correction, question
        self.losses: list[float] = []
        self.best: Tensor | None = None
        self._mask: Tensor | None = None

    def __call__(self, variables: Vector) -> tuple[float, Vector]:
        """The loss and its gradient; a gradient of zeros, which ends the search, once all clicks
        are answered rightly or the mask hardly changes any more."""
        x = torch.tensor(variables).to(self.question.image).requires_grad_()
        logits = self.correction.logits(x)
        probability = torch.sigmoid(logits)
        loss = self.disagreement(probability) + self.correction.cost(x)
        value = float(loss.detach())
        if self.best is None or value < min(self.losses):
            self.best = logits.detach()
        self.losses.append(value)
        if self.is_done(probability.detach()):
            return value, np.zeros_like(variables)
        (gradient,) = torch.autograd.grad(loss, x)
        return value, gradient.cpu().numpy().astype(np.float64)  # SciPy's L-BFGS takes no other

    def disagreement(self, probability: Tensor) -> Tensor:
        """Mean squared error at the pixels of positive clicks, plus that of negative ones."""
        positive, negative = self.question.positive, self.question.negative
        missed = ((1 - probability).square() * positive).sum() / (positive.sum() + TINY)
        return missed + (probability.square() * negative).sum() / (negative.sum() + TINY)

    def is_done(self, probability: Tensor) -> bool:
        """Whether to end here; otherwise the mask is remembered."""
        missed = float(((1 - probability) * self.question.positive).max())
        intruding = float((probability * self.question.negative).max())
        if missed < 1 - THRESHOLD and intruding < THRESHOLD:
            return True
        mask = probability > THRESHOLD
        if self._mask is not None and mean_overlap(mask, self._mask) > SETTLED:
            return True
        self._mask = mask
        return False


def mean_overlap(masks: Tensor, others: Tensor) -> float:
    """Mean over B of the IoU of bool B x 1 x H x W; no number where two are empty."""
    shared = (masks & others).sum(dim=(1, 2, 3)).float()
    return float((shared / (masks | others).sum(dim=(1, 2, 3)).float()).mean())


def refined(objective: Objective, start: Vector | None) -> tuple[Tensor, Vector]:
    """The logits B x 1 x H x W of the best evaluation, and where the search ended.

    The next click starts there, though the best evaluation may have been elsewhere: so it is in the
    official code.
    """
    if start is None:
        # Not float64: SciPy counts evaluations by comparing points, finds its own rounded to this
        # type, and so stops sooner at `maxfun`. The official code starts in this way.
        start = np.zeros(objective.correction.size, np.float32)
    # Not imported above: every network of torch is opened by way of this module, and only this
    # pipeline needs SciPy.
    optimise = importlib.import_module("scipy.optimize").fmin_l_bfgs_b
    end, _, _ = optimise(objective, start, **L_BFGS)
    assert objective.best is not None  # the search evaluates its start
    return objective.best, end
