"""What every format is written from and read into."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from vtmr.masks import RunLengths


@dataclass(frozen=True, slots=True)
class Annotation:
    """One object: what it is called and where it is."""

    label: str
    runs: RunLengths


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


@dataclass(slots=True)
class Files:
    """What an export wrote, by relative path, and a sentence for everything that the format
    couldn't keep."""

    content: dict[str, bytes] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def labels_of(images: Sequence[AnnotatedImage], first: Sequence[str]) -> list[str]:
    """The labels in `first`, then the others in the order in which they occur."""
    return list(
        dict.fromkeys(
            [*first, *(annotation.label for image in images for annotation in image.objects)]
        )
    )


def stems(images: Sequence[AnnotatedImage], files: Files) -> list[str]:
    """A stem per image, each once: where two images differ in their suffix alone, both keep it
    (with a warning)."""
    plain = [image.stem for image in images]
    repeated = (
        {stem for stem in plain if plain.count(stem) > 1} if len(set(plain)) < len(plain) else set()
    )
    for stem in sorted(repeated):
        files.warnings.append(
            f"Several images are called {stem}: their files keep the suffix in the name."
        )
    return [
        image.name if stem in repeated else stem for image, stem in zip(images, plain, strict=True)
    ]


def safe_part(label: str) -> str:
    """The label as a part of a file's name: letters, digits, - and _, at most 40."""
    return re.sub(r"[^\w-]+", "_", label).strip("_")[:40] or "object"
