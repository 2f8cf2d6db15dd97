"""From the value of --model to what the benchmark plays: a model, or a peer by `peer:NAME`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from vtmr.bench import ModelInfo
from vtmr.bench.peers import PEERS, open_peer
from vtmr.cli import predictors
from vtmr.errors import InputError, needs_extra
from vtmr.segmenter import AS_THE_MODEL_SAYS, ModelOptions
from vtmr.types import Predictor

PEER = "peer:"


def load(model: str, options: ModelOptions = AS_THE_MODEL_SAYS) -> tuple[Predictor, ModelInfo]:
    """As `predictors.load`, or a peer (`vtmr.bench.peers.open_peer`), with what a run stores of it.

    threads: of a network; a peer has none. Raises what `predictors.load` raises; InputError for an
    unknown peer and for an option of networks with a peer, ConfigError when the peer needs a
    package that isn't installed.
    """
    if not model.startswith(PEER):
        loaded = predictors.load(model, options)
        predictor = loaded.predictor
        return predictor, ModelInfo(
            predictor.name,
            loaded.sha256,
            loaded.threshold,
            loaded.threads,
            predictor.zoom,
            device=loaded.device,
            input_size=loaded.input_size,
            eval_mode=loaded.eval_mode,
            views=predictor.spec.views,
        )
    for what, value in (
        ("device", options.device),
        ("zoom", options.zoom),
        ("threshold", options.threshold),
        ("input size", options.input_size),
        ("evaluation mode", options.eval_mode),
        ("views", options.views),
    ):
        if value is not None:
            raise InputError(f"The {what} is {value}, but {model} has none: leave it out.")
    with needs_extra("bench"):
        peer = open_peer(model.removeprefix(PEER))
    return peer, ModelInfo(peer.name)


def only_predictor(load: Callable[[], tuple[Predictor, ModelInfo]]) -> Predictor:
    """What another process plays with, where `load` gives what this module's does."""
    return load()[0]


def peers() -> list[dict[str, str]]:
    """One object for each peer that comes with vtmr: its value of --model and what it is."""
    return [
        {"name": f"{PEER}{name}", "description": peer.description} for name, peer in PEERS.items()
    ]


def as_text(listed: Sequence[dict[str, str]]) -> str:
    """A line for each of `peers`."""
    width = max(len(peer["name"]) for peer in listed)
    return "\n".join(f"{peer['name']:{width}}  {peer['description']}" for peer in listed)
