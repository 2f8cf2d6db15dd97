"""HEIC and HEIF photos, as phones write them: by pillow-heif, where that is installed."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any, BinaryIO

from PIL import Image as pillow

from vtmr.errors import InputError

_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx")
_OF_SEVERAL = (b"mif1", b"msf1")  # AVIF's as well: the compatible brands tell


@cache
def reads_heif() -> bool:
    """Whether pillow-heif is there."""
    return find_spec("pillow_heif") is not None


def is_heif(prefix: bytes) -> bool:
    """By a file's first 32 bytes."""
    if prefix[4:8] != b"ftyp":
        return False
    brand, compatible = prefix[8:12], prefix[16:32]
    return brand in _BRANDS or (brand in _OF_SEVERAL and any(one in compatible for one in _BRANDS))


@dataclass(frozen=True, eq=False)
class HeifPicture:
    """A photo whose header is read. height, width: upright, as the file says it is to be turned."""

    height: int
    width: int
    _file: Any

    def decode(self) -> pillow.Image:
        """Red, green and blue of 8 bits, with alpha where there is any."""
        picture: pillow.Image = self._file.to_pillow()
        return picture if picture.mode in ("L", "RGB", "RGBA") else picture.convert("RGB")


def open_heif(path: Any, stream: BinaryIO, size: int) -> HeifPicture:
    """The file with its header read. Raises InputError where pillow-heif isn't there."""
    if not reads_heif():
        raise InputError(
            f"{path} is a HEIC photo, which needs a package (pip install pillow-heif): install it, "
            "or convert it to JPEG."
        )
    stream.seek(0)
    file = import_module("pillow_heif").open_heif(io.BytesIO(stream.read(size)))
    width, height = file.size
    return HeifPicture(height, width, file)
