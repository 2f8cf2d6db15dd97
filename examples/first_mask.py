"""Two clicks on a photo become a mask beside it.

    python examples/first_mask.py PHOTO MASK.png

PHOTO is any image file. The first click says what the object is, in the middle of the image; the
second, near the lower right corner, says what it isn't. Prints the share of the photo that the mask
covers.
"""

from __future__ import annotations

import sys

import vtmr
from vtmr.images import write_png


def main(photo: str, output: str) -> None:
    image = vtmr.read_image(photo)
    height, width, _ = image.shape
    session = vtmr.Session(vtmr.load(), image)
    session = session.add(vtmr.Click(width * 0.5, height * 0.5))
    session = session.add(vtmr.Click(width * 0.95, height * 0.95, positive=False))
    write_png(output, session.mask)
    print(f"{output} covers {session.mask.mean():.0%} of {photo}")


if __name__ == "__main__":
    main(*sys.argv[1:])
