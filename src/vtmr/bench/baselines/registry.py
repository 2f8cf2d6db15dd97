"""Baselines by name: those that come with vtmr, and one's own by module and function."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from vtmr.bench.baselines.classical import ClassicalBaseline
from vtmr.bench.baselines.edgeflow import open_edgeflow
from vtmr.bench.baselines.methods import geodesic, grab_cut, random_walk
from vtmr.errors import InputError, did_you_mean
from vtmr.types import Predictor

EDGEFLOW = "edgeflow:"


@dataclass(frozen=True)
class Baseline:
    """A method that comes with vtmr. description: for `vtmr models --baselines`; open: makes it."""

    description: str
    open: Callable[[], Predictor]


def _grabcut() -> Predictor:
    return ClassicalBaseline("grabcut-opencv", grab_cut, side=256, radius=3)


def _random_walker() -> Predictor:
    return ClassicalBaseline(
        _by_skimage("random-walker", "segmentation", "random_walker"),
        random_walk,
        side=192,
        radius=2,
    )


def _geodesic() -> Predictor:
    return ClassicalBaseline(
        _by_skimage("geodesic", "graph", "MCP_Geometric"), geodesic, side=360, radius=3
    )


BASELINES: dict[str, Baseline] = {
    "grabcut-opencv": Baseline(
        "OpenCV's GrabCut, clicks as seeds (iterated graph cut on colours)", _grabcut
    ),
    "random-walker": Baseline(
        "scikit-image's random walker, clicks as seeds; needs the extra [bench]", _random_walker
    ),
    "geodesic": Baseline(
        "nearer seed along the path of least contrast; needs the extra [bench]", _geodesic
    ),
}


def open_baseline(name: str) -> Predictor:
    """The baseline of that name, or, for MODULE:FUNCTION, what that function returns, or, for
    edgeflow:FILE.onnx, EdgeFlow with that file.

    The module is looked for in the current folder, too. Raises InputError for an unknown name, for
    a module or function that can't be had and for what isn't a Predictor; ModuleNotFoundError for a
    package that a baseline of ours needs.
    """
    if name.startswith(EDGEFLOW):
        return open_edgeflow(Path(name.removeprefix(EDGEFLOW)))
    if ":" in name:
        return _own(*name.split(":", 1))
    if name not in BASELINES:
        raise InputError(
            f"There is no baseline {name!r}: known are {', '.join(BASELINES)}, edgeflow:FILE.onnx, "
            f"or MODULE:FUNCTION.{did_you_mean(name, BASELINES)}"
        )
    return BASELINES[name].open()


def _own(module: str, function: str) -> Predictor:
    # Python looks there by itself when it is started as python, but not as vtmr.
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        make = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, SyntaxError, ValueError) as error:
        raise InputError(
            f"The baseline {module}:{function} can't be had ({error}): expected a module that "
            "Python finds here, with a function of that name."
        ) from error
    baseline: Predictor = make()
    if not {"name", "prepare", "predict"} <= set(dir(baseline)):
        raise InputError(
            f"{module}:{function} returned {type(baseline).__name__}: expected a Predictor, with "
            "name, prepare and predict."
        )
    return baseline


def _by_skimage(name: str, module: str, function: str) -> str:
    """The name with scikit-image's version, on which an answer's last bit depends; loads what the
    method calls.

    It would be loaded by the first click otherwise, which the benchmark times.
    """
    named = f"{name} (scikit-image {metadata.version('scikit-image')})"
    getattr(importlib.import_module(f"skimage.{module}"), function)
    return named
