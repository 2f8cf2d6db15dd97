"""Imports that are looked at before they are made: what other programs' files would bring, kept
until the user says yes."""

from __future__ import annotations

import os
import secrets
from collections import OrderedDict
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from vtmr.app.importing import Arrival, Arrivals, arrivals, repeats
from vtmr.app.pictures import as_jpeg
from vtmr.app.project import Entry
from vtmr.app.store import Store
from vtmr.drawing import draw_mask
from vtmr.errors import InputError
from vtmr.formats import read
from vtmr.formats.detection import detect
from vtmr.formats.foreign import Options
from vtmr.formats.registry import AUTO, format_of
from vtmr.formats.sources import Source, bytes_source, names_below, source_of
from vtmr.serving.answers import Refusal

MAX_UPLOAD = 256 << 20  # bytes of a ZIP
_MAX_UNPACKED = 2 << 30
_KEPT = 2
_SHOWN = 5000  # images whose counts are told one by one

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Wish:
    """How files are to be read: a format or "auto", and how mask files are called."""

    form: str = AUTO
    pattern: str = ""


@dataclass(frozen=True, slots=True)
class Look:
    """What files would bring. repeated: by image id, how many of its objects are there already."""

    id: str
    form: str
    found: Arrivals
    repeated: Mapping[str, int]

    def arrival(self, image_id: str) -> Arrival | None:
        return next((one for one in self.found.images if one.entry.id == image_id), None)

    def to_json(self) -> Json:
        """Counts, image by image and label by label, and a sentence for what wouldn't come."""
        images = [
            {
                "id": one.entry.id,
                "name": one.entry.name,
                "objects": len(one.annotations),
                "repeated": self.repeated.get(one.entry.id, 0),
            }
            for one in self.found.images
        ]
        return {
            "id": self.id,
            "format": self.form,
            "images": images[:_SHOWN],
            "image_count": len(images),
            "objects": sum(len(one.annotations) for one in self.found.images),
            "repeated": sum(self.repeated.values()),
            "labels": self.found.labels(),
            "skipped": list(self.found.said),
        }


class Imports:
    """The last few looks, in memory."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Look] = OrderedDict()

    def keep(self, look: Look) -> None:
        """Until so many newer ones came."""
        self._kept[look.id] = look
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)

    def get(self, look_id: str) -> Look:
        """Raises Refusal (404)."""
        if look_id not in self._kept:
            raise Refusal(404, "not_found", "This import is gone: look at the files again.")
        return self._kept[look_id]

    def take(self, look_id: str) -> Look:
        """And forgets it: an import is made once. Raises Refusal (404)."""
        look = self.get(look_id)
        del self._kept[look_id]
        return look


def look_at(store: Store, entries: Collection[Entry], content: bytes | None, wish: Wish) -> Look:
    """What the files would bring: of a ZIP's bytes, or with None those in the folder itself.

    Raises InputError for files that can't be read, and Refusal (409) where they are of several
    formats.
    """
    folder = next(iter(entries)).root if entries else None
    if folder is None:
        raise InputError("There are no images in this folder that files could be for.")
    photos: frozenset[str] = frozenset()
    if content is None:
        photos = frozenset(entry.name for entry in entries)
        names = list(names_below(folder.path))
        # Through the open folder, which follows no link that was put there since it was listed.
        source = source_of(names, "This folder", lambda name: os.fdopen(folder.file(name), "rb"))
    else:
        source = bytes_source("The ZIP", content, _MAX_UNPACKED)
    form = _form(source, wish, photos)
    options = Options(wish.pattern, tuple(store.labels), photos)
    found = arrivals(read(form, source, options), entries, folder.path)
    repeated: dict[str, int] = {}
    for one in found.images:
        with suppress(InputError):  # a damaged document is told when its image's turn comes
            known = repeats(store.document(one.entry.name), one.annotations)
            repeated[one.entry.id] = sum(known)
    return Look(secrets.token_hex(8), form, found, repeated)


def _form(source: Source, wish: Wish, photos: frozenset[str]) -> str:
    """The format that is meant. Raises InputError, and Refusal (409) where there are several."""
    if wish.form != AUTO:
        return format_of(source, wish.form)
    if wish.pattern:
        return "indexed-png"
    found = detect(source, photos)
    if len(found) > 1:
        raise Refusal(
            409,
            "several_formats",
            f"{source.what} has files of several formats: choose which to import.",
            {"formats": found},
        )
    if found:
        return found[0]
    return format_of(source)


def picture_of(arrival: Arrival, thumbnail: bytes) -> bytes:
    """A JPEG of the thumbnail with what would come drawn on it."""
    shown = cv2.imdecode(np.frombuffer(thumbnail, np.uint8), cv2.IMREAD_COLOR_RGB)
    if shown is None:
        return thumbnail
    image = np.asarray(shown, np.uint8)
    height, width = image.shape[:2]
    for annotation in arrival.annotations[:200]:
        mask = annotation.runs.decode().view(np.uint8) * 255
        small = cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA)
        image = draw_mask(image, np.asarray(small > 64))
    return as_jpeg(image)
