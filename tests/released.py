"""Files in the layouts of the zoo's released weights, filled by the rule of docs/method.md §H.3,
and the writers of the formats that aren't torch's.

golden/keys holds the names and shapes of the released files' weights.
"""

from __future__ import annotations

import ast
import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from official import KEYS, fill

from vtmr.models.tensorflow_files import MAGIC, masked_crc

VGG_LAYERS = {  # MatConvNet's convolutions: inputs and outputs
    f"conv{stage}_{layer}": sides
    for stage, layers in enumerate(
        (
            ((3, 64), (64, 64)),
            ((64, 128), (128, 128)),
            ((128, 256), *[(256, 256)] * 3),
            ((256, 512), *[(512, 512)] * 3),
            ((512, 512),) * 4,
        ),
        start=1,
    )
    for layer, sides in enumerate(layers, start=1)
}


def shapes(layout: str) -> dict[str, tuple[int, ...]]:
    """The weights of a released file by their official names."""
    lines = [line.partition(" ") for line in (KEYS / f"{layout}.txt").read_text().splitlines()]
    return {key: ast.literal_eval(shape) for key, _, shape in lines}


def filled(layout: str) -> dict[str, torch.Tensor]:
    """Those weights."""
    return {key: fill(key, shape) for key, shape in shapes(layout).items()}


# --- protobuf, as far as a .caffemodel needs it


def varint(number: int) -> bytes:
    """Base 128, lowest first."""
    found = bytearray()
    while number >= 0x80:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])


def field(number: int, value: bytes | str | int) -> bytes:
    """One field of a message."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def blob(array: np.ndarray) -> bytes:
    """A BlobProto."""
    sides = field(1, b"".join(varint(side) for side in array.shape))
    return field(7, sides) + field(5, array.astype("<f4").tobytes())


def layer(name: str, kind: str, *blobs: np.ndarray) -> bytes:
    """A LayerParameter as a field of the net."""
    return field(100, field(1, name) + field(2, kind) + b"".join(field(7, blob(b)) for b in blobs))


def brs_values() -> dict[str, torch.Tensor]:
    """BRS's weights; slopes of PReLUs are .25 + .05 u (docs/zoo.md §Z.7.2)."""
    found = filled("brs-densenet")
    return {
        key: 0.25 + (value - 1) * 0.5 if key.startswith("prelu") else value
        for key, value in found.items()
    }


FACTOR = 999.98  # of Caffe's statistics, which are sums


def caffemodel(state: Mapping[str, torch.Tensor]) -> bytes:
    """A NetParameter with those weights, and with layers that have none."""
    layers: dict[str, dict[str, np.ndarray]] = {}
    for key, value in state.items():
        name, _, part = key.rpartition(".")
        layers.setdefault(name, {})[part] = value.numpy()
    net = field(1, "BRS") + layer("data", "Input")
    for name, parts in layers.items():
        if "running_mean" in parts:
            sums = [parts[p] * np.float32(FACTOR) for p in ("running_mean", "running_var")]
            net += layer(name, "BatchNorm", *sums, np.array([FACTOR], np.float32))
            continue
        kind = "Convolution"
        if name.startswith("prelu"):
            kind = "PReLU"
        elif name.endswith("scale"):
            kind = "Scale"
        elif name.startswith("deconv") or name == "pred_step_1":
            kind = "Deconvolution"
        net += layer(name, kind, *(parts[p] for p in ("weight", "bias") if p in parts))
    return net + layer("sig_pred", "Sigmoid")


# --- a TensorFlow checkpoint


def ld_values() -> dict[str, np.ndarray]:
    """LD's variables in TensorFlow's order of axes (docs/zoo.md §Z.8.2)."""
    found = {}
    for key, shape in shapes("ld-intseg").items():
        if key.endswith(("/w0", "/w1")):
            found[key] = np.array(0.8 if key.endswith("/w0") else 0.5, np.float32)
        elif len(shape) == 4:
            height, width, inputs, outputs = shape
            value = fill(key, (outputs, inputs, height, width)).numpy()
            found[key] = np.ascontiguousarray(value.transpose(2, 3, 1, 0))
        else:
            found[key] = fill(key, shape).numpy()
    return found


