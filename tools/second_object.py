"""Whether a positive click off the selected object's mask is meant for it or for another object:
what rules make of robots' clicks.

    python tools/second_object.py play CLICKS.jsonl --data FOLDER [--photos N] [--model lite0]
    python tools/second_object.py report CLICKS.jsonl [CLICKS.jsonl ...]

FOLDER holds images/ and instances.json as COCO has them, and val.txt, whose photos are left out;
where it names all of them they are played, for a last check. `play` takes photos with several
objects, makes a mask of one of them by one to three clicks of the careful robot, and then tells
what is known of further clicks before they count: of corrections (on what the mask lacks: in its
middle, anywhere, and away from the first click), while the mask is less than .95 right, and of
first clicks on other objects (in the middle, and anywhere). One line of JSON a click; a file that
is there is gone on with. `report` reads them and says what each rule makes of them: the share of
corrections that it takes for a new object, and the share of first clicks on other objects that
it takes for one, as they are; with Wilson's 95 % intervals, which take clicks of one photo as
independent. Clicks on the mask itself are no question and left out.

Everything random is drawn from the photo's name.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from pycocotools.coco import COCO

from vtmr import load
from vtmr.bench.robot import click_stream, next_click
from vtmr.geometry import Box, Frame
from vtmr.images import read_image
from vtmr.masks import Mask, bounding_box, iou
from vtmr.people import part_click, random_click
from vtmr.session import Session
from vtmr.session.answers import logits_of
from vtmr.types import Click, Image, Predictor

LEAST_SHARE = 0.005  # of the photo, that an object takes
LEAST_PX = 400
MOST_OVERLAP = 0.05  # of the smaller one: hats on heads are part of both
ENOUGH = 0.95  # intersection over union from which nobody corrects
MOST_OTHERS = 2  # objects of a photo that are clicked next
CORRECTIONS, FIRST_CLICKS = ("careful", "random", "parts"), ("middle", "anywhere")
STAGE_PX = 676  # CSS pixels of the photo's longer side, in a window of 1280 x 720

Told = dict[str, Any]  # of a click: a line of the file


@dataclass(frozen=True)
class Photo:
    name: str
    image: Image
    masks: list[Mask]


def read_photos(folder: Path, most: int) -> Iterator[Photo]:
    """Photos with at least two objects that share next to nothing, in an order that is drawn."""
    with contextlib.redirect_stdout(sys.stderr):  # it says how far it is
        coco = COCO(folder / "instances.json")
    left_out = set((folder / "val.txt").read_text().split())
    entries = sorted(coco.imgs.values(), key=lambda entry: entry["file_name"])
    played = [entry for entry in entries if Path(entry["file_name"]).stem not in left_out]
    count = 0
    for place in click_stream(0, folder.name).permutation(len(played or entries)):
        entry = (played or entries)[place]
        found = coco.loadAnns(coco.getAnnIds([entry["id"]], iscrowd=False))
        least = max(LEAST_PX, LEAST_SHARE * entry["width"] * entry["height"])
        masks = [coco.annToMask(one).astype(bool) for one in found if one["area"] >= least]
        if len(masks) < 2:
            continue
        image = read_image(folder / "images" / entry["file_name"])
        yield Photo(f"{folder.name}/{Path(entry['file_name']).stem}", image, masks)
        count += 1
        if count == most:
            return


def play(photo: Photo, predictor: Predictor) -> list[Told]:
    """The clicks that were asked of in one photo; none where its objects overlap too much."""
    stream = click_stream(0, photo.name)
    first = int(stream.integers(len(photo.masks)))
    gt_mask = photo.masks[first]
    others = [
        mask
        for n, mask in enumerate(photo.masks)
        if n != first and share(gt_mask, mask) <= MOST_OVERLAP
    ]
    if not others:
        return []
    scene = predictor.prepare(photo.image)
    begun = Session(predictor, photo.image, scene=scene)
    session = begun
    clicks: list[Click] = []
    for _ in range(int(stream.integers(1, 4))):
        click = next_click(session.mask, gt_mask, None, clicks)
        if click is None:
            break
        session = session.add(click)
        clicks.append(click)
        if iou(session.mask, gt_mask) >= ENOUGH:
            break
    about = {
        "photo": photo.name,
        "clicks": len(clicks),
        "iou": round(iou(session.mask, gt_mask), 4),
        "object": int(gt_mask.sum()),
    }
    asked: list[tuple[str, Mask, Click | None]] = []
    lacks = session.mask & gt_mask  # so that what the mask lacks is all that is wrong
    if about["iou"] < ENOUGH:
        asked += [
            ("careful", gt_mask, next_click(lacks, gt_mask, None, clicks)),
            ("random", gt_mask, random_click(lacks, gt_mask, None, clicks, stream)),
            ("parts", gt_mask, part_click(gt_mask, lacks, clicks, stream)),
        ]
    for place in stream.permutation(len(others))[:MOST_OTHERS]:
        other = others[place]
        empty = np.zeros_like(other)
        asked += [
            ("middle", other, next_click(empty, other)),
            ("anywhere", other, random_click(empty, other, None, (), stream)),
        ]
    return [
        {"robot": robot, **about, **known_of(begun, session, clicks, click, meant)}
        for robot, meant, click in asked
        if click is not None
    ]


def known_of(
    begun: Session, session: Session, clicks: Sequence[Click], click: Click, meant: Mask
) -> Told:
    """What can be said of a click before it counts. meant: the object that it is for."""
    mask = session.mask
    height, width = mask.shape
    row, col = click.pixel
    box = bounding_box(mask)
    about: Told = {"width": width, "height": height, "x": click.x, "y": click.y}
    if box is None:
        return about | {"on": False, "empty": True}
    about |= {"on": bool(mask[row, col]), "area": int(mask.sum())}
    about["box"] = [box.x0, box.y0, box.x1, box.y1]
    about["from_mask"] = round(distances(mask)[row, col], 2)
    about["from_box"] = round(
        math.hypot(
            max(box.x0 - click.x, 0, click.x - box.x1), max(box.y0 - click.y, 0, click.y - box.y1)
        ),
        2,
    )
    logit = logits_of(session.prediction, Frame(Box(col, row, col + 1, row + 1), 1, 1), "")
    about["logit"] = max(-99.0, round(float(logit[0, 0]), 2))
    alone = begun.add(click).mask
    both = session.add(click).mask
    about["alone"] = int(alone.sum())
    about["alone_on_mask"] = int((alone & mask).sum())
    about["alone_iou_meant"] = round(iou(alone, meant), 4)
    about["alone_holds"] = sum(bool(alone[one.pixel]) for one in clicks if one.positive)
    about["positive"] = sum(one.positive for one in clicks)
    about["gap"] = round(float(distances(mask)[alone].min()), 2) if alone.any() else None
    about["both"] = int(both.sum())
    about["both_on_mask"] = int((both & mask).sum())
    about["both_on_alone"] = int((both & alone).sum())
    about["both_on_either"] = int((both & (alone | mask)).sum())
    about["both_holds_click"] = bool(both[row, col])
    about["both_iou_meant"] = round(iou(both, meant), 4)
    return about


def distances(mask: Mask) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Of each pixel's centre to the nearest one of the mask's: float32 H x W, in pixels."""
    off = (~mask).astype(np.uint8)
    return np.asarray(cv2.distanceTransform(off, cv2.DIST_L2, cv2.DIST_MASK_PRECISE), np.float32)


