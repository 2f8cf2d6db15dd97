"""Label Studio's JSON: brushes out and in; polygons, rectangles and ellipses in.

Source: labelstud.io, "Export annotations" and "Import pre-annotated data"; label-studio-sdk's
`converter`. Coordinates are per cent of the image's sides.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.sax.saxutils import quoteattr

import numpy as np

from vtmr.errors import InputError
from vtmr.formats.cocoshapes import coco_runs, outline_px
from vtmr.formats.details import plain_note
from vtmr.formats.foreign import (
    Foreign,
    ForeignImage,
    Shape,
    Size,
    ellipse_runs,
    image_of,
    number,
    rectangle,
    size_of,
)
from vtmr.formats.jsonfiles import json_text, read_each_json
from vtmr.formats.jsonscan import list_items
from vtmr.formats.records import AnnotatedImage, Annotation, Files, Summary, labels_of, plain_label
from vtmr.formats.runlength import decode_label_studio, encode_label_studio
from vtmr.formats.sources import Source
from vtmr.masks import RunLengths

TASKS_FILE, CONFIG_FILE = "tasks.json", "label_config.xml"
_LOCAL = "/data/local-files/?d="
_UPLOADED = re.compile(r"^[0-9a-f]{8}-(?=.)")  # what Label Studio puts before an uploaded name
_FILLED = MappingProxyType({"rectangle": "rectangles", "ellipse": "ellipses"})
_IMAGE_KEYS = ("image", "img", "url", "ocr")
_SOME_SIZE = (4096, 4096)  # of an image whose size the task doesn't say

Record = Mapping[str, Any]


def write_label_studio(images: Sequence[AnnotatedImage], labels: Sequence[str]) -> Files:
    """tasks.json, with a brush for each object, and the labelling interface that it is for."""
    tasks = [_task(image, number) for number, image in enumerate(images, start=1)]
    text = json.dumps(tasks, ensure_ascii=False)
    files = Files({TASKS_FILE: text.encode(), CONFIG_FILE: _config(labels_of(images, labels))})
    if images:
        files.warnings.append(
            "Label Studio fetches the photos itself: tasks.json names them as local files, so "
            "start it with LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true and "
            "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT set to the photos' folder."
        )
    return files


def _task(image: AnnotatedImage, number: int) -> dict[str, Any]:
    results = [_result(image, one, count) for count, one in enumerate(image.objects, start=1)]
    return {
        "id": number,
        # By its bytes: the text of a name that isn't UTF-8 can't be quoted.
        "data": {"image": _LOCAL + quote(os.fsencode(image.name))},
        "annotations": [{"result": results, "was_cancelled": False}],
    }


def _result(image: AnnotatedImage, annotation: Annotation, count: int) -> dict[str, Any]:
    stream = encode_label_studio(annotation.runs.decode())
    result: dict[str, Any] = {
        "id": f"vtmr-{count}",
        "type": "brushlabels",
        "from_name": "label",
        "to_name": "image",
        "original_width": image.width,
        "original_height": image.height,
        "image_rotation": 0,
        "value": {
            "format": "rle",
            "rle": list(stream),
            "brushlabels": [plain_label(annotation.label)],
        },
    }
    if annotation.note:
        result["meta"] = {"text": [annotation.note]}  # where the page keeps a region's note
    return result


def _config(names: Sequence[str]) -> bytes:
    labels = "".join(f"    <Label value={quoteattr(plain_label(name))}/>\n" for name in names)
    return (
        '<View>\n  <Image name="image" value="$image" zoom="true"/>\n'
        f'  <BrushLabels name="label" toName="image">\n{labels}  </BrushLabels>\n</View>\n'
    ).encode()


def read_label_studio(source: Source) -> Foreign:
    """Every JSON file's tasks. Raises InputError when the only file is none of Label Studio's."""
    found = Foreign()
    read_each_json(source, found.said, partial(_read_file, found))
    return found


def _read_file(found: Foreign, name: str, content: bytes) -> None:
    text = json_text(content, name)
    reading = _Reading(found.said)
    try:
        for count, task in enumerate(list_items(text), start=1):
            reading.add(task, count)
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{name} isn't Label Studio's JSON ({error}): expected a list of tasks."
        ) from error
    found.images += reading.images
    for kind, number_of in reading.filled.items():
        found.said.add("kinds", f"{name}: {number_of:,} {kind} came as filled shapes.")


class _Reading:
    """One file's tasks. Raises InputError for a file of another kind."""

    def __init__(self, said: Summary) -> None:
        self.images: list[ForeignImage] = []
        self.filled: Counter[str] = Counter()
        self._said = said

    def add(self, task: Any, count: int) -> None:
        data = task.get("data") if isinstance(task, dict) else None
        if not isinstance(data, dict):
            if count == 1:
                raise InputError(
                    "These aren't Label Studio's tasks: expected data and annotations in each. "
                    'Export the project as "JSON", not "JSON-MIN".'
                )
            self._said.add("tasks", f"The task number {count} has no data.")
            return
        names = _names_of(data)
        if not names:
            self._said.add("tasks", f"The task number {count} names no image.")
            return
        results = self._results_of(task, names[0])
        views = _views_of(results)
        if len(views) > 1:
            self._said.add(
                "tasks",
                f"The task number {count} was left out: its regions lie on {len(views)} images. "
                "Expected a task for each image.",
            )
            return
        names = _names_of(data, views)
        shapes = self._shapes(names[0], results)
        sizes = [_size_of(result) for result in results]
        size = next((size for size in sizes if size is not None), None)
        self.images.append(image_of(names, size, shapes))

    def _results_of(self, task: Record, name: str) -> list[Record]:
        """Of the first annotation that counts, else of the first prediction."""
        kept = [one for one in _records(task.get("annotations")) if not one.get("was_cancelled")]
        if len(kept) > 1:
            self._said.add("images", f"{name}: of {len(kept)} annotations the first came.")
        if not kept:
            kept = _records(task.get("predictions"))
            if kept:
                self._said.add("images", f"{name}: without an annotation, a prediction came.")
        return _records(kept[0].get("result")) if kept else []

    def _shapes(self, name: str, results: Sequence[Record]) -> list[Shape]:
        labels = _labels_by_id(results)
        shapes: list[Shape] = []
        for count, result in enumerate(results, start=1):
            kind = _kind_of(result)
            if kind in ("", "choices", "textarea", "rating", "taxonomy", "number"):
                continue  # what is said of a region or of the image, not a region
            try:
                shapes.append(_shape(f"region {count}", kind, result, labels))
            except InputError as error:
                self._said.add("objects", f"{name}: region {count} was left out. {error}")
                continue
            if kind in _FILLED:
                self.filled[_FILLED[kind]] += 1
        return shapes


