"""FocalClick's SegFormer networks against the official ones.

Expected values: docs/method.md §H.3, computed with the official code under a rule that fills every
weight by its official name. They are reached through an import of a file in the official layout, so
they prove the table of names as well.
"""

from __future__ import annotations

from pathlib import Path

import official
import pytest
import torch

from vtmr.models.converted import import_checkpoint
from vtmr.models.network import InteractiveNetwork
from vtmr.models.restore import restore

TOLERANCE = 5e-5
# mean, standard deviation, then five positions of sample 0 and of sample 1
GOLDEN = {
    "focalclick-b0-s1": {
        "coarse": (
            0.97698,
            0.22850,
            1.09937,
            1.21492,
            0.66442,
            0.93036,
            0.92947,
            1.16582,
            1.27304,
            1.10569,
            1.32236,
            0.85787,
        ),
        "refined": (
            0.32064,
            0.13746,
            0.48690,
            0.45875,
            0.39636,
            0.39938,
            0.28251,
            0.49588,
            0.37649,
            0.43691,
            0.62416,
            0.18344,
        ),
        "edge": (
            0.17695,
            0.07545,
            0.10769,
            0.07736,
            0.12269,
            -0.09451,
            0.15814,
            0.07760,
            0.30723,
            0.12128,
            -0.07619,
            0.25928,
        ),
        "features": (0.37779, 0.59378),
    },
    "focalclick-b0": {
        "coarse": (
            0.95023,
            0.30397,
            1.29986,
            0.81049,
            0.70705,
            1.31571,
            1.14349,
            1.29127,
            0.93607,
            1.41625,
            1.12482,
            0.71873,
        ),
        "refined": (
            0.30272,
            0.17718,
            0.52452,
            0.49216,
            0.36016,
            0.38698,
            0.42374,
            0.56998,
            0.22781,
            0.58411,
            0.51814,
            0.09931,
        ),
        "edge": (
            0.18064,
            0.07822,
            0.12244,
            0.10579,
            0.16162,
            -0.09425,
            0.12317,
            0.05943,
            0.29058,
            0.13099,
            -0.07266,
            0.26352,
        ),
        "features": (0.37629, 0.59534, 1.6641, 0.2145, 0, 0),
    },
    "focalclick-b3": {
        "coarse": (
            0.31821,
            0.22250,
            -0.08769,
            0.47305,
            0.57275,
            0.45232,
            0.16267,
            -0.20777,
            0.46690,
            0.45585,
            0.35652,
            0.25780,
        ),
        "refined": (
            -0.03238,
            0.09693,
            0.02820,
            -0.04818,
            0.04052,
            0.16031,
            -0.05272,
            -0.16839,
            0.03018,
            0.14508,
            0.18739,
            -0.06418,
        ),
        "edge": (
            0.08445,
            0.06116,
            0.14040,
            0.08766,
            0.15431,
            -0.05126,
            0.02316,
            0.10738,
            0.13047,
            0.10751,
            0.00291,
            0.08650,
        ),
        "features": (0.39498, 0.56223, 1.2368, 0, 0.4994, 0.9384),
    },
}
NAMES = ["focalclick-b0-s1", "focalclick-b0", pytest.param("focalclick-b3", marks=pytest.mark.slow)]


def imported(name: str, folder: Path) -> InteractiveNetwork:
    import_checkpoint(official.write(name, folder / "official.pth"), folder / "ours.safetensors")
    network, spec = restore(folder / "ours.safetensors")
    assert spec.model == name
    return network.eval()


def test_the_fill_is_the_one_of_the_golden_numbers() -> None:
    """§H.3's check of the rule itself."""
    key = "feature_extractor.backbone.patch_embed1.proj.weight"
    filled = official.fill(key, (32, 3, 7, 7)).flatten()[:5] / (3 / (3 * 7 * 7)) ** 0.5
    torch.testing.assert_close(
        filled,
        torch.tensor([-0.27237, 0.561454, 0.019319, -0.129375, -0.086832]),
        rtol=0,
        atol=2e-6,
    )


@pytest.mark.parametrize("name", NAMES)
def test_imported_weights_answer_as_the_official_network(name: str, tmp_path: Path) -> None:
    network = imported(name, tmp_path)
    with torch.no_grad():
        image, maps = official.coarse_inputs(network.spec.disc_radius)
        coarse, narrow = network.coarse(image, maps)
        refined, edge = network.refine(*official.refine_inputs(), coarse, narrow, official.BOXES)
        _, features = network.late(network.early(image), maps)
    golden = GOLDEN[name]
    for maps, key in ((coarse, "coarse"), (refined, "refined"), (edge, "edge")):
        points = [float(maps[b, 0, y, x]) for b in (0, 1) for y, x in official.POSITIONS]
        assert [float(maps.mean()), float(maps.std()), *points] == pytest.approx(
            golden[key], abs=TOLERANCE
        )
    points = [float(features[0, c, 5, 7]) for c in (0, 3, 31, 100)][: len(golden["features"]) - 2]
    found = [float(features.mean()), float(features.std()), *points]
    assert found == pytest.approx(golden["features"], abs=5.5e-5)  # given to four digits
