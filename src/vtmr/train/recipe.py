"""Recipes: complete, checked TOML files that say all there is to say about a training run."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from vtmr.data import OPENERS
from vtmr.errors import ConfigError, tell
from vtmr.spec import ZoomKernel
from vtmr.train.bounds import at_least, below, between, one_of, require, require_bounds, within
from vtmr.values import by_present_names, formerly, from_values

PASS_ENGINES = ("torch", "onnxruntime", "auto")
PRECISIONS = ("float32", "bfloat16", "auto")
HAVE_STUFF = frozenset({"cocolvis"})  # sky, road and the like
HAVE_INSTANCES = frozenset({"coco", "cocolvis", "inst"})  # several objects an image
ACCELERATORS = ("auto", "cpu", "cuda")
COMPUTE_PRECISIONS = ("float32", "bfloat16", "float16")
SMALLEST = {"scale": 0.1, "object_ratio": 1.0}  # a crop below its object's size would cut it
LARGEST_RATIO = 10.0  # a crop ten times its object shows nothing of it
GRID_STEP = 64  # every network's coarsest map is whole then
LARGEST_GRID = 1024  # one step's grids fit in memory
WIDEST_RIM = 10.0  # of small objects nothing would be left
MAX_THREADS = 64  # a hundred thousand would take the machine down
INIT_CLICKS = ("multi", "single", "mixed")
MATCH_AVERAGES = ("all", "selected")
MATCH_LOSSES = ("match", "supervised")
REFINED_LOSSES = ("focal", "boundary")
EDGE_LOSSES = ("focal", "cross_entropy")
BATCH_NORMS = ("eval", "train")


@dataclass(frozen=True, slots=True)
class SourceWeight:
    """One data set: `reader` names the layout, `path` is relative to the recipe's data root.

    index: for "cocolvis", a folder for its index, relative to the data root too; "" is inside the
    data set. left_out: how the stems begin that aren't trained on. rim_px: how far around the
    outlines, in the images' pixels and to both sides, the coarse and refined losses count nothing,
    because the masks are no more exact than that.
    """

    reader: str
    path: str
    weight: float
    terms: str = ""  # of the data; they become the weights' terms
    cut_outs: bool = False  # whether its objects may be pasted into other images
    index: str = ""
    left_out: tuple[str, ...] = ()
    rim_px: float = 0.0

    def __post_init__(self) -> None:
        require(
            self.reader in OPENERS,
            f"source reader {self.reader!r} is unknown: expected one of {', '.join(OPENERS)}.",
        )
        require(
            0 <= self.weight < math.inf,
            f"source {self.path!r} has weight {self.weight}: expected 0 or more.",
        )
        require(
            not self.index or self.reader == "cocolvis",
            f"source {self.path!r} has index {self.index!r}, which only the reader cocolvis makes: "
            "leave it out.",
        )
        require(
            0 <= self.rim_px <= WIDEST_RIM,
            f"source {self.path!r} has rim_px {self.rim_px:g}: expected 0 to {WIDEST_RIM:g} "
            "pixels.",
        )


@dataclass(frozen=True, slots=True)
class DataRecipe:
    """Where samples come from. Weights are relative shares; paste_weight is the share of composed
    images.

    Of sources with stuff and a hierarchy (cocolvis): stuff_share of the samples may show stuff,
    with roots_only none shows an object that lies in another. Of sources of instances: merge_share
    of the samples show two [docs/method.md §C.2].
    """

    root: str
    sources: tuple[SourceWeight, ...]
    paste_weight: float = field(default=0.0, metadata=below(0, math.inf, "0 or more"))
    min_object_px: int = field(default=250, metadata=at_least(1))
    workers: int = field(default=1, metadata=at_least(0, "0 or more"))
    stuff_share: float = field(default=0.0, metadata=within(0, 1))
    merge_share: float = field(default=0.0, metadata=within(0, 1))
    roots_only: bool = True

    def __post_init__(self) -> None:
        require_bounds(self, "data.")
        weights = [source.weight for source in self.sources]
        require(
            max(weights, default=0) > 0,
            "data.sources has no positive weight: expected at least one.",
        )
        donors = [source for source in self.sources if source.cut_outs]
        require(
            not self.paste_weight or bool(donors),
            "data.paste_weight is set but no source has cut_outs = true.",
        )
        readers = {source.reader for source in self.sources}
        for name, share, known in (
            ("stuff_share", self.stuff_share, HAVE_STUFF),
            ("merge_share", self.merge_share, HAVE_INSTANCES),
        ):
            require(
                not share or bool(readers & known),
                f"data.{name} is {share}, but only sources of {', '.join(sorted(known))} have any: "
                "leave it out.",
            )


@dataclass(frozen=True, slots=True)
class AugmentRecipe:
    """How a source image becomes a training crop. The shares of whole, scaled and object crops are
    relative.

    zoom_share: the share of samples whose crop is zoomed in on the ground truth instead of resized
    (the paper: .5). zoom_kernel: how, as the model's spec then says for inference too.
    """

    whole_share: float = 0.15
    scaled_share: float = 0.25
    object_share: float = 0.6
    scale: tuple[float, float] = (0.75, 1.40)
    object_ratio: tuple[float, float] = (1.1, 3.0)
    flip: float = field(default=0.5, metadata=within(0, 1))
    colour: float = field(default=0.75, metadata=within(0, 1))
    zoom_share: float = field(default=0.0, metadata=within(0, 1))
    zoom_kernel: ZoomKernel = field(default_factory=ZoomKernel)

    def __post_init__(self) -> None:
        require(
            min(self.whole_share, self.scaled_share, self.object_share) >= 0
            and self.whole_share + self.scaled_share + self.object_share > 0,
            "augment: the shares of whole, scaled and object crops must be 0 or more and not all "
            "0.",
        )
        for name, (low, high) in (("scale", self.scale), ("object_ratio", self.object_ratio)):
            least = SMALLEST[name]
            require(
                least <= low <= high <= LARGEST_RATIO,
                f"augment.{name} is ({low}, {high}): expected {least:g} <= low <= high <= "
                f"{LARGEST_RATIO:g}.",
            )
        require_bounds(self, "augment.")


@dataclass(frozen=True, slots=True)
class ClickRecipe:
    """Simulated interaction: the clicks to start with and the largest number of further steps.

    init_clicks: "multi" (docs/method.md §C.4), "single" (one centred click, as the paper says) or
    "mixed" (half of each). first_share: share of the training steps that end at those clicks; the
    others draw their further clicks' number from 0 to max_further. centred: whether the first is
    near the object's centre; RITM's may be anywhere on it. deepest_share: share of the clicks that
    are where the object, or the error, is deepest, as the benchmark's robot clicks and careful
    users try to; the others are drawn from its inner part. rollout_share: share of the training
    steps whose samples are rolled out as inference does it (train/rollouts.py) by the weights that
    the run starts from, each from one click to a number of its own: the target crop follows the
    answer. Of these rollouts, casual_share are clicked by casual users (train/users.py), who click
    anywhere, near outlines and on parts, and box_share begin with a box, which the network is told
    as a filled mask; its spec then says `box_prompt`. focus_share of them show what the coarse
    network is shown in the refiner's place; where no refiner is trained (refiner_share 0), the spec
    then says `refined_by = "coarse"`.
    """

    init_clicks: str = field(default="multi", metadata=one_of(INIT_CLICKS))
    max_further: int = field(
        default=3, metadata={**at_least(0, "0 or more"), **formerly("max_steps")}
    )
    first_share: float = field(default=0.0, metadata=within(0, 1))
    centred: bool = True
    deepest_share: float = field(default=0.0, metadata=within(0, 1))
    rollout_share: float = field(default=0.0, metadata={**within(0, 1), **formerly("played_share")})
    casual_share: float = field(default=0.0, metadata=within(0, 1))
    box_share: float = field(default=0.0, metadata=within(0, 1))
    focus_share: float = field(default=0.0, metadata=within(0, 1))

    def __post_init__(self) -> None:
        require_bounds(self, "clicks.")
        for name in ("casual_share", "box_share", "focus_share"):
            share = getattr(self, name)
            require(
                not share or self.rollout_share > 0,
                f"clicks.{name} is {share}, but it is a share of the rollouts, and there are none: "
                "set clicks.rollout_share, or leave it out.",
            )


@dataclass(frozen=True, slots=True)
class MaskMatchRecipe:
    """MaskMatch [vtmr2024, eq. 1-3]; the defaults are the paper's words. A recipe without the table
    trains without it.

    share: of the steps; the others are plain ones, which alone supervise the answer to a blank
    mask. weight: of L_mr. alpha: IoU that the first interaction's mask must exceed. confidence:
    which of its pixels count, object pixels alone or background ones too (`two_sided`). average:
    over "all" pixels or those "selected". loss: "match", or "supervised" by the ground truth (Table
    4).
    """

    share: float = field(default=1.0, metadata=within(0, 1, "0 (never) to 1 (every step)"))
    weight: float = field(default=1.0, metadata=below(0, math.inf, "0 or more"))
    alpha: float = field(default=0.8, metadata=below(0, 1, "an IoU from 0 to below 1"))
    confidence: float = field(
        default=0.9, metadata=below(0.5, 1, "a probability from .5 to below 1")
    )
    two_sided: bool = False
    average: str = field(default="all", metadata=one_of(MATCH_AVERAGES))
    loss: str = field(default="match", metadata=one_of(MATCH_LOSSES))

    def __post_init__(self) -> None:
        require_bounds(self, "maskmatch.")
        # The ground truth is sure of every pixel, of the background's as well.
        require(
            self.loss == "match" or (self.average == "all" and not self.two_sided),
            'maskmatch.loss is "supervised", which average and two_sided contradict: '
            "leave them out.",
        )


@dataclass(frozen=True, slots=True)
class LossRecipe:
    """The refiner's losses; the defaults are VTMR's words, the others FocalClick's code
    [docs/method.md §C.7].

    refined: "focal", or "boundary", which counts the edge band twice. edge: "focal" or
    "cross_entropy".
    """

    refined: str = field(default="focal", metadata=one_of(REFINED_LOSSES))
    edge: str = field(default="focal", metadata=one_of(EDGE_LOSSES))

    def __post_init__(self) -> None:
        require_bounds(self, "losses.")


@dataclass(frozen=True, slots=True)
class OptimiserRecipe:
    """Adam with a learning rate for new layers and a factor for the pretrained encoder, warm-up and
    cosine.

    drops: the steps from which on the rate is a tenth of what it was before; with them there is no
    cosine. batch_norm_share: of the steps, from the first on, in which the encoder's BatchNorm
    learns where `encoder_batch_norm` is "train"; in the others it is frozen, so that the last
    steps see the statistics that inference uses.
    """

    lr: float = field(metadata=between(0, math.inf, "a positive number"))
    encoder_factor: float = field(default=0.1, metadata=below(0, math.inf, "0 or more"))
    warmup_steps: int = field(default=100, metadata=below(0, math.inf, "0 or more"))
    final_factor: float = field(default=0.02, metadata=below(0, math.inf, "0 or more"))
    ema: float = field(default=0.999, metadata=below(0, 1, "0 (off) to below 1"))
    clip_norm: float = field(default=0.0, metadata=below(0, math.inf, "0 or more"))
    frozen: tuple[str, ...] = ()
    encoder_batch_norm: str = field(
        default="eval", metadata=one_of(BATCH_NORMS, "'eval' or 'train'")
    )
    batch_norm_share: float = field(default=1.0, metadata=within(0, 1))
    drops: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        require_bounds(self, "optimiser.")
        # The empty name is that of the whole network, of which nothing would be left to train.
        require(
            all(self.frozen),
            "optimiser.frozen has an empty name: expected names of parts of the network.",
        )
        require(
            list(self.drops) == sorted(set(self.drops)) and min(self.drops, default=1) > 0,
            f"optimiser.drops is {list(self.drops)}: expected numbers of steps above 0, each "
            "larger than the last.",
        )
        require(
            self.batch_norm_share == 1 or self.encoder_batch_norm == "train",
            f"optimiser.batch_norm_share is {self.batch_norm_share}, but BatchNorm learns in no "
            'step: set optimiser.encoder_batch_norm to "train", or leave the share out.',
        )


@dataclass(frozen=True, slots=True)
class ComputeRecipe:
    """What a run is computed on. The batch is that of the whole step: `accumulate` micro-batches
    of every process make it up.

    accelerator: "auto" takes CUDA where there is any. devices: processes on each of `nodes`
    machines, one a GPU; under torchrun both are its own. precision: of the passes that learn,
    "bfloat16" and "float16" as autocast has them. sync_batch_norm: statistics over all processes
    (CUDA alone); else each has its own and the first one's are kept.
    """

    accelerator: str = field(default="auto", metadata=one_of(ACCELERATORS))
    devices: int = field(default=1, metadata=at_least(1))
    nodes: int = field(default=1, metadata=at_least(1))
    precision: str = field(default="float32", metadata=one_of(COMPUTE_PRECISIONS))
    accumulate: int = field(default=1, metadata=at_least(1))
    sync_batch_norm: bool = False

    def __post_init__(self) -> None:
        require_bounds(self, "compute.")


@dataclass(frozen=True, slots=True)
class Recipe:
    """A whole run. `steps` batches of `batch`; a share of each batch also trains the refiner.

    input_size: side of the grids that samples are drawn on, 0 for the network's own. Smaller ones
    cost less and show more objects in the same time; a run at the network's own size belongs after
    them. no_grad_precision: of the passes without gradients, where it is lower than
    `compute.precision`; "auto" is bfloat16 where the device computes in it and float32 where it
    would be emulated, which takes many times as long. in_parts: whether the steps are those of a
    whole that several runs make up, on one machine or many: a run that starts (`--init`) from
    weights of this recipe goes on at their step. part_minutes: after which such a run ends; 0 is
    never. iterative_clicks_engine: what computes the passes of iterative clicks, "torch" or
    "onnxruntime" (on CPUs alone, in float32); "auto" is the latter on a CPU without bfloat16, where
    it takes about half the time. encoder_weights: the file that the encoder starts from, relative
    to the data root; lite0's come with a package.
    """

    name: str
    model: str
    steps: int = field(metadata=at_least(1))
    data: DataRecipe
    optimiser: OptimiserRecipe
    batch: int = field(default=16, metadata=at_least(1))
    input_size: int = 0
    seed: int = field(default=0, metadata=at_least(0, "0 or more"))
    threads: int = field(default=2, metadata=within(1, MAX_THREADS))
    no_grad_precision: str = field(default="float32", metadata=one_of(PRECISIONS))
    iterative_clicks_engine: str = field(
        default="torch", metadata={**one_of(PASS_ENGINES), **formerly("chain_engine")}
    )
    refiner_share: float = field(default=1.0, metadata=within(0, 1))
    checkpoint_minutes: float = field(
        default=10.0, metadata=at_least(0, "0 (after every step) or more")
    )
    validate_minutes: float = field(default=0.0, metadata=at_least(0, "0 (never) or more"))
    in_parts: bool = False
    part_minutes: float = field(default=0.0, metadata=at_least(0, "0 (never) or more"))
    augment: AugmentRecipe = field(default_factory=AugmentRecipe)
    clicks: ClickRecipe = field(default_factory=ClickRecipe)
    losses: LossRecipe = field(default_factory=LossRecipe)
    compute: ComputeRecipe = field(default_factory=ComputeRecipe)
    maskmatch: MaskMatchRecipe | None = None
    encoder_weights: str | None = None

    def __post_init__(self) -> None:
        require_bounds(self)
        require(
            self.input_size == 0
            or (self.input_size % GRID_STEP == 0 and GRID_STEP <= self.input_size <= LARGEST_GRID),
            f"input_size is {self.input_size}: expected 0 (the network's own) or a multiple of "
            f"{GRID_STEP} up to {LARGEST_GRID}.",
        )
        require(
            bool(self.name), "name is empty: expected one, which the weights' lineage then gives."
        )
        # Micro-batches of unequal sizes would weigh some samples more than others.
        require(
            self.batch % self.compute.accumulate == 0,
            f"batch is {self.batch} and compute.accumulate {self.compute.accumulate}: the batch "
            "must divide evenly.",
        )
        require(
            self.in_parts or not self.part_minutes,
            f"part_minutes is {self.part_minutes}, but the recipe isn't trained in parts: set "
            "in_parts = true, or leave the minutes out.",
        )
        require(
            self.maskmatch is None or not self.compute.sync_batch_norm,
            "compute.sync_batch_norm and maskmatch exclude each other: a process without a sample "
            "to match would leave the others waiting for its statistics.",
        )
        require(
            not self.clicks.rollout_share
            or (self.maskmatch is None and not self.augment.zoom_share),
            "clicks.rollout_share excludes maskmatch, whose interactions begin without a mask, and "
            "augment.zoom_share: rollouts are neither.",
        )

    @property
    def refiner_samples(self) -> int:
        """Samples of each batch that train the refiner: at least one, unless none is to."""
        if self.refiner_share == 0:
            return 0
        return max(round(self.refiner_share * self.batch), 1)


def parse_override(text: str) -> tuple[list[str], Any]:
    """`a.b=value` as path and TOML value; a bare word is a string. Raises ConfigError."""
    key, separator, value = text.partition("=")
    require(
        bool(separator and key.strip()),
        f"--set {text!r}: expected key=value, such as optimiser.lr=1e-3.",
    )
    try:
        parsed = tomllib.loads(f"value = {value}")["value"]
    except (ValueError, RecursionError):
        parsed = value.strip()
    return key.strip().split("."), parsed


def load_recipe(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """Reads a recipe and applies `key=value` overrides.

    A VtmrWarning tells of each key that is given by the name it had before. Raises ConfigError with
    the nearest known key.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"The recipe {path} can't be read: {error.strerror or error}.") from error
    except (ValueError, RecursionError) as error:  # of TOML, of UTF-8, of numbers too long to read
        raise ConfigError(f"The recipe {path} is not valid TOML: {error}.") from error
    values, notes = by_present_names(Recipe, values, "recipe")
    for text in overrides:
        names, value, more = present_override(text)
        notes += more
        table = values
        for name in names[:-1]:
            table = table.setdefault(name, {})
            require(
                isinstance(table, dict), f"--set {text!r}: {name!r} is not a table of the recipe."
            )
        table[names[-1]] = value
    recipe: Recipe = from_values(Recipe, values, "recipe")
    tell(notes)
    return recipe


def present_override(text: str) -> tuple[list[str], Any, list[str]]:
    """As `parse_override`, by the keys' present names, with a sentence for each that was replaced.

    A key of the recipe and an override of it would else not meet, one by its old name and one by
    its new one.
    """
    names, value = parse_override(text)
    nested: Any = value
    for name in reversed(names):
        nested = {name: nested}
    nested, notes = by_present_names(Recipe, nested, "recipe")
    present = []
    for _ in names:
        ((name, nested),) = nested.items()
        present.append(name)
    return present, nested, notes


def as_values(recipe: Recipe) -> dict[str, Any]:
    """The recipe as plain values, for comparison and for storing with a checkpoint."""
    return asdict(recipe)
