"""Readers of images with object masks, one class per layout on disk; none holds pixels between
calls."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from vtmr.atomic import is_file, is_folder
from vtmr.errors import DataError, InputError
from vtmr.images import read_image, read_values
from vtmr.maskfiles import MaskFile, Reading, read_mask_file
from vtmr.masks import Mask
from vtmr.types import Image

Value = TypeVar("Value")


class Source(Protocol):
    """A folder of images in which objects are marked.

    Stems name images, object ids name objects within one.
    """

    @property
    def name(self) -> str:
        """What errors call it."""
        ...

    @property
    def stems(self) -> tuple[str, ...]:
        """What its images are called by, in a fixed order."""
        ...

    def image(self, stem: str) -> Image:
        """uint8 H x W x 3, RGB. Raises DataError when it is missing or unreadable."""
        ...

    def object_ids(self, stem: str) -> tuple[str, ...]:
        """The objects of an image, in a fixed order."""
        ...

    def mask(self, stem: str, object_id: str) -> Mask:
        """bool H x W of one object. Raises DataError when it is missing or unreadable."""
        ...


def read_object(source: Source, stem: str, object_id: str) -> tuple[Image, Mask, Mask | None]:
    """An image, one object's mask, and the pixels that count neither as object nor as background,
    where the mask's file marks any.

    Raises DataError when one is missing or unreadable or their sizes differ.
    """
    image = source.image(stem)
    # These have a mask's file for each image, which alone can mark pixels to ignore.
    if isinstance(source, PairSource | LabelSource):
        mask, ignored = source.marked(stem, object_id)
    else:
        mask, ignored = source.mask(stem, object_id), None
    require_same_size(image, mask, f"{source.name}/{stem}")
    return image, mask, ignored


def require_same_size(image: Image, mask: NDArray[Any], name: str) -> None:
    """Raises DataError when a mask or label map isn't as large as its image."""
    (height, width), (rows, cols) = image.shape[:2], mask.shape
    if (height, width) != (rows, cols):
        raise DataError(
            f"The mask of {name} is {cols}x{rows}, its image {width}x{height}: expected one size. "
            "Mend it."
        )


def entry(entries: Mapping[str, Value], key: str, where: str) -> Value:
    """What the data set `where` has under that name. Raises DataError when it has nothing."""
    try:
        return entries[key]
    except KeyError as error:
        raise DataError(
            f"{where} has no {key!r}: the data set is incomplete or another one."
        ) from error


def files_by_stem(folder: Path, suffixes: Iterable[str]) -> dict[str, Path]:
    """The files of a folder by stem, sorted; the case of suffixes is ignored, and so are hidden
    files. Accents are composed: archives from macOS have them in two characters.

    Raises DataError when there are none, and when two have one stem.
    """
    if not is_folder(folder):
        raise DataError(f"{folder} is not a folder: check the data set's path.")
    wanted = {suffix.lower() for suffix in suffixes}
    found: dict[str, Path] = {}
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        raise DataError(
            f"{folder} can't be read: {error.strerror or error}. Check the data set's path."
        ) from error
    for path in paths:
        if path.suffix.lower() in wanted and not path.name.startswith("."):
            stem = composed(path.stem)
            if stem in found:
                raise DataError(
                    f"{folder} holds {found[stem].name} and {path.name}: expected one file a stem."
                )
            found[stem] = path
    if not found:
        raise DataError(
            f"{folder} holds no {', '.join(sorted(wanted))} file: check the data set's path."
        )
    return found


def composed(name: str) -> str:
    """The name with each accent and its letter as one character (NFC)."""
    return unicodedata.normalize("NFC", name)


