"""What tests of the service share: the photo that they send, and a service's parts."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import numpy as np
from fakes import ColourNetwork, shapes_image
from PIL import Image
from pycocotools import mask as coco_mask

from vtmr.plugins.service.engine import Engine
from vtmr.plugins.service.limits import Limits
from vtmr.segmenter import segmenter_for


def png_of(pixels: Any) -> bytes:
    """An image or a mask as PNG."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


PHOTO = png_of(shapes_image())
PHOTO_ID = hashlib.sha256(PHOTO).hexdigest()
ON_ELLIPSE = {"x": 56.5, "y": 54.5}


def engine_in(folder: Path, limits: Limits) -> Engine:
    """With the colour network; two predictions at a time."""
    for name in ("images", "incoming"):
        (folder / name).mkdir(parents=True)
    return Engine(segmenter_for(ColourNetwork()), folder / "images", limits, 2)


PNG = {"content-type": "image/png"}


def decoded(record: dict[str, Any]) -> Any:
    """A mask of an answer, by COCO's own tools: bool H x W."""
    return np.asarray(coco_mask.decode(record), np.bool_)
