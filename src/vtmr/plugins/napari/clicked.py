"""The clicks that a layer of points holds, by the object and the plane that they are of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vtmr.errors import InputError
from vtmr.plugins.napari.slices import Plane, plane_of
from vtmr.types import Click

POSITIVE, OBJECT, ROWS, COLUMNS = "positive", "object", "rows", "columns"
NOT_SEEN = -1  # of the axes of a point that was made just now


@dataclass(frozen=True, slots=True)
class Target:
    """One object in one plane: what has a mask."""

    plane: Plane
    number: int


@dataclass(frozen=True, slots=True)
class Clicked:
    """What the points say. clicks: of every target, in their order; rows: the points' places in
    their layer, alike; beside: of points that lie in no plane of the image, with the reason."""

    clicks: dict[Target, tuple[Click, ...]]
    rows: dict[Target, tuple[int, ...]]
    beside: list[int]
    reason: str


def features_of(positive: bool, number: int) -> dict[str, Any]:
    """What the next point says besides where it is."""
    return {POSITIVE: positive, OBJECT: number, ROWS: NOT_SEEN, COLUMNS: NOT_SEEN}


def read_points(
    points: NDArray[np.float64], features: Mapping[str, Sequence[Any]], shape: Sequence[int]
) -> Clicked:
    """The points of a layer as clicks.

    points: N x D in the image's data; features: N values of each of `features_of`, axes included;
    shape: the image's, without channels.
    """
    clicks: dict[Target, list[Click]] = {}
    rows: dict[Target, list[int]] = {}
    beside: list[int] = []
    reason = ""
    for place, point in enumerate(points):
        axes = int(features[ROWS][place]), int(features[COLUMNS][place])
        try:
            plane, click = plane_of(point.tolist(), *axes, shape)
        except InputError as error:
            beside.append(place)
            reason = str(error)
            continue
        target = Target(plane, int(features[OBJECT][place]))
        signed = replace(click, positive=bool(features[POSITIVE][place]))
        clicks.setdefault(target, []).append(signed)
        rows.setdefault(target, []).append(place)
    return Clicked(
        {target: tuple(found) for target, found in clicks.items()},
        {target: tuple(found) for target, found in rows.items()},
        beside,
        reason,
    )


def changed(
    before: Mapping[Target, tuple[Click, ...]], after: Mapping[Target, tuple[Click, ...]]
) -> list[Target]:
    """The targets whose clicks aren't what they were."""
    either = dict.fromkeys([*before, *after])
    return [target for target in either if before.get(target, ()) != after.get(target, ())]


def common_start(before: Sequence[Click], after: Sequence[Click]) -> int:
    """How many of the first clicks are the same."""
    count = 0
    while count < min(len(before), len(after)) and before[count] == after[count]:
        count += 1
    return count
