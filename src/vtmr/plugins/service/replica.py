"""What runs on a Ray cluster: replicas that answer for images, each kept warm by the images that it
was asked about (docs/decisions/0021).

Every machine of the cluster has vtmr installed, with the extra [serve-ray].
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import vtmr
from vtmr.plugins.service.engine import Answer, Engine, Size
from vtmr.plugins.service.limits import Limits
from vtmr.plugins.service.place import OwnFolder
from vtmr.plugins.service.prompts import Prompts
from vtmr.segmenter import load
from vtmr.serving.answers import Refusal

MOST_WARM = 500  # images that the router may know a replica by


@dataclass(frozen=True, slots=True)
class Refused:
    """A Refusal on its way from a replica: exceptions of several arguments aren't sent well."""

    status: int
    code: str
    message: str
    headers: dict[str, str]

    def raised(self) -> Refusal:
        """The refusal itself, to be raised again where the request came in."""
        return Refusal(self.status, self.code, self.message, None, self.headers)


class Replica:
    """An engine whose images come from whoever asks: with every request comes a reference to the
    image's file in Ray's object store, which is fetched only where the image isn't here."""

    def __init__(self, model: str, threads: int, limits: Limits) -> None:
        # Ray ends replicas without a word: the next one on the machine removes what they left.
        self._folder = OwnFolder("replica")
        images = self._folder.path / "images"
        images.mkdir()
        # One prediction at a time: the replica is given as many CPUs as that has threads.
        self._engine = Engine(load(model, threads=threads), images, limits, 1)
        self._engine.start()

    def about(self) -> dict[str, str]:
        """What the service says of itself: model and version."""
        return {"model": self._engine.model, "version": vtmr.__version__}

    async def add(self, image_id: str, reference: Any) -> Size | Refused:
        """The image's size, once it is here. reference: awaited, the file's bytes as uint8."""
        try:
            return await self._here(image_id, reference)
        except Refusal as refusal:
            return _refused(refusal)

    async def answer(self, image_id: str, reference: Any, prompts: Prompts) -> Answer | Refused:
        """See Backend.answer; an image that isn't here, or isn't any more, is fetched first."""
        try:
            await self._here(image_id, reference)
            return await self._engine.answer(image_id, prompts)
        except Refusal as refusal:
            return _refused(refusal)

    async def _here(self, image_id: str, reference: Any) -> Size:
        try:
            return await self._engine.find(image_id)
        except Refusal:
            data = await reference
        with tempfile.NamedTemporaryFile(dir=self._folder.path, suffix=".upload") as file:
            await asyncio.to_thread(file.write, data)
            file.flush()
            return await self._engine.add(Path(file.name), image_id)


def deployment(arguments: Mapping[str, Any]) -> Any:
    """The replicas' deployment, to be given options and bound.

    arguments: model, and perhaps threads and limits by name. Raises ConfigError for limits that
    can't be.
    """
    from ray import serve

    model, threads = str(arguments["model"]), int(arguments.get("threads", 1))
    limits = Limits(**arguments.get("limits", {}))

    # Made here, as Ray's decorators need Ray, which few have.
    @serve.deployment(name="Masks")
    class Masks:
        def __init__(self) -> None:
            self.replica = Replica(model, threads, limits)

        @serve.multiplexed(max_num_models_per_replica=MOST_WARM)  # type: ignore[untyped-decorator]
        async def warm(self, image_id: str) -> str:
            """Tells the router that questions about this image are best asked here."""
            # Nothing to load, as the engine keeps images by itself: Serve is to remember the id.
            return image_id

        async def about(self) -> dict[str, str]:
            return self.replica.about()

        async def add(self, image_id: str, references: Sequence[Any]) -> Size | Refused:
            await self.warm(image_id)
            return await self.replica.add(image_id, references[0])

        async def answer(
            self, image_id: str, references: Sequence[Any], prompts: Prompts
        ) -> Answer | Refused:
            await self.warm(image_id)
            return await self.replica.answer(image_id, references[0], prompts)

    return Masks


def application(arguments: Mapping[str, Any]) -> Any:
    """The Serve application as cluster.yaml names it: Serve wants this one argument alone. See
    `deployment`."""
    return deployment(arguments).bind()


def _refused(refusal: Refusal) -> Refused:
    return Refused(refusal.status, refusal.code, refusal.message, refusal.headers)
