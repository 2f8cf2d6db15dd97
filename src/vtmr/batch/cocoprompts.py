"""Prompts in COCO's JSON: boxes and outlines of an instance file, or of a detector's results."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from vtmr.batch.records import Failure, Prompt
from vtmr.errors import InputError
from vtmr.formats.coco import CocoAnnotation, CocoFile
from vtmr.types import BoxPrompt

_MOST_DIGITS = 18  # of an id that is compared as a number


def parse_results(content: bytes) -> list[Any] | None:
    """The entries of a results file, which is a list; None for any other file.

    Raises InputError for a list that isn't JSON.
    """
    text = content.decode(json.detect_encoding(content), "replace")
    if text.lstrip("\ufeff \t\r\n")[:1] != "[":
        return None
    try:
        found: list[Any] = json.loads(text.lstrip("\ufeff"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"The COCO results aren't JSON: {error}.") from error
    return found


def as_instances(
    results: Sequence[Any], instances: CocoFile | None, files: Sequence[str]
) -> CocoFile:
    """A results file's entries with the images and categories that their ids mean.

    instances: the file that says so. Without one, an id means the image that is called so, leading
    zeros aside, and a category is called by its id. files: the images' names. Raises InputError
    for a list that holds no results.
    """
    entries = [entry for entry in results if isinstance(entry, dict)]
    if not entries or not any("image_id" in entry for entry in entries):
        raise InputError(
            "This list isn't COCO's results: expected objects with image_id, category_id and bbox "
            "or segmentation."
        )
    if instances is not None:
        images = [_image_entry(key, image.name) for key, image in instances.images.items()]
        categories = dict(instances.categories)
    else:
        images = _images_by_name(entries, files)
        categories = {str(entry.get("category_id")): "" for entry in entries}
    named = [{"id": key, "name": name or str(key)} for key, name in categories.items()]
    document = {"images": images, "annotations": list(results), "categories": named}
    return CocoFile.parse(document)


def _image_entry(key: Any, name: str) -> dict[str, Any]:
    return {"id": key, "file_name": name}


def _images_by_name(entries: Sequence[Mapping[str, Any]], files: Sequence[str]) -> list[Any]:
    """The images that the results' ids name, as an instance file would list them."""
    by_name: defaultdict[str, set[str]] = defaultdict(set)
    for file in files:
        last = PurePosixPath(file)
        for name in (file, last.name, last.stem, _without_zeros(last.stem)):
            by_name[name].add(file)
    images = {}
    for entry in entries:
        given = entry.get("image_id")
        found = by_name.get(str(given)) or by_name.get(_without_zeros(str(given))) or set()
        # Two folders may hold files of one name: an object on the wrong photo is worse than none.
        if len(found) == 1:
            images[str(given)] = _image_entry(given, next(iter(found)))
    if not images:
        raise InputError(
            f"No image is called {str(entries[0].get('image_id'))[:60]!r}, as the results' first "
            "image_id is: give the instance file too, which says what image an id means "
            "(--prompts instances.json)."
        )
    return list(images.values())


def _without_zeros(name: str) -> str:
    """ "000017" as "17"; another name as it is."""
    if name.isascii() and name.isdigit() and len(name) <= _MOST_DIGITS:
        return str(int(name))
    return name


def prompts_of(coco: CocoFile) -> tuple[dict[str, list[Prompt]], list[Failure]]:
    """The file's prompts by the image's name: an outline where there is one, else the box.

    Entries that hold neither are failures, and so is what the file's reader couldn't read.
    """
    failures = [Failure("", "", sentence) for sentence in coco.said.sentences()]
    prompts: dict[str, list[Prompt]] = {}
    for key, image in coco.images.items():
        for annotation in coco.annotations[key]:
            try:
                prompts.setdefault(image.name, []).append(_prompt(annotation))
            except InputError as error:
                failures.append(Failure(image.name, annotation.id, str(error)))
    return prompts, failures


def _prompt(annotation: CocoAnnotation) -> Prompt:
    score = None
    if annotation.score is not None:
        score = _finite(annotation.score)
        if score is None:
            raise InputError(f"Its score is {annotation.score!r:.60}: expected a number.")
    if annotation.has_outline:
        outline = json.dumps(annotation.segmentation)
        return Prompt(
            annotation.id, annotation.label, outline=outline, score=score, crowd=annotation.crowd
        )
    if annotation.crowd:
        raise InputError("It is a crowd's box, which is no object's.")
    return Prompt(annotation.id, annotation.label, box=_box(annotation.bbox), score=score)


def _box(bbox: Any) -> BoxPrompt:
    """COCO's [x, y, width, height] as a box."""
    sides = [_finite(value) for value in bbox] if isinstance(bbox, list) else []
    numbers = [value for value in sides if value is not None]
    if len(numbers) != 4 or len(sides) != 4:
        raise InputError(
            f"Its bbox is {bbox!r:.60}, and it has no segmentation: expected x, y, width, height."
        )
    x, y, width, height = numbers
    return BoxPrompt(x, y, x + width, y + height)


def _finite(value: Any) -> float | None:
    """A number that is one, as text too; None for anything else."""
    # True is an int to Python, and would be the number 1.
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
