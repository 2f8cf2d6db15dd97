"""CVAT's XML for images, version 1.1: masks in and out; polygons, boxes and ellipses in.

Source: docs.cvat.ai, "XML annotation format". The file is read as a stream by expat, and one that
declares a document type or entities is refused: no annotation has any.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from vtmr.errors import InputError
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
from vtmr.formats.records import (
    AnnotatedImage,
    Annotation,
    Files,
    Summary,
    in_utf8,
    labels_of,
)
from vtmr.formats.runlength import boxed_runs, of_boxed_runs
from vtmr.formats.sources import Source
from vtmr.geometry import Box

CVAT_FILE = "annotations.xml"
_FORBIDDEN = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # by XML 1.0
_PIECE = 1 << 20  # bytes given to the parser at a time
_NO_AREA = frozenset(("polyline", "points", "cuboid", "skeleton", "tag"))
_ENCLOSED = MappingProxyType({"box": "boxes", "ellipse": "ellipses"})

Attributes = Mapping[str, str]


def write_cvat(images: Sequence[AnnotatedImage], labels: Sequence[str]) -> Files:
    """annotations.xml: a mask for each object, whose z_order is its place in the pile."""
    asked = _attribute_names(images)
    names = "".join(_label_lines(label, asked[label]) for label in labels_of(images, labels))
    lines = [
        '<?xml version="1.0" encoding="utf-8"?>',
        "<annotations>",
        "  <version>1.1</version>",
        f"  <meta><task><size>{len(images)}</size><mode>annotation</mode>"
        f"<labels>{names}</labels></task></meta>",
    ]
    for index, image in enumerate(images):
        size = f'width="{image.width}" height="{image.height}"'
        lines.append(f'  <image id="{index}" name={_quoted(image.name)} {size}>')
        for order, annotation in enumerate(image.objects):
            lines += _mask_lines(annotation, order)
        lines.append("  </image>")
    lines.append("</annotations>\n")
    return Files({CVAT_FILE: "\n".join(lines).encode()})


def _attribute_names(images: Sequence[AnnotatedImage]) -> dict[str, list[str]]:
    """By label, what its objects have attributes of."""
    found: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for image in images:
        for annotation in image.objects:
            found[annotation.label].update(dict.fromkeys(dict(annotation.attributes)))
    return defaultdict(list, {label: list(names) for label, names in found.items()})


def _label_lines(label: str, attributes: Sequence[str]) -> str:
    asked = "".join(
        f"<attribute><name>{_text(name)}</name><mutable>False</mutable>"
        "<input_type>text</input_type><default_value></default_value><values></values></attribute>"
        for name in attributes
    )
    return (
        f"<label><name>{_text(label)}</name><type>mask</type>"
        f"<attributes>{asked}</attributes></label>"
    )


def _mask_lines(annotation: Annotation, order: int) -> list[str]:
    """None for an empty mask."""
    found = boxed_runs(annotation.runs.decode())
    if found is None:
        return []
    box, runs = found
    place = f'left="{box.x0}" top="{box.y0}" width="{box.width}" height="{box.height}"'
    return [
        f'    <mask label={_quoted(annotation.label)} source="manual" occluded="0" '
        f'rle="{", ".join(map(str, runs.tolist()))}" {place} z_order="{order}">',
        *(
            f"      <attribute name={_quoted(name)}>{_text(value)}</attribute>"
            for name, value in annotation.attributes
        ),
        "    </mask>",
    ]


def _plain(text: str) -> str:
    """What XML can hold of it: bytes that aren't UTF-8 and what it forbids become %XX. Anything
    else stays, since CVAT knows images by their names to the letter."""
    return _FORBIDDEN.sub(lambda found: _escaped(found[0]), in_utf8(text))


def _escaped(letter: str) -> str:
    return "".join(f"%{byte:02X}" for byte in letter.encode())


def _text(text: str) -> str:
    return escape(_plain(text))


def _quoted(text: str) -> str:
    return quoteattr(_plain(text))


def read_cvat(source: Source) -> Foreign:
    """Every XML file's images. Raises InputError when the only one is no such file."""
    found = Foreign()
    for name in source.ending(".xml"):
        try:
            reading = _Reading(found.said)
            reading.read(source.read(name), name)
        except InputError as error:
            if source.is_one_file:
                raise
            found.said.add("files", f"{name} was left out. {error}")
            continue
        found.images += reading.images
        for kind, count in reading.filled.items():
            found.said.add("kinds", f"{name}: {count:,} {kind} came as filled shapes.")
    return found


