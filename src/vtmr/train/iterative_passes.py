"""The coarse passes of iterative clicks, which nothing is learnt from: by torch, or faster on CPUs
by ONNX Runtime.

Both give the same logits but for rounding.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

import numpy as np
import onnx
import onnxruntime as ort
import torch
from torch import Tensor

from vtmr.errors import ConfigError
from vtmr.modelfile import FEATURES_SIDE, SIDE
from vtmr.models.export import graph_of
from vtmr.models.network import InteractiveNetwork
from vtmr.runtime.onnx_network import open_session
from vtmr.train.recipe import Recipe


class IterativePasses(Protocol):
    """Passes without gradients, with the weights that the network had at the last `refresh`."""

    def refresh(self) -> None:
        """Takes over the network's present weights; to be called before each step's passes."""

    def early(self, image: Tensor) -> Tensor:
        """See InteractiveNetwork.early."""

    def logits(self, c1: Tensor, maps: Tensor) -> Tensor:
        """float32 logits B x 1 x S x S; see InteractiveNetwork.late."""


def iterative_passes(
    network: InteractiveNetwork, recipe: Recipe, device: torch.device
) -> IterativePasses:
    """What the recipe's `iterative_clicks_engine` asks for.

    Raises ConfigError where that can't run on the device.
    """
    engine, able = recipe.iterative_clicks_engine, device.type == "cpu"
    if not network.runs_on_onnx:
        if engine == "onnxruntime":
            raise ConfigError(
                f"iterative_clicks_engine is 'onnxruntime', which {network.spec.model} can't be "
                "computed by: expected 'torch' or 'auto'."
            )
        return TorchPasses(network, recipe.no_grad_precision)
    if engine == "onnxruntime" and not able:
        raise ConfigError(
            "iterative_clicks_engine is 'onnxruntime', which computes on CPUs, and the run is on "
            f"{device.type}: expected 'torch' or 'auto'."
        )
    if engine == "onnxruntime" or (engine == "auto" and able and not computes_bfloat16(device)):
        return OnnxPasses(network, recipe.threads)
    return TorchPasses(network, recipe.no_grad_precision)


def computes_bfloat16(device: torch.device) -> bool:
    """Whether the device has instructions for bfloat16.

    Emulated, a pass takes many times as long as in float32.
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    able = torch.cpu.get_capabilities()
    names = ("avx512_bf16", "amx_bf16", "bf16")  # the last is ARM's
    return any(able.get(name, False) for name in names)


class TorchPasses:
    """The network itself in evaluation mode, in the recipe's `no_grad_precision`."""

    def __init__(self, network: InteractiveNetwork, precision: str) -> None:
        self.network, self.precision = network, precision

    def refresh(self) -> None:
        """The network is the trained one itself: it only has to leave training mode."""
        self.network.eval()

    def early(self, image: Tensor) -> Tensor:
        """See IterativePasses; in bfloat16 where that is the precision."""
        with torch.no_grad(), self.autocast(image):
            return self.network.early(image)

    def logits(self, c1: Tensor, maps: Tensor) -> Tensor:
        """See IterativePasses; float32 whatever the precision."""
        with torch.no_grad(), self.autocast(maps):
            return self.network.late(c1, maps)[0].float()

    def autocast(self, like: Tensor) -> AbstractContextManager[object]:
        """For passes on that tensor's device."""
        auto = self.precision == "auto" and computes_bfloat16(like.device)
        if auto or self.precision == "bfloat16":
            return torch.autocast(like.device.type, torch.bfloat16)
        return nullcontext()


class OnnxPasses:
    """ONNX Runtime on the CPU, in float32, one sample after the other: a larger batch leaves the
    cache.

    The graphs are traced once; sessions are opened anew for each step's weights, which takes as
    long as three passes.
    """

    def __init__(self, network: InteractiveNetwork, threads: int) -> None:
        self.network, self.threads = network, threads
        side = network.spec.input_size
        # A picture and the maps both have three channels; only their shapes are traced.
        image = maps = torch.zeros(1, 3, side, side)
        # Of copies: tracing would leave the trained network in evaluation mode.
        with torch.no_grad():
            c1 = copy.deepcopy(network).eval().early(image)
        self.graphs: dict[str, bytes] = {}
        for method, inputs, names, outputs in (
            ("early", (image,), ("image",), ("features",)),
            ("late", (c1, maps), ("features", "maps"), ("logits",)),
        ):
            graph = graph_of(copy.deepcopy(network).eval(), method, inputs, names, outputs)
            self.graphs[method] = without_weights(graph)
        self.weights: dict[str, bytes] = {}
        self.sessions: dict[str, ort.InferenceSession] = {}

    def refresh(self) -> None:
        """Copies the weights; sessions are opened with them where they are first needed."""
        self.sessions.clear()
        self.weights.clear()
        for name, weight in self.network.state_dict().items():
            self.weights[name] = weight.numpy().tobytes()

    def early(self, image: Tensor) -> Tensor:
        """See IterativePasses."""
        return self.run("early", {"image": image}, {SIDE: image.shape[-1]})

    def logits(self, c1: Tensor, maps: Tensor) -> Tensor:
        """See IterativePasses."""
        sides = {SIDE: maps.shape[-1], FEATURES_SIDE: c1.shape[-1]}
        return self.run("late", {"features": c1, "maps": maps}, sides)

    def run(self, method: str, inputs: dict[str, Tensor], sides: dict[str, int]) -> Tensor:
        """The graph's only output for all samples; its sides are the same in every step."""
        if method not in self.sessions:
            data = with_weights(self.graphs[method], self.weights)
            self.sessions[method] = open_session(
                data, self.threads, f"The network's {method} part", sides
            )
        session = self.sessions[method]
        arrays = [tensor.contiguous().numpy() for tensor in inputs.values()]
        outputs = []
        for rows in zip(*arrays, strict=True):
            sample = {name: row[None] for name, row in zip(inputs, rows, strict=True)}
            outputs.append(session.run(None, sample)[0])
        return torch.from_numpy(np.concatenate(outputs))


def without_weights(graph: onnx.ModelProto) -> bytes:
    """The graph, its initialisers empty."""
    for tensor in graph.graph.initializer:
        # Each step brings its own: left in, every session would be made of both.
        tensor.ClearField("raw_data")
    data: bytes = graph.SerializeToString()
    return data


def with_weights(graph: bytes, weights: Mapping[str, bytes]) -> bytes:
    """The graph with its initialisers filled in.

    Always into a new message: one that is filled again and again keeps all it ever held, 12 MB a
    step.
    """
    filled = onnx.ModelProto.FromString(graph)
    for tensor in filled.graph.initializer:
        tensor.raw_data = weights[tensor.name]
    data: bytes = filled.SerializeToString()
    return data
