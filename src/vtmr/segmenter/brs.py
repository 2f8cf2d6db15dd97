"""BRS's own pipeline [docs/zoo.md §Z.7]: the whole image and tiles of it vote, and where the newest
click stays wrong, the tile's click maps are changed until it is right.

The correction is what later methods call BRS: L-BFGS over the maps that the network is fed.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Protocol, final

import cv2
import numpy as np
from numpy.typing import NDArray

from vtmr.encodings import FARTHEST, by_sign, distances_by_sign
from vtmr.errors import ConfigError
from vtmr.geometry import Box
from vtmr.inputs import normalise
from vtmr.masks import Mask, RunLengths
from vtmr.pyramid import Pyramid
from vtmr.segmenter.logits import sigmoid
from vtmr.segmenter.pipeline import Segmenter, require_clicks, require_scipy
from vtmr.segmenter.whole import WholePrediction
from vtmr.types import Click, Event, FloatMap, Network

SIDE, STEP, MULTIPLE = 480, 400, 32  # of a tile, from one to the next; of the whole image's sides
WRONG = 0.5  # a clicked pixel further from its sign than this is answered wrongly
KEPT_NEAR = 1e-3  # what a change of the maps costs
MEMORY, ITERATIONS, LEAST_SLOPE = 20, 100, 1e-9  # of L-BFGS


class CorrectableNetwork(Network, Protocol):
    """A network that can be fed with maps, and says how they bear on its answer."""

    def respond(self, planes: FloatMap, maps: FloatMap) -> FloatMap:
        """Logits h x w; planes: normalised 1 x 3 x h x w, maps: 1 x 2 x h x w."""
        ...

    def slopes(
        self, planes: FloatMap, maps: FloatMap, targets: FloatMap, weights: FloatMap
    ) -> tuple[FloatMap, FloatMap]:
        """Probabilities h x w, and for each value of the maps the derivative of the sum of
        weights * (probability - target)²; targets, weights: h x w."""
        ...


@dataclass(frozen=True, slots=True)
class Corrected:
    """A tile's maps (1 x 2 x SIDE x SIDE) as the last correction left them, after so many
    clicks."""

    maps: FloatMap
    clicks: int


@dataclass(frozen=True)
class Tile:
    """A square of SIDE pixels; less where the image ends, and the rest is filled with zeros."""

    box: Box

    def holds(self, click: Click) -> bool:
        """Whether the click's pixel is in it."""
        row, col = click.pixel
        return self.box.y0 <= row < self.box.y1 and self.box.x0 <= col < self.box.x1

    def at(self, click: Click) -> tuple[int, int]:
        """The click's row and column in the tile."""
        row, col = click.pixel
        return row - self.box.y0, col - self.box.x0

    def filled(self, planes: FloatMap) -> FloatMap:
        """1 x C x SIDE x SIDE from 1 x C x h x w of the tile."""
        square = np.zeros((1, planes.shape[1], SIDE, SIDE), np.float32)
        square[:, :, : planes.shape[2], : planes.shape[3]] = planes
        return square

    def maps(self, clicks: Sequence[Click], corrected: Corrected | None) -> FloatMap:
        """What the network is fed: how near clicks are, or what a correction made of that, with the
        clicks since."""
        height, width = self.box.height, self.box.width
        fresh = clicks
        if corrected is not None:
            fresh = clicks[corrected.clicks :]
        left, top = self.box.x0, self.box.y0
        shifted = [Click(click.x - left, click.y - top, click.positive) for click in fresh]
        signs = by_sign(shifted)
        apart = distances_by_sign(shifted, height, width)
        near = self.filled(1 - apart[None] / np.float32(FARTHEST))
        if corrected is None:
            return near
        maps = corrected.maps.copy()
        for plane, picked in enumerate(signs):
            if picked:  # a correction may leave less than 0, which stays where nothing new is
                place = (0, plane, slice(height), slice(width))
                maps[place] = np.maximum(maps[place], near[place])
        return maps


