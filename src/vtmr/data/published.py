"""The public benchmarks in the folders that RITM and ClickSEG distribute (docs/method.md §D.7,
§L.10; docs/datasets.md).

A layout yields its objects one by one and, in place of one that can't be had, the DataError that
says why: a benchmark raises the first, the doctor collects them all.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vtmr.atomic import is_folder
from vtmr.data.matfile import DAMAGE, read_variable
from vtmr.data.samples import EvalSample, Listed
from vtmr.data.sources import (
    IMAGE_SUFFIXES,
    MASK_SUFFIXES,
    files_by_stem,
    read_data_image,
    read_data_mask,
    read_data_values,
    read_stems,
    require_same_size,
)
from vtmr.errors import DataError, InputError
from vtmr.images.stream import plain_file
from vtmr.masks import Mask
from vtmr.types import Image

Entries = Iterator[Listed | DataError]


def grabcut(root: Path) -> Entries:
    """`data_GT` with `boundary_GT`: 128 is ignored, above is the object."""
    return _with_unknown("grabcut", root / "data_GT", root / "boundary_GT", letters=False)


def berkeley(root: Path) -> Entries:
    """`images` with `masks`, read as GrabCut's.

    Of an image X.jpg, Xa.png and Xb.png may be two masks.
    """
    return _with_unknown("berkeley", root / "images", root / "masks", letters=True)


def davis(root: Path) -> Entries:
    """`img` with `gt`: whatever isn't zero in any channel is the object, all annotated objects as
    one."""
    return _united("davis", root)


def coco_mval(root: Path) -> Entries:
    """`img` with `gt`, read as DAVIS, as RITM does; the published values are 0 and 255."""
    return _united("coco-mval", root)


def sbd(root: Path) -> Entries:
    """`val.txt`, `img/NAME.jpg`, `inst/NAME.mat`: every instance id above 0 is an object, others
    are background."""
    names = read_stems(root / "val.txt")
    images = files_by_stem(root / "img", IMAGE_SUFFIXES)
    labels = files_by_stem(root / "inst", (".mat",))
    for name in names:
        if name not in images:
            yield DataError(f"{root / 'img'} lacks {name!r}, which val.txt names.")
        elif name not in labels:
            yield DataError(f"{root / 'inst'} lacks {name!r}, which val.txt names.")
        else:
            yield from _instances(name, images[name], labels[name])


def davis585(name: str, initial: str | None) -> Callable[[Path], Entries]:
    """A folder per sequence: FRAME.jpg, objectN_FRAME.png and init_sp_… and
    init_stm_objectN_FRAME.png beside it.

    initial: which of the two, "sp" or "stm", is the mask to begin with; None to begin from nothing.
    """

    def entries(root: Path) -> Entries:
        try:
            paths = sorted(root.iterdir())
        except OSError as error:
            yield DataError(
                f"{root} can't be read: {error.strerror or error}. Check the data set's path."
            )
            return
        sequences = [
            path for path in paths if is_folder(path) and not path.name.startswith((".", "__"))
        ]
        if not sequences:
            yield DataError(f"{root} holds no folder of a sequence: check the data set's path.")
        for sequence in sequences:
            try:
                photos = files_by_stem(sequence, (".jpg", ".jpeg"))
                masks = files_by_stem(sequence, (".png",))
            except DataError as error:
                yield error
                continue
            for stem in masks:
                # init_… are what to begin with: those of an object are read with it.
                if not stem.startswith("init_"):
                    yield _corrected(name, initial, sequence, stem, photos, masks)

    return entries


def read_instances(path: Path) -> NDArray[np.int64]:
    """The instance ids of an SBD file (`GTinst.Segmentation`), H x W; 0 is background.

    Raises DataError for anything else.
    """
    try:
        with plain_file(path) as file:
            content = read_variable(file, "GTinst")
        # MATLAB has no single struct: GTinst is an array of structs with one element.
        parts = content[0] if isinstance(content, list) and len(content) == 1 else None
        ids = parts.get("Segmentation") if isinstance(parts, dict) else None
        if not isinstance(ids, np.ndarray) or ids.ndim != 2 or not ids.size:
            raise ValueError("it has no map of instances")
        return ids.astype(np.int64)
    except (InputError, *DAMAGE) as error:
        raise DataError(
            f"{path} is no instance file of SBD ({error}): expected GTinst.Segmentation."
        ) from error


# --- images beside masks


def _with_unknown(dataset: str, images: Path, masks: Path, *, letters: bool) -> Entries:
    """Objects whose masks are 0, 128 (ignored) or 255."""

    def listed(image_id: str, object_id: str, image_path: Path, mask_path: Path) -> Listed:
        def load() -> tuple[Image, Mask, Mask | None]:
            image, values = read_data_image(image_path), read_data_values(mask_path)
            require_same_size(image, values, f"{dataset}/{mask_path.stem}")
            return image, values > 128, values == 128

        sample = EvalSample(dataset, image_id, object_id, dataset, load)
        return Listed(sample, lambda: read_data_values(mask_path))

    yield from _matched(images, masks, letters, listed)


def _united(dataset: str, root: Path) -> Entries:
    """Objects whose masks are whatever isn't zero."""

    def listed(image_id: str, object_id: str, image_path: Path, mask_path: Path) -> Listed:
        def load() -> tuple[Image, Mask, Mask | None]:
            image = read_data_image(image_path)
            shape = image.shape[0], image.shape[1]
            return image, read_data_mask(mask_path, "any", shape).everything, None

        sample = EvalSample(dataset, image_id, object_id, dataset, load)
        return Listed(sample, lambda: read_data_values(mask_path, indices=True))

    yield from _matched(root / "img", root / "gt", False, listed)