def table_block(entries: list[tuple[bytes, bytes]]) -> bytes:
    """A block of a sorted table, every key written in full, with its trailer."""
    data = b"".join(
        varint(0) + varint(len(key)) + varint(len(value)) + key + value for key, value in entries
    )
    data += struct.pack("<II", 0, 1)
    return data + b"\0" + struct.pack("<I", masked_crc(data + b"\0"))


def write_checkpoint(prefix: Path, values: Mapping[str, np.ndarray]) -> Path:
    """X.index and X.data-00000-of-00001; the index's path."""
    entries, data = [(b"", field(1, 1))], b""
    for name in sorted(values):
        part = values[name].astype("<f4").tobytes()
        dims = b"".join(field(2, field(1, side)) for side in values[name].shape)
        entry = field(1, 1) + field(2, dims) + field(4, len(data)) + field(5, len(part))
        crc = varint(6 << 3 | 5) + struct.pack("<I", masked_crc(part))
        entries.append((name.encode(), entry + crc))
        data += part
    block = table_block(entries)
    handle = varint(0) + varint(len(block) - 5)
    meta = table_block([])
    directory = table_block([(b"zzz", handle)])
    at = len(block)
    handles = varint(at) + varint(len(meta) - 5)
    handles += varint(at + len(meta)) + varint(len(directory) - 5)
    footer = handles.ljust(40, b"\0") + struct.pack("<Q", MAGIC)
    index = prefix.with_name(prefix.name + ".index")
    index.write_bytes(block + meta + directory + footer)
    prefix.with_name(prefix.name + ".data-00000-of-00001").write_bytes(data)
    return index


# --- MATLAB's format 5


def element(kind: int, data: bytes) -> bytes:
    """A long element with its padding."""
    return struct.pack("<II", kind, len(data)) + data + b"\0" * (-len(data) % 8)


def matrix(name: str, kind: int, sides: tuple[int, ...], content: bytes) -> bytes:
    """A matrix of a class; content: its elements after the name."""
    head = element(6, struct.pack("<II", kind, 0)) + element(5, np.array(sides, "<i4").tobytes())
    return element(14, head + element(1, name.encode()) + content)


def array(values: np.ndarray, name: str = "") -> bytes:
    """A single-precision matrix."""
    data = values.astype("<f4").tobytes(order="F")
    return matrix(name, 7, values.shape, element(7, data))


def text(value: str) -> bytes:
    """A row of characters."""
    return matrix("", 4, (1, len(value)), element(16, value.encode()))


def cell(parts: list[bytes], name: str = "") -> bytes:
    """A row of matrices."""
    return matrix(name, 1, (1, len(parts)), b"".join(parts))


def structure(values: Mapping[str, bytes]) -> bytes:
    """A structure of one element."""
    names = b"".join(key.encode().ljust(16, b"\0") for key in values)
    content = element(5, struct.pack("<i", 16)) + element(1, names) + b"".join(values.values())
    return matrix("", 2, (1, 1), content)


def vgg_values() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Filters, outputs x inputs x 3 x 3, and biases of each convolution."""
    return {
        name: (
            fill(f"vgg.{name}.weight", (outputs, inputs, 3, 3)).numpy(),
            fill(f"vgg.{name}.bias", (outputs,)).numpy(),
        )
        for name, (inputs, outputs) in VGG_LAYERS.items()
    }


def matconvnet(values: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> bytes:
    """The file, with layers that aren't convolutions among the others."""
    layers = []
    for name, (filters, biases) in values.items():
        weights = cell([array(filters.transpose(2, 3, 1, 0)), array(biases[None])])
        layers.append(structure({"name": text(name), "type": text("conv"), "weights": weights}))
        layers.append(structure({"name": text(name.replace("conv", "relu")), "type": text("relu")}))
    header = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM"
    return header + array(np.ones((1, 1)), "meta") + cell(layers, "layers")
