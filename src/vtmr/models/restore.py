"""A network with the weights of a file."""

from __future__ import annotations

from pathlib import Path

import torch

from vtmr.errors import CheckpointError, ConfigError
from vtmr.models import build
from vtmr.models.network import InteractiveNetwork
from vtmr.models.weights import read_weights
from vtmr.spec import ModelSpec


def restore(path: str | Path) -> tuple[InteractiveNetwork, ModelSpec]:
    """The network in a .safetensors checkpoint or an exported .onnx, on the CPU, and its spec.

    Raises CheckpointError when the file isn't sound or its weights don't fit the network that its
    spec names.
    """
    state, spec = read_weights(path)
    if broken := [name for name, value in state.items() if not torch.isfinite(value).all()]:
        raise CheckpointError(
            f"{path} holds values that are no numbers, in {broken[0]!r}: use an earlier checkpoint."
        )
    try:
        network = build(spec.model)
        network.load_state_dict(network.completed(state), strict=True)
    except (ConfigError, RuntimeError) as error:
        # torch names every weight that is lacking or too much: hundreds, of another network.
        first_lines = " ".join(str(error).split())[:300]
        raise CheckpointError(
            f"The weights in {path} don't fit the network {spec.model!r}: {first_lines}"
        ) from error
    return network, spec
