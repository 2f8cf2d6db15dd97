"""Draws docs/pictures/zoom.jpg: what the network sees of a bundled photo, plainly resized and
zoomed.

python tools/draw_zoom.py
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from vtmr.drawing import Image, Panel, draw_clicks, draw_grid, strip
from vtmr.geometry import Box
from vtmr.images import read_image
from vtmr.maskfiles import read_mask
from vtmr.masks import Mask, bounding_box, disc_maps
from vtmr.pyramid import crop_resized
from vtmr.spec import ZoomKernel
from vtmr.zoom import warp_towards

ROOT = Path(__file__).resolve().parents[1]
ASSETS = ROOT / "src/vtmr/assets"
OUT = ROOT / "docs/pictures/zoom.jpg"
SIZE, RADIUS, LINES, SIDE = 256, 5.0, 33, 400
CLICKS = np.array([(290.0, 235.0), (366.0, 290.0)])
POSITIVE = np.array([True, False])


def main() -> None:
    image = read_image(ASSETS / "photos/coffee.jpg")
    mask = read_mask(ASSETS / "latency/coffee-cup.png", image.shape[:2])
    whole = Box.whole(*mask.shape)
    around = bounding_box(mask)
    assert around is not None
    panels = [
        *row(image, mask, whole, "the whole photo"),
        *row(image, mask, around.expanded(1.4, whole), "a target crop"),
    ]
    sheet = strip(panels, panel_width=300, columns=3)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(OUT), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 85])
    print(f"{OUT}: {OUT.stat().st_size / 1000:.0f} kB")


def row(image: Image, mask: Mask, box: Box, name: str) -> list[Panel]:
    """The box with every eighth line of the zoomed grid, and the two grids, guided by the mask and
    two clicks."""
    frame_points = (CLICKS - (box.x0, box.y0)) * (SIZE / box.width, SIZE / box.height)
    seen = (
        cv2.resize(mask[box.slices].view(np.uint8), (SIZE, SIZE), interpolation=cv2.INTER_NEAREST)
        > 0
    )
    guidance = seen | disc_maps(frame_points, POSITIVE, RADIUS, SIZE, SIZE).any(axis=0)
    warp = warp_towards(guidance, box, SIZE, ZoomKernel())
    borders = warp.to_image(np.repeat(np.linspace(0, SIZE, LINES)[:, None], 2, axis=1))
    lined = draw_clicks(draw_grid(image, borders[:, 0], borders[:, 1]), CLICKS, POSITIVE)
    scale = SIDE / SIZE
    plain = cv2.resize(crop_resized(image, box, SIZE), (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
    zoomed = cv2.resize(warp.sample(image), (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
    return [
        Panel(
            cv2.resize(lined[box.slices], (SIDE, SIDE), interpolation=cv2.INTER_AREA),
            f"{name}: every 8th line",
        ),
        Panel(
            draw_clicks(plain, frame_points * scale, POSITIVE),
            f"plain: cup {seen.mean():.0%} of the grid",
        ),
        Panel(
            draw_clicks(zoomed, warp.to_grid(CLICKS) * scale, POSITIVE),
            f"zoomed: cup {warp.sample_mask(mask).mean():.0%} of the grid",
        ),
    ]


if __name__ == "__main__":
    main()
