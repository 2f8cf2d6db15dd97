"""Files in the layout of released FocalClick and RITM checkpoints, filled by the rule of
docs/method.md §H.3.

golden/keys holds the names and shapes of the released files' weights, as they were listed from
them; RITM's files with HRNet18s and HRNet32 have those of FocalClick's without the refiner.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vtmr.masks import disc_maps

KEYS = Path(__file__).parent / "golden" / "keys"
SEGFORMER, HRNET, DEEPLAB = (
    "isegm.model.is_segformer_model.SegFormerModel",
    "isegm.model.is_hrnet_model.HRNetModel",
    "isegm.model.is_deeplab_model.DeeplabModel",
)
# our builder's name -> file of keys, whether its refiner is in the file, class, parameters
LAYOUTS: dict[str, tuple[str, bool, str, dict[str, Any]]] = {
    "focalclick-b0-s1": (
        "focalclick-segformer-b0",
        True,
        SEGFORMER,
        {"model_version": "b0", "pipeline_version": "s1"},
    ),
    "focalclick-b0": (
        "focalclick-segformer-b0",
        True,
        SEGFORMER,
        {"model_version": "b0", "pipeline_version": "s2"},
    ),
    "focalclick-b3": (
        "focalclick-segformer-b3",
        True,
        SEGFORMER,
        {"model_version": "b3", "pipeline_version": "s2"},
    ),
    "focalclick-hrnet18s": (
        "focalclick-hrnet18s",
        True,
        HRNET,
        {"pipeline_version": "s2", "small": True},
    ),
    "focalclick-hrnet32": (
        "focalclick-hrnet32",
        True,
        HRNET,
        {"pipeline_version": "s2", "width": 32},
    ),
    "ritm-hrnet18s": ("focalclick-hrnet18s", False, HRNET, {"width": 18, "small": True}),
    "ritm-hrnet18": ("ritm-hrnet18", False, HRNET, {"width": 18}),
    "ritm-hrnet32": ("focalclick-hrnet32", False, HRNET, {"width": 32}),
    "cdnet-resnet34": ("cdnet-resnet34", False, DEEPLAB, {"backbone": "resnet34"}),
    "cdnet-resnet101": ("cdnet-resnet101", False, DEEPLAB, {"backbone": "resnet101"}),
    "fcfi-resnet101": ("fcfi-resnet101", False, DEEPLAB, {"mid_ch": 32}),
    "fcfi-hrnet18s": ("fcfi-hrnet18s", False, HRNET, {"width": 18, "mid_ch": 64}),
}


def shapes_in(name: str) -> dict[str, tuple[int, ...]]:
    """The weights of the released file whose list of keys has that name."""
    lines = [line.partition(" ") for line in (KEYS / f"{name}.txt").read_text().splitlines()]
    return {key: ast.literal_eval(shape) for key, _, shape in lines}


def key_shapes(model: str) -> dict[str, tuple[int, ...]]:
    """The weights of the released file."""
    name, refiner, _, _ = LAYOUTS[model]
    return {
        key: shape
        for key, shape in shapes_in(name).items()
        if refiner or not key.startswith("refiner.")
    }


def fill(key: str, shape: tuple[int, ...]) -> torch.Tensor:
    """The value of a weight by its official name."""
    if key.endswith("num_batches_tracked"):
        return torch.tensor(0)
    count = int(np.prod(shape))
    z = np.arange(1, count + 1, dtype=np.uint32) * np.uint32(2654435761)
    z += np.uint32(sum(key.encode()) % 97 * 40503)
    z ^= z >> 15
    z *= np.uint32(2246822519)
    z ^= z >> 13
    z *= np.uint32(3266489917)
    z ^= z >> 16
    u = 2 * z.astype(np.float64) / 2**32 - 1
    if key.endswith("running_var"):
        u = 1 + 0.2 * u
    elif key.endswith("running_mean"):
        u = 0.1 * u
    elif len(shape) > 1:
        u = u * np.sqrt(3 / (count / shape[0]))
    else:
        # Biases, and the scale of HRNet's click maps.
        u = 1 + 0.1 * u if key.endswith("weight") else 0.05 * u
    return torch.from_numpy(u.astype(np.float32).reshape(shape))


def content(model: str, damped: str = "\0") -> dict[str, Any]:
    """What the released file of that network holds.

    Where a key holds `damped`, values are .3 of the rule's ("fill S" of docs/zoo.md §Z.1).
    """
    _, _, class_path, parameters = LAYOUTS[model]
    common = {"use_disks": True, "norm_radius": 5, "with_prev_mask": True, "with_aux_output": True}
    return {
        "state_dict": {
            key: fill(key, shape) * (0.3 if damped in key and len(shape) > 1 else 1)
            for key, shape in key_shapes(model).items()
        },
        "config": {
            "class": class_path,
            "params": {
                key: {"type": "builtin", "value": value, "specified": True}
                for key, value in {**common, **parameters}.items()
            },
        },
    }


FLAT = {  # f-BRS's files have no configuration
    "fbrs-resnet34": "fbrs-resnet34-dh128",
    "fbrs-resnet50": "fbrs-resnet50-dh128",
    "fbrs-resnet101": "fbrs-resnet101-dh256",
    "fbrs-hrnet18": "fbrs-hrnet18-ocr64",
    "fbrs-hrnet32": "fbrs-hrnet32-ocr128",
}


def flat(model: str) -> dict[str, torch.Tensor]:
    """What the released file of that network of f-BRS holds."""
    return {key: fill(key, shape) for key, shape in shapes_in(FLAT[model]).items()}


def write(model: str, path: Path, damped: str = "\0") -> Path:
    """The file."""
    torch.save(content(model, damped), path)
    return path


# --- the golden inputs, index coordinates (row, col) as docs/method.md gives them

POINTS: tuple[list[tuple[tuple[float, float], bool]], ...] = (
    [((100.3, 40.6), True), ((20, 200), True), ((200, 30), False)],
    [((50, 60), True)],
)
BOXES = torch.tensor([[10.5, 20, 200, 180], [0, 0, 256, 256]])
POSITIONS = ((0, 0), (17, 200), (128, 128), (255, 255), (60, 33))
MEAN = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
STD = torch.tensor([0.229, 0.224, 0.225])[:, None, None]


def waves(channels: int, frequency: float) -> torch.Tensor:
    b, ch, y, x = np.ogrid[:2, :channels, :256, :256]
    return torch.from_numpy(
        (0.5 + 0.5 * np.sin(frequency * (x + 1) * (ch + 1) + 0.03 * y * (b + 1))).astype(np.float32)
    )


def discs(radius: float) -> torch.Tensor:
    """2 x 2 x 256 x 256; our points are half a pixel further."""
    maps = []
    for sample in POINTS:
        points = np.array([(col + 0.5, row + 0.5) for (row, col), _ in sample])
        maps.append(disc_maps(points, np.array([sign for _, sign in sample]), radius, 256, 256))
    return torch.from_numpy(np.stack(maps))


def coarse_inputs(radius: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Normalised image and [prev_mask, discs], as `InteractiveNetwork.coarse` takes them."""
    image = waves(4, 0.05)
    return (image[:, :3] - MEAN) / STD, torch.cat([image[:, 3:], discs(radius)], dim=1)


def refine_inputs() -> tuple[torch.Tensor, torch.Tensor]:
    """Patch in [0, 1] and discs, as `InteractiveNetwork.refine` takes them."""
    return waves(3, 0.035), discs(5.0)
