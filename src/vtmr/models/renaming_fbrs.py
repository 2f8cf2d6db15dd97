"""CDNet's and f-BRS's names of weights, and which of their networks a table of weights is of
[docs/zoo.md §Z.3.1, §Z.4.1]."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from vtmr.models.renaming import HRNET, OCR, Rule, inside
from vtmr.models.renaming_deeplab import DEEPLAB, RESNET, SEPARABLE_HEAD

_DEEP_STEM = "feature_extractor.backbone.conv1.0.weight"
_CLICKS = "rgb_conv.0.weight"  # by which f-BRS's files are known
_BOTTLENECKS_OF_101 = "feature_extractor.backbone.layer3.22.conv1.weight"
_BRANCH = "feature_extractor.transition1.0.0.weight"

_FDM: tuple[Rule, ...] = (
    (r"t\.weight", "seeker.weight"),
    (r"p\.weight", "sought.weight"),
    (r"g\.weight", "carried.weight"),
    (r"z\.weight", "objects.0.weight"),
    (r"bn\.(\w+)", "objects.1.{0}"),
    (r"z2\.weight", "background.0.weight"),
    (r"bn2\.(\w+)", "background.1.{0}"),
    *inside("gate_head_pos", SEPARABLE_HEAD, "gate"),
)
_BODY: tuple[Rule, ...] = (
    *inside("feature_extractor.backbone", RESNET, "encoder"),
    *inside("feature_extractor", DEEPLAB, "decoder"),
    *inside("head", SEPARABLE_HEAD, "head"),
)
OFFICIAL_CDNET: tuple[Rule, ...] = (
    *_BODY,
    *inside("feature_extractor.FDM", _FDM, "diffusion"),
    *inside("latent_head", SEPARABLE_HEAD, "latent"),
    (r"maps_transform\.(.+)", "interaction.{0}"),
    (r"PDM\.aff_(?:x|m|std)\.kernel", None),  # constants: shifts to the neighbours
)
_FBRS_CLICKS: tuple[Rule, ...] = ((r"rgb_conv\.(.+)", "interaction.{0}"),)
OFFICIAL_FBRS_DEEPLAB: tuple[Rule, ...] = (*_BODY, *_FBRS_CLICKS)
OFFICIAL_FBRS_HRNET: tuple[Rule, ...] = (
    *inside("feature_extractor", HRNET, "encoder"),
    *inside("feature_extractor", OCR, "head"),
    *_FBRS_CLICKS,
)


def cdnet_name(state: Mapping[str, Tensor]) -> str | None:
    """Our name of the CDNet whose weights these are; None where they are another network's."""
    if not any(key.startswith("feature_extractor.FDM.") for key in state):
        return None
    return "cdnet-resnet101" if _DEEP_STEM in state else "cdnet-resnet34"


def fbrs_name(state: Mapping[str, Tensor]) -> str | None:
    """Our name of the network of f-BRS whose weights these are; None where they are another's."""
    if _CLICKS not in state:
        return None
    if _BRANCH in state and state[_BRANCH].ndim:
        return "fbrs-hrnet32" if state[_BRANCH].shape[0] > 18 else "fbrs-hrnet18"
    if _DEEP_STEM not in state:
        return "fbrs-resnet34"
    return "fbrs-resnet101" if _BOTTLENECKS_OF_101 in state else "fbrs-resnet50"