def _records(value: Any) -> list[Record]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _views_of(results: Sequence[Record]) -> list[str]:
    """What of the task the regions lie on, by the names that its page gives to images; of an image
    of several pages each page counts."""
    regions = [one for one in results if _kind_of(one) in _READERS]
    found = [(one.get("to_name"), one.get("item_index")) for one in regions]
    views = {
        (name, page if isinstance(page, int) else 0)
        for name, page in found
        if isinstance(name, str)
    }
    return [name for name, _ in views]


def _names_of(data: Record, views: Sequence[str] = ()) -> list[str]:
    """The image's spellings: as it is stored, and without what Label Studio puts before it. Where
    the data has it by the name of what the regions lie on, that is it."""
    others = [value for value in data.values() if isinstance(value, str) and "." in value]
    keys = (*views, *_IMAGE_KEYS)
    known = [data[key] for key in keys if isinstance(data.get(key), str)]
    found = next((value for value in (*known, *others) if value.strip()), None)
    if found is None:
        return []
    if "/local-files/" in found:
        query = parse_qs(urlsplit(found).query, errors="surrogateescape")
        return query.get("d", [])[:1]
    path = unquote(found, errors="surrogateescape") if found.startswith("/data/") else found
    last = path.rpartition("/")[2]
    short = _UPLOADED.sub("", last)
    return [path] if short == last else [path, short]


def _kind_of(result: Record) -> str:
    return str(result.get("type", "")).removesuffix("labels")


def _size_of(result: Record) -> Size | None:
    return size_of(result.get("original_height"), result.get("original_width"))


