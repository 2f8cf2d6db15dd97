"""COCO's instance JSON: polygons and both kinds of run lengths in, compressed run lengths out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pycocotools import mask as coco_mask

from vtmr.errors import InputError
from vtmr.formats.records import AnnotatedImage, Annotation, Files, labels_of
from vtmr.masks import RunLengths


def write_coco(images: Sequence[AnnotatedImage], labels: Sequence[str]) -> Files:
    """annotations.json; categories are numbered from 1 in the order of `labels`."""
    names = labels_of(images, labels)
    annotations: list[dict[str, Any]] = []
    for image_id, image in enumerate(images, start=1):
        for annotation in image.objects:
            runs = {"size": [image.height, image.width], "counts": annotation.runs.counts}
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image_id,
                    "category_id": names.index(annotation.label) + 1,
                    "segmentation": {
                        "size": runs["size"],
                        "counts": annotation.runs.counts.decode("ascii"),
                    },
                    "area": int(coco_mask.area(runs)),
                    "bbox": [float(value) for value in coco_mask.toBbox(runs)],
                    "iscrowd": 0,
                }
            )
    document = {
        "info": {"description": "Made with vtmr"},
        "images": [
            {"id": number, "file_name": image.name, "width": image.width, "height": image.height}
            for number, image in enumerate(images, start=1)
        ],
        "annotations": annotations,
        "categories": [{"id": number, "name": name} for number, name in enumerate(names, start=1)],
    }
    return Files({"annotations.json": json.dumps(document, ensure_ascii=False).encode()})


@dataclass(frozen=True, slots=True)
class CocoFile:
    """What a COCO JSON says, checked as far as it can be without decoding: images by id, and their
    annotations."""

    images: dict[int | str, tuple[str, int, int]]  # file name, height, width
    annotations: dict[int | str, list[tuple[str, Any]]]  # label, segmentation

    @staticmethod
    def parse(document: Any) -> CocoFile:
        """From decoded JSON. Raises InputError for anything that isn't COCO's instance format."""
        try:
            names = {
                category["id"]: str(category["name"]) for category in document.get("categories", [])
            }
            images = {
                image["id"]: (str(image["file_name"]), int(image["height"]), int(image["width"]))
                for image in document["images"]
            }
            annotations: dict[int | str, list[tuple[str, Any]]] = {number: [] for number in images}
            for annotation in document["annotations"]:
                if annotation["image_id"] not in images:
                    raise InputError(
                        f"The COCO file has an annotation of image {annotation['image_id']!r}, "
                        "which it doesn't list."
                    )
                label = names.get(annotation.get("category_id"), "object")
                annotations[annotation["image_id"]].append((label, annotation["segmentation"]))
        except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
            reason = f"{type(error).__name__}: {error}"
            raise InputError(
                f"This isn't a COCO instance file ({reason}): expected images and annotations."
            ) from error
        return CocoFile(images, annotations)

    def annotated(self, image_id: int | str) -> list[Annotation]:
        """The image's objects, decoded.

        Raises InputError for a segmentation that isn't one of that image's size.
        """
        _, height, width = self.images[image_id]
        return [
            Annotation(label, coco_runs(shape, height, width))
            for label, shape in self.annotations[image_id]
        ]


def coco_runs(segmentation: Any, height: int, width: int) -> RunLengths:
    """Any of COCO's three forms (polygons, run lengths as numbers or as text) as run lengths of a
    height x width mask.

    Raises InputError for anything else and for run lengths of another size.
    """
    try:
        if isinstance(segmentation, list):
            polygons = [[float(value) for value in polygon] for polygon in segmentation]
            if not polygons or any(len(polygon) < 6 or len(polygon) % 2 for polygon in polygons):
                raise InputError(
                    "A COCO polygon has fewer than three points or half a point: expected x1, y1, "
                    "x2, y2, …"
                )
            if not all(-1e6 < value < 1e6 for polygon in polygons for value in polygon):
                raise InputError(
                    "A COCO polygon has a coordinate beyond a million pixels or one that is no "
                    "number."
                )
            found = coco_mask.merge(coco_mask.frPyObjects(polygons, height, width))
            return RunLengths(height, width, found["counts"])
        if [int(side) for side in segmentation["size"]] != [height, width]:
            raise InputError(
                f"COCO run lengths of size {segmentation['size']} on an image of "
                f"{[height, width]}: expected one size."
            )
        counts = segmentation["counts"]
        if isinstance(counts, list):
            numbers = [int(count) for count in counts]
            if min(numbers, default=-1) < 0 or sum(numbers) != height * width:
                raise InputError(f"COCO run lengths don't fill a {width}x{height} mask.")
            counts = coco_mask.frPyObjects(
                {"size": [height, width], "counts": numbers}, height, width
            )["counts"]
        runs = RunLengths(
            height, width, counts.encode("ascii") if isinstance(counts, str) else bytes(counts)
        )
        runs.decode()
    except (KeyError, TypeError, ValueError, IndexError, OverflowError, AttributeError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise InputError(
            f"A COCO segmentation can't be read ({reason}): expected polygons or run lengths."
        ) from error
    return runs
