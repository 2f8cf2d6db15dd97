"""COCO's instance JSON as the world writes it: what it says of which image, entry by entry.

The format has no owner, and every exporter has habits: ids as text, sizes left out, names of
categories where their ids belong, boxes without outlines, ids that repeat. Whatever can be told
without guessing is read; an entry that can't be costs itself alone and is named in a sentence.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from vtmr.errors import InputError
from vtmr.formats.cocoshapes import coco_runs, outline_px, short_polygons
from vtmr.formats.details import plain_attributes, plain_note
from vtmr.formats.jsonscan import Span, array_items
from vtmr.formats.records import DEFAULT_LABEL, Annotation, Attributes, Summary, plain_label

_MOST_OUTLINES_PX = 100e6  # of an image: half a minute's work
_TOO_MUCH = "the outlines of its image are longer than a hundred million pixels."
_MOST_DIGITS = 18  # of a number that is compared as one
_ANNOTATIONS, _SEGMENTATION = "annotations", "segmentation"
_KEPT = (
    *("id", "image_id", "category_id", "iscrowd", "attributes", "note"),
    *("bbox", "score"),
)


@dataclass(frozen=True, slots=True)
class CocoImage:
    """An image as the file names it. height, width: None where the file doesn't say them."""

    name: str
    height: int | None
    width: int | None

    @property
    def size(self) -> tuple[int, int] | None:
        """(height, width)"""
        if self.height is None or self.width is None:
            return None
        return self.height, self.width


@dataclass(frozen=True, slots=True)
class CocoAnnotation:
    """An object before it is decoded. id: its own among its image's; crowd: COCO's iscrowd; stored:
    its outline, or where it is in the file; attributes, note: as CVAT and vtmr write them; bbox,
    score: as the file has them, None without."""

    id: str
    label: str
    stored: Any
    crowd: bool
    attributes: Attributes = ()
    note: str = ""
    bbox: Any = None
    score: Any = None

    @property
    def has_outline(self) -> bool:
        """Whether there is anything that may be one."""
        return bool(self.stored)

    @property
    def segmentation(self) -> Any:
        """What the file has as its outline."""
        if isinstance(self.stored, Span):
            return self.stored.decoded()[_SEGMENTATION]
        return self.stored


@dataclass(frozen=True, slots=True)
class CocoFile:
    """What a COCO JSON says: images by id, their annotations, and what couldn't be read of it.

    categories: names by id.
    """

    images: dict[str, CocoImage]
    annotations: dict[str, tuple[CocoAnnotation, ...]]
    said: Summary = field(default_factory=Summary)
    categories: Mapping[str, str] = field(default_factory=dict)

    @staticmethod
    def parse(content: Any) -> CocoFile:
        """From the file's bytes, or from decoded JSON.

        Raises InputError for anything that isn't COCO's instance format.
        """
        document = _decoded(content) if isinstance(content, bytes | str) else content
        return _Reading(*_lists_of(document)).result()

    def annotated(
        self, image_id: str, size: tuple[int, int] | None = None
    ) -> tuple[list[Annotation], Summary]:
        """The image's objects, decoded, and what is to be said of those that can't be.

        size: the image's (height, width), where the file doesn't say it. Raises InputError when
        nobody does.
        """
        image = self.images[image_id]
        size = size or image.size
        if size is None:
            raise InputError(f"{image.name}: the COCO file doesn't say the image's size.")
        objects: list[Annotation] = []
        said, left_px = Summary(), _MOST_OUTLINES_PX
        for annotation in self.annotations[image_id]:
            where = f"{image.name}: annotation {annotation.id}"
            segmentation = annotation.segmentation
            if left_px < 0:
                said.add("annotations", f"{where} was left out: {_TOO_MUCH}")
                continue
            try:
                runs = coco_runs(segmentation, *size)
                left_px -= outline_px(segmentation)
            except InputError as error:
                said.add("annotations", f"{where} was left out. {error}")
                continue
            if not runs.any():
                said.add("annotations", f"{where} was left out: it covers no pixel of the image.")
                continue
            short = short_polygons(segmentation)
            if short:
                said.add("annotations", f"{where} lost {short} polygon(s) of under three points.")
            details = annotation.attributes, annotation.note
            objects.append(Annotation(annotation.label, runs, annotation.crowd, *details))
        return objects, said


