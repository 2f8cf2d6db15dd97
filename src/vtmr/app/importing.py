"""Other programs' objects on their way onto a folder's images: for the page and for the command.

First everything is read and decided, then images change one by one: whoever imports a file for the
second time is asked before anything changes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vtmr.app.document import Document, Item
from vtmr.app.operations import with_annotations
from vtmr.app.plans import MAX_OBJECTS
from vtmr.app.project import Entry, size_of
from vtmr.app.store import Store
from vtmr.errors import InputError
from vtmr.formats.foreign import Foreign
from vtmr.formats.placing import place_spelled
from vtmr.formats.records import Annotation, Summary
from vtmr.masks import RunLengths
from vtmr.serving.maskruns import MaskRuns
from vtmr.types import MaskEdit

REPEATED = ("ask", "skip", "add")  # what to do with objects that are on their images already


@dataclass(frozen=True, slots=True)
class Arrival:
    """The objects that are to come onto one image. height, width: the image's."""

    entry: Entry
    height: int
    width: int
    annotations: tuple[Annotation, ...]

    def after(
        self, before: Document, made_with: Mapping[str, str], *, repeated: str
    ) -> tuple[Document, int]:
        """The document with the objects, as one change, and how many came.

        repeated: "skip" leaves out what is there already. Raises InputError for a document of an
        image of another size, and for too many objects.
        """
        if (before.height, before.width) != (self.height, self.width):
            raise InputError(
                f"it has {self.width}x{self.height} pixels, but its annotations are of an image of "
                f"{before.width}x{before.height}."
            )
        new = list(self.annotations)
        if repeated == "skip":
            known = repeats(before, self.annotations)
            new = [one for one, there in zip(new, known, strict=True) if not there]
        if not new:
            return before, 0
        content = with_annotations(before.content, new, made_with)
        return before.changed("import", content), len(new)


@dataclass(frozen=True, slots=True)
class Arrivals:
    """What a file brings to a folder, and a sentence for everything that it doesn't."""

    images: tuple[Arrival, ...]
    said: tuple[str, ...]

    def labels(self) -> dict[str, int]:
        """How many objects have each label."""
        found: Counter[str] = Counter()
        for image in self.images:
            found.update(annotation.label for annotation in image.annotations)
        return dict(found)


def arrivals(foreign: Foreign, entries: Collection[Entry], folder: Path) -> Arrivals:
    """The files' objects by image, decoded. Reads the headers of the images that they name."""
    said = Summary()
    said.add_all(foreign.said)
    by_name = {entry.name: entry for entry in entries}
    spellings = [image.names for image in foreign.images]
    placed = place_spelled(spellings, list(by_name), folder, any_suffix=foreign.any_suffix)
    for reason in placed.reasons.values():
        said.add("images", reason)
    sizes: dict[str, tuple[int, int]] = {}
    objects: dict[str, list[Annotation]] = {}
    for image in foreign.images:
        name = placed.files.get(image.names[0])
        if name is None or not image.count:
            continue
        try:
            _require_few(image.count)
            size = sizes.get(name) or size_of(by_name[name])
            _require_size(image.size, size)
            found, reasons = image.decode(size)
        except InputError as error:
            said.add("images", f"{name}: {error}")
            continue
        said.add_all(reasons)
        sizes[name] = size
        objects.setdefault(name, []).extend(found)
    images = tuple(
        Arrival(by_name[name], *sizes[name], tuple(found)) for name, found in objects.items()
    )
    return Arrivals(tuple(image for image in images if image.annotations), tuple(said.sentences()))


def repeats(document: Document | None, annotations: Sequence[Annotation]) -> list[bool]:
    """Of each annotation, whether an object of the image has its mask, or began with it."""
    items = document.content.items if document is not None else ()
    begun = {runs for runs in map(_imported, items) if runs is not None}
    masks = {_comparable(item.mask) for item in items}
    return [
        annotation.runs in begun
        or (bool(masks) and _comparable(MaskRuns.encode(annotation.runs.decode())) in masks)
        for annotation in annotations
    ]


def known_already(store: Store, found: Arrivals) -> list[bool]:
    """Of each object that a file brings, whether it is on its image already."""
    known: list[bool] = []
    for arrival in found.images:
        with suppress(InputError):  # a damaged document is told when its image's turn comes
            known += repeats(store.document(arrival.entry.name), arrival.annotations)
    return known


def asks(repeated: int, new: int) -> str:
    """The question whether what is there shall come again."""
    return (
        f"{repeated:,} of the file's {repeated + new:,} objects are on their images already: was "
        "it imported before? Nothing has changed."
    )


def _imported(item: Item) -> RunLengths | None:
    """The mask that an object came with."""
    if not item.steps or not item.steps[0] or not isinstance(item.steps[0][0], MaskEdit):
        return None
    return item.steps[0][0].runs


def _comparable(mask: MaskRuns) -> tuple[Any, bytes]:
    return mask.box.as_tuple() if mask.box else None, mask.runs.tobytes()


def _require_few(count: int) -> None:
    """Raises InputError for more than an image can have, before they are decoded."""
    if count > MAX_OBJECTS:
        raise InputError(f"An image can have {MAX_OBJECTS} objects: {count} more are too many.")


def _require_size(said: tuple[int, int] | None, size: tuple[int, int]) -> None:
    """Raises InputError when the file says another size than the image has."""
    if said is None or said == size:
        return
    turned = (
        " That is the same picture lying on its side, as before a photo is turned upright: the "
        "outlines are of another picture than the one that is shown."
        if said == size[::-1] and said[0] != said[1]
        else ""
    )
    raise InputError(
        f"it has {size[1]}x{size[0]} pixels, its annotations say {said[1]}x{said[0]}.{turned}"
    )
