"""LabelMe's JSON: out with shapes of type "mask", a PNG of the bounding box, or as polygons; in
with every shape that has an area.

Source: labelme 6.3 (`labelme/_label_file.py`, `examples/instance_segmentation/labelme2coco.py`):
shapes of one label and one group_id are one object.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Any

import numpy as np

from vtmr.errors import InputError
from vtmr.formats.details import plain_attributes, plain_note
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
from vtmr.formats.jsonfiles import beside, decoded_json, read_each_json
from vtmr.formats.outlines import edge_rings
from vtmr.formats.png import png_bytes
from vtmr.formats.records import AnnotatedImage, Annotation, Files, Summary, stems
from vtmr.formats.sources import Source
from vtmr.geometry import Box
from vtmr.maskfiles import read_mask_bytes
from vtmr.masks import RunLengths, bounding_box

_VERSION = "5.5.0"  # the first with these fields


def write_labelme(images: Sequence[AnnotatedImage], labels: Sequence[str]) -> Files:
    """NAME.json for every image, to lie beside it, with masks."""
    return _written(images, lambda annotation, _: _mask_shapes(annotation))


def write_labelme_polygons(images: Sequence[AnnotatedImage], labels: Sequence[str]) -> Files:
    """NAME.json for every image, with a polygon for each part of an object, which runs into its
    holes and out again; the parts of one object share a group_id."""
    return _written(images, _polygon_shapes)


def _written(
    images: Sequence[AnnotatedImage],
    shapes_of: Callable[[Annotation, int], list[dict[str, Any]]],
) -> Files:
    files = Files()
    for image, stem in zip(images, stems(images, files, ".json"), strict=True):
        shapes: list[dict[str, Any]] = []
        for group, annotation in enumerate(image.objects, start=1):
            shapes += shapes_of(annotation, group)
        document: dict[str, Any] = {
            "version": _VERSION,
            "flags": {},
            "shapes": shapes,
            # LabelMe looks for it from where the JSON file lies, which is to be beside the photo.
            "imagePath": PurePosixPath(image.name).name,
            # Without the photo inside, LabelMe opens imagePath.
            "imageData": None,
            "imageHeight": image.height,
            "imageWidth": image.width,
        }
        text = json.dumps(document, ensure_ascii=False, indent=1)
        # A name that isn't UTF-8 holds lone surrogates, which become JSON's escapes.
        files.content[f"{stem}.json"] = text.encode("utf-8", "backslashreplace")
    return files


def _mask_shapes(annotation: Annotation) -> list[dict[str, Any]]:
    """None for an empty mask. LabelMe's box is of pixel indices and includes the last one."""
    mask = annotation.runs.decode()
    box = bounding_box(mask)
    if box is None:
        return []
    corners = [[float(box.x0), float(box.y0)], [float(box.x1 - 1), float(box.y1 - 1)]]
    picture = base64.b64encode(png_bytes(mask[box.slices])).decode("ascii")
    return [_shape(annotation, corners, None, "mask") | {"mask": picture}]


def _polygon_shapes(annotation: Annotation, group: int) -> list[dict[str, Any]]:
    rings = edge_rings(annotation.runs.decode())
    number_of_group = group if len(rings) > 1 else None
    return [_shape(annotation, ring.tolist(), number_of_group, "polygon") for ring in rings]


def _shape(annotation: Annotation, points: Any, group: int | None, kind: str) -> dict[str, Any]:
    shape = {
        "label": annotation.label,
        "points": points,
        "group_id": group,
        "description": annotation.note,
        "shape_type": kind,
        "flags": {},
    }
    if annotation.attributes:
        shape["attributes"] = dict(annotation.attributes)  # as X-AnyLabeling; LabelMe keeps them
    return shape


def read_labelme(source: Source) -> Foreign:
    """Every JSON file's image. Raises InputError when the only file is none of LabelMe's."""
    found = Foreign(any_suffix=True)

    def read(name: str, content: bytes) -> None:
        found.images.append(_image(name, decoded_json(content, name), found.said))

    read_each_json(source, found.said, read)
    return found


def _image(file: str, document: Any, said: Summary) -> ForeignImage:
    shapes = document.get("shapes") if isinstance(document, dict) else None
    if not isinstance(shapes, list):
        raise InputError("It isn't LabelMe's JSON: expected a list of shapes.")
    path = document.get("imagePath")
    own = str(PurePosixPath(file).with_suffix(".jpg"))  # whatever suffix it has
    names = [beside(file, path), own] if isinstance(path, str) and path.strip() else [own]
    objects = _grouped(names[0], shapes, said)
    size = size_of(document.get("imageHeight"), document.get("imageWidth"))
    return image_of(names, size, objects)


