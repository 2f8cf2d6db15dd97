"""f-BRS's networks and the corrections of a whole click against the official ones.

Expected values: docs/zoo.md §Z.3.2 and §Z.3.5, computed with the official code under the rule of
docs/method.md §H.3. Every network is written into a file of its released layout, imported and
restored.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import official
import pytest
import torch
from torch import Tensor

from vtmr.encodings import distance_maps
from vtmr.geometry import Box
from vtmr.models.converted import import_checkpoint
from vtmr.models.corrections import Objective, Vector
from vtmr.models.loading import load_torch_network
from vtmr.models.network import InteractiveNetwork
from vtmr.models.restore import restore
from vtmr.models.torch_network import TorchNetwork
from vtmr.segmenter import segmenter_for
from vtmr.segmenter.fbrs import CorrectedPrediction
from vtmr.spec import Refinement
from vtmr.types import Click

pytestmark = pytest.mark.slow

# mean, standard deviation, then five positions of sample 0 and of sample 1
GOLDEN = {
    "fbrs-resnet34": {
        "logits": [
            [0.31242, 0.09732],
            [0.06328, 0.39263, 0.31620, -0.02616, 0.25068],
            [0.04100, 0.48137, 0.38008, -0.01140, 0.30968],
        ]
    },
    "fbrs-resnet50": {
        "logits": [
            [0.07234, 0.02334],
            [0.06376, 0.04506, 0.07579, -0.01618, 0.03968],
            [0.05957, 0.05304, 0.09956, -0.02043, 0.04709],
        ]
    },
    "fbrs-resnet101": {
        "logits": [
            [0.19797, 0.06565],
            [0.12055, 0.13285, 0.24583, -0.00163, 0.09577],
            [0.12693, 0.12870, 0.29403, -0.00609, 0.09573],
        ]
    },
    "fbrs-hrnet18": {
        "logits": [
            [-0.21608, 0.09472],
            [-0.29328, -0.30321, -0.20375, -0.41572, -0.28479],
            [-0.29662, -0.24833, -0.15018, -0.41053, -0.30479],
        ],
        "auxiliary": [
            [0.28861, 0.13630],
            [-0.41164, 0.16632, 0.38677, 0.07324, 0.35774],
            [-0.46286, 0.28377, 0.23212, 0.14810, 0.31998],
        ],
    },
    "fbrs-hrnet32": {
        "logits": [
            [0.00634, 0.05921],
            [-0.01619, -0.04557, 0.01008, 0.04723, 0.04440],
            [-0.01495, -0.04362, 0.00391, 0.05046, 0.02997],
        ],
        "auxiliary": [
            [-0.74893, 0.05970],
            [-0.53907, -0.68435, -0.73930, -0.56113, -0.79196],
            [-0.56724, -0.67314, -0.75041, -0.51485, -0.76501],
        ],
    },
}
# mean, standard deviation, and channels 0, 3, 31, 100 of sample 0 at row 5, column 7
FEATURES = {
    "fbrs-resnet34": [-0.08822, 0.58092, -0.24410, -0.91904, 0.27058, 0.97781],
    "fbrs-resnet50": [-0.02063, 0.15779, 0.06080, -0.24662, 0.06547, 0.14180],
    "fbrs-resnet101": [0.01509, 0.37358, -0.11253, -0.13541, 0.23866, 0.83778],
    "fbrs-hrnet18": [0.29131, 0.41137, 0, 0, 0.69807, 0],
    "fbrs-hrnet32": [0.26181, 0.39305, 0, 0, 0, 0.24642],
}


def golden_maps() -> Tensor:
    maps = []
    for sample in official.POINTS:
        clicks = [Click(col + 0.5, row + 0.5, positive) for (row, col), positive in sample]
        maps.append(distance_maps(clicks, 256, 256))
    return torch.from_numpy(np.concatenate(maps))


def imported(name: str, folder: Path, changed: Callable[[dict[str, Tensor]], object]) -> Path:
    state = official.flat(name)
    changed(state)
    torch.save(state, folder / "official.pth")
    import_checkpoint(folder / "official.pth", folder / "ours.safetensors")
    return folder / "ours.safetensors"


def damped(state: dict[str, Tensor]) -> None:
    """Fill S of docs/zoo.md §Z.1, which keeps values of HRNets small."""
    for key, value in state.items():
        if ".stage" in key and value.ndim > 1:
            value *= 0.3


LARGE = ("fbrs-resnet101", "fbrs-hrnet32")  # of the same parts as ResNet-50 and HRNet-18


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.proof if name in LARGE else ()) for name in GOLDEN],
)
def test_imported_weights_answer_as_the_official_network(name: str, tmp_path: Path) -> None:
    network, spec = restore(imported(name, tmp_path, damped))
    assert (spec.model, spec.pipeline, spec.licence) == (name, "fbrs", "MPL-2.0 (f-BRS)")
    network.eval()
    image, _ = official.coarse_inputs(5.0)
    with torch.no_grad():
        logits, features, auxiliary = network.decode(network.early(image), golden_maps())
    found = {"logits": logits} | ({"auxiliary": auxiliary} if auxiliary is not None else {})
    assert found.keys() == GOLDEN[name].keys()
    for key, (moments, *samples) in GOLDEN[name].items():
        maps = found[key]
        tolerance = 5e-5 * moments[1] + 6e-6  # and what the last printed digit leaves open
        values = [float(maps.mean()), float(maps.std())]
        assert values == pytest.approx(moments, abs=tolerance)
        for b, expected in enumerate(samples):
            points = [float(maps[b, 0, y, x]) for y, x in official.POSITIONS]
            assert points == pytest.approx(expected, abs=tolerance)
    points = [float(features[0, c, 5, 7]) for c in (0, 3, 31, 100)]
    expected = FEATURES[name]
    found_features = [float(features.mean()), float(features.std()), *points]
    assert found_features == pytest.approx(expected, abs=1e-4 * expected[1] + 6e-6)


# --- whole clicks (docs/zoo.md §Z.3.5)

PLACES = ((0, 0), (17, 200), (128, 128), (319, 255), (60, 33))


def at(row: int, col: int, positive: bool) -> Click:
    return Click(col + 0.5, row + 0.5, positive)


CLICKS = [at(100, 80, True), at(230, 150, False), at(40, 200, True)]
IN_A_WINDOW = [at(150, 120, True), at(200, 100, False), at(130, 140, True)]


def picture() -> np.ndarray:
    """float32 320 x 256 x 3 of 0 to 255: the rule's waves aren't whole numbers."""
    y, x, ch = np.ogrid[:320, :256, :3]
    waves = 0.5 + 0.5 * np.sin(0.05 * (x + 1) * (ch + 1) + 0.03 * y)
    return (255 * waves).astype(np.float32)


def sharpened(bias: float) -> Callable[[dict[str, Tensor]], None]:
    """The last layer, so that the mask is not trivial."""

    def changed(state: dict[str, Tensor]) -> None:
        state["head.layers.2.weight"] *= 20
        state["head.layers.2.bias"][:] = bias

    return changed


@pytest.fixture(scope="module")
def sharp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return imported("fbrs-resnet34", tmp_path_factory.mktemp("fbrs"), sharpened(-6))


class Recorder:
    """Each search's losses, and its slope where it starts."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.searches: list[Objective] = []
        self.slopes: dict[int, float] = {}
        evaluate = Objective.__call__

        def record(objective: Objective, variables: Vector) -> tuple[float, Vector]:
            loss, gradient = evaluate(objective, variables)
            if len(objective.losses) == 1:
                self.searches.append(objective)
                self.slopes[len(self.searches)] = float(np.linalg.norm(gradient))
            return loss, gradient

        monkeypatch.setattr(Objective, "__call__", record)

    @property
    def losses(self) -> list[list[float]]:
        return [search.losses for search in self.searches]


