"""From a file of weights to a network that answers on torch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from vtmr.models.correcting_network import CorrectingTorchNetwork
from vtmr.models.fbrs import RefinableNetwork
from vtmr.models.restore import restore
from vtmr.models.torch_network import TorchNetwork
from vtmr.spec import ModelSpec, as_it_is


def load_torch_network(
    path: str | Path,
    device: str = "cpu",
    *,
    threads: int | None = None,
    changed: Callable[[ModelSpec], ModelSpec] = as_it_is,
) -> TorchNetwork:
    """The network in a .safetensors checkpoint or an exported .onnx.

    changed: how it is to be used, from what the file says. Raises CheckpointError, ConfigError.
    """
    module, spec = restore(path)
    kind = TorchNetwork
    if isinstance(module, RefinableNetwork):
        kind = CorrectingTorchNetwork
    return kind(module, changed(spec), device, threads=threads)
