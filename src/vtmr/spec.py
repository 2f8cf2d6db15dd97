"""What a model file says about itself: everything a runtime needs to use it, and where it comes
from."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field
from typing import Literal, get_args

from vtmr.errors import CheckpointError, ConfigError
from vtmr.values import by_present_names, formerly, from_values

FORMAT = 1  # another one is refused, not guessed at
CODE_LICENCE = "Apache-2.0"
LEAST_INPUT_SIZE, MAX_INPUT_SIZE = 32, 2048  # nothing larger is answered in the time of a click
SIDE_MULTIPLE = 32  # every network's coarsest map is whole then
MOST_WIDER = 8  # passes: nobody waits for more
Pipeline = Literal["vtmr", "focalclick", "ritm", "fcfi", "fca", "brs", "ld", "cdnet", "fbrs"]
REFINING: frozenset[Pipeline] = frozenset({"vtmr", "focalclick"})  # by a second pass
Schedule = Literal["paper", "eager", "off"]
Guidance = Literal["both", "mask", "clicks"]
FocusRule = Literal["click", "largest"]
EvalMode = Literal["fixed", "cvpr"]
RefinedBy = Literal["refiner", "coarse"]
Refinement = Literal["none", "fbrs-a", "fbrs-b", "fbrs-c", "rgb-brs", "distmap-brs"]
_ANY_SIZE = ("ritm", "fbrs")  # pipelines whose networks take grids of any size
_WITH_MODES = ("ritm", "fbrs")  # pipelines whose evaluator has modes


@dataclass(frozen=True, slots=True)
class Normalisation:
    """What a network does to pixel values 0..255 before its first layer: (value - mean) / std,
    RGB."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def __post_init__(self) -> None:
        if not (
            all(map(math.isfinite, self.mean)) and all(0 < value < math.inf for value in self.std)
        ):
            raise ConfigError(
                f"The normalisation has mean {self.mean} and std {self.std}: expected std above 0."
            )


# [0, 1], as every refiner wants it (docs/method.md §A.4).
RAW = Normalisation((0.0, 0.0, 0.0), (255.0, 255.0, 255.0))


@dataclass(frozen=True, slots=True)
class ZoomKernel:
    """How strongly the zoom pulls: a Gaussian over `grid` knots per axis [docs/method.md §F.4-F.5].

    fwhm: its full width at half maximum, in knot spacings. floor: added to the guidance, whose
    maximum is 1; the smaller, the more of the grid the object gets. The paper's sigma of 11, read
    as pixels of a 256 grid, is `ZoomKernel(256, 11 * 2.3548)`. Raises ConfigError for values that
    no table can be made of.
    """

    grid: int = 31
    fwhm: float = 11.0
    floor: float = 0.05

    def __post_init__(self) -> None:
        if not 2 <= self.grid <= 1024:
            raise ConfigError(f"zoom.kernel.grid is {self.grid}: expected 2 to 1024 knots.")
        if not (self.grid - 1) / 12 <= self.fwhm < math.inf:  # narrower, its tails would underflow
            least = (self.grid - 1) / 12
            raise ConfigError(
                f"zoom.kernel.fwhm is {self.fwhm}: expected at least {least:g}, a twelfth of the "
                "grid."
            )
        if not 0 <= self.floor < math.inf:
            raise ConfigError(f"zoom.kernel.floor is {self.floor}: expected 0 or more.")