def _decoded(content: bytes | str) -> Any:
    """The document with its annotations cut down to what is asked of each; their outlines stay
    text."""
    try:
        text = content if isinstance(content, str) else _text(content)
        if text.lstrip()[:1] != "{":
            return json.loads(text)
        document: dict[str, Any] = {}
        found = array_items(text, _ANNOTATIONS, document)
        entries = [_lean(entry, span) for entry, span in found]
        return document | {_ANNOTATIONS: entries}
    except UnicodeDecodeError as error:
        raise InputError(f"The COCO file isn't UTF-8 ({error}): save it as UTF-8.") from error
    except LookupError as error:
        raise InputError(
            "This isn't a COCO instance file: expected a list of images and one of annotations."
        ) from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"The COCO file isn't JSON: {error}.") from error


def _text(content: bytes) -> str:
    """UTF-8, 16 or 32, with a mark at its start or without."""
    return content.decode(json.detect_encoding(content), "surrogatepass")


def _lean(entry: Any, span: Span) -> Any:
    if not isinstance(entry, dict):
        return None
    lean = {name: entry[name] for name in _KEPT if name in entry}
    if entry.get(_SEGMENTATION):
        lean[_SEGMENTATION] = span
    return lean


def _lists_of(document: Any) -> tuple[list[Any], list[Any], list[Any]]:
    """The file's images, annotations and categories. Raises InputError."""
    if isinstance(document, list):
        raise InputError(
            "This is a list, as COCO's results are: expected an instance file, with images, "
            "annotations and categories."
        )
    if not isinstance(document, dict):
        raise InputError("This isn't a COCO instance file: expected images and annotations.")
    images, annotations = document.get("images"), document.get("annotations")
    if not isinstance(images, list) or not isinstance(annotations, list):
        raise InputError(
            "This isn't a COCO instance file: expected a list of images and one of annotations."
        )
    categories = document.get("categories")
    return images, annotations, categories if isinstance(categories, list) else []


class _Reading:
    """One file's entries on their way into a CocoFile."""

    def __init__(self, images: list[Any], annotations: list[Any], categories: list[Any]) -> None:
        self._said = Summary()
        self._categories = _categories(categories, self._said)
        self._images, self._ambiguous = _images(images, self._said)
        self._entries = annotations
        # Ids that several images share are told where their annotations are.
        if not (self._images or self._ambiguous) and (images or annotations):
            raise InputError(
                "This isn't a COCO instance file: expected images with an id and a file_name"
                + (f", and it has {_first_of(annotations)}." if annotations else ".")
            )
        self._others = _other_spellings(self._images)

    def result(self) -> CocoFile:
        found: dict[str, list[CocoAnnotation]] = {key: [] for key in self._images}
        seen: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for number, entry in enumerate(self._entries, start=1):
            if not isinstance(entry, dict):
                self._said.add("annotations", f"The annotation number {number} is no object.")
                continue
            own_id = _key(entry.get("id")) or f"number {number}"
            image = self._image_of(entry, own_id)
            if image is not None:
                seen[image][own_id] += 1
                times = seen[image][own_id]
                unique = own_id if times == 1 else f"{own_id}#{times}"
                crowd = entry.get("iscrowd") in (1, True, "1")
                label = self._label_of(entry.get("category_id"), unique)
                details = plain_attributes(entry.get("attributes")), plain_note(entry.get("note"))
                found[image].append(
                    CocoAnnotation(
                        *(unique, label, entry.get(_SEGMENTATION), crowd, *details),
                        bbox=entry.get("bbox"),
                        score=entry.get("score"),
                    )
                )
        annotations = {key: tuple(entries) for key, entries in found.items()}
        return CocoFile(self._images, annotations, self._said, self._categories)

    def _image_of(self, entry: Mapping[str, Any], own_id: str) -> str | None:
        """The key of the annotation's image; None, and said, where there is none."""
        given = entry.get("image_id")
        key = _key(given)
        reason = "which the file doesn't list"
        if key in self._ambiguous:
            reason = "which several images share"
        elif key is not None:
            if key not in self._images:
                key = self._others.get(_as_number(key) or key, key)
            if key in self._images:
                return key
        shown = repr(given)[:60]
        self._said.add("annotations", f"Annotation {own_id} is of image {shown}, {reason}.")
        return None

    def _label_of(self, given: Any, own_id: str) -> str:
        key = _key(given)
        if key is None:
            return DEFAULT_LABEL
        if key in self._categories:
            name = self._categories[key]
        elif isinstance(given, str) and not key.isdigit():
            name = key  # the category's name in the place of its id
        else:
            self._said.add(
                "annotations", f"Annotation {own_id} has category {key}, which isn't listed."
            )
            return DEFAULT_LABEL
        label = plain_label(name)
        if label != name:
            self._said.add("labels", f"The label {name[:60]!r} became {label!r}.")
        return label


