"""COCO and LVIS as one data set: LVIS's instances, COCO's where LVIS has none, which lies in which,
and stuff.

The merging rules are those that RITM, FocalClick and VTMR were trained with [docs/method.md §C.1];
they work on run lengths.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask
from rich.progress import track

from vtmr.data.maskindex import MaskIndex, open_index
from vtmr.data.sources import IMAGE_SUFFIXES, entry, files_by_stem, read_data_image
from vtmr.errors import DataError, InputError
from vtmr.formats.cocoshapes import coco_runs
from vtmr.formats.jsonscan import array_items
from vtmr.masks import Mask, RunLengths
from vtmr.types import Image

IMAGES = "train2017"
PANOPTIC = "annotations/panoptic_train2017"
LVIS = "annotations/lvis_v1_train.json"
INDEX = "vtmr-index"

MIN_INSTANCE_PX = 80  # smaller ones are specks
MIN_STUFF_PX = 501
SAME_BOX = 0.70  # of boxes' overlap, above which two masks may be of one object
SAME_AS_LVIS = 0.70  # IoU above which a COCO mask repeats an LVIS one
SAME_IN_LVIS = 0.85  # IoU above which an LVIS mask repeats a later one
BOX_INSIDE = 0.70  # of an instance's box, from which on it may lie in another
MASK_INSIDE = 0.80  # and of its pixels

Runs = dict[str, Any]  # pycocotools' {"size": [H, W], "counts": bytes}


@dataclass(frozen=True)
class MergedObjects:
    """The objects of one image: `instances` of them with a hierarchy, then stuff. Ids are "0", "1",
    … in that order.

    counts: run lengths of each. parents: of each instance the index of the one it lies in, -1 for a
    root.
    """

    height: int
    width: int
    counts: tuple[str, ...]
    parents: tuple[int, ...]

    @property
    def ids(self) -> tuple[str, ...]:
        """All objects', by their places: instances, then stuff."""
        return tuple(map(str, range(len(self.counts))))

    @property
    def roots(self) -> tuple[str, ...]:
        """Instances that lie in no other."""
        return tuple(str(i) for i, parent in enumerate(self.parents) if parent < 0)

    @property
    def stuff(self) -> tuple[str, ...]:
        """The ids of sky, road and the like, which come behind the instances'."""
        return self.ids[len(self.parents) :]

    def area(self, object_id: str) -> int:
        """In pixels, without decoding."""
        counts = self.counts[int(object_id)].encode()
        return int(coco_mask.area({"size": [self.height, self.width], "counts": counts}))

    def mask(self, object_id: str) -> Mask:
        """bool H x W. Raises InputError for run lengths that don't fill it."""
        return RunLengths(self.height, self.width, self.counts[int(object_id)].encode()).decode()


@dataclass(frozen=True)
class CocoLvisSource:
    """COCO's `train2017/`, `annotations/panoptic_train2017{.json,/}` and LVIS's
    `annotations/lvis_v1_train.json`.

    The images that both annotate. Masks come from an index that is built when the data set is
    opened first.
    """

    name: str
    images: dict[str, Path]
    index: MaskIndex

    @staticmethod
    def open(name: str, root: Path, index_folder: Path | None = None) -> CocoLvisSource:
        """index_folder: where the index is or will be, `vtmr-index` in `root` by default.

        Raises DataError when a file is missing, isn't in its original format, or names an image
        outside the folder.
        """
        panoptic, lvis = root / f"{PANOPTIC}.json", root / LVIS
        sources = {path.name: checksum(path) for path in (panoptic, lvis)}
        images = files_by_stem(root / IMAGES, IMAGE_SUFFIXES)

        def plan() -> tuple[tuple[str, ...], Any]:
            originals = Originals.read(panoptic, lvis)
            return tuple(originals.segments), originals.record

        index = open_index(index_folder or root / INDEX, sources, plan, "COCO+LVIS index")
        missing = sorted(index.places.keys() - images.keys())
        if missing:
            raise DataError(
                f"{root / IMAGES} lacks {len(missing)} annotated image(s), first {missing[0]!r}."
            )
        return CocoLvisSource(name, {stem: images[stem] for stem in sorted(index.places)}, index)

    @property
    def stems(self) -> tuple[str, ...]:
        """See `Source.stems`."""
        return tuple(self.images)

    def image(self, stem: str) -> Image:
        """See `Source.image`: uint8 H x W x 3."""
        return read_data_image(entry(self.images, stem, self.name))

    def objects(self, stem: str) -> MergedObjects:
        """All that is known of an image's objects."""
        entry(self.images, stem, self.name)
        record = self.index.read(stem)
        height, width = record["size"]
        return MergedObjects(height, width, tuple(record["counts"]), tuple(record["parents"]))

    def object_ids(self, stem: str) -> tuple[str, ...]:
        """See `Source.object_ids`."""
        return self.objects(stem).ids

    def mask(self, stem: str, object_id: str) -> Mask:
        """See `Source.mask`: bool H x W."""
        objects = self.objects(stem)
        if object_id not in objects.ids:
            raise DataError(
                f"{self.name}/{stem} has no {object_id!r}: the data set is incomplete or another "
                "one."
            )
        return objects.mask(object_id)


