"""From sources to training samples: which object, which crop, which colours, all drawn from one
generator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from vtmr.data import (
    OPENERS,
    CocoLvisSource,
    CocoSource,
    LabelSource,
    PairSource,
    Source,
    listed_stems,
    read_object,
    validation_list,
)
from vtmr.errors import DataError
from vtmr.geometry import Box, Frame
from vtmr.masks import Mask, bounding_box
from vtmr.pyramid import crop_resized
from vtmr.train.clicks import Rng, initial_clicks
from vtmr.train.compose import CutOut, composed
from vtmr.train.recipe import AugmentRecipe, Recipe, SourceWeight
from vtmr.train.refiner_targets import draw_focus_box, edge_band
from vtmr.train.rollouts import Rollouts
from vtmr.train.targets import rim_of, single_component
from vtmr.types import Click, FloatMap, Image
from vtmr.zoom import Warp, warp_towards

ATTEMPTS = 200
UNREADABLE_DRAWS = 10
MAX_AREA_SHARE = 0.9
SINGLE_COMPONENT_SHARE = 0.3
CUT_OUT_MIN_AREA = 1500


@dataclass(frozen=True)
class Sample:
    """One training sample of side S: everything but the later clicks, which depend on the network.

    image, patch: uint8 S x S x 3; gt_mask, patch_gt, patch_edge: bool S x S; focus: (x0, y0, x1,
    y1) of the patch in the image's grid; clicks: initial ones in that grid. Of a zoomed sample all
    of this is in the zoomed grid. ignore_mask, patch_ignore: bool S x S, what no loss counts.
    unreadable: what was drawn before and couldn't be read, as sentences. prev_mask: of a rolled-out
    sample, float32 S x S, what the network is told of the last answer; its clicks are all that
    there are.
    """

    image: Image
    gt_mask: Mask
    patch: Image
    patch_gt: Mask
    patch_edge: Mask
    focus: tuple[float, float, float, float]
    clicks: tuple[Click, ...]
    ignore_mask: Mask
    patch_ignore: Mask
    unreadable: tuple[str, ...] = ()
    prev_mask: FloatMap | None = None


@dataclass(frozen=True)
class Labelled:
    """An image with one target; `others` are pixels known to belong to other objects.

    second: where the target is made of two objects, the second one. rim: where the target's mask
    can't be relied on, and what its file marks as to be ignored.
    """

    image: Image
    target: Mask
    others: Mask
    second: Mask | None = None
    rim: Mask | None = None

    @property
    def masks(self) -> dict[str, Mask]:
        """Target, others and, where there are any, second and rim."""
        found = {
            "target": self.target,
            "others": self.others,
            "second": self.second,
            "rim": self.rim,
        }
        return {name: mask for name, mask in found.items() if mask is not None}


@dataclass(frozen=True)
class TrainingSource:
    """An opened source with the stems that may be trained on."""

    source: Source
    stems: tuple[str, ...]
    weight: float
    cut_outs: bool
    rim_px: float

    @staticmethod
    def open(entry: SourceWeight, root: Path) -> TrainingSource:
        """Leaves out what the entry says, the stems of val.txt and report.txt, and all frozen
        validation objects'.

        Raises DataError when none is left.
        """
        folder = root / entry.path
        name = Path(entry.path).name
        source = (
            CocoLvisSource.open(name, folder, root / entry.index)
            if entry.index
            else OPENERS[entry.reader](name, folder)
        )
        frozen = {stem for reader, stem, _ in validation_list() if reader == entry.reader}
        held_out = listed_stems(folder / "val.txt") | listed_stems(folder / "report.txt") | frozen
        stems = tuple(
            stem
            for stem in source.stems
            if stem not in held_out and not stem.startswith(entry.left_out)
        )
        if not stems:
            raise DataError(
                f"{folder} has no image left to train on: all {len(source.stems)} are held out or "
                "left_out."
            )
        return TrainingSource(source, stems, entry.weight, entry.cut_outs, entry.rim_px)


class Sampler:
    """Draws training samples: `draw(rng)` is a pure function of the generator's state."""

    def __init__(self, recipe: Recipe, root: Path, size: int) -> None:
        self.recipe = recipe
        self.size = size
        self.sources = [TrainingSource.open(entry, root) for entry in recipe.data.sources]
        weights = np.array([*(s.weight for s in self.sources), recipe.data.paste_weight])
        self.shares = weights / weights.sum()
        self.donors = [s for s in self.sources if s.cut_outs]
        counts = np.array([len(s.stems) for s in self.donors], np.float64) ** 0.5
        self.donor_shares = counts / counts.sum() if len(counts) else counts

    @property
    def left_out(self) -> tuple[str, ...]:
        """A sentence for everything in the sources that isn't drawn from because it can't be."""
        return tuple(
            f"{entry.source.name}: {sentence}"
            for entry in self.sources
            if isinstance(entry.source, CocoSource)
            for sentence in entry.source.findings
        )

    def draw(self, rng: Rng, rollouts: Rollouts | None = None) -> Sample:
        """One sample, rolled out where `rollouts` is given; what can't be read is noted and the
        next draw takes its place.

        Raises DataError when ATTEMPTS draws give no usable object, or when more than
        UNREADABLE_DRAWS can't be read.
        """
        unreadable: list[str] = []
        for _ in range(ATTEMPTS):
            choice = int(rng.choice(len(self.shares), p=self.shares))
            try:
                labelled = (
                    self.compose(rng)
                    if choice == len(self.sources)
                    else self.pick(self.sources[choice], rng)
                )
            except DataError as error:
                unreadable.append(str(error))
                if len(unreadable) > UNREADABLE_DRAWS:
                    raise DataError(
                        f"{len(unreadable)} draws for one sample couldn't be read: {error}"
                    ) from error
                continue
            sample = self.crop(labelled, rng, rollouts) if labelled is not None else None
            if sample is not None:
                return replace(sample, unreadable=tuple(unreadable))
        raise DataError(
            f"{ATTEMPTS} draws in a row gave no object of {self.recipe.data.min_object_px} px or "
            "more: "
            "check the data sets or lower data.min_object_px."
        )

    def pick(self, entry: TrainingSource, rng: Rng) -> Labelled | None:
        """A random object of a random image of the source; None when the image has no object."""
        stem = entry.stems[rng.integers(len(entry.stems))]
        ids = candidates(entry.source, stem, self.recipe, self.size, rng)
        if not ids:
            return None
        chosen = str(ids[rng.integers(len(ids))])
        image, target, ignored = read_object(entry.source, stem, chosen)
        others, second = np.zeros_like(target), None
        if isinstance(entry.source, LabelSource):
            others, target = vary_part(entry.source, stem, ids, target, rng)
        elif isinstance(entry.source, PairSource):
            target = (
                single_component(target, rng) if rng.random() < SINGLE_COMPONENT_SHARE else target
            )
        else:
            near = list(rng.permutation([i for i in ids if i != chosen])[:4])
            if (
                self.recipe.data.merge_share
                and near
                and rng.random() < self.recipe.data.merge_share
            ):
                second = entry.source.mask(stem, str(near.pop()))
                target = target | second
            for other in near:
                others |= entry.source.mask(stem, str(other))
        rim = rim_of(target, entry.rim_px) if entry.rim_px else None
        if ignored is not None:
            rim = ignored if rim is None else rim | ignored
        return Labelled(image, target, others & ~target, second, rim)

    def compose(self, rng: Rng) -> Labelled | None:
        """A random image with one to three pasted cut-outs, one of which is the target."""
        background = self.sources[int(rng.integers(len(self.sources)))]
        canvas = background.source.image(background.stems[rng.integers(len(background.stems))])
        cut_outs = []
        for _ in range(int(rng.integers(1, 4))):
            donor = self.donors[int(rng.choice(len(self.donors), p=self.donor_shares))]
            stem = donor.stems[rng.integers(len(donor.stems))]
            ids = donor.source.object_ids(stem)
            if ids:
                chosen = str(ids[rng.integers(len(ids))])
                image, mask, _ = read_object(donor.source, stem, chosen)
                box = bounding_box(mask)
                if box is not None and mask.sum() >= CUT_OUT_MIN_AREA:
                    cut_outs.append(CutOut(image[box.slices], mask[box.slices]))
        if not cut_outs:
            return None
        image, masks = composed(canvas, cut_outs, rng)
        wanted = int(rng.integers(len(masks)))
        others = np.any(
            [mask for i, mask in enumerate(masks) if i != wanted] or [np.zeros_like(masks[0])],
            axis=0,
        )
        return Labelled(image, masks[wanted], others)

    def crop(self, labelled: Labelled, rng: Rng, rollouts: Rollouts | None = None) -> Sample | None:
        """Colours, flip and crop: the one drawn, or the one that a rollout which begins there leads
        to.

        None when the object's part in the crop is too small or too large.
        """
        if not labelled.target.any():
            return None
        augment, size = self.recipe.augment, self.size
        labelled = flipped(labelled) if rng.random() < augment.flip else labelled
        labelled = replace(labelled, image=jittered(labelled.image, augment.colour, rng))
        labelled, box = draw_crop(labelled, augment, size, rng)
        shown = None
        if rollouts is not None:
            if not labelled.target[box.slices].any():
                return None
            shown = rollouts.shown(labelled.image, labelled.target, box, rng)
            box = shown.frame.box
        gt_mask = resample_mask(labelled.target, box, size)
        grid: Frame | Warp = Frame(box, size, size)
        if augment.zoom_share and rng.random() < augment.zoom_share:
            grid = warp_towards(gt_mask, box, size, augment.zoom_kernel)
            gt_mask = mask_on(grid, labelled.target)
        most = (
            MAX_AREA_SHARE if shown is None else 1.0
        )  # a crop that follows too small an answer lies in the object
        if not self.recipe.data.min_object_px <= gt_mask.sum() <= most * gt_mask.size:
            return None
        focus = grid.to_image(np.array(draw_focus_box(gt_mask, rng)).reshape(2, 2))
        low, high = np.floor(focus[0]).astype(int), np.ceil(focus[1]).astype(int)
        focus_box = (
            Box(int(low[0]), int(low[1]), int(high[0]), int(high[1])).intersection(box) or box
        )
        patch_gt = mask_on(grid, labelled.target, focus_box)
        nothing, rim = np.zeros_like(gt_mask), labelled.rim
        return Sample(
            image=image_on(grid, labelled.image),
            gt_mask=gt_mask,
            patch=image_on(grid, labelled.image, focus_box),
            patch_gt=patch_gt,
            patch_edge=edge_band(patch_gt),
            focus=grid.box_to_grid(focus_box),
            clicks=shown.clicks if shown else self.first_clicks(labelled, grid, gt_mask, rng),
            ignore_mask=nothing if rim is None else mask_on(grid, rim),
            patch_ignore=nothing if rim is None else mask_on(grid, rim, focus_box),
            prev_mask=shown.prev_mask if shown else None,
        )

    def first_clicks(
        self, labelled: Labelled, grid: Frame | Warp, gt_mask: Mask, rng: Rng
    ) -> tuple[Click, ...]:
        """What an interaction begins with, on the grid."""
        start = self.recipe.clicks
        single = start.init_clicks == "single" or (
            start.init_clicks == "mixed" and rng.random() < 0.5
        )
        others = mask_on(grid, labelled.others)
        second = None if labelled.second is None else mask_on(grid, labelled.second)
        return tuple(
            initial_clicks(gt_mask, others, rng, single, start.centred, second, start.deepest_share)
        )


