"""COCO's instance JSON out: masks as compressed run lengths or as polygons."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from pycocotools import mask as coco_mask

from vtmr.formats.outlines import edge_rings
from vtmr.formats.records import AnnotatedImage, Annotation, Files, labels_of


def write_coco(images: Sequence[AnnotatedImage], labels: Sequence[str]) -> Files:
    """annotations.json; categories are numbered from 1 in the order of `labels`."""
    return _written(images, labels, polygons=False)


def write_coco_polygons(images: Sequence[AnnotatedImage], labels: Sequence[str]) -> Files:
    """annotations.json with polygons, for programs that read no run lengths.

    A polygon runs along the pixels' edges, and into holes and out again: pycocotools makes of it
    the mask that it was made of.
    """
    return _written(images, labels, polygons=True)


def _written(images: Sequence[AnnotatedImage], labels: Sequence[str], *, polygons: bool) -> Files:
    names = labels_of(images, labels)
    numbers = {name: number for number, name in enumerate(names, start=1)}
    annotations: list[dict[str, Any]] = []
    for image_id, image in enumerate(images, start=1):
        for annotation in image.objects:
            record = {
                # From 1: COCOeval notes matches by their ids, and takes 0 for no match.
                "id": len(annotations) + 1,
                "image_id": image_id,
                "category_id": numbers[annotation.label],
            }
            record |= _shape(annotation, polygons=polygons)
            annotations.append(record | _details(annotation))
    document = {
        "info": {"description": "Made with vtmr"},
        "images": [
            {"id": number, "file_name": image.name, "width": image.width, "height": image.height}
            for number, image in enumerate(images, start=1)
        ],
        "annotations": annotations,
        "categories": [{"id": number, "name": name} for name, number in numbers.items()],
    }
    # A name that isn't UTF-8 holds lone surrogates: as JSON's escapes they come back as they are.
    text = json.dumps(document, ensure_ascii=False)
    return Files({"annotations.json": text.encode("utf-8", "backslashreplace")})


def _details(annotation: Annotation) -> dict[str, Any]:
    """Where CVAT and others have attributes, and a field of our own for the note."""
    details: dict[str, Any] = {}
    if annotation.attributes:
        details["attributes"] = dict(annotation.attributes)
    if annotation.note:
        details["note"] = annotation.note
    return details


def _shape(annotation: Annotation, *, polygons: bool) -> dict[str, Any]:
    """What COCO says of an object's pixels."""
    size = [annotation.runs.height, annotation.runs.width]
    runs = {"size": size, "counts": annotation.runs.counts}
    segmentation: Any = {"size": size, "counts": annotation.runs.counts.decode("ascii")}
    if polygons:
        rings = edge_rings(annotation.runs.decode())
        segmentation = [ring.reshape(-1).tolist() for ring in rings]
    return {
        "segmentation": segmentation,
        "area": int(coco_mask.area(runs)),
        "bbox": [float(value) for value in coco_mask.toBbox(runs)],
        "iscrowd": int(annotation.crowd),
    }
