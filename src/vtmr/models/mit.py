"""The Mix Transformer encoder, written from its numbers [segformer2021; docs/method.md §A.2],
clicks added after stage 1."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

BLOCK_NORM_EPS = 1e-6  # of the norms in blocks and after stages
INNER_NORM_EPS = 1e-5  # of the norms after patch embeddings and inside reduced attention
MLP_RATIO = 4  # hidden channels to a block's own
HEADS = (1, 2, 5, 8)  # of attention, by stage
REDUCTIONS = (8, 4, 2, 1)  # of the keys' map, so that every stage has as many keys
PATCHES = ((7, 4), (3, 2))  # kernel and stride of the first stage's embedding, and of the others'
STOCHASTIC_DEPTH = 0.1  # of the last block; it grows linearly up to there


class MitSize(NamedTuple):
    """What tells the members of the family apart: per stage, channels and number of blocks."""

    widths: tuple[int, int, int, int]
    depths: tuple[int, int, int, int]


def tokens_of(maps: Tensor) -> Tensor:
    """B x C x h x w as B x hw x C."""
    return maps.flatten(2).transpose(1, 2)


def maps_of(tokens: Tensor, like: Tensor) -> Tensor:
    """B x hw x C as B x C x h x w; `like` is any map of that height and width."""
    return tokens.transpose(1, 2).reshape(
        tokens.shape[0], tokens.shape[2], like.shape[2], like.shape[3]
    )


class PatchEmbedding(nn.Module):
    """An overlapping convolution and LayerNorm."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2)
        self.norm = nn.LayerNorm(outputs, eps=INNER_NORM_EPS)

    def forward(self, maps: Tensor) -> Tensor:
        """B x inputs x h x w to B x outputs x h/stride x w/stride."""
        maps = self.conv(maps)
        return maps_of(self.norm(tokens_of(maps)), maps)


class ReducedAttention(nn.Module):
    """Self-attention whose keys and values come from a map shrunk by `reduction`."""

    def __init__(self, width: int, heads: int, reduction: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)  # first the keys' rows, then the values'
        self.project = nn.Linear(width, width)
        self.reduced = reduction > 1
        if self.reduced:
            self.reduce = nn.Conv2d(width, width, reduction, reduction)
            self.norm = nn.LayerNorm(width, eps=INNER_NORM_EPS)

    def forward(self, tokens: Tensor, like: Tensor) -> Tensor:
        """B x hw x C to the same shape; `like` is any map h x w."""
        source = tokens
        if self.reduced:
            source = self.norm(tokens_of(self.reduce(maps_of(tokens, like))))
        query = self._by_head(self.query(tokens))
        keys, values = self.key_value(source).chunk(2, dim=2)
        key, value = self._by_head(keys), self._by_head(values)
        attended = F.scaled_dot_product_attention(query, key, value)
        projected: Tensor = self.project(attended.transpose(1, 2).flatten(2))
        return projected

    def _by_head(self, tokens: Tensor) -> Tensor:
        """B x N x C as B x heads x N x C/heads."""
        batch, count, width = tokens.shape
        return tokens.reshape(batch, count, self.heads, width // self.heads).transpose(1, 2)


class MixMlp(nn.Module):
    """Two linear layers with a depthwise 3x3 convolution between them, which tells tokens where
    they are."""

    def __init__(self, width: int) -> None:
        super().__init__()
        hidden = MLP_RATIO * width
        self.expand = nn.Linear(width, hidden)
        self.mix = nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden)
        self.shrink = nn.Linear(hidden, width)

    def forward(self, tokens: Tensor, like: Tensor) -> Tensor:
        """B x hw x C to the same shape; `like` is any map h x w."""
        mixed = self.mix(maps_of(self.expand(tokens), like))
        shrunk: Tensor = self.shrink(F.gelu(tokens_of(mixed)))
        return shrunk