def candidates(source: Source, stem: str, recipe: Recipe, size: int, rng: Rng) -> tuple[str, ...]:
    """The objects of an image that may be a target.

    Of COCO+LVIS that is: the roots (or all), in stuff_share of the draws stuff as well, and none
    that would be too small on the grid in any crop, because most are.
    """
    if not isinstance(source, CocoLvisSource):
        return source.object_ids(stem)
    objects = source.objects(stem)
    ids = objects.roots if recipe.data.roots_only else objects.ids[: len(objects.parents)]
    if recipe.data.stuff_share and rng.random() < recipe.data.stuff_share:
        ids += objects.stuff
    least = least_share(recipe, size) * objects.height * objects.width
    return tuple(i for i in ids if objects.area(i) >= least)


def least_share(recipe: Recipe, size: int) -> float:
    """The share of its image below which no object reaches min_object_px; 0 where crops enlarge
    objects freely."""
    augment = recipe.augment
    if augment.object_share or augment.zoom_share:
        return 0.0
    factor = max(
        augment.scale[1] if augment.scaled_share else 0.0, 1.0 if augment.whole_share else 0.0
    )
    return recipe.data.min_object_px / (size * factor) ** 2


def image_on(grid: Frame | Warp, image: Image, part: Box | None = None) -> Image:
    """The image on the grid, or a part of its box on as many cells, from full resolution: uint8 S x
    S x 3.

    On a zoomed grid the part is zoomed as well, so that it lies straight over its place in the
    grid.
    """
    if isinstance(grid, Warp):
        return grid.sample(image, grid.box_to_grid(part) if part else None)
    return crop_resized(image, part or grid.box, grid.width)


