"""The names of variables in LD's TensorFlow checkpoint and of VGG-19's layers, turned into ours
(see renaming.py); their order of axes is turned as well."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from vtmr.models.renaming import Rule

OFFICIAL_LD: tuple[Rule, ...] = (
    (r"g_conv0/weights", "first.weight"),
    (r"g_conv(?P<n>[1-9])/weights", "context.{n}.weight"),
    (r"g_conv(\d)/w0", "norms.{0}.own"),
    (r"g_conv(\d)/w1", "norms.{0}.normed"),
    (r"g_conv(\d)/BatchNorm/beta", "norms.{0}.shift"),
    (r"g_conv_last/weights", "masks.weight"),
    (r"g_conv_last/biases", "masks.bias"),
    (r"vgg\.conv(?P<n>[1-5])_(?P<m>[12])\.(\w+)", "encoder.stages.{n}.{m}.{2}"),
    (r"vgg\.conv(?P<n>[34])_(?P<m>[34])\.(\w+)", "encoder.stages.{n}.{m}.{2}"),
    (r"vgg\.conv5_[34]\.\w+", None),  # behind the last map that is looked at
)


def outputs_first(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """TensorFlow's height x width x inputs x outputs as outputs x inputs x height x width; others
    as they are."""
    return {
        name: value.permute(3, 2, 0, 1).contiguous() if value.ndim == 4 else value
        for name, value in state.items()
    }
