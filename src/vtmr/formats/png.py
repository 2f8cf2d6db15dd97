"""Masks as PNG: one of 0 and 255 per object, or one with a palette for all; and a mask beside an
image, read back."""

from __future__ import annotations

import colorsys
import io
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image as pillow
from PIL import PngImagePlugin

from vtmr.formats.records import AnnotatedImage, Annotation, Files, safe_part, stems
from vtmr.images.metadata import LABELS
from vtmr.maskfiles import MaskFile, read_mask_file
from vtmr.masks import Mask, RunLengths

MASK_ENDING = ".mask.png"
_GOLDEN_RATIO = 0.618034


def write_pngs(images: Sequence[AnnotatedImage], labels: Sequence[str]) -> Files:
    """NAME/001-label.png for every object, numbered from the lowest."""
    files = Files()
    for image, stem in zip(images, stems(images, files), strict=True):
        for number, annotation in enumerate(image.objects, start=1):
            name = f"{stem}/{number:03d}-{safe_part(annotation.label)}.png"
            files.content[name] = png_bytes(annotation.runs.decode())
    return files


def write_indexed_pngs(images: Sequence[AnnotatedImage], labels: Sequence[str]) -> Files:
    """NAME.mask.png with a palette for every image: index n is object n, the upper object hides the
    lower.

    An image of more than 255 objects is missing.
    """
    files = Files()
    for image, stem in zip(images, stems(images, files, MASK_ENDING), strict=True):
        if len(image.objects) > 255:
            files.missing.append(
                f"{image.name} isn't in the export: it has {len(image.objects)} objects, an "
                "indexed PNG holds 255. Take png or coco."
            )
            continue
        indices = np.zeros((image.height, image.width), np.uint8)
        hidden = 0
        for number, annotation in enumerate(image.objects, start=1):
            mask = annotation.runs.decode()
            hidden += int(np.count_nonzero(indices[mask]))
            indices[mask] = number
        files.lose_overlaps(image.name, hidden)
        files.content[stem + MASK_ENDING] = _indexed_bytes(
            indices, [annotation.label for annotation in image.objects]
        )
    return files


def read_masks(
    path: str | Path, shape: tuple[int, int], labels: Sequence[str]
) -> tuple[list[Annotation], tuple[str, ...]]:
    """The objects in a mask file of the image's `shape` (height, width), lowest value first, and
    what was taken how where another reading was possible.

    Value n takes the label stored in the file, else `labels[n - 1]`, else "object". Raises
    InputError as `read_mask_file`.
    """
    file = read_mask_file(path, shape)
    return masks_of(file, labels), file.notes


def masks_of(file: MaskFile, labels: Sequence[str]) -> list[Annotation]:
    """The objects of a mask file, as `read_masks`."""
    names = _stored_labels(file) or list(labels)
    return [_annotation(file.mask(value), value, names) for value in file.objects]


def png_bytes(mask: Mask) -> bytes:
    """A PNG of 0 and 255."""
    stream = io.BytesIO()
    pillow.fromarray(mask.astype(np.uint8) * 255).save(stream, "PNG", compress_level=3)
    return stream.getvalue()


def _annotation(mask: Mask, value: int, names: Sequence[str]) -> Annotation:
    return Annotation(
        names[value - 1] if value <= len(names) else "object", RunLengths.encode(mask)
    )


def _stored_labels(file: MaskFile) -> list[str]:
    """The labels that `write_indexed_pngs` put into the file; none in anybody else's."""
    try:
        found = json.loads(file.names or "[]")
    except (ValueError, RecursionError):
        return []
    return [str(name) for name in found] if isinstance(found, list) else []


def _indexed_bytes(indices: NDArray[np.uint8], labels: Sequence[str]) -> bytes:
    image = pillow.fromarray(indices)
    image.putpalette(_palette())  # makes it a palette image
    text = PngImagePlugin.PngInfo()
    text.add_itxt(LABELS, json.dumps(list(labels)))
    stream = io.BytesIO()
    image.save(stream, "PNG", pnginfo=text, compress_level=3)
    return stream.getvalue()


def _palette() -> list[int]:
    """Black, then 255 colours whose hues lie far apart from one to the next."""
    colours = [(0.0, 0.0, 0.0)]
    for number in range(255):
        colours.append(
            colorsys.hsv_to_rgb(number * _GOLDEN_RATIO % 1, 0.65 if number % 2 else 0.9, 0.95)
        )
    return [round(channel * 255) for colour in colours for channel in colour]