def mask_on(grid: Frame | Warp, mask: Mask, part: Box | None = None) -> Mask:
    """A mask of the image in the same way, by majority: bool S x S."""
    if isinstance(grid, Warp):
        return grid.sample_mask(mask, grid.box_to_grid(part) if part else None)
    return resample_mask(mask, part or grid.box, grid.width)


def resample_mask(mask: Mask, box: Box, size: int) -> Mask:
    """The box of a mask on a size x size grid, by majority."""
    full = mask[box.slices].astype(np.uint8) * 255
    return np.asarray(cv2.resize(full, (size, size), interpolation=cv2.INTER_LINEAR) > 127)


def flipped(labelled: Labelled) -> Labelled:
    """Mirrored left to right."""
    masks = {name: np.ascontiguousarray(mask[:, ::-1]) for name, mask in labelled.masks.items()}
    return Labelled(np.ascontiguousarray(labelled.image[:, ::-1]), **masks)


def jittered(image: Image, share: float, rng: Rng) -> Image:
    """Brightness +-.25, contrast -.15 to +.4 and RGB shift +-10, each in that share of images
    [docs/method.md §C.3]."""
    gain, offset = 1.0, np.zeros(3)
    if rng.random() < share:
        gain = 1 + rng.uniform(-0.15, 0.40)
        offset = offset + 255 * rng.uniform(-0.25, 0.25)
    if rng.random() < share:
        offset = offset + rng.uniform(-10, 10, 3)
    if gain == 1 and not offset.any():
        return image
    table = np.clip(np.arange(256)[:, None] * gain + offset, 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(image, table.reshape(1, 256, 3)), np.uint8)


