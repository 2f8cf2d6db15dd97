"""`vtmr.load`: from a model's name to something that answers clicks."""

from __future__ import annotations

from pathlib import Path

from vtmr.runtime import load_network
from vtmr.segmenter import Segmenter


def load(
    name_or_path: str | Path = "lite0", *, threads: int | None = None, input_size: int | None = None
) -> Segmenter:
    """A `Segmenter` on the bundled model of that name, or on an .onnx file written by `vtmr
    export`.

    threads: of ONNX Runtime; input_size: the side of the grids that the network works on, smaller
    is faster and coarser; see `vtmr.runtime.load_network` for both. Raises CheckpointError for
    anything that isn't a sound model.
    """
    return Segmenter(load_network(name_or_path, threads=threads, input_size=input_size))
