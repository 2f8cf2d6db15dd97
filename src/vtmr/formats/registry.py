"""Every format by the name that users give it: what writes it, what reads it, how it is told from
others, and what it can't hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from types import MappingProxyType

from vtmr.errors import InputError
from vtmr.formats.cocoreader import read_coco
from vtmr.formats.cocowriter import write_coco, write_coco_polygons
from vtmr.formats.cvat import read_cvat, write_cvat
from vtmr.formats.datumaro import read_datumaro, write_datumaro
from vtmr.formats.details import lost_details
from vtmr.formats.detection import detect
from vtmr.formats.foreign import Foreign, Options
from vtmr.formats.labelme import read_labelme, write_labelme, write_labelme_polygons
from vtmr.formats.labelstudio import read_label_studio, write_label_studio
from vtmr.formats.maskpattern import BESIDE, PER_OBJECT, read_masks_by
from vtmr.formats.png import write_indexed_pngs, write_pngs
from vtmr.formats.records import AnnotatedImage, Files, leads_out
from vtmr.formats.sources import Source
from vtmr.formats.voc import read_voc, write_voc
from vtmr.formats.yolo import write_yolo
from vtmr.formats.yoloreader import read_yolo

AUTO = "auto"

Writer = Callable[[Sequence[AnnotatedImage], Sequence[str]], Files]
Reader = Callable[[Source, Options], Foreign]


@dataclass(frozen=True, slots=True)
class Format:
    """One format. title and about: for menus; loses: what its files can't hold, for the docs;
    write, read: None where it goes one way; crowds, attributes, notes: whether it keeps COCO's
    iscrowd and what is known of an object beside its label."""

    title: str
    about: str
    loses: str = "nothing but clicks and history"
    write: Writer | None = None
    read: Reader | None = None
    crowds: bool = False
    attributes: bool = False
    notes: bool = False


def _whole(read: Callable[[Source], Foreign]) -> Reader:
    """A reader that has no options."""
    return lambda source, options: read(source)


def _by(pattern: str) -> Reader:
    """A reader of mask files, of this pattern where no other is asked for."""
    return lambda source, options: read_masks_by(source, options, options.pattern or pattern)


_BY_SUFFIX = MappingProxyType({".json": "coco", ".xml": "cvat", ".txt": "yolo"})
_OVERLAPS = "pixels under other objects"
_CROWDS = "crowd marks"
_NOTES = "notes"
_DETAILS = "attributes and notes"

FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        "coco": Format(
            "COCO JSON",
            "Masks as run lengths, exact",
            write=write_coco,
            read=_whole(read_coco),
            crowds=True,
            attributes=True,
            notes=True,
        ),
        "coco-polygons": Format(
            "COCO JSON, polygons",
            "For programs that read no run lengths",
            write=write_coco_polygons,
            crowds=True,
            attributes=True,
            notes=True,
        ),
        "cvat": Format(
            "CVAT XML",
            "CVAT for images 1.1, with masks, exact",
            loses=f"{_CROWDS}, {_NOTES}",
            write=write_cvat,
            read=_whole(read_cvat),
            attributes=True,
        ),
        "label-studio": Format(
            "Label Studio JSON",
            "Tasks with brushes, exact",
            loses=f"{_CROWDS}, attributes",
            write=write_label_studio,
            read=_whole(read_label_studio),
            notes=True,
        ),
        "labelme": Format(
            "LabelMe JSON",
            "With masks, exact",
            loses=_CROWDS,
            write=write_labelme,
            read=_whole(read_labelme),
            attributes=True,
            notes=True,
        ),
        "labelme-polygons": Format(
            "LabelMe JSON, polygons",
            "A polygon for each part, to be edited point by point",
            loses=_CROWDS,
            write=write_labelme_polygons,
            attributes=True,
            notes=True,
        ),
        "voc": Format(
            "Pascal VOC",
            "A PNG of classes and one of objects",
            loses=f"{_OVERLAPS}, {_CROWDS}, {_DETAILS}, more than 254 labels or objects an image",
            write=write_voc,
            read=_whole(read_voc),
        ),
        "yolo": Format(
            "YOLO polygons",
            "A line per object: holes are lost",
            loses=f"holes, parts (joined by thin lines), specks, {_CROWDS}, {_DETAILS}",
            write=write_yolo,
            read=_whole(read_yolo),
        ),
        "datumaro": Format(
            "Datumaro JSON",
            "Masks as run lengths, exact",
            write=write_datumaro,
            read=_whole(read_datumaro),
            loses=_NOTES,
            crowds=True,
            attributes=True,
        ),
        "png": Format(
            "PNG per object",
            "Black and white, exact",
            loses=f"{_CROWDS}, {_DETAILS}; a label's odd characters become _",
            write=write_pngs,
            read=_by(PER_OBJECT),
        ),
        "indexed-png": Format(
            "Indexed PNG",
            "One picture, a number per object",
            loses=f"{_OVERLAPS}, {_CROWDS}, {_DETAILS}, more than 255 objects on an image",
            write=write_indexed_pngs,
            read=_by(BESIDE),
        ),
    }
)
WRITERS = tuple(name for name, form in FORMATS.items() if form.write is not None)
READERS = tuple(name for name, form in FORMATS.items() if form.read is not None)


def write(form: str, images: Sequence[AnnotatedImage], labels: Sequence[str]) -> Files:
    """The images in that format. An image whose name would lead out of the folder is missing.

    Args:
        form: One of `WRITERS`.
        images: With their objects.
        labels: The first labels, in order; others that occur follow.

    Returns:
        Content by relative path, and a sentence for everything that the format couldn't keep.

    Raises:
        InputError: For an unknown format.
    """
    found = FORMATS.get(form)
    if found is None or found.write is None:
        raise InputError(f"The format {form!r} is unknown: expected one of {', '.join(WRITERS)}.")
    inside = [image for image in images if not leads_out(image.name)]
    files = found.write(inside, labels)
    files.warnings += lost_details(inside, attributes=found.attributes, notes=found.notes)
    files.missing += [
        f"{image.name} isn't in the export: its name leads out of the folder."
        for image in images
        if leads_out(image.name)
    ]
    if not found.crowds:
        crowds = [one for image in inside for one in image.objects if one.crowd]
        files.lose("crowd marks", len(crowds))
    return files


def read(form: str, source: Source, options: Options = Options()) -> Foreign:
    """What the files say, in that format. Objects are decoded as they are asked for, so the source
    stays open until then.

    Raises InputError for an unknown format, and for files that are none of it.
    """
    found = FORMATS.get(form)
    if found is None or found.read is None:
        raise InputError(f"The format {form!r} is unknown: expected one of {', '.join(READERS)}.")
    foreign = found.read(source, options)
    if not foreign.images and not foreign.said.sentences():
        raise InputError(f"{source.what} has no files of {found.title}.")
    return foreign


def format_of(source: Source, asked: str = AUTO) -> str:
    """The format that is asked for; for "auto" the one that the files are of.

    Raises InputError where they are of none or of several.
    """
    if asked != AUTO:
        if asked not in READERS:
            expected = ", ".join((AUTO, *READERS))
            raise InputError(f"The format {asked!r} is unknown: expected {expected}.")
        return asked
    found = detect(source)
    if len(found) == 1:
        return found[0]
    alone = _BY_SUFFIX.get(PurePosixPath(source.names[0]).suffix.lower()) if source.names else None
    if not found and source.is_one_file and alone is not None:
        return alone  # its reader says what is wrong with it
    if not found:
        raise InputError(
            f"{source.what} is of no format that vtmr reads: expected one of {', '.join(READERS)}."
        )
    raise InputError(
        f"{source.what} has files of several formats ({', '.join(found)}): say which is meant."
    )