def vary_part(
    source: LabelSource, stem: str, ids: Sequence[str], target: Mask, rng: Rng
) -> tuple[Mask, Mask]:
    """(others, target) of a label map: a single component, a union of labels, or the label
    itself."""
    chance = rng.random()
    everything = np.zeros_like(target)
    if chance < 0.4:
        target = single_component(target, rng)
    elif chance < 0.6:
        for extra in rng.permutation(list(ids))[: int(rng.integers(1, max(2, len(ids))))]:
            target = target | source.mask(stem, str(extra))
    for other in rng.permutation(list(ids))[:4]:
        everything |= source.mask(stem, str(other))
    return everything & ~target, target


def draw_crop(
    labelled: Labelled, augment: AugmentRecipe, size: int, rng: Rng
) -> tuple[Labelled, Box]:
    """A crop of one of three kinds and the image it lies in (padded with zeros where the crop
    sticks out).

    Whole image, as inference sees it at click 1; RITM's resize by .75-1.4 with pad or crop; the
    object's box times 1.1-3, moved about, as inference sees it from click 2 on.
    """
    height, width = labelled.target.shape
    whole = Box.whole(height, width)
    shares = np.array([augment.whole_share, augment.scaled_share, augment.object_share])
    kind = int(rng.choice(3, p=shares / shares.sum()))
    if kind == 0:
        return labelled, whole
    if kind == 1:
        factor = rng.uniform(*augment.scale)
        return windowed(labelled, round(width / factor), round(height / factor), rng)
    target = bounding_box(labelled.target) or whole
    low, high = np.log(augment.object_ratio)
    ratio = np.exp(
        0.7 * rng.uniform(low, high) + 0.3 * rng.uniform(low, high, size=2)
    )  # nearly the same both ways
    slack = (ratio - 1) * np.array([target.width, target.height]) / 2
    shift = rng.uniform(-0.7, 0.7, 2) * slack
    moved = Box(
        round(target.x0 - slack[0] + shift[0]),
        round(target.y0 - slack[1] + shift[1]),
        round(target.x1 + slack[0] + shift[0]),
        round(target.y1 + slack[1] + shift[1]),
    )
    return labelled, grown(moved, min(32, size), whole)


def grown(box: Box, least: int, whole: Box) -> Box:
    """At least `least` pixels wide and high, clipped to the image."""
    extra_x, extra_y = max(0, least - box.width), max(0, least - box.height)
    box = Box(
        box.x0 - extra_x // 2,
        box.y0 - extra_y // 2,
        box.x1 + (extra_x + 1) // 2,
        box.y1 + (extra_y + 1) // 2,
    )
    return box.intersection(whole) or whole


def windowed(labelled: Labelled, width: int, height: int, rng: Rng) -> tuple[Labelled, Box]:
    """A window of that size: placed at random inside the image, or around it with zero padding."""
    rows, cols = labelled.target.shape
    pad_x, pad_y = max(0, width - cols), max(0, height - rows)
    if pad_x or pad_y:
        left, top = int(rng.integers(pad_x + 1)), int(rng.integers(pad_y + 1))
        room = ((top, pad_y - top), (left, pad_x - left))
        masks = {name: np.pad(mask, room) for name, mask in labelled.masks.items()}
        labelled = Labelled(np.pad(labelled.image, (*room, (0, 0))), **masks)
        rows, cols = labelled.target.shape
    x0, y0 = int(rng.integers(cols - width + 1)), int(rng.integers(rows - height + 1))
    return labelled, Box(x0, y0, x0 + width, y0 + height)
