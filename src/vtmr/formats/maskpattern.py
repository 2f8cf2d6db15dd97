"""Mask files called after their images, by whatever pattern: `{name}.mask.png`, `{name}_mask.png`,
`masks/{name}.png`, `{name}/{number}-{label}.png`.

In a pattern {name} is the image's path without its suffix, {label} an object's label, {number} any
digits, and * anything within a folder's or a file's name. What stands before {name} is looked for
in any folder.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from types import MappingProxyType

from vtmr.errors import InputError
from vtmr.formats.foreign import Decoded, Foreign, ForeignImage, Options, Size
from vtmr.formats.png import masks_of
from vtmr.formats.records import Annotation, Summary, plain_label
from vtmr.formats.sources import Source
from vtmr.maskfiles import MaskFile, read_mask_bytes
from vtmr.masks import RunLengths

BESIDE = "{name}.mask.png"  # as `indexed-png` and the annotator have it
PER_OBJECT = "{name}/{number}-{label}.png"  # as `png` has it
_LONGEST = 200  # characters
_SUFFIXES = (".png", ".bmp", ".tif", ".tiff", ".gif", ".webp")
_PARTS: Mapping[str, str] = MappingProxyType(
    {
        "{name}": r"(?P<name>.+)",
        "{label}": r"(?P<label>[^/]+)",
        "{number}": r"\d+",
        "*": r"[^/]*",
    }
)


def read_masks_by(source: Source, options: Options, pattern: str) -> Foreign:
    """The images whose mask files are called by the pattern. Raises InputError for a pattern that
    is none."""
    shape = compiled(pattern)
    files: defaultdict[str, list[_File]] = defaultdict(list)
    for path in source.ending(*_SUFFIXES):
        found = shape.fullmatch(path)
        if found is not None:
            folder, name = found["folder"] or "", found["name"]
            if path in options.images and path.startswith(f"{folder}{name}."):
                continue  # the photo itself, as by {name}.png
            label = found.groupdict().get("label") or ""
            files[folder + name].append(_File(path, label))
    images = [
        # With a suffix, so that a dot in the name isn't taken for one.
        ForeignImage(
            (f"{name}.png",), None, len(of_image), partial(_decoded, source, of_image, options)
        )
        for name, of_image in files.items()
    ]
    return Foreign(images, any_suffix=True)


def compiled(pattern: str) -> re.Pattern[str]:
    """The pattern as a regular expression of whole paths. Raises InputError."""
    expected = f"expected one such as {BESIDE} or {PER_OBJECT}"
    # Few *, as each multiplies the ways in which the search tries a name that doesn't fit.
    if pattern.count("{name}") != 1 or len(pattern) > _LONGEST or pattern.count("*") > 3:
        raise InputError(f"The pattern {pattern[:80]!r} has no single {{name}}: {expected}.")
    pieces = re.split(r"(\{[^{}/]*\}|\*)", pattern.replace("\\", "/").removeprefix("/"))
    expression = "(?P<folder>(?:.*/)?)" if not pattern.startswith("{name}") else "(?P<folder>)"
    for piece in pieces:
        if piece.startswith("{") and piece not in _PARTS:
            raise InputError(f"The pattern {pattern!r} has {piece}, which is unknown: {expected}.")
        expression += _PARTS.get(piece, re.escape(piece))
    if pattern.count("{label}") > 1:
        raise InputError(f"The pattern {pattern!r} has {{label}} twice: {expected}.")
    return re.compile(expression, re.IGNORECASE)


class _File:
    """A mask file and the label that its name tells, if any."""

    __slots__ = ("label", "path")

    def __init__(self, path: str, label: str) -> None:
        self.path, self.label = path, label


def _decoded(source: Source, files: Sequence[_File], options: Options, size: Size) -> Decoded:
    """The objects of an image's mask files; a file that can't be read costs itself alone."""
    objects: list[Annotation] = []
    said = Summary()
    for file in files:
        try:
            mask_file = read_mask_bytes(file.path, source.read(file.path), size)
        except InputError as error:
            said.add("mask files", str(error))
            continue
        for note in mask_file.notes:
            said.add("notes", f"{file.path}: {note}")
        objects += _objects(file, mask_file, options.labels)
    return objects, said


def _objects(file: _File, mask_file: MaskFile, labels: Sequence[str]) -> list[Annotation]:
    """All that is in a file whose name tells its label, as one object; else an object a value."""
    if not file.label:
        return masks_of(mask_file, labels)
    everything = mask_file.everything
    if not everything.any():
        return []
    return [Annotation(plain_label(file.label), RunLengths.encode(everything))]
