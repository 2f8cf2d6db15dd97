"""Decoded images, as many as fit a budget: each once, large ones in turn, without holding up those
already here."""

from __future__ import annotations

import threading
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2

from vtmr.app.project import Entry
from vtmr.app.turns import Turns, read_ahead
from vtmr.errors import InputError
from vtmr.images import read_header, read_image, read_thumbnail
from vtmr.pyramid import Pyramid
from vtmr.types import Predictor

TILE = 512
THUMBNAIL = 256
_BUDGET_BYTES = 600_000_000
_KEPT_THUMBNAILS = 2000
_QUALITY = [cv2.IMWRITE_JPEG_QUALITY, 92]


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """An open image: its pyramid for the page and what the predictor prepared."""

    name: str
    version: str
    pyramid: Pyramid
    scene: Any

    @property
    def height(self) -> int:
        return self.pyramid.height

    @property
    def width(self) -> int:
        return self.pyramid.width

    @property
    def nbytes(self) -> int:
        """With all halvings."""
        return self.pyramid.image.nbytes * 4 // 3

    @property
    def levels(self) -> int:
        """So many that the last one fits one tile."""
        return max((max(self.height, self.width) - 1) // TILE, 0).bit_length() + 1

    def tile(self, level: int, column: int, row: int, shown: Pyramid | None = None) -> bytes:
        """A tile as JPEG. shown: a pyramid to take it from instead. Raises InputError where there
        is none."""
        if not 0 <= level < self.levels or column < 0 or row < 0:
            raise InputError(f"There is no tile {level}/{column}/{row}.")
        pixels = (shown or self.pyramid).level(level)[
            row * TILE : (row + 1) * TILE, column * TILE : (column + 1) * TILE
        ]
        if not pixels.size:
            raise InputError(f"There is no tile {level}/{column}/{row}.")
        return as_jpeg(pixels)


class Pictures:
    """The open images, and thumbnails of all. Thread-safe."""

    def __init__(self, predictor: Predictor, forgotten: Callable[[Picture], None]) -> None:
        """forgotten: called with every picture that is dropped, so that nothing else keeps it
        alive."""
        self._predictor, self._forgotten = predictor, forgotten
        self._open: OrderedDict[str, Picture] = OrderedDict()
        self._thumbnails: OrderedDict[tuple[str, str], bytes] = OrderedDict()
        self._mutex, self._turns = threading.Lock(), Turns()
        self._one: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self.errors: dict[str, str] = {}

    def find(self, entry: Entry) -> Picture | None:
        """The image, if it is open; without waiting. Raises InputError when its file is gone."""
        return self._find(entry.name, entry.version())

    def get(self, entry: Entry) -> Picture:
        """The image, decoded if need be.

        Raises InputError when it can't be read, which is remembered in `errors`.
        """
        version = entry.version()
        with self._mutex:
            alone = self._one[entry.name]
        with alone:
            found = self._find(entry.name, version)
            if found:
                return found
            try:
                return self._decoded(entry, version)
            except InputError as error:
                raise self._blamed(entry, error) from error

    def thumbnail(self, entry: Entry) -> bytes:
        """A JPEG of at most THUMBNAIL pixels a side. Raises InputError as `get`."""
        key = (entry.name, entry.version())
        with self._mutex:
            if key in self._thumbnails:
                return self._thumbnails[key]
        try:
            with entry.opened() as path, self._turns.taken(_pixels(path)):
                data = as_jpeg(read_thumbnail(path, THUMBNAIL))
        except InputError as error:
            raise self._blamed(entry, error) from error
        with self._mutex:
            self._thumbnails[key] = data
            while len(self._thumbnails) > _KEPT_THUMBNAILS:
                self._thumbnails.popitem(last=False)
        return data

    def _decoded(self, entry: Entry, version: str) -> Picture:
        """The image, in its turn; it is among the open ones from now on. Raises InputError."""
        with entry.opened() as path, self._turns.taken(_pixels(path)):
            # Before it is decoded: meanwhile that takes more than the picture keeps.
            self._make_room(_BUDGET_BYTES // 2)
            pixels = read_image(path)
            scene = self._predictor.prepare(pixels)
            pyramid = scene if isinstance(scene, Pyramid) else Pyramid(pixels)
            picture = Picture(entry.name, version, pyramid, scene)
            self._make_room(max(_BUDGET_BYTES - picture.nbytes, 0))
        with self._mutex:
            self._open[entry.name] = picture
            self.errors.pop(entry.name, None)
        return picture

    def _find(self, name: str, version: str) -> Picture | None:
        """The open picture, unless its file has changed since."""
        with self._mutex:
            picture = self._open.get(name)
            if picture is None:
                return None
            if picture.version == version:
                self._open.move_to_end(name)
                return picture
            del self._open[name]
        self._forgotten(picture)
        return None

    def _make_room(self, budget: int) -> None:
        """Drops the pictures that weren't asked for longest until the others fit the budget."""
        dropped = []
        with self._mutex:
            while self._open and sum(picture.nbytes for picture in self._open.values()) > budget:
                dropped.append(self._open.popitem(last=False)[1])
        # Without the mutex: who is told takes locks of its own.
        for picture in dropped:
            self._forgotten(picture)

    def _blamed(self, entry: Entry, error: InputError) -> InputError:
        """The error, remembered."""
        with self._mutex:
            self.errors[entry.name] = str(error)
        return error


def _pixels(path: Path) -> int:
    """How many the file has, once it is at hand. Raises InputError."""
    try:
        read_ahead(path)
    except OSError as error:
        raise InputError(f"{path} can't be read: {error.strerror or error}.") from error
    header = read_header(path)
    return header.height * header.width


def as_jpeg(pixels: Any) -> bytes:
    """uint8 h x w x 3, RGB, as JPEG."""
    _, data = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), _QUALITY)
    return bytes(data)
