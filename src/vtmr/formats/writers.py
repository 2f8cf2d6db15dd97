"""The formats by the names that users give them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from vtmr.errors import InputError
from vtmr.formats.coco import write_coco
from vtmr.formats.labelme import write_labelme
from vtmr.formats.png import write_indexed_pngs, write_pngs
from vtmr.formats.records import AnnotatedImage, Files
from vtmr.formats.yolo import write_yolo

FORMATS: Mapping[str, Callable[[Sequence[AnnotatedImage], Sequence[str]], Files]] = (
    MappingProxyType(
        {
            "coco": write_coco,
            "png": write_pngs,
            "indexed-png": write_indexed_pngs,
            "yolo": write_yolo,
            "labelme": write_labelme,
        }
    )
)


def write(form: str, images: Sequence[AnnotatedImage], labels: Sequence[str]) -> Files:
    """The images in that format. labels: the first ones, in order.

    Raises InputError for an unknown format.
    """
    if form not in FORMATS:
        raise InputError(f"The format {form!r} is unknown: expected one of {', '.join(FORMATS)}.")
    return FORMATS[form](images, labels)
