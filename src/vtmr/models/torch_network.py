"""The two forward passes on torch, on any of its devices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vtmr.errors import ConfigError
from vtmr.inputs import click_maps, coarse_maps, normalise
from vtmr.models.network import InteractiveNetwork
from vtmr.spec import ModelSpec
from vtmr.types import Click, FloatMap, Image


class TorchNetwork:
    """A `Network` on a torch module, which it moves to `device` and switches to evaluation.

    threads: of torch in this process, whose number one network can't have for itself; None leaves
    it. Raises ConfigError when torch has no such device or `threads` is below 1.
    """

    def __init__(
        self,
        module: InteractiveNetwork,
        spec: ModelSpec,
        device: str = "cpu",
        *,
        threads: int | None = None,
    ) -> None:
        if threads is not None:
            if threads < 1:
                raise ConfigError(
                    f"threads is {threads}: expected at least 1, best the number of cores."
                )
            torch.set_num_threads(threads)
        self.threads = torch.get_num_threads()
        try:
            self._device = torch.device(device)
            self._module = module.to(self._device).eval()
        except (RuntimeError, AssertionError) as error:
            first_line = str(error).splitlines()[0]
            raise ConfigError(
                f"torch has no device {device!r} here: {first_line}. Try cpu."
            ) from error
        self._spec = spec
        self._seen: tuple[Image | FloatMap, Tensor] | None = None

    @property
    def spec(self) -> ModelSpec:
        """See `Network.spec`."""
        return self._spec

    @torch.no_grad()
    def coarse(
        self, image: Image | FloatMap, prev_mask: FloatMap, clicks: Sequence[Click]
    ) -> tuple[FloatMap, Any]:
        """See `Network.coarse`; the features are a tensor on the device."""
        maps = self._tensor(coarse_maps(prev_mask, clicks, self._spec))
        if self._module.runs_on_onnx:
            planes = self._tensor(normalise(image, self._spec.coarse_normalisation))
            logits, features = self._module.coarse(planes, maps)
        else:
            logits, features = self._module.late(self._early(image), maps)
        return _numpy(logits), features

    def _early(self, image: Image | FloatMap) -> Tensor:
        """What the network finds in the image alone, kept for further clicks on the same array."""
        # The very array: as long as it is kept, no other one can be taken for it.
        if self._seen is None or self._seen[0] is not image:
            planes = self._tensor(normalise(image, self._spec.coarse_normalisation))
            self._seen = (image, self._module.early(planes))
        return self._seen[1]

    @torch.no_grad()
    def respond(self, planes: FloatMap, maps: FloatMap) -> FloatMap:
        """See `segmenter.brs.CorrectableNetwork.respond`."""
        logits, _ = self._module.late(self._module.early(self._tensor(planes)), self._tensor(maps))
        return _numpy(logits)

    def slopes(
        self, planes: FloatMap, maps: FloatMap, targets: FloatMap, weights: FloatMap
    ) -> tuple[FloatMap, FloatMap]:
        """See `segmenter.brs.CorrectableNetwork.slopes`."""
        fed = self._tensor(maps).requires_grad_()
        logits, _ = self._module.late(self._module.early(self._tensor(planes)), fed)
        prob = torch.sigmoid(logits[0, 0])
        errors = (prob - self._tensor(targets)) ** 2 * self._tensor(weights)
        # For the maps alone: backward() would leave gradients in all the weights, too.
        (slope,) = torch.autograd.grad(errors.sum(), fed)
        return prob.detach().cpu().numpy(), slope.cpu().numpy()

    @torch.no_grad()
    def refine(
        self,
        patch: Image | FloatMap,
        clicks: Sequence[Click],
        coarse_logits: FloatMap,
        features: Any,
        box: tuple[float, float, float, float],
    ) -> FloatMap:
        """See `Network.refine`."""
        logits, _ = self._module.refine(
            self._tensor(normalise(patch, self._spec.refine_normalisation)),
            self._tensor(click_maps(clicks, self._spec.refine_disc_radius, self._spec.input_size)),
            self._tensor(np.ascontiguousarray(coarse_logits, np.float32)[None, None]),
            features,
            torch.tensor([box], dtype=torch.float32, device=self._device),
        )
        return _numpy(logits)

    def _tensor(self, array: FloatMap) -> Tensor:
        return torch.from_numpy(array).to(self._device)


def _numpy(logits: Tensor) -> FloatMap:
    array: FloatMap = logits[0, 0].cpu().numpy()
    return array
