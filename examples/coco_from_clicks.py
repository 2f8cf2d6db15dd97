"""Clicks on photos become a COCO data set, which can be trained on or opened elsewhere.

    python examples/coco_from_clicks.py FOLDER

Clicks the photos that come with vtmr (photos.json says where) and writes FOLDER/images and
FOLDER/instances.json, in the layout that recipes read with `reader = "coco"`.
"""

from __future__ import annotations

import json
import shutil
import sys
from importlib import resources
from pathlib import Path

import vtmr
from vtmr.formats import AnnotatedImage, Annotation, write
from vtmr.masks import RunLengths


def main(folder: str) -> None:
    photos = Path(str(resources.files("vtmr") / "assets" / "photos"))
    images = Path(folder) / "images"
    images.mkdir(parents=True, exist_ok=True)
    predictor = vtmr.load()
    annotated = []
    for entry in json.loads((photos / "photos.json").read_text()):
        shutil.copy(photos / entry["file"], images)
        image = vtmr.read_image(images / entry["file"])
        session = vtmr.Session(predictor, image)
        for x, y, positive in entry["clicks"]:
            session = session.add(vtmr.Click(x, y, positive))
        height, width, _ = image.shape
        label = entry["title"]
        objects = (Annotation(label, RunLengths.encode(session.mask)),)
        annotated.append(AnnotatedImage(entry["file"], height, width, objects))
    files = write("coco", annotated, labels=[])
    (Path(folder) / "instances.json").write_bytes(files.content["annotations.json"])
    print(f"{folder} has {len(annotated)} images with an object each")


if __name__ == "__main__":
    main(*sys.argv[1:])