# --- the original files


@dataclass(frozen=True)
class Segments:
    """What COCO says of one image: its size, its label map, and (id in the map, whether it is a
    thing) of segments."""

    stem: str
    height: int
    width: int
    labels: Path
    segments: tuple[tuple[int, bool], ...]


@dataclass(frozen=True)
class Originals:
    """The images that both data sets annotate, by stem, and LVIS's masks of them."""

    segments: dict[str, Segments]
    lvis: dict[str, list[Runs]]

    @staticmethod
    def read(panoptic: Path, lvis: Path) -> Originals:
        """Raises DataError when a file isn't in its original format."""
        segments = read_panoptic(panoptic)
        masks: dict[str, list[Runs]] = defaultdict(list)
        try:
            # Decoded all at once, LVIS's 1.1 GB of text would take five times that.
            items = array_items(lvis.read_text(encoding="utf-8"), "annotations")
            for annotation, _ in track(items, f"Reading {lvis.name}", total=None):
                of = segments.get(annotation["image_id"])
                if of is not None:
                    runs = coco_runs(annotation["segmentation"], of.height, of.width)
                    masks[of.stem].append({"size": [of.height, of.width], "counts": runs.counts})
        except (InputError, OSError, ValueError, LookupError, TypeError) as error:
            raise DataError(
                f"{lvis} is not LVIS v1's file: {type(error).__name__}: {error}."
            ) from error
        common = [of for of in segments.values() if of.stem in masks]
        by_stem = {of.stem: of for of in sorted(common, key=lambda of: of.stem)}
        return Originals(by_stem, dict(masks))

    def record(self, stem: str) -> dict[str, Any] | None:
        """The merged objects of an image for the index; None when it has none. Raises DataError."""
        of = self.segments[stem]
        things, stuff = panoptic_masks(of)
        instances = by_area(merged(self.lvis[stem], things))
        rest = stuff_beside(stuff, instances)
        if not instances and not rest:
            return None
        return {
            "size": [of.height, of.width],
            "counts": [runs["counts"].decode("ascii") for runs in [*instances, *rest]],
            "parents": parents(instances),
        }


def checksum(path: Path) -> str:
    """sha256 of a file. Raises DataError when it can't be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(
            f"{path} can't be read: {error.strerror or error}. Check the data set's path."
        ) from error


def read_panoptic(path: Path) -> dict[int, Segments]:
    """COCO's panoptic JSON by the images' ids, which are LVIS's too; the label maps are in the
    folder of its name."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        things = {category["id"] for category in content["categories"] if category["isthing"]}
        images = {record["id"]: record for record in content["images"]}
        found = {}
        for annotation in content["annotations"]:
            image = images[annotation["image_id"]]
            segments = []
            for segment in annotation["segments_info"]:
                segments.append((int(segment["id"]), segment["category_id"] in things))
            labels = path.with_suffix("") / annotation["file_name"]
            stem = Path(image["file_name"]).stem
            found[image["id"]] = Segments(
                stem, int(image["height"]), int(image["width"]), labels, tuple(segments)
            )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path} is not COCO's panoptic file: {type(error).__name__}: {error}."
        ) from error
    return found


def panoptic_masks(of: Segments) -> tuple[list[Runs], list[Mask]]:
    """Things as run lengths and stuff as bool H x W, from a label map whose ids are R + 256 G +
    256² B."""
    rgb = read_data_image(of.labels)
    if rgb.shape[:2] != (of.height, of.width):
        size = f"{rgb.shape[1]}x{rgb.shape[0]}"
        raise DataError(
            f"{of.labels} is {size}, its image {of.width}x{of.height}: expected one size. Get it "
            "again."
        )
    ids = rgb.astype(np.uint32) @ np.array([1, 256, 65536], np.uint32)
    things: list[Runs] = []
    stuff: list[Mask] = []
    for number, is_thing in of.segments:
        mask = ids == number
        if is_thing:
            things.append(encoded(mask))
        else:
            stuff.append(mask)
    return things, stuff