@dataclass(frozen=True)
class BrsMemory:
    """What a prediction hands on: the tiles that were corrected so far."""

    corrected: Mapping[int, Corrected] = field(default_factory=lambda: MappingProxyType({}))


@final
class BrsSegmenter(Segmenter):
    """Votes of the whole image and of tiles, with corrections.

    A mask to correct isn't used: the network can't be told of one. Needs scipy; raises ConfigError
    without it, and for a network that can't be corrected.
    """

    network: CorrectableNetwork

    def __init__(self, network: Network, **options: Any) -> None:
        super().__init__(network, **options)
        if not hasattr(network, "slopes"):
            raise ConfigError(f"{self.name} is played on torch alone: add --device cpu.")
        require_scipy(self.name)

    def predict(
        self,
        scene: Pyramid,
        events: Sequence[Event],
        previous: WholePrediction | None = None,
        mask: Mask | None = None,
        region: Box | None = None,
    ) -> WholePrediction:
        """See `Predictor.predict`; neither `mask` nor `region` is used."""
        clicks = require_clicks(events, scene)
        tiles = tiles_of(scene.height, scene.width)
        corrected: dict[int, Corrected] = {}
        if previous is not None:
            corrected.update(previous.memory.corrected)
        ballot = Ballot.empty(scene.height, scene.width)
        whole = None
        if not corrected:  # once a tile knows better, the whole image has no vote any more
            whole = self._whole(scene, clicks)
        positive = [click for click in clicks if click.positive]
        for number, tile in enumerate(tiles):
            if any(map(tile.holds, positive)):
                maps = tile.maps(clicks, corrected.get(number))
                ballot = ballot.with_tile(number, tile, self._tile(scene, tile, maps))
        found = ballot.mean(whole)
        added = 0
        newest = clicks[-1]
        if (found[newest.pixel] > WRONG) != newest.positive:
            for number in [n for n in ballot.votes if tiles[n].holds(newest)]:
                tile = tiles[number]
                before = tile.maps(clicks, corrected.get(number))
                planes = self._planes(scene, tile)
                prob, after = corrected_maps(self.network, planes, before, tile, clicks)
                corrected[number] = Corrected(after, len(clicks))
                ballot = ballot.with_tile(number, tile, prob)
                whole = None
                added += after.nbytes
            found = ballot.mean(whole)
        runs = RunLengths.encode(found > self.spec.threshold)
        return WholePrediction(runs, BrsMemory(MappingProxyType(corrected)), added)

    def _planes(self, scene: Pyramid, tile: Tile) -> FloatMap:
        pixels = scene.image[tile.box.slices]
        return tile.filled(normalise(pixels, self.spec.coarse_normalisation))

    def _tile(self, scene: Pyramid, tile: Tile, maps: FloatMap) -> FloatMap:
        """Probabilities SIDE x SIDE."""
        return sigmoid(self.network.respond(self._planes(scene, tile), maps))

    def _whole(self, scene: Pyramid, clicks: Sequence[Click]) -> FloatMap:
        """Probabilities H x W of the image reduced or enlarged to a longer side of SIDE."""
        rows, cols = whole_sides(scene.height, scene.width)
        small = cv2.resize(scene.image, (cols, rows), interpolation=cv2.INTER_CUBIC)
        points = []
        for click in clicks:
            row, col = click.pixel
            at = round(row * rows / scene.height), round(col * cols / scene.width)
            points.append(Click(at[1] + 0.5, at[0] + 0.5, click.positive))
        prev = np.zeros((rows, cols), np.float32)
        logits, _ = self.network.coarse(np.asarray(small, np.uint8), prev, points)
        size = (scene.width, scene.height)
        enlarged = cv2.resize(sigmoid(logits), size, interpolation=cv2.INTER_CUBIC)
        return np.asarray(enlarged, np.float32)