def _categories(entries: list[Any], said: Summary) -> dict[str, str]:
    """Names by id."""
    names: dict[str, str] = {}
    for entry in entries:
        key = _key(entry.get("id")) if isinstance(entry, dict) else None
        if key is None or not isinstance(entry.get("name"), str | int | float):
            said.add("categories", f"The category {repr(entry)[:80]} has no id or no name.")
        elif key in names and names[key] != str(entry["name"]):
            said.add("categories", f"The category {key} has two names: {names[key]!r} is taken.")
        else:
            names[key] = str(entry["name"])
    return names


def _images(entries: list[Any], said: Summary) -> tuple[dict[str, CocoImage], set[str]]:
    """Images by id, and the ids that several have."""
    images: dict[str, CocoImage] = {}
    ambiguous: set[str] = set()
    for entry in entries:
        key = _key(entry.get("id")) if isinstance(entry, dict) else None
        name = _file_name(entry) if isinstance(entry, dict) else None
        if key is None or name is None:
            said.add("images", f"The image {repr(entry)[:80]} has no id or no file_name.")
        elif key in images and images[key].name != name:
            both = f"{images[key].name} and {name}"
            said.add("images", f"{both} share the id {key}: neither is read.")
            ambiguous.add(key)
        else:
            images[key] = CocoImage(name, _side(entry.get("height")), _side(entry.get("width")))
    return {key: image for key, image in images.items() if key not in ambiguous}, ambiguous


def _file_name(entry: Mapping[str, Any]) -> str | None:
    """`file_name`; LVIS has `coco_url` alone."""
    for name in ("file_name", "coco_url"):
        value = entry.get(name)
        if isinstance(value, str) and value.strip():
            return value
    return None


def _other_spellings(images: Mapping[str, CocoImage]) -> dict[str, str]:
    """Keys by the whole number that they are, and by the file's name, where that is one image's
    alone."""
    spelt: defaultdict[str, list[str]] = defaultdict(list)
    for key, image in images.items():
        spelt[_as_number(key) or key].append(key)
        spelt[image.name].append(key)
    return {spelling: keys[0] for spelling, keys in spelt.items() if len(set(keys)) == 1}


def _key(value: Any) -> str | None:
    """An id as text: 1, 1.0 and "1" are one."""
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, float) and value.is_integer() and abs(value) < 10**_MOST_DIGITS:
        return str(int(value))
    return str(value)


def _as_number(key: str) -> str | None:
    """ "000017" as "17"; None for what is no whole number."""
    if not (key.isascii() and key.isdigit() and len(key) <= _MOST_DIGITS):
        return None
    return str(int(key))


def _side(value: Any) -> int | None:
    """A side in pixels; None for what says none, as a 0 does."""
    key = _key(value)
    number = _as_number(key) if key is not None else None
    return int(number) or None if number is not None else None


def _first_of(annotations: list[Any]) -> str:
    first = annotations[0]
    given = repr(first.get("image_id"))[:60] if isinstance(first, dict) else "no image"
    return f"an annotation of image {given}, which it doesn't list"
