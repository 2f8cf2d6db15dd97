"""Pascal VOC's segmentation: indexed PNGs of classes and of objects, with VOC's palette and a label
list as CVAT and Datumaro write and read it (labelmap.txt).

Source: the VOC2012 development kit (`VOClabelcolormap`); datumaro's `data_formats/voc`.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray
from PIL import Image as pillow

from vtmr.errors import InputError
from vtmr.formats.foreign import Decoded, Foreign, ForeignImage, Size
from vtmr.formats.records import (
    AnnotatedImage,
    Annotation,
    Files,
    Link,
    Summary,
    in_utf8,
    labels_of,
    plain_label,
    stems,
)
from vtmr.formats.sources import Source
from vtmr.maskfiles import StoredValues, read_stored
from vtmr.masks import RunLengths

CLASSES, OBJECTS = "SegmentationClass", "SegmentationObject"
LABEL_MAP = "labelmap.txt"
VOID = 255
_VOID_COLOUR = (224, 224, 192)
_MOST = VOID - 1  # classes of a set, objects of an image
_LIST = "ImageSets/Segmentation/trainval.txt"
_BACKGROUND = "background"
# VOC's own, whose order is that of their indices.
VOC_LABELS = (
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa"),
    *("train", "tvmonitor"),
)

Colour = tuple[int, int, int]


def voc_palette() -> NDArray[np.uint8]:
    """VOC's 256 colours, 256 x 3: the bits of an index, spread over red, green and blue."""
    indices = np.arange(256)
    colours = np.zeros((256, 3), np.uint8)
    for level in range(8):
        for channel in range(3):
            bit = (indices >> (3 * level + channel)) & 1
            colours[:, channel] |= (bit << (7 - level)).astype(np.uint8)
    return colours


def write_voc(images: Sequence[AnnotatedImage], labels: Sequence[str]) -> Files:
    """SegmentationClass/NAME.png, SegmentationObject/NAME.png, labelmap.txt and the list of images;
    the upper object hides the lower."""
    names, files = labels_of(images, labels), Files()
    numbers = {name: number for number, name in enumerate(names, start=1)}
    listed: list[str] = []
    for image, stem in zip(images, stems(images, files, ".jpeg"), strict=True):
        reason = _beyond(image, numbers)
        if reason:
            files.missing.append(f"{image.name} isn't in the export: {reason}. Take coco or png.")
            continue
        classes, objects = _painted(image, numbers, files)
        files.content[f"{CLASSES}/{stem}.png"] = _png(classes)
        files.content[f"{OBJECTS}/{stem}.png"] = _png(objects)
        suffix = PurePosixPath(image.name).suffix
        link = f"JPEGImages/{stem}{suffix}"
        files.links.append(Link(link, image.name, f"{CLASSES}/{stem}.png"))
        listed.append(in_utf8(stem))
    files.content[LABEL_MAP] = _label_map(names, files)
    files.content[_LIST] = "".join(f"{name}\n" for name in listed).encode()
    return files


def _beyond(image: AnnotatedImage, numbers: Mapping[str, int]) -> str | None:
    """Why the image's objects don't fit into bytes, if they don't."""
    if len(image.objects) > _MOST:
        return f"it has {len(image.objects)} objects, VOC's PNG holds {_MOST}"
    highest = max((numbers[one.label] for one in image.objects), default=0)
    if highest > _MOST:
        return f"one of its labels is number {highest}, VOC's PNG holds {_MOST}"
    return None


