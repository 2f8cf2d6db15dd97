"""The formats by the names that users give them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from vtmr.errors import InputError
from vtmr.formats.cocowriter import write_coco, write_coco_polygons
from vtmr.formats.details import lost_details
from vtmr.formats.labelme import write_labelme
from vtmr.formats.png import write_indexed_pngs, write_pngs
from vtmr.formats.records import AnnotatedImage, Files, leads_out
from vtmr.formats.yolo import write_yolo

FORMATS: Mapping[str, Callable[[Sequence[AnnotatedImage], Sequence[str]], Files]] = (
    MappingProxyType(
        {
            "coco": write_coco,
            "coco-polygons": write_coco_polygons,
            "png": write_pngs,
            "indexed-png": write_indexed_pngs,
            "yolo": write_yolo,
            "labelme": write_labelme,
        }
    )
)


def write(form: str, images: Sequence[AnnotatedImage], labels: Sequence[str]) -> Files:
    """The images in that format. An image whose name would lead out of the folder is missing.

    Args:
        form: A key of `FORMATS`.
        images: With their objects.
        labels: The first labels, in order; others that occur follow.

    Returns:
        Content by relative path, and a sentence for everything that the format couldn't keep.

    Raises:
        InputError: For an unknown format.
    """
    if form not in FORMATS:
        raise InputError(f"The format {form!r} is unknown: expected one of {', '.join(FORMATS)}.")
    inside = [image for image in images if not leads_out(image.name)]
    files = FORMATS[form](inside, labels)
    files.warnings += lost_details(form, inside)
    files.missing += [
        f"{image.name} isn't in the export: its name leads out of the folder."
        for image in images
        if leads_out(image.name)
    ]
    return files
