"""The public benchmarks in their published folders (docs/method.md §D.7, §L.10), with pictures of a
few pixels."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

HEIGHT, WIDTH = 6, 8


def photo(height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    return np.full((height, width, 3), 90, np.uint8)


def mask(*values: int, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """Zeros whose first rows hold one of the values each; 255 alone when none is given."""
    array = np.zeros((height, width), np.uint8)
    for row, value in enumerate(values or (255,)):
        array[row] = value
    return array


def save(path: Path, array: np.ndarray, colours: Iterable[int] | None = None) -> Path:
    """Writes an image file; colours: as a palette image with these (r, g, b, …)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(array)
    if colours is not None:
        image.putpalette(list(colours))
    image.save(path)
    return path


def write_grabcut(root: Path, names: Iterable[str]) -> Path:
    """names: of the image files; a 128 is in every mask's second row."""
    for name in names:
        save(root / "data_GT" / name, photo())
        save(root / "boundary_GT" / f"{Path(name).stem}.bmp", mask(255, 128))
    return root


def write_berkeley(root: Path, images: Iterable[str], masks: Iterable[str]) -> Path:
    for name in images:
        save(root / "images" / name, photo())
    for name in masks:
        save(root / "masks" / name, mask())
    return root


def write_united(root: Path, names: Iterable[str]) -> Path:
    """DAVIS and COCO-MVal: `img` and `gt`."""
    for name in names:
        save(root / "img" / name, photo())
        save(root / "gt" / f"{Path(name).stem}.png", mask())
    return root


def write_sbd(root: Path, instances: dict[str, np.ndarray]) -> Path:
    """instances: the instance ids of each image by its name."""
    from scipy.io import savemat

    (root / "inst").mkdir(parents=True, exist_ok=True)
    for name, ids in instances.items():
        save(root / "img" / f"{name}.jpg", photo())
        content = {
            "Segmentation": ids,
            "Boundaries": np.zeros((1, 2)),
            "Categories": np.array([[15], [2]]),
        }
        savemat(root / "inst" / f"{name}.mat", {"GTinst": content}, do_compression=True)
    (root / "val.txt").write_text("".join(f"{name}\n" for name in instances))
    return root


def write_davis585(root: Path, objects: dict[str, Iterable[str]], frame: str = "00009") -> Path:
    """objects: of each sequence.

    The mask is row 0, "sp" begins with rows 0 and 1, "stm" with rows 0 to 2.
    """
    for sequence, names in objects.items():
        save(root / sequence / f"{frame}.jpg", photo())
        for name in names:
            save(root / sequence / f"{name}_{frame}.png", mask())
            save(root / sequence / f"init_sp_{name}_{frame}.png", mask(255, 255))
            save(root / sequence / f"init_stm_{name}_{frame}.png", mask(255, 255, 255))
    return root


def write_squares(root: Path, right: int, below: int) -> Path:
    """50 image/mask pairs of a bright shape on black, the masks so many pixels beside it."""
    for number in range(50):
        square = np.zeros((40, 40), np.uint8)
        square[10 : 20 + number % 8, 12:25] = 255
        save(root / "images" / f"{number}.png", np.repeat(square[..., None], 3, axis=2))
        save(root / "masks" / f"{number}.png", np.roll(square, (below, right), (0, 1)))
    return root
