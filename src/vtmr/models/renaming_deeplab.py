"""Official names of what CDNet, f-BRS and FCFI share: dilated ResNet, DeepLabV3+, separable
heads."""

from __future__ import annotations

from vtmr.models.renaming import Rule, inside

RESNET: tuple[Rule, ...] = (
    (r"conv1\.(.+)", "stem.{0}"),
    (r"bn1\.(\w+)", "norm.{0}"),
    (r"layer(?P<n>[1-4])\.(\d+)\.conv(?P<s>\d)\.weight", "stages.{n}.{1}.body.{s}.0.weight"),
    (r"layer(?P<n>[1-4])\.(\d+)\.bn(?P<s>\d)\.(\w+)", "stages.{n}.{1}.body.{s}.1.{3}"),
    (r"layer(?P<n>[1-4])\.(\d+)\.downsample\.(.+)", "stages.{n}.{1}.shortcut.{2}"),
)
SEPARABLE: tuple[Rule, ...] = (
    (r"(\d)\.body\.(.+)", "{0}.{1}"),
    (r"(\d)\.(weight|bias)", "{0}.{1}"),
)
DEEPLAB: tuple[Rule, ...] = (
    *inside("head.block", SEPARABLE, "decoder"),
    (r"skip_project\.skip_project\.(.+)", "skip.{0}"),
    (r"aspp\.concurent\.([0-3])\.(.+)", "aspp.branches.{0}.{1}"),
    (r"aspp\.concurent\.4\.gap\.(?P<n>[12])\.(\w+)", "aspp.pooled.{n}.{1}"),
    (r"aspp\.project\.(.+)", "aspp.project.{0}"),
)
SEPARABLE_HEAD: tuple[Rule, ...] = tuple(
    (rf"layers\.{pattern}", place) for pattern, place in SEPARABLE
)
