"""Annotations out of a folder: as records for `formats`, into a folder, or as a ZIP to be
fetched."""

from __future__ import annotations

import io
import secrets
import zipfile
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vtmr.app.store import Store
from vtmr.atomic import make_folder, write_atomically
from vtmr.errors import InputError
from vtmr.formats import AnnotatedImage, Annotation, Files, write
from vtmr.formats.records import safe_part
from vtmr.masks import RunLengths

_KEPT = 4


def annotated_images(store: Store, *, only_done: bool) -> list[AnnotatedImage]:
    """Every image that was accepted or has objects, by name; empty masks are left out.

    Raises InputError.
    """
    images = []
    for name in sorted(store.heads):
        head = store.heads[name]
        if head.state == "done" or (head.state == "in_work" and not only_done):
            document = store.document(name)
            if document is not None:
                height, width = document.height, document.width
                objects = (
                    Annotation(item.label, RunLengths.encode(item.mask.decode(height, width)))
                    for item in document.content.items
                    if item.mask.box is not None
                )
                images.append(AnnotatedImage(name, height, width, tuple(objects)))
    return images


def export_to_folder(files: Files, out: Path) -> list[Path]:
    """Writes the files below `out`, which is made; the paths.

    Raises InputError when one can't be written.
    """
    root = out.resolve()
    written = []
    for name, content in files.content.items():
        path = root / name
        if not path.resolve().is_relative_to(root):
            raise InputError(
                f"{path} leads out of {out}: remove the link in it or choose an empty folder."
            )
        make_folder(path.parent)
        write_atomically(path, content)
        written.append(path)
    return written


@dataclass(frozen=True, slots=True)
class Export:
    """A ZIP that waits to be fetched."""

    id: str
    name: str
    data: bytes
    warnings: tuple[str, ...]


class Exports:
    """The last few exports, in memory."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Export] = OrderedDict()

    def make(
        self, store: Store, project: str, form: str, labels: Sequence[str], *, only_done: bool
    ) -> Export:
        """Raises InputError for an unknown format or what can't be stored in it."""
        files = write(form, annotated_images(store, only_done=only_done), labels)
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=3) as archive:
            for name, content in files.content.items():
                archive.writestr(name, content)
        plain = (
            safe_part(project).encode("ascii", "ignore").decode("ascii") or "annotations"
        )  # goes into a header
        name = f"{plain}-{form}.zip"
        return Export(secrets.token_hex(8), name, stream.getvalue(), tuple(files.warnings))

    def keep(self, export: Export) -> None:
        """Until so many newer ones came."""
        self._kept[export.id] = export
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)

    def get(self, export_id: str, name: str) -> Export | None:
        export = self._kept.get(export_id)
        return export if export is not None and export.name == name else None
