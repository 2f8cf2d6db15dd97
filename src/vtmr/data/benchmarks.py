"""The objects that models are judged by: GrabCut, image/mask pairs, and our frozen validation and report lists."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import resources
from pathlib import Path

from vtmr.data.cocolvis import CocoLvisSource
from vtmr.data.sources import (
    IMAGE_SUFFIXES,
    CocoSource,
    LabelSource,
    PairSource,
    Source,
    files_by_stem,
    read_data_image,
    read_data_values,
    read_object,
    read_stems,
    require_same_size,
)
from vtmr.errors import DataError
from vtmr.masks import Mask
from vtmr.types import Image

OPENERS: dict[str, Callable[[str, Path], Source]] = {
    "duts": PairSource.open,
    "ecssd": PairSource.open,
    "coco": CocoSource.open,
    "inst": CocoSource.open,
    "ccp": LabelSource.open,
    "bsds": LabelSource.open,
    "cocolvis": CocoLvisSource.open,
}


@dataclass(frozen=True)
class EvalSample:
    """One object to segment; `load` reads image, mask and, where the set has one, the pixels to ignore.

    initial: reads the mask to begin with, bool H x W, where the set brings one.
    """

    dataset: str
    image_id: str
    object_id: str
    source: str
    load: Callable[[], tuple[Image, Mask, Mask | None]]
    initial: Callable[[], Mask] | None = None


def of_source(dataset: str, source: Source, stem: str, object_id: str) -> EvalSample:
    """The sample for one object of a source."""
    return EvalSample(dataset, stem, object_id, source.name, lambda: (*read_object(source, stem, object_id), None))


def open_grabcut(root: Path) -> list[EvalSample]:
    """`data_GT/*` with `boundary_GT/*.bmp`: 128 is ignored, above is the object (facts.md §D.7)."""
    images = files_by_stem(root / "data_GT", IMAGE_SUFFIXES)
    masks = files_by_stem(root / "boundary_GT", IMAGE_SUFFIXES)

    def sample(stem: str) -> EvalSample:
        if stem not in masks:
            raise DataError(f"{root / 'boundary_GT'} lacks the mask of {images[stem].name}.")

        def load() -> tuple[Image, Mask, Mask | None]:
            image, labels = read_data_image(images[stem]), read_data_values(masks[stem])
            require_same_size(image, labels, f"grabcut/{stem}")
            return image, labels > 128, labels == 128

        return EvalSample("grabcut", stem, "0", "grabcut", load)

    return [sample(stem) for stem in images]


def open_pairs(root: Path) -> list[EvalSample]:
    """Any folder with `images/` and `masks/`."""
    source = PairSource.open("pairs", root)
    return [of_source("pairs", source, stem, "0") for stem in source.stems]


def open_report(root: Path) -> list[EvalSample]:
    """The 1,000 objects of `duts/report.txt`: for figures in reports, never to choose by. `root` holds `duts`.

    Raises DataError when the list is missing.
    """
    source = PairSource.open("duts", root / "duts")
    stems = read_stems(root / "duts" / "report.txt")
    return [of_source("report", source, stem, "0") for stem in stems]


def validation_list() -> list[tuple[str, str, str]]:
    """The frozen validation objects as (source, stem, object id). Raises DataError when the list was changed."""
    content = json.loads(resources.files("vtmr.data").joinpath("validation.json").read_text())
    objects = [(str(source), str(stem), str(object_id)) for source, stem, object_id in content["objects"]]
    if list_hash(objects) != content["sha256"]:
        raise DataError("The validation list doesn't match its own hash: restore src/vtmr/data/validation.json.")
    return objects


def list_hash(objects: list[tuple[str, str, str]]) -> str:
    """sha256 over one line per object."""
    return hashlib.sha256("".join("\t".join(item) + "\n" for item in objects).encode()).hexdigest()


def open_validation(root: Path) -> list[EvalSample]:
    """The frozen validation objects; `root` holds the sources' folders."""
    objects = validation_list()
    sources = {name: OPENERS[name](name, root / name) for name in dict.fromkeys(source for source, _, _ in objects)}
    return [of_source("validation", sources[source], stem, object_id) for source, stem, object_id in objects]


BENCHMARKS: dict[str, Callable[[Path], list[EvalSample]]] = {
    "grabcut": open_grabcut,
    "pairs": open_pairs,
    "validation": open_validation,
    "report": open_report,
}


def open_benchmark(name: str, path: Path, limit: int | None = None) -> list[EvalSample]:
    """The samples of a benchmark by name, the first `limit` of them. Raises DataError."""
    if name not in BENCHMARKS:
        near = get_close_matches(name, BENCHMARKS, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise DataError(f"There is no data set {name!r}: known are {', '.join(BENCHMARKS)}.{hint}")
    if limit is not None and limit < 1:
        raise DataError(f"The limit is {limit}: expected at least 1 object.")
    if not path.is_dir():
        raise DataError(f"{path} is not a folder: expected the root of the data set {name!r}.")
    return BENCHMARKS[name](path)[:limit]
