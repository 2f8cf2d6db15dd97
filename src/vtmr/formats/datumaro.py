"""Datumaro's own JSON, version 1.0: masks as COCO's run lengths out and in; polygons, boxes and
ellipses in.

Source: datumaro 1.13 (`plugins/data_formats/datumaro`). The library itself can't be installed
beside OpenCV 5; it reads what is written here, which `make proof` shows.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Any

from vtmr.errors import InputError
from vtmr.formats.cocoshapes import coco_runs
from vtmr.formats.details import plain_attributes
from vtmr.formats.foreign import (
    Foreign,
    ForeignImage,
    Shape,
    ellipse_runs,
    image_of,
    number,
    polygon_shape,
    rectangle,
    size_of,
)
from vtmr.formats.jsonfiles import json_text, read_each_json
from vtmr.formats.jsonscan import array_items
from vtmr.formats.records import (
    AnnotatedImage,
    Annotation,
    Files,
    Link,
    Summary,
    labels_of,
    stems,
)
from vtmr.formats.sources import Source

DATUMARO_FILE = "annotations/default.json"
_FILLED = MappingProxyType({"bbox": "boxes", "ellipse": "ellipses"})
_CROWD = "is_crowd"  # as datumaro calls COCO's iscrowd


def write_datumaro(images: Sequence[AnnotatedImage], labels: Sequence[str]) -> Files:
    """annotations/default.json; the photos belong into images/default."""
    names, files = labels_of(images, labels), Files()
    numbers = {name: index for index, name in enumerate(names)}
    document = {
        "dm_format_version": "1.0",
        # Images, in datumaro's own numbers.
        "media_type": 2,
        "infos": {},
        "categories": {
            "label": {
                "labels": [{"name": name, "parent": "", "attributes": []} for name in names],
                "label_groups": [],
                "attributes": [_CROWD],
            }
        },
        "items": [
            _item(image, stem, numbers)
            for image, stem in zip(images, stems(images, files), strict=True)
        ],
    }
    text = json.dumps(document, ensure_ascii=False)
    files.content[DATUMARO_FILE] = text.encode("utf-8", "backslashreplace")
    for image in images:
        files.links.append(Link(f"images/default/{image.name}", image.name, DATUMARO_FILE))
    return files


def _item(image: AnnotatedImage, stem: str, numbers: Mapping[str, int]) -> dict[str, Any]:
    return {
        "id": stem,
        "annotations": [
            _annotation(one, order, numbers[one.label]) for order, one in enumerate(image.objects)
        ],
        "image": {"path": image.name, "size": [image.height, image.width]},
    }


def _annotation(annotation: Annotation, order: int, label: int) -> dict[str, Any]:
    runs = annotation.runs
    return {
        "id": order,
        "type": "mask",
        "attributes": {**dict(annotation.attributes), _CROWD: annotation.crowd},
        # A group is one instance to datumaro, and 0 is no group: each object is one by itself.
        "group": order + 1,
        "label_id": label,
        "rle": {"counts": runs.counts.decode("ascii"), "size": [runs.height, runs.width]},
        "z_order": order,
    }


def read_datumaro(source: Source) -> Foreign:
    """Every JSON file's items. Raises InputError when the only file is none of Datumaro's."""
    # An item's id is its image's path without the suffix.
    found = Foreign(any_suffix=True)
    read_each_json(source, found.said, partial(_read_file, found))
    return found


def _read_file(found: Foreign, name: str, content: bytes) -> None:
    text = json_text(content, name)
    others: dict[str, Any] = {}
    try:
        items = [item for item, _ in array_items(text, "items", others)]
        labels = [str(one["name"]) for one in others["categories"]["label"]["labels"]]
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise InputError(
            f"{name} isn't Datumaro's JSON ({error}): expected items, and categories with labels."
        ) from error
    filled: Counter[str] = Counter()
    for item in items:
        image = _image(item, labels, found.said, filled)
        if image is not None:
            found.images.append(image)
    for kind, count in filled.items():
        found.said.add("kinds", f"{name}: {count:,} {kind} came as filled shapes.")


def _image(
    item: Any, labels: Sequence[str], said: Summary, filled: Counter[str]
) -> ForeignImage | None:
    """None, and said, for what is no image."""
    media = item.get("image") if isinstance(item, dict) else None
    item_id = item.get("id") if isinstance(item, dict) else None
    path = media.get("path") if isinstance(media, dict) else None
    names = [one for one in (path, item_id) if isinstance(one, str) and one.strip()]
    if not names or not isinstance(item, dict):
        said.add("items", f"The item {repr(item)[:60]} is no image.")
        return None
    shapes: list[tuple[float, Shape]] = []
    annotations = item.get("annotations")
    for count, record in enumerate(annotations if isinstance(annotations, list) else [], start=1):
        try:
            shape, order = _shape(f"annotation {count}", record, labels)
        except InputError as error:
            said.add("objects", f"{names[0]}: annotation {count} was left out. {error}")
            continue
        shapes.append((order, shape))
        if record["type"] in _FILLED:
            filled[_FILLED[record["type"]]] += 1
    shapes.sort(key=lambda pair: pair[0])
    stored = media.get("size") if isinstance(media, dict) else None
    size = size_of(*stored) if isinstance(stored, list) and len(stored) == 2 else None
    return image_of(names, size, [shape for _, shape in shapes])


def _shape(where: str, record: Any, labels: Sequence[str]) -> tuple[Shape, float]:
    """An annotation's shape and its place in the pile."""
    kind = record.get("type") if isinstance(record, dict) else None
    if not isinstance(kind, str) or kind not in _READERS:
        raise InputError(f"A {str(kind)[:40]} has no area: expected one of {', '.join(_READERS)}.")
    label_id = record.get("label_id")
    known = isinstance(label_id, int) and 0 <= label_id < len(labels)
    label = labels[label_id] if known else ""
    shape = _READERS[kind](where, label, record)
    attributes = [pair for pair in plain_attributes(record.get("attributes")) if pair[0] != _CROWD]
    return replace(shape, attributes=tuple(attributes)), number(record.get("z_order") or 0)