def _painted(
    image: AnnotatedImage, numbers: Mapping[str, int], files: Files
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The class and the object of every pixel; what is hidden is a loss."""
    classes = np.zeros((image.height, image.width), np.uint8)
    objects = np.zeros_like(classes)
    hidden = 0
    for number, annotation in enumerate(image.objects, start=1):
        mask = annotation.runs.decode()
        hidden += int(np.count_nonzero(objects[mask]))
        classes[mask] = numbers[annotation.label]
        objects[mask] = number
    files.lose_overlaps(image.name, hidden)
    return classes, objects


def _png(indices: NDArray[np.uint8]) -> bytes:
    image = pillow.fromarray(indices)
    image.putpalette(voc_palette().reshape(-1).tolist())
    stream = io.BytesIO()
    image.save(stream, "PNG", compress_level=3)
    return stream.getvalue()


def _label_map(names: Sequence[str], files: Files) -> bytes:
    """A line each: label, colour, and two empty fields. A label that can't stand there or stands
    there already is called otherwise (with a warning)."""
    palette = voc_palette()
    lines = ["# label:color_rgb:parts:actions"]
    taken: set[str] = set()
    for number, name in enumerate([_BACKGROUND, *names][: _MOST + 1]):
        red, green, blue = palette[number].tolist()
        # A colon would end the label, and a line that begins with # is none.
        plain = in_utf8(name).replace(":", " ").lstrip("# ") or "label"
        label = plain if plain not in taken else f"{plain} {number}"
        while label in taken:
            label += "_"
        taken.add(label)
        if label != name:
            files.warnings.append(f"The label {name!r} is called {label!r} in {LABEL_MAP}.")
        lines.append(f"{label}:{red},{green},{blue}::")
    return ("\n".join(lines) + "\n").encode()


def read_voc(source: Source) -> Foreign:
    """The images that have a PNG in SegmentationObject or SegmentationClass."""
    found = Foreign(any_suffix=True)
    labels = _read_labels(source, found.said)
    files: dict[str, dict[str, str]] = {}
    for name in source.ending(".png"):
        parts = PurePosixPath(name).parts
        for kind in (OBJECTS, CLASSES):
            if kind in parts[:-1]:
                below = "/".join(parts[parts.index(kind) + 1 :])
                files.setdefault(below, {})[kind] = name
    for below, of_kind in files.items():
        decode = partial(_decoded, source, below, of_kind, labels)
        found.images.append(ForeignImage((below,), None, 1, decode))
    alone = sum(OBJECTS not in of_kind for of_kind in files.values())
    if alone:
        found.said.add(
            "kinds",
            f"{alone:,} images have no {OBJECTS}: all that is of one class came as one object.",
        )
    return found


class _Labels:
    """Names of classes by colour and by index."""

    def __init__(self, lines: Sequence[tuple[str, Colour | None]]) -> None:
        self._by_index = [name for name, _ in lines]
        coloured = [(colour, name) for name, colour in lines if colour is not None]
        self._by_colour = dict(coloured)

    def of(self, value: int, colour: Colour | None) -> str:
        if colour is not None and colour in self._by_colour:
            return self._by_colour[colour]
        if value < len(self._by_index):
            return self._by_index[value]
        return f"class {value}"


def _read_labels(source: Source, said: Summary) -> _Labels:
    """Of the label map, else VOC's own."""
    files = [name for name in source.names if PurePosixPath(name).name == LABEL_MAP]
    for name in files[:1]:
        try:
            text = source.read(name).decode("utf-8", "replace")
            return _Labels(_lines_of(text))
        except InputError as error:
            said.add("files", f"{name} was left out. {error}")
    palette = voc_palette().tolist()
    names = (_BACKGROUND, *VOC_LABELS)
    said.add("files", f"There is no {LABEL_MAP}: the labels are taken as VOC's own.")
    return _Labels([(name, tuple(palette[index])) for index, name in enumerate(names)])


def _lines_of(text: str) -> list[tuple[str, Colour | None]]:
    """The labels with their colours; a label without one has VOC's for its place in the list."""
    palette = voc_palette().tolist()
    lines: list[tuple[str, Colour | None]] = []
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        name, _, rest = line.partition(":")
        numbers = [part.strip() for part in rest.partition(":")[0].split(",")]
        known = len(numbers) == 3 and all(one.isascii() and one.isdigit() for one in numbers)
        colour: Colour | None = None
        if known:
            # Four digits are beyond any colour already, and int() refuses numbers of thousands.
            red, green, blue = (int(one[:4]) for one in numbers)
            colour = red, green, blue
        elif len(lines) < len(palette):
            colour = tuple(palette[len(lines)])
        lines.append((name.strip(), colour))
    return lines


def _decoded(
    source: Source, below: str, of_kind: Mapping[str, str], labels: _Labels, size: Size
) -> Decoded:
    """An image's objects. Raises InputError for a PNG that can't be read or has another size."""
    stored = {kind: read_stored(name, source.read(name), size) for kind, name in of_kind.items()}
    said = Summary()
    classes = stored.get(CLASSES)
    objects = stored.get(OBJECTS, classes)
    if objects is None:
        raise InputError("There is neither classes nor objects.")
    found: list[Annotation] = []
    for value in _present(objects):
        mask = objects.values == value
        label = "" if classes is None else _label_under(mask, classes, labels)
        if label == _BACKGROUND:
            said.add("objects", f"{below}: object {value} was left out: its class is background.")
            continue
        found.append(Annotation(plain_label(label), RunLengths.encode(mask)))
    return found, said


def _present(stored: StoredValues) -> list[int]:
    """The values that are objects: neither background nor void."""
    values = np.unique(stored.values).tolist()
    if stored.colours is None:
        return [value for value in values if value not in (0, VOID)]
    void = {(0, 0, 0), _VOID_COLOUR}
    kept = [value for value in values if stored.colour(value) not in void]
    if stored.indexed:
        return [value for value in kept if value not in (0, VOID)]
    # Colours are numbered by their shades: in VOC's order again.
    places = {tuple(colour): index for index, colour in enumerate(voc_palette().tolist())}
    return sorted(kept, key=lambda value: places.get(stored.colour(value) or (), VOID))


def _label_under(mask: NDArray[np.bool_], classes: StoredValues, labels: _Labels) -> str:
    """The class that most of an object's pixels have."""
    values, counts = np.unique(classes.values[mask], return_counts=True)
    value = int(values[counts.argmax()])
    return labels.of(value, classes.colour(value))
