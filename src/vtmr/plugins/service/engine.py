"""Images kept and clicked on in this process: what answers, whether it stands behind HTTP or in a
replica on Ray."""

from __future__ import annotations

import hashlib
import os
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar

from vtmr.errors import InputError
from vtmr.masks import RunLengths
from vtmr.plugins.service.decoding import LARGE_PIXELS, Decoding
from vtmr.plugins.service.folder import BoundedFolder
from vtmr.plugins.service.limits import MEGABYTE, Limits
from vtmr.plugins.service.prompts import Prompts, unusable
from vtmr.plugins.service.scenes import Scene, open_scene, read_size, scene_bytes
from vtmr.serving.answers import Refusal
from vtmr.serving.turns import Turns
from vtmr.serving.worker import Pool
from vtmr.session import Session
from vtmr.session.live import LiveSessions
from vtmr.types import Predictor

Result = TypeVar("Result")

_LARGE_NICENESS = 10


@dataclass(frozen=True, slots=True)
class Size:
    """Of an image, upright, in pixels."""

    height: int
    width: int

    @property
    def pixels(self) -> int:
        """How many it has."""
        return self.height * self.width


@dataclass(frozen=True, slots=True)
class Answer:
    """A mask, and how long it took to make: predictions, painting and packing, without waiting."""

    mask: RunLengths
    seconds: float


class Backend(Protocol):
    """What stands behind the routes. Each method may raise Refusal."""

    @property
    def model(self) -> str:
        """The model's name."""
        ...

    async def add(self, file: Path, image_id: str) -> Size:
        """Takes an image file, which stays the caller's. 422 for what is no image, 413 for one that
        is too large."""
        ...

    async def find(self, image_id: str) -> Size:
        """404 for an image that isn't here, or isn't any more."""
        ...

    async def forget(self, image_id: str) -> None:
        """404 as `find`."""
        ...

    async def answer(self, image_id: str, prompts: Prompts) -> Answer:
        """404 as `find`, 422 for prompts that don't go with the image."""
        ...

    @property
    def images(self) -> tuple[int, int]:
        """How many are kept, and their bytes."""
        ...

    def close(self) -> None:
        """Lets go of everything; what waits is dropped."""
        ...


