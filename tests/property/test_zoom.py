"""Laws of the zoom's maps, for any guidance and kernel: docs/method.md §F.2 and §F.5 state them."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from vtmr.geometry import Box, Frame
from vtmr.spec import ZoomKernel
from vtmr.zoom import Warp, warp_towards, zoom_table


@st.composite
def kernels(draw: st.DrawFn) -> ZoomKernel:
    grid = draw(st.integers(2, 64))
    fwhm = draw(st.floats((grid - 1) / 12, 3 * grid))
    return ZoomKernel(grid, fwhm, draw(st.sampled_from([0.0, 1e-6, 0.05, 1.0])))


@st.composite
def warps(draw: st.DrawFn) -> Warp:
    x0, y0 = draw(st.integers(0, 500)), draw(st.integers(0, 500))
    box = Box(x0, y0, x0 + draw(st.integers(1, 3000)), y0 + draw(st.integers(1, 3000)))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    guidance = rng.random((64, 64)) < draw(st.sampled_from([0, 0.0005, 0.01, 0.5]))
    guidance[: draw(st.integers(0, 64)), : draw(st.integers(0, 64))] = False
    return warp_towards(guidance, box, draw(st.sampled_from([32, 256])), draw(kernels()))


@given(kernels(), st.integers(0, 99), st.floats(1e-9, 1e9))
def test_tables_increase_from_0_to_1(kernel: ZoomKernel, seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    guidance = rng.random(kernel.grid) * (rng.random(kernel.grid) < 0.3) * scale
    table = zoom_table(guidance, kernel)
    assert (table[0], table[-1]) == (0, 1)
    assert np.diff(table).min() > 0
    mirrored = zoom_table(guidance[::-1], kernel)
    np.testing.assert_allclose(mirrored, 1 - table[::-1], atol=1e-9)


@given(warps(), st.integers(0, 99))
def test_points_come_back(warp: Warp, seed: int) -> None:
    rng = np.random.default_rng(seed)
    grid = rng.uniform(-0.1 * warp.size, 1.1 * warp.size, (50, 2))
    np.testing.assert_allclose(warp.to_grid(warp.to_image(grid)), grid, atol=1e-6)
    image = rng.uniform((warp.box.x0, warp.box.y0), (warp.box.x1, warp.box.y1), (50, 2))
    np.testing.assert_allclose(warp.to_image(warp.to_grid(image)), image, atol=1e-6)


@given(warps())
def test_the_grid_covers_the_box_in_order(warp: Warp) -> None:
    corners: NDArray[np.float64] = np.array([(0.0, 0.0), (warp.size, warp.size)])
    expected = [(warp.box.x0, warp.box.y0), (warp.box.x1, warp.box.y1)]
    np.testing.assert_allclose(warp.to_image(corners), expected)
    for centres, low, high in zip(warp.centres(), expected[0], expected[1], strict=True):
        assert low < centres[0] < centres[-1] < high
        assert np.diff(centres).min() > 0


@given(warps())
def test_a_linear_surface_is_unwarped_between_its_values(warp: Warp) -> None:
    """Unwarped values never leave the range of the values that they come from."""
    values = np.linspace(-5, 5, warp.size, dtype=np.float32)[None, :].repeat(warp.size, axis=0)
    back = warp.unwarp(values, Frame(warp.box, 40, 30))
    assert back.shape == (30, 40)
    assert np.diff(back, axis=1).min() >= -1e-5
    assert back.min() >= -5 and back.max() <= 5
