"""`vtmr.load`: from a model's name to something that answers clicks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vtmr.atomic import is_file
from vtmr.errors import CheckpointError, InputError, needs_extra
from vtmr.runtime import BundledModel, bundled_models, load_network
from vtmr.segmenter.brs import BrsSegmenter
from vtmr.segmenter.cdnet import CDNetSegmenter
from vtmr.segmenter.fbrs import FbrsSegmenter
from vtmr.segmenter.fca import FcaSegmenter
from vtmr.segmenter.fcfi import FcfiSegmenter
from vtmr.segmenter.focalclick import FocalClickSegmenter
from vtmr.segmenter.latent import LatentSegmenter
from vtmr.segmenter.options import (
    AS_THE_MODEL_SAYS,
    ModelOptions,
    mode_and_size,
    require_modes,
    used_as,
    view_policy,
    zoom_schedule,
)
from vtmr.segmenter.pipeline import Segmenter
from vtmr.segmenter.ritm import RitmSegmenter
from vtmr.segmenter.vtmr import VtmrSegmenter
from vtmr.spec import ViewPolicy, ZoomSchedule
from vtmr.types import Network

if TYPE_CHECKING:
    from vtmr.models.torch_network import TorchNetwork
    from vtmr.runtime import OnnxNetwork

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


def load(
    name_or_path: str | Path = "lite0",
    *,
    threads: int | None = None,
    input_size: int | None = None,
    device: str | None = None,
    zoom: str | None = None,
    threshold: float | None = None,
    eval_mode: str | None = None,
    views: str | None = None,
) -> Segmenter:
    """What answers clicks by the bundled model of that name, or by a file of weights.

    Each argument is what the flag of that name is to `vtmr evaluate`; None is the model's own.

    Args:
        name_or_path: `vtmr models` lists the names. Else an .onnx file of `vtmr export`, or with
            `device` a .safetensors checkpoint, too.
        threads: Of ONNX Runtime or torch; None is one for each core that the process may use, at
            most 4.
        input_size: Side of the grids that the network works on, a multiple of 32; smaller is faster
            and coarser. On torch a checkpoint has its own.
        device: Of torch, "cpu" or "cuda", which needs the extra [train]; None is ONNX Runtime.
        zoom: "paper", "eager", "eager=WEIGHT" or "off", perhaps with "@SHRINK" and ":SIDE"
            after it.
        threshold: The probability that masks are cut at.
        eval_mode: "cvpr", "cvprN" or "fixedN", of networks in RITM's pipeline.
        views: "wide" or "narrow".

    Raises:
        CheckpointError: For anything that isn't a sound model.
        ConfigError: For impossible threads, input size, threshold or evaluation mode, and where
            torch is asked for and isn't installed.
        InputError: For a zoom, evaluation mode or views that can't be read or that the model has
            none of, and for an input size on torch.
    """
    options = ModelOptions(
        threads=threads,
        device=device,
        zoom=zoom,
        threshold=threshold,
        input_size=input_size,
        eval_mode=eval_mode,
        views=views,
    )
    return in_pipeline(open_network(name_or_path, options), options)


def open_network(
    name_or_path: str | Path, options: ModelOptions = AS_THE_MODEL_SAYS
) -> OnnxNetwork | TorchNetwork:
    """The network on ONNX Runtime or, where the options name a device, on torch.

    Raises what `load` raises.
    """
    wanted = mode_and_size(options)
    if options.device is None:
        return load_network(name_or_path, threads=options.threads, **wanted)
    if options.input_size is not None:
        raise InputError(
            f"An input size, {options.input_size}, and a device, {options.device}, are both given "
            "(--input-size and --device): on torch a checkpoint has its own size."
        )
    path = file_of(name_or_path)
    if not is_file(path):
        raise CheckpointError(
            f"There is no file {path}: with a device, expected a .safetensors or .onnx file."
        )
    with needs_extra("train"):
        # Only here: torch takes seconds to load, and few ask for it.
        from vtmr.models.loading import load_torch_network

        changed = used_as(None, options.eval_mode)
        return load_torch_network(path, options.device, threads=options.threads, changed=changed)


def in_pipeline(network: Network, options: ModelOptions = AS_THE_MODEL_SAYS) -> Segmenter:
    """The network in the pipeline that its spec names, used as the options say.

    Raises ConfigError for an impossible threshold, InputError for a zoom, an evaluation mode or
    views that can't be read or that the network has none of.
    """
    require_modes(network.spec, options.eval_mode)
    zoom = zoom_schedule(options.zoom, network.spec.zoom)
    views = view_policy(options.views, network.spec.views)
    return segmenter_for(network, zoom=zoom, threshold=options.threshold, views=views)


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


def bundled_model(name_or_path: str | Path) -> BundledModel | None:
    """The bundled model of that name."""
    for bundled in bundled_models():
        if bundled.name == name_or_path:
            return bundled
    return None


def file_of(name_or_path: str | Path) -> Path:
    """The file that a bundled name or a path stands for."""
    bundled = bundled_model(name_or_path)
    if bundled is None:
        return Path(name_or_path)
    return bundled.path
