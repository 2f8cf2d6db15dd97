"""The networks by name: parts take numbers, builders hold them."""

from __future__ import annotations

from collections.abc import Callable

from vtmr.errors import ConfigError, did_you_mean
from vtmr.models.brs_densenet import BrsDenseNet
from vtmr.models.cdnet import CDNet
from vtmr.models.fbrs import FbrsDeepLab, FbrsHRNet
from vtmr.models.fca import Fca
from vtmr.models.fca_encoders import Res2Net101, ResNet101
from vtmr.models.fcfi import FcfiHRNet, FcfiResNet
from vtmr.models.hrnet import HRNetSize
from vtmr.models.hrnet_ocr import HRNetOcr
from vtmr.models.latent import LatentDiversity
from vtmr.models.lite0 import Lite0
from vtmr.models.mit import MitSize
from vtmr.models.network import InteractiveNetwork
from vtmr.models.resnet import RESNET_34, RESNET_50, RESNET_101
from vtmr.models.segformer import SegFormer
from vtmr.spec import RAW, ModelSpec, Normalisation

IMAGENET = Normalisation((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
CAFFE = Normalisation((123.68, 116.779, 103.939), (1 / 0.017, 1 / 0.017, 1 / 0.017))
BYTES = Normalisation((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))  # 0..255

MIT_B0 = MitSize(widths=(32, 64, 160, 256), depths=(2, 2, 2, 2))
MIT_B3 = MitSize(widths=(64, 128, 320, 512), depths=(3, 4, 18, 3))
HRNET_18S = HRNetSize(width=18, blocks=2, exchanges=(1, 3, 2))
HRNET_18 = HRNetSize(width=18, blocks=4, exchanges=(1, 4, 3))
HRNET_32 = HRNetSize(width=32, blocks=4, exchanges=(1, 4, 3))
HRNET_18_SIGNED = HRNetSize(width=18, blocks=4, exchanges=(1, 4, 3), rectified=False)


def vtmr_b0() -> SegFormer:
    """VTMR's smaller network."""
    return SegFormer(ModelSpec("vtmr-b0", IMAGENET), MIT_B0, head_width=256)


def vtmr_b3() -> SegFormer:
    """VTMR's larger network."""
    return SegFormer(ModelSpec("vtmr-b3", IMAGENET), MIT_B3, head_width=512)


def focalclick_b0() -> SegFormer:
    """FocalClick B0-S2."""
    return SegFormer(
        ModelSpec("focalclick-b0", IMAGENET, pipeline="focalclick"), MIT_B0, head_width=256
    )


def focalclick_b0_s1() -> SegFormer:
    """FocalClick B0-S1, whose coarse network works at 128 pixels."""
    spec = ModelSpec("focalclick-b0-s1", IMAGENET, pipeline="focalclick", disc_radius=3.0)
    return SegFormer(spec, MIT_B0, head_width=256, halved=True)


def focalclick_b3() -> SegFormer:
    """FocalClick B3-S2."""
    return SegFormer(
        ModelSpec("focalclick-b3", IMAGENET, pipeline="focalclick"), MIT_B3, head_width=512
    )


def focalclick_hrnet18s() -> HRNetOcr:
    """FocalClick HRNet18s-S2."""
    return HRNetOcr(
        ModelSpec("focalclick-hrnet18s", IMAGENET, pipeline="focalclick"), HRNET_18S, ocr_width=48
    )


def focalclick_hrnet32() -> HRNetOcr:
    """FocalClick HRNet32-S2."""
    return HRNetOcr(
        ModelSpec("focalclick-hrnet32", IMAGENET, pipeline="focalclick"), HRNET_32, ocr_width=128
    )


def ritm_spec(model: str) -> ModelSpec:
    """As RITM's tables were made: crops whose longer side is 400 px (600 for DAVIS there)."""
    return ModelSpec(
        model, IMAGENET, pipeline="ritm", eval_mode="cvpr", input_size=400, threshold=0.49
    )


def ritm_hrnet18s() -> HRNetOcr:
    """RITM HRNet18s."""
    return HRNetOcr(ritm_spec("ritm-hrnet18s"), HRNET_18S, ocr_width=48)


def ritm_hrnet18() -> HRNetOcr:
    """RITM HRNet18."""
    return HRNetOcr(ritm_spec("ritm-hrnet18"), HRNET_18, ocr_width=64)


def ritm_hrnet32() -> HRNetOcr:
    """RITM HRNet32."""
    return HRNetOcr(ritm_spec("ritm-hrnet32"), HRNET_32, ocr_width=128)


def fcfi_spec(model: str) -> ModelSpec:
    """FCFI's networks: the widening is the one for GrabCut's pictures (segmenter/fcfi.py)."""
    return ModelSpec(
        model, IMAGENET, pipeline="fcfi", input_size=384, threshold=0.49, target_ratio=3.0
    )


def fcfi_hrnet18s() -> FcfiHRNet:
    """FCFI with what its authors call HRNet18s: the whole HRNet-18, with 48 context channels."""
    return FcfiHRNet(fcfi_spec("fcfi-hrnet18s"), HRNET_18_SIGNED, ocr_width=48, feedback_width=64)


def fcfi_resnet101() -> FcfiResNet:
    """FCFI with ResNet-101."""
    spec = fcfi_spec("fcfi-resnet101")
    return FcfiResNet(spec, RESNET_101, width=256, dropout=0.2, feedback_width=32)


def fca_resnet101() -> Fca:
    """FCA with ResNet-101."""
    return Fca(ModelSpec("fca-resnet101", RAW, pipeline="fca", input_size=512), ResNet101())


def fca_res2net101() -> Fca:
    """FCA with Res2Net-101."""
    return Fca(ModelSpec("fca-res2net101", RAW, pipeline="fca", input_size=512), Res2Net101())


def brs_densenet() -> BrsDenseNet:
    """BRS."""
    return BrsDenseNet(ModelSpec("brs-densenet", CAFFE, pipeline="brs", input_size=480))


def ld_vgg19() -> LatentDiversity:
    """LD; the sigmoid of its logits is half of the authors' tanh plus one half."""
    # The authors cut their tanh at one half, which is .75 of the sigmoid.
    spec = ModelSpec("ld-vgg19", BYTES, pipeline="ld", input_size=320, threshold=0.75)
    return LatentDiversity(spec)


def cdnet_spec(model: str) -> ModelSpec:
    """CDNet's networks work on squares of 384."""
    return ModelSpec(model, IMAGENET, pipeline="cdnet", input_size=384)


def cdnet_resnet34() -> CDNet:
    """CDNet with ResNet-34, the one that was released."""
    return CDNet(cdnet_spec("cdnet-resnet34"), RESNET_34, width=128, dropout=0.2)


def cdnet_resnet101() -> CDNet:
    """CDNet with ResNet-101, of which there are figures but neither weights nor working code."""
    return CDNet(cdnet_spec("cdnet-resnet101"), RESNET_101, width=256, dropout=0.5)


def fbrs_spec(model: str) -> ModelSpec:
    """f-BRS's networks see crops whose longer side is 400 px (600 on DAVIS)."""
    return ModelSpec(
        model, IMAGENET, pipeline="fbrs", input_size=400, eval_mode="cvpr", threshold=0.49
    )


def fbrs_resnet34() -> FbrsDeepLab:
    """f-BRS's ResNet-34."""
    return FbrsDeepLab(fbrs_spec("fbrs-resnet34"), RESNET_34, width=128, dropout=0.2)


def fbrs_resnet50() -> FbrsDeepLab:
    """f-BRS's ResNet-50."""
    return FbrsDeepLab(fbrs_spec("fbrs-resnet50"), RESNET_50, width=128, dropout=0.2)


def fbrs_resnet101() -> FbrsDeepLab:
    """f-BRS's ResNet-101."""
    return FbrsDeepLab(fbrs_spec("fbrs-resnet101"), RESNET_101, width=256, dropout=0.5)


def fbrs_hrnet18() -> FbrsHRNet:
    """f-BRS's HRNet-18."""
    return FbrsHRNet(fbrs_spec("fbrs-hrnet18"), HRNET_18, ocr_width=64)


def fbrs_hrnet32() -> FbrsHRNet:
    """f-BRS's HRNet-32."""
    return FbrsHRNet(fbrs_spec("fbrs-hrnet32"), HRNET_32, ocr_width=128)


# Builders, not networks: some take hundreds of megabytes.
BUILDERS: dict[str, Callable[[], InteractiveNetwork]] = {
    "lite0": Lite0,
    "vtmr-b0": vtmr_b0,
    "vtmr-b3": vtmr_b3,
    "focalclick-b0": focalclick_b0,
    "focalclick-b0-s1": focalclick_b0_s1,
    "focalclick-b3": focalclick_b3,
    "focalclick-hrnet18s": focalclick_hrnet18s,
    "focalclick-hrnet32": focalclick_hrnet32,
    "ritm-hrnet18s": ritm_hrnet18s,
    "ritm-hrnet18": ritm_hrnet18,
    "ritm-hrnet32": ritm_hrnet32,
    "fcfi-hrnet18s": fcfi_hrnet18s,
    "fcfi-resnet101": fcfi_resnet101,
    "fca-resnet101": fca_resnet101,
    "fca-res2net101": fca_res2net101,
    "brs-densenet": brs_densenet,
    "ld-vgg19": ld_vgg19,
    "cdnet-resnet34": cdnet_resnet34,
    "cdnet-resnet101": cdnet_resnet101,
    "fbrs-resnet34": fbrs_resnet34,
    "fbrs-resnet50": fbrs_resnet50,
    "fbrs-resnet101": fbrs_resnet101,
    "fbrs-hrnet18": fbrs_hrnet18,
    "fbrs-hrnet32": fbrs_hrnet32,
}


def build(name: str) -> InteractiveNetwork:
    """A new network of that name with random weights.

    Raises ConfigError for a name that doesn't exist.
    """
    if name not in BUILDERS:
        raise ConfigError(
            f"There is no network {name!r}: known are {', '.join(BUILDERS)}."
            f"{did_you_mean(name, BUILDERS)}"
        )
    return BUILDERS[name]()
