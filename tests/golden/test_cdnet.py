"""CDNet's networks, its two diffusion modules and whole clicks against the official ones.

Expected values: docs/zoo.md §Z.4.2, computed with the official code under the rule of
docs/method.md §H.3. Every network is written into a file of its released layout, imported and
restored.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import official
import pytest
import torch
from torch import Tensor

from vtmr.models.cdnet import CDNet, FeatureDiffusion
from vtmr.models.converted import import_checkpoint
from vtmr.models.network import DiversityMaps
from vtmr.models.restore import restore
from vtmr.models.torch_network import TorchNetwork
from vtmr.segmenter import segmenter_for
from vtmr.segmenter.official import OfficialPrediction
from vtmr.segmenter.pixel_diffusion import diffused
from vtmr.types import Click

# mean, standard deviation; then five positions of sample 0 and of sample 1
GOLDEN = {
    "cdnet-resnet34": {
        "logits": [
            [0.25805, 0.12761],
            [0.23725, 0.69139, 0.25879, 0.03590, 0.28127],
            [0.23976, 0.57415, 0.22055, 0.01883, 0.10885],
        ],
        "gate": [
            [0.20186, 0.07765],
            [0.61034, 0.30738, 0.17184, 0.33894, 0.16770],
            [0.58008, 0.28265, 0.16074, 0.37062, 0.14563],
        ],
        "latent": [
            [0.29928, 0.22577],
            [0.06511, 0.46614, -0.12065, 0.04127, 0.22234],
            [0.07985, 0.43642, 0.10690, 0.07331, 0.26907],
        ],
    },
    "cdnet-resnet101": {
        "logits": [
            [0.13038, 0.10091],
            [0.21908, 0.03682, 0.20440, -0.06369, 0.10890],
            [0.21206, 0.07173, 0.26994, -0.07355, 0.08622],
        ],
        "gate": [
            [0.70327, 0.04627],
            [0.61309, 0.72033, 0.73720, 0.69641, 0.69936],
            [0.63549, 0.71890, 0.75313, 0.69500, 0.69182],
        ],
        "latent": [
            [0.26895, 0.25293],
            [0.09881, 0.52309, 0.36341, 0.15388, 0.25800],
            [0.09724, 0.57207, 0.46632, 0.16501, 0.26773],
        ],
    },
}
FEATURES_34 = [-0.12009, 0.79853, -0.09603, -1.01641, -0.23674, 0.88930]


def imported(name: str, folder: Path) -> Path:
    import_checkpoint(official.write(name, folder / "official.pth"), folder / "ours.safetensors")
    return folder / "ours.safetensors"


@pytest.fixture(scope="module")
def resnet34(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return imported("cdnet-resnet34", tmp_path_factory.mktemp("cdnet"))


def check(path: Path, name: str) -> Tensor:
    """Compares the outputs; returns the features."""
    network, spec = restore(path)
    assert (spec.model, spec.pipeline, spec.input_size) == (name, "cdnet", 384)
    assert spec.licence.startswith("Apache-2.0 by the file LICENSE")
    network.eval()
    image, _ = official.coarse_inputs(5.0)
    maps = torch.cat([official.discs(5.0), official.discs(24.0)], dim=1)
    with torch.no_grad():
        logits, features, auxiliary = network.decode(network.early(image), maps)
    assert isinstance(auxiliary, DiversityMaps)
    found = {"logits": logits, "gate": auxiliary.gate, "latent": auxiliary.latent}
    for key, ((mean, std), *samples) in GOLDEN[name].items():
        tolerance = 5e-5 * std + 6e-6  # and what the last printed digit leaves open
        values = found[key]
        assert float(values.mean()) == pytest.approx(mean, abs=tolerance)
        assert float(values.std()) == pytest.approx(std, abs=tolerance)
        for b, expected in enumerate(samples):
            points = [float(values[b, 0, y, x]) for y, x in official.POSITIONS]
            assert points == pytest.approx(expected, abs=tolerance)
    return features


@pytest.mark.slow
def test_imported_weights_answer_as_the_official_network(resnet34: Path) -> None:
    features = check(resnet34, "cdnet-resnet34")
    points = [float(features[0, c, 5, 7]) for c in (0, 3, 31, 100)]
    found = [float(features.mean()), float(features.std()), *points]
    assert found == pytest.approx(FEATURES_34, abs=1e-4 * FEATURES_34[1])


@pytest.mark.proof
def test_the_larger_network_answers_as_the_official_parts_would(tmp_path: Path) -> None:
    """The official class can't build it: it takes ResNet-34's widths for every backbone."""
    check(imported("cdnet-resnet101", tmp_path), "cdnet-resnet101")


def test_feature_diffusion_alone() -> None:
    """With a gate that opens in some places and shuts in others."""
    module = FeatureDiffusion(128).eval()
    prefix = "feature_extractor.FDM."
    names = {  # the official names' places, written anew
        "t.weight": "seeker.weight",
        "p.weight": "sought.weight",
        "g.weight": "carried.weight",
        "z.weight": "objects.0.weight",
        "z2.weight": "background.0.weight",
        "gate_head_pos.layers.1.weight": "gate.1.weight",
        "gate_head_pos.layers.1.bias": "gate.1.bias",
    }
    state = {}
    for key, shape in official.shapes_in("cdnet-resnet34").items():
        if key.startswith(prefix):
            name = key.removeprefix(prefix)
            ours = names.get(name, name).replace("gate_head_pos.layers.0.body.", "gate.0.")
            ours = ours.replace("bn2.", "background.1.").replace("bn.", "objects.1.")
            state[ours] = official.fill(key, shape)
    state["gate.1.weight"] *= 10
    module.load_state_dict(state)
    k, y, x = np.ogrid[:128, :24, :20]
    waves = np.sin(0.11 * y * (1 + k % 7) + 0.07 * x * (1 + k % 5) + 0.3 * k)
    discs = torch.zeros(1, 2, 24, 20)
    discs[0, 0, 4:9, 3:8] = 1
    discs[0, 1, 15:20, 10:16] = 0.5
    with torch.no_grad():
        found, gate = module(torch.from_numpy(waves.astype(np.float32))[None], discs)
    assert int((gate > 0.8).sum()) == 148
    assert int((gate < 0.2).sum()) == 196
    places = ((0, 0), (4, 5), (12, 10), (23, 19), (16, 12))
    gates = [float(gate[0, 0, row, col]) for row, col in places]
    assert gates == pytest.approx([0.72191, 0.14196, 0.00734, 0.21014, 0.93418], abs=2e-5)
    for channel, expected in (
        (0, [-0.47692, 1.61323, 0.99879, 0.06107, 0.65966]),
        (31, [-0.88419, -0.83711, -0.19547, 0.85988, -2.68492]),
    ):
        values = [float(found[0, channel, row, col]) for row, col in places]
        assert values == pytest.approx(expected, abs=5e-5)
    assert (float(found.mean()), float(found.std())) == pytest.approx((0.00646, 0.89634), abs=1e-5)


def test_pixel_diffusion_alone() -> None:
    y, x = np.ogrid[:256, :256]
    logits = (3 * np.sin(0.07 * x + 0.04 * y)).astype(np.float32)
    image = official.waves(3, 0.05)[0].permute(1, 2, 0).numpy()
    found = diffused(logits, image, official.discs(5.0)[0].numpy())
    values = [float(found[place]) for place in official.POSITIONS]
    assert values == pytest.approx([0.00040, 8.48360, 1.80601, 0.66485, -1.80731], abs=2e-5)
    assert (found.mean(), found.std(ddof=1)) == pytest.approx((-0.00586, 1.52074), abs=1e-5)


CLICKS = [Click(80.5, 100.5), Click(150.5, 230.5, positive=False), Click(200.5, 40.5)]
PLACES = ((0, 0), (17, 200), (128, 128), (319, 255), (60, 33))
PLAYED = [  # probabilities, their mean, pixels of the mask
    ([0.367160, 0.858610, 0.805358, 0.125594, 0.816011], 0.743620, 71610),
    ([0.337092, 0.838014, 0.745337, 0.125594, 0.838901], 0.657968, 61177),
    ([0.302151, 0.808321, 0.717564, 0.122794, 0.845096], 0.614914, 55813),
]


@pytest.mark.slow
def test_whole_clicks(resnet34: Path) -> None:
    network, spec = restore(resnet34)
    assert isinstance(network, CDNet)
    with torch.no_grad():  # the last layer, so that the mask is not trivial
        network.head[2].weight *= 20
        network.head[2].bias.fill_(-4.5)
    segmenter = segmenter_for(TorchNetwork(network, spec))
    y, x, ch = np.ogrid[:320, :256, :3]
    waves = np.sin(0.05 * (x + 1) * (ch + 1) + 0.03 * y)
    scene = segmenter.prepare(np.round(127.5 + 127.5 * waves).astype(np.uint8))
    answer: OfficialPrediction | None = None
    for k, (values, mean, area) in enumerate(PLAYED, start=1):
        answer = segmenter.predict(scene, CLICKS[:k], answer)
        assert isinstance(answer, OfficialPrediction)
        probability = answer.probability()
        assert [probability[place] for place in PLACES] == pytest.approx(values, abs=5e-5)
        assert probability.mean() == pytest.approx(mean, abs=5e-6)
        assert abs(int(answer.render().sum()) - area) <= 3
