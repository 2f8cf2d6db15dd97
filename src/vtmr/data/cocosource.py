"""A folder of images with a COCO file beside it, as a source of objects."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from vtmr.data.sources import IMAGE_SUFFIXES, composed, entry, read_data_image
from vtmr.errors import DataError, InputError
from vtmr.formats.coco import CocoAnnotation, CocoFile
from vtmr.formats.cocoshapes import coco_runs
from vtmr.formats.placing import Placed, place
from vtmr.formats.records import Summary
from vtmr.images import read_header
from vtmr.masks import Mask
from vtmr.types import Image

Size = tuple[int, int]  # height, width


@dataclass(frozen=True)
class CocoSource:
    """`images/**` with a COCO `instances.json`; an object id is an annotation's id.

    Stems are paths below `images` without their suffix. Crowds are left out, and so is whatever
    can't be used; findings: a sentence about each. sizes: of the images whose size the file says.
    """

    name: str
    images: dict[str, Path]
    sizes: dict[str, Size]
    annotations: dict[str, dict[str, CocoAnnotation]]
    findings: tuple[str, ...] = ()

    @staticmethod
    def open(name: str, root: Path) -> CocoSource:
        """Raises DataError when the JSON is missing or isn't COCO's, when two of its images differ
        in their suffix alone, and when no object is left."""
        path, folder = root / "instances.json", root / "images"
        coco = _read(path)
        said = Summary()
        said.add_all(coco.said)
        objects = {key: _objects_of(coco, key, said) for key in coco.images}
        names = [image.name for image in coco.images.values()]
        # A folder whose photos were converted still goes with its JSON.
        placed = place(names, list(_images_below(folder)), folder, any_suffix=True)
        images, sizes, merged = _by_stem(coco, objects, placed, folder)
        wanted = {coco.images[key].name for key in objects if objects[key]}
        missing = sorted(wanted - placed.files.keys())
        for absent in missing:
            said.add("images", placed.reasons[absent])
        findings = tuple(said.sentences())
        if not images and missing:
            raise DataError(
                f"{path} names {len(missing)} image(s) that {folder} lacks, first "
                f"{PurePosixPath(missing[0]).stem!r}."
            )
        if not images:
            raise DataError(f"{path} holds no object to use. {' '.join(findings)}".rstrip())
        return CocoSource(name, images, sizes, merged, findings)

    @property
    def stems(self) -> tuple[str, ...]:
        """See `Source.stems`."""
        return tuple(self.images)

    def image(self, stem: str) -> Image:
        """See `Source.image`: uint8 H x W x 3."""
        return read_data_image(entry(self.images, stem, self.name))

    def object_ids(self, stem: str) -> tuple[str, ...]:
        """See `Source.object_ids`."""
        return tuple(entry(self.annotations, stem, self.name))

    def mask(self, stem: str, object_id: str) -> Mask:
        """See `Source.mask`: bool H x W."""
        where = f"{self.name}/{stem}"
        annotation = entry(entry(self.annotations, stem, self.name), object_id, where)
        try:
            # Run lengths need a size; the photo's header is read only where the JSON doesn't say
            # it.
            size = self.sizes.get(stem) or _size_of(self.images[stem])
            return coco_runs(annotation.segmentation, *size).decode()
        except InputError as error:
            name = f"{self.name}: annotation {object_id} of {stem!r}"
            raise DataError(f"{name} has no readable mask: {str(error).rstrip('.')}.") from error


def _read(path: Path) -> CocoFile:
    try:
        return CocoFile.parse(path.read_bytes())
    except InputError as error:
        raise DataError(f"{path} is not a COCO instances file. {error}") from error
    except OSError as error:
        raise DataError(
            f"{path} is not a COCO instances file: it can't be read ({error.strerror or error})."
        ) from error


def _objects_of(coco: CocoFile, key: str, said: Summary) -> list[CocoAnnotation]:
    """An image's annotations that aren't crowds and have something like an outline."""
    found = []
    for annotation in coco.annotations[key]:
        if not annotation.has_outline:
            said.add(
                "annotations",
                f"{coco.images[key].name}: annotation {annotation.id} has no outline, only a box "
                "or nothing.",
            )
        elif not annotation.crowd:
            found.append(annotation)
    return found


def _by_stem(
    coco: CocoFile, objects: dict[str, list[CocoAnnotation]], placed: Placed, folder: Path
) -> tuple[dict[str, Path], dict[str, Size], dict[str, dict[str, CocoAnnotation]]]:
    """Images, sizes and annotations by stem, in the order of the images' names."""
    images: dict[str, Path] = {}
    sizes: dict[str, Size] = {}
    merged: defaultdict[str, dict[str, CocoAnnotation]] = defaultdict(dict)
    times: defaultdict[str, Counter[str]] = defaultdict(Counter)
    found = [key for key in coco.images if coco.images[key].name in placed.files and objects[key]]
    for key in sorted(found, key=lambda key: placed.files[coco.images[key].name]):
        file = placed.files[coco.images[key].name]
        stem = composed(str(PurePosixPath(file).with_suffix("")))
        # Two entries of one file are one image with the objects of both; two files aren't.
        if images.setdefault(stem, folder / file) != folder / file:
            raise DataError(
                f"{folder} holds {images[stem].name} and {PurePosixPath(file).name}: expected one "
                "file a stem."
            )
        size = coco.images[key].size
        if size is not None:
            sizes[stem] = size
        for annotation in objects[key]:
            times[stem][annotation.id] += 1
            repeat = times[stem][annotation.id]
            own_id = annotation.id
            if repeat > 1:  # of COCO's files some give two annotations one id
                own_id = f"{annotation.id}#{repeat}"
            merged[stem][own_id] = annotation
    return images, sizes, dict(merged)


def _images_below(folder: Path) -> Iterator[str]:
    """Paths of the image files in it and its subfolders, with forward slashes; hidden ones are left
    out. Raises DataError when it can't be listed."""

    def refuse(error: OSError) -> None:
        raise DataError(
            f"{error.filename} can't be read: {error.strerror or error}. Check the data set's path."
        ) from error

    for above, folders, files in os.walk(folder, onerror=refuse):
        # In place: os.walk goes down into what is left of the list, in its order.
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            path = Path(above) / name
            if path.suffix.lower() in IMAGE_SUFFIXES and not name.startswith("."):
                yield path.relative_to(folder).as_posix()


def _size_of(path: Path) -> Size:
    header = read_header(path)
    return header.height, header.width
