"""Adam with two learning-rate groups, warm-up and cosine, and the moving average of the weights."""

from __future__ import annotations

import math
from bisect import bisect_right
from typing import Any

import torch
from torch import Tensor, nn

from vtmr.errors import ConfigError
from vtmr.models.network import InteractiveNetwork
from vtmr.train.recipe import OptimiserRecipe


def freeze(network: InteractiveNetwork, names: tuple[str, ...]) -> None:
    """Takes the named parts out of training. Raises ConfigError for a part that doesn't exist."""
    for name in names:
        try:
            part = network.get_submodule(name)
        except AttributeError as error:
            raise ConfigError(
                f"optimiser.frozen names {name!r}, which the network doesn't have."
            ) from error
        part.requires_grad_(False)


def build_adam(network: InteractiveNetwork, recipe: OptimiserRecipe) -> torch.optim.Adam:
    """Groups "new" (factor 1) and "encoder"; each group keeps its factor for `set_learning_rate`.

    Raises ConfigError when everything is frozen.
    """
    # By identity: tensors compare by value.
    encoder = set(map(id, network.encoder.parameters()))
    new: list[nn.Parameter] = []
    pretrained: list[nn.Parameter] = []
    for parameter in network.parameters():
        if parameter.requires_grad:
            group = pretrained if id(parameter) in encoder else new
            group.append(parameter)
    groups: list[dict[str, Any]] = []
    for parameters, factor in ((new, 1.0), (pretrained, recipe.encoder_factor)):
        if parameters:  # a frozen encoder leaves none
            groups.append({"params": parameters, "factor": factor})
    if not groups:
        raise ConfigError("optimiser.frozen leaves no part to train: take some of its names out.")
    return torch.optim.Adam(groups, lr=recipe.lr)


def learning_rate(recipe: OptimiserRecipe, step: int, steps: int, begun: int = 0) -> float:
    """The rate of a step, from 0, of `steps`.

    Linear warm-up, then the recipe's drops, or a cosine from lr to final_factor * lr at the last
    step. begun: the step at which this part of the run began: Adam's moments are new there, so
    that the rate is warmed up anew.
    """
    warmed = recipe.warmup_steps
    rate = recipe.lr * _factor(recipe, max(step, warmed), steps)
    if step - begun < warmed:
        rate *= (step - begun + 1) / warmed
    return rate


def _factor(recipe: OptimiserRecipe, step: int, steps: int) -> float:
    """What share of lr a step after the warm-up gets."""
    if recipe.drops:
        return 0.1 ** bisect_right(recipe.drops, step)  # they are in order
    progress = (step - recipe.warmup_steps) / max(1, steps - 1 - recipe.warmup_steps)
    floor = recipe.final_factor
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))


def set_learning_rate(adam: torch.optim.Adam, rate: float) -> None:
    """Applies the rate times each group's factor."""
    for group in adam.param_groups:
        group["lr"] = rate * group["factor"]


class MovingAverage:
    """Exponential moving average of a network's floating-point state; a decay of 0 means the plain
    weights."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.state: dict[str, Tensor] = {}
        for name, value in network.state_dict().items():
            self.state[name] = value.detach().clone()

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """After step `step` (from 0): early steps use a shorter average, so that the start is
        forgotten."""
        decay = min(self.decay, (step + 1) / (step + 10))
        averaged, current = [], []
        for name, value in network.state_dict().items():
            if value.is_floating_point():
                averaged.append(self.state[name])
                current.append(value)
            else:
                self.state[name].copy_(value)  # counters have no average
        # One call for all tensors: hundreds of small ones would cost more in Python than in work.
        torch._foreach_lerp_(averaged, current, 1 - decay)

    def tensors(self) -> dict[str, Tensor]:
        """The averaged state under the network's names."""
        return self.state
