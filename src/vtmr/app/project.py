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
from vtmr.app.leftout import FOREIGN, LeftOut
from vtmr.errors import InputError
from vtmr.images import read_header, reads_heif

HIDDEN_FOLDER = ".vtmr"
SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif")
    + (".ppm", ".pgm", ".pbm", ".pnm", ".jp2", ".j2k", ".jpx", ".avif")
)
HEIF_SUFFIXES = frozenset((".heic", ".heif", ".hif"))
MASK_SUFFIX = ".mask.png"
_MAX_IMAGES = 100_000


@dataclass(frozen=True, slots=True)
class Entry:
    """An image of the project. name: its path below the folder, with forward slashes; root: the
    open folder, which stays the same one when it is renamed; follows: the user wants links in it
    to be followed, wherever they lead."""

    id: str
    name: str
    path: Path
    root: Directory = field(repr=False, compare=False)
    follows: bool = False

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
            descriptor = self.root.file(self.name, follow=self.follows)
        except OSError as error:
            raise InputError(f"{self.name} can't be read: {error.strerror or error}.") from error
        try:
            yield Path(f"/dev/fd/{descriptor}") if BY_DESCRIPTOR else self.path
        except InputError as error:
            told = str(error)
            # Readers name the path that they were given, which tells the user nothing.
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
        beside = Entry(image_id(name), name, path, self.root, self.follows)
        found = beside._asked()
        return beside if found is not None and stat.S_ISREG(found.st_mode) else None

    def _asked(self) -> os.stat_result | None:
        """The file's status; None where there is none or the system doesn't let us look."""
        try:
            return self.root.status(self.name, follow=self.follows)
        except OSError:  # a name that is too long for a file beside an image, for one
            return None


@dataclass(frozen=True, slots=True)
class Found:
    """What a folder holds: its images, and what was left out of them."""

    images: list[Entry]
    left_out: LeftOut


def list_images(folder: Path, *, follow_links: bool = False) -> list[Entry]:
    """The images of `find_images`."""
    return find_images(folder, follow_links=follow_links).images


def find_images(folder: Path, *, follow_links: bool = False) -> Found:
    """The folder's images by name, subfolders included. Hidden files are left out without a word;
    masks beside images, other files and, without `follow_links`, all links are noted.

    Raises InputError when `folder` isn't one or can't be listed.
    """
    try:
        root = Directory.open(folder.resolve())
    except OSError as error:
        raise InputError(f"{folder} is not a folder: expected one with images.") from error
    walk = _Walk(follow_links)
    names = sorted(walk.names(root.path, "", ()))
    images = {os.path.splitext(name)[0] + _suffix(name) for name in names}  # noqa: PTH122
    entries: list[Entry] = []
    for name in names:
        if _is_mask(name, images):
            walk.left_out.add("mask", name)
        elif len(entries) == _MAX_IMAGES:
            walk.left_out.add("many", name)
        else:
            entries.append(Entry(image_id(name), name, root.path / name, root, follow_links))
    return Found(entries, walk.left_out)


def size_of(entry: Entry) -> tuple[int, int]:
    """An image's (height, width), of its header. Raises InputError."""
    with entry.opened() as path:
        header = read_header(path)
    return header.height, header.width


def image_id(name: str) -> str:
    """The id of the image of that name."""
    return hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:20]


class _Walk:
    """A way through a folder and those below it."""

    def __init__(self, follow_links: bool) -> None:
        self.left_out = LeftOut()
        self._follows = follow_links

    def names(self, folder: Path, prefix: str, above: tuple[tuple[int, int], ...]) -> Iterator[str]:
        """Names of image files below, links among them where they are followed.

        above: device and inode of the folders that lead here, so that no link leads round in a
        circle. Raises InputError when the outermost folder can't be listed.
        """
        try:
            status = folder.stat()
            found = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            if prefix:
                self.left_out.add("folder", prefix)
                return
            raise InputError(f"{folder} can't be listed: {error.strerror or error}.") from error
        here = status.st_dev, status.st_ino
        if here in above:
            self.left_out.add("broken", prefix)
            return
        for entry in found:
            name = prefix + entry.name
            if entry.name.startswith("."):
                continue
            if entry.is_symlink() and not self._takes(entry, name):
                continue
            if _is_folder(entry):
                yield from self.names(folder / entry.name, f"{name}/", (*above, here))
            elif self._is_image(entry, name):
                yield name

    def _takes(self, link: os.DirEntry[str], name: str) -> bool:
        """Whether a link is followed; else it is noted, where it may be to an image or a folder."""
        suffix = _suffix(link.name)
        if not _is_file(link) and not _is_folder(link):
            if self._follows or suffix in SUFFIXES:
                self.left_out.add("broken" if self._follows else "link", name)
            return False
        if not self._follows and (suffix in SUFFIXES or _is_folder(link)):
            self.left_out.add("link", name)
        return self._follows

    def _is_image(self, entry: os.DirEntry[str], name: str) -> bool:
        """By its name and kind; what isn't one is noted."""
        suffix = _suffix(entry.name)
        if not _is_file(entry):
            self.left_out.add("special", name)
        elif suffix in HEIF_SUFFIXES and not reads_heif():
            self.left_out.add("heif", name)
        elif suffix in FOREIGN:
            self.left_out.add("format", name)
        elif suffix not in SUFFIXES and suffix not in HEIF_SUFFIXES:
            self.left_out.add("other", name)
        else:
            return True
        return False


def _is_mask(name: str, images: set[str]) -> bool:
    """Whether it is that of an image beside it. images: names whose suffixes are in lower case."""
    if not name.lower().endswith(MASK_SUFFIX):
        return False
    stem = name[: -len(MASK_SUFFIX)]
    return any(stem + suffix in images for suffix in SUFFIXES | HEIF_SUFFIXES)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a loop of links
        return False


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:
        return False


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()  # noqa: PTH122 (a Path for each is slow)
