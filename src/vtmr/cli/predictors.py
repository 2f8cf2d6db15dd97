"""From the value of --model to something that answers clicks, with what a report says about it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from vtmr.segmenter import Segmenter
from vtmr.segmenter.loading import bundled_model, file_of, in_pipeline, open_network
from vtmr.segmenter.options import AS_THE_MODEL_SAYS, ModelOptions, mode_in_words


@dataclass(frozen=True, slots=True)
class Loaded:
    """A predictor and where it comes from.

    threshold: the probability that its masks are cut at. threads: of ONNX Runtime or torch. device:
    of torch, "" for ONNX Runtime. input_size: where it isn't the model file's own. eval_mode: of
    RITM's evaluator, with its size, "" in other pipelines. name: what people call it.
    """

    name: str
    predictor: Segmenter
    file: Path
    threshold: float
    threads: int | None
    device: str = ""
    input_size: int | None = None
    eval_mode: str = ""

    @property
    def sha256(self) -> str:
        """Of the model file, hexadecimal."""
        return hashlib.sha256(self.file.read_bytes()).hexdigest()


def load(model: str, options: ModelOptions = AS_THE_MODEL_SAYS) -> Loaded:
    """A bundled model by name, an .onnx file, or, with a device, a checkpoint on torch.

    Raises what `vtmr.load` raises.
    """
    network = open_network(model, options)
    segmenter = in_pipeline(network, options)
    bundled, size = bundled_model(model), network.spec.input_size
    on_torch = options.device is not None
    as_bundled = bundled is not None and not on_torch and bundled.input_size == size
    own_size = getattr(network, "own_input_size", size)  # on torch a network has no other
    return Loaded(
        model if as_bundled else segmenter.name,
        segmenter,
        file_of(model),
        segmenter.spec.threshold,
        network.threads,
        options.device or "",
        input_size=None if own_size == size else size,
        eval_mode=mode_in_words(network.spec),
    )
