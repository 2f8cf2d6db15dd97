"""`vtmr export-annotations` and `vtmr replay`: what lies in DIR/.vtmr, written out or played
again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vtmr.app.document import Document, Item
from vtmr.app.exports import annotated_images, export_to_folder
from vtmr.app.pictures import Pictures
from vtmr.app.project import list_images
from vtmr.app.sessions import Sessions
from vtmr.app.store import Store
from vtmr.atomic import is_folder
from vtmr.cli import predictors
from vtmr.cli.annotate import made_with
from vtmr.errors import InputError
from vtmr.formats import write
from vtmr.masks import iou


@dataclass(frozen=True, slots=True)
class Replayed:
    """One object played again. iou: with the stored mask, 1 when every bit is the same; error: why
    it wasn't played."""

    image: str
    object_id: str
    identical: bool
    iou: float | None
    same_setup: bool
    error: str | None = None

    def as_record(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}

    def in_words(self) -> str:
        """One line for a terminal."""
        start = f"{self.image} {self.object_id}:"
        if self.error is not None:
            return f"{start} {self.error}"
        if self.identical:
            return f"{start} identical"
        setup = (
            "the same model, versions and machine"
            if self.same_setup
            else "another model, version or machine"
        )
        return f"{start} IoU {self.iou:.6f}, made with {setup}"


def open_annotations(folder: Path) -> Store:
    """The folder's annotations for reading. Raises InputError when there are none."""
    if not is_folder(folder / ".vtmr"):
        raise InputError(
            f"{folder} has no annotations: expected a folder in which `vtmr annotate` was used."
        )
    return Store(folder, write=False)


def export_folder(
    folder: Path, form: str, out: Path, *, only_done: bool
) -> tuple[list[Path], list[str], list[str]]:
    """Writes the annotations in that format below `out`; the files, the warnings, and sentences
    about what isn't in them.

    Raises InputError.
    """
    store = open_annotations(folder)
    images, missing = annotated_images(store, only_done=only_done)
    files = write(form, images, store.labels)
    return export_to_folder(files, out), [*store.notices, *files.warnings], missing


def replay_folder(folder: Path, model: str) -> Iterator[Replayed]:
    """Plays every object's events again and compares the masks.

    Raises InputError and CheckpointError.
    """
    store = open_annotations(folder)
    loaded = predictors.load(model)
    sessions, setup = Sessions(loaded.predictor), made_with(loaded)
    pictures = Pictures(loaded.predictor, sessions.forget)
    entries = {entry.name: entry for entry in list_images(folder)}
    for name in sorted(store.heads):
        try:
            document = store.document(name)
        except InputError as error:
            yield Replayed(name, "", False, None, False, str(error))
            continue
        for item in document.content.items if document else ():
            try:
                if document is None or name not in entries:
                    raise InputError("the image is gone")
                picture = pictures.get(entries[name])
                session, _ = sessions.at(picture, item.region, item.steps)
                yield _compared(document, item, session.mask, setup)
            except InputError as error:
                yield Replayed(name, item.id, False, None, item.made_with == setup, str(error))


def _compared(document: Document, item: Item, mask: Any, setup: dict[str, str]) -> Replayed:
    stored = item.mask.decode(document.height, document.width)
    identical = mask.shape == stored.shape and bool((mask == stored).all())
    overlap = 1.0 if identical else iou(mask, stored) if mask.shape == stored.shape else 0.0
    return Replayed(document.name, item.id, identical, overlap, item.made_with == setup)
