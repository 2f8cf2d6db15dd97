"""Expected values: the golden table of docs/method.md §F.2, sums written out here, ramps whose
samples are known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from vtmr.errors import ConfigError
from vtmr.geometry import Box, Frame
from vtmr.pyramid import Pyramid, crop_resized
from vtmr.spec import ZoomKernel
from vtmr.zoom import Warp, marginals, warp_towards, zoom_table

BOX = Box(30, 20, 330, 220)
# The paper's sigma read as 11 pixels of 256 (docs/method.md §F.4 a).
LITERAL = ZoomKernel(256, 11 * 2.3548)


def square(low: float, high: float, size: int = 256) -> NDArray[np.bool_]:
    """Guidance that covers the share low..high of both axes."""
    guidance = np.zeros((size, size), np.bool_)
    guidance[round(low * size) : round(high * size), round(low * size) : round(high * size)] = True
    return guidance


def magnification(table: NDArray[np.float64], low: float, high: float) -> float:
    """The share of the grid that low..high of the image gets, over what it has in the image."""
    knots = np.linspace(0, 1, len(table))
    return float((np.interp(high, table, knots) - np.interp(low, table, knots)) / (high - low))


def test_the_golden_table() -> None:
    """docs/method.md §F.2: 31 knots, FWHM 11, 1 on knots 10 to 20, floor .05; values at every fifth
    knot."""
    guidance = np.zeros(31)
    guidance[10:21] = 1
    table = zoom_table(guidance, ZoomKernel(31, 11, 0.05))
    np.testing.assert_allclose(
        table[::5], [0, 0.342679, 0.431416, 0.5, 0.568584, 0.657321, 1], atol=1e-6
    )
    assert (table[0], table[-1]) == (0, 1)
    # Of any scale.
    np.testing.assert_array_equal(zoom_table(guidance * 17, ZoomKernel(31, 11, 0.05)), table)


def test_knots_see_triangles() -> None:
    """Knot 2 of 5 over 8 cells: centres at (i + .5) / 2 knots, weights .25, .75, .75, .25 of cells
    2 to 5, over 2."""
    guidance = np.zeros((8, 8), np.bool_)
    guidance[:, 3] = True
    along_x, along_y = marginals(guidance, 5)
    np.testing.assert_allclose(along_x, [0, 0.25 / 2 * 5, 0.75 / 2 * 5, 0, 0])
    np.testing.assert_allclose(along_y, np.full(5, along_x.sum() / 5))


@pytest.mark.parametrize(
    "kernel", [ZoomKernel(), ZoomKernel(floor=0), ZoomKernel(17, 5, 0.2), LITERAL]
)
@pytest.mark.parametrize("covered", [False, True], ids=["empty", "full"])
def test_guidance_without_a_place_is_the_plain_resize(covered: bool, kernel: ZoomKernel) -> None:
    warp = warp_towards(np.full((256, 256), covered), BOX, 256, kernel)
    image = np.random.default_rng(0).integers(0, 256, (240, 360, 3), np.uint8)
    assert warp.is_identity
    assert np.array_equal(warp.sample(image), crop_resized(image, BOX, 256))
    for got, expected in zip(warp.centres(), Frame(BOX, 256, 256).centres(), strict=True):
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize(
    ("low", "high"), [(0.4, 0.6), (0.3, 0.7), (0.15, 0.85), (0.1, 0.3), (0.0, 0.5), (0.9, 1.0)]
)
@pytest.mark.parametrize(
    "kernel", [ZoomKernel(), ZoomKernel(floor=0.25), ZoomKernel(floor=0), LITERAL]
)
def test_one_object_of_at_most_seven_tenths_is_magnified(
    low: float, high: float, kernel: ZoomKernel
) -> None:
    """docs/method.md §F.5: the mean over the object is at least 1, so what is left of the grid for
    the rest is less."""
    warp = warp_towards(square(low, high), BOX, 256, kernel)
    assert magnification(warp.table_x, low, high) >= 1
    assert magnification(warp.table_x, 0, 1) == 1


@pytest.mark.parametrize(("share", "zoomed"), [(0.2, 0.54), (0.4, 0.74), (0.714, 0.85)])
def test_an_object_gets_the_share_that_was_measured(share: float, zoomed: float) -> None:
    """docs/method.md §F.4 (c), floor .05: shares of the axis after the warp, measured on another
    implementation."""
    warp = warp_towards(square((1 - share) / 2, (1 + share) / 2), BOX, 256, ZoomKernel())
    assert magnification(warp.table_x, (1 - share) / 2, (1 + share) / 2) * share == pytest.approx(
        zoomed, abs=0.02
    )


@pytest.mark.parametrize(
    "kernel",
    [ZoomKernel(floor=0), ZoomKernel(31, 2.5, 0), ZoomKernel(256, 22, 0), ZoomKernel(1024, 86, 0)],
)
def test_extreme_kernels_stay_invertible_and_finite(kernel: ZoomKernel) -> None:
    guidance = np.zeros((256, 256), np.bool_)
    guidance[3, 250] = True
    warp = warp_towards(guidance, BOX, 256, kernel)
    for table in (warp.table_x, warp.table_y):
        assert np.isfinite(table).all()
        assert np.diff(table).min() > 1e-4 / kernel.grid
    image = np.random.default_rng(0).integers(0, 256, (240, 360, 3), np.uint8)
    assert warp.sample(image).shape == (256, 256, 3)


def test_a_mirrored_guidance_gives_the_mirrored_grid() -> None:
    guidance = np.random.default_rng(1).random((256, 256)) > 0.9
    guidance[:, 128:] = False
    warp, mirrored = (
        warp_towards(g, Box(0, 0, 300, 200), 256, ZoomKernel())
        for g in (guidance, guidance[:, ::-1])
    )
    np.testing.assert_allclose(mirrored.table_x, 1 - warp.table_x[::-1], atol=1e-12)
    np.testing.assert_allclose(mirrored.table_y, warp.table_y, atol=1e-12)
    image = np.random.default_rng(2).integers(0, 256, (200, 300, 3), np.uint8)
    there, back = (
        warp.sample(image)[:, ::-1].astype(int),
        mirrored.sample(image[:, ::-1].copy()).astype(int),
    )
    assert np.abs(there - back).max() <= 2  # OpenCV samples at 1/32 of a pixel


@pytest.mark.parametrize("shape", [(200, 300), (120, 90), (700, 1100), (2000, 1500)])
def test_samples_lie_where_the_points_say(shape: tuple[int, int]) -> None:
    """On a ramp a pixel's value is its position: to a rounding each, in the mean far below half a
    pixel."""
    xs, ys = ((np.arange(n) + 0.5) * (255 / n) + 0.5 for n in (shape[1], shape[0]))
    image = np.stack([*np.broadcast_arrays(xs, ys[:, None]), np.zeros(shape)], axis=2).astype(
        np.uint8
    )
    box = Box(shape[1] // 10, shape[0] // 8, shape[1], shape[0] - 7)
    warp = warp_towards(square(0.3, 0.8), box, 256, ZoomKernel())
    sampled = warp.sample(Pyramid(image)).astype(float)
    for values, positions, n in zip(
        (sampled[9, :, 0], sampled[:, 9, 1]), warp.centres(), shape[::-1], strict=True
    ):
        errors = (values - positions * (255 / n))[4:-4]
        assert np.abs(errors).max() <= 2
        assert abs(errors.mean()) < 0.1


def test_a_part_of_the_grid_comes_at_full_resolution() -> None:
    """Stripes three pixels wide, on cells of one pixel in the whole crop, on cells of a tenth in
    the part."""
    image = np.zeros((800, 800, 3), np.uint8)
    image[:, np.arange(800) % 6 < 3] = 250
    warp = warp_towards(square(0.4, 0.6), Box(0, 0, 800, 800), 256, ZoomKernel())
    part = (120.0, 100.0, 135.0, 130.0)
    patch = warp.sample(image, part)
    assert patch.std() > 100
    (x0, _), (x1, _) = warp.to_image(np.array([part[:2], part[2:]]))
    expected = np.floor(x0 + (np.arange(256) + 0.5) * (x1 - x0) / 256) % 6 < 3
    assert np.mean((patch[128, :, 0] > 125) == expected) > 0.97
    mask_patch = warp.sample_mask(image[..., 0] > 0, part)
    assert np.mean(mask_patch[128] == expected) > 0.97


def test_compressed_stretches_are_averaged() -> None:
    """Without averaging, stripes of two pixels come out as noise between 0 and 250; the mean is
    125."""
    image = np.zeros((1000, 1000, 3), np.uint8)
    image[np.arange(1000) % 4 < 2] = 250
    warp = warp_towards(square(0.45, 0.55), Box(0, 0, 1000, 1000), 256, ZoomKernel())
    steps = np.diff(warp.centres()[1])
    compressed = warp.sample(image)[1:][steps > 6]
    assert len(compressed) > 50
    assert np.abs(compressed.astype(float) - 125).mean() < 25


def test_a_mask_is_sampled_by_majority() -> None:
    mask = np.zeros((240, 360), np.bool_)
    mask[60:160, 100:260] = True
    warp = warp_towards(square(0.2, 0.7), BOX, 256, ZoomKernel())
    xs, ys = warp.centres()
    expected = ((ys > 60) & (ys < 160))[:, None] & ((xs > 100) & (xs < 260))
    assert np.mean(warp.sample_mask(mask) != expected) < 0.01


def test_smooth_values_survive_there_and_back() -> None:
    frame = Frame(BOX, 200, 160)
    warp = warp_towards(square(0.3, 0.6), BOX, 256, ZoomKernel())

    def smooth(xs: NDArray[np.float64], ys: NDArray[np.float64]) -> NDArray[np.float32]:
        return (np.sin(xs / 30) + np.cos(ys / 25)[:, None]).astype(np.float32)

    back = warp.unwarp(smooth(*warp.centres()), frame)
    assert back.dtype == np.float32
    assert np.abs(back - smooth(*frame.centres()))[3:-3, 3:-3].max() < 0.01


def test_points_outside_the_box_follow_the_plain_scale() -> None:
    warp = warp_towards(square(0.3, 0.6), BOX, 256, ZoomKernel())
    outside = np.array([(0.0, 0.0), (400.0, 230.0), (29.0, 221.0)])
    np.testing.assert_allclose(warp.to_grid(outside), Frame(BOX, 256, 256).to_grid(outside))
    np.testing.assert_allclose(warp.to_image(warp.to_grid(outside)), outside)


@pytest.mark.parametrize("size", [(1, 1), (1, 40000), (40000, 1), (3, 5)])
def test_any_size_of_image(size: tuple[int, int]) -> None:
    warp = warp_towards(square(0.4, 0.5, 64), Box(0, 0, size[1], size[0]), 64, ZoomKernel(floor=0))
    assert (warp.sample(np.full((*size, 3), 90, np.uint8)) == 90).all()


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"grid": 1}, "grid is 1"),
        ({"grid": 5000}, "grid is 5000"),
        ({"fwhm": 0.0}, "fwhm is 0.0"),
        ({"grid": 256, "fwhm": 11.0}, r"fwhm is 11.0: expected at least 21\.25"),
        ({"fwhm": float("nan")}, "fwhm is nan"),
        ({"floor": -0.1}, "floor is -0.1"),
        ({"floor": float("inf")}, "floor is inf"),
    ],
)
def test_kernels_that_no_table_can_be_made_of(values: dict[str, float], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        ZoomKernel(**values)  # type: ignore[arg-type]


def test_a_warp_is_as_wide_as_high() -> None:
    warp = Warp(BOX, 64, np.array([0.0, 1.0]), np.array([0.0, 1.0]))
    assert (warp.width, warp.height, warp.is_identity) == (64, 64, True)
