"""What each experiment plays and reports; docs/experiments.md says what the paper found [VTMR,
tables 1-6]."""

from __future__ import annotations

from dataclasses import dataclass

from vtmr.bench.protocol import Protocol, Robot
from vtmr.errors import ConfigError, did_you_mean
from vtmr.spec import Guidance

NOC = ("NoC@85", "NoC@90")


@dataclass(frozen=True, slots=True)
class Condition:
    """One way in which an experiment has every model played.

    name: empty where there is but one. guidance: of the zoomed pass, in place of the model's own.
    """

    name: str
    protocol: Protocol
    guidance: Guidance | None = None


@dataclass(frozen=True, slots=True)
class Experiment:
    """Every model is played under every condition; the table has a line for each such run and these
    figures.

    fewest_models: without which there would be nothing to compare. ratio: a figure that is also
    given as a multiple of what it is under the first condition, "" for none. is_published: whether
    the systems' own publications have these figures, to be put beside them.
    """

    name: str
    title: str
    conditions: tuple[Condition, ...]
    figures: tuple[str, ...] = NOC
    fewest_models: int = 1
    ratio: str = ""
    is_published: bool = False


_PLAIN = (Condition("", Protocol()),)
_PLAIN_NAMED = (Condition("clicks alone", Protocol()),)
_ALL_CLICKS = (Condition("", Protocol(stop="never", report_at=(5, 20))),)
_FROM_PERTURBED = tuple(
    Condition(name, Protocol(initial_mask="perturbed", initial_iou=0.8, repeats=10, merge=merge))
    for name, merge in (("merged", True), ("not merged", False))
)
_FROM_DEFECTS = (
    Condition("from defects", Protocol(initial_mask="superpixels")),
    Condition("from nothing", Protocol(initial_mask="none")),
)
_ROBOTS = (
    Condition("deterministic robot", Protocol()),
    Condition("random robot", Protocol(robot="random", repeats=1)),
)
_USERS: tuple[Robot, ...] = ("deterministic", "random", "parts", "edge")
_PEOPLE = tuple(
    Condition(f"{robot} robot", Protocol(robot=robot, report_at=(1, 2, 5))) for robot in _USERS
)
_BOXES = (
    Condition("tight box", Protocol(first_click="box")),
    Condition("box a tenth larger", Protocol(first_click="box", box_margin=0.1)),
    Condition("box three tenths larger", Protocol(first_click="box", box_margin=0.3)),
    Condition("jittered box", Protocol(first_click="box", box_jitter=0.07)),
)
_GUIDED = (
    Condition("mask", Protocol(), "mask"),
    Condition("clicks", Protocol(), "clicks"),
    Condition("mask and clicks", Protocol(), "both"),
)

_ALL = (
    Experiment("table1", "Clicks to a target", _PLAIN, is_published=True),
    Experiment(
        "table2",
        "Failures, quality after 5 clicks and seconds, all 20 clicks played",
        _ALL_CLICKS,
        ("NoF@90", "NoF@90_ritm", "IoU@5", "BIoU@5", "SPC_wall_ms"),
    ),
    Experiment(
        "table3",
        "Clicks to correct a perturbed mask, ten of IoU 0.8 for each object",
        _FROM_PERTURBED,
    ),
    Experiment("table4", "Parts of the method left out", _PLAIN, fewest_models=2),
    Experiment("table5", "Thresholds that activate MaskMatch", _PLAIN, fewest_models=2),
    Experiment(
        "table6",
        "What guides the zoom",
        _GUIDED,
    ),
    Experiment(
        "robots",
        "Clicks in the middle of the largest error, and anywhere in it",
        _ROBOTS,
        (*NOC, "IoU@1", "IoU@5", "BIoU@5"),
    ),
    Experiment(
        "people",
        "Clicks as people make them, and masks that end at a crop's side",
        _PEOPLE,
        (*NOC, "IoU@1", "IoU@2", "IoU@5", "cut@1", "cut@2", "cut@5", "passes"),
        ratio="NoC@90",
    ),
    Experiment(
        "boxes",
        "A box first, then clicks; the box counts as a click",
        (*_PLAIN_NAMED, *_BOXES),
        (*NOC, "IoU@1", "IoU@5"),
    ),
    Experiment(
        "correction",
        "Clicks to correct a mask with superpixels added and removed",
        _FROM_DEFECTS,
    ),
)
EXPERIMENTS = {experiment.name: experiment for experiment in _ALL}


def find_experiment(name: str) -> Experiment:
    """The experiment of that name. Raises ConfigError, with the nearest one."""
    if name not in EXPERIMENTS:
        raise ConfigError(
            f"There is no experiment {name!r}: known are {', '.join(EXPERIMENTS)}."
            f"{did_you_mean(name, EXPERIMENTS)}"
        )
    return EXPERIMENTS[name]
