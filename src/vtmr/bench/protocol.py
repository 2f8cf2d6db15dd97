"""The benchmark's rules as data: one record, printed with every table and stored with every run."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Literal, get_args

from vtmr.errors import ConfigError
from vtmr.spec import ViewPolicy, ZoomSchedule
from vtmr.types import Correction
from vtmr.values import from_values

Robot = Literal["deterministic", "random", "perturbed", "parts", "edge", "box"]
Stop = Literal["targets", "never"]
LARGEST_BOX_SHARE = 2.0
PART_CLICKS = 3  # the first in the middle of the object, the others on other parts of it
Start = Literal["given", "none", "perturbed", "superpixels"]


@dataclass(frozen=True, slots=True)
class Protocol:
    """How an object is clicked and what is reported of it (docs/protocol.md; docs/method.md §D).

    max_clicks: the most clicks an object gets. targets: IoU values that NoC and NoF are given for.
    stop: "targets" ends an object when it has reached them all, but not before min_clicks; "never"
    plays all clicks. report_at: the clicks whose IoU and BIoU are reported. robot: who clicks;
    first_click: who makes the first one, None for the same; "box", which no later click can be,
    draws a box around the object, box_margin larger in all and each side off by a Gaussian of
    box_jitter, as shares of its width and height. jitter_px: standard deviation of the perturbed
    robot. repeats: runs of each object, with streams of their own. initial_mask: what
    objects begin with: "given", their own mask where the data set has one; "none"; or the truth
    made wrong, "perturbed" to initial_iou or with "superpixels" added and removed. merge: whether
    clicks on it are merged progressively. threshold: the probability that masks are cut at, None
    for the model's own. seed: of the random and perturbed robots and of the intervals' resampling.
    Raises ConfigError for rules that contradict each other.
    """

    max_clicks: int = 20
    targets: tuple[float, ...] = (0.85, 0.90)
    min_clicks: int = 5
    stop: Stop = "targets"
    report_at: tuple[int, ...] = (1, 5)
    robot: Robot = "deterministic"
    first_click: Robot | None = None
    jitter_px: float = 0.0
    box_margin: float = 0.0
    box_jitter: float = 0.0
    repeats: int = 1
    initial_mask: Start = "given"
    initial_iou: float = 0.8
    merge: bool = True
    threshold: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        _require_one_of("stop", self.stop, get_args(Stop))
        _require_one_of("robot", self.robot, get_args(Robot))
        _require_one_of("first_click", self.first_click or self.robot, get_args(Robot))
        _require_one_of("initial_mask", self.initial_mask, get_args(Start))
        if not 1 <= self.min_clicks <= self.max_clicks:
            raise ConfigError(
                f"min_clicks is {self.min_clicks}: expected 1 to max_clicks ({self.max_clicks})."
            )
        if not self.targets or not all(0 < target <= 1 for target in self.targets):
            raise ConfigError(
                f"targets are {self.targets}: expected at least one IoU above 0 and up to 1."
            )
        self._check_reported()
        if self.threshold is not None and not 0 < self.threshold < 1:
            raise ConfigError(
                f"threshold is {self.threshold}: expected a probability between 0 and 1."
            )
        if not 0 < self.initial_iou < 1:
            raise ConfigError(
                f"initial_iou is {self.initial_iou}: expected an IoU between 0 and 1."
            )
        if self.seed < 0:
            raise ConfigError(f"seed is {self.seed}: expected 0 or more.")
        self._check_robots()

    def _check_reported(self) -> None:
        """Raises ConfigError for a reported click that an object may have stopped before."""
        if self.report_at and all(1 <= click <= self.shortest for click in self.report_at):
            return
        expected = (
            f"min_clicks ({self.min_clicks}), because an object may stop after that, unless stop "
            'is "never".'
        )
        if self.stop == "never":
            expected = f"max_clicks ({self.max_clicks})."
        raise ConfigError(f"report_at is {self.report_at}: expected clicks from 1 to {expected}")

    def _check_robots(self) -> None:
        """Raises ConfigError for robots and numbers of theirs that don't go together."""
        robots = {self.robot_at(1), self.robot}
        named = ", ".join(sorted(robots))
        # A number that no robot reads is refused, too: its run would be taken for another one.
        sound = 0 <= self.jitter_px < float("inf")
        if not sound or ("perturbed" in robots) != (self.jitter_px > 0):
            raise ConfigError(
                f"jitter_px is {self.jitter_px:g} with the robots {named}: expected a standard "
                "deviation above 0 with the perturbed robot, 0 without."
            )
        self._check_box()
        # Without any chance in it, all repeats of an object would be one run.
        steady = robots <= {"deterministic", "box"} and not self.box_jitter
        fixed = steady and self.initial_mask in ("given", "none")
        if self.repeats < 1 or (self.repeats > 1 and fixed):
            raise ConfigError(
                f"repeats is {self.repeats} with the robots {named}: expected 1, or more with a "
                "random or perturbed robot or initial mask, whose runs differ."
            )

    def _check_box(self) -> None:
        """Raises ConfigError for a box that isn't the first click, or for its shares without it."""
        drawn = self.robot_at(1) == "box"
        if self.robot == "box":
            raise ConfigError(
                'robot is "box", but only the first click can be one: expected first_click = "box".'
            )
        for name, share in (("box_margin", self.box_margin), ("box_jitter", self.box_jitter)):
            if not 0 <= share <= LARGEST_BOX_SHARE or (share and not drawn):
                raise ConfigError(
                    f"{name} is {share:g}: expected a share from 0 to {LARGEST_BOX_SHARE:g} of "
                    'the box with first_click = "box", 0 without.'
                )

    @property
    def correction(self) -> Correction:
        """How clicks correct an initial mask, in a session's words."""
        if self.merge:
            return "here"
        return "refit"

    @property
    def shortest(self) -> int:
        """The click up to which every object has values, unless nothing is left to click."""
        if self.stop == "never":
            return self.max_clicks
        return self.min_clicks

    def robot_at(self, click: int) -> Robot:
        """Who makes that click, counted from 1."""
        if click == 1 and self.first_click:
            return self.first_click
        return self.robot

    def is_over(self, ious: Sequence[float]) -> bool:
        """Whether a run with these IoUs, one per click so far, takes no further click."""
        if len(ious) >= self.max_clicks:
            return True
        if self.stop == "never" or len(ious) < self.min_clicks:
            return False
        # The best so far, not the last: a target once reached stays reached, whatever follows.
        return max(ious) >= max(self.targets)

    def __str__(self) -> str:
        """One line for the head of a table: every rule."""
        targets = "/".join(f"{target:g}" for target in self.targets)
        robot = f"robot user: {self._in_words(2)}"
        if self.first_click not in (None, self.robot):
            robot += f", first click: {self._in_words(1)}"
        parts = [robot]
        if self.repeats > 1:
            parts.append(f"{self.repeats} runs an object")
        ends = f"stops at IoU {targets}, never before click {self.min_clicks}"
        if self.stop == "never":
            ends = f"all of them are made; targets IoU {targets}"
        cut = "cut at the model's threshold"
        if self.threshold is not None:
            cut = f"cut at {self.threshold:g}"
        parts += [
            f"at most {self.max_clicks} clicks",
            ends,
            self._start_in_words(),
            cut,
            f"values at click {', '.join(map(str, self.report_at))}",
            f"95 % bootstrap intervals, seed {self.seed}",
        ]
        return "; ".join(parts)

    def _start_in_words(self) -> str:
        merged = "not merged"
        if self.merge:
            merged = "merged progressively"
        match self.initial_mask:
            case "given":
                return f"initial masks, where given, {merged}"
            case "none":  # nothing that clicks could be merged into
                return "from an empty mask"
            case "perturbed":
                return f"from the truth perturbed to IoU {self.initial_iou:g}, {merged}"
            case "superpixels":
                return f"from the truth with superpixels added and removed, {merged}"

    def _in_words(self, click: int) -> str:
        match self.robot_at(click):
            case "deterministic":
                return "middle of the largest error"
            case "random":
                return "random pixel of the largest error"
            case "perturbed":
                return f"middle of the largest error, off by a Gaussian of {self.jitter_px:g} px"
            case "parts":
                return "middle of the object, two other parts of it, middle of the largest error"
            case "edge":
                return "near the object's outline, then middle of the largest error"
            case "box":
                return (
                    f"a box around the object, {self.box_margin:.0%} larger, its sides off by "
                    f"{self.box_jitter:.0%}"
                )