class StochasticDepth(nn.Module):
    """In training, drops a sample's branch with the probability and scales the others up."""

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, branch: Tensor) -> Tensor:
        """Any tensor whose first dimension is the batch."""
        if not self.training or not self.probability:
            return branch
        each = (len(branch), *[1] * (branch.ndim - 1))  # one number a sample
        kept = torch.rand(each, device=branch.device) >= self.probability
        return branch * kept / (1 - self.probability)


class MixBlock(nn.Module):
    """Attention and MLP, each normalised before and added to its input."""

    def __init__(self, width: int, heads: int, reduction: int, drop: float) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(width, eps=BLOCK_NORM_EPS)
        self.attention = ReducedAttention(width, heads, reduction)
        self.mlp_norm = nn.LayerNorm(width, eps=BLOCK_NORM_EPS)
        self.mlp = MixMlp(width)
        self.drop = StochasticDepth(drop)

    def forward(self, tokens: Tensor, like: Tensor) -> Tensor:
        """B x hw x C to the same shape; `like` is any map h x w."""
        tokens = tokens + self.drop(self.attention(self.attention_norm(tokens), like))
        deeper: Tensor = tokens + self.drop(self.mlp(self.mlp_norm(tokens), like))
        return deeper


class MixStage(nn.Module):
    """Patch embedding, blocks, norm. drops: one probability per block."""

    def __init__(
        self,
        embed: PatchEmbedding,
        width: int,
        heads: int,
        reduction: int,
        drops: tuple[float, ...],
    ) -> None:
        super().__init__()
        self.embed = embed
        self.blocks = nn.ModuleList(MixBlock(width, heads, reduction, drop) for drop in drops)
        self.norm = nn.LayerNorm(width, eps=BLOCK_NORM_EPS)

    def forward(self, maps: Tensor) -> Tensor:
        """The maps of the stage before, or the image, to this stage's."""
        embedded = self.embed(maps)
        tokens = tokens_of(embedded)
        for block in self.blocks:
            tokens = block(tokens, embedded)
        return maps_of(self.norm(tokens), embedded)


class MixTransformer(nn.Module):
    """Maps at strides 4, 8, 16, 32 with `size.widths` channels; the clicks join between the first
    two stages.

    The decoder sees the first map as it is before the clicks join; only the later stages know of
    them.
    """

    def __init__(self, size: MitSize) -> None:
        super().__init__()
        count, stages, inputs = sum(size.depths), [], 3
        # Deeper blocks are dropped more often.
        drops = [STOCHASTIC_DEPTH * i / (count - 1) for i in range(count)]
        for i, (width, depth) in enumerate(zip(size.widths, size.depths, strict=True)):
            kernel, stride = PATCHES[min(i, 1)]
            embed = PatchEmbedding(inputs, width, kernel, stride)
            stages.append(MixStage(embed, width, HEADS[i], REDUCTIONS[i], tuple(drops[:depth])))
            drops, inputs = drops[depth:], width
        self.stages = nn.ModuleList(stages)
        self.interaction = PatchEmbedding(3, size.widths[0], 7, 4)
        self.apply(initialise)

    def early_parameters(self) -> Iterator[nn.Parameter]:
        """Those that `early` uses."""
        return self.stages[0].parameters()

    def early(self, image: Tensor) -> Tensor:
        """The map at stride 4: all that doesn't depend on the clicks."""
        c1: Tensor = self.stages[0](image)
        return c1

    def late(self, c1: Tensor, maps: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The maps at strides 8, 16 and 32; maps: [prev_mask, positive discs, negative discs] at
        stride 1."""
        c2 = self.stages[1](c1 + self.interaction(maps))
        c3 = self.stages[2](c2)
        return c2, c3, self.stages[3](c3)


def initialise(module: nn.Module) -> None:
    """Random weights as the encoder was trained from: truncated normal linear layers, fan-out
    convolutions."""
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Conv2d) and module.bias is not None:
        fan_out = math.prod(module.kernel_size) * module.out_channels // module.groups
        nn.init.normal_(module.weight, std=math.sqrt(2 / fan_out))
        nn.init.zeros_(module.bias)
