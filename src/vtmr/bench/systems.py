"""The systems of the paper's Table 1 and their released files: what is known of each, and what it
should score [docs/zoo.md §Z.0; docs/method.md §G, §J].

Figures are NoC@85 and NoC@90 by data set, None where none was published. `own` is what the
authors publish beside that file, `quoted` what the paper's Table 1 prints of the system.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Figures = Mapping[str, tuple[float | None, float | None]]

SETS = ("grabcut", "berkeley", "sbd", "davis")
RITM = "github.com/SamsungLabs/ritm_interactive_segmentation (its releases)"
FBRS = "release v1.0 of github.com/SamsungLabs/fbrs_interactive_segmentation"
FOCALCLICK_TERMS = "Apache-2.0; with a SegFormer NVIDIA's non-commercial licence"
CLICKSEG = "github.com/alibaba/ClickSEG (its README's cloud drive)"
FCFI_REPOSITORY = "github.com/veizgyauzgyauz/FCFI (its README's cloud drive)"
FCA_REPOSITORY = "github.com/frazerlin/fcanet (its README's cloud drives)"


@dataclass(frozen=True)
class System:
    """One released network, or a system of which there is only the paper.

    name: our network's, which `vtmr import` recognises; "" where nothing can be played. title: the
    system's and the encoder's. file: as its authors name it; "" where there is none. megabytes: as
    the authors state it, else what its weights take. licence: of the weights, as stated upstream.
    trained_on: the file's. note: what else a reader must know.
    """

    name: str
    title: str
    file: str
    where: str
    megabytes: float | None
    licence: str
    trained_on: str
    own: Figures = field(default_factory=dict)
    quoted: Figures = field(default_factory=dict)
    note: str = ""

    @property
    def check(self) -> str:
        """The command that checks a download: every weight must have its name and its shape."""
        if not (self.name and self.file):
            return ""
        if self.name == "edgeflow":
            return f"vtmr evaluate --model baseline:edgeflow:{self.file} --data NAME=PATH --out DIR"
        file, vgg = self.file, ""
        if self.name == "ld-vgg19":
            vgg = " --vgg imagenet-vgg-verydeep-19.mat"
        if " " in file:  # words, not a file's name
            file = "OFFICIAL.pth"
        return f"vtmr import {file}{vgg} -o {self.name}.safetensors"


def figures(*values: float | None) -> Figures:
    """From a table's line: NoC@85 and NoC@90 of each of SETS in turn."""
    pairs = zip(values[::2], values[1::2], strict=True)
    return {name: pair for name, pair in zip(SETS, pairs, strict=True) if pair != (None, None)}


