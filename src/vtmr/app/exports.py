"""Annotations out of a folder: as records for `formats`, into a folder, or as a ZIP to be
fetched."""

from __future__ import annotations

import io
import re
import secrets
import zipfile
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from vtmr.app.document import Item
from vtmr.app.store import Store
from vtmr.atomic import make_folder, write_atomically
from vtmr.errors import InputError
from vtmr.formats import AnnotatedImage, Annotation, Files, write
from vtmr.formats.records import in_utf8, safe_part
from vtmr.masks import RunLengths

_KEPT = 4


def annotated_images(store: Store, *, only_done: bool) -> tuple[list[AnnotatedImage], list[str]]:
    """Every image that was accepted or has objects, by name, and a sentence for each whose
    annotations can't be read; empty masks are left out."""
    images: list[AnnotatedImage] = []
    for name in sorted(store.heads):
        head = store.heads[name]
        in_work = head.state == "in_work" or (head.state == "review" and head.objects > 0)
        if head.state == "done" or (in_work and not only_done):
            with suppress(InputError):  # it is among the damaged from now on
                images.append(_annotated(store, name))
    return images, [f"Left out: {sentence}" for _, sentence in sorted(store.damaged.items())]


def _annotated(store: Store, name: str) -> AnnotatedImage:
    """Raises InputError, and notes the image as damaged, when its annotations can't be read."""
    document = store.document(name)
    if document is None:
        raise store.blame(name, "its file is gone")
    height, width = document.height, document.width
    try:
        filled = [item for item in document.content.items if item.mask.box is not None]
        objects = [_annotation(item, height, width) for item in filled]
    except InputError as error:
        raise store.blame(name, error) from error
    return AnnotatedImage(name, height, width, tuple(objects))


def _annotation(item: Item, height: int, width: int) -> Annotation:
    runs = RunLengths.encode(item.mask.decode(height, width))
    return Annotation(item.label, runs, item.crowd, item.attributes, item.note)


def export_to_folder(files: Files, out: Path, photos: Path) -> list[Path]:
    """Writes the files below `out`, which is made, and links to those in `photos`; the files'
    paths.

    What can't be written is added to the files' `missing`. Raises InputError when nothing can be,
    and for a path that leads out.
    """
    root = out.resolve()
    written: list[Path] = []
    refused: list[InputError] = []
    for name, content in files.content.items():
        path = root / name
        _require_inside(path.resolve(), root, out)
        try:
            make_folder(path.parent)
            write_atomically(path, content)
            written.append(path)
        except InputError as error:
            refused.append(error)
    if refused and not written:
        raise refused[0]
    files.missing += map(str, refused)
    there = set(written)
    for link in files.links:
        path = root / link.path
        _require_inside(path.parent.resolve(), root, out)
        if root / link.of in there and not _linked(path, photos.resolve() / link.photo):
            files.warnings.append(f"{link.photo} couldn't be linked: copy it to {path}.")
    return written


def _require_inside(path: Path, root: Path, out: Path) -> None:
    if not path.is_relative_to(root):
        raise InputError(
            f"{path} leads out of {out}: remove the link in it or choose an empty folder."
        )


def _linked(link: Path, photo: Path) -> bool:
    """Whether `link` leads to the photo, which it is made to where it can be."""
    if link.exists() and not link.is_symlink():
        return True  # somebody put the photo itself there
    try:
        make_folder(link.parent)
        link.unlink(missing_ok=True)
        link.symlink_to(photo)
    except (OSError, InputError):
        return False
    return photo.is_file()


def member_name(name: str) -> str:
    """The name under which a file goes into a ZIP, which never leads out of where it is unpacked.

    Whoever unpacks it may run Windows, where \\ divides folders and C: is a disk. A name that isn't
    UTF-8 keeps its bytes as %XX.
    """
    parts = re.sub(r"[\\:\0-\x1f\ud800-\udfff]", "_", in_utf8(name)).split("/")
    inner = [part if part.strip(". ") else "_" * len(part) for part in parts]
    return "/".join(part for part in inner if part)


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
        """Raises InputError for an unknown format."""
        images, missing = annotated_images(store, only_done=only_done)
        files = write(form, images, labels)
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=3) as archive:
            taken: set[str] = set()
            for name, content in files.content.items():
                member = member_name(name)
                while member in taken:  # two names that differ in what can't stand there
                    member = f"{member}_"
                taken.add(member)
                archive.writestr(member, content)
        warnings = (*missing, *files.missing, *store.notices, *files.warnings)
        plain = (
            safe_part(project).encode("ascii", "ignore").decode("ascii") or "annotations"
        )  # goes into a header
        name = f"{plain}-{form}.zip"
        return Export(secrets.token_hex(8), name, stream.getvalue(), warnings)

    def keep(self, export: Export) -> None:
        """Until so many newer ones came."""
        self._kept[export.id] = export
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)

    def get(self, export_id: str, name: str) -> Export | None:
        export = self._kept.get(export_id)
        return export if export is not None and export.name == name else None
