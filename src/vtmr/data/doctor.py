"""Whether a benchmark's folder holds what its layout promises: every file is read, everything wrong
is named."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from vtmr.data.benchmarks import Layout, layout_of
from vtmr.data.displacement import EdgeProfiles
from vtmr.data.samples import EvalSample, Listed
from vtmr.data.sources import IMAGE_SUFFIXES, MASK_SUFFIXES, left_out
from vtmr.errors import DataError
from vtmr.masks import counted

Size = tuple[int, int]  # width, height
MOST_DISPLACED = 0.5  # pixels: beyond it, moving the masks by whole pixels is nearer to the truth


@dataclass(frozen=True)
class Diagnosis:
    """What a data set holds, what it should hold and what is wrong with it.

    images, objects: how many can be played. expected_images, expected_objects: the numbers that the
    published set may have, empty where any is right. image_sizes: the smallest and the largest
    image, object_px: the smallest and the largest object in pixels, None when nothing can be
    played. displaced: pixels by which the masks lie right of the photos' edges and below them, by
    source, where that can be told. findings: a sentence each; notes: what is right but could have
    been meant otherwise.
    """

    name: str
    path: Path
    images: int
    objects: int
    expected_images: tuple[int, ...]
    expected_objects: tuple[int, ...]
    image_sizes: tuple[Size, Size] | None
    object_px: tuple[int, int] | None
    findings: tuple[str, ...]
    displaced: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def sound(self) -> bool:
        """Whether nothing was found to be wrong; notes are no fault."""
        return not self.findings

    def as_record(self) -> dict[str, Any]:
        """For --json."""
        return {
            "name": self.name,
            "path": str(self.path),
            "sound": self.sound,
            "images": self.images,
            "objects": self.objects,
            "expected_images": self.expected_images,
            "expected_objects": self.expected_objects,
            "image_sizes": self.image_sizes,
            "object_px": self.object_px,
            "displaced": dict(self.displaced),
            "findings": self.findings,
            "notes": self.notes,
        }


@dataclass(frozen=True)
class _Playable:
    """What is counted of an object that can be played."""

    image: tuple[str, str]
    size: Size
    area: int


def examine(
    name: str, path: Path, progress: Callable[[int, int], object] = lambda done, total: None
) -> Diagnosis:
    """Reads every object of a data set and compares it with what the published set holds.

    progress: told how many objects of how many have been read. Raises DataError for an unknown name
    and when `path` isn't a folder, ConfigError when a package is missing; whatever is wrong inside
    the folder is a finding.
    """
    layout = layout_of(name, path)
    listed, findings = _listed(layout, path)
    findings += _left_out(layout, path)
    notes: list[str] = []
    playable: list[_Playable] = []
    # By source: in a set of several, one may have been resized badly and not the others.
    edges: defaultdict[str, EdgeProfiles] = defaultdict(EdgeProfiles)
    for done, entry in enumerate(listed, start=1):
        found, wrong, told = _examined(entry, layout, edges[entry.sample.source])
        playable += found
        findings += wrong
        notes += told
        progress(done, len(listed))
    for key, count in Counter(_name(entry.sample) for entry in listed).items():
        if count > 1:
            findings.append(f"The object {key} occurs {count} times.")
    images = len({item.image for item in playable})
    findings += _miscounted("images", images, layout.images)
    findings += _miscounted("objects", len(playable), layout.objects)
    measured: dict[str, tuple[float, float]] = {}
    for source, profiles in edges.items():
        apart = profiles.displacement()
        if apart is not None:
            measured[source] = apart
            if max(map(abs, apart)) > MOST_DISPLACED:
                findings.append(_displaced(source, *apart))
    image_sizes, object_px = None, None
    if playable:
        sizes = [item.size for item in playable]
        areas = [item.area for item in playable]
        image_sizes = (min(sizes, key=_by_pixels), max(sizes, key=_by_pixels))
        object_px = (min(areas), max(areas))
    return Diagnosis(
        name,
        path,
        images,
        len(playable),
        layout.images,
        layout.objects,
        image_sizes,
        object_px,
        tuple(findings),
        measured,
        tuple(notes),
    )


def _listed(layout: Layout, path: Path) -> tuple[list[Listed], list[str]]:
    """The objects that the layout lists, and what keeps it from listing others."""
    listed: list[Listed] = []
    findings: list[str] = []
    try:
        for entry in layout.entries(path):
            if isinstance(entry, DataError):
                findings.append(str(entry))
            else:
                listed.append(entry)
    except DataError as error:
        findings.append(str(error))
    return listed, findings


def _left_out(layout: Layout, path: Path) -> list[str]:
    """What lies in the layout's folders and isn't read."""
    if layout.folders is None:
        return []
    images, masks = layout.folders
    return [*left_out(path / images, IMAGE_SUFFIXES), *left_out(path / masks, MASK_SUFFIXES)]


def _examined(
    entry: Listed, layout: Layout, edges: EdgeProfiles
) -> tuple[list[_Playable], list[str], list[str]]:
    """The object, if it can be played, what is wrong with it, and what is only to be told.

    Its rim is added to `edges`, if nothing hides it.
    """
    sample = entry.sample
    try:
        image, gt_mask, ignore_mask = sample.load()
        if sample.initial is not None:
            # Only for its errors: nothing is played here.
            sample.initial()
        odd = _odd_values(entry, layout.values)
        name = _name(sample)
        notes: list[str] = []
        if entry.notes is not None:
            notes += [f"The mask of {name}: {note}" for note in entry.notes()]
    except DataError as error:
        return [], [str(error)], []
    area = int(np.count_nonzero(counted(gt_mask, ignore_mask)))
    wrong = []
    shown = ", ".join(map(str, odd))
    if odd and layout.cut:
        notes.append(f"The mask of {name} holds {shown}: object above 127, else background.")
    elif odd:
        expected = ", ".join(map(str, sorted(layout.values)))
        wrong.append(f"The mask of {name} holds {shown}: expected {expected} alone.")
    if not area:
        return [], [*wrong, f"The object {name} has no pixel that counts."], notes
    if ignore_mask is None:
        edges.add(image, gt_mask)
    size = image.shape[1], image.shape[0]
    return [_Playable((sample.source, sample.image_id), size, area)], wrong, notes


def _odd_values(entry: Listed, expected: frozenset[int]) -> list[int]:
    """What an object's mask file holds beside the values that its data set has. Raises
    DataError."""
    if entry.values is None or not expected:
        return []
    return sorted(set(np.unique(entry.values()).tolist()) - expected)


def _name(sample: EvalSample) -> str:
    return "/".join((sample.source, sample.image_id, sample.object_id))


def _by_pixels(size: Size) -> tuple[int, Size]:
    """For sorting; of equally many pixels by the sides, so that the files' order doesn't matter."""
    return size[0] * size[1], size


def _displaced(source: str, right: float, below: float) -> str:
    return (
        f"The masks of {source} lie {right:+.1f} pixels right of the photos' edges and "
        f"{below:+.1f} below them in the mean: expected 0. Masks that were resized in another way "
        "than their photos do that: make them again."
    )


def _miscounted(what: str, count: int, expected: tuple[int, ...]) -> list[str]:
    if not expected or count in expected:
        return []
    numbers = [f"{number:,}" for number in expected]
    return [f"There are {count:,} playable {what}: expected {' or '.join(numbers)}."]