def close(found: object, expected: object, tolerance: float) -> None:
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance)  # type: ignore[arg-type]


proof = pytest.mark.proof
EVERY_TIME, REST = ("fbrs-a", "fbrs-b"), ("none", "fbrs-c", "rgb-brs", "distmap-brs")
Row = tuple[list[float], float | None, list[float], int]  # losses, norm, probabilities, area

FIRST: Row = ([], None, [0.005655, 0.951342, 0.655572, 0.002049, 0.667088], 48679)
PLAYED: dict[Refinement, list[Row]] = {
    "none": [
        FIRST,
        ([], None, [0.008112, 0.635115, 0.546880, 0.001774, 0.184073], 47094),
        ([], None, [0.007889, 0.645294, 0.509363, 0.001759, 0.177900], 46131),
    ],
    "fbrs-a": [
        FIRST,
        (
            [1.159123, 0.238502, 0.009144],
            2.328817,
            [0.009562, 0.456057, 0.247558, 0.002369, 0.405101],
            41277,
        ),
        (
            [0.266679, 0.016892],
            2.747218,
            [0.009268, 0.985078, 0.681066, 0.003172, 0.963419],
            69539,
        ),
    ],
    "fbrs-b": [
        FIRST,
        (
            [1.159123, 0.091426],
            1.000000,
            [0.009717, 0.323828, 0.236097, 0.001956, 0.472064],
            45426,
        ),
        (
            [0.289305, 0.303352, 0.093082],
            1.248047,
            [0.010916, 0.527420, 0.214126, 0.002385, 0.809462],
            62957,
        ),
    ],
    "fbrs-c": [
        FIRST,
        (
            [1.159123, 1.007513, 1.007393],
            0.993893,
            [0.044165, 0.999992, 0.999921, 0.008356, 0.999926],
            80990,
        ),
        (
            [1.007390, 1.112393, 1.002703, 0.992279, 0.987272],
            0.537430,
            [0.013212, 0.996603, 0.981704, 0.003413, 0.968466],
            79561,
        ),
    ],
    "rgb-brs": [
        FIRST,
        (
            [1.159123, 0.949476],
            1.000000,
            [0.008116, 0.635722, 0.547594, 0.001779, 0.183674],
            47186,
        ),
        (
            [1.244991, 1.090754],
            1.839775,
            [0.007903, 0.645624, 0.510500, 0.001765, 0.177374],
            46257,
        ),
    ],
    "distmap-brs": [
        FIRST,
        (
            [1.159123, 0.950337],
            1.000000,
            [0.008126, 0.635539, 0.547308, 0.001778, 0.184014],
            47178,
        ),
        (
            [1.243361, 1.088329],
            1.840286,
            [0.007914, 0.645700, 0.509540, 0.001765, 0.177866],
            46258,
        ),
    ],
}
WINDOW: list[Row] = [
    ([], None, [0.000157, 0.334591, 0.049433, 0.000053, 0.054451], 2431),
    (
        [1.405262, 1.001877, 1.001795, 1.001464, 1.000133, 0.993793, 0.932610]
        + [0.990945, 0.927025, 0.909798, 1.178187, 0.933080, 0.909266, 0.908231]
        + [0.915778, 0.907925, 0.920634, 0.875350, 1.043436, 0.641004],
        2.112464,
        [0, 0.755877, 0.636989, 0, 0.266316],
        31281,
    ),
    (
        [0.675153, 0.729909, 0.266705, 0.166238, 0.125151],
        2.364132,
        [0, 0.407672, 0.894814, 0, 0.227478],
        18647,
    ),
]


