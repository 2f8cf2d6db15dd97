"""Where a click on what a viewer shows lies in the data: which plane of them, and where in it.

A viewer's own coordinates have the middle of the first pixel at 0; vtmr's have its corner there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vtmr.errors import InputError
from vtmr.types import Click


@dataclass(frozen=True, slots=True)
class Plane:
    """A two-dimensional slice of data with any number of axes, as it is shown.

    rows, columns: the axes that run down and to the right. fixed: of every other axis, in order,
    the index that is shown.
    """

    rows: int
    columns: int
    fixed: tuple[int, ...]

    def of(self, data: Any) -> NDArray[Any]:
        """The plane's values, [row, column] and perhaps a channel: a copy or a view of the data.

        data: any array; one channel more than the plane has axes is kept as the last axis.
        """
        # Cut first: of data that are read when they are needed, as dask's, that is one plane and
        # not all.
        values = np.asarray(data[self._index()])
        if self.rows > self.columns:
            values = np.swapaxes(values, 0, 1)
        return values

    def places(
        self, rows: NDArray[np.intp], columns: NDArray[np.intp]
    ) -> tuple[NDArray[np.intp], ...]:
        """The pixels' indices in the data, an array for each axis."""
        fixed = iter(self.fixed)
        found = []
        for axis in range(len(self.fixed) + 2):
            if axis == self.rows:
                found.append(rows)
            elif axis == self.columns:
                found.append(columns)
            else:
                found.append(np.full_like(rows, next(fixed)))
        return tuple(found)

    def _index(self) -> tuple[int | slice, ...]:
        fixed = iter(self.fixed)
        shown = (self.rows, self.columns)
        return tuple(
            slice(None) if axis in shown else next(fixed) for axis in range(len(self.fixed) + 2)
        )


def shown_axes(displayed: Sequence[int], viewer_ndim: int, ndim: int) -> tuple[int, int]:
    """The axes of data with `ndim` axes that a viewer with `viewer_ndim` of them shows as rows and
    columns.

    displayed: the viewer's axes on the screen, down and to the right. Data with fewer axes have the
    viewer's last ones. Raises InputError for a view of three dimensions, and for one in which the
    data have no plane.
    """
    if len(displayed) != 2:
        raise InputError("vtmr works on slices: switch the view from 3D to 2D.")
    missing = viewer_ndim - ndim
    rows, columns = (int(axis) - missing for axis in displayed)
    if min(rows, columns) < 0:
        raise InputError(
            "The image has no slice in this view, since it lacks one of the two axes that are "
            "shown: roll the dimensions back."
        )
    return rows, columns


def plane_of(
    point: Sequence[float], rows: int, columns: int, shape: Sequence[int]
) -> tuple[Plane, Click]:
    """The plane that a point of the data lies in, and the positive click there.

    point: one coordinate an axis, the middle of the first pixel at 0. shape: the data's, without
    channels. Raises InputError for a point beside the data.
    """
    fixed = []
    for axis, (value, length) in enumerate(zip(point, shape, strict=True)):
        if not -0.5 <= value < length - 0.5:
            raise InputError(
                f"The click lies beside the image: {value:.1f} on axis {axis}, which has "
                f"{length} pixels. Click on the image."
            )
        if axis not in (rows, columns):
            # round() would take halves to the even slice, now the one before and now the one after.
            fixed.append(math.floor(value + 0.5))
    click = Click(float(point[columns]) + 0.5, float(point[rows]) + 0.5)
    return Plane(rows, columns, tuple(fixed)), click