@dataclass(eq=False)
class Engine:
    """A predictor, the images that it is asked about, and the threads that ask it.

    folder: for decoded images, shared with other processes. slots: predictions at the same time.
    """

    predictor: Predictor
    folder: Path
    limits: Limits
    slots: int
    _scenes: dict[str, Scene] = field(default_factory=dict, init=False)
    _coming: Turns = field(default_factory=Turns, init=False)

    def __post_init__(self) -> None:
        self._kept = BoundedFolder(self.folder, self.limits.images_mb * MEGABYTE)
        self._sessions = LiveSessions(self.limits.sessions_mb * MEGABYTE)
        self._decoding = Decoding(self.limits)
        waiting = self.limits.in_flight
        self._turns = Pool("vtmr-predict", self.slots, waiting=waiting, most=self.slots)
        self._large_turns = Pool("vtmr-predict-large", 1, waiting=waiting, most=1)
        self._mutex = threading.Lock()

    def start(self) -> None:
        """Makes the first image wait for nothing."""
        self._decoding.start()

    @property
    def model(self) -> str:
        """See Backend."""
        return self.predictor.name

    @property
    def images(self) -> tuple[int, int]:
        """See Backend."""
        return len(self._kept), self._kept.nbytes

    async def add(self, file: Path, image_id: str) -> Size:
        """See Backend."""
        async with self._coming.of(image_id):  # whoever sends the same image meanwhile waits
            found = self._found(image_id)
            return found or await self._decoded(file, image_id)

    async def find(self, image_id: str) -> Size:
        """See Backend."""
        found = self._found(image_id)
        if found is None:
            raise unknown_image(image_id)
        return found

    async def forget(self, image_id: str) -> None:
        """See Backend."""
        if not self._kept.drop(image_id):
            raise unknown_image(image_id)
        self._drop(image_id)

    async def answer(self, image_id: str, prompts: Prompts) -> Answer:
        """See Backend."""
        size = await self.find(image_id)
        if isinstance(prompts.mask, bytes):
            prompts = prompts.with_mask(await self._decoded_mask(prompts.mask, size))
        if size.pixels < LARGE_PIXELS:
            return await self._turns.run(lambda: self._predicted(image_id, prompts))
        # One large image at a time, and giving way: small ones answered meanwhile hardly notice.
        return await self._large_turns.run(
            lambda: _giving_way(lambda: self._predicted(image_id, prompts))
        )

    def close(self) -> None:
        """Ends its processes; what waits is dropped."""
        self._turns.close()
        self._large_turns.close()
        self._decoding.close()

    def _found(self, image_id: str) -> Size | None:
        path = self._kept.touched(image_id)
        if path is None:
            self._drop(image_id)
            return None
        try:
            return Size(*read_size(path))
        except FileNotFoundError:  # another process made room this very moment
            return None

    async def _decoded(self, file: Path, image_id: str) -> Size:
        """Decodes the file into the folder."""
        try:
            size = Size(*await self._decoding.measure(file))
        except InputError as error:
            raise _unreadable(error) from error
        self._require_fitting(size)
        # Named by the process, too: others may decode the same image just now.
        part = self.folder.parent / f"{image_id}.{os.getpid()}.part"
        try:
            await self._decoding.decode(file, part, size.pixels)
            self._kept.keep(part, image_id)
        except InputError as error:
            raise _unreadable(error) from error
        finally:
            part.unlink(missing_ok=True)
        return size

    def _require_fitting(self, size: Size) -> None:
        """Raises Refusal (413) for an image that is larger than the limits."""
        most = self.limits.megapixels
        if size.pixels > most * MEGABYTE:
            raise Refusal(
                413,
                "too_large",
                f"The image has {size.width}x{size.height} = {size.pixels / 1e6:.1f} megapixels: "
                f"expected at most {most}. Scale it down.",
            )
        needed = scene_bytes(size.height, size.width)
        if needed > self.limits.images_mb * MEGABYTE:
            raise Refusal(
                413,
                "too_large",
                f"The image takes {needed / 1e6:.0f} MB decoded, and the service keeps "
                f"{self.limits.images_mb} MB in all. Scale it down.",
            )

    async def _decoded_mask(self, data: bytes, size: Size) -> RunLengths:
        with tempfile.NamedTemporaryFile(dir=self.folder.parent, suffix=".mask") as file:
            file.write(data)
            file.flush()
            try:
                counts = await self._decoding.decode_mask(Path(file.name), size.height, size.width)
            except InputError as error:
                raise unusable(error) from error
        return RunLengths(size.height, size.width, counts)

    def _predicted(self, image_id: str, prompts: Prompts) -> Answer:
        """In a thread. Raises Refusal."""
        begun = time.perf_counter()
        scene = self._scene(image_id)

        def begin() -> Session:
            return Session(
                self.predictor,
                scene.image,
                correction=prompts.correction,
                scene=scene.prepared,
            )

        try:
            session, _ = self._sessions.at((image_id, prompts.correction), prompts.steps, begin)
        except InputError as error:
            raise unusable(error) from error
        return Answer(RunLengths.encode(session.mask), time.perf_counter() - begun)

    def _scene(self, image_id: str) -> Scene:
        with self._mutex:
            scene = self._scenes.get(image_id)
        if scene is not None:
            return scene
        try:
            scene = open_scene(self.folder / image_id, self.predictor)
        except FileNotFoundError as error:
            raise unknown_image(image_id) from error
        with self._mutex:
            # Other processes remove files and can't tell this one: here it is found out.
            gone = [known for known in self._scenes if not (self.folder / known).exists()]
            self._scenes[image_id] = scene
        for known in gone:
            self._drop(known)
        return scene

    def _drop(self, image_id: str) -> None:
        """Lets go of an image that isn't in the folder any more, with everything on it."""
        with self._mutex:
            known = self._scenes.pop(image_id, None)
        if known is not None:
            self._sessions.forget(
                lambda subject: isinstance(subject, tuple) and subject[0] == image_id
            )


def hash_of(file: Path) -> str:
    """An image's id: the SHA-256 of its file, in hexadecimal digits."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def unknown_image(image_id: str) -> Refusal:
    """The answer (404) about an image that isn't kept."""
    return Refusal(
        404,
        "unknown_image",
        f"The image {image_id[:12]}… isn't here, or isn't any more: upload it, then ask again.",
    )


def _unreadable(error: InputError) -> Refusal:
    return Refusal(422, "unreadable_image", str(error))


def _giving_way(function: Callable[[], Result]) -> Result:
    """Runs it in this thread at a lower priority, for good: the thread does nothing else."""
    with suppress(AttributeError, OSError):  # threads have priorities of their own on Linux alone
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LARGE_NICENESS)
    return function()
