"""Seconds a click beside the official code, on this machine: the same weights, the same clicks.

    python tools/speed_beside.py CHECKOUT [--networks focalclick-b0] [--threads 1] [--threads 2]
    python tools/speed_beside.py --ours-only [--alternations 5] [--clicks 6]

CHECKOUT is a folder in which the official code of FocalClick (ClickSEG) or of RITM lies; nothing is
fetched, and what that code imports has to be installed here (FocalClick's: mmcv, timm, easydict).
Each network gets random weights from a seed, made by the official class, and plays one photo with
the same clicks four ways: official code on torch, ours on torch, ours on ONNX Runtime, and lite0.
The ways take turns, so that whatever else the machine does meets all of them; each ratio is a
median over the alternations, of medians over an alternation's clicks. The masks of random weights
mean nothing. With --ours-only there is no official side, and the ratios are to our torch. With
--cpu-time what counts is the processor's time, of one thread: on a machine that does other work,
too, the clock on the wall says little.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vtmr import modelfile
from vtmr.cli.latency import scene, spare_click
from vtmr.errors import CheckpointError, VtmrError
from vtmr.models import build
from vtmr.models.converted import import_checkpoint
from vtmr.models.export import model_bytes
from vtmr.models.restore import restore
from vtmr.models.torch_network import TorchNetwork
from vtmr.provenance import processor, versions
from vtmr.runtime import OnnxNetwork, load_network
from vtmr.segmenter import segmenter_for
from vtmr.session import Session
from vtmr.types import Click, Image

SIZE = 640, 480
SEED = 0
Player = Callable[[Image, Sequence[Click]], list[float]]  # plays the clicks, seconds of each
Clock = Callable[[], float]  # in seconds

_SHARED: dict[str, Any] = {
    "use_leaky_relu": True,
    "use_rgb_conv": False,
    "use_disks": True,
    "norm_radius": 5,
    "with_prev_mask": True,
    "with_aux_output": True,
}


@dataclass(frozen=True)
class Official:
    """How the official code makes a network and its predictor; parameters from its model files."""

    module: str
    kind: str
    parameters: Mapping[str, Any]
    mode: str
    zoom_in: Mapping[str, Any]

    @property
    def class_path(self) -> str:
        return f"{self.module}.{self.kind}"


def _segformer(version: str) -> Official:
    own = {"pipeline_version": "s2", "model_version": version, "binary_prev_mask": False}
    zoom_in = {"target_size": 400, "expansion_ratio": 1.4}
    module = "isegm.model.is_segformer_model"
    return Official(module, "SegFormerModel", {**_SHARED, **own}, "FocalClick", zoom_in)


_HRNET18S = {"width": 18, "ocr_width": 48, "small": True}
NETWORKS = {
    "focalclick-b0": _segformer("b0"),
    "focalclick-b3": _segformer("b3"),
    "ritm-hrnet18s": Official(
        "isegm.model.is_hrnet_model",
        "HRNetModel",
        {**_SHARED, **_HRNET18S},
        "NoBRS",
        {"target_size": 400},
    ),
}


def main() -> None:
    arguments = _arguments()
    image, gt_mask = scene(*SIZE)
    clock, counted = time.perf_counter, "wall clock"
    if arguments.cpu_time:
        clock, counted = time.process_time, "CPU time"
    clicks: list[Click] = []
    while len(clicks) < arguments.clicks:
        clicks.append(spare_click(gt_mask, clicks))
    print(f"{processor() or platform.machine()}, {os.cpu_count()} cores, {_made_with()}")
    rounds = f"{arguments.alternations} alternations"
    print(f"{SIZE[0]}x{SIZE[1]}, {len(clicks)} clicks, {rounds}, {counted}")
    print("| network | threads | way | median ms | as fast as the first |")
    print("|---|---|---|---|---|")
    try:
        for name in arguments.networks or _playable(arguments.checkout):
            for threads in arguments.threads:
                ways = players(name, arguments.checkout, threads, clock)
                seconds = alternate(ways, image, clicks, arguments.alternations)
                for way, median_s, ratio in compared(seconds):
                    print(f"| {name} | {threads} | {way} | {1000 * median_s:.1f} | {ratio:.2f} |")
    except VtmrError as error:
        sys.exit(str(error))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkout", type=Path, nargs="?")
    parser.add_argument("--ours-only", action="store_true")
    parser.add_argument("--networks", nargs="+", choices=sorted(NETWORKS))
    parser.add_argument("--threads", type=_positive, action="append")
    parser.add_argument("--cpu-time", action="store_true")
    parser.add_argument("--alternations", type=_positive, default=5)
    parser.add_argument("--clicks", type=_positive, default=6)
    arguments = parser.parse_args()
    if (arguments.checkout is None) != arguments.ours_only:
        parser.error(
            "expected the folder of an official checkout, or --ours-only, and not both: the "
            "official code isn't part of vtmr, and nothing is fetched"
        )
    arguments.threads = arguments.threads or ([1] if arguments.cpu_time else [1, 2])
    if arguments.cpu_time and arguments.threads != [1]:
        parser.error("--cpu-time is for one thread: on more, the wall clock is what they shorten")
    return arguments


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is less than 1")
    return number


def _made_with() -> str:
    named = {**versions(), "torch": torch.__version__}
    return ", ".join(f"{name} {version}" for name, version in named.items())


def _playable(checkout: Path | None) -> list[str]:
    """The networks to measure: all without a checkout, else those of its authors.

    FocalClick's repository has RITM's network class, too, with a refiner that RITM's lacks.
    """
    if checkout is None:
        return list(NETWORKS)
    by_focalclick = (checkout / "isegm" / "model" / "is_segformer_model.py").is_file()
    return [name for name in NETWORKS if name.startswith("focalclick") == by_focalclick]


def players(name: str, checkout: Path | None, threads: int, clock: Clock) -> dict[str, Player]:
    """The ways to play a network, all with the same weights, but lite0. Raises CheckpointError."""
    ways: dict[str, Player] = {}
    torch.manual_seed(SEED)
    if checkout is None:
        module = build(name).eval()
        spec = module.spec
    else:
        predictor, clicker, net = official_predictor(NETWORKS[name], checkout)
        ways["official code, torch"] = _official_player(predictor, *clicker, clock)
        with tempfile.TemporaryDirectory() as folder:
            module, spec = _imported(net, NETWORKS[name], Path(folder))
    on_onnx = OnnxNetwork(
        modelfile.parse(model_bytes(module, spec), name), f"{name}.onnx", threads=threads
    )
    ways["ours, torch"] = _our_player(TorchNetwork(module, spec, threads=threads), clock)
    ways["ours, ONNX Runtime"] = _our_player(on_onnx, clock)
    ways["lite0"] = _our_player(load_network("lite0", threads=threads), clock)
    return ways


def _imported(net: Any, official: Official, folder: Path) -> tuple[Any, Any]:
    """The official network's weights in ours, by the way of `vtmr import`."""
    parameters = {key: {"value": value} for key, value in official.parameters.items()}
    config = {"class": official.class_path, "params": parameters}
    torch.save({"state_dict": net.state_dict(), "config": config}, folder / "official.pth")
    import_checkpoint(folder / "official.pth", folder / "ours.safetensors")
    return restore(folder / "ours.safetensors")


