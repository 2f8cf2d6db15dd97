"""Two runs side by side: paired differences on the objects that both have, and what their settings
don't share."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from vtmr.bench.figures import Objects
from vtmr.bench.folder import Settings
from vtmr.bench.folder import differences as differing
from vtmr.bench.metrics import mean_band

# Objects: even if all differ alike, a sign test's p is below .05 from 6 on (2 · .5⁶ = .03).
FEWEST = 6
FEWER = ("No", "cut", "passes", "remains")  # what figures begin with of which less is better
SHOWN_ELSEWHERE = ("model.name", "model.sha256", "datasets")  # in the table of runs


@dataclass(frozen=True, slots=True)
class Difference:
    """A figure of one run against another's, over the n objects that both have.

    value, reference: the figure over these objects. difference: value - reference; low, high: its
    95 % paired bootstrap interval over objects. Means, except for NoF, which counts objects.
    """

    figure: str
    n: int
    value: float
    reference: float
    difference: float
    low: float
    high: float

    @property
    def resolved(self) -> bool:
        """Whether the sample can tell the two apart: the interval leaves out 0, and the objects are
        enough."""
        return self.n >= FEWEST and not self.low <= 0 <= self.high

    @property
    def is_nil(self) -> bool:
        """Whether no resample shows a difference: every object has the same value in both."""
        return self.low == self.difference == self.high == 0

    @property
    def reading(self) -> str:
        """`better`, `worse`, `equal`, or `not resolved`."""
        if self.is_nil and not self.resolved:
            return "equal"
        if not self.resolved:
            return "not resolved"
        # NoC, NoF, cut, passes and remains count what is unwanted: less of them is better.
        if (self.difference < 0) == self.figure.startswith(FEWER):
            return "better"
        return "worse"


def differences(objects: Objects, reference: Objects, seed: int) -> list[Difference]:
    """Every figure that both have, on the objects that both have, in the order of the reference."""
    others = set(objects.keys)
    common = [key for key in reference.keys if key in others]
    figures = [figure for figure in reference.values if figure in objects.values]
    if not common or not figures:
        return []
    values, references = objects.of(common, figures), reference.of(common, figures)
    # Paired: objects differ more among each other than two runs do on one of them.
    apart = values - references
    lows, highs = mean_band(apart, seed)
    means = values.mean(axis=0), references.mean(axis=0), apart.mean(axis=0)
    columns = np.stack([*means, lows, highs], axis=1)
    found = []
    for figure, column in zip(figures, columns, strict=True):
        scale = 1
        if figure.startswith("NoF"):  # a number of objects, not a share
            scale = len(common)
        found.append(Difference(figure, len(common), *(scale * column).tolist()))
    return found


def differing_settings(settings: Mapping[str, Settings]) -> dict[str, dict[str, str]]:
    """{dotted name: {run's label: value as JSON}} of what at least one run doesn't share with the
    first.

    settings: {label: what run.json holds}. What names model and objects is left out: a report says
    it elsewhere.
    """
    first, *others = settings
    found: dict[str, dict[str, str]] = {}
    for label in others:
        for name, value, other in differing(settings[first], settings[label]):
            if not name.startswith(SHOWN_ELSEWHERE):
                row = found.setdefault(name, dict.fromkeys(settings, json.dumps(value)))
                row[label] = json.dumps(other)
    return found
