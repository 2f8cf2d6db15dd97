"""Readers of images with object masks, one class per layout on disk; none holds pixels between calls."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from vtmr.errors import DataError, InputError
from vtmr.images import read_image
from vtmr.masks import Mask
from vtmr.types import Image


class Source(Protocol):
    """A folder of images in which objects are marked. Stems name images, object ids name objects within one."""

    @property
    def name(self) -> str: ...

    @property
    def stems(self) -> tuple[str, ...]: ...

    def image(self, stem: str) -> Image:
        """uint8 H x W x 3, RGB. Raises DataError when it is missing or unreadable."""
        ...

    def object_ids(self, stem: str) -> tuple[str, ...]:
        """The objects of an image, in a fixed order."""
        ...

    def mask(self, stem: str, object_id: str) -> Mask:
        """bool H x W of one object. Raises DataError when it is missing, unreadable or of another size."""
        ...


def files_by_stem(folder: Path, suffixes: Iterable[str]) -> dict[str, Path]:
    """The files of a folder by stem, sorted; the case of suffixes is ignored. Raises DataError when there are none."""
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder: check the data set's path.")
    wanted = {suffix.lower() for suffix in suffixes}
    found = {path.stem: path for path in sorted(folder.iterdir()) if path.suffix.lower() in wanted}
    if not found:
        raise DataError(f"{folder} holds no {', '.join(sorted(wanted))} file: check the data set's path.")
    return found


def listed_stems(path: Path) -> frozenset[str]:
    """The stems of a list file such as val.txt; empty when there is no such file."""
    return frozenset(path.read_text().split()) if path.is_file() else frozenset()


IMAGE_SUFFIXES = (".webp", ".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff")


def read_data_image(path: Path) -> Image:
    """`read_image`, with failures as DataError."""
    try:
        return read_image(path)
    except InputError as error:
        raise DataError(str(error)) from error


def read_labels(path: Path) -> NDArray[np.uint8]:
    """An 8-bit single-channel PNG or BMP as uint8 H x W. Raises DataError."""
    labels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if labels is None:
        raise DataError(f"{path} is missing or not a readable mask image.")
    if labels.ndim == 3:
        labels = labels[:, :, 0]
    if labels.dtype != np.uint8:
        raise DataError(f"{path} has {labels.dtype} pixels: expected an 8-bit mask.")
    return np.asarray(labels, np.uint8)


@dataclass(frozen=True)
class PairSource:
    """`images/STEM.*` with `masks/STEM.png` (0/255): one object (or group) per image, its id is "0"."""

    name: str
    images: dict[str, Path]
    masks: dict[str, Path]

    @staticmethod
    def open(name: str, root: Path) -> PairSource:
        """Raises DataError when an image has no mask."""
        images = files_by_stem(root / "images", IMAGE_SUFFIXES)
        masks = files_by_stem(root / "masks", (".png", ".bmp"))
        lonely = sorted(images.keys() - masks.keys())
        if lonely:
            raise DataError(f"{root} has {len(lonely)} image(s) without a mask of the same stem, first {lonely[0]!r}.")
        return PairSource(name, images, masks)

    @property
    def stems(self) -> tuple[str, ...]:
        return tuple(self.images)

    def image(self, stem: str) -> Image:
        return read_data_image(self.images[stem])

    def object_ids(self, stem: str) -> tuple[str, ...]:
        return ("0",)

    def mask(self, stem: str, object_id: str) -> Mask:
        return read_labels(self.masks[stem]) > 127


@dataclass(frozen=True)
class LabelSource:
    """`images/STEM.*` with `labels/STEM.png`: ids from 1 are parts, 0 is background. An object id is a label."""

    name: str
    images: dict[str, Path]
    labels: dict[str, Path]

    @staticmethod
    def open(name: str, root: Path) -> LabelSource:
        """Several label maps of an image (`STEM_K.png`) are stems `STEM_K`. Raises DataError when one has no image."""
        images = files_by_stem(root / "images", IMAGE_SUFFIXES)
        labels = files_by_stem(root / "labels", (".png",))
        matched = {stem: images.get(stem) or images.get(stem.rpartition("_")[0]) for stem in labels}
        lonely = sorted(stem for stem, path in matched.items() if path is None)
        if lonely:
            raise DataError(f"{root} has {len(lonely)} label map(s) without an image, first {lonely[0]!r}.")
        return LabelSource(name, {stem: path for stem, path in matched.items() if path is not None}, labels)

    @property
    def stems(self) -> tuple[str, ...]:
        return tuple(self.labels)

    def image(self, stem: str) -> Image:
        return read_data_image(self.images[stem])

    def object_ids(self, stem: str) -> tuple[str, ...]:
        return tuple(str(label) for label in np.unique(read_labels(self.labels[stem])) if label)

    def mask(self, stem: str, object_id: str) -> Mask:
        return np.asarray(read_labels(self.labels[stem]) == int(object_id))


@dataclass(frozen=True)
class CocoSource:
    """`images/*` with a COCO `instances.json`; an object id is an annotation's id. Crowds are left out."""

    name: str
    images: dict[str, Path]
    sizes: dict[str, tuple[int, int]]
    annotations: dict[str, dict[str, dict[str, Any]]]

    @staticmethod
    def open(name: str, root: Path) -> CocoSource:
        """Raises DataError when the JSON is missing or isn't COCO's, or names an image outside the folder."""
        path = root / "instances.json"
        try:
            content = json.loads(path.read_text())
            records = {record["id"]: record for record in content["images"]}
            annotations: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
            for annotation in content["annotations"]:
                if not annotation.get("iscrowd", 0):
                    stem = Path(records[annotation["image_id"]]["file_name"]).stem
                    annotations[stem][str(annotation["id"])] = annotation
            sizes = {Path(r["file_name"]).stem: (int(r["height"]), int(r["width"])) for r in records.values()}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(f"{path} is not a COCO instances file: {type(error).__name__}: {error}.") from error
        images = files_by_stem(root / "images", IMAGE_SUFFIXES)
        missing = sorted(annotations.keys() - images.keys())
        if missing:
            raise DataError(f"{path} names {len(missing)} image(s) that {root / 'images'} lacks, first {missing[0]!r}.")
        return CocoSource(
            name, {stem: images[stem] for stem in images if stem in annotations}, sizes, dict(annotations)
        )

    @property
    def stems(self) -> tuple[str, ...]:
        return tuple(self.images)

    def image(self, stem: str) -> Image:
        return read_data_image(self.images[stem])

    def object_ids(self, stem: str) -> tuple[str, ...]:
        return tuple(self.annotations[stem])

    def mask(self, stem: str, object_id: str) -> Mask:
        height, width = self.sizes[stem]
        segmentation = self.annotations[stem][object_id]["segmentation"]
        try:
            if isinstance(segmentation, list):
                runs = coco_mask.merge(coco_mask.frPyObjects(segmentation, height, width))
            elif isinstance(segmentation["counts"], list):
                runs = coco_mask.frPyObjects(segmentation, height, width)
            else:
                runs = segmentation
            return np.ascontiguousarray(coco_mask.decode(runs)).astype(bool)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise DataError(
                f"{self.name}: annotation {object_id} of {stem!r} has no readable mask: {error}."
            ) from error
