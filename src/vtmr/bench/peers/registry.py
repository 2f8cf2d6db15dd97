"""Peers by name: those that come with vtmr, and one's own by module and function."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import metadata
from pathlib import Path

from vtmr.bench.peers.classical import ClassicalPeer
from vtmr.bench.peers.edgeflow import open_edgeflow
from vtmr.bench.peers.methods import geodesic, grab_cut, random_walk
from vtmr.errors import InputError
from vtmr.types import Predictor

EDGEFLOW = "edgeflow:"


@dataclass(frozen=True)
class Peer:
    """A method that comes with vtmr. description: for `vtmr models --peers`; open: makes it."""

    description: str
    open: Callable[[], Predictor]


def _grabcut() -> Predictor:
    return ClassicalPeer("grabcut-opencv", grab_cut, side=256, radius=3)


def _random_walker() -> Predictor:
    return ClassicalPeer(
        _by_skimage("random-walker", "segmentation", "random_walker"),
        random_walk,
        side=192,
        radius=2,
    )


def _geodesic() -> Predictor:
    return ClassicalPeer(
        _by_skimage("geodesic", "graph", "MCP_Geometric"), geodesic, side=360, radius=3
    )


PEERS: dict[str, Peer] = {
    "grabcut-opencv": Peer(
        "OpenCV's GrabCut, clicks as seeds (iterated graph cut on colours)", _grabcut
    ),
    "random-walker": Peer(
        "scikit-image's random walker, clicks as seeds; needs the extra [bench]", _random_walker
    ),
    "geodesic": Peer(
        "nearer seed along the path of least contrast; needs the extra [bench]", _geodesic
    ),
}


def open_peer(name: str) -> Predictor:
    """The peer of that name, or, for MODULE:FUNCTION, what that function returns, or, for
    edgeflow:FILE.onnx, EdgeFlow with that file.

    The module is looked for in the current folder, too. Raises InputError for an unknown name, for
    a module or function that can't be had and for what isn't a Predictor; ModuleNotFoundError for a
    package that a peer of ours needs.
    """
    if name.startswith(EDGEFLOW):
        return open_edgeflow(Path(name.removeprefix(EDGEFLOW)))
    if ":" in name:
        return _own(*name.split(":", 1))
    if name not in PEERS:
        near = get_close_matches(name, PEERS, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise InputError(
            f"There is no peer {name!r}: known are {', '.join(PEERS)}, edgeflow:FILE.onnx, "
            f"or MODULE:FUNCTION.{hint}"
        )
    return PEERS[name].open()


def _own(module: str, function: str) -> Predictor:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        make = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, SyntaxError, ValueError) as error:
        raise InputError(
            f"The peer {module}:{function} can't be had ({error}): expected a module that Python "
            "finds here, with a "
            "function of that name."
        ) from error
    peer: Predictor = make()
    if not all(hasattr(peer, name) for name in ("name", "prepare", "predict")):
        raise InputError(
            f"{module}:{function} returned {type(peer).__name__}: expected a Predictor, with name, "
            "prepare and predict."
        )
    return peer


def _by_skimage(name: str, module: str, function: str) -> str:
    """The name with scikit-image's version, on which an answer's last bit depends; loads what the
    method calls.

    It would be loaded by the first click otherwise, which the benchmark times.
    """
    named = f"{name} (scikit-image {metadata.version('scikit-image')})"
    getattr(importlib.import_module(f"skimage.{module}"), function)
    return named
