"""`vtmr.load`: from a model's name to something that answers clicks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast, get_args

from vtmr.errors import ConfigError, InputError
from vtmr.runtime import load_network
from vtmr.segmenter.focalclick import FocalClickSegmenter
from vtmr.segmenter.pipeline import Segmenter
from vtmr.segmenter.ritm import RitmSegmenter
from vtmr.segmenter.vtmr import VtmrSegmenter
from vtmr.spec import Schedule, ZoomSchedule
from vtmr.types import Network

PIPELINES: dict[str, type[Segmenter]] = {
    "vtmr": VtmrSegmenter,
    "focalclick": FocalClickSegmenter,
    "ritm": RitmSegmenter,
}


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """How a model is used; None leaves what the model's own spec says, or what the machine allows.

    threads: of ONNX Runtime or torch. device: of torch, for checkpoints; None is ONNX Runtime.
    zoom: see `zoom_schedule`. threshold: the probability that masks are cut at. input_size: the
    side of the grids that the network works on; smaller is faster and coarser.
    """

    threads: int | None = None
    device: str | None = None
    zoom: str | None = None
    threshold: float | None = None
    input_size: int | None = None


def load(
    name_or_path: str | Path = "lite0", *, threads: int | None = None, input_size: int | None = None
) -> Segmenter:
    """What answers clicks by the bundled model of that name, or by an .onnx file of `vtmr export`.

    threads: of ONNX Runtime; input_size: the side of the grids that the network works on, smaller
    is faster and coarser; see `vtmr.runtime.load_network` for both. Raises CheckpointError for
    anything that isn't a sound model.
    """
    return segmenter_for(load_network(name_or_path, threads=threads, input_size=input_size))


def segmenter_for(
    network: Network, *, zoom: ZoomSchedule | None = None, threshold: float | None = None
) -> Segmenter:
    """The network in the pipeline that its spec names.

    zoom, threshold: in place of those in the network's spec. Raises ConfigError for an impossible
    threshold.
    """
    return PIPELINES[network.spec.pipeline](network, zoom=zoom, threshold=threshold)


def zoom_schedule(text: str | None, own: ZoomSchedule) -> ZoomSchedule:
    """The schedule that `paper`, `eager`, `eager=WEIGHT` or `off` means, as people write it.

    own: the model's, whose rounds, guidance and kernel are kept; None as `text` is that one itself.
    Raises InputError for anything else.
    """
    if text is None:
        return own
    name, separator, number = text.partition("=")
    try:
        if name not in get_args(Schedule) or (separator and name != "eager"):
            raise ValueError(name)
        weight = float(number) if separator else None
        return replace(own, schedule=cast(Schedule, name), eager_weight=weight)
    except (ValueError, ConfigError) as error:
        raise InputError(
            f"The zoom {text!r} can't be read: expected paper, eager, off, or eager=WEIGHT with a "
            "weight above 0 and up to 1, for example eager=0.5."
        ) from error
