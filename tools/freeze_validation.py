"""Writes src/vtmr/data/validation.json: the objects that models are chosen by. Run once; the list
is frozen.

    python tools/freeze_validation.py ../shared/data

The images are those of each set's val.txt. Salient sets give their one object per image; the others
up to two objects of at least 400 px each, drawn with a fixed seed.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from vtmr.data import OPENERS
from vtmr.data.benchmarks import list_hash

SETS = ("duts", "ecssd", "coco", "inst", "ccp")
PER_IMAGE = 2
MIN_AREA_PX = 400
SEED = 20261122


def main(root: Path) -> None:
    rng = np.random.default_rng(SEED)
    objects = []
    for name in SETS:
        source = OPENERS[name](name, root / name)
        for stem in sorted((root / name / "val.txt").read_text().split()):
            if stem not in source.stems:
                continue  # an image without annotations
            ids = [i for i in source.object_ids(stem) if source.mask(stem, i).sum() >= MIN_AREA_PX]
            objects += [
                (name, stem, str(i)) for i in sorted(rng.permutation(ids)[:PER_IMAGE], key=int)
            ]
    text = json.dumps(
        {"sha256": list_hash(objects), "objects": objects}, indent=0, ensure_ascii=False
    )
    target = Path(__file__).resolve().parents[1] / "src/vtmr/data/validation.json"
    target.write_text(text.replace("[\n", "[").replace(',\n"', ', "').replace("\n]", "]") + "\n")
    print(
        f"{len(objects)} objects of "
        f"{', '.join(f'{n}: {sum(o[0] == n for o in objects)}' for n in SETS)}"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
