"""BRS's pipeline: tiles, votes, and the correction against the authors' way (docs/zoo.md §Z.7.2,
§Z.7.3)."""

from __future__ import annotations

import numpy as np
import pytest

from vtmr.encodings import distances
from vtmr.errors import ConfigError
from vtmr.geometry import Box
from vtmr.segmenter.brs import (
    SIDE,
    BrsSegmenter,
    Corrected,
    Tile,
    corrected_maps,
    spans,
    whole_sides,
)
from vtmr.spec import RAW, ModelSpec
from vtmr.types import Click, FloatMap, Image

SPEC = ModelSpec("brs", RAW, pipeline="brs", input_size=480)


@pytest.mark.parametrize(
    ("length", "expected"),
    [
        (300, [(0, 300)]),
        (480, [(0, 480)]),
        (481, [(0, 480), (1, 481)]),
        (1000, [(0, 480), (400, 880), (520, 1000)]),
    ],
)
def test_tiles_come_every_400_pixels_and_end_with_the_image(
    length: int, expected: list[tuple[int, int]]
) -> None:
    assert spans(length) == expected


def test_the_whole_image_is_seen_at_multiples_of_32() -> None:
    assert whole_sides(321, 481) == (320, 480)
    assert whole_sides(1000, 700) == (480, 320)  # 336 is as near to 320 as to 352: to the even one
    assert whole_sides(20, 3000) == (32, 480)


def test_a_tile_is_told_of_clicks_outside_of_it() -> None:
    tile = Tile(Box(400, 0, 700, 480))
    maps = tile.maps([Click(390.5, 10.5)], None)
    assert maps.shape == (1, 2, SIDE, SIDE)
    assert maps[0, 0, 10, 0] == pytest.approx(1 - 10 / 255)
    assert not maps[0, :, :, 300:].any()  # beyond the image
    assert not maps[0, 1].any()


def test_later_clicks_come_on_top_of_a_correction() -> None:
    tile = Tile(Box.whole(480, 480))
    left = np.full((1, 2, SIDE, SIDE), -0.5, np.float32)
    first, second = Click(100.5, 100.5), Click(50.5, 50.5)
    maps = tile.maps([first, second], Corrected(left, 1))
    assert maps[0, 0, 50, 50] == 1
    assert maps[0, 0, 100, 100] == pytest.approx(1 - np.hypot(50, 50) / 255, abs=1e-6)
    assert (maps[0, 1] == -0.5).all()


class Threshold:
    """Answers with 4 (nearness of positive - of negative clicks) - 4.1 at each pixel by itself."""

    spec = SPEC

    def __init__(self) -> None:
        self.wholes = self.evaluations = 0

    def coarse(
        self, image: Image, prev_mask: FloatMap, clicks: list[Click]
    ) -> tuple[FloatMap, None]:
        self.wholes += 1
        return np.full(prev_mask.shape, -1, np.float32), None

    def respond(self, planes: FloatMap, maps: FloatMap) -> FloatMap:
        return np.asarray(4 * (maps[0, 0] - maps[0, 1]) - 4.1, np.float32)

    def slopes(
        self, planes: FloatMap, maps: FloatMap, targets: FloatMap, weights: FloatMap
    ) -> tuple[FloatMap, FloatMap]:
        self.evaluations += 1
        prob = 1 / (1 + np.exp(-self.respond(planes, maps)))
        outer = 2 * (prob - targets) * weights * prob * (1 - prob) * 4
        return prob, np.stack([outer, -outer])[None]


