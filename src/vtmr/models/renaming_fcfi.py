"""The names of weights in FCFI's released files, turned into ours (see renaming.py)."""

from __future__ import annotations

from vtmr.models.renaming import HRNET, HRNET_MAPS, OCR, Rule, inside
from vtmr.models.renaming_deeplab import DEEPLAB, RESNET, SEPARABLE_HEAD


def units(theirs: str, ours: str) -> tuple[Rule, ...]:
    """Of a row of convolution units, the first a plain one and the others separable."""
    return (
        (rf"{theirs}\.0\.conv\.(\w+)", f"{ours}.0.0.{{0}}"),
        (rf"{theirs}\.0\.bn\.(\w+)", f"{ours}.0.1.{{0}}"),
        (rf"{theirs}\.([12])\.conv3x3\.(\w+)", f"{ours}.{{0}}.0.{{1}}"),
        (rf"{theirs}\.([12])\.conv1x1\.(\w+)", f"{ours}.{{0}}.1.{{1}}"),
        (rf"{theirs}\.([12])\.bn\.(\w+)", f"{ours}.{{0}}.2.{{1}}"),
    )


def feedback(fusion: str) -> tuple[Rule, ...]:
    """Of both modules; fusion: what the second one is called."""
    return (
        *units(r"correction_module\.info_encoder", "correction.encoder"),
        *units(rf"{fusion}\.fusion_encoder", "fusion.update"),
        (rf"{fusion}\.fusion_encoder\.3\.(\w+)", "fusion.update.3.{0}"),
        (rf"{fusion}\.feature_conv\.conv\.(\w+)", "fusion.narrow.0.{0}"),
        (rf"{fusion}\.feature_conv\.bn\.(\w+)", "fusion.narrow.1.{0}"),
        (rf"{fusion}\.residual_predictor\.conv\.(\w+)", "fusion.residual.0.{0}"),
        (rf"{fusion}\.residual_predictor\.bn\.(\w+)", "fusion.residual.1.{0}"),
    )


def feature_extractor(rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
    """The rules for names behind `feature_extractor.`, whose places are whole already."""
    return tuple((rf"feature_extractor\.{pattern}", place) for pattern, place in rules)


OFFICIAL_FCFI_HRNET: tuple[Rule, ...] = (
    *inside("feature_extractor", HRNET, "encoder"),
    *inside("feature_extractor", OCR, "head"),
    *feature_extractor(feedback("fusion_module")),
    *HRNET_MAPS,
)
OFFICIAL_FCFI_RESNET: tuple[Rule, ...] = (
    *inside("feature_extractor.backbone", RESNET, "encoder"),
    *inside("feature_extractor", DEEPLAB, "decoder"),
    *inside("head", SEPARABLE_HEAD, "head"),
    *feature_extractor(feedback("feedback_fusion")),
    *HRNET_MAPS,
)