def share(one: Mask, other: Mask) -> float:
    """Of the smaller mask, that lies on the other."""
    return float((one & other).sum() / min(one.sum(), other.sum()))


def longer(told: Told) -> float:
    return float(max(told["width"], told["height"]))


def beyond_box(told: Told) -> bool:
    """Half a crop's size beyond the crop around the mask's box, taken as a square."""
    x0, y0, x1, y1 = told["box"]
    least = 48 * longer(told) / STAGE_PX
    return bool(told["from_box"] > max(0.9 * math.sqrt((x1 - x0) * (y1 - y0)), least))


def beyond(told: Told, of_photo: float, of_mask: float = 0) -> bool:
    """So far from the mask: of the photo's longer side, and of the side of a square as large as the
    mask."""
    far = max(of_photo * longer(told), of_mask * math.sqrt(told["area"]))
    return bool(told["from_mask"] > far)


def apart(told: Told, px: float) -> bool:
    """Whether the answer to the click alone stays so far from the mask."""
    return bool((told["gap"] or 0) > px)


RULES: dict[str, Callable[[Told], bool]] = {
    "from the box: .9 of its size, 48 CSS px": beyond_box,
    **{
        f"from the mask: {share} of the photo": partial(beyond, of_photo=share)
        for share in (0.03, 0.05, 0.07, 0.1, 0.14)
    },
    "from the mask: .7 of its size": lambda told: beyond(told, 0, 0.7),
    "from the mask: .07 of the photo, .7 of its size": lambda told: beyond(told, 0.07, 0.7),
    "from the mask: .1 of the photo, .7 of its size": lambda told: beyond(told, 0.1, 0.7),
    "the click's own answer is 2 px off the mask": lambda told: apart(told, 2),
    "… 8 px": lambda told: apart(told, 8),
    "… 2 px, and .05 of the photo": lambda told: apart(told, 2) and beyond(told, 0.05),
    "… 2 px, and .1 of the photo": lambda told: apart(told, 2) and beyond(told, 0.1),
    "… holds no click of the object": lambda told: not told["alone_holds"],
    "… overlaps by less than .05": lambda told: (
        told["alone_on_mask"] < 0.05 * (told["area"] + told["alone"] - told["alone_on_mask"])
    ),
    "the probability there is below .18": lambda told: told["logit"] < -1.5,
    "going on would lose a fifth of the mask": lambda told: (
        told["both_on_mask"] < 0.8 * told["area"]
    ),
}


