"""Annotations out of a folder: as records for `formats`, into a folder, or as a ZIP to be
fetched."""

from __future__ import annotations

import io
import os
import re
import secrets
import zipfile
from collections import OrderedDict
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from vtmr.app.document import Item
from vtmr.app.project import Entry, size_of
from vtmr.app.store import Store
from vtmr.atomic import make_folder, write_atomically
from vtmr.errors import InputError
from vtmr.formats import AnnotatedImage, Annotation, Files, write
from vtmr.formats.records import in_utf8, safe_part
from vtmr.masks import RunLengths

_KEPT = 4


@dataclass(frozen=True, slots=True)
class Gathered:
    """What is to be exported, by name. missing: a sentence for everything that isn't in it;
    warnings: for what is to be known of it."""

    images: list[AnnotatedImage]
    missing: list[str]
    warnings: list[str]


def annotated_images(store: Store, entries: Collection[Entry], *, only_done: bool) -> Gathered:
    """Every image that was accepted or has objects; empty masks are left out.

    Missing are those whose annotations can't be read or are of a picture of another size than the
    folder's, and what the journal lost. Reads the images' headers.
    """
    found = Gathered([], [], [note for note in store.notices if note not in store.lost])
    by_name = {entry.name: entry for entry in entries}
    for name in sorted(store.heads):
        head = store.heads[name]
        in_work = head.state == "in_work" or (head.state == "review" and head.objects > 0)
        if head.state == "done" or (in_work and not only_done):
            with suppress(InputError):  # it is among the damaged from now on
                _gather(found, _annotated(store, name), by_name.get(name))
    found.missing.extend(f"Left out: {said}" for _, said in sorted(store.damaged.items()))
    found.missing.extend(store.lost)
    return found


def _gather(found: Gathered, image: AnnotatedImage, entry: Entry | None) -> None:
    """Adds an image, if it is still the one that was annotated."""
    if entry is None:
        found.warnings.append(
            f"{image.name} isn't in the folder any more, or under another name: its annotations "
            "are exported all the same."
        )
        found.images.append(image)
        return
    try:
        height, width = size_of(entry)
    except InputError as error:
        found.warnings.append(f"{error} Its annotations are exported all the same.")
        found.images.append(image)
        return
    if (height, width) == (image.height, image.width):
        found.images.append(image)
        return
    found.missing.append(
        f"Left out: {image.name} has {width}x{height} pixels, but its annotations are of an image "
        f"of {image.width}x{image.height}. Put the image back that was annotated."
    )


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
        # With links followed: one that lies in the folder may lead out of it.
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
        # Of its folder alone: the link itself is to lead out, to the photo.
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
    """Whether `link` leads to the photo, which it is made to where it can be.

    It may be what the photo was opened by: a link that leads there already is left as it is.
    """
    if link.exists() and not link.is_symlink():
        return True  # somebody put the photo itself there
    if not photo.is_file():
        return False
    fresh = link.with_name(f".vtmr-{os.getpid()}")  # in one step: no link is lost on the way
    try:
        if link.exists() and link.samefile(photo):
            return True
        make_folder(link.parent)
        fresh.symlink_to(photo)
        fresh.replace(link)
    except (OSError, InputError):
        with suppress(OSError):
            fresh.unlink(missing_ok=True)
        return False
    return True


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
    """A ZIP that waits to be fetched. warnings: a sentence each; losses: summed up over images."""

    id: str
    name: str
    data: bytes
    warnings: tuple[str, ...]
    losses: tuple[str, ...] = ()


class Exports:
    """The last few exports, in memory."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Export] = OrderedDict()

    def make(
        self, store: Store, entries: Collection[Entry], project: str, form: str, *, only_done: bool
    ) -> Export:
        """Raises InputError for an unknown format."""
        found = annotated_images(store, entries, only_done=only_done)
        files = write(form, found.images, store.labels)
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=3) as archive:
            taken: set[str] = set()
            for name, content in files.content.items():
                member = member_name(name)
                while member in taken:  # two names that differ in what can't stand there
                    member = f"{member}_"
                taken.add(member)
                archive.writestr(member, content)
        warnings = (*found.missing, *files.missing, *found.warnings, *files.warnings)
        plain = (
            safe_part(project).encode("ascii", "ignore").decode("ascii") or "annotations"
        )  # goes into a header
        name = f"{plain}-{form}.zip"
        losses = tuple(files.lost())
        return Export(secrets.token_hex(8), name, stream.getvalue(), warnings, losses)

    def keep(self, export: Export) -> None:
        """Until so many newer ones came."""
        self._kept[export.id] = export
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)

    def get(self, export_id: str, name: str) -> Export | None:
        export = self._kept.get(export_id)
        return export if export is not None and export.name == name else None