def test_a_wrong_click_is_corrected_and_the_whole_image_votes_no_more() -> None:
    network = Threshold()
    segmenter = BrsSegmenter(network)
    scene = segmenter.prepare(np.zeros((480, 900, 3), np.uint8))
    first = Click(100.5, 100.5)
    answer = segmenter.predict(scene, [first])
    # The tile says .475 and the whole image .269 of the click: wrong, so the tile is corrected.
    assert network.evaluations >= 2
    assert answer.render()[100, 100]
    assert len(answer.memory.corrected) == 1
    assert answer.nbytes > 4 * 2 * SIDE * SIDE
    wholes = network.wholes
    second = segmenter.predict(scene, [first, Click(850.5, 10.5, positive=False)], answer)
    assert network.wholes == wholes
    assert second.render()[100, 100]
    assert second.memory.corrected.keys() == answer.memory.corrected.keys()


def test_a_network_without_slopes_is_refused() -> None:
    class Plain:
        spec = SPEC

    with pytest.raises(ConfigError, match="brs is played on torch alone: add --device cpu"):
        BrsSegmenter(Plain())  # type: ignore[arg-type]


# zoo.md's two corrections: factor of the last weights, bias, probabilities before and after
GOLDEN = {
    "strong": (
        (40, -2.5),
        (0.463665, 0.362107, 0.915231),
        (1.532211, 0.508301, 0.0),
        15.2379,
        (0.999972, 1.0, 0.0),
    ),
    "weak": (
        (8, -0.5),
        (0.492721, 0.471719, 0.616768),
        (0.916816, 0.685398),
        1.0,
        (0.519822, 0.512559, 0.466078),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", GOLDEN)
def test_a_correction_takes_the_authors_steps(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """On sample 0 of the golden inputs, with a last layer that makes clicks wrong."""
    import official
    import released

    from vtmr.models import build
    from vtmr.models.encoder_weights import with_counters
    from vtmr.models.renaming import renamed
    from vtmr.models.renaming_brs import OFFICIAL_BRS
    from vtmr.models.torch_network import TorchNetwork

    (factor, bias), before, losses, moved, after = GOLDEN[case]
    module = build("brs-densenet")
    state = renamed(released.brs_values(), OFFICIAL_BRS, "BRS")
    module.load_state_dict(with_counters(state, module.state_dict()))
    module.fine_decoder.logits.weight.data *= factor  # type: ignore[union-attr, operator]
    module.fine_decoder.logits.bias.data.fill_(bias)  # type: ignore[union-attr, operator]
    network = TorchNetwork(module, module.spec, threads=1)
    normal = module.spec.coarse_normalisation
    image = 255 * official.waves(3, 0.05).numpy()[0, ::-1].transpose(1, 2, 0)
    planes = ((image - normal.mean) / normal.std).transpose(2, 0, 1)[None].astype(np.float32)
    clicks = [Click(40.5, 100.5), Click(200.5, 20.5), Click(30.5, 200.5, positive=False)]
    near = [1 - distances(picked, 256, 256) / 255 for picked in (clicks[:2], clicks[2:])]
    maps = np.stack(near)[None]
    seen: list[float] = []
    slopes = network.slopes

    def counted(*given: FloatMap) -> tuple[FloatMap, FloatMap]:
        prob, slope = slopes(*given)
        errors = (prob - given[2]) * given[3]
        value = float((errors**2).sum())
        if np.abs(errors).max() >= 0.5:
            value += 1e-3 * float(((given[1] - maps) ** 2).sum())
        seen.append(value)
        return prob, slope

    monkeypatch.setattr(network, "slopes", counted)
    start = network.respond(planes, maps)
    rows, cols = zip(*(click.pixel for click in clicks), strict=True)
    probability = 1 / (1 + np.exp(-start))
    np.testing.assert_allclose(probability[rows, cols], before, atol=2e-5)
    prob, corrected = corrected_maps(network, planes, maps, Tile(Box.whole(256, 256)), clicks)
    np.testing.assert_allclose(seen, losses, atol=1e-3)
    assert float(np.linalg.norm(corrected - maps)) == pytest.approx(moved, rel=1e-3)
    np.testing.assert_allclose(prob[rows, cols], after, atol=1e-3)
