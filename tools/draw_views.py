"""Draws docs/pictures/views.jpg and docs/pictures/parts.jpg with the bundled model.

python tools/draw_views.py

views.jpg: one photo, clicked on far parts. In the upper row every click is answered in its own
target crop alone (yellow), as before the view policy, in the lower one as the policy has it:
the target crop in yellow, the view that was taken instead in white. parts.jpg: the twelve vendored
photos with clicks on three far parts each, before and after; the clicks were chosen once, by hand,
before any answer was seen, and nothing here is chosen to look well.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from draw_strips import DOCS, JPEG_QUALITY, fitted

import vtmr
from vtmr.cli.demo import bundled_photos
from vtmr.cli.segment import draw
from vtmr.geometry import Box
from vtmr.segmenter import LayeredPrediction, segmenter_for
from vtmr.segmenter.vtmr import VtmrSegmenter
from vtmr.spec import NARROW, WIDE, ZoomSchedule
from vtmr.types import Click, Image

PANEL, LARGE_PANEL = (240, 180), (400, 300)  # width, height
YELLOW, WHITE = (255, 220, 0), (255, 255, 255)
EXPLAINED = "pagoda"
PARTS = {  # photo: three places of one object, far from each other
    "astronaut": ((225, 110), (70, 400), (290, 470)),
    "camera": ((110, 200), (100, 460), (215, 90)),
    "chelsea": ((245, 230), (340, 40), (60, 130)),
    "coffee": ((120, 240), (300, 370), (450, 210)),
    "rocket": ((320, 150), (322, 250), (322, 390)),
    "cell": ((380, 350), (450, 370), (415, 410)),
    "coins": ((325, 180), (365, 195), (345, 210)),
    "dahlia": ((305, 215), (200, 170), (400, 280)),
    "galaxies": ((460, 302), (470, 306), (465, 299)),
    "glands": ((60, 60), (250, 150), (150, 210)),
    "pagoda": ((200, 120), (150, 260), (280, 330)),
    "retina": ((320, 320), (100, 200), (550, 450)),
}


def main() -> None:
    model = vtmr.load()
    photos = [*bundled_photos(), *bundled_photos(DOCS / "strip")]
    cells = []
    for photo in photos:
        image = vtmr.read_image(photo.path)
        clicks = [Click(x + 0.5, y + 0.5) for x, y in PARTS[photo.path.stem]]
        panels = []
        for views in (NARROW, WIDE):
            segmenter = segmenter_for(model.network, views=views, zoom=ZoomSchedule(schedule="off"))
            assert isinstance(segmenter, VtmrSegmenter)
            panels.append(fitted(answers(segmenter, image, clicks)[-1][0], PANEL))
        cells.append(np.hstack(panels))
        if photo.path.stem == EXPLAINED:
            explain(model.network, image, clicks)
    rows = [np.hstack(cells[i : i + 2]) for i in range(0, len(cells), 2)]
    write("parts.jpg", rows)


def explain(network: object, image: Image, clicks: Sequence[Click]) -> None:
    """views.jpg: the photo's clicks without and with the policy, and where each pass looked."""
    rows = []
    for views in (NARROW, WIDE):
        segmenter = segmenter_for(network, views=views, zoom=ZoomSchedule(schedule="off"))
        panels = []
        for picture, first, answered in answers(segmenter, image, clicks):
            for box, colour in ((answered, WHITE), (first, YELLOW)):
                corner = (box.x1 - 1, box.y1 - 1)
                cv2.rectangle(picture, (box.x0, box.y0), corner, colour, 2)
            panels.append(fitted(picture, LARGE_PANEL))
        rows.append(np.hstack(panels))
    write("views.jpg", rows)


def answers(
    segmenter: VtmrSegmenter, image: Image, clicks: Sequence[Click]
) -> list[tuple[Image, Box, Box]]:
    """After each click: the photo with mask and clicks, the target crop, the view that answered."""
    scene = segmenter.prepare(image)
    found: list[tuple[Image, Box, Box]] = []
    answer: LayeredPrediction | None = None
    mask = None
    for k in range(1, len(clicks) + 1):
        prompts = segmenter.prompts(scene, clicks[:k], None)
        first = segmenter.first_view(prompts, answer, mask).box
        answer = segmenter.predict(scene, clicks[:k], answer, mask)
        mask = answer.render()
        found.append((draw(image, mask, clicks[:k]), first, answer.layers[0].box))
    return found


def write(name: str, rows: Sequence[Image]) -> None:
    picture = np.vstack(rows)[:, :, ::-1]
    cv2.imwrite(
        str(Path(DOCS, "pictures", name)), picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    )


if __name__ == "__main__":
    main()
