"""The names of weights in FCA's released files, turned into ours (see renaming.py)."""

from __future__ import annotations

from vtmr.models.renaming import Rule

_BLOCK, _OURS = r"backbone_(?:pre|last)\.layer(?P<n>[1-4])\.(\d+)", "encoder.stages.{n}.{1}"


def head(theirs: str, ours: str) -> tuple[Rule, ...]:
    """Of two convolutions, BatchNorm and ReLU after each, and the last one: kept in their order."""
    return ((rf"{theirs}\.pred_conv\.(.+)", f"{ours}.{{0}}"),)


REST: tuple[Rule, ...] = (
    (r"first_conv\.convs\.(.+)", "first_branch.{0}"),
    (r"my_aspp\.aspp(?P<n>[1-4])\.atrous_conv\.weight", "aspp.branches.{n}.0.weight"),
    (r"my_aspp\.aspp(?P<n>[1-4])\.bn\.(\w+)", "aspp.branches.{n}.1.{1}"),
    (r"my_aspp\.global_avg_pool\.1\.weight", "aspp.pooled.0.weight"),
    (r"my_aspp\.global_avg_pool\.2\.(\w+)", "aspp.pooled.1.{0}"),
    (r"my_aspp\.conv1\.weight", "aspp.project.0.weight"),
    (r"my_aspp\.bn1\.(\w+)", "aspp.project.1.{0}"),
    (r"my_decoder\.side_conv\.(.+)", "side.{0}"),
    (r"my_decoder\.merge_conv\.([01])\.(\w+)", "merge.0.{0}.{1}"),
    (r"my_decoder\.merge_conv\.3\.(\w+)", "merge.1.0.{0}"),
    (r"my_decoder\.merge_conv\.4\.(\w+)", "merge.1.1.{0}"),
    *head("pred_decoder", "head"),
    *head("first_pred_decoder", "first_head"),
)
RESNET: tuple[Rule, ...] = (
    (r"backbone_pre\.conv1\.weight", "encoder.stem.0.weight"),
    (r"backbone_pre\.bn1\.(\w+)", "encoder.stem.1.{0}"),
    (rf"{_BLOCK}\.conv(?P<m>[123])\.weight", f"{_OURS}.body.{{m}}.0.weight"),
    (rf"{_BLOCK}\.bn(?P<m>[123])\.(\w+)", f"{_OURS}.body.{{m}}.1.{{3}}"),
    (rf"{_BLOCK}\.downsample\.(.+)", f"{_OURS}.shortcut.{{2}}"),
)
RES2NET: tuple[Rule, ...] = (
    (r"backbone_pre\.conv1\.(.+)", "encoder.stem.{0}"),
    (r"backbone_pre\.bn1\.(\w+)", "encoder.stem.7.{0}"),
    (rf"{_BLOCK}\.conv1\.weight", f"{_OURS}.narrow.0.weight"),
    (rf"{_BLOCK}\.bn1\.(\w+)", f"{_OURS}.narrow.1.{{2}}"),
    (rf"{_BLOCK}\.convs\.(\d)\.weight", f"{_OURS}.splits.{{2}}.0.weight"),
    (rf"{_BLOCK}\.bns\.(\d)\.(\w+)", f"{_OURS}.splits.{{2}}.1.{{3}}"),
    (rf"{_BLOCK}\.conv3\.weight", f"{_OURS}.widen.0.weight"),
    (rf"{_BLOCK}\.bn3\.(\w+)", f"{_OURS}.widen.1.{{2}}"),
    (rf"{_BLOCK}\.downsample\.(.+)", f"{_OURS}.shortcut.{{2}}"),
)
OFFICIAL_FCA_RESNET: tuple[Rule, ...] = (*RESNET, *REST)
OFFICIAL_FCA_RES2NET: tuple[Rule, ...] = (*RES2NET, *REST)