def load_protocol(name: str) -> Protocol:
    """The rules in a .toml file, or a protocol that comes with vtmr by its name.

    Raises ConfigError.
    """
    bundled = {path.name.removesuffix(".toml"): path for path in _BUNDLED.iterdir()}
    try:
        # Bundled ones first: what a name means doesn't depend on the folder one is in.
        text = (bundled.get(name) or Path(name)).read_text(encoding="utf-8")
        protocol: Protocol = from_values(Protocol, tomllib.loads(text), f"The protocol {name}")
        return protocol
    except OSError as error:
        raise ConfigError(
            f"The protocol {name} can't be read ({error.strerror}): expected a .toml file or one "
            f"of {', '.join(sorted(bundled))}."
        ) from error
    except (ValueError, RecursionError) as error:  # of TOML, of UTF-8, of numbers too long to read
        raise ConfigError(f"The protocol {name} is not valid TOML: {error}.") from error


_BUNDLED = resources.files("vtmr") / "assets" / "protocols"


def _require_one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ConfigError(f"{name} is {value!r}: expected one of {', '.join(known)}.")


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What answered the clicks: stored with the run, so that a figure can be traced to a file.

    sha256: of the model file, "" for a method without one. threshold: the probability that its
    masks are cut at. threads: of the network's runtime. zoom: when the zoomed pass counted. device:
    of torch, "" for ONNX Runtime. input_size: where it wasn't the model file's own. eval_mode: of
    RITM's evaluator, with its size, such as cvpr400. views: in which it answered beyond the target
    crop. None or "" where the method has no such thing.
    """

    name: str
    sha256: str = ""
    threshold: float | None = None
    threads: int | None = None
    zoom: ZoomSchedule | None = None
    device: str = ""
    input_size: int | None = None
    eval_mode: str = ""
    views: ViewPolicy | None = None


@dataclass(frozen=True, slots=True)
class Shard:
    """A part of a run: every `of`-th object, from the `index`-th on, both counted from 1.

    Raises ConfigError for a part that there isn't.
    """

    index: int
    of: int

    def __post_init__(self) -> None:
        if not 1 <= self.index <= self.of:
            raise ConfigError(
                f"The shard is {self}: expected I/N with N from 1 and I from 1 to N, for example "
                "1/4."
            )

    def __str__(self) -> str:
        return f"{self.index}/{self.of}"

    def holds(self, place: int) -> bool:
        """Whether it holds the object at that place, counted from 0."""
        return place % self.of == self.index - 1