@dataclass(frozen=True, slots=True)
class ZoomSchedule:
    """At which clicks the zoomed pass counts, how much, and what guides it [VTMR, section 3.3;
    docs/method.md §L.2].

    schedule: "paper" weighs click t with 0 for t < rounds/2, else min(t, rounds)/rounds; "eager"
    from click 2 on with `eager_weight`, or growing as min(t, rounds)/rounds where that is None;
    "off" never. min_shrink: it counts only where the crop's longer side is more than so many times
    the grid's, since zoom keeps what shrinking loses; 0 is everywhere. side: of the zoomed grid, in
    cells; a smaller one is faster and coarser, None is as large as the network's other grids.
    guidance: the fresh mask and the clicks' discs, or one of them. Raises ConfigError for anything
    else.
    """

    rounds: int = 20
    schedule: Schedule = "paper"
    eager_weight: float | None = None
    min_shrink: float = 0.0
    side: int | None = None
    guidance: Guidance = "both"
    kernel: ZoomKernel = field(default_factory=ZoomKernel)

    def __post_init__(self) -> None:
        if self.rounds < 2:
            raise ConfigError(
                f"zoom.rounds is {self.rounds}: expected at least 2 (the paper's T is 20)."
            )
        for name, value, known in (
            ("schedule", self.schedule, get_args(Schedule)),
            ("guidance", self.guidance, get_args(Guidance)),
        ):
            if value not in known:
                raise ConfigError(f"zoom.{name} is {value!r}: expected one of {', '.join(known)}.")
        if self.eager_weight is not None and not 0 < self.eager_weight <= 1:
            raise ConfigError(
                f"zoom.eager_weight is {self.eager_weight}: expected more than 0, at most 1."
            )
        if not 0 <= self.min_shrink < math.inf:
            raise ConfigError(f"zoom.min_shrink is {self.min_shrink}: expected 0 or more.")
        if self.side is not None and not is_side(self.side, SIDE_MULTIPLE):
            raise ConfigError(
                f"zoom.side is {self.side}: expected a multiple of {SIDE_MULTIPLE}, from "
                f"{LEAST_INPUT_SIZE} to {MAX_INPUT_SIZE}, or none for the network's own."
            )

    def __str__(self) -> str:
        """As `vtmr evaluate --zoom` takes it: schedule, fixed weight of an eager one, shrink,
        side."""
        text: str = self.schedule
        if self.eager_weight is not None:
            text += f"={self.eager_weight:g}"
        if self.schedule != "off":
            if self.min_shrink:
                text += f"@{self.min_shrink:g}"
            if self.side is not None:
                text += f":{self.side}"
        return text

    def weight(self, clicks: int, shrink: float = math.inf) -> float:
        """The zoomed pass's share of the answer to that many clicks, 0 to 1; at 0 there is no such
        pass.

        shrink: the crop's longer side to the grid's.
        """
        if shrink <= self.min_shrink:
            return 0.0
        growing = min(clicks, self.rounds) / self.rounds
        if self.schedule == "paper" and 2 * clicks >= self.rounds:
            return growing
        if self.schedule == "eager" and clicks >= 2:
            return self.eager_weight or growing
        return 0.0


@dataclass(frozen=True, slots=True)
class ViewPolicy:
    """Which views a click is answered in, beyond its own target crop [docs/decisions/0016].

    touch_share: of a side of the crop at which the image goes on, how much an answer may cover;
    above, the pass is made anew in a wider crop, and a re-crop pass isn't kept. 1 is never.
    widening: how many times as long the wider crop's sides are. most_wider: passes a click at most.
    easing: the share of the focus crop's side over which the refined answer goes over into what
    lies around it, so that no step stays there. 0 is at once. Raises ConfigError for anything else.
    """

    touch_share: float = 1.0
    widening: float = 2.0
    most_wider: int = 3
    easing: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.touch_share <= 1:
            raise ConfigError(
                f"views.touch_share is {self.touch_share}: expected a share of a crop's side, 0 to "
                "1 (never wider)."
            )
        if not 1 < self.widening < math.inf:
            raise ConfigError(f"views.widening is {self.widening}: expected more than 1.")
        if not 1 <= self.most_wider <= MOST_WIDER:
            raise ConfigError(
                f"views.most_wider is {self.most_wider}: expected 1 to {MOST_WIDER} passes."
            )
        if not 0 <= self.easing <= 0.5:
            raise ConfigError(
                f"views.easing is {self.easing}: expected a share of the focus crop's side, 0 "
                "(none) to 0.5."
            )

    def __str__(self) -> str:
        """The name of a policy that has one, else its values."""
        for name, policy in VIEWS.items():
            if policy == self:
                return name
        return f"touch {self.touch_share:g}, easing {self.easing:g}"


NARROW = ViewPolicy()  # as the papers do it, and as files from before the policy read
WIDE = ViewPolicy(touch_share=0.02, easing=1 / 32)
VIEWS = {"narrow": NARROW, "wide": WIDE}


