"""Muon for the weights that are matrices, Adam for all others [K. Jordan 2024; Liu et al. 2025, arXiv 2502.16982]."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

MOMENTUM = 0.95
ITERATIONS = 5
QUINTIC = (3.4445, -4.7750, 2.0315)  # Jordan's: singular values from .01 to 1 end between .7 and 1.2
ADAMS_RMS = 0.2  # of Adam's updates at a rate of 1, so that the rates of recipes mean the same (Liu et al., eq. 4)


def is_matrix(weight: nn.Parameter) -> bool:
    """Whether it mixes channels: linear layers and dense convolutions with several inputs and outputs."""
    return weight.ndim >= 2 and min(weight.shape[:2]) > 1


def orthogonalised(matrix: Tensor) -> Tensor:
    """About the nearest matrix M x N whose singular values are all 1, by Newton and Schulz's iteration."""
    wide: Tensor = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    wide = wide / (wide.norm() + 1e-12)
    a, b, c = QUINTIC
    for _ in range(ITERATIONS):
        gram = wide @ wide.T
        wide = a * wide + (b * gram + c * gram @ gram) @ wide
    return wide if matrix.shape[0] <= matrix.shape[1] else wide.T


class Muon(torch.optim.Adam):
    """Adam, which leaves the groups with "matrices" set to Muon: every direction of a weight moves by the same amount.

    torch.optim.Muon takes no convolutions, and iterates in bfloat16, which many CPUs only emulate.
    """

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step of all groups; a matrix's gradient is used up by it."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for weight in group["params"] if group["matrices"] else ():
                if weight.grad is None:
                    continue
                state = self.state[weight]
                if not state:
                    state["exp_avg"] = torch.zeros_like(weight)
                average = state["exp_avg"].lerp_(weight.grad, 1 - MOMENTUM)
                update = orthogonalised(weight.grad.lerp(average, MOMENTUM).flatten(1))
                scale = ADAMS_RMS * max(update.shape) ** 0.5
                weight.add_(update.reshape(weight.shape), alpha=-group["lr"] * scale)
                weight.grad = None  # Adam passes over it
        super().step()
        return loss