def left_out(folder: Path, suffixes: Iterable[str]) -> list[str]:
    """A sentence for what `files_by_stem` doesn't see of a folder that it reads: images in
    subfolders, links that lead nowhere, and images of other formats."""
    if not is_folder(folder):
        return []
    wanted, found = {suffix.lower() for suffix in suffixes}, []
    for path in sorted(folder.iterdir()):
        # What systems and archives leave behind (.DS_Store, __MACOSX) is nobody's data.
        if path.name.startswith((".", "__")):
            continue
        suffix = path.suffix.lower()
        if path.is_symlink() and not path.exists():
            found.append(f"{path} is a link that leads nowhere: mend or remove it.")
        elif path.is_dir():
            count = 0
            for one in path.rglob("*"):
                # macOS puts a ._NAME.jpg beside each file that it archives: no image, whatever its
                # name.
                count += one.suffix.lower() in _ANY_IMAGE and not one.name.startswith(".")
            link = "a subfolder"
            if path.is_symlink():
                link = "a link to a folder"
            if count or path.is_symlink():
                found.append(
                    f"{path} is {link} and left out, with the image files in it ({count}): move "
                    f"them into {folder}."
                )
        elif suffix in _ANY_IMAGE - wanted:
            kinds = ", ".join(sorted(wanted))
            found.append(f"{path} is left out: expected {kinds}. Save it in one of these.")
    return found


def listed_stems(path: Path) -> frozenset[str]:
    """The stems of a list file such as val.txt, one a line; empty when there is no such file."""
    if not is_file(path):
        return frozenset()
    return frozenset(read_stems(path))


def read_stems(path: Path) -> list[str]:
    """The stems of a list file, one a line, in its order.

    Raises DataError when it can't be read.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(
            f"The list {path} can't be read: {reason}. Check the data set's path."
        ) from error
    return [composed(line.strip()) for line in lines if line.strip()]


IMAGE_SUFFIXES = (".webp", ".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff")
MASK_SUFFIXES = (".png", ".bmp", ".tif", ".tiff")  # a JPEG's noise would become object
# Wider than what is read: so that a file which isn't read can be named.
_ANY_IMAGE = frozenset(
    (*IMAGE_SUFFIXES, ".gif", ".ppm", ".pgm", ".pbm", ".pnm", ".jp2", ".j2k", ".avif", ".jpe")
)


def read_data_image(path: Path) -> Image:
    """`read_image`, with failures as DataError."""
    try:
        return read_image(path)
    except InputError as error:
        raise DataError(str(error)) from error


def read_data_values(path: Path, *, indices: bool = False) -> NDArray[np.uint8]:
    """`read_values`, with failures as DataError."""
    try:
        return read_values(path, indices=indices)
    except InputError as error:
        raise DataError(str(error)) from error


def read_data_mask(
    path: Path, reading: Reading = "auto", shape: tuple[int, int] | None = None
) -> MaskFile:
    """`read_mask_file`, with failures as DataError."""
    try:
        return read_mask_file(path, shape, reading=reading)
    except InputError as error:
        raise DataError(str(error)) from error


@dataclass(frozen=True)
class PairSource:
    """`images/STEM.*` with `masks/STEM.png`: one object per image, its id is "0".

    Where a mask's file holds several objects they are one group.
    """

    name: str
    images: dict[str, Path]
    masks: dict[str, Path]

    @staticmethod
    def open(name: str, root: Path) -> PairSource:
        """Raises DataError when an image has no mask."""
        images = files_by_stem(root / "images", IMAGE_SUFFIXES)
        masks = files_by_stem(root / "masks", MASK_SUFFIXES)
        lonely = sorted(images.keys() - masks.keys())
        if lonely:
            raise DataError(
                f"{root} has {len(lonely)} image(s) without a mask of the same stem, first "
                f"{lonely[0]!r}."
            )
        return PairSource(name, images, masks)

    @property
    def stems(self) -> tuple[str, ...]:
        """See `Source.stems`."""
        return tuple(self.images)

    def image(self, stem: str) -> Image:
        """See `Source.image`: uint8 H x W x 3."""
        return read_data_image(entry(self.images, stem, self.name))

    def object_ids(self, stem: str) -> tuple[str, ...]:
        """See `Source.object_ids`."""
        return ("0",)

    def mask(self, stem: str, object_id: str) -> Mask:
        """See `Source.mask`: bool H x W."""
        return self.file(stem).everything

    def marked(self, stem: str, object_id: str) -> tuple[Mask, Mask | None]:
        """The mask, and the pixels to ignore where there are any. Raises DataError."""
        file = self.file(stem)
        return file.everything, file.ignored

    def file(self, stem: str) -> MaskFile:
        """The mask's file. Raises DataError when it is missing or unreadable."""
        return read_data_mask(entry(self.masks, stem, self.name))

    def notes(self, stem: str) -> tuple[str, ...]:
        """What the mask's file was taken for, where it could mean something else. Raises
        DataError."""
        file = self.file(stem)
        count = len(file.objects)
        if count <= 1:
            return file.notes
        return (*file.notes, f"Its {count} objects count as one.")


