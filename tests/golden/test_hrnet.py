"""FocalClick's and RITM's HRNets against the official ones.

Expected values: docs/method.md §H.5, computed with the official code under the same rule as
test_segformer.py's. The rule lets values grow large here, so the tolerance is a thousandth of each
tensor's standard deviation.
"""

from __future__ import annotations

from pathlib import Path

import official
import pytest
import torch

from vtmr.models.converted import import_checkpoint
from vtmr.models.restore import restore

# mean, standard deviation, then five positions of sample 0 and of sample 1
COARSE_18S = (
    10.94869,
    4.04099,
    8.61514,
    3.91288,
    10.91732,
    6.57390,
    9.56978,
    10.23452,
    1.59020,
    15.53353,
    7.92770,
    9.76510,
)
AUXILIARY_18S = (
    -27.71709,
    8.81827,
    -16.15191,
    -35.78847,
    -27.72650,
    -20.00926,
    -39.51825,
    -14.80659,
    -31.29242,
    -24.23791,
    -18.17094,
    -48.07973,
)
COARSE_32 = (
    389.90546,
    312.87244,
    448.46289,
    685.29028,
    390.49622,
    1506.09363,
    117.93639,
    420.83801,
    755.04572,
    457.60556,
    1502.19836,
    6.19273,
)
AUXILIARY_32 = (
    -283.22272,
    938.00482,
    620.92548,
    473.15958,
    -1102.79614,
    -2407.63965,
    1791.48438,
    616.75043,
    558.90179,
    -1262.80554,
    -2310.14014,
    1857.50659,
)
GOLDEN = {
    "focalclick-hrnet18s": {
        "coarse": COARSE_18S,
        "auxiliary": AUXILIARY_18S,
        "refined": (
            5.35093,
            3.36382,
            -2.88756,
            2.90587,
            10.03183,
            12.83851,
            4.73994,
            -1.92544,
            0.67019,
            8.62706,
            7.11387,
            1.08650,
        ),
        "edge": (
            -0.03025,
            1.27893,
            7.54128,
            0.06962,
            -0.95432,
            -2.75805,
            0.11359,
            3.80809,
            -0.07885,
            -0.14258,
            -2.41476,
            1.33116,
        ),
        "features": (25.48971, 33.30230, 0.0, 0.0, 5.9483, 74.6136),
    },
    "focalclick-hrnet32": {
        "coarse": COARSE_32,
        "auxiliary": AUXILIARY_32,
        "refined": (
            121.84480,
            581.04944,
            -286.69061,
            -1190.79651,
            275.49597,
            153.42126,
            166.43372,
            -160.32401,
            -1204.22949,
            457.60556,
            1502.19836,
            6.19273,
        ),
        "edge": (
            -113.76700,
            119.10603,
            17.48748,
            17.39454,
            -198.65375,
            -552.35120,
            -95.67692,
            134.97098,
            123.07702,
            -214.46565,
            -269.59558,
            -69.09478,
        ),
        "features": (1517.80164, 2458.93604, 1206.1989, 0.0, 0.0, 0.0),
    },
    "ritm-hrnet18s": {"coarse": COARSE_18S, "auxiliary": AUXILIARY_18S},
    "ritm-hrnet18": {
        "coarse": (
            -660.94543,
            846.51965,
            -1940.03198,
            -2444.86768,
            -338.87125,
            -3427.32007,
            -1449.62329,
            -1961.56653,
            -2224.83081,
            60.22577,
            -3416.24902,
            -1206.45312,
        ),
        "auxiliary": (
            2455.58838,
            2157.94043,
            -903.83862,
            -2564.39673,
            4457.93750,
            -2704.80786,
            220.36627,
            -1046.67407,
            -2737.53833,
            4566.05811,
            -2626.59521,
            769.12695,
        ),
    },
    "ritm-hrnet32": {"coarse": COARSE_32, "auxiliary": AUXILIARY_32},
}


LARGE = ("focalclick-hrnet32", "ritm-hrnet32")  # of the same parts as the others


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.proof if name in LARGE else pytest.mark.slow)
        for name in GOLDEN
    ],
)
def test_imported_weights_answer_as_the_official_network(name: str, tmp_path: Path) -> None:
    import_checkpoint(
        official.write(name, tmp_path / "official.pth"), tmp_path / "ours.safetensors"
    )
    network, spec = restore(tmp_path / "ours.safetensors")
    assert spec.model == name
    network.eval()
    maps: dict[str, torch.Tensor] = {}
    with torch.no_grad():
        image, click_maps = official.coarse_inputs(5.0)
        maps["coarse"], features, auxiliary = network.decode(network.early(image), click_maps)
        assert auxiliary is not None
        maps["auxiliary"] = auxiliary
        if network.refiner is not None:
            inputs = (
                *official.refine_inputs(),
                maps["coarse"],
                network.refiner.narrowed(features),
                official.BOXES,
            )
            maps["refined"], maps["edge"] = network.refine(*inputs)
    golden = dict(GOLDEN[name])
    if "features" in golden:
        points = [float(features[0, c, 5, 7]) for c in (0, 3, 31, 100) if c < features.shape[1]]
        expected = golden.pop("features")
        mean, std = float(features.mean()), float(features.std())
        assert (mean, std, *points) == pytest.approx(
            expected[: 2 + len(points)], abs=expected[1] / 1000
        )
    assert maps.keys() == golden.keys()
    for key, expected in golden.items():
        points = [float(maps[key][b, 0, y, x]) for b in (0, 1) for y, x in official.POSITIONS]
        found = (float(maps[key].mean()), float(maps[key].std()), *points)
        assert found == pytest.approx(expected, abs=expected[1] / 1000)
