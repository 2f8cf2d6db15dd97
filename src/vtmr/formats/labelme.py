"""LabelMe's JSON with shapes of type "mask": a PNG of the bounding box, so that holes and parts are
kept."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

from vtmr.formats.png import png_bytes
from vtmr.formats.records import AnnotatedImage, Annotation, Files, stems
from vtmr.masks import bounding_box

_VERSION = "5.5.0"  # the first with these fields


def write_labelme(images: Sequence[AnnotatedImage], labels: Sequence[str]) -> Files:
    """NAME.json for every image, to lie beside it."""
    files = Files()
    for image, stem in zip(images, stems(images, files, ".json"), strict=True):
        document: dict[str, Any] = {
            "version": _VERSION,
            "flags": {},
            "shapes": [shape for annotation in image.objects if (shape := _shape(annotation))],
            "imagePath": PurePosixPath(image.name).name,
            "imageData": None,
            "imageHeight": image.height,
            "imageWidth": image.width,
        }
        text = json.dumps(document, ensure_ascii=False, indent=1)
        # A name that isn't UTF-8 holds lone surrogates, which become JSON's escapes.
        files.content[f"{stem}.json"] = text.encode("utf-8", "backslashreplace")
    return files


def _shape(annotation: Annotation) -> dict[str, Any] | None:
    """None for an empty mask. LabelMe's box is of pixel indices and includes the last one."""
    mask = annotation.runs.decode()
    box = bounding_box(mask)
    if box is None:
        return None
    shape: dict[str, Any] = {
        "label": annotation.label,
        "points": [[float(box.x0), float(box.y0)], [float(box.x1 - 1), float(box.y1 - 1)]],
        "group_id": None,
        "description": annotation.note,
        "shape_type": "mask",
        "flags": {},
        "mask": base64.b64encode(png_bytes(mask[box.slices])).decode("ascii"),
    }
    if annotation.attributes:
        shape["attributes"] = dict(annotation.attributes)  # as X-AnyLabeling; LabelMe keeps them
    return shape