def encoded(mask: Mask) -> Runs:
    """A bool mask H x W as pycocotools' record."""
    return {"size": list(mask.shape), "counts": RunLengths.encode(mask).counts}


# --- merging


def merged(lvis: Sequence[Runs], things: Sequence[Runs]) -> list[Runs]:
    """LVIS's masks that no later one repeats, then COCO's things that repeat none of LVIS's; tiny
    ones are left out."""
    lvis, things = large_enough(lvis, MIN_INSTANCE_PX), large_enough(things, MIN_INSTANCE_PX)
    among = repeats(lvis, lvis, SAME_IN_LVIS)
    kept = [runs for i, runs in enumerate(lvis) if not among[i, i + 1 :].any()]
    known = repeats(things, lvis, SAME_AS_LVIS)
    return kept + [runs for i, runs in enumerate(things) if not known[i].any()]


def large_enough(masks: Sequence[Runs], least: int) -> list[Runs]:
    """Those with at least that many pixels."""
    return [runs for runs in masks if coco_mask.area(runs) >= least]


def by_area(masks: Sequence[Runs]) -> list[Runs]:
    """The largest first."""
    return sorted(masks, key=coco_mask.area, reverse=True)


def repeats(masks: Sequence[Runs], others: Sequence[Runs], least: float) -> NDArray[np.bool_]:
    """Which of N masks show the same as which of M others, judged by their boxes and then
    themselves: bool N x M."""
    if not masks or not others:
        return np.zeros((len(masks), len(others)), bool)
    overlap = np.asarray(coco_mask.iou(list(masks), list(others), [0] * len(others)))
    return (box_overlap(corners(masks), corners(others)) > SAME_BOX) & (overlap > least)


def corners(masks: Sequence[Runs]) -> NDArray[np.float64]:
    """Half-open boxes (x0, y0, x1, y1), N x 4."""
    boxes = np.asarray(coco_mask.toBbox(list(masks)), np.float64).reshape(-1, 4)
    # pycocotools has widths and heights in these places.
    boxes[:, 2:] += boxes[:, :2]
    return boxes


def box_overlap(boxes: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """The product of the intervals' overlaps along x and y, N x M: at most the boxes' IoU."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    first = np.minimum(boxes[:, None, :2], others[None, :, :2])
    last = np.maximum(boxes[:, None, 2:], others[None, :, 2:])
    return np.asarray((np.clip(high - low, 0, None) / (last - first)).prod(axis=-1))


def parents(instances: Sequence[Runs]) -> list[int]:
    """Of each instance, the largest first, the one it lies in (the deepest of several), -1 for
    none."""
    if not instances:
        return []
    boxes = corners(instances)
    low = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=-1)
    in_box = np.clip(high - low, 0, None).prod(axis=-1) / areas[:, None]
    # As of crowds, pycocotools' overlap is the share of the first mask, not of the union.
    crowds = [1] * len(instances)
    in_mask = np.asarray(coco_mask.iou(list(instances), list(instances), crowds))
    inside = (in_box >= BOX_INSIDE) & (in_mask > MASK_INSIDE)
    found: list[int] = []
    depths: list[int] = []
    for i in range(len(instances)):
        # Among larger ones: of two that hold each other the smaller lies in the larger.
        fitting = np.flatnonzero(inside[i, :i])
        parent = max(fitting.tolist(), key=lambda j: (depths[j], j), default=-1)
        found.append(parent)
        depth = 0
        if parent >= 0:
            depth = depths[parent] + 1
        depths.append(depth)
    return found


def stuff_beside(stuff: Sequence[Mask], instances: Sequence[Runs]) -> list[Runs]:
    """What instances leave of each stuff mask, unless that is little."""
    if not stuff:
        return []
    covered = np.zeros_like(stuff[0])
    if instances:
        covered = coco_mask.decode(coco_mask.merge(list(instances))).astype(bool)
    left = [encoded(mask & ~covered) for mask in stuff]
    return large_enough(left, MIN_STUFF_PX)
