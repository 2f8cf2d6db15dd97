"""From the value of --model to something that answers clicks, with what a report says about it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vtmr.cli.failures import needs_extra
from vtmr.errors import CheckpointError
from vtmr.runtime import bundled_models, load_network
from vtmr.segmenter import Segmenter

if TYPE_CHECKING:
    from vtmr.types import Predictor


@dataclass(frozen=True, slots=True)
class Loaded:
    """A predictor and where it comes from.

    threshold: the probability that its masks are cut at. threads: of ONNX Runtime, None on torch.
    """

    predictor: Predictor
    file: Path
    threshold: float
    threads: int | None

    @property
    def sha256(self) -> str:
        """Of the model file, hexadecimal."""
        return hashlib.sha256(self.file.read_bytes()).hexdigest()


def load(model: str, *, threads: int | None = None, device: str | None = None) -> Loaded:
    """A bundled model by name, an .onnx file, or, with `device`, a checkpoint on torch.

    Raises CheckpointError for what isn't a sound model, ConfigError for impossible `threads` or a missing torch.
    """
    if device is not None:
        return _on_torch(model, device)
    network = load_network(model, threads=threads)
    return Loaded(Segmenter(network), _file_of(model), network.spec.threshold, network.threads)


def _on_torch(model: str, device: str) -> Loaded:
    """The network of a weights file (.safetensors or .onnx) in torch."""
    path = _file_of(model)
    if not path.is_file():
        raise CheckpointError(f"There is no file {path}: with --device, expected a .safetensors or .onnx file.")
    with needs_extra("train"):
        from vtmr.models.torch_network import load_torch_network

        network = load_torch_network(path, device)
    return Loaded(Segmenter(network), path, network.spec.threshold, None)


def _file_of(model: str) -> Path:
    """The file that a bundled name or a path stands for."""
    return {bundled.name: bundled.path for bundled in bundled_models()}.get(model, Path(model))