def _mask(where: str, label: str, record: Mapping[str, Any]) -> Shape:
    runs = record.get("rle")
    attributes = record.get("attributes")
    crowd = isinstance(attributes, dict) and attributes.get(_CROWD) is True
    if not isinstance(runs, dict):
        raise InputError("It has no run lengths.")
    return Shape(where, label, lambda height, width: coco_runs(runs, height, width), crowd=crowd)


def _numbers(record: Mapping[str, Any], key: str, count: int = 0) -> list[float]:
    values = record.get(key)
    if not isinstance(values, list) or (count and len(values) != count):
        raise InputError(f"Its {key} are {repr(values)[:40]}: expected numbers.")
    return [number(value) for value in values]


def _polygon(where: str, label: str, record: Mapping[str, Any]) -> Shape:
    return polygon_shape(where, label, [_numbers(record, "points")])


def _bbox(where: str, label: str, record: Mapping[str, Any]) -> Shape:
    x, y, across, down = _numbers(record, "bbox", 4)
    return polygon_shape(where, label, [rectangle(x, y, x + across, y + down)])


def _ellipse(where: str, label: str, record: Mapping[str, Any]) -> Shape:
    x0, y0, x1, y1 = _numbers(record, "points", 4)
    centre, radii = ((x0 + x1) / 2, (y0 + y1) / 2), (abs(x1 - x0) / 2, abs(y1 - y0) / 2)
    return Shape(
        where, label, lambda height, width: ellipse_runs(centre, radii, 0.0, height, width)
    )


_READERS: Mapping[str, Callable[[str, str, Mapping[str, Any]], Shape]] = MappingProxyType(
    {"mask": _mask, "polygon": _polygon, "bbox": _bbox, "ellipse": _ellipse}
)
