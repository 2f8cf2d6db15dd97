"""`vtmr export-annotations`, `vtmr import-annotations` and `vtmr replay`: what lies in DIR/.vtmr,
written out, added to or played again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vtmr.app.document import Document, Item
from vtmr.app.exports import annotated_images, export_to_folder
from vtmr.app.importing import REPEATED, Arrivals, arrivals, asks, known_already
from vtmr.app.pictures import Pictures
from vtmr.app.project import Entry, list_images
from vtmr.app.sessions import Sessions
from vtmr.app.store import NotSavedError, Store
from vtmr.atomic import is_folder
from vtmr.cli import predictors
from vtmr.cli.annotate import made_with
from vtmr.errors import InputError
from vtmr.formats import READERS, WRITERS, AnnotatedImage, Files, read, write
from vtmr.formats.foreign import Options
from vtmr.formats.records import labels_of
from vtmr.formats.registry import AUTO, format_of
from vtmr.formats.sources import Source, opened_source
from vtmr.formats.yolo import locate
from vtmr.masks import iou
from vtmr.provenance import versions


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
    folder: Path,
    form: str,
    out: Path,
    *,
    only_done: bool,
    polygons: bool,
    follow_links: bool = False,
) -> tuple[list[Path], list[str], list[str]]:
    """Writes the annotations in that format below `out`; the files, the warnings, and sentences
    about what isn't in them. follow_links: as when the folder was annotated.

    Raises InputError.
    """
    if polygons and f"{form}-polygons" not in WRITERS:
        raise InputError(f"--polygons is for --format coco and labelme, not {form}: leave it out.")
    store = open_annotations(folder)
    entries = list_images(folder, follow_links=follow_links)
    found = annotated_images(store, entries, only_done=only_done)
    files = write_format(f"{form}-polygons" if polygons else form, found.images, store.labels, out)
    written = export_to_folder(files, out, folder)
    return written, [*found.warnings, *files.warnings], [*found.missing, *files.missing]


def write_format(
    form: str, images: Sequence[AnnotatedImage], labels: Sequence[str], out: Path
) -> Files:
    """What `formats.write` gives, for files that will lie below `out`. Raises InputError."""
    files = write(form, images, labels)
    if form == "yolo":
        locate(files, labels_of(images, labels), out.resolve())
    return files


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did, or would do. form: the format's name; objects and images: how many came,
    said: a sentence for everything that didn't; labels: how many objects have each. failed: nothing
    of it belongs to an image here, or an image took none of its objects."""

    form: str
    objects: int
    images: int
    labels: Mapping[str, int]
    said: tuple[str, ...]
    failed: bool


@dataclass(frozen=True, slots=True)
class HowToImport:
    """form: a format's name, or "auto". pattern: how mask files are called. repeated: what to do
    with objects that are there already. dry: nothing is changed. follow_links: as when the folder
    is annotated."""

    form: str = AUTO
    pattern: str = ""
    repeated: str = "ask"
    dry: bool = False
    follow_links: bool = False


def import_files(folder: Path, path: Path, how: HowToImport) -> Imported:
    """Adds the annotations in a file, a folder or a ZIP to the images that they name, one change
    an image.

    Raises InputError, also when objects are there already and `how.repeated` is "ask".
    """
    if how.repeated not in REPEATED:
        raise InputError(f"--repeated {how.repeated} is unknown: expected {', '.join(REPEATED)}.")
    entries = list_images(folder, follow_links=how.follow_links)
    with opened_source(path) as source:
        form, found = _read(source, path, how, entries, folder)
    if how.dry:
        return _imported(form, found, [len(one.annotations) for one in found.images], ())
    # Only now: files that can't be read, and a dry run, take no lock and make no .vtmr.
    store = Store(folder.resolve())
    try:
        if store.read_only is not None:
            raise InputError(store.read_only)
        known = known_already(store, found) if how.repeated == "ask" else []
        if any(known):
            raise InputError(
                f"{asks(sum(known), len(known) - sum(known))} --repeated skip adds the others "
                "alone, --repeated add all of them again."
            )
        counts, refused = _put_into(store, found, how.repeated)
    finally:
        store.close()
    return _imported(form, found, counts, refused)


def _imported(
    form: str, found: Arrivals, counts: Sequence[int], refused: Sequence[str]
) -> Imported:
    said, failed = (*found.said, *refused), bool(refused) or not found.images
    return Imported(form, sum(counts), len(counts), found.labels(), said, failed)


def _read(
    source: Source, path: Path, how: HowToImport, entries: Sequence[Entry], folder: Path
) -> tuple[str, Arrivals]:
    """The files' format, and their objects by image. Raises InputError, which names the file."""
    try:
        form = format_of(source, how.form)
        foreign = read(form, source, Options(how.pattern, _labels(folder)))
        return form, arrivals(foreign, entries, folder)
    except InputError as error:
        named = str(path) in str(error) or how.form not in (AUTO, *READERS)
        raise InputError(str(error) if named else f"{path}: {error}") from error


def _labels(folder: Path) -> tuple[str, ...]:
    """The project's, which number the values of mask files."""
    if not is_folder(folder / ".vtmr"):
        return ()
    return tuple(Store(folder, write=False).labels)


def _put_into(store: Store, found: Arrivals, repeated: str) -> tuple[list[int], list[str]]:
    """Commits every image's objects; how many came onto each, and why others didn't."""
    counts: list[int] = []
    refused: list[str] = []
    made = versions()
    for arrival in found.images:
        name = arrival.entry.name
        try:
            before = store.document(name) or Document(name, arrival.height, arrival.width)
            after, count = arrival.after(before, made, repeated=repeated)
            if count:
                store.commit(before, after)
                counts.append(count)
        except InputError as error:
            refused.append(f"{name}: {error}")
        except NotSavedError as error:
            raise InputError(
                f"{error} {sum(counts)} objects came onto {len(counts)} images before. Import the "
                "file again with --repeated skip."
            ) from error
    return counts, refused


def replay_folder(folder: Path, model: str, *, follow_links: bool = False) -> Iterator[Replayed]:
    """Plays every object's events again and compares the masks. follow_links: as when the folder
    was annotated.

    Raises InputError and CheckpointError.
    """
    store = open_annotations(folder)
    loaded = predictors.load(model)
    sessions, setup = Sessions(loaded.predictor), made_with(loaded)
    pictures = Pictures(loaded.predictor, sessions.forget)
    entries = {entry.name: entry for entry in list_images(folder, follow_links=follow_links)}
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