SLOPES = {  # of the second click, where all variables are 0
    "fbrs-a": 1.380811,
    "fbrs-b": 1.679432,
    "fbrs-c": 2.515065,
    "rgb-brs": 0.239928,
    "distmap-brs": 0.236709,
}


def play(path: Path, refinement: Refinement, clicks: list[Click]) -> list[CorrectedPrediction]:
    """The answer to each click."""
    network = load_torch_network(path, changed=lambda spec: replace(spec, refinement=refinement))
    segmenter = segmenter_for(network)
    scene = segmenter.prepare(picture())  # type: ignore[arg-type]  # floats, as the golden values'
    answers: list[CorrectedPrediction] = []
    for k in range(1, len(clicks) + 1):
        answer = segmenter.predict(scene, clicks[:k], answers[-1] if answers else None)
        assert isinstance(answer, CorrectedPrediction)
        answers.append(answer)
    return answers


def compare(answers: list[CorrectedPrediction], expected: list[Row], tolerance: float) -> None:
    for answer, (_, norm, points, area) in zip(answers, expected, strict=True):
        assert (answer.variables is None) == (norm is None)
        if answer.variables is not None:
            close(np.linalg.norm(answer.variables), norm, tolerance)
        probability = answer.probability()
        close([probability[place] for place in PLACES], points, tolerance)
        assert abs(int(np.count_nonzero(answer.render())) - area) <= 5


@pytest.mark.parametrize("refinement", [*EVERY_TIME, *(pytest.param(n, marks=proof) for n in REST)])
def test_a_click_is_corrected_as_by_the_official_code(
    refinement: Refinement, sharp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same evaluations with the same losses, the same variables, the same probabilities."""
    recorder = Recorder(monkeypatch)
    compare(play(sharp, refinement, CLICKS), PLAYED[refinement], 1e-4)
    searches = [losses for losses, *_ in PLAYED[refinement] if losses]
    assert [len(losses) for losses in recorder.losses] == [len(losses) for losses in searches]
    for found, expected in zip(recorder.losses, searches, strict=True):
        close(found, expected, 1e-4)
    if refinement != "none":
        close(recorder.slopes[1], SLOPES[refinement], 1e-4)


def in_float64(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks of torch compute in float64 from here on, whatever they are given."""
    begin, tensor = TorchNetwork.__init__, TorchNetwork._tensor

    def doubled(network: TorchNetwork, module: InteractiveNetwork, *rest: Any, **more: Any) -> None:
        begin(network, module.double(), *rest, **more)

    monkeypatch.setattr(TorchNetwork, "__init__", doubled)
    monkeypatch.setattr(TorchNetwork, "_tensor", lambda self, array: tensor(self, array).double())


def test_a_long_search_ends_where_scipy_ends_the_official_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a crop of its own. After twenty evaluations SciPy has counted more than `maxfun`.

    Rounding grows along such a search: in float32 a processor with AVX2 alone goes another way from
    the seventh evaluation on. In float64 all processors go the same way, on which the golden
    float32 values lie within 2.6e-5.
    """
    path = imported("fbrs-resnet34", tmp_path, sharpened(-9.6))
    in_float64(monkeypatch)
    recorder = Recorder(monkeypatch)
    answers = play(path, "fbrs-b", IN_A_WINDOW)
    kept = [answer.answer.kept for answer in answers]
    assert kept == [None, Box(18, 0, 229, 320), Box(18, 0, 229, 320)]
    compare(answers, WINDOW, 1e-4)
    for found, (expected, *_) in zip(recorder.losses, WINDOW[1:], strict=True):
        close(found, expected, 1e-4)