def official_predictor(
    official: Official, checkout: Path
) -> tuple[Any, tuple[Callable[..., Any], Callable[..., Any]], Any]:
    """The official predictor, its classes of a list of clicks and of a click, and its network.

    Raises CheckpointError where the folder isn't a checkout, where its code needs what isn't
    installed, and where it fails.
    """
    if not (checkout / "isegm").is_dir():
        raise CheckpointError(
            f"{checkout} holds no folder isegm: expected a checkout of FocalClick's or RITM's code."
        )
    with _from(checkout), _silent():
        network = _part(checkout, official.module, official.kind)
        get_predictor = _part(checkout, "isegm.inference.predictors", "get_predictor")
        clicker = _part(checkout, "isegm.inference.clicker", "Clicker")
        click = _part(checkout, "isegm.inference.clicker", "Click")
        try:
            net = network(**official.parameters).eval()
            predictor = get_predictor(
                net, official.mode, torch.device("cpu"), zoom_in_params=dict(official.zoom_in)
            )
        except Exception as error:  # whatever the code of others raises
            raise CheckpointError(
                f"{official.class_path} of {checkout} can't be made: {type(error).__name__}: "
                f"{error}. Expected the code as it was published, and a torch that it runs on."
            ) from error
    return predictor, (clicker, click), net


