"""YOLO's text files in: polygons, and boxes as filled rectangles, with the names of data.yaml.

Source: docs.ultralytics.com, "Instance Segmentation Datasets Overview": a line is a class's number
and x1 y1 x2 y2 … as shares of the image's sides. Five numbers are a box (middle and sides); one
number more than either is a confidence, as `save_conf` writes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from vtmr.errors import InputError
from vtmr.formats.foreign import (
    Decoded,
    Foreign,
    ForeignImage,
    Shape,
    Size,
    decoded,
    polygon_shape,
    rectangle,
)
from vtmr.formats.records import Summary
from vtmr.formats.sources import Source

_NAME_FILES = ("classes.txt", "obj.names", "names.txt", "labels.txt")
_NO_LABELS = frozenset((*_NAME_FILES, "train.txt", "val.txt", "test.txt", "requirements.txt"))
_MOST_YAML = 1 << 20  # bytes
_SLACK = 0.01  # that a share may lie outside 0 to 1, as rounding makes it
_BOX, _FEWEST = 5, 7  # numbers of a box's line, and of a polygon's at least


def read_yolo(source: Source) -> Foreign:
    """The images that the label files are of: for labels/a.txt those called images/a."""
    found = Foreign(any_suffix=True)
    names = _class_names(source, found.said)
    files = [name for name in source.ending(".txt") if _is_label_file(name)]
    in_labels = [name for name in files if "labels" in PurePosixPath(name).parts[:-1]]
    boxes = 0
    for name in in_labels or files:
        try:
            lines = _lines_of(source.read(name), name, found.said)
        except InputError as error:
            found.said.add("files", f"{name} was left out. {error}")
            continue
        boxes += sum(len(line) <= _BOX + 1 for line in lines)
        images = _image_names(name)
        decode = partial(_decoded, images[-1], tuple(lines), names)
        found.images.append(ForeignImage(images, None, len(lines), decode))
    if boxes:
        found.said.add("kinds", f"{boxes:,} boxes came as filled rectangles.")
    return found


def is_label_text(start: bytes) -> bool:
    """Whether a file begins as a label file does: a whole number, then shares."""
    lines = start.decode("ascii", "replace").splitlines()
    first = next((line for line in lines if line.strip()), "")
    parts = first.split()
    return len(parts) >= _BOX and parts[0].isdigit() and all(map(_is_number, parts[1:4]))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _is_label_file(name: str) -> bool:
    return PurePosixPath(name).name.lower() not in _NO_LABELS


def _image_names(name: str) -> tuple[str, ...]:
    """The image's path: of the folders called `labels` the last becomes `images`; and what is below
    that folder.

    The suffix stays .txt, so that a dot in the name isn't taken for one.
    """
    above, labels, below = f"/{name}".rpartition("/labels/")
    if not labels:
        return (name,)
    return f"{above}/images/{below}".removeprefix("/"), below


def _lines_of(data: bytes, name: str, said: Summary) -> list[tuple[float, ...]]:
    """The numbers of every line. Raises InputError where none of several can be read."""
    found: list[tuple[float, ...]] = []
    bad: list[str] = []
    for count, line in enumerate(data.decode("utf-8-sig", "replace").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            found.append(_numbers(line))
        except InputError as error:
            bad.append(f"{name}: line {count} was left out. {error}")
    if bad and not found:
        raise InputError(f"It holds no line of YOLO's. {bad[0]}")
    for sentence in bad:
        said.add("lines", sentence)
    return found


def _numbers(line: str) -> tuple[float, ...]:
    """A class and shares, without a confidence. Raises InputError."""
    try:
        values = tuple(float(part) for part in line.split())
    except ValueError as error:
        raise InputError(f"{line[:40]!r} holds something else than numbers.") from error
    count = len(values)
    if count not in (_BOX, _BOX + 1) and count < _FEWEST:
        raise InputError(f"It has {count} numbers: expected a class and at least three points.")
    if not (values[0].is_integer() and 0 <= values[0] < 1e6):
        raise InputError(f"The class is {values[0]:g}: expected a whole number from 0.")
    shares = np.array(values[1:])
    if not ((shares >= -_SLACK) & (shares <= 1 + _SLACK)).all():
        raise InputError("A coordinate isn't between 0 and 1: expected shares of the image's side.")
    # A class and pairs are odd in number: one more is a prediction's confidence, at the end.
    return values if count % 2 else values[:-1]


def _decoded(
    image: str, lines: Sequence[tuple[float, ...]], names: Sequence[str], size: Size
) -> Decoded:
    height, width = size
    shapes: list[Shape] = []
    for count, line in enumerate(lines, start=1):
        number = int(line[0])
        label = names[number] if number < len(names) else f"class {number}"
        pixels = np.array(line[1:]).reshape(-1, 2) * (width, height)
        points = pixels.reshape(-1).tolist()
        if len(line) == _BOX:
            x, y, across, down = points
            half_x, half_y = across / 2, down / 2
            points = rectangle(x - half_x, y - half_y, x + half_x, y + half_y)
        shapes.append(polygon_shape(f"object {count}", label, [points]))
    return decoded(str(PurePosixPath(image).with_suffix("")), shapes, size)


def _class_names(source: Source, said: Summary) -> list[str]:
    """The labels by number: of a YAML file with names, else of a list, a line each."""
    for path in source.ending(".yaml", ".yml"):
        try:
            names = _yaml_names(source.read(path))
        except InputError as error:
            said.add("files", f"{path} was left out. {error}")
            continue
        if names:
            return names
    for path in source.names:
        if PurePosixPath(path).name.lower() in _NAME_FILES:
            lines = source.read(path).decode("utf-8-sig", "replace").splitlines()
            return [line.strip() for line in lines]
    said.add(
        "files", "There is no data.yaml or classes.txt: the labels are called after their numbers."
    )
    return []


def _yaml_names(data: bytes) -> list[str]:
    """`names`, a list or a table by number. Raises InputError for what isn't YAML."""
    import yaml

    if len(data) > _MOST_YAML:
        raise InputError("It is too large for a description of a data set.")
    try:
        # Text alone: a class called `no` or `1` stays what it is called.
        document: Any = yaml.load(data, Loader=yaml.BaseLoader)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"It isn't YAML: {' '.join(str(error).split())[:200]}.") from error
    names = document.get("names") if isinstance(document, dict) else None
    if isinstance(names, list):
        return [name if isinstance(name, str) else "" for name in names]
    if not isinstance(names, dict):
        return []
    numbered = {
        int(key): name
        for key, name in names.items()
        if isinstance(key, str) and isinstance(name, str) and key.isdigit() and len(key) < 7
    }
    return [numbered.get(n, f"class {n}") for n in range(max(numbered, default=-1) + 1)]
