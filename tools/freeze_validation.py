"""Writes a list of objects that models are chosen by. Run once for each; the lists are frozen.

    python tools/freeze_validation.py ../shared/data            # src/vtmr/data/validation.json
    python tools/freeze_validation.py ../shared/data large      # src/vtmr/data/large.json

The images are those of each set's val.txt. Salient sets give their one object per image; the others
up to two objects, drawn with a fixed seed, of at least 400 px each in `validation`, whose photos
have 352 to 481 px, and of at least 1,600 px in `large`, whose photos have 640 to 1,600.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from vtmr.data import OPENERS
from vtmr.data.benchmarks import list_hash

LISTS = {  # name: sets, least area of an object in px
    "validation": (("duts", "ecssd", "coco", "inst", "ccp"), 400),
    "large": (("large",), 1600),
}
PER_IMAGE = 2
SEED = 20261122


def main(root: Path, name: str = "validation") -> None:
    sets, least_px = LISTS[name]
    rng = np.random.default_rng(SEED)
    objects = []
    for folder in sets:
        source = OPENERS[folder](folder, root / folder)
        for stem in sorted((root / folder / "val.txt").read_text().split()):
            if stem not in source.stems:
                continue  # an image without annotations
            ids = [i for i in source.object_ids(stem) if source.mask(stem, i).sum() >= least_px]
            objects += [
                (folder, stem, str(i)) for i in sorted(rng.permutation(ids)[:PER_IMAGE], key=int)
            ]
    text = json.dumps(
        {"sha256": list_hash(objects), "objects": objects}, indent=0, ensure_ascii=False
    )
    target = Path(__file__).resolve().parents[1] / f"src/vtmr/data/{name}.json"
    target.write_text(text.replace("[\n", "[").replace(',\n"', ', "').replace("\n]", "]") + "\n")
    counts = [f"{folder}: {sum(o[0] == folder for o in objects)}" for folder in sets]
    print(f"{len(objects)} objects of {', '.join(counts)}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