@dataclass(frozen=True)
class Ballot:
    """Tiles' probabilities by their numbers, of an image of that size."""

    height: int
    width: int
    votes: Mapping[int, tuple[Tile, FloatMap]]

    @staticmethod
    def empty(height: int, width: int) -> Ballot:
        """Without any vote."""
        return Ballot(height, width, {})

    def with_tile(self, number: int, tile: Tile, prob: FloatMap) -> Ballot:
        """With a tile's vote, in place of its earlier one."""
        return Ballot(self.height, self.width, {**self.votes, number: (tile, prob)})

    def mean(self, whole: FloatMap | None) -> FloatMap:
        """float32 H x W; 0 where nobody votes. whole: the whole image's vote."""
        total = np.zeros((self.height, self.width), np.float32)
        count = np.zeros((self.height, self.width), np.float32)
        if whole is not None:
            total += whole
            count += 1
        for tile, prob in self.votes.values():
            place = tile.box.slices
            total[place] += prob[: tile.box.height, : tile.box.width]
            count[place] += 1
        return np.asarray(total / np.maximum(count, 1), np.float32)


def tiles_of(height: int, width: int) -> list[Tile]:
    """An image's tiles in rows."""
    found: list[Tile] = []
    for y0, y1 in spans(height):
        found += [Tile(Box(x0, y0, x1, y1)) for x0, x1 in spans(width)]
    return found


def spans(length: int) -> list[tuple[int, int]]:
    """From where to where tiles reach along a side: every STEP pixels, the last one at its end."""
    found: list[tuple[int, int]] = []
    for start in range(0, length, STEP):
        first = max(0, min(start, length - SIDE))
        found.append((first, min(start + SIDE, length)))
        if found[-1][1] == length:
            break
    return found


def whole_sides(height: int, width: int) -> tuple[int, int]:
    """Rows and columns, multiples of MULTIPLE, of which the longer has SIDE."""
    longest = max(height, width)
    rows = max(MULTIPLE, MULTIPLE * round(height * SIDE / longest / MULTIPLE))
    cols = max(MULTIPLE, MULTIPLE * round(width * SIDE / longest / MULTIPLE))
    return rows, cols


def corrected_maps(
    network: CorrectableNetwork,
    planes: FloatMap,
    maps: FloatMap,
    tile: Tile,
    clicks: Sequence[Click],
) -> tuple[FloatMap, FloatMap]:
    """Probabilities and maps once all clicks in the tile are right, or L-BFGS gives up.

    The sum of squared errors at the clicked pixels, and KEPT_NEAR times that of the maps' changes,
    is made small. What the network answered at the last evaluation counts, whether it was the best
    or not, as in the authors' code; the maps are L-BFGS's best.
    """
    targets, weights = np.zeros(maps.shape[2:], np.float32), np.zeros(maps.shape[2:], np.float32)
    for click in clicks:
        if tile.holds(click):
            targets[tile.at(click)] = click.positive
            weights[tile.at(click)] = 1
    last = maps[0, 0]

    def energy(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        nonlocal last
        tried = flat.reshape(maps.shape).astype(np.float32)
        last, slope = network.slopes(planes, tried, targets, weights)
        errors = (last - targets) * weights
        value = float((errors.astype(np.float64) ** 2).sum())
        if np.abs(errors).max() < WRONG:
            return value, np.zeros(flat.size)  # no slope: that ends it
        change = tried - maps
        value += KEPT_NEAR * float((change.astype(np.float64) ** 2).sum())
        total = slope + np.float32(2 * KEPT_NEAR) * change
        return value, total.astype(np.float64).ravel()

    optimise = importlib.import_module("scipy.optimize").fmin_l_bfgs_b
    start = maps.astype(np.float64).ravel()
    found, _, _ = optimise(energy, start, maxiter=ITERATIONS, m=MEMORY, factr=0, pgtol=LEAST_SLOPE)
    return last, found.reshape(maps.shape).astype(np.float32)
