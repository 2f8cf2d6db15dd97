"""The objects that models are judged by: public benchmarks, image/mask pairs, our frozen lists."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import resources
from itertools import islice
from pathlib import Path

from vtmr.atomic import is_folder
from vtmr.data import published
from vtmr.data.cocolvis import CocoLvisSource
from vtmr.data.cocosource import CocoSource
from vtmr.data.published import Entries
from vtmr.data.samples import EvalSample, Listed, of_objects, of_source
from vtmr.data.sources import LabelSource, PairSource, Source, read_stems
from vtmr.errors import DataError, did_you_mean

OPENERS: dict[str, Callable[[str, Path], Source]] = {
    "duts": PairSource.open,
    "ecssd": PairSource.open,
    "coco": CocoSource.open,
    "inst": CocoSource.open,
    # By .86 and .7 px, measured: docs/decisions/0014.
    "ccp": partial(LabelSource.open, displaced=1),
    "bsds": LabelSource.open,
    "large": CocoSource.open,
    "cocolvis": CocoLvisSource.open,
}


def pairs(root: Path) -> Entries:
    """Any folder with `images` and `masks`."""
    source = PairSource.open("pairs", root)
    for stem in source.stems:
        notes = partial(source.notes, stem)
        yield Listed(of_source("pairs", source, stem, "0"), notes=notes)


def report(root: Path) -> Entries:
    """The 1,000 objects of `duts/report.txt`: for figures in reports, never to choose by. `root`
    holds `duts`.

    Raises DataError when the list is missing.
    """
    source = PairSource.open("duts", root / "duts")
    stems = read_stems(root / "duts" / "report.txt")
    for stem in stems:
        yield Listed(of_source("report", source, stem, "0"))


FrozenObject = tuple[str, str, str]  # source, stem, object id


def validation_list() -> list[FrozenObject]:
    """The frozen validation objects. Raises DataError when the list was changed."""
    return _frozen_list("validation")


def _frozen_list(name: str) -> list[FrozenObject]:
    """The objects of `NAME.json` in this package. Raises DataError when they were changed."""
    path = resources.files("vtmr.data").joinpath(f"{name}.json")
    content = json.loads(path.read_text(encoding="utf-8"))
    objects: list[FrozenObject] = []
    for source, stem, object_id in content["objects"]:
        objects.append((str(source), str(stem), str(object_id)))
    # Figures of years are compared over this list: it can't be mended quietly.
    if list_hash(objects) != content["sha256"]:
        raise DataError(
            f"The {name} list doesn't match its own hash: restore src/vtmr/data/{name}.json."
        )
    return objects


def list_hash(objects: list[tuple[str, str, str]]) -> str:
    """sha256 over one line per object."""
    lines = ["\t".join(item) + "\n" for item in objects]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def validation(root: Path) -> Entries:
    """The frozen validation objects; `root` holds the sources' folders."""
    return _listed("validation", validation_list(), root)


def large(root: Path) -> Entries:
    """The frozen objects of large photos; `root` holds the folder `large`."""
    return _listed("large", _frozen_list("large"), root)


def scenes(root: Path) -> Entries:
    """Pairs of the validation objects that share an image, each pair as one object.

    What someone asks for who clicks a second object while the first is selected: both. `root` holds
    the sources' folders.
    """
    objects = validation_list()
    sources = _sources_of(objects, root)
    keys: dict[tuple[str, str], list[str]] = {}
    for source, stem, key in objects:
        keys.setdefault((source, stem), []).append(key)
    for (source, stem), found in keys.items():
        if len(found) > 1:
            yield Listed(of_objects("scenes", sources[source], stem, found))


def _listed(dataset: str, objects: list[FrozenObject], root: Path) -> Entries:
    sources = _sources_of(objects, root)
    for source, stem, key in objects:
        yield Listed(of_source(dataset, sources[source], stem, key))


def _sources_of(objects: list[FrozenObject], root: Path) -> dict[str, Source]:
    sources: dict[str, Source] = {}
    for name, _, _ in objects:
        if name not in sources:
            sources[name] = OPENERS[name](name, root / name)
    return sources


@dataclass(frozen=True)
class Layout:
    """How a benchmark lies on disk and what it should hold.

    entries: lists its objects; raises DataError where nothing can be listed at all. images,
    objects: the numbers that the published set may have, none where any number is right. values:
    those a mask file may hold, empty for any; cut: whether others are known to occur and are cut in
    the middle. folders: which are read, those of images and those of masks; * for any of a name.
    """

    entries: Callable[[Path], Entries]
    images: tuple[int, ...] = ()
    objects: tuple[int, ...] = ()
    values: frozenset[int] = frozenset()
    cut: bool = False
    folders: tuple[str, str] | None = None


_BINARY, _TRIMAP = frozenset({0, 255}), frozenset({0, 128, 255})

BENCHMARKS: dict[str, Layout] = {
    "grabcut": Layout(published.grabcut, (50,), (50,), _TRIMAP, folders=("data_GT", "boundary_GT")),
    # as published, some masks hold values such as 105, 197 and 243
    "berkeley": Layout(
        published.berkeley, (96, 100), (100,), _TRIMAP, cut=True, folders=("images", "masks")
    ),
    "davis": Layout(published.davis, (345,), (345,), folders=("img", "gt")),
    "sbd": Layout(published.sbd, (2857,), (6671,)),
    "coco-mval": Layout(published.coco_mval, (800,), (800,), _BINARY, folders=("img", "gt")),
    "davis585": Layout(published.davis585("davis585", "sp"), (), (585,), _BINARY),
    "davis585-stm": Layout(published.davis585("davis585-stm", "stm"), (), (585,), _BINARY),
    "davis585-zero": Layout(published.davis585("davis585-zero", None), (), (585,), _BINARY),
    "pairs": Layout(pairs, folders=("images", "masks")),
    "validation": Layout(validation),
    "large": Layout(large),
    "scenes": Layout(scenes),
    "report": Layout(report, (1000,), (1000,)),
}


def layout_of(name: str, path: Path) -> Layout:
    """The layout of that name.

    Raises DataError when there is none, or when `path` is not a folder.
    """
    if name not in BENCHMARKS:
        raise DataError(
            f"There is no data set {name!r}: known are {', '.join(BENCHMARKS)}."
            f"{did_you_mean(name, BENCHMARKS)}"
        )
    if not is_folder(path):
        raise DataError(f"{path} is not a folder: expected the root of the data set {name!r}.")
    return BENCHMARKS[name]


def open_benchmark(name: str, path: Path, limit: int | None = None) -> list[EvalSample]:
    """The samples of a benchmark.

    Args:
        name: One of `BENCHMARKS`; docs/datasets.md says what each is.
        path: Its folder.
        limit: Only the first so many objects.

    Raises:
        DataError: For a folder that isn't laid out so, and for an unknown name.
    """
    entries = layout_of(name, path).entries
    if limit is not None and limit < 1:
        raise DataError(f"The limit is {limit}: expected at least 1 object.")
    # Entries are made one by one: behind the limit nothing is opened, and no fault found.
    return [_require_sample(entry) for entry in islice(entries(path), limit)]


def _require_sample(entry: Listed | DataError) -> EvalSample:
    if isinstance(entry, DataError):
        raise entry
    return entry.sample
