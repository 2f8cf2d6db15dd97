"""The weights in a .caffemodel, read by protobuf's wire format: no Caffe, and nothing is run.

A NetParameter holds layers (field 100), each a name (1), a type (2) and blobs (7); a blob holds its
shape (7, or four numbers in files of before 2014) and its values (5).
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vtmr.errors import CheckpointError
from vtmr.protobuf import fields, numbers

LAYERS, OLD_LAYERS = 100, 2
NAME, TYPE, BLOBS = 1, 2, 7
SHAPE, VALUES, DOUBLES, OLD_SHAPE = 7, 5, 8, (1, 2, 3, 4)
MOST_LAYERS, MOST_BLOBS, MOST_PIECES = 10_000, 8, 64  # far beyond BRS's file: a bomb ends there
MOST_SHAPE = 128  # bytes
LARGEST = 2**31  # bytes: what protobuf itself can hold

# What each kind of layer's blobs are, in Caffe's order
KINDS: dict[str, tuple[str, ...]] = {
    "Convolution": ("weight", "bias"),
    "Deconvolution": ("weight", "bias"),
    "InnerProduct": ("weight", "bias"),
    "Scale": ("weight", "bias"),
    "PReLU": ("weight",),
    "BatchNorm": ("running_mean", "running_var", "factor"),
}


def read_caffemodel(path: Path) -> dict[str, Tensor]:
    """LAYER.weight, .bias, .running_mean and .running_var of all layers that have blobs, float32.

    BatchNorm's statistics are sums there, and divided by their third blob here. Raises
    CheckpointError for a file that is missing, damaged or of another format, and for a layer whose
    blobs aren't known.
    """
    try:
        size = path.stat().st_size
        if not 0 < size <= LARGEST:
            raise CheckpointError(
                f"{path} has {size} bytes: expected a .caffemodel of up to {LARGEST}."
            )
        # Mapped, not read: layers are copied one by one. What an exception still holds a view of
        # can't be closed, so that is left to Python.
        content = np.memmap(path, np.uint8, "r").data
    except OSError as error:
        raise CheckpointError(f"{path} can't be read: {error.strerror or error}.") from error
    try:
        return _weights(content)
    except (ValueError, IndexError) as error:  # UnicodeDecodeError is a ValueError
        raise CheckpointError(
            f"{path} can't be read as a .caffemodel ({error}): expected the file as its authors "
            "released it, whole."
        ) from error


def _weights(net: memoryview) -> dict[str, Tensor]:
    """Raises ValueError or IndexError for what isn't a net with weights."""
    found: dict[str, Tensor] = {}
    count = 0
    for number, value in fields(net):
        if number == OLD_LAYERS and isinstance(value, memoryview):
            raise ValueError("its layers are those of Caffe before 2014")
        if number != LAYERS or not isinstance(value, memoryview):
            continue
        count += 1
        if count > MOST_LAYERS:
            raise ValueError(f"it has more than {MOST_LAYERS} layers")
        for name, tensor in _layer(value).items():
            if name in found:
                raise ValueError(f"it holds {name!r} twice")
            found[name] = tensor
    if not found:
        raise ValueError("there is no layer with weights in it")
    return found


def _layer(data: memoryview) -> dict[str, Tensor]:
    """One layer's weights by their full names; none for layers that learn nothing."""
    name = kind = ""
    blobs: list[Tensor] = []
    for number, value in fields(data):
        if not isinstance(value, memoryview):
            continue
        if number == NAME:
            name = bytes(value[:512]).decode()
        elif number == TYPE:
            kind = bytes(value[:512]).decode()
        elif number == BLOBS:
            if len(blobs) == MOST_BLOBS:
                raise ValueError(f"a layer has more than {MOST_BLOBS} blobs")
            blobs.append(_blob(value))
    if not blobs:
        return {}
    names = KINDS.get(kind)
    if names is None or len(blobs) > len(names):
        raise ValueError(f"the layer {name!r} of type {kind!r} has {len(blobs)} blobs")
    if kind != "BatchNorm":
        return {f"{name}.{part}": blob for part, blob in zip(names, blobs, strict=False)}
    if len(blobs) != 3 or blobs[2].numel() != 1:
        raise ValueError(f"the BatchNorm {name!r} lacks one of its three blobs")
    factor = float(blobs[2].reshape(()))
    scale = 1 / factor if factor else 0.0
    return {f"{name}.{part}": blobs[i] * scale for i, part in enumerate(names[:2])}


def _blob(data: memoryview) -> Tensor:
    """A copy of its values in its shape, in which leading ones of old files are left out."""
    shape: list[int] = []
    old: dict[int, int] = {}
    pieces: list[memoryview] = []
    for number, value in fields(data):
        if number == SHAPE and isinstance(value, memoryview):
            if len(value) > MOST_SHAPE:
                raise ValueError("a blob has too many sides")
            for side, sizes in fields(value):
                shape += numbers(sizes) if side == 1 else []
        elif number in OLD_SHAPE and isinstance(value, int):
            old[number] = value
        elif number == VALUES and isinstance(value, memoryview):
            pieces.append(value)
        elif number == DOUBLES:
            raise ValueError("a blob holds double-precision values")
        if len(pieces) > MOST_PIECES:
            raise ValueError("a blob is in too many pieces")
    if not shape and old:
        shape = [old.get(number, 1) for number in OLD_SHAPE]
        while len(shape) > 1 and shape[0] == 1:
            shape = shape[1:]
    length = sum(len(piece) for piece in pieces)
    if length != 4 * math.prod(shape) or any(not 0 < side < 2**31 for side in shape):
        raise ValueError(f"a blob of shape {shape} has {length} bytes of values")
    values = np.frombuffer(b"".join(pieces), "<f4")
    return torch.from_numpy(values.astype(np.float32).reshape(shape))
