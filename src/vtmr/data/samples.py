"""The objects of a benchmark as records: what is played, and what the doctor looks at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vtmr.data.sources import Source, read_object
from vtmr.masks import Mask
from vtmr.types import Image


@dataclass(frozen=True)
class EvalSample:
    """One object to segment; `load` reads image, mask and, where the set has one, the pixels to
    ignore.

    initial: reads the mask to begin with, bool H x W, where the set brings one.
    """

    dataset: str
    image_id: str
    object_id: str
    source: str
    load: Callable[[], tuple[Image, Mask, Mask | None]]
    initial: Callable[[], Mask] | None = None


@dataclass(frozen=True)
class Listed:
    """A sample as its layout lists it, and how to read its mask file's raw values, where these are
    agreed on.

    notes: reads what the mask's file was taken for, where nobody agreed on it.
    """

    sample: EvalSample
    values: Callable[[], NDArray[np.uint8]] | None = None
    notes: Callable[[], tuple[str, ...]] | None = None


def of_source(dataset: str, source: Source, stem: str, object_id: str) -> EvalSample:
    """The sample for one object of a source."""
    return EvalSample(
        dataset, stem, object_id, source.name, lambda: read_object(source, stem, object_id)
    )


def of_objects(dataset: str, source: Source, stem: str, object_ids: Sequence[str]) -> EvalSample:
    """The sample for several objects of one image as one: their union.

    A pixel is ignored where no object is and at least one of them ignores it.
    """

    def load() -> tuple[Image, Mask, Mask | None]:
        masks, ignored = [], []
        for object_id in object_ids:
            image, mask, ignore_mask = read_object(source, stem, object_id)
            masks.append(mask)
            if ignore_mask is not None:
                ignored.append(ignore_mask)
        gt_mask = np.logical_or.reduce(masks)
        if not ignored:
            return image, gt_mask, None
        # What one object's file leaves open, another's may know to be object.
        return image, gt_mask, np.logical_or.reduce(ignored) & ~gt_mask

    return EvalSample(dataset, stem, "+".join(object_ids), source.name, load)