@contextlib.contextmanager
def _from(checkout: Path) -> Iterator[None]:
    """Imports from the checkout first."""
    sys.path.insert(0, str(checkout.resolve()))
    try:
        yield
    finally:
        sys.path.remove(str(checkout.resolve()))


def _silent() -> contextlib.AbstractContextManager[Any]:
    """What the official code prints for every click costs time and says nothing here."""
    return contextlib.redirect_stdout(io.StringIO())


def _part(checkout: Path, module: str, name: str) -> Callable[..., Any]:
    try:
        part: Callable[..., Any] = getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        lacking = str(error.name)
        if lacking.partition(".")[0] != "isegm":
            raise CheckpointError(
                f"The code in {checkout} imports {lacking}, which isn't installed here: `pip "
                f"install {lacking.partition('.')[0]}` in this environment, then try again."
            ) from error
        raise CheckpointError(
            f"{checkout} has no module {lacking}: expected a complete checkout of this network's "
            "authors."
        ) from error
    except Exception as error:  # whatever the code of others raises while it is imported
        raise CheckpointError(
            f"{module}.{name} of {checkout} can't be imported: {type(error).__name__}: {error}."
        ) from error
    return part


def _official_player(
    predictor: Any,
    clicker_class: Callable[..., Any],
    click_class: Callable[..., Any],
    clock: Clock,
) -> Player:
    def play(image: Image, clicks: Sequence[Click]) -> list[float]:
        clicker, seconds = clicker_class(), []
        with torch.no_grad(), _silent():
            predictor.set_input_image(image)
            for click in clicks:
                start = clock()
                clicker.add_click(click_class(is_positive=click.positive, coords=click.pixel))
                mask = predictor.get_prediction(clicker) > 0.49  # as its evaluation does
                seconds.append(clock() - start)
                if np.shape(mask) != image.shape[:2]:
                    raise CheckpointError(
                        f"The official code answered a mask of the shape {np.shape(mask)} for an "
                        f"image of {image.shape[:2]}."
                    )
        return seconds

    return play


def _our_player(network: Any, clock: Clock) -> Player:
    segmenter = segmenter_for(network)

    def play(image: Image, clicks: Sequence[Click]) -> list[float]:
        session, seconds = Session(segmenter, image), []
        for click in clicks:
            start = clock()
            session = session.add(click)
            _ = session.mask
            seconds.append(clock() - start)
        return seconds

    return play


def alternate(
    ways: Mapping[str, Player], image: Image, clicks: Sequence[Click], alternations: int
) -> dict[str, list[float]]:
    """Of each way the median seconds a click, once per alternation; a first round isn't counted.

    Every other round goes backwards, so that no way always follows the same one.
    """
    for play in ways.values():
        play(image, clicks[:2])
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    order = list(ways)
    for _ in range(alternations):
        for name in order:
            seconds[name].append(statistics.median(ways[name](image, clicks)))
        order.reverse()
    return seconds


def compared(seconds: Mapping[str, Sequence[float]]) -> list[tuple[str, float, float]]:
    """Name, median seconds a click, and how many times as fast as the first way: the median of the
    alternations' ratios."""
    first = next(iter(seconds.values()))
    rows = []
    for name, own in seconds.items():
        ratios = [slow / fast for slow, fast in zip(first, own, strict=True)]
        rows.append((name, statistics.median(own), statistics.median(ratios)))
    return rows


if __name__ == "__main__":
    main()