def _matched(
    images: Path, masks: Path, letters: bool, listed: Callable[[str, str, Path, Path], Listed]
) -> Entries:
    """Every mask with its image, in the images' order; images without a mask and masks without an
    image are errors.

    letters: whether a mask may be named as its image with a letter behind; the letter is then the
    object's id, else it is "0".
    """
    image_files = files_by_stem(images, IMAGE_SUFFIXES)
    mask_files = files_by_stem(masks, MASK_SUFFIXES)
    found: dict[str, list[tuple[str, Path]]] = defaultdict(list)
    lonely: list[Path] = []
    for stem, path in mask_files.items():
        owner, letter = _owner(stem, image_files, letters)
        if owner is None:
            lonely.append(path)
        else:
            found[owner].append((letter or "0", path))
    for stem, path in image_files.items():
        if stem not in found:
            yield DataError(f"{masks} lacks the mask of {path.name}.")
        for object_id, mask_path in found[stem]:
            yield listed(stem, object_id, path, mask_path)
    for path in lonely:
        yield DataError(f"{images} lacks the image of the mask {path.name}.")


def _owner(stem: str, images: Mapping[str, Path], letters: bool) -> tuple[str | None, str]:
    """The stem of the mask's image and the mask's letter: the same stem, else the same but for
    capitals, else but for a last letter."""
    if stem in images:
        return stem, ""
    folded = [image for image in images if image.casefold() == stem.casefold()]
    if len(folded) == 1:
        return folded[0], ""
    if letters and stem[:-1] in images and stem[-1].isalpha():
        return stem[:-1], stem[-1]
    return None, ""


# --- SBD and DAVIS-585


def _instances(name: str, image_path: Path, label_path: Path) -> Entries:
    """All instances of an SBD image."""
    try:
        ids = np.unique(read_instances(label_path))
    except DataError as error:
        yield error
        return
    for number in ids[ids > 0]:
        yield _instance(name, int(number), image_path, label_path)


def _instance(name: str, number: int, image_path: Path, label_path: Path) -> Listed:
    """One instance of an SBD image."""

    def load() -> tuple[Image, Mask, Mask | None]:
        # Read anew for each instance: kept, the maps of all images would take gigabytes.
        image, ids = read_data_image(image_path), read_instances(label_path)
        require_same_size(image, ids, f"sbd/{name}")
        return image, np.asarray(ids == number), None

    return Listed(EvalSample("sbd", name, str(number), "sbd", load))


def _corrected(
    dataset: str,
    initial: str | None,
    sequence: Path,
    stem: str,
    photos: Mapping[str, Path],
    masks: Mapping[str, Path],
) -> Listed | DataError:
    """One object of a DAVIS-585 sequence."""
    object_id, _, frame = stem.rpartition("_")
    if not object_id:
        return DataError(
            f"{masks[stem]} isn't named as an object of a frame: expected objectN_FRAME.png."
        )
    if frame not in photos:
        return DataError(f"{sequence} lacks the image {frame}.jpg of the mask {masks[stem].name}.")
    beginning = f"init_{initial}_{stem}"
    if initial and beginning not in masks:
        return DataError(
            f"{sequence} lacks {beginning}.png, the mask to begin with of {masks[stem].name}."
        )
    where = f"{dataset}/{sequence.name}/{stem}"

    def load() -> tuple[Image, Mask, Mask | None]:
        image, values = read_data_image(photos[frame]), read_data_values(masks[stem])
        require_same_size(image, values, where)
        return image, values > 128, None

    def begin() -> Mask:
        values = read_data_values(masks[beginning])
        require_same_size(read_data_values(masks[stem]), values, f"{where}, the one to begin with,")
        return values > 128

    sample = EvalSample(dataset, f"{sequence.name}/{frame}", object_id, dataset, load)
    if initial is not None:
        sample = replace(sample, initial=begin)
    return Listed(sample, lambda: read_data_values(masks[stem]))
