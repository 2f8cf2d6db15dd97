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
from vtmr.train.augmentation import Labelled, draw_crop, flipped, jittered
from vtmr.train.clicks import Rng, initial_clicks
from vtmr.train.compose import CutOut, composed
from vtmr.train.recipe import Recipe, SourceWeight
from vtmr.train.refiner_targets import draw_focus_box, edge_band
from vtmr.train.rollouts import Rollouts
from vtmr.train.targets import rim_of, single_component
from vtmr.types import Click, FloatMap, Image
from vtmr.zoom import Warp, warp_towards

ATTEMPTS = 200  # for one sample: most objects are too small for most crops
UNREADABLE_DRAWS = 10  # for one sample: so many in a row are a lost disk, not a bad file
MAX_AREA_SHARE = 0.9  # of the crop: an object that fills it leaves nothing to tell it from
SINGLE_COMPONENT_SHARE = 0.3  # of pairs' samples
CUT_OUT_MIN_AREA = 1500  # smaller ones are blots when they are pasted
MOST_OTHERS = 4  # objects of an image that are read beside the target: each is a file or a decoding


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
        source: Source
        if entry.index:
            source = CocoLvisSource.open(name, folder, root / entry.index)
        else:
            source = OPENERS[entry.reader](name, folder)
        # Weights are chosen by the validation objects: none of their images may be learnt from.
        held_out = {*listed_stems(folder / "val.txt"), *listed_stems(folder / "report.txt")}
        for reader, stem, _ in validation_list():
            if reader == entry.reader:
                held_out.add(stem)
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
        # The last choice is a composed image, which is no source's.
        weights = [source.weight for source in self.sources]
        chances = np.array([*weights, recipe.data.paste_weight])
        self.shares = chances / chances.sum()
        self.donors = [source for source in self.sources if source.cut_outs]
        # Roots: a large set of cut-outs would else drown the small ones.
        self.donor_shares = np.sqrt([len(donor.stems) for donor in self.donors])
        if self.donors:
            self.donor_shares /= self.donor_shares.sum()

    @property
    def left_out(self) -> tuple[str, ...]:
        """A sentence for everything in the sources that isn't drawn from because it can't be."""
        sentences: list[str] = []
        for entry in self.sources:
            if isinstance(entry.source, CocoSource):
                name = entry.source.name
                sentences += [f"{name}: {finding}" for finding in entry.source.findings]
        return tuple(sentences)

    def draw(self, rng: Rng, rollouts: Rollouts | None = None) -> Sample:
        """One sample, rolled out where `rollouts` is given; what can't be read is noted and the
        next draw takes its place.

        Raises DataError when ATTEMPTS draws give no usable object, or when more than
        UNREADABLE_DRAWS can't be read.
        """
        unreadable: list[str] = []
        for _ in range(ATTEMPTS):
            try:
                labelled = self.labelled(rng)
            except DataError as error:
                unreadable.append(str(error))
                if len(unreadable) > UNREADABLE_DRAWS:
                    raise DataError(
                        f"{len(unreadable)} draws for one sample couldn't be read: {error}"
                    ) from error
                continue
            if labelled is None:
                continue
            sample = self.crop(labelled, rng, rollouts)
            if sample is not None:
                return replace(sample, unreadable=tuple(unreadable))
        raise DataError(
            f"{ATTEMPTS} draws in a row gave no object of {self.recipe.data.min_object_px} px or "
            "more: check the data sets or lower data.min_object_px."
        )

    def labelled(self, rng: Rng) -> Labelled | None:
        """An image of one of the sources, or a composed one; None where there is no object.

        Raises DataError for what can't be read.
        """
        choice = int(rng.choice(len(self.shares), p=self.shares))
        if choice == len(self.sources):
            return self.compose(rng)
        return self.pick(self.sources[choice], rng)

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
            # A pair's mask may be of several things, of which the clicks then mean one.
            if rng.random() < SINGLE_COMPONENT_SHARE:
                target = single_component(target, rng)
        else:
            near = list(rng.permutation([i for i in ids if i != chosen])[:MOST_OTHERS])
            merging = self.recipe.data.merge_share
            if merging and near and rng.random() < merging:
                second = entry.source.mask(stem, str(near.pop()))
                target = target | second
            for other in near:
                others |= entry.source.mask(stem, str(other))
        # Another object's pixels that are the target's too are the target's: a click on them is
        # positive.
        rim = rim_and_ignored(target, entry.rim_px, ignored)
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
        target = masks.pop(int(rng.integers(len(masks))))
        others = np.zeros_like(target)
        for mask in masks:
            others |= mask
        return Labelled(image, target, others)

    def crop(self, labelled: Labelled, rng: Rng, rollouts: Rollouts | None = None) -> Sample | None:
        """Colours, flip and crop: the one drawn, or the one that a rollout which begins there leads
        to.

        None when the object's part in the crop is too small or too large.
        """
        if not labelled.target.any():
            return None
        augment, size = self.recipe.augment, self.size
        if rng.random() < augment.flip:
            labelled = flipped(labelled)
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
        most = MAX_AREA_SHARE
        if shown is not None:
            most = 1.0  # a crop that follows too small an answer lies in the object
        if not self.recipe.data.min_object_px <= gt_mask.sum() <= most * gt_mask.size:
            return None
        focus_box = drawn_focus(grid, box, gt_mask, rng)
        patch_gt = mask_on(grid, labelled.target, focus_box)
        ignore_mask = patch_ignore = np.zeros_like(gt_mask)
        if labelled.rim is not None:
            ignore_mask = mask_on(grid, labelled.rim)
            patch_ignore = mask_on(grid, labelled.rim, focus_box)
        sample = Sample(
            image=image_on(grid, labelled.image),
            gt_mask=gt_mask,
            patch=image_on(grid, labelled.image, focus_box),
            patch_gt=patch_gt,
            patch_edge=edge_band(patch_gt),
            focus=grid.box_to_grid(focus_box),
            clicks=(),
            ignore_mask=ignore_mask,
            patch_ignore=patch_ignore,
        )
        if shown is not None:
            return replace(sample, clicks=shown.clicks, prev_mask=shown.prev_mask)
        return replace(sample, clicks=self.first_clicks(labelled, grid, gt_mask, rng))

    def first_clicks(
        self, labelled: Labelled, grid: Frame | Warp, gt_mask: Mask, rng: Rng
    ) -> tuple[Click, ...]:
        """What an interaction begins with, on the grid."""
        start = self.recipe.clicks
        single = start.init_clicks == "single" or (
            start.init_clicks == "mixed" and rng.random() < 0.5
        )
        others, second = mask_on(grid, labelled.others), None
        if labelled.second is not None:
            second = mask_on(grid, labelled.second)
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
    ids = objects.ids[: len(objects.parents)]  # stuff comes behind the objects, without parents
    if recipe.data.roots_only:
        ids = objects.roots
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
    factor = 0.0
    if augment.scaled_share:
        factor = augment.scale[1]
    if augment.whole_share:
        factor = max(factor, 1.0)
    return recipe.data.min_object_px / (size * factor) ** 2


