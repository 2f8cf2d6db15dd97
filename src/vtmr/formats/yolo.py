"""YOLO's segmentation text: a polygon per line, normalised.

It has no holes and no objects of several parts.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from vtmr.formats.records import AnnotatedImage, Files, labels_of, stems
from vtmr.masks import Mask, bounding_box


def write_yolo(images: Sequence[AnnotatedImage], labels: Sequence[str]) -> Files:
    """labels/NAME.txt and data.yaml; a hole is filled and a part becomes an object of its own, each
    with a warning."""
    names, files = labels_of(images, labels), Files()
    for image, stem in zip(images, stems(images, files), strict=True):
        lines = []
        for annotation in image.objects:
            polygons, holes = outlines(annotation.runs.decode())
            what = f"{image.name}: an object {annotation.label!r}"
            if holes:
                files.warnings.append(
                    f"{what} has {holes} hole{'s' * (holes > 1)}, which YOLO fills."
                )
            if len(polygons) > 1:
                files.warnings.append(
                    f"{what} has {len(polygons)} parts, which YOLO takes for as many objects."
                )
            for polygon in polygons:
                numbers = " ".join(
                    f"{value:.6f}" for value in (polygon / (image.width, image.height)).reshape(-1)
                )
                lines.append(f"{names.index(annotation.label)} {numbers}\n")
        files.content[f"labels/{stem}.txt"] = "".join(lines).encode()
    yaml = ["path: .\ntrain: images\nval: images\nnames:\n"]
    yaml += [
        f"  {number}: {json.dumps(name)}\n" for number, name in enumerate(names)
    ]  # JSON's strings are YAML's
    files.content["data.yaml"] = "".join(yaml).encode()
    return files


def outlines(mask: Mask) -> tuple[list[NDArray[np.float64]], int]:
    """The outer outlines of the mask's parts, each N x 2 image points (x, y), and the number of
    holes in them.

    An outline runs a quarter of a pixel inside the part's border: the centres of the part's pixels
    lie inside it, all others outside.
    """
    box = bounding_box(mask)
    if box is None:
        return [], 0
    # At twice the size the border's pixels have their centres at quarters of a pixel.
    doubled = mask[box.slices].astype(np.uint8).repeat(2, axis=0).repeat(2, axis=1)
    contours, hierarchy = cv2.findContours(doubled, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    outer = [contour for contour, links in zip(contours, hierarchy[0], strict=True) if links[3] < 0]
    polygons = [(contour.reshape(-1, 2) + 0.5) / 2 + (box.x0, box.y0) for contour in outer]
    return polygons, len(contours) - len(outer)
