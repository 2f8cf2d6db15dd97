"""OnnxNetwork against answers worked out by hand from the tiny graphs (see tiny.py)."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
import tiny

from vtmr import modelfile
from vtmr.errors import CheckpointError, ConfigError
from vtmr.runtime import OnnxNetwork, load_network
from vtmr.runtime.threads import MOST_THREADS, default_threads, usable_cores
from vtmr.spec import ZoomSchedule
from vtmr.types import Click

CLICKS = [Click(8.5, 4.5), Click(20.5, 25.5, positive=False)]


def network(data: bytes | None = None, **options: int) -> OnnxNetwork:
    return OnnxNetwork(
        modelfile.parse(data or tiny.model_bytes(), "tiny.onnx"), "tiny.onnx", **options
    )


def image(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (tiny.SIZE, tiny.SIZE, 3), np.uint8)


def test_coarse_normalises_and_stacks_the_maps_in_order() -> None:
    pixels, prev_mask = image(), np.random.default_rng(1).random((tiny.SIZE, tiny.SIZE), np.float32)
    logits, _ = network().coarse(pixels, prev_mask, CLICKS)
    red, green, blue = (pixels[..., c].astype(np.float64) for c in range(3))
    expected = (red - 10) / 2 + 2 * (green - 20) / 4 + 3 * (blue - 30) / 5 + 10 * prev_mask
    rows, cols = np.mgrid[: tiny.SIZE, : tiny.SIZE]
    expected += 100 * ((rows - 4) ** 2 + (cols - 8) ** 2 <= 9) + 1000 * (
        (rows - 25) ** 2 + (cols - 20) ** 2 <= 9
    )
    assert logits.shape == (tiny.SIZE, tiny.SIZE)
    assert logits.dtype == np.float32
    np.testing.assert_allclose(logits, expected, rtol=1e-6, atol=1e-3)


def test_refine_takes_the_patch_unnormalised_and_the_coarse_pass_along() -> None:
    patch = image(2)
    coarse_logits = (
        np.random.default_rng(3).standard_normal((tiny.SIZE, tiny.SIZE)).astype(np.float32)
    )
    own = network()
    _, features = own.coarse(image(), np.ones((tiny.SIZE, tiny.SIZE), np.float32), [])
    logits = own.refine(patch, [CLICKS[0]], coarse_logits, features, (1.0, 2.0, 3.5, 4.0))
    rows, cols = np.mgrid[: tiny.SIZE, : tiny.SIZE]
    disc = 10 * ((rows - 4) ** 2 + (cols - 8) ** 2 <= 9)
    # features: prev_mask 1, both discs empty, so their mean is 1/3; the box sums to 10.5; the patch
    # is scaled to [0, 1]
    np.testing.assert_allclose(
        logits, coarse_logits + patch[..., 0] / 255 + disc + 1 / 3 + 10.5, rtol=1e-5, atol=1e-4
    )


def test_no_clicks_and_a_strided_image_work() -> None:
    wide = np.repeat(image(), 2, axis=1)
    empty = np.zeros((tiny.SIZE, tiny.SIZE), np.float32)
    logits, _ = network().coarse(wide[:, ::2], empty, [])
    expected, _ = network().coarse(image(), empty, [])
    np.testing.assert_array_equal(logits, expected)


def test_workers_sleep_between_clicks() -> None:
    """They may spin during a pass alone: unless stopped, they burn a twentieth of a second after
    each."""
    lite0 = load_network("lite0", threads=2)
    size = lite0.spec.input_size
    crop, clicks = np.zeros((size, size, 3), np.uint8), [Click(8.5, 8.5)]
    logits, features = lite0.coarse(crop, np.zeros((size, size), np.float32), clicks)
    assert cpu_seconds_asleep() < 0.02
    lite0.refine(crop, clicks, logits, features, (0.0, 0.0, float(size), float(size)))
    assert cpu_seconds_asleep() < 0.02


def cpu_seconds_asleep() -> float:
    """What this process's other threads take while the one that asks sleeps for a fifth of a
    second."""
    before = time.process_time()
    time.sleep(0.2)
    return time.process_time() - before


def test_threads_are_chosen_or_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VTMR_MOST_THREADS", raising=False)  # `make test` sets it
    assert network().threads == default_threads() <= MOST_THREADS
    assert network(threads=1).threads == 1
    assert default_threads() == min(MOST_THREADS, usable_cores())
    with pytest.raises(ConfigError, match="threads is 0: expected 1 to 64"):
        network(threads=0)
    with pytest.raises(ConfigError, match="threads is 100000: expected 1 to 64"):
        network(threads=100_000)


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (
            lambda: tiny.with_spec(tiny.model_bytes(), input_size=64),
            "input_size 64 needs image 1x3x64x64",
        ),
        (
            lambda: tiny.model_bytes(refine=tiny.refine_model(64)),
            "the refine graph has patch 1x3x64x64",
        ),
        (
            lambda: tiny.model_bytes(refine=tiny.coarse_model()),
            "the refine graph has image 1x3x32x32",
        ),
        (lambda: tiny.model_bytes(replace(tiny.SPEC, input_size=256)), "needs image 1x3x256x256"),
    ],
)
def test_graphs_that_contradict_the_spec_are_refused(data, complaint: str) -> None:
    with pytest.raises(CheckpointError, match=rf"tiny.onnx contradicts its spec: .*{complaint}"):
        network(data())


def test_a_graph_with_free_sides_serves_any_size() -> None:
    data = tiny.model_bytes(
        coarse=tiny.coarse_model(free=True), refine=tiny.refine_model(free=True)
    )
    assert network(data).spec.input_size == tiny.SIZE
    larger = network(data, input_size=64)
    assert larger.spec == replace(tiny.SPEC, input_size=64)
    image, prev_mask = np.full((64, 64, 3), 20, np.uint8), np.zeros((64, 64), np.float32)
    logits, features = larger.coarse(image, prev_mask, [])
    assert (logits.shape, features.shape) == ((64, 64), (1, 3, 16, 16))
    assert larger.refine(image, [], logits, features, (0.0, 0.0, 64.0, 64.0)).shape == (64, 64)
    with pytest.raises(ConfigError, match="input_size is 50: expected a multiple of 32"):
        network(data, input_size=50)
    with pytest.raises(
        CheckpointError, match=r"contradicts its spec.* input_size 64 needs image 1x3x64x64"
    ):
        network(tiny.model_bytes(), input_size=64)


def test_the_zoomed_pass_may_have_a_grid_of_another_size() -> None:
    """Logits of the test model are written out in tiny.py: 10 prev_mask, and 100 on the disc."""
    zoom = ZoomSchedule(schedule="eager", side=64)
    spec = replace(tiny.SPEC, zoom=zoom)
    free = tiny.model_bytes(
        spec, coarse=tiny.coarse_model(free=True), refine=tiny.refine_model(free=True)
    )
    own = network(free)
    grey = np.broadcast_to(np.array([10, 20, 30], np.uint8), (64, 64, 3))  # the mean: 0
    logits, _ = own.coarse(grey, np.full((64, 64), 0.5, np.float32), [Click(50.5, 40.5)])
    expected = np.full((64, 64), 5.0)
    rows, cols = np.mgrid[:64, :64]
    expected[(rows - 40) ** 2 + (cols - 50) ** 2 <= 9] += 100
    np.testing.assert_allclose(logits, expected, atol=1e-4)
    # The network's own grid is none the worse for it.
    assert own.coarse(image(), np.zeros((32, 32), np.float32), [])[0].shape == (32, 32)
    # A graph that can't is found out when it is loaded, not at the second click.
    with pytest.raises(
        CheckpointError, match=r"on the zoomed grid, contradicts .* input_size 64 needs image"
    ):
        network(tiny.model_bytes(spec))
    off = replace(spec, zoom=replace(zoom, schedule="off"))
    assert network(tiny.model_bytes(off)).spec == off


def test_a_graph_that_onnx_runtime_does_not_know_is_refused_in_one_sentence() -> None:
    coarse = tiny.coarse_model()
    coarse.graph.node[1].op_type = "Convolve"
    with pytest.raises(
        CheckpointError, match=r"tiny.onnx holds a graph that ONNX Runtime .* can't run"
    ) as caught:
        network(tiny.model_bytes(coarse=coarse))
    assert "\n" not in str(caught.value)


def test_a_graph_whose_names_are_no_text_is_refused() -> None:
    """A byte of a side's name is none of UTF-8's, and the digest belongs to it."""
    data = tiny.model_bytes(
        coarse=tiny.coarse_model(free=True), refine=tiny.refine_model(free=True)
    )
    assert data.count(b"\x12\x04side") > 2
    wrong = tiny.with_metadata(data.replace(b"\x12\x04side", b"\x12\x04si\xffe"), sealed=True)
    with pytest.raises(CheckpointError, match=r"tiny\.onnx (holds|contradicts)"):
        network(wrong)


def test_a_graph_that_fails_at_its_first_image_says_so() -> None:
    """Sound to look at: a table is read behind its end."""
    coarse = tiny.coarse_model()
    last, end = ("all", "behind")
    coarse.graph.initializer.append(tiny.numpy_helper.from_array(np.array([9], np.int64), end))
    coarse.graph.node.insert(1, tiny.helper.make_node("Gather", [last, end], ["picked"], axis=1))
    coarse.graph.node.insert(2, tiny.helper.make_node("Mul", ["all", "picked"], ["scaled"]))
    coarse.graph.node[3].input[0] = "scaled"
    broken = network(tiny.model_bytes(coarse=coarse))
    grid = np.zeros((tiny.SIZE, tiny.SIZE), np.float32)
    with pytest.raises(CheckpointError, match=r"The graph of tiny can't be computed") as caught:
        broken.coarse(image(), grid, [])
    assert "\n" not in str(caught.value)
