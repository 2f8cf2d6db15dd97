"""The images of a folder, each under an id that says nothing of paths: what isn't in this list
can't be asked for."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from vtmr.errors import InputError

HIDDEN_FOLDER = ".vtmr"
SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".jpe", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif")
    + (".ppm", ".pgm", ".pbm", ".pnm", ".jp2", ".j2k", ".jpx", ".avif")
)
MASK_SUFFIX = ".mask.png"
_MAX_IMAGES = 100_000


@dataclass(frozen=True, slots=True)
class Entry:
    """An image of the project. name: its path below the folder, with forward slashes."""

    id: str
    name: str
    path: Path

    def version(self) -> str:
        """Changes when the file does. Raises InputError when it is gone."""
        try:
            stat = self.path.lstat()
        except OSError as error:
            raise InputError(f"{self.name} can't be read: {error.strerror or error}.") from error
        return f"{stat.st_mtime_ns:x}-{stat.st_size:x}"

    def require_inside(self) -> None:
        """Raises InputError when the file has become a way out of the folder since that was
        listed."""
        if self.path.resolve() != self.path:
            raise InputError(
                f"{self.name} has become a link: expected a file in the folder itself."
            )

    def mask_beside(self) -> Path | None:
        """NAME.mask.png beside NAME.jpg, when it is there as a plain file."""
        path = self.path.with_name(self.path.stem + MASK_SUFFIX)
        return path if path.is_file() and path.resolve() == path else None


def list_images(folder: Path) -> list[Entry]:
    """The folder's images by name, subfolders included; hidden files, masks beside images and all
    links are left out.

    Raises InputError when `folder` isn't one or can't be listed.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder: expected one with images.")
    root = folder.resolve()
    names = sorted(_names(root, ""))
    images = set(names)
    return [
        Entry(image_id(name), name, root / name)
        for name in names[:_MAX_IMAGES]
        if not (
            name.lower().endswith(MASK_SUFFIX) and _has_image(name[: -len(MASK_SUFFIX)], images)
        )
    ]


def image_id(name: str) -> str:
    """The id of the image of that name."""
    return hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:20]


def _names(folder: Path, prefix: str) -> Iterator[str]:
    """Names of image files below; links aren't followed, so that nothing outside the folder is ever
    listed."""
    try:
        found = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        if prefix:
            return  # a subfolder that may not be listed
        raise InputError(f"{folder} can't be listed: {error.strerror or error}.") from error
    for entry in found:
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _names(folder / entry.name, f"{prefix}{entry.name}/")
        suffix = os.path.splitext(entry.name)[1].lower()  # noqa: PTH122 (a Path for each is slow)
        if entry.is_file(follow_symlinks=False) and suffix in SUFFIXES:
            yield prefix + entry.name


def _has_image(stem: str, names: set[str]) -> bool:
    return any(stem + suffix in names or stem + suffix.upper() in names for suffix in SUFFIXES)
