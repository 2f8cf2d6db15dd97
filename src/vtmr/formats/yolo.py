"""YOLO's segmentation text: an object per line, as one polygon, normalised.

A polygon has neither holes nor parts: holes are filled, and parts are joined by lines that are
walked out and back, as Ultralytics' own converter from COCO does it. What Ultralytics 8.4 expects
beside the labels: data.yaml, and the photos under `images` where the labels have `labels`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from vtmr.formats.outlines import Part, Ring, joined, parts_of
from vtmr.formats.records import AnnotatedImage, Annotation, Files, Link, in_utf8, labels_of, stems

_SMALLEST_PART = 4  # pixels
_SMALLEST_SHARE = 0.001  # of the object
DATA_FILE = "data.yaml"
_READ_BY_ULTRALYTICS = frozenset(
    (".avif", ".bmp", ".jp2", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
)


def write_yolo(images: Sequence[AnnotatedImage], labels: Sequence[str]) -> Files:
    """labels/NAME.txt and data.yaml, with one warning for what an image's objects lost."""
    names, files = labels_of(images, labels), Files()
    numbers = {name: number for number, name in enumerate(names)}
    for image, stem in zip(images, stems(images, files, ".jpeg"), strict=True):
        losses, lines = _Losses(), []
        for annotation in image.objects:
            ring = _ring(annotation, losses)
            if ring is not None:
                lines.append(_line(numbers[annotation.label], ring, image))
        label_path = _label_path(stem)
        files.content[label_path] = "".join(lines).encode()
        suffix = PurePosixPath(image.name).suffix
        files.links.append(Link(f"images/{stem}{suffix}", image.name, label_path))
        if suffix.lower() not in _READ_BY_ULTRALYTICS:
            losses.said.append(f"Ultralytics doesn't read {suffix} files")
        losses.count_in(files)
        if losses.said or losses.any:
            files.warnings.append(f"{image.name}: {losses.in_words()}.")
    files.content[DATA_FILE] = _data_yaml(names, None)
    return files


def locate(files: Files, names: Sequence[str], root: Path) -> None:
    """Says in data.yaml in which folder it lies: then it trains from anywhere.

    names: of the classes, in order.
    """
    files.content[DATA_FILE] = _data_yaml(names, root)


@dataclass(slots=True)
class _Losses:
    """What an image's polygons don't keep of its masks."""

    holes: int = 0
    joined: int = 0
    specks: int = 0
    speck_px: float = 0
    said: list[str] = field(default_factory=list)

    @property
    def any(self) -> bool:
        return bool(self.holes or self.joined or self.specks)

    def count_in(self, files: Files) -> None:
        """Adds them to the losses of all images."""
        files.lose("holes filled", self.holes)
        files.lose("objects of several parts joined by thin lines", self.joined)
        files.lose("specks left out", self.specks)

    def in_words(self) -> str:
        words = []
        if self.holes:
            words.append(f"{_count(self.holes, 'hole')} filled")
        if self.joined:
            words.append(f"{_count(self.joined, 'object')} of several parts joined by thin lines")
        if self.specks:
            words.append(f"{_count(self.specks, 'speck')} of {self.speck_px:.0f} px left out")
        return "; ".join([*words, *self.said])


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number > 1)}"


def _ring(annotation: Annotation, losses: _Losses) -> Ring | None:
    """The object as one ring; None for an empty mask."""
    mask = annotation.runs.decode()
    parts = sorted(parts_of(mask), key=lambda part: part.area, reverse=True)
    if not parts:
        return None
    least = max(_SMALLEST_PART, _SMALLEST_SHARE * int(mask.sum()))
    kept = [part for part in parts if part.area >= least] or parts[:1]
    _count_losses(parts, kept, losses)
    return joined([part.outline for part in kept])


def _count_losses(parts: Sequence[Part], kept: Sequence[Part], losses: _Losses) -> None:
    losses.holes += sum(len(part.holes) for part in kept)
    losses.joined += len(kept) > 1
    losses.specks += len(parts) - len(kept)
    losses.speck_px += sum(part.area for part in parts[len(kept) :])


def _line(number: int, ring: Ring, image: AnnotatedImage) -> str:
    values = (ring / (image.width, image.height)).reshape(-1)
    return f"{number} {' '.join(f'{value:.6f}' for value in values)}\n"


def _label_path(stem: str) -> str:
    """Where Ultralytics looks for the labels of images/STEM: of the path's folders called `images`
    the last becomes `labels`."""
    above, _, below = f"/images/{stem}.txt".rpartition("/images/")
    return f"{above}/labels/{below}".removeprefix("/")


def _data_yaml(names: Sequence[str], root: Path | None) -> bytes:
    """Ultralytics' description of a data set. Without a path the file's own folder counts."""
    lines = ["# The photos belong into images/, in the subfolders and under the names they have."]
    # YAML has no way to write a path that isn't UTF-8.
    if root is not None and in_utf8(str(root)) == str(root):
        lines.append(f"path: {_quoted(str(root))}")
    # Ultralytics refuses a file that lacks either; how to divide the photos is the user's to say.
    lines += ["train: images", "val: images", "names:"]
    lines += [f"  {number}: {_quoted(name)}" for number, name in enumerate(names)]
    return ("\n".join(lines) + "\n").encode()


def _quoted(text: str) -> str:
    """In YAML's double quotes. JSON's would do, but for characters beyond 16 bits and unprintable
    ones, whose escapes differ."""
    letters = []
    for letter in text:
        if letter in '"\\':
            letters.append("\\" + letter)
        elif letter.isprintable():
            letters.append(letter)
        elif "\ud800" <= letter <= "\udfff":
            letters.append("\ufffd")
        else:
            letters.append(f"\\U{ord(letter):08X}")
    return f'"{"".join(letters)}"'
