"""`vtmr.load`: from a model's name to something that answers clicks."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast, get_args

from vtmr.errors import ConfigError, InputError
from vtmr.runtime import load_network
from vtmr.segmenter.brs import BrsSegmenter
from vtmr.segmenter.cdnet import CDNetSegmenter
from vtmr.segmenter.fbrs import FbrsSegmenter
from vtmr.segmenter.fca import FcaSegmenter
from vtmr.segmenter.fcfi import FcfiSegmenter
from vtmr.segmenter.focalclick import FocalClickSegmenter
from vtmr.segmenter.latent import LatentSegmenter
from vtmr.segmenter.pipeline import Segmenter
from vtmr.segmenter.ritm import RitmSegmenter
from vtmr.segmenter.vtmr import VtmrSegmenter
from vtmr.spec import VIEWS, EvalMode, Schedule, ViewPolicy, ZoomSchedule
from vtmr.types import Network

CVPR_SIDE = 400  # of RITM's evaluator, where nothing else is asked for; DAVIS has 600

PIPELINES: dict[str, type[Segmenter]] = {
    "vtmr": VtmrSegmenter,
    "focalclick": FocalClickSegmenter,
    "ritm": RitmSegmenter,
    "fcfi": FcfiSegmenter,
    "fca": FcaSegmenter,
    "brs": BrsSegmenter,
    "ld": LatentSegmenter,
    "cdnet": CDNetSegmenter,
    "fbrs": FbrsSegmenter,
}


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """How a model is used; None leaves what the model's own spec says, or what the machine allows.

    threads: of ONNX Runtime or torch. device: of torch, for checkpoints; None is ONNX Runtime.
    zoom: see `zoom_schedule`. threshold: the probability that masks are cut at. input_size: the
    side of the grids that the network works on; smaller is faster and coarser. eval_mode: see
    `evaluation_mode`. views: see `view_policy`.
    """

    threads: int | None = None
    device: str | None = None
    zoom: str | None = None
    threshold: float | None = None
    input_size: int | None = None
    eval_mode: str | None = None
    views: str | None = None


def load(
    name_or_path: str | Path = "lite0", *, threads: int | None = None, input_size: int | None = None
) -> Segmenter:
    """What answers clicks by the bundled model of that name, or by an .onnx file of `vtmr export`.

    Args:
        name_or_path: `vtmr models` lists the names.
        threads: Of ONNX Runtime; None is one for each core that the process may use, at most 4.
        input_size: Side of the grids that the network works on, a multiple of 32; smaller is faster
            and coarser. None is the model's own.

    Raises:
        CheckpointError: For anything that isn't a sound model.
    """
    return segmenter_for(load_network(name_or_path, threads=threads, input_size=input_size))


def segmenter_for(
    network: Network,
    *,
    zoom: ZoomSchedule | None = None,
    threshold: float | None = None,
    views: ViewPolicy | None = None,
) -> Segmenter:
    """The network in the pipeline that its spec names.

    zoom, threshold, views: in place of those in the network's spec. Raises ConfigError for an
    impossible threshold.
    """
    pipeline = PIPELINES[network.spec.pipeline]
    return pipeline(network, zoom=zoom, threshold=threshold, views=views)


def zoom_schedule(text: str | None, own: ZoomSchedule) -> ZoomSchedule:
    """The schedule that `paper`, `eager`, `eager=WEIGHT` or `off` means, as people write it.

    A least shrink of the crop may follow, as in `eager=0.3@1.2`; without one there is none. own:
    the model's, whose rounds, guidance and kernel are kept; None as `text` is that one itself.
    Raises InputError for anything else.
    """
    if text is None:
        return own
    schedule, at, least = text.partition("@")
    name, separator, number = schedule.partition("=")
    try:
        if name not in get_args(Schedule) or (separator and name != "eager"):
            raise ValueError(name)
        weight = float(number) if separator else None
        shrink = float(least) if at else 0.0
        return replace(own, schedule=cast(Schedule, name), eager_weight=weight, min_shrink=shrink)
    except (ValueError, ConfigError) as error:
        raise InputError(
            f"The zoom {text!r} can't be read: expected paper, eager, off, or eager=WEIGHT with a "
            "weight above 0 and up to 1, for example eager=0.5, and perhaps @SHRINK, from which on "
            "it counts, as in eager=0.3@1.2."
        ) from error


def evaluation_mode(text: str) -> tuple[EvalMode, int]:
    """The mode of RITM's evaluator that `cvpr`, `cvprN` or `fixedN` means, and its size.

    The size is that of the target crop's longer side or of the square. Raises InputError for
    anything else.
    """
    found = re.fullmatch(r"(cvpr|fixed)([0-9]{0,5})", text)
    if found is None or text == "fixed":
        raise InputError(
            f"The evaluation mode {text!r} can't be read: expected cvpr (crops of {CVPR_SIDE} "
            "pixels), cvprN or fixedN, for example cvpr600 or fixed400."
        )
    return cast(EvalMode, found[1]), int(found[2] or CVPR_SIDE)


def view_policy(text: str | None, own: ViewPolicy) -> ViewPolicy:
    """The policy of that name, `wide` or `narrow`; None is the model's own.

    Raises InputError for anything else.
    """
    if text is None:
        return own
    if text not in VIEWS:
        raise InputError(f"The views {text!r} aren't known: expected {' or '.join(VIEWS)}.")
    return VIEWS[text]