def report(told: Sequence[Told]) -> Iterator[str]:
    """The table's lines. told: the clicks'."""
    off = [one for one in told if not one["on"] and not one.get("empty")]
    corrections = [one for one in off if one["robot"] in CORRECTIONS]
    others = [one for one in off if one["robot"] in FIRST_CLICKS]
    yield f"{len({one['photo'] for one in told})} photos"
    yield "| a new object is meant | of corrections | of first clicks on others |"
    yield "|---|--:|--:|"
    for name, rule in RULES.items():
        cells = [name, *(counted(rule, clicks) for clicks in (corrections, others))]
        yield f"| {' | '.join(cells)} |"


def counted(rule: Callable[[Told], bool], clicks: Sequence[Told]) -> str:
    """Of how many clicks it holds, in percent, with Wilson's interval."""
    number, total, z = sum(map(rule, clicks)), len(clicks), 1.96
    middle = (number + z * z / 2) / (total + z * z)
    half = z * math.sqrt(number * (total - number) / total + z * z / 4) / (total + z * z)
    low, high = 100 * (middle - half), 100 * (middle + half)
    return f"{number} of {total}: {100 * number / total:.1f} % ({low:.1f} to {high:.1f})"


def read(path: Path) -> list[Told]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    playing = commands.add_parser("play")
    playing.add_argument("clicks", type=Path)
    playing.add_argument("--data", type=Path, required=True)
    playing.add_argument("--photos", type=int, default=50)
    playing.add_argument("--model", default="lite0")
    commands.add_parser("report").add_argument("clicks", type=Path, nargs="+")
    arguments = parser.parse_args()
    if arguments.command == "report":
        print("\n".join(report([one for path in arguments.clicks for one in read(path)])))
        return
    predictor = load(arguments.model, threads=1)
    known = {one["photo"] for one in read(arguments.clicks)}
    with arguments.clicks.open("a") as file:
        for photo in read_photos(arguments.data, arguments.photos):
            if photo.name in known:
                continue
            for told in play(photo, predictor):
                file.write(json.dumps(told) + "\n")
            file.flush()


if __name__ == "__main__":
    main()