class _Reading:
    """One file's images. filled: how many boxes and ellipses are among their shapes."""

    def __init__(self, said: Summary) -> None:
        self.images: list[ForeignImage] = []
        self.filled: Counter[str] = Counter()
        self._said = said
        self._depth = 0
        self._image: Attributes | None = None
        self._shapes: list[tuple[float, Shape]] = []
        self._others: Counter[str] = Counter()
        self._attribute: str | None = None  # the name of the one that is being read
        self._text: list[str] = []
        self._attributes: dict[str, str] = {}
        self._noted = False  # whether the newest shape is the one that is open

    def read(self, content: bytes, name: str) -> None:
        """Raises InputError for anything but CVAT's XML for images."""
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        # Entities make gigabytes of a few bytes, or name files of this machine.
        parser.StartDoctypeDeclHandler = _refuse_doctype
        parser.EntityDeclHandler = _refuse_doctype
        try:
            for start in range(0, len(content), _PIECE):
                parser.Parse(content[start : start + _PIECE], False)
            parser.Parse(b"", True)
        except (expat.ExpatError, LookupError) as error:  # the latter of an unknown encoding
            raise InputError(f"{name} isn't XML that can be read: {error}.") from error

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth == 1 and tag != "annotations":
            raise InputError(
                f"This is XML of another kind, it begins with <{tag[:40]}>: expected CVAT's, which "
                "begins with <annotations>."
            )
        if self._depth == 2 and tag == "track":
            raise InputError(
                "This is CVAT's XML for videos: expected that for images. Export the task as "
                '"CVAT for images 1.1".'
            )
        if self._depth == 2 and tag == "image":
            self._image = attributes
        elif self._depth == 3 and self._image is not None:
            self._attributes = {}
            self._shape(tag, attributes)
        elif self._depth == 4 and tag == "attribute":
            self._attribute, self._text = attributes.get("name", ""), []

    def _characters(self, text: str) -> None:
        if self._attribute is not None:
            self._text.append(text)

    def _end(self, tag: str) -> None:
        if self._depth == 4 and self._attribute is not None:
            self._attributes[self._attribute] = "".join(self._text)
            self._attribute = None
        if self._depth == 3 and self._attributes and self._noted:
            order, shape = self._shapes[-1]
            details = plain_attributes(self._attributes)
            self._shapes[-1] = order, replace(shape, attributes=details)
        if self._depth == 2 and self._image is not None:
            self._finish(self._image)
            self._image, self._shapes = None, []
            self._others.clear()
        self._depth -= 1

    def _shape(self, tag: str, attributes: Attributes) -> None:
        """Notes one shape; what is wrong with it costs itself alone."""
        self._noted = False
        if tag not in _READERS:
            self._others[tag] += 1
            return
        count = len(self._shapes) + sum(self._others.values()) + 1
        try:
            order = number(attributes.get("z_order", 0))
            shape = _READERS[tag](f"the {tag} number {count}", attributes)
        except InputError as error:
            name = (self._image or {}).get("name", "?")
            self._said.add("objects", f"{name}: the {tag} number {count} was left out. {error}")
            return
        self._shapes.append((order, shape))
        self._noted = True
        if tag in _ENCLOSED:
            self.filled[_ENCLOSED[tag]] += 1

    def _finish(self, image: Attributes) -> None:
        name = image.get("name", "").strip()
        if not name:
            self._said.add("images", f"The image {image.get('id', '?')[:40]} has no name.")
            return
        for tag, count in self._others.items():
            if tag in _NO_AREA:
                self._said.add("objects", f"{name}: {count} {tag} left out: it has no area.")
            else:
                self._said.add("objects", f"{name}: {count} {tag[:40]} left out: it is unknown.")
        # A stable sort: shapes of one z_order stay as the file has them.
        self._shapes.sort(key=lambda pair: pair[0])
        size = size_of(image.get("height"), image.get("width"))
        self.images.append(image_of([name], size, [shape for _, shape in self._shapes]))


def _refuse_doctype(*_: Any) -> None:
    raise InputError("The XML declares a document type or entities, which no annotation has.")


def _mask(where: str, attributes: Attributes) -> Shape:
    sides = [_whole(attributes, key) for key in ("left", "top", "width", "height")]
    left, top, width, height = sides
    box = Box(left, top, left + width, top + height)
    counts = attributes.get("rle", "").split(",")
    return Shape(
        where,
        attributes.get("label", ""),
        lambda height, width: of_boxed_runs(counts, box, height, width),
    )


def _polygon(where: str, attributes: Attributes) -> Shape:
    text = attributes.get("points", "").replace(";", ",").strip(",")
    return polygon_shape(
        where, attributes.get("label", ""), [[number(part) for part in text.split(",")]]
    )


def _box(where: str, attributes: Attributes) -> Shape:
    x0, y0, x1, y1 = (number(attributes.get(key)) for key in ("xtl", "ytl", "xbr", "ybr"))
    points = rectangle(x0, y0, x1, y1, number(attributes.get("rotation", 0)))
    return polygon_shape(where, attributes.get("label", ""), [points])


def _ellipse(where: str, attributes: Attributes) -> Shape:
    x, y, across, down = (number(attributes.get(key)) for key in ("cx", "cy", "rx", "ry"))
    degrees = number(attributes.get("rotation", 0))
    return Shape(
        where,
        attributes.get("label", ""),
        lambda height, width: ellipse_runs((x, y), (across, down), degrees, height, width),
    )


def _whole(attributes: Attributes, key: str) -> int:
    return int(number(attributes.get(key)))


_READERS: Mapping[str, Callable[[str, Attributes], Shape]] = MappingProxyType(
    {"mask": _mask, "polygon": _polygon, "box": _box, "ellipse": _ellipse}
)