@dataclass(frozen=True)
class LabelSource:
    """`images/STEM.*` with `labels/STEM.png`: ids from 1 are parts, 0 is background. An object id
    is a label.

    displaced: pixels by which the files' labels lie right of what they mark, and below it; they are
    moved back.
    """

    name: str
    images: dict[str, Path]
    labels: dict[str, Path]
    displaced: int = 0

    @staticmethod
    def open(name: str, root: Path, displaced: int = 0) -> LabelSource:
        """Several label maps of an image (`STEM_K.png`) are stems `STEM_K`.

        Raises DataError when one has no image.
        """
        images = files_by_stem(root / "images", IMAGE_SUFFIXES)
        labels = files_by_stem(root / "labels", MASK_SUFFIXES)
        found: dict[str, Path] = {}
        lonely: list[str] = []
        for stem in labels:
            # The whole stem first: an image's own name may end in _1.
            path = images.get(stem) or images.get(stem.rpartition("_")[0])
            if path is None:
                lonely.append(stem)
            else:
                found[stem] = path
        if lonely:
            raise DataError(
                f"{root} has {len(lonely)} label map(s) without an image, first {min(lonely)!r}."
            )
        return LabelSource(name, found, labels, displaced)

    @property
    def stems(self) -> tuple[str, ...]:
        """See `Source.stems`."""
        return tuple(self.labels)

    def image(self, stem: str) -> Image:
        """See `Source.image`: uint8 H x W x 3."""
        return read_data_image(entry(self.images, stem, self.name))

    def values(self, stem: str) -> NDArray[Any]:
        """The label map, H x W of whole numbers; pixels to ignore are 0.

        What moving it back leaves open at the right and the bottom, its rim fills.
        """
        return self._moved_back(self.file(stem).values)

    def file(self, stem: str) -> MaskFile:
        """The label map's file. Raises DataError when it is missing or unreadable."""
        return read_data_mask(entry(self.labels, stem, self.name), "labels")

    def marked(self, stem: str, object_id: str) -> tuple[Mask, Mask | None]:
        """A label's mask, and the pixels to ignore where there are any. Raises DataError."""
        file = self.file(stem)
        mask = self._moved_back(file.values) == int(object_id)
        if file.ignored is None:
            return mask, None
        return mask, self._moved_back(file.ignored)

    def object_ids(self, stem: str) -> tuple[str, ...]:
        """See `Source.object_ids`."""
        labels = np.unique(self.values(stem)).tolist()
        return tuple(map(str, filter(None, labels)))  # 0 is the background

    def mask(self, stem: str, object_id: str) -> Mask:
        """See `Source.mask`: bool H x W."""
        return np.asarray(self.values(stem) == int(object_id))

    def _moved_back(self, values: NDArray[Any]) -> NDArray[Any]:
        return np.pad(values, (0, self.displaced), mode="edge")[self.displaced :, self.displaced :]
