"""Other projects' names of weights, turned into ours by tables in which every name must have its
place."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from torch import Tensor

from vtmr.errors import CheckpointError

# A pattern for a whole name, and ours with the pattern's groups: {0}, {1} … as they are, {n} (and
# {s}) one less, where the others count from one. None drops the weight.
Rule = tuple[str, str | None]


def renamed(state: Mapping[str, Tensor], rules: Sequence[Rule], source: str) -> dict[str, Tensor]:
    """The weights under our names.

    Raises CheckpointError for a name without a rule, or two for one place.
    """
    result: dict[str, Tensor] = {}
    for name, value in state.items():
        try:
            ours = _our_name(name, rules)
        except LookupError as error:
            raise CheckpointError(
                f"{source} has the unexpected weight {name!r}: it is of another network."
            ) from error
        if ours is None:
            continue
        if ours in result:
            raise CheckpointError(
                f"{source} holds {name!r} beside another weight for the same place {ours!r}."
            )
        result[ours] = value
    return result


def _our_name(name: str, rules: Sequence[Rule]) -> str | None:
    """By the first rule that fits; None where it says that the weight isn't used.

    Raises LookupError where none fits.
    """
    for pattern, template in rules:
        match = re.fullmatch(pattern, name)
        if match is None:
            continue
        if template is None:
            return None
        counted: dict[str, int] = {}
        for key, number in match.groupdict().items():
            if number is not None:
                counted[key] = int(number) - 1  # named groups count from 1, our lists from 0
        return template.format(*match.groups(), **counted)
    raise LookupError(name)


def require_fit(state: Mapping[str, Tensor], expected: Mapping[str, Tensor], source: str) -> None:
    """Raises CheckpointError when weights are missing or have another shape than in `expected`;
    names are ours."""
    missing = sorted(expected.keys() - state.keys())
    if missing:
        more = ""
        if len(missing) > 1:
            more = f" and {len(missing) - 1} more"
        raise CheckpointError(
            f"{source} lacks weights for {missing[0]!r}{more}: it is incomplete or of another "
            "network."
        )
    for name, value in state.items():
        if name not in expected:
            raise CheckpointError(
                f"{source} has a weight for {name!r}, which the network doesn't have."
            )
        if value.shape != expected[name].shape:
            raise CheckpointError(
                f"{source} has a weight of shape {tuple(value.shape)} for {name!r}: "
                f"expected {tuple(expected[name].shape)}."
            )


MIT: tuple[Rule, ...] = (
    (r"patch_embed(?P<n>[1-4])\.proj\.(\w+)", "stages.{n}.embed.conv.{1}"),
    (r"patch_embed(?P<n>[1-4])\.norm\.(\w+)", "stages.{n}.embed.norm.{1}"),
    (r"block(?P<n>[1-4])\.(\d+)\.norm1\.(\w+)", "stages.{n}.blocks.{1}.attention_norm.{2}"),
    (r"block(?P<n>[1-4])\.(\d+)\.norm2\.(\w+)", "stages.{n}.blocks.{1}.mlp_norm.{2}"),
    (r"block(?P<n>[1-4])\.(\d+)\.attn\.q\.(\w+)", "stages.{n}.blocks.{1}.attention.query.{2}"),
    (r"block(?P<n>[1-4])\.(\d+)\.attn\.kv\.(\w+)", "stages.{n}.blocks.{1}.attention.key_value.{2}"),
    (r"block(?P<n>[1-4])\.(\d+)\.attn\.proj\.(\w+)", "stages.{n}.blocks.{1}.attention.project.{2}"),
    (r"block(?P<n>[1-4])\.(\d+)\.attn\.sr\.(\w+)", "stages.{n}.blocks.{1}.attention.reduce.{2}"),
    (r"block(?P<n>[1-4])\.(\d+)\.attn\.norm\.(\w+)", "stages.{n}.blocks.{1}.attention.norm.{2}"),
    (r"block(?P<n>[1-4])\.(\d+)\.mlp\.fc1\.(\w+)", "stages.{n}.blocks.{1}.mlp.expand.{2}"),
    (r"block(?P<n>[1-4])\.(\d+)\.mlp\.dwconv\.dwconv\.(\w+)", "stages.{n}.blocks.{1}.mlp.mix.{2}"),
    (r"block(?P<n>[1-4])\.(\d+)\.mlp\.fc2\.(\w+)", "stages.{n}.blocks.{1}.mlp.shrink.{2}"),
    (r"norm(?P<n>[1-4])\.(\w+)", "stages.{n}.norm.{1}"),
)
SIDE: tuple[Rule, ...] = (
    (r"patch_embed_side1\.proj\.(\w+)", "interaction.conv.{0}"),
    (r"patch_embed_side1\.norm\.(\w+)", "interaction.norm.{0}"),
)
# Hugging Face's SegFormer counts stages from 0; its separate keys and values are stacked before the
# table is used.
_HF_BLOCK = r"(?:segformer\.)?encoder\.block\.(\d)\.(\d+)\."
MIT_HUGGING_FACE: tuple[Rule, ...] = (
    (r"(?:segformer\.)?encoder\.patch_embeddings\.(\d)\.proj\.(\w+)", "stages.{0}.embed.conv.{1}"),
    (
        r"(?:segformer\.)?encoder\.patch_embeddings\.(\d)\.layer_norm\.(\w+)",
        "stages.{0}.embed.norm.{1}",
    ),
    (_HF_BLOCK + r"layer_norm_1\.(\w+)", "stages.{0}.blocks.{1}.attention_norm.{2}"),
    (_HF_BLOCK + r"layer_norm_2\.(\w+)", "stages.{0}.blocks.{1}.mlp_norm.{2}"),
    (_HF_BLOCK + r"attention\.self\.query\.(\w+)", "stages.{0}.blocks.{1}.attention.query.{2}"),
    (
        _HF_BLOCK + r"attention\.self\.key_value\.(\w+)",
        "stages.{0}.blocks.{1}.attention.key_value.{2}",
    ),
    (_HF_BLOCK + r"attention\.output\.dense\.(\w+)", "stages.{0}.blocks.{1}.attention.project.{2}"),
    (_HF_BLOCK + r"attention\.self\.sr\.(\w+)", "stages.{0}.blocks.{1}.attention.reduce.{2}"),
    (_HF_BLOCK + r"attention\.self\.layer_norm\.(\w+)", "stages.{0}.blocks.{1}.attention.norm.{2}"),
    (_HF_BLOCK + r"mlp\.dense1\.(\w+)", "stages.{0}.blocks.{1}.mlp.expand.{2}"),
    (_HF_BLOCK + r"mlp\.dwconv\.dwconv\.(\w+)", "stages.{0}.blocks.{1}.mlp.mix.{2}"),
    (_HF_BLOCK + r"mlp\.dense2\.(\w+)", "stages.{0}.blocks.{1}.mlp.shrink.{2}"),
    (r"(?:segformer\.)?encoder\.layer_norm\.(\d)\.(\w+)", "stages.{0}.norm.{1}"),
)
HRNET: tuple[Rule, ...] = (
    (r"conv([12])\.weight", "stem{0}.0.weight"),
    (r"bn([12])\.(\w+)", "stem{0}.1.{1}"),
    (r"layer1\.(\d)\.conv(?P<n>\d)\.weight", "bottlenecks.{0}.body.{n}.0.weight"),
    (r"layer1\.(\d)\.bn(?P<n>\d)\.(\w+)", "bottlenecks.{0}.body.{n}.1.{2}"),
    (r"layer1\.(\d)\.downsample\.(.+)", "bottlenecks.{0}.shortcut.{1}"),
    (r"transition1\.0\.(.+)", "stage2.transition.0.{0}"),
    (r"transition1\.1\.0\.(.+)", "stage2.transition.1.{0}"),
    (r"transition2\.2\.0\.(.+)", "stage3.transition.2.{0}"),
    (r"transition3\.3\.0\.(.+)", "stage4.transition.3.{0}"),
    (
        r"stage([234])\.(\d)\.branches\.(\d)\.(\d)\.conv(?P<n>\d)\.weight",
        "stage{0}.exchanges.{1}.branches.{2}.{3}.body.{n}.0.weight",
    ),
    (
        r"stage([234])\.(\d)\.branches\.(\d)\.(\d)\.bn(?P<n>\d)\.(\w+)",
        "stage{0}.exchanges.{1}.branches.{2}.{3}.body.{n}.1.{5}",
    ),
    (r"stage([234])\.(\d)\.fuse_layers\.(.+)", "stage{0}.exchanges.{1}.fusions.{2}"),
)
OCR: tuple[Rule, ...] = (
    (r"aux_head\.(.+)", "auxiliary.{0}"),
    (r"conv3x3_ocr\.(.+)", "pixels.{0}"),
    (r"ocr_distri_head\.object_context_block\.f_pixel\.0\.(\w+)", "query.0.0.{0}"),
    (r"ocr_distri_head\.object_context_block\.f_pixel\.1\.0\.(\w+)", "query.0.1.{0}"),
    (r"ocr_distri_head\.object_context_block\.f_pixel\.2\.(\w+)", "query.1.0.{0}"),
    (r"ocr_distri_head\.object_context_block\.f_pixel\.3\.0\.(\w+)", "query.1.1.{0}"),
    (r"ocr_distri_head\.object_context_block\.f_object\.0\.(\w+)", "key.0.0.{0}"),
    (r"ocr_distri_head\.object_context_block\.f_object\.1\.0\.(\w+)", "key.0.1.{0}"),
    (r"ocr_distri_head\.object_context_block\.f_object\.2\.(\w+)", "key.1.0.{0}"),
    (r"ocr_distri_head\.object_context_block\.f_object\.3\.0\.(\w+)", "key.1.1.{0}"),
    (r"ocr_distri_head\.object_context_block\.f_down\.0\.(\w+)", "value.0.{0}"),
    (r"ocr_distri_head\.object_context_block\.f_down\.1\.0\.(\w+)", "value.1.{0}"),
    (r"ocr_distri_head\.object_context_block\.f_up\.0\.(\w+)", "spread.0.{0}"),
    (r"ocr_distri_head\.object_context_block\.f_up\.1\.0\.(\w+)", "spread.1.{0}"),
    (r"ocr_distri_head\.conv_bn_dropout\.0\.(\w+)", "mix.0.{0}"),
    (r"ocr_distri_head\.conv_bn_dropout\.1\.0\.(\w+)", "mix.1.{0}"),
    (r"cls_head\.(\w+)", "logits.{0}"),
)
MLP_HEAD: tuple[Rule, ...] = (
    (r"linear_c(?P<n>[1-4])\.proj\.(\w+)", "levels.{n}.{1}"),
    (r"linear_fuse\.conv\.weight", "fuse.weight"),
    (r"linear_fuse\.bn\.(\w+)", "norm.{0}"),
    (r"linear_pred\.(\w+)", "logits.{0}"),
)
REFINER: tuple[Rule, ...] = (
    (r"image_conv1\.conv\.(\w+)", "image.0.0.{0}"),
    (r"image_conv1\.norm\.(\w+)", "image.0.1.{0}"),
    (r"image_conv(?P<n>[23])\.conv3x3\.(\w+)", "image.{n}.0.{1}"),
    (r"image_conv(?P<n>[23])\.conv1x1\.(\w+)", "image.{n}.1.{1}"),
    (r"image_conv(?P<n>[23])\.norm\.(\w+)", "image.{n}.2.{1}"),
    (r"refine_fusion\.conv\.(\w+)", "context.0.{0}"),
    (r"refine_fusion\.norm\.(\w+)", "context.1.{0}"),
    (r"refine_fusion2\.conv3x3\.(\w+)", "fusion.0.0.{0}"),
    (r"refine_fusion2\.conv1x1\.(\w+)", "fusion.0.1.{0}"),
    (r"refine_fusion2\.norm\.(\w+)", "fusion.0.2.{0}"),
    (r"refine_fusion3\.conv3x3\.(\w+)", "fusion.1.0.{0}"),
    (r"refine_fusion3\.conv1x1\.(\w+)", "fusion.1.1.{0}"),
    (r"refine_fusion3\.norm\.(\w+)", "fusion.1.2.{0}"),
    (r"refine_pred\.(\w+)", "detail.{0}"),
    (r"refine_trimap\.(\w+)", "edge.{0}"),
    # In the files of SegFormer networks, but no pass uses it.
    (
        r"feature_gate\.0\.(weight|bias)",
        None,
    ),
)
HRNET_MAPS: tuple[Rule, ...] = ((r"maps_transform\.(.+)", "interaction.{0}"),)
UNUSED_MAPS: tuple[Rule, ...] = ((r"maps_transform\.(?:[02]\.(?:weight|bias)|3\.scale)", None),)


def inside(prefix: str, rules: Sequence[Rule], place: str) -> tuple[Rule, ...]:
    """The rules for names behind `prefix.`, leading to places behind `place.`."""
    escaped = re.escape(prefix)
    return tuple((rf"{escaped}\.{pattern}", ours and f"{place}.{ours}") for pattern, ours in rules)


OFFICIAL_SEGFORMER: tuple[Rule, ...] = (
    *inside("feature_extractor.backbone", (*MIT, *SIDE), "encoder"),
    *inside("feature_extractor.decode_head", MLP_HEAD, "head"),
    *inside("refiner", REFINER, "refiner"),
    *UNUSED_MAPS,
)
OFFICIAL_HRNET: tuple[Rule, ...] = (
    *inside("feature_extractor", HRNET, "encoder"),
    *inside("feature_extractor", OCR, "head"),
    *inside("refiner", REFINER, "refiner"),
    *HRNET_MAPS,
)
