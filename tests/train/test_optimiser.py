"""Learning rates and the moving average, by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from vtmr.errors import ConfigError
from vtmr.models import build
from vtmr.models.lite0 import Lite0
from vtmr.train.optimiser import MovingAverage, build_adam, freeze, learning_rate, set_learning_rate
from vtmr.train.recipe import OptimiserRecipe

RECIPE = OptimiserRecipe(lr=1.0, encoder_factor=0.25, warmup_steps=4, final_factor=0.1)


@pytest.fixture
def network() -> Lite0:
    return build("lite0")


def test_warm_up_and_cosine() -> None:
    """Quarters up to 1 at step 3, then 0.1 + 0.9 (1 + cos(pi p))/2 with p = 0 at step 4 and 1 at
    the last, step 12."""
    rates = [learning_rate(RECIPE, step, steps=13) for step in range(13)]
    assert rates[:5] == [0.25, 0.5, 0.75, 1.0, 1.0]
    assert rates[6] == pytest.approx(0.1 + 0.9 * (1 + math.sqrt(0.5)) / 2)
    assert rates[8] == pytest.approx(0.55)
    assert rates[12] == pytest.approx(0.1)


def test_drops_take_the_place_of_the_cosine() -> None:
    recipe = OptimiserRecipe(lr=1.0, warmup_steps=2, drops=(4, 6))
    rates = [learning_rate(recipe, step, steps=8) for step in range(8)]
    assert rates == pytest.approx([0.5, 1, 1, 1, 0.1, 0.1, 0.01, 0.01])


def test_a_later_part_is_warmed_up_anew_and_then_on_the_wholes_curve() -> None:
    whole = [learning_rate(RECIPE, step, steps=13) for step in range(13)]
    part = [learning_rate(RECIPE, step, steps=13, begun=6) for step in range(6, 13)]
    assert part[:3] == pytest.approx([whole[6] / 4, whole[7] / 2, whole[8] * 3 / 4])
    assert part[3:] == whole[9:]


@pytest.mark.parametrize(("warmup", "steps"), [(0, 1), (0, 5), (4, 4), (4, 5), (9, 3)])
def test_short_runs_have_sensible_rates(warmup: int, steps: int) -> None:
    recipe = OptimiserRecipe(lr=2.0, warmup_steps=warmup)
    assert all(0 < learning_rate(recipe, step, steps) <= 2 for step in range(steps))


def test_two_groups_and_their_factors(network: Lite0) -> None:
    adam = build_adam(network, RECIPE)
    set_learning_rate(adam, 0.8)
    assert [group["lr"] for group in adam.param_groups] == [0.8, 0.2]
    encoder = {id(p) for p in network.encoder.parameters()}
    assert {id(p) for p in adam.param_groups[1]["params"]} == encoder
    everything = [id(p) for group in adam.param_groups for p in group["params"]]
    assert sorted(everything) == sorted(id(p) for p in network.parameters())


def test_frozen_parts_are_not_optimised(network: Lite0) -> None:
    freeze(network, ("encoder", "head.mix"))
    adam = build_adam(network, RECIPE)
    assert len(adam.param_groups) == 1
    kept = {id(p) for group in adam.param_groups for p in group["params"]}
    for name, parameter in network.named_parameters():
        frozen = name.startswith(("encoder.", "head.mix."))
        assert parameter.requires_grad != frozen
        assert (id(parameter) in kept) != frozen


def test_a_part_that_does_not_exist_is_named(network: Lite0) -> None:
    with pytest.raises(ConfigError, match=r"frozen names 'encoder\.root'"):
        freeze(network, ("encoder.root",))


class Number(nn.Module):
    """One weight, one statistic and one counter."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([100.0]))
        self.register_buffer("mean", torch.tensor([0.0]))
        self.register_buffer("count", torch.tensor(0))

    def put(self, value: float) -> None:
        self.weight.data.fill_(value)
        self.mean.fill_(-value)
        self.count.fill_(int(value))


def test_the_average_starts_short() -> None:
    """Decay min(.5, (n + 1) / (n + 10)) after step n: .1, 2/11, .25, 4/13, …, so the start weighs
    little soon."""
    number = Number()
    average = MovingAverage(number, 0.5)
    expected, values = 100.0, [3.0, 5.0, 8.0, 1.0, 4.0, 4.0, 7.0, 9.0, 2.0, 6.0, 1.0]
    decays = [0.1, 2 / 11, 0.25, 4 / 13, 5 / 14, 0.4, 7 / 16, 8 / 17, 0.5, 0.5, 0.5]
    for step, (value, decay) in enumerate(zip(values, decays, strict=True)):
        number.put(value)
        average.update(number, step)
        expected = decay * expected + (1 - decay) * value
        tensors = average.tensors()
        assert tensors["weight"].item() == pytest.approx(expected, rel=1e-5)
        assert tensors["count"].item() == value
    assert tensors["mean"].item() == pytest.approx(-expected + 100 * math.prod(decays), abs=1e-4)
    assert number.weight.item() == 1.0  # the network itself is left alone


def test_an_average_of_0_is_the_plain_weights() -> None:
    number = Number()
    average = MovingAverage(number, 0.0)
    number.put(7)
    average.update(number, 500)
    assert average.tensors()["weight"].item() == 7