SYSTEMS: tuple[System, ...] = (
    System(
        "",
        "RIS-Net",
        "",
        "nothing was released",
        None,
        "–",
        "",
        quoted=figures(None, 5.00, None, 6.03, None, None, None, None),
        note="neither code nor weights exist: published figures alone",
    ),
    System(
        "ld-vgg19",
        "LD, VGG-19",
        "ours_cvpr18/model.ckpt.index",
        "github.com/isl-org/Intseg (its README's archive); VGG-19 from vlfeat.org/matconvnet",
        1.7,
        "MIT; VGG-19 CC BY 4.0",
        "SBD",
        quoted=figures(3.20, 4.79, None, None, None, None, 5.95, 9.57),
        note="the network that selects among its six masks was never released: the first one plays",
    ),
    System(
        "",
        "CAG, FCN-8s",
        "",
        "nothing was released",
        None,
        "–",
        "",
        quoted=figures(None, 3.58, None, 5.60, None, None, None, None),
        note="neither code nor weights exist: published figures alone",
    ),
    System(
        "brs-densenet",
        "BRS, DenseNet-121",
        "BRS_DenseNet.caffemodel",
        "github.com/wdjang/BRS-Interactive_segmentation (in model/, or its README's cloud drive)",
        70.6,
        "MIT (LICENSE), research only (README)",
        "SBD",
        quoted=figures(2.60, 3.60, None, 5.08, 6.59, 9.78, 5.58, 8.24),
        note="needs scipy, of the extra [bench]",
    ),
    System(
        "fca-resnet101",
        "FCA, ResNet-101",
        "fcanet-resnet.pth",
        FCA_REPOSITORY,
        292.6,
        "research and education only; commercial use by permission",
        "SBD",
        quoted=figures(None, 2.24, None, 4.23, None, None, None, 7.90),
    ),
    System(
        "fca-res2net101",
        "FCA, Res2Net-101",
        "fcanet-res2net.pth",
        FCA_REPOSITORY,
        295.4,
        "research and education only; commercial use by permission",
        "SBD",
        quoted=figures(None, 2.08, None, 3.92, None, None, None, 7.57),
    ),
    System(
        "fbrs-resnet34",
        "f-BRS-B, ResNet-34",
        "resnet34_dh128_sbd.pth",
        FBRS,
        89,
        "MPL-2.0",
        "SBD",
        own=figures(2.06, 2.48, 2.40, 4.17, 4.47, 7.28, 5.34, 7.73),
    ),
    System(
        "fbrs-resnet50",
        "f-BRS-B, ResNet-50",
        "resnet50_dh128_sbd.pth",
        FBRS,
        120,
        "MPL-2.0",
        "SBD",
    ),
    System(
        "fbrs-resnet101",
        "f-BRS-B, ResNet-101",
        "resnet101_dh256_sbd.pth",
        FBRS,
        223,
        "MPL-2.0",
        "SBD",
        own=figures(2.30, 2.68, 2.61, 4.22, 4.20, 7.10, 5.32, 7.35),
        quoted=figures(2.30, 2.78, None, 4.57, 4.81, 7.73, 5.04, 7.81),
    ),
    System(
        "fbrs-hrnet18",
        "f-BRS-B, HRNet-18",
        "hrnet18_ocr64_sbd.pth",
        FBRS,
        39,
        "MPL-2.0",
        "SBD",
        own=figures(1.86, 2.18, 2.07, 3.96, 4.70, 7.65, 5.62, 8.08),
    ),
    System(
        "fbrs-hrnet32",
        "f-BRS-B, HRNet-32",
        "hrnet32_ocr128_sbd.pth",
        FBRS,
        119,
        "MPL-2.0",
        "SBD",
        own=figures(1.78, 2.16, 2.13, 3.69, 4.31, 7.08, 5.54, 7.62),
    ),
    System(
        "cdnet-resnet34",
        "CDNet, ResNet-34",
        "the file of its COCO+LVIS line",
        CLICKSEG,
        89.72,
        "Apache-2.0 (LICENSE), MIT (README)",
        "COCO+LVIS",
        own=figures(1.40, 1.52, 1.47, 2.06, 4.30, 7.04, 4.27, 5.56),
        note="a second file was trained on SBD: 1.86/2.18, 1.95/3.27, 5.18/7.89, 5.00/6.89",
    ),
    System(
        "cdnet-resnet101",
        "CDNet, ResNet-101",
        "",
        "not released",
        None,
        "–",
        "SBD",
        quoted=figures(2.42, 2.76, None, 3.65, 4.73, 7.66, 5.33, 6.97),
        note="the released class can't build it: it can be trained, not compared",
    ),
    System(
        "ritm-hrnet18s",
        "RITM, HRNet18s",
        "coco_lvis_h18s_itermask.pth",
        RITM,
        16.9,
        "MIT",
        "COCO+LVIS",
        own=figures(1.54, 1.68, None, 2.60, 4.04, 6.48, 4.70, 5.98),
        quoted=figures(1.54, 1.68, None, 2.60, 4.04, 6.48, 4.70, 5.98),
    ),
    System(
        "ritm-hrnet18",
        "RITM, HRNet18",
        "coco_lvis_h18_itermask.pth",
        RITM,
        40.2,
        "MIT",
        "COCO+LVIS",
        own=figures(1.42, 1.54, None, 2.26, 3.80, 6.06, 4.36, 5.74),
        quoted=figures(1.42, 1.54, None, 2.26, 3.80, 6.06, 4.36, 5.74),
    ),
    System(
        "ritm-hrnet32",
        "RITM, HRNet32",
        "coco_lvis_h32_itermask.pth",
        RITM,
        123.9,
        "MIT",
        "COCO+LVIS",
        own=figures(1.46, 1.56, None, 2.10, 3.59, 5.71, 4.11, 5.34),
        quoted=figures(1.46, 1.56, None, 2.10, 3.59, 5.71, 4.11, 5.34),
    ),
    System(
        "edgeflow",
        "EdgeFlow, HRNet-18",
        "edgeflow.onnx",
        "github.com/PaddlePaddle/PaddleSeg, EISeg: a static Paddle model, to be exported to ONNX",
        None,
        "Apache-2.0",
        "COCO+LVIS",
        quoted=figures(1.60, 1.72, None, 2.40, None, None, 4.54, 5.77),
        note="its code was never released; it plays as a baseline, from paddle2onnx's file",
    ),
    System(
        "fcfi-hrnet18s",
        "FCFI, HRNet18s",
        "the file of its HRNet18s line",
        FCFI_REPOSITORY,
        39.5,
        "none stated: not to be passed on",
        "COCO+LVIS",
        own=figures(1.42, 1.68, None, 2.03, 3.64, 5.92, 3.89, 5.13),
        quoted=figures(1.50, 1.56, None, 2.05, 3.88, 6.24, 3.70, 5.16),
        note="the paper's FICI; its HRNet18s is the whole HRNet-18 with 48 context channels",
    ),
    System(
        "fcfi-resnet101",
        "FCFI, ResNet-101",
        "the file of its ResNet-101 line",
        FCFI_REPOSITORY,
        224,
        "none stated: not to be passed on",
        "SBD",
        own=figures(1.64, 1.80, None, 2.83, 3.26, 5.36, 4.75, 6.46),
    ),
    System(
        "focalclick-hrnet18s",
        "FocalClick, HRNet18s-S2",
        "the file of its HRNet18s-S2 line",
        CLICKSEG,
        16.58,
        "Apache-2.0 (LICENSE), MIT (README)",
        "COCO+LVIS",
        own=figures(1.48, 1.62, 1.60, 2.23, 4.43, 6.79, 3.90, 5.23),
        quoted=figures(1.48, 1.62, 1.60, 2.23, 4.43, 6.79, 3.90, 5.23),
    ),
    System(
        "focalclick-hrnet32",
        "FocalClick, HRNet32-S2",
        "the file of its HRNet32-S2 line",
        CLICKSEG,
        119.11,
        "Apache-2.0 (LICENSE), MIT (README)",
        "COCO+LVIS",
        own=figures(1.64, 1.80, 1.70, 2.36, 4.24, 6.61, 4.01, 5.39),
    ),
    System(
        "focalclick-b0-s1",
        "FocalClick, SegFormer-B0-S1",
        "the file of its SegFormer-B0-S1 line",
        CLICKSEG,
        14.38,
        FOCALCLICK_TERMS,
        "COCO+LVIS",
        own=figures(1.60, 1.86, 2.05, 3.29, 4.98, 7.60, 5.13, 7.42),
    ),
    System(
        "focalclick-b0",
        "FocalClick, SegFormer-B0-S2",
        "segformerB0_S2_cclvs.pth",
        CLICKSEG,
        14.38,
        FOCALCLICK_TERMS,
        "COCO+LVIS",
        own=figures(1.40, 1.66, 1.59, 2.27, 4.56, 6.86, 4.04, 5.49),
        quoted=figures(1.40, 1.66, 1.59, 2.27, 4.56, 6.86, 5.04, 5.49),
        note="the paper's 5.04 on DAVIS is a misprint of 4.04",
    ),
    System(
        "focalclick-b3",
        "FocalClick, SegFormer-B3-S2",
        "the file of its SegFormer-B3-S2 line",
        CLICKSEG,
        174.56,
        FOCALCLICK_TERMS,
        "COCO+LVIS",
        own=figures(1.44, 1.50, 1.55, 1.92, 3.53, 5.59, 3.61, 4.90),
        quoted=figures(1.44, 1.50, 1.55, 1.92, 3.53, 5.59, 3.61, 4.90),
    ),
    System(
        "vtmr-b0",
        "VTMR, SegFormer-B0",
        "",
        "not released by the paper's authors; recipes/vtmr-b0.toml trains it",
        None,
        "–",
        "COCO+LVIS",
        quoted=figures(1.42, 1.54, 1.64, 2.18, 4.43, 6.75, 3.81, 5.39),
    ),
    System(
        "vtmr-b3",
        "VTMR, SegFormer-B3",
        "",
        "not released by the paper's authors; recipes/vtmr-b3.toml trains it",
        None,
        "–",
        "COCO+LVIS",
        quoted=figures(1.38, 1.42, 1.44, 1.72, 3.55, 5.53, 3.26, 4.82),
    ),
)
