"""COCO files among others of a source, as what every reader gives."""

from __future__ import annotations

from functools import partial

from vtmr.errors import InputError
from vtmr.formats.coco import CocoFile
from vtmr.formats.foreign import Foreign, ForeignImage
from vtmr.formats.sources import Source


def read_coco(source: Source) -> Foreign:
    """Every JSON file's images. Raises InputError when the only file isn't COCO's."""
    found = Foreign()
    for name in source.ending(".json") or list(source.names):
        try:
            add_coco(found, CocoFile.parse(source.read(name)))
        except InputError as error:
            if source.is_one_file:
                raise
            found.said.add("files", f"{name} was left out. {error}")
    return found


def add_coco(found: Foreign, coco: CocoFile) -> None:
    """What one file says."""
    found.said.add_all(coco.said)
    for key, image in coco.images.items():
        annotations = coco.annotations[key]
        # What has no outline is told when it is decoded, if there is anything at all.
        count = sum(one.has_outline for one in annotations) or len(annotations[:1])
        decode = partial(coco.annotated, key)
        found.images.append(ForeignImage((image.name,), image.size, count, decode))
