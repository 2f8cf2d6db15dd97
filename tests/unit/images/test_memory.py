"""How much memory reading takes: 1.5 GB beside the image at each format's limit, so as many bytes a
pixel here, measured by a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from peaks import PEAK_KB
from PIL import Image

from vtmr.images.opening import MAX_AVIF_PIXELS, MAX_JPEG2000_TILE, MAX_PIXELS

SIDE = 4000
BUDGET = 1_500_000_000
FIXED = 48 << 20  # of buffers that are as large for a small image


def blocks(channels: int) -> np.ndarray:
    """Squares of 50 pixels in random colours."""
    small = np.random.default_rng(0).integers(0, 256, (SIDE // 50,) * 2 + (channels,), np.uint8)
    return np.kron(small, np.ones((50, 50, 1), np.uint8)).squeeze()


def of_channels(count: int) -> Image.Image:
    return Image.fromarray(blocks(count))


def deep() -> Image.Image:
    return Image.fromarray(blocks(1).astype(np.uint16) * 257)


rgb, rgba, grey_alpha = (partial(of_channels, count) for count in (3, 4, 2))
# a directory of one entry: orientation (274), a short, one of them, 6
TURNED = (8).to_bytes(4) + (1).to_bytes(2) + bytes.fromhex("0112 0003 00000001 00060000 00000000")
# What makes each picture, and how it is saved.
CASES: dict[str, tuple[Callable[[], Image.Image], dict[str, Any]]] = {
    "rgba.png": (rgba, {"compress_level": 1}),
    "la.png": (grey_alpha, {"compress_level": 1}),
    "deep.png": (deep, {"compress_level": 1}),
    "palette.png": (lambda: rgb().convert("P"), {"transparency": 0}),
    "palette.gif": (lambda: rgb().convert("P"), {}),
    "cmyk.jpg": (lambda: rgb().convert("CMYK"), {}),
    "progressive.jpg": (lambda: rgb().convert("CMYK"), {"progressive": True, "subsampling": 0}),
    "turned.jpg": (rgb, {"exif": b"Exif\0\0MM\0*" + TURNED}),
    "rgb.webp": (rgb, {"method": 0, "quality": 20}),
    "rgba.webp": (rgba, {"method": 0, "lossless": True, "quality": 0}),
    "cmyk.tif": (lambda: rgb().convert("CMYK"), {"compression": "tiff_lzw"}),
    "rgba.tif": (rgba, {"compression": "tiff_lzw"}),
    "turned.tif": (rgb, {"tiffinfo": {274: 6}}),
    "rgb.ppm": (rgb, {}),
    "rgb.bmp": (rgb, {}),
    "rgba.avif": (rgba, {"speed": 10, "quality": 40}),
    "rgb.jp2": (rgb, {"quality_mode": "rates", "quality_layers": [50]}),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_the_peak_is_within_its_budget(tmp_path: Path, name: str) -> None:
    """Of a thumbnail, of the whole image, and of a mask (these files are none, which is found out
    late), one after the other."""
    made, options = CASES[name]
    made().save(tmp_path / name, **options)
    most = {".avif": MAX_AVIF_PIXELS, ".jp2": MAX_JPEG2000_TILE}.get(Path(name).suffix, MAX_PIXELS)
    done = subprocess.run(
        [sys.executable, "-c", PEAK_KB + PEAK, str(tmp_path / name)],
        capture_output=True,
        text=True,
        check=True,
    )
    bytes_a_pixel = (float(done.stdout) * 1024 - FIXED) / SIDE**2
    assert bytes_a_pixel < BUDGET / most + 3, done.stdout


PEAK = """
import sys
import cv2
import PIL.AvifImagePlugin, PIL.Jpeg2KImagePlugin
from vtmr.errors import InputError
from vtmr.images import read_image, read_thumbnail
from vtmr.maskfiles import read_mask_file
before = peak_kb()
read_thumbnail(sys.argv[1], 256)
read_image(sys.argv[1])
try:
    read_mask_file(sys.argv[1])
except InputError as error:
    assert "mask" in str(error), error
print(peak_kb() - before)
"""
