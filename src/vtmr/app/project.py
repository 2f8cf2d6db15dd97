"""The images of a folder, each under an id that says nothing of paths: what isn't in this list
can't be asked for."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from vtmr.app.directory import BY_DESCRIPTOR, Directory
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
    """An image of the project. name: its path below the folder, with forward slashes; root: the
    open folder, which stays the same one when it is renamed."""

    id: str
    name: str
    path: Path
    root: Directory = field(repr=False, compare=False)

    def version(self) -> str:
        """Changes when the file does. Raises InputError when it is gone."""
        found = self._asked()
        if found is None:
            raise InputError(f"{self.name} can't be read: there is no such file any more.")
        return f"{found.st_mtime_ns:x}-{found.st_size:x}"

    @contextmanager
    def opened(self) -> Iterator[Path]:
        """A path to the very file that is open now, for readers that want one.

        Raises InputError when it can't be opened, or has become a link, a pipe or the like since
        it was listed: nothing outside the folder is read, and nobody waits for a pipe.
        """
        try:
            descriptor = self.root.file(self.name)
        except OSError as error:
            raise InputError(f"{self.name} can't be read: {error.strerror or error}.") from error
        try:
            yield Path(f"/dev/fd/{descriptor}") if BY_DESCRIPTOR else self.path
        except InputError as error:
            told = str(error)
            for path in (f"/dev/fd/{descriptor}", str(self.path)):
                told = told.replace(path, self.name)
            raise InputError(told) from error
        finally:
            os.close(descriptor)

    def require_inside(self) -> None:
        """Raises InputError when the file has become a way out of the folder since that was
        listed."""
        with self.opened():
            pass

    def mask_beside(self) -> Entry | None:
        """NAME.mask.png beside NAME.jpg, when it is there as a plain file."""
        path = self.path.with_name(self.path.stem + MASK_SUFFIX)
        folder, _, _ = self.name.rpartition("/")
        name = f"{folder}/{path.name}" if folder else path.name
        beside = Entry(image_id(name), name, path, self.root)
        found = beside._asked()
        return beside if found is not None and stat.S_ISREG(found.st_mode) else None

    def _asked(self) -> os.stat_result | None:
        """The file's status; None where there is none or the system doesn't let us look."""
        try:
            return self.root.status(self.name)
        except OSError:  # a name that is too long for a file beside an image, for one
            return None


@dataclass(frozen=True, slots=True)
class Found:
    """What a folder holds: its images, and how many links were left out."""

    images: list[Entry]
    links: int


def list_images(folder: Path) -> list[Entry]:
    """The images of `find_images`."""
    return find_images(folder).images


def find_images(folder: Path) -> Found:
    """The folder's images by name, subfolders included; hidden files, masks beside images and all
    links are left out.

    Raises InputError when `folder` isn't one or can't be listed.
    """
    try:
        root = Directory.open(folder.resolve())
    except OSError as error:
        raise InputError(f"{folder} is not a folder: expected one with images.") from error
    links: list[str] = []
    names = sorted(_names(root.path, "", links))
    images = set(names)
    return Found(
        [
            Entry(image_id(name), name, root.path / name, root)
            for name in names[:_MAX_IMAGES]
            if not (
                name.lower().endswith(MASK_SUFFIX) and _has_image(name[: -len(MASK_SUFFIX)], images)
            )
        ],
        len(links),
    )


def image_id(name: str) -> str:
    """The id of the image of that name."""
    return hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:20]


def _names(folder: Path, prefix: str, links: list[str]) -> Iterator[str]:
    """Names of image files below; links aren't followed, so that nothing outside the folder is ever
    listed, but noted in `links`."""
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
            yield from _names(folder / entry.name, f"{prefix}{entry.name}/", links)
        suffix = os.path.splitext(entry.name)[1].lower()  # noqa: PTH122 (a Path for each is slow)
        if entry.is_symlink() and (suffix in SUFFIXES or _is_folder(entry)):
            links.append(prefix + entry.name)
        if entry.is_file(follow_symlinks=False) and suffix in SUFFIXES:
            yield prefix + entry.name


def _has_image(stem: str, names: set[str]) -> bool:
    return any(stem + suffix in names or stem + suffix.upper() in names for suffix in SUFFIXES)


def _is_folder(link: os.DirEntry[str]) -> bool:
    try:
        return link.is_dir()
    except OSError:  # a loop of links
        return False