@dataclass(frozen=True, slots=True)
class Run:
    """One training run in a checkpoint's ancestry.

    changes: what its command line changed of the recipe, as it stood there; "" in those from before
    it was noted.
    """

    recipe: str
    commit: str
    started: str
    steps: int
    samples: int
    cpu_seconds: float
    initialised_from: str
    changes: str = ""


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A network's contract with the pipeline around it, stored as JSON inside every model file.

    focus_rule: which part of what changed a focus crop is put around: the component at the click,
    as FocalClick's code has it, or the largest one, as the papers say [docs/method.md §I.29].
    eval_mode: of RITM's and f-BRS's pipelines, named as RITM's evaluator names them. "fixed"
    resizes every crop to a square of `input_size`; "cvpr" shows the first click the whole image at
    full resolution, and later ones a crop in its own proportions whose longer side is `input_size`
    [docs/method.md §D.8]. refined_by: which network answers the focus crop, the refiner or, in
    vtmr's pipeline alone, once more the coarse one [docs/decisions/0023]. refinement: what f-BRS's
    pipeline corrects after each click: features at one of three places, the image, the distance
    maps, or nothing [docs/zoo.md §Z.3.4].

    Raises ConfigError for values no pipeline could use.
    """

    model: str
    coarse_normalisation: Normalisation
    refine_normalisation: Normalisation = RAW
    input_size: int = 256
    disc_radius: float = 5.0  # of the coarse network's clicks
    refine_disc_radius: float = 5.0
    threshold: float = 0.5
    target_ratio: float = 1.4
    focus_ratio: float = 1.4
    focus_rule: FocusRule = "click"
    refined_by: RefinedBy = "refiner"
    freeze_from_click: int = 11
    # First answers whose target crop is a smaller share of the region are made anew in it.
    recrop_share: float = field(default=0.0, metadata=formerly("second_look"))
    # Whether it was trained to take a filled box as its previous mask; else clicks stand for boxes.
    box_prompt: bool = False
    pipeline: Pipeline = "vtmr"
    eval_mode: EvalMode = "fixed"
    refinement: Refinement = "fbrs-b"
    zoom: ZoomSchedule = field(default_factory=ZoomSchedule)
    views: ViewPolicy = NARROW
    licence: str = CODE_LICENCE  # of the weights
    terms: str = ""
    training_data: tuple[str, ...] = ()
    lineage: tuple[Run, ...] = ()
    format: int = FORMAT

    def __post_init__(self) -> None:
        if self.format != FORMAT:
            raise CheckpointError(
                f"The model file has format {self.format}; this version reads format {FORMAT}."
            )
        if not 0 < self.threshold < 1:
            raise ConfigError(
                f"threshold is {self.threshold}: expected a probability between 0 and 1."
            )
        for name, least in (
            ("disc_radius", 0),
            ("refine_disc_radius", 0),
            ("target_ratio", 1),
            ("focus_ratio", 1),
        ):
            value = getattr(self, name)
            if not (value >= least and 0 < value < math.inf):
                expected = "more than 0"
                if least:
                    expected = f"at least {least}"
                raise ConfigError(f"{name} is {value}: expected {expected}.")
        if not 0 <= self.recrop_share <= 1:
            raise ConfigError(
                f"recrop_share is {self.recrop_share}: expected a share of the region, 0 (never) "
                "to 1."
            )
        if self.freeze_from_click < 1:
            raise ConfigError(
                f"freeze_from_click is {self.freeze_from_click}: expected at least 1."
            )
        for name, known in (
            ("pipeline", get_args(Pipeline)),
            ("focus_rule", get_args(FocusRule)),
            ("refined_by", get_args(RefinedBy)),
            ("eval_mode", get_args(EvalMode)),
            ("refinement", get_args(Refinement)),
        ):
            value = getattr(self, name)
            if value not in known:
                raise ConfigError(f"{name} is {value!r}: expected one of {', '.join(known)}.")
        if self.eval_mode != "fixed" and not self.has_modes:
            raise ConfigError(
                f"eval_mode is {self.eval_mode!r}, but the pipeline is {self.pipeline!r}: only "
                f"{' and '.join(_WITH_MODES)} have modes of evaluation."
            )
        if self.refined_by == "coarse" and self.pipeline != "vtmr":
            raise ConfigError(
                f"refined_by is 'coarse', but the pipeline is {self.pipeline!r}: only vtmr's asks "
                "its coarse network once more."
            )
        self._require_input_size()

    def _require_input_size(self) -> None:
        """Raises ConfigError for a side that the network can't take or that would take minutes."""
        multiple, number = SIDE_MULTIPLE, f"a multiple of {SIDE_MULTIPLE}"
        if self.pipeline in _ANY_SIZE:
            multiple, number = 1, "a whole number"
        if not is_side(self.input_size, multiple):
            raise ConfigError(
                f"input_size is {self.input_size}: expected {number}, from {LEAST_INPUT_SIZE} to "
                f"{MAX_INPUT_SIZE}."
            )

    @property
    def refines(self) -> bool:
        """Whether a refining pass follows the coarse one; RITM, for one, has none."""
        return self.pipeline in REFINING

    @property
    def has_modes(self) -> bool:
        """Whether `eval_mode` says anything."""
        return self.pipeline in _WITH_MODES

    def to_json(self) -> str:
        """As one JSON object."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @staticmethod
    def from_json(text: str, told: list[str] | None = None) -> ModelSpec:
        """The inverse of `to_json`. Raises CheckpointError for anything else.

        told: gets a sentence for each field that is given by the name it had before.
        """
        try:
            values, notes = by_present_names(ModelSpec, json.loads(text), "the model's spec")
            spec: ModelSpec = from_values(ModelSpec, values, "the model's spec")
            if told is not None:
                told += notes
            return spec
        except (ValueError, RecursionError) as error:
            raise CheckpointError(
                f"The model's spec can't be read: {error}. Export the model again."
            ) from error
        except ConfigError as error:
            raise CheckpointError(f"The model's spec is not usable: {error}") from error


def is_side(cells: int, multiple: int) -> bool:
    """Whether a network can take grids of that side and answer them while somebody waits."""
    return LEAST_INPUT_SIZE <= cells <= MAX_INPUT_SIZE and cells % multiple == 0


def as_it_is(spec: ModelSpec) -> ModelSpec:
    """The spec that a file has: a change that changes nothing."""
    return spec
