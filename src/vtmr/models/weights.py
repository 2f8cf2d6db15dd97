"""Weights of a network from a file: a training checkpoint (.safetensors) or an exported model
(.onnx)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from vtmr import modelfile
from vtmr.atomic import is_file
from vtmr.errors import CheckpointError
from vtmr.spec import ModelSpec

CHECKPOINT_SPEC_KEY = "spec"  # in a checkpoint's safetensors metadata: the ModelSpec as JSON
DIGEST_KEY = "sha256"  # and a SHA-256 over the tensors


def sealed(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> bytes:
    """A .safetensors file whose metadata also hold a SHA-256 over all tensors, so that damage
    shows."""
    plain = {name: value.detach().contiguous() for name, value in tensors.items()}
    return save(plain, {**metadata, DIGEST_KEY: _digest(plain)})


def _digest(tensors: Mapping[str, Tensor]) -> str:
    total = hashlib.sha256()
    for name in sorted(tensors):
        value = tensors[name].contiguous()
        total.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
        total.update(value.cpu().reshape(-1).view(torch.uint8).numpy().tobytes())
    return total.hexdigest()


def read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """All tensors and the metadata.

    Raises CheckpointError for a file that is damaged or of another kind.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = dict(file.metadata() or {})
            names = file.keys()  # the file itself is no mapping
            tensors = {name: file.get_tensor(name) for name in names}
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{path} can't be read as safetensors ({error}): it may be truncated."
        ) from error
    if DIGEST_KEY in metadata and metadata[DIGEST_KEY] != _digest(
        tensors
    ):  # files of others may have none
        raise CheckpointError(
            f"{path} is damaged: its tensors don't match their SHA-256. Copy the file again."
        )
    return tensors, metadata


def read_weights(path: str | Path) -> tuple[dict[str, Tensor], ModelSpec]:
    """Every parameter and buffer by its name in the torch module, and the spec; bit-exact from
    either kind of file.

    Raises CheckpointError for a file that is missing, damaged, foreign, or neither .safetensors nor
    .onnx.
    """
    path = Path(path)
    if not is_file(path):
        raise CheckpointError(f"There is no weights file {path}.")
    if path.suffix == ".onnx":
        return _from_onnx(path)
    if path.suffix == ".safetensors":
        return _from_safetensors(path)
    raise CheckpointError(
        f"{path} is no weights file: expected .safetensors (training) or .onnx (exported)."
    )


def _from_safetensors(path: Path) -> tuple[dict[str, Tensor], ModelSpec]:
    state, metadata = read_safetensors(path)
    if CHECKPOINT_SPEC_KEY not in metadata:
        raise CheckpointError(
            f"{path} holds no model spec: expected a checkpoint written by `vtmr train`."
        )
    return state, ModelSpec.from_json(metadata[CHECKPOINT_SPEC_KEY])


def _from_onnx(path: Path) -> tuple[dict[str, Tensor], ModelSpec]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path} can't be read: {error.strerror or error}.") from error
    model = modelfile.parse(data, str(path))
    state = {name: torch.tensor(value) for name, value in model.counters.items()}
    for graph in (model.coarse, model.refine) if model.spec.refines else (model.coarse,):
        try:
            for tensor in onnx.load_model_from_string(graph).graph.initializer:
                state[tensor.name] = torch.from_numpy(np.array(numpy_helper.to_array(tensor)))
        except Exception as error:  # protobuf's and numpy's, which share no base but this
            first_line = (str(error).splitlines() or [type(error).__name__])[0]
            raise CheckpointError(
                f"{path} holds a graph whose weights can't be read ({first_line}): copy or export "
                "the model again."
            ) from error
    return state, model.spec