def _labels_by_id(results: Sequence[Record]) -> dict[Any, str]:
    """The labels of regions: of brushes and the like their own, else those of a result beside."""
    found: dict[Any, str] = {}
    for result in results:
        value = result.get("value")
        result_id = result.get("id")
        if not isinstance(value, dict) or not isinstance(result_id, str | int):
            continue
        for key, labels in value.items():
            is_labels = key.endswith("labels") and isinstance(labels, list) and labels
            if is_labels and isinstance(labels[0], str):
                found.setdefault(result_id, labels[0])
    return found


def _shape(where: str, kind: str, result: Record, labels: Mapping[Any, str]) -> Shape:
    value = result.get("value")
    if kind not in _READERS or not isinstance(value, dict):
        raise InputError(f"A {kind[:40]} has no area: expected one of {', '.join(_READERS)}.")
    if result.get("image_rotation") not in (0, None):
        raise InputError("The image was turned in Label Studio: turn it back there.")
    result_id = result.get("id")
    label = labels.get(result_id, "") if isinstance(result_id, str | int) else ""
    cost = _outline_px(value, _size_of(result))
    return Shape(where, label, _READERS[kind](value), cost, note=_note_of(result))


def _note_of(result: Record) -> str:
    """What was written about a region, its paragraphs one below the other."""
    meta = result.get("meta")
    told = meta.get("text") if isinstance(meta, dict) else None
    paragraphs = told if isinstance(told, list) else [told]
    return plain_note("\n".join(one for one in paragraphs if isinstance(one, str)))


def _outline_px(value: Record, size: Size | None) -> float:
    """What a polygon costs to fill."""
    points = value.get("points")
    if not isinstance(points, list):
        return 0.0
    height, width = size or _SOME_SIZE
    pixels = np.array(points, np.float64).reshape(-1, 2) / 100 * (width, height)
    return outline_px([pixels.reshape(-1).tolist()])


Make = Callable[[int, int], RunLengths]


def _brush(value: Record) -> Make:
    stream = value.get("rle")
    if value.get("format") != "rle" or not isinstance(stream, list):
        raise InputError("The brush has no run lengths: expected format rle.")
    try:
        packed = bytes(stream)
    except (TypeError, ValueError) as error:
        raise InputError("The brush's run lengths are no bytes.") from error
    return lambda height, width: RunLengths.encode(decode_label_studio(packed, height, width))


def _polygon(value: Record) -> Make:
    points = value.get("points")
    if not isinstance(points, list) or not all(_is_pair(point) for point in points):
        raise InputError("The polygon's points aren't [x, y].")
    shares = np.array([[number(x), number(y)] for x, y in points]).reshape(-1, 2) / 100

    def make(height: int, width: int) -> RunLengths:
        pixels = shares * (width, height)
        return coco_runs([pixels.reshape(-1).tolist()], height, width)

    return make


def _is_pair(point: Any) -> bool:
    return isinstance(point, list) and len(point) == 2


def _rectangle(value: Record) -> Make:
    x, y, across, down = (number(value.get(key)) for key in ("x", "y", "width", "height"))
    degrees = number(value.get("rotation") or 0)

    def make(height: int, width: int) -> RunLengths:
        left, top = x / 100 * width, y / 100 * height
        right, bottom = left + across / 100 * width, top + down / 100 * height
        corners = np.array(rectangle(left, top, right, bottom, degrees)).reshape(-1, 2)
        # Label Studio turns a rectangle around its first corner.
        corners += np.array([left, top]) - corners[0]
        return coco_runs([corners.reshape(-1).tolist()], height, width)

    return make


def _ellipse(value: Record) -> Make:
    x, y, across, down = (number(value.get(key)) for key in ("x", "y", "radiusX", "radiusY"))
    degrees = number(value.get("rotation") or 0)

    def make(height: int, width: int) -> RunLengths:
        centre = x / 100 * width, y / 100 * height
        radii = across / 100 * width, down / 100 * height
        return ellipse_runs(centre, radii, degrees, height, width)

    return make


_READERS: Mapping[str, Callable[[Record], Make]] = MappingProxyType(
    {"brush": _brush, "polygon": _polygon, "rectangle": _rectangle, "ellipse": _ellipse}
)