def image_on(grid: Frame | Warp, image: Image, part: Box | None = None) -> Image:
    """The image on the grid, or a part of its box on as many cells, from full resolution: uint8 S x
    S x 3.

    On a zoomed grid the part is zoomed as well, so that it lies straight over its place in the
    grid.
    """
    if isinstance(grid, Warp):
        place = None
        if part is not None:
            place = grid.box_to_grid(part)
        return grid.sample(image, place)
    return crop_resized(image, part or grid.box, grid.width)


def mask_on(grid: Frame | Warp, mask: Mask, part: Box | None = None) -> Mask:
    """A mask of the image in the same way, by majority: bool S x S."""
    if isinstance(grid, Warp):
        place = None
        if part is not None:
            place = grid.box_to_grid(part)
        return grid.sample_mask(mask, place)
    return resample_mask(mask, part or grid.box, grid.width)


def rim_and_ignored(target: Mask, rim_px: float, ignored: Mask | None) -> Mask | None:
    """Where the target can't be relied on, bool H x W; None where it can everywhere.

    rim_px: how exact its source's outlines are, 0 for exact ones. ignored: what its file marks.
    """
    if not rim_px:
        return ignored
    rim = rim_of(target, rim_px)
    if ignored is None:
        return rim
    return rim | ignored


def drawn_focus(grid: Frame | Warp, box: Box, gt_mask: Mask, rng: Rng) -> Box:
    """A focus box in whole pixels of the image, inside the crop's `box`.

    gt_mask: bool S x S on the grid, where the focus is drawn.
    """
    corners = grid.to_image(np.array(draw_focus_box(gt_mask, rng)).reshape(2, 2))
    # Outwards to whole pixels, as the patch is cut from the image at full resolution.
    x0, y0 = np.floor(corners[0]).astype(int).tolist()
    x1, y1 = np.ceil(corners[1]).astype(int).tolist()
    return Box(x0, y0, x1, y1).intersection(box) or box


def resample_mask(mask: Mask, box: Box, size: int) -> Mask:
    """The box of a mask on a size x size grid, by majority."""
    full = mask[box.slices].astype(np.uint8) * 255
    return np.asarray(cv2.resize(full, (size, size), interpolation=cv2.INTER_LINEAR) > 127)


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
        # Never all labels: the union would leave nothing to tell the target from.
        mixed = rng.permutation(list(ids))
        count = int(rng.integers(1, max(2, len(ids))))
        for extra in mixed[:count]:
            target = target | source.mask(stem, str(extra))
    for other in rng.permutation(list(ids))[:MOST_OTHERS]:
        everything |= source.mask(stem, str(other))
    return everything & ~target, target