def _grouped(name: str, shapes: list[Any], said: Summary) -> list[Shape]:
    """The image's objects: shapes of one label and group together, in the order of the first."""
    groups: dict[tuple[str, Any], list[Shape]] = {}
    for count, record in enumerate(shapes, start=1):
        where = f"shape {count}"
        try:
            shape = _read_shape(where, record)
        except InputError as error:
            said.add("objects", f"{name}: {where} was left out. {error}")
            continue
        group = record.get("group_id")
        alone = not isinstance(group, int | str)
        key = (shape.label, ("alone", count) if alone else ("group", group))
        groups.setdefault(key, []).append(shape)
    return [_merged(members) for members in groups.values()]


def _merged(members: Sequence[Shape]) -> Shape:
    if len(members) == 1:
        return members[0]

    def make(height: int, width: int) -> RunLengths:
        mask = np.zeros((height, width), np.bool_)
        for member in members:
            mask |= member.make(height, width).decode()
        return RunLengths.encode(mask)

    where = f"the group of {members[0].where}"
    cost = sum(member.outline_px for member in members)
    return replace(members[0], where=where, make=make, outline_px=cost)


def _read_shape(where: str, record: Any) -> Shape:
    if not isinstance(record, dict):
        raise InputError("It is no object.")
    kind = record.get("shape_type", "polygon")
    if not isinstance(kind, str) or kind not in _READERS:
        raise InputError(f"A {str(kind)[:40]} has no area: expected one of {', '.join(_READERS)}.")
    label = record.get("label")
    points = record.get("points")
    if not isinstance(points, list):
        raise InputError("It has no points.")
    pairs = [_pair(point) for point in points]
    shape = _READERS[kind](where, label if isinstance(label, str) else "", pairs, record)
    attributes = plain_attributes(record.get("attributes"))
    return replace(shape, attributes=attributes, note=plain_note(record.get("description")))


def _pair(point: Any) -> tuple[float, float]:
    if not isinstance(point, list) or len(point) != 2:
        raise InputError(f"The point {repr(point)[:40]} isn't [x, y].")
    return number(point[0]), number(point[1])


Pairs = Sequence[tuple[float, float]]


def _polygon(where: str, label: str, points: Pairs, record: Mapping[str, Any]) -> Shape:
    return polygon_shape(where, label, [[value for point in points for value in point]])


def _two(points: Pairs, what: str) -> tuple[float, float, float, float]:
    if len(points) != 2:
        raise InputError(f"It has {len(points)} points: expected {what}.")
    return *points[0], *points[1]


def _rectangle(where: str, label: str, points: Pairs, record: Mapping[str, Any]) -> Shape:
    return polygon_shape(where, label, [rectangle(*_two(points, "two opposite corners"))])


def _circle(where: str, label: str, points: Pairs, record: Mapping[str, Any]) -> Shape:
    x, y, other_x, other_y = _two(points, "the middle and a point on the circle")
    radius = math.hypot(other_x - x, other_y - y)
    return Shape(
        where,
        label,
        lambda height, width: ellipse_runs((x, y), (radius, radius), 0.0, height, width),
    )


def _mask(where: str, label: str, points: Pairs, record: Mapping[str, Any]) -> Shape:
    x0, y0, x1, y1 = _two(points, "two opposite corners")
    left, top = round(min(x0, x1)), round(min(y0, y1))
    right, bottom = round(max(x0, x1)) + 1, round(max(y0, y1)) + 1
    box = Box(left, top, right, bottom)
    picture = record.get("mask")
    if not isinstance(picture, str):
        raise InputError("It has no mask: expected a PNG in base64.")
    return Shape(where, label, lambda height, width: _placed(picture, box, height, width))


def _placed(picture: str, box: Box, height: int, width: int) -> RunLengths:
    """The PNG at its place in the image. Raises InputError."""
    inside = box.intersection(Box.whole(height, width))
    if inside is None:
        raise InputError(f"Its box {box.as_tuple()} lies outside the image.")
    try:
        data = base64.b64decode(picture, validate=False)
    except (binascii.Error, ValueError) as error:
        raise InputError(f"Its mask isn't base64: {error}.") from error
    shape = box.height, box.width
    values = read_mask_bytes("The shape's PNG", data, shape, reading="any").everything
    mask = np.zeros((height, width), np.bool_)
    offset = inside.x0 - box.x0, inside.y0 - box.y0
    rows = slice(offset[1], offset[1] + inside.height)
    columns = slice(offset[0], offset[0] + inside.width)
    mask[inside.slices] = values[rows, columns]
    return RunLengths.encode(mask)


_READERS: Mapping[str, Callable[[str, str, Pairs, Mapping[str, Any]], Shape]] = MappingProxyType(
    {"polygon": _polygon, "rectangle": _rectangle, "circle": _circle, "mask": _mask}
)
