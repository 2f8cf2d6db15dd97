"""The names of layers in BRS's Caffe model, turned into ours (see renaming.py).

Weights are named LAYER.weight, .bias, .running_mean and .running_var; caffemodel.py makes these
names.
"""

from __future__ import annotations

import re

from vtmr.models.renaming import Rule

STRIDES = (32, 16, 8, 4)  # of the coarse decoder's levels, deepest first


def parts(theirs: str, ours: str, convolution: str = "conv") -> tuple[Rule, ...]:
    """Of one unit, whose layers are called conv…, prelu… and bn…."""
    return (
        (rf"{convolution}_{theirs}\.(\w+)", f"{ours}.0.{{0}}"),
        (rf"prelu_{theirs}\.(\w+)", f"{ours}.1.{{0}}"),
        (rf"bn_{theirs}\.(\w+)", f"{ours}.2.{{0}}"),
    )


def level(index: int, stride: int) -> tuple[Rule, ...]:
    """Of one level of the coarse decoder, its learned upsampling included."""
    ours, name = f"coarse_decoder.levels.{index}", re.escape(f"1/{stride}")
    rules: list[Rule] = [
        (rf"conv_SE_{name}_1\.(\w+)", f"{ours}.gate.squeeze.{{0}}"),
        (rf"conv_SE_{name}_2\.(\w+)", f"{ours}.gate.excite.{{0}}"),
    ]
    for i in range(3):
        rules += parts(f"{name}_{i + 1}d", f"{ours}.units.{i}")
    if index:
        rules += parts(f"SE_{name}", f"{ours}.skip")
        rules += parts(f"{name}d", f"coarse_decoder.doublings.{index - 1}", "deconv")
    return tuple(rules)


def branch(index: int) -> tuple[Rule, ...]:
    """Of one dilation of the fine decoder."""
    rules: list[Rule] = []
    for i in range(3):
        rules += parts(rf"atrous{index + 1}_{i + 1}", f"fine_decoder.branches.{index}.{i}")
    return tuple(rules)


def encoder() -> tuple[Rule, ...]:
    """Of DenseNet-121; its blocks are counted from 2, its transitions are called …_blk."""
    rules: list[Rule] = [
        (r"conv1\.weight", "encoder.stem.0.weight"),
        (r"conv1/(?:bn|scale)\.(\w+)", "encoder.stem.1.{0}"),
    ]
    for i in range(4):
        block = f"encoder.blocks.{i}.{{n}}.body"
        rules += [
            (rf"conv{i + 2}_(?P<n>\d+)/x1/(?:bn|scale)\.(\w+)", f"{block}.0.{{1}}"),
            (rf"conv{i + 2}_(?P<n>\d+)/x1\.weight", f"{block}.2.weight"),
            (rf"conv{i + 2}_(?P<n>\d+)/x2/(?:bn|scale)\.(\w+)", f"{block}.3.{{1}}"),
            (rf"conv{i + 2}_(?P<n>\d+)/x2\.weight", f"{block}.5.weight"),
            (rf"conv{i + 2}_blk/(?:bn|scale)\.(\w+)", f"encoder.transitions.{i}.0.{{0}}"),
            (rf"conv{i + 2}_blk\.weight", f"encoder.transitions.{i}.2.weight"),
        ]
    return tuple(rules)


OFFICIAL_BRS: tuple[Rule, ...] = (
    *encoder(),
    *(rule for index, stride in enumerate(STRIDES) for rule in level(index, stride)),
    (r"pred_1/4\.(\w+)", "coarse_decoder.predict.{0}"),
    (r"pred_step_1\.weight", "coarse_decoder.enlarge.weight"),
    *(rule for index in range(3) for rule in branch(index)),
    (r"conv_s2_down\.(\w+)", "fine_decoder.gate.squeeze.{0}"),
    (r"conv_s2_up\.(\w+)", "fine_decoder.gate.excite.{0}"),
    *parts("p1_1", "fine_decoder.mix"),
    (r"pred_step_2\.(\w+)", "fine_decoder.logits.{0}"),
)
