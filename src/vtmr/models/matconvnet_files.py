"""VGG-19 from MatConvNet's file (imagenet-vgg-verydeep-19.mat): MATLAB's format 5, read as a
stream.

Only what a convolution needs is kept: arrays beyond the reader's limit are skipped, as are the
classifier's, so that half a gigabyte of file costs as much memory as the weights that are wanted.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vtmr.data.matfile import DAMAGE, read_variable
from vtmr.errors import CheckpointError


def read_vgg(path: Path) -> dict[str, Tensor]:
    """vgg.LAYER.weight, outputs x inputs x height x width, and vgg.LAYER.bias, of all convolutions.

    Raises CheckpointError for a file that is missing, damaged or of another kind.
    """
    try:
        with path.open("rb") as file:
            layers = read_variable(file, "layers")
        found: dict[str, Tensor] = {}
        for layer in layers if isinstance(layers, list) else []:
            found |= _convolution(layer)
    except OSError as error:
        raise CheckpointError(f"{path} can't be read: {error.strerror or error}.") from error
    except DAMAGE as error:
        raise CheckpointError(
            f"{path} can't be read as MatConvNet's VGG-19 ({error}): expected "
            "imagenet-vgg-verydeep-19.mat as its authors released it, whole."
        ) from error
    if not found:
        raise CheckpointError(f"{path} holds no convolutions: expected MatConvNet's VGG-19.")
    return found


def _convolution(layer: Any) -> dict[str, Tensor]:
    """One layer's weights by our names; none for layers that aren't convolutions."""
    if not (isinstance(layer, list) and len(layer) == 1 and isinstance(layer[0], dict)):
        raise ValueError("a layer is no structure")
    values = layer[0]
    name, weights = values.get("name"), values.get("weights")
    if weights is None:  # in files of before 2015
        weights = [values.get("filters"), values.get("biases")]
    if not isinstance(name, str) or not name.startswith("conv"):
        return {}
    if not isinstance(weights, list) or len(weights) < 2:
        raise ValueError(f"the layer {name!r} has no weights")
    filters, biases = weights[:2]
    if not isinstance(filters, np.ndarray) or not isinstance(biases, np.ndarray):
        raise ValueError(f"the layer {name!r} has no weights")
    if filters.ndim != 4:
        raise ValueError(f"the filters of {name!r} have the sides {filters.shape}")
    ours = np.ascontiguousarray(filters.transpose(3, 2, 0, 1), np.float32)
    return {
        f"vgg.{name}.weight": torch.from_numpy(ours),
        f"vgg.{name}.bias": torch.from_numpy(biases.astype(np.float32).reshape(-1)),
    }
