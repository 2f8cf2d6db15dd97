"""FCFI's, FCA's, BRS's and LD's networks against their authors'.

Expected values: docs/zoo.md §Z.5.2, §Z.6.2, §Z.7.2 and §Z.8.2, made with the official modules (BRS:
with an interpreter of the official description; LD: with the official graph in TensorFlow) under
the rule of docs/method.md §H.3. Every network is written into a file of its released layout,
imported and restored, so the tables of names are proved as well.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import official
import pytest
import released
import torch
from torch import Tensor
from torch.nn import functional as F

from vtmr.encodings import bytes_apart, gaussians, nearness, with_newest
from vtmr.inputs import normalise
from vtmr.models.converted import import_checkpoint
from vtmr.models.network import FeedbackMaps, Hypotheses, InteractiveNetwork
from vtmr.models.residual import upsampled
from vtmr.models.restore import restore
from vtmr.types import Click

pytestmark = pytest.mark.slow

SIDE = 256
CLICKS = (  # of FCA and BRS (docs/zoo.md §Z.5.2): row, column, sign
    [(100, 40, True), (20, 200, True), (200, 30, False)],
    [(50, 60, True)],
)


def clicked(points: list[tuple[int, int, bool]]) -> list[Click]:
    return [Click(col + 0.5, row + 0.5, positive) for row, col, positive in points]


def samples(
    maps: Tensor, positions: tuple[tuple[int, int], ...] = official.POSITIONS
) -> list[float]:
    """Mean, standard deviation, and the positions of both samples."""
    points = [float(maps[b, 0, y, x]) for b in (0, 1) for y, x in positions]
    return [float(maps.mean()), float(maps.std()), *points]


def features(maps: Tensor, channels: tuple[int, ...]) -> list[float]:
    return [float(maps.mean()), float(maps.std()), *(float(maps[0, c, 5, 7]) for c in channels)]


def close(found: list[float], expected: list[float]) -> None:
    """To 5e-5 of the standard deviation, and half of what the last digit printed stands for."""
    np.testing.assert_allclose(found, expected, rtol=0, atol=5e-5 * expected[1] + 6e-6)


def imported(path: Path, tmp_path: Path, vgg: Path | None = None) -> InteractiveNetwork:
    import_checkpoint(path, tmp_path / "ours.safetensors", vgg)
    network, _ = restore(tmp_path / "ours.safetensors")
    return network.eval()


def saved(state: dict[str, Tensor], tmp_path: Path) -> Path:
    torch.save(state, tmp_path / "official.pth")
    return tmp_path / "official.pth"


def planes(image: np.ndarray, network: InteractiveNetwork) -> Tensor:
    """image: B x 3 x H x W in 0..255, red first."""
    normal = network.spec.coarse_normalisation
    each = [normalise(sample.transpose(1, 2, 0), normal) for sample in image]
    return torch.from_numpy(np.concatenate(each))


def waves() -> np.ndarray:
    return official.waves(3, 0.05).numpy()


FCFI_INSTANCES = [0.05703, 0.07136, 0.17019, 0.11075, 0.04939, 0.04106, 0.07782, 0.17401, 0.08347]
FCFI_INSTANCES += [0.06304, 0.05382, 0.05260]
FCFI_AUX = [0.03206, 0.17926, -0.41707, -0.37948, -0.07423, 0.17233, -0.08126, -0.43280, -0.33898]
FCFI_AUX += [0.16680, 0.09513, 0.34979]
FCFI_CORRECTED = [0.54124, 0.34364, 0.59933, 0.99859, 0.05011, 0.87241, 0.85269, 0.59933, 0.33284]
FCFI_CORRECTED += [0.90084, 0.24872, 0.94034]
FCFI_UPDATED = [0.49487, 0.01960, 0.50359, 0.50884, 0.50423, 0.45262, 0.50786, 0.50456, 0.49525]
FCFI_UPDATED += [0.49189, 0.44777, 0.49302]
FCFI_FIRST = [0.07757, 0.05001, 0.18858, 0.08021, 0.11982, -0.01781, 0.05971, 0.19571, 0.04935]
FCFI_FIRST += [0.11781, 0.01783, 0.03369]
FCFI_FIRST_AUX = [0.01132, 0.17491, -0.43986, -0.37935, -0.14017, 0.12784, -0.07934, -0.44241]
FCFI_FIRST_AUX += [-0.33898, 0.11902, 0.03672, 0.34944]


def fcfi_maps(prev: np.ndarray, spec: Any, later: bool) -> Tensor:
    """The golden points, the newest clicks being those at 20,200 and 50,60."""
    newest = [(20, 200, True), (50, 60, True)]
    found = []
    for b, points in enumerate(official.POINTS):
        clicks = [Click(col + 0.5, row + 0.5, sign) for (row, col), sign in points]
        maps = with_newest(prev[b, 0], clicks, spec)
        row, col, _ = newest[b]
        maps[0, 3] = 0
        maps[0, 3, row, col] = 2 if later else 1
        found.append(maps)
    return torch.from_numpy(np.concatenate(found))


def test_fcfi_hrnet18s(tmp_path: Path) -> None:
    path = official.write("fcfi-hrnet18s", tmp_path / "official.pth", ".stage")
    network = imported(path, tmp_path)
    image, told = official.coarse_inputs(5.0)
    prev = told[:, :1].numpy()
    with torch.no_grad():
        maps = fcfi_maps(prev, network.spec, later=True)
        logits, _, found = network.decode(network.early(image), maps)
        first, _, at_first = network.decode(
            network.early(image), fcfi_maps(prev, network.spec, later=False)
        )
        network.correction.training = True  # type: ignore[union-attr]
        _, _, softly = network.decode(network.early(image), maps)
    for each in (found, at_first, softly):
        assert isinstance(each, FeedbackMaps)
    assert found.auxiliary is not None and at_first.auxiliary is not None
    close(samples(logits), FCFI_INSTANCES)
    close(samples(found.auxiliary), FCFI_AUX)
    close(samples(upsampled(found.corrected, maps)), FCFI_CORRECTED)
    close(samples(upsampled(found.updated, maps)), FCFI_UPDATED)
    close(samples(first), FCFI_FIRST)
    close(samples(at_first.auxiliary), FCFI_FIRST_AUX)
    soft = [0.54260, 0.34248, *FCFI_CORRECTED[2:]]
    close(samples(upsampled(softly.corrected, maps)), soft)
    box = F.interpolate(softly.box, size=(SIDE, SIDE), mode="nearest")
    close(samples(box), [0.08301, 0.26770, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1])


FCFI_RESNET = {  # by whether there were clicks before
    True: [0.20051, 0.07542, 0.13553, 0.13193, 0.28103, -0.01631, 0.11391, 0.12504, 0.12303]
    + [0.27719, -0.01544, 0.12007],
    False: [0.20049, 0.07260, 0.13553, 0.13193, 0.28103, -0.01631, 0.12277, 0.12504, 0.12303]
    + [0.27719, -0.01544, 0.12133],
}
FCFI_RESNET_CORRECTED = [0.53928, 0.34098, 0.59933, 0.99891, 0.04992, 0.87241, 0.91993, 0.59933]
FCFI_RESNET_CORRECTED += [0.28887, 0.90055, 0.24872, 0.87318]
FCFI_RESNET_UPDATED = [0.58995, 0.02110, 0.55026, 0.55944, 0.59490, 0.52668, 0.59194, 0.54730]
FCFI_RESNET_UPDATED += [0.57108, 0.61359, 0.52523, 0.58422]


def test_fcfi_resnet101(tmp_path: Path) -> None:
    network = imported(official.write("fcfi-resnet101", tmp_path / "official.pth"), tmp_path)
    image, told = official.coarse_inputs(5.0)
    for later, expected in FCFI_RESNET.items():
        maps = fcfi_maps(told[:, :1].numpy(), network.spec, later)
        with torch.no_grad():
            logits, _, found = network.decode(network.early(image), maps)
        assert isinstance(found, FeedbackMaps)
        close(samples(logits), expected)
        # The sheet's figures of this one are those of pixels enlarged by their halves.
        size = maps.shape[2:]
        corrected = F.interpolate(found.corrected, size, mode="bilinear", align_corners=False)
        close(samples(corrected), FCFI_RESNET_CORRECTED)
        close(samples(upsampled(found.updated, maps)), FCFI_RESNET_UPDATED)


FCA = {
    "fcanet-resnet101": (
        "fca-resnet101",
        [0.18037, 0.07528, 0.08168, 0.15369, 0.26206, 0.07310, 0.26984, 0.08594, 0.15322, 0.26404]
        + [0.06786, 0.27639],
        [0.04365, 0.01985, -0.00109, 0.03919, 0.05294, 0.01638, 0.05821, -0.00109, 0.04581]
        + [0.05964, 0.01964, 0.04678],
        [0.19380, 0.28534, 0, 0, 0.16058, 0.02603],
    ),
    "fcanet-res2net101": (
        "fca-res2net101",
        [0.30395, 0.30202, 0.03702, 0.55175, 0.49029, 0.17497, 0.66969, 0.04070, 0.55958, 0.51494]
        + [0.18673, 0.66456],
        [0.04181, 0.02100, -0.00004, 0.04976, 0.05252, 0.00852, 0.05584, 0.00038, 0.04894]
        + [0.05119, 0.00869, 0.04860],
        [0.74828, 1.07886, 0, 0.37356, 0.73345, 0.36444],
    ),
}


@pytest.mark.parametrize("layout", FCA)
def test_fca(layout: str, tmp_path: Path) -> None:
    name, expected, expected_first, expected_features = FCA[layout]
    network = imported(saved(released.filled(layout), tmp_path), tmp_path)
    assert network.spec.model == name
    prev = np.zeros((SIDE, SIDE), np.float32)
    maps = [gaussians(prev, clicked(points), network.spec) for points in CLICKS]
    own: list[Tensor] = []
    network.first_head.register_forward_hook(lambda *seen: own.append(seen[2]))  # type: ignore[union-attr]
    with torch.no_grad():
        image = network.early(planes(255 * waves(), network))
        logits, found, _ = network.decode(image, torch.from_numpy(np.concatenate(maps)))
    close(samples(logits), expected)
    close(samples(own[0], ((0, 0), (2, 12), (8, 8), (15, 15), (5, 2))), expected_first)
    close(features(found, (0, 3, 31, 100)), expected_features)


def test_brs(tmp_path: Path) -> None:
    (tmp_path / "brs.caffemodel").write_bytes(released.caffemodel(released.brs_values()))
    network = imported(tmp_path / "brs.caffemodel", tmp_path)
    prev = np.zeros((SIDE, SIDE), np.float32)
    maps = [nearness(prev, clicked(points), network.spec) for points in CLICKS]
    blue_first = 255 * waves()  # docs/zoo.md §Z.7.2: the image is taken as blue, green, red
    with torch.no_grad():
        image = network.early(planes(blue_first[:, ::-1], network))
        logits, found, coarse = network.decode(image, torch.from_numpy(np.concatenate(maps)))
    expected = [0.05999, 0.06315, -0.01476, 0.05517, 0.13524, 0.10453, 0.06645, -0.01356, 0.06517]
    close(samples(logits), [*expected, -0.07424, 0.03452, 0.03720])
    expected = [0.50010, 0.00921, 0.49440, 0.50618, 0.49503, 0.50529, 0.48860, 0.49447, 0.50635]
    assert isinstance(coarse, Tensor)
    close(samples(torch.sigmoid(coarse)), [*expected, 0.49252, 0.50521, 0.48671])
    close(features(found, (0, 3, 31)), [0.15509, 0.30354, 0.12574, 0.46001, -0.06799])


LD = {  # rows, columns: clicks, positions, then each mask's mean, deviation and values
    (96, 96): (
        [(40, 20, True), (10, 80, True), (80, 30, False)],
        [(0, 0), (17, 80), (48, 48), (95, 95), (60, 33)],
        {
            0: [0.02963, 0.42205, -0.63516, 0.40453, 0.63307, -0.46366, 0.07021],
            1: [0.17123, 0.39676, 0.71611, 0.65839, 0.24055, -0.08107, 0.65144],
            2: [-0.06652, 0.37282, -0.51646, 0.56320, -0.43336, -0.01385, -0.48971],
            5: [-0.07420, 0.48173, 0.30290, 0.02033, -0.11818, -0.27916, -0.45809],
        },
    ),
    (90, 75): (
        [(40, 20, True), (10, 70, True), (80, 30, False)],
        [(0, 0), (17, 70), (48, 48), (89, 74), (60, 33)],
        {
            0: [0.02286, 0.45533, -0.48536, 0.06888, 0.34408, -0.42961, 0.38065],
            1: [0.16660, 0.42470, 0.73689, 0.04647, -0.07506, 0.35620, 0.39435],
            2: [-0.06644, 0.38824, -0.52791, 0.62953, -0.13778, 0.27683, -0.32285],
            5: [-0.06678, 0.43922, -0.17239, -0.15024, -0.09385, 0.59104, -0.15861],
        },
    ),
}


@pytest.fixture(scope="module")
def ld(tmp_path_factory: pytest.TempPathFactory) -> InteractiveNetwork:
    folder = tmp_path_factory.mktemp("ld")
    (folder / "vgg.mat").write_bytes(released.matconvnet(released.vgg_values()))
    index = released.write_checkpoint(folder / "model.ckpt", released.ld_values())
    return imported(index, folder, folder / "vgg.mat")


@pytest.mark.parametrize("size", LD)
def test_ld(size: tuple[int, int], ld: InteractiveNetwork) -> None:
    points, positions, masks = LD[size]
    y, x, k = np.ogrid[: size[0], : size[1], :3]
    wave = 127.5 + 127.5 * np.sin(0.05 * (x + 1) * (k + 1) + 0.03 * y)
    blue_first = np.round(wave).transpose(2, 0, 1)[None].astype(np.uint8)
    told = bytes_apart(np.zeros(size, np.float32), clicked(points), ld.spec)
    with torch.no_grad():
        image = ld.early(planes(blue_first[:, ::-1], ld))
        logits, _, found = ld.decode(image, torch.from_numpy(told))
    assert isinstance(found, Hypotheses)
    for number, expected in masks.items():
        plane = found.masks[0, number]
        values = [float(plane.mean()), float(plane.std(unbiased=False))]
        # The sheet's second implementation agreed with TensorFlow to 1e-5, as this does.
        measured = [*values, *(float(plane[position]) for position in positions)]
        np.testing.assert_allclose(measured, expected, rtol=0, atol=5e-5 * expected[1] + 6e-6)
    answer = 2 * torch.sigmoid(logits) - 1
    torch.testing.assert_close(answer, found.masks[:, :1], rtol=0, atol=1e-6)
