"""A YOLO export in the hands of Ultralytics' own loader.

By hand: `python -m venv V; V/bin/pip install ultralytics==8.4.190`, then
`ULTRALYTICS=V/bin/python pytest -m proof tests/cli/test_ultralytics.py`.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask
from running import Command

from vtmr.masks import iou

pytestmark = pytest.mark.proof
HEIGHT, WIDTH = 120, 160
NAMES = (
    "a.png",
    "images/b.jpg",
    "sub dir/c.png",
    "x.jpg",
    "x.png",
    "grün 😀.webp",
    "d" * 249 + ".png",
)
LABELS = ("cup", '😀 "q": x', "Größe")
SHAPES = (
    [[10, 10, 60, 12, 55, 70, 14, 60]],
    [[20, 20, 50, 20, 50, 50, 20, 50], [90, 30, 140, 30, 140, 100, 90, 100]],
    [[5, 5, 155, 5, 155, 115, 5, 115]],
)
LOADER = """
import json, sys
import numpy as np
from ultralytics.cfg import get_cfg
from ultralytics.data.build import build_yolo_dataset
from ultralytics.data.utils import check_det_dataset, polygon2mask

data = check_det_dataset(sys.argv[1], autodownload=False)
settings = get_cfg()
settings.task, settings.imgsz, settings.cache = "segment", 64, False
found = []
for split in ("train", "val"):
    dataset = build_yolo_dataset(
        settings, data[split], 2, data, mode=split, rect=False, stride=32
    )
    for index, label in enumerate(dataset.labels):
        dataset[index]
        height, width = label["shape"]
        masks = [
            polygon2mask((height, width), [(s * (width, height)).reshape(-1)], 1, 1)
            for s in label["segments"]
        ]
        found.append({
            "split": split,
            "file": label["im_file"],
            "labels": [data["names"][int(number)] for number in label["cls"].ravel()],
            "masks": [np.flatnonzero(mask).tolist() for mask in masks],
        })
print("FOUND", json.dumps(found))
"""


@pytest.mark.skipif("ULTRALYTICS" not in os.environ, reason="needs ultralytics: see above")
def test_it_loads_every_object(tmp_path: Path, command: Command) -> None:
    """From another working directory: each photo with its label, and nearly the mask's pixels."""
    photos, out, random = tmp_path / "photos", tmp_path / "out", np.random.default_rng(0)
    for name in (*NAMES, "unmarked.png"):
        (photos / name).parent.mkdir(parents=True, exist_ok=True)
        pixels = random.integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(photos / name)
    content = {
        "images": [{"id": n, "file_name": name} for n, name in enumerate(NAMES)],
        "annotations": [
            {"id": n, "image_id": n, "category_id": n % 3, "segmentation": SHAPES[n % 3]}
            for n in range(len(NAMES))
        ],
        "categories": [{"id": n, "name": name} for n, name in enumerate(LABELS)],
    }
    (tmp_path / "instances.json").write_text(json.dumps(content))
    assert command("import-annotations", photos, tmp_path / "instances.json").code == 0
    assert command("export-annotations", photos, "--format", "yolo", "--out", out).code == 0
    done = subprocess.run(
        [os.environ["ULTRALYTICS"], "-c", LOADER, out / "data.yaml"],
        capture_output=True,
        text=True,
        cwd="/",
        env={**os.environ, "YOLO_CONFIG_DIR": str(tmp_path)},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.partition("FOUND ")[2])
    assert len(found) == 2 * len(NAMES)
    by_photo = {os.path.realpath(record["file"]): record for record in found}
    for number, name in enumerate(NAMES):
        record = by_photo[os.path.realpath(photos / name)]
        assert record["labels"] == [LABELS[number % 3]]
        (pixels,) = record["masks"]
        drawn = np.zeros(HEIGHT * WIDTH, bool)
        drawn[pixels] = True
        shapes = coco_mask.frPyObjects(SHAPES[number % 3], HEIGHT, WIDTH)
        wanted = coco_mask.decode(coco_mask.merge(shapes)).astype(bool)
        overlap = iou(drawn.reshape(HEIGHT, WIDTH), wanted)
        print(f"{name[:20]}: IoU {overlap:.4f}")
        assert overlap > 0.97
