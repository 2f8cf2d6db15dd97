"""What every format is written from and read into, and what is said of what got lost."""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import PurePosixPath

from vtmr.masks import RunLengths

DEFAULT_LABEL = "object"
MAX_LABEL = 100  # characters
_MAX_NAME = 255  # bytes, on every file system in use
_SAID_IN_FULL = 20  # sentences of a kind

Attributes = tuple[tuple[str, str], ...]  # names, each once, with their values


@dataclass(frozen=True, slots=True)
class Annotation:
    """One object: what it is called and where it is.

    crowd: COCO's mark for a region that holds many. attributes, note: what else is known of it.
    """

    label: str
    runs: RunLengths
    crowd: bool = False
    attributes: Attributes = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class AnnotatedImage:
    """An image and its objects, the uppermost last. name: the path below the folder, with forward
    slashes."""

    name: str
    height: int
    width: int
    objects: tuple[Annotation, ...]

    @property
    def stem(self) -> str:
        """The name without its suffix."""
        return str(PurePosixPath(self.name).with_suffix(""))


@dataclass(frozen=True, slots=True)
class Link:
    """A path at which a photo belongs: beside the file `of` it, and only with that."""

    path: str
    photo: str
    of: str


@dataclass(slots=True)
class Files:
    """What an export wrote, by relative path.

    warnings: a sentence for everything that the format couldn't keep. missing: one for every image
    that isn't in it. links: the photos that belong with the files. losses: how often what was lost,
    over all images, in the words of `lose`.
    """

    content: dict[str, bytes] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    losses: Counter[str] = field(default_factory=Counter)

    def lose(self, what: str, count: int) -> None:
        """Counts a loss. what: a plural with what became of them, such as "holes filled"."""
        if count:
            self.losses[what] += count

    def lose_overlaps(self, name: str, pixels: int) -> None:
        """Of an image whose format holds one object a pixel."""
        if pixels:
            self.warnings.append(
                f"{name}: objects overlap in {pixels} pixels, which only the upper one keeps."
            )
            self.lose("pixels under other objects", pixels)

    def lost(self) -> list[str]:
        """A line for each kind of loss, the largest number first."""
        return [f"{what[0].upper()}{what[1:]}: {n:,}" for what, n in self.losses.most_common()]


class Summary:
    """Sentences about what was left out: of each kind the first few in full, then how many more."""

    def __init__(self) -> None:
        self._kept: dict[str, list[str]] = {}
        self._counts: Counter[str] = Counter()

    def add(self, kind: str, sentence: str) -> None:
        """kind: a plural, such as "images"."""
        kept = self._kept.setdefault(kind, [])
        self._counts[kind] += 1
        if len(kept) < _SAID_IN_FULL:
            kept.append(sentence)

    def add_all(self, other: Summary) -> None:
        """What another one has."""
        for kind, kept in other._kept.items():
            mine = self._kept.setdefault(kind, [])
            mine += kept[: _SAID_IN_FULL - len(mine)]
            self._counts[kind] += other._counts[kind]

    def sentences(self) -> list[str]:
        """All of them, kind by kind."""
        said: list[str] = []
        for kind, kept in self._kept.items():
            more = self._counts[kind] - len(kept)
            said += [*kept, f"The same holds for {more:,} more {kind}."] if more else kept
        return said


def labels_of(images: Sequence[AnnotatedImage], first: Sequence[str]) -> list[str]:
    """The labels in `first`, then the others in the order in which they occur."""
    return list(
        dict.fromkeys(
            [*first, *(annotation.label for image in images for annotation in image.objects)]
        )
    )


@lru_cache(4096)
def plain_label(name: str) -> str:
    """The name as a label: printable, in one line, at most 100 characters; "object" for none."""
    plain = "".join(letter if letter.isprintable() else " " for letter in name)
    return " ".join(plain.split())[:MAX_LABEL].strip() or DEFAULT_LABEL


def stems(images: Sequence[AnnotatedImage], files: Files, ending: str = "") -> list[str]:
    """A stem per image, each once: where two images differ in their suffix alone, both keep it, and
    so does an image whose stem is then another one's name (with a warning).

    ending: what will be added; a name that is too long with it is cut (with a warning).
    """
    plain = [image.stem for image in images]
    names = _each_once(images, plain)
    kept = {stem for stem, name in zip(plain, names, strict=True) if name != stem}
    for stem in sorted(kept):
        files.warnings.append(
            f"Several images are called {stem}: their files keep the suffix in the name."
        )
    found = []
    for image, whole in zip(images, names, strict=True):
        short = _short(whole, ending)
        if short != whole:
            files.warnings.append(
                f"{image.name}: its name is too long for its files, which are called {short}."
            )
        found.append(short)
    return found


def _each_once(images: Sequence[AnnotatedImage], plain: Sequence[str]) -> list[str]:
    """The stems, and whole names, which no two images share, wherever one is another one's."""
    names = list(plain)
    while True:
        counts = Counter(names)
        shared = [
            index
            for index, (name, image) in enumerate(zip(names, images, strict=True))
            if counts[name] > 1 and name != image.name
        ]
        if not shared:
            return names
        for index in shared:
            names[index] = images[index].name


def _short(stem: str, ending: str) -> str:
    """The stem, its last part cut and marked so that it fits into a file system's names."""
    folder, slash, last = stem.rpartition("/")
    if len(os.fsencode(last + ending)) <= _MAX_NAME:
        return stem
    mark = "~" + hashlib.sha256(os.fsencode(stem)).hexdigest()[:8]
    while len(os.fsencode(last + mark + ending)) > _MAX_NAME:
        last = last[:-1]
    return folder + slash + last + mark


def safe_part(label: str) -> str:
    """The label as a part of a file's name: letters, digits, - and _, at most 40."""
    return re.sub(r"[^\w-]+", "_", label).strip("_")[:40] or "object"


def in_utf8(name: str) -> str:
    """A file's name with the bytes that aren't UTF-8 as %XX."""
    return "".join(
        f"%{ord(letter) - 0xDC00:02X}" if "\udc80" <= letter <= "\udcff" else letter
        for letter in name
    )


def leads_out(name: str) -> bool:
    """Whether a path, as any system reads it, might lead out of the folder that it is laid in."""
    parts = re.split(r"[/\\]", name)
    return name.startswith(("/", "\\")) or ".." in parts or "" in name.split("/") or "\0" in name
