"""Weights of a network from a file: a training checkpoint (.safetensors) or an exported model (.onnx)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from safetensors import SafetensorError, safe_open
from torch import Tensor

from vtmr import modelfile
from vtmr.errors import CheckpointError
from vtmr.spec import ModelSpec

CHECKPOINT_SPEC_KEY = "spec"  # in a checkpoint's safetensors metadata: the ModelSpec as JSON


def read_weights(path: str | Path) -> tuple[dict[str, Tensor], ModelSpec]:
    """Every parameter and buffer by its name in the torch module, and the spec; bit-exact from either kind of file.

    Raises CheckpointError for a file that is missing, damaged, foreign, or neither .safetensors nor .onnx.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"There is no weights file {path}.")
    if path.suffix == ".onnx":
        return _from_onnx(path)
    if path.suffix == ".safetensors":
        return _from_safetensors(path)
    raise CheckpointError(f"{path} is no weights file: expected .safetensors (training) or .onnx (exported).")


def _from_safetensors(path: Path) -> tuple[dict[str, Tensor], ModelSpec]:
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if CHECKPOINT_SPEC_KEY not in metadata:
                raise CheckpointError(f"{path} holds no model spec: expected a checkpoint written by `vtmr train`.")
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not iterable)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} can't be read as safetensors ({error}): it may be truncated.") from error
    return state, ModelSpec.from_json(metadata[CHECKPOINT_SPEC_KEY])


def _from_onnx(path: Path) -> tuple[dict[str, Tensor], ModelSpec]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path} can't be read: {error.strerror or error}.") from error
    model = modelfile.parse(data, str(path))
    state = {name: torch.tensor(value) for name, value in model.counters.items()}
    for graph in (model.coarse, model.refine) if model.spec.refines else (model.coarse,):
        for tensor in onnx.load_model_from_string(graph).graph.initializer:
            state[tensor.name] = torch.from_numpy(np.array(numpy_helper.to_array(tensor)))
    return state, model.spec
