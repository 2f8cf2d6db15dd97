"""Decoded images, as many as fit a budget."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

from vtmr.errors import InputError
from vtmr.images import decode_image
from vtmr.plugins.labelstudio.sources import Found
from vtmr.serving.answers import Refusal
from vtmr.serving.turns import Turns
from vtmr.serving.worker import Pool
from vtmr.types import Image, Predictor

_FETCHING, _WAITING = 4, 32


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """An image and what the predictor prepared of it. digest: of its file."""

    digest: str
    image: Image
    scene: Any

    @property
    def height(self) -> int:
        """In pixels, upright."""
        return int(self.image.shape[0])

    @property
    def width(self) -> int:
        """In pixels, upright."""
        return int(self.image.shape[1])

    @property
    def nbytes(self) -> int:
        """With the scene's halvings."""
        return self.image.nbytes * 4 // 3


class Pictures:
    """The images used last. Used from one event loop; files are fetched and decoded beside it."""

    def __init__(
        self,
        predictor: Predictor,
        forgotten: Callable[[str], None],
        budget: int,
    ) -> None:
        """forgotten: called with the digest of every image that is dropped, so that nothing else
        keeps it alive. budget: bytes of all; the newest is kept in any case."""
        self._predictor, self._forgotten, self._budget = predictor, forgotten, budget
        self._open: OrderedDict[str, Picture] = OrderedDict()
        self._digests: OrderedDict[Hashable, str] = OrderedDict()  # by version
        self._coming = Turns()
        self._fetching = Pool("vtmr-fetch", _FETCHING, waiting=_WAITING, what="images")
        # One at a time: a decoder takes several times what it gives.
        self._decoding = Pool("vtmr-decode", 1, waiting=_WAITING, most=1, what="images")

    def __len__(self) -> int:
        return len(self._open)

    async def get(self, found: Found) -> Picture:
        """The image, fetched and decoded once however many ask. Raises Refusal."""
        if found.version is None:
            # Only its bytes tell whether it is still the same: it is fetched each time.
            return await self._read(found)
        async with self._coming.of(found.version):
            known = self._known(self._digests.get(found.version, ""))
            if known is None:
                known = await self._read(found)
                self._digests[found.version] = known.digest
                # A digest without its image is worth little: as many are kept as may just be
                # coming.
                if len(self._digests) > len(self._open) + _WAITING:
                    self._digests.popitem(last=False)
            return known

    def close(self) -> None:
        """Drops what waits."""
        self._fetching.close()
        self._decoding.close()

    @property
    def busy(self) -> bool:
        """Whether a thread still reads or decodes."""
        return self._fetching.busy or self._decoding.busy

    async def _read(self, found: Found) -> Picture:
        """Raises Refusal."""
        data = await self._fetching.run(found.read)
        digest = hashlib.sha256(data).hexdigest()
        known = self._known(digest)
        if known is not None:
            return known
        try:
            image = await self._decoding.run(lambda: decode_image(data, found.name))
        except InputError as error:
            raise Refusal(422, "unreadable_image", str(error)) from error
        picture = Picture(digest, image, self._predictor.prepare(image))
        self._open[digest] = picture
        while len(self._open) > 1 and self._bytes > self._budget:
            dropped, _ = self._open.popitem(last=False)
            self._forgotten(dropped)
        return picture

    def _known(self, digest: str) -> Picture | None:
        if digest in self._open:
            self._open.move_to_end(digest)
        return self._open.get(digest)

    @property
    def _bytes(self) -> int:
        return sum(picture.nbytes for picture in self._open.values())
