"""What an annotator's tasks cost: clicks, drags, keys and seconds, as a Markdown table.

    python tools/tasks.py [--model lite0] [--photos FOLDER] [--tree CHECKOUT]

Chromium does each task in a fresh folder, on images that are drawn here and whose shapes are known,
in two of the bundled photos, and with --photos in a data set's: FOLDER holds images/ and
instances.json as COCO has them. Every input goes through `Hand`, which counts it; a task is done
when its result is right: by the intersection over union with the known shapes, by points of a photo
that have to be in the mask or out of it, or by the exported file. A click that corrects goes where
the largest part that is wrong is widest. Seconds are of the clock, from the first input to the last
answer, and those of a script: a person's are longer.

--tree serves the annotator of another checkout, an earlier one for example. What it has no tool for
is done as well as it allows, or is told not to be possible.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, sync_playwright
from pycocotools.coco import COCO

from vtmr.cli.demo import bundled_photos
from vtmr.masks import RunLengths
from vtmr.runtime.bundle import bundled_models

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from desk import Desk, Server

ROOT = Path(__file__).parents[1]

Mask = NDArray[np.bool_]
Point = tuple[float, float]
LABELS = ("cup", "plate", "spoon")
COLOURS = ((200, 40, 40), (40, 40, 200), (230, 200, 40))  # of a label's shapes
GROUND = (60, 150, 60)
ENOUGH = 0.95  # intersection over union from which a shape counts as annotated
MOST_CORRECTIONS = 6  # of one object, before the task is given up
TOUCHING_ACTIONS, TWENTY_ACTIONS = 6, 60  # what these tasks may take
IMPORT = "button:text-is('Import')"  # what the page offers where masks lie beside an image
PHOTOS = 4  # of the data set, a task
PHOTO_ENOUGH = 0.9  # intersection over union: data sets have outlines less exact than shapes
PHOTO_CORRECTIONS = 8
LEAST_SHARE = 0.01  # of the photo, that an object of a task takes


class Hand:
    """Gives inputs to the page and counts them. A key with Ctrl held is one key, a press, a move
    and a release are one drag, a notch of the wheel is one."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.clicks = self.drags = self.keys = self.notches = 0
        self._start = time.perf_counter()
        self.seconds = 0.0

    @property
    def actions(self) -> int:
        return self.clicks + self.drags + self.keys + self.notches

    def click(self, point: Point, *, positive: bool = True) -> None:
        """At an image point; the whole image is visible."""
        self.clicks += 1
        self.desk.click(*point, positive=positive)
        self._answered()

    def click_button(self, selector: str) -> None:
        self.clicks += 1
        self.desk.page.locator(selector).click()
        self.desk.ready()
        self._answered()

    def drag(self, *points: Point) -> None:
        self.drags += 1
        self.desk.drag(*points)
        self._answered()

    def press(self, key: str) -> None:
        self.keys += 1
        self.desk.press(key)
        self._answered()

    def zoom_and_click(self, point: Point, notches: int) -> None:
        """Zooms at the point, then aims at what is seen of it by then."""
        place = self.desk.window_point(*point)
        self.desk.page.mouse.move(*place)
        for _ in range(notches):
            self.notches += 1
            self.desk.page.mouse.wheel(0, -120)
            self.desk.ready()
        self.desk.page.mouse.move(*place)
        read = self.desk.page.locator("#reading-point").text_content() or ""
        zoomed = self.desk.page.locator("#reading-zoom").text_content() or ""
        scale = float(zoomed.removesuffix("%")) / 100  # the window has a device pixel a CSS pixel
        x, y = (
            at + scale * (wanted - (float(seen) + 0.5))
            for at, wanted, seen in zip(place, point, read.split(","), strict=True)
        )
        self.clicks += 1
        self.desk.page.mouse.click(x, y)
        self.desk.ready()
        self._answered()

    def _answered(self) -> None:
        self.seconds = time.perf_counter() - self._start


@dataclass(frozen=True)
class Task:
    """prepare: puts the image into a folder and says its name; do: works in the page, and says what
    came out, or raises AssertionError."""

    title: str
    prepare: Callable[[Path], str]
    do: Callable[[Hand], str]


def overlap(mask: Mask, truth: Mask) -> float:
    """Intersection over union."""
    return float(np.count_nonzero(mask & truth) / np.count_nonzero(mask | truth))


def widest(wrong: Mask) -> Point:
    """The middle of the pixel that lies deepest in a wrong part. wrong: bool H x W."""
    padded = np.pad(wrong.astype(np.uint8), 1)
    depth = cv2.distanceTransform(padded, cv2.DIST_L2, 5)[1:-1, 1:-1]
    y, x = np.unravel_index(int(depth.argmax()), depth.shape)
    return float(x) + 0.5, float(y) + 0.5


def correct(hand: Hand, place: int, truth: Mask) -> float:
    """Clicks until the selected object, at that place from the bottom, is right; its overlap."""
    reached = approach(hand, place, truth, ENOUGH, MOST_CORRECTIONS)
    assert reached >= ENOUGH, f"object {place + 1}: overlap {reached:.2f}"
    return reached


def approach(hand: Hand, place: int, truth: Mask, enough: float, most: int) -> float:
    """As `correct`, with at most so many clicks; the overlap that they reach."""
    for _ in range(most):
        mask = hand.desk.mask(place)
        if overlap(mask, truth) >= enough:
            break
        point = widest(mask ^ truth)
        hand.click(point, positive=bool(truth[int(point[1]), int(point[0])]))
    return overlap(hand.desk.mask(place), truth)


def disc(size: tuple[int, int], centre: Point, radius: float) -> Mask:
    """bool H x W; size: width, height."""
    rows, columns = np.ogrid[: size[1], : size[0]]
    inside: Mask = (columns - centre[0]) ** 2 + (rows - centre[1]) ** 2 < radius**2
    return inside


def write_shapes(path: Path, shapes: Sequence[tuple[Mask, int]]) -> None:
    """A picture of the shapes, each in the colour of its label's number, with a little noise."""
    image = np.full((*shapes[0][0].shape, 3), GROUND, np.uint8)
    for mask, label in shapes:
        image[mask] = COLOURS[label]
    generator = np.random.default_rng(0)
    for row in image:  # by rows: a large image's noise would take gigabytes
        noise = generator.normal(0, 6, row.shape)
        row[:] = np.clip(row + noise, 0, 255)
    Image.fromarray(image).save(path, quality=95, subsampling=0)


SMALL = (640, 480)
LEFT, RIGHT = disc(SMALL, (220, 240), 100), disc(SMALL, (420, 240), 100)  # they touch at x = 320
SPOT = disc(SMALL, (600, 60), 25)  # of a bad mask, where nothing is
WIDE = (1200, 900)
BLOBS = [disc(WIDE, (150 + 225 * (n % 5), 120 + 220 * (n // 5)), 45) for n in range(20)]
BLOB_LABELS = [n * len(LABELS) // len(BLOBS) for n in range(20)]
LARGE, DOT, DOT_RADIUS = (12000, 8000), (8600.0, 2400.0), 12


def prepare_photo(stem: str) -> Callable[[Path], str]:
    def prepare(folder: Path) -> str:
        found = next(photo for photo in bundled_photos() if photo.path.stem == stem)
        shutil.copy(found.path, folder)
        return found.path.name

    return prepare


def annotate_photo(*points: tuple[float, float, bool]) -> Callable[[Hand], str]:
    """Clicks the first point, then each that the mask has wrong."""

    def do(hand: Hand) -> str:
        hand.click(points[0][:2])
        for x, y, inside in points[1:] * 2:
            if hand.desk.mask()[int(y), int(x)] != inside:
                hand.click((x, y), positive=inside)
        mask = hand.desk.mask()
        wrong = [point for point in points if mask[int(point[1]), int(point[0])] != point[2]]
        assert not wrong, f"wrong at {wrong}"
        return f"right at {len(points)} of {len(points)} points"

    return do


def prepare_bad_mask(folder: Path) -> str:
    write_shapes(folder / "bad.png", [(LEFT, 0), (disc(SMALL, (520, 380), 60), 1)])
    half = LEFT & (np.arange(SMALL[0]) < 250)
    Image.fromarray(np.uint8(half | SPOT) * 255).save(folder / "bad.mask.png")
    return "bad.png"


def correct_bad_mask(hand: Hand) -> str:
    hand.click_button(IMPORT)
    assert overlap(hand.desk.mask(), LEFT) < ENOUGH
    return f"overlap {correct(hand, 0, LEFT):.2f}"


def prepare_instances(folder: Path) -> str:
    write_shapes(folder / "three.png", [(BLOBS[0], 0), (BLOBS[7], 1), (BLOBS[14], 2)])
    return "three.png"


def export_instances(hand: Hand) -> str:
    """Three objects of three labels; the file that comes is COCO with the masks."""
    shapes = [BLOBS[0], BLOBS[7], BLOBS[14]]
    annotate_blobs(hand, shapes, [0, 1, 2])
    with hand.desk.page.expect_download() as waiting:
        hand.click_button("#export")
        hand.click_button("[data-format=coco]")
    with zipfile.ZipFile(io.BytesIO(Path(waiting.value.path()).read_bytes())) as archive:
        coco = json.loads(archive.read("annotations.json"))
    names = {category["id"]: category["name"] for category in coco["categories"]}
    found = {
        names[one["category_id"]]: one["segmentation"]["counts"] for one in coco["annotations"]
    }
    assert len(coco["annotations"]) == len(shapes)
    assert sorted(found) == sorted(LABELS)
    overlaps = []
    for label, shape in zip(LABELS, shapes, strict=True):
        height, width = shape.shape
        mask = RunLengths(height, width, found[label].encode()).decode()
        overlaps.append(overlap(mask, shape))
    assert min(overlaps) >= ENOUGH
    return f"COCO, {len(found)} objects, overlap ≥ {min(overlaps):.2f}"


def prepare_touching(folder: Path) -> str:
    write_shapes(folder / "touching.png", [(LEFT, 0), (RIGHT, 1)])
    Image.fromarray(np.uint8(LEFT | RIGHT) * 255).save(folder / "touching.mask.png")
    return "touching.png"


def separate_touching(hand: Hand) -> str:
    """One mask over both becomes two objects of two labels."""
    hand.click_button(IMPORT)
    if hand.desk.page.locator("[data-command=cut]").count():
        hand.press("t")
        hand.drag((320, 20), (320, 460))
    else:  # without a tool that cuts: one is clicked away and made anew
        correct(hand, 0, LEFT)
        hand.press("n")
        hand.click(widest(RIGHT))
        correct(hand, 1, RIGHT)
    hand.press("2")
    objects = hand.desk.objects()
    assert len(objects) == 2
    assert len({found["label"] for found in objects}) == 2
    masks = [hand.desk.mask(place) for place in range(2)]
    assert not (masks[0] & masks[1]).any(), "the masks share pixels"
    masks.sort(key=lambda mask: int(mask.any(0).argmax()))
    overlaps = [overlap(masks[0], LEFT), overlap(masks[1], RIGHT)]
    assert min(overlaps) >= ENOUGH
    assert hand.actions <= TOUCHING_ACTIONS, f"{hand.actions} actions"
    return f"overlap ≥ {min(overlaps):.2f}"


def prepare_twenty(folder: Path) -> str:
    write_shapes(folder / "twenty.png", list(zip(BLOBS, BLOB_LABELS, strict=True)))
    return "twenty.png"


def annotate_blobs(hand: Hand, shapes: Sequence[Mask], labels: Sequence[int]) -> float:
    """An object for each shape; a label's key is pressed once, for the first of a run of shapes
    that have it. The least overlap."""
    least, current = 1.0, 0
    for place, (shape, label) in enumerate(zip(shapes, labels, strict=True)):
        if place:
            hand.press("n")
        hand.click(widest(shape))
        if label != current:
            hand.press(str(label + 1))
            current = label
        least = min(least, correct(hand, place, shape))
    objects = hand.desk.objects()
    assert [found["label"] for found in objects] == [LABELS[label] for label in labels]
    return least


def annotate_twenty(hand: Hand) -> str:
    least = annotate_blobs(hand, BLOBS, BLOB_LABELS)
    assert hand.actions <= TWENTY_ACTIONS, f"{hand.actions} actions"
    return f"20 objects, 3 labels, overlap ≥ {least:.2f}"


def prepare_dot(folder: Path) -> str:
    write_shapes(folder / "dot.jpg", [(disc(LARGE, DOT, DOT_RADIUS), 0)])
    return "dot.jpg"


def annotate_dot(hand: Hand) -> str:
    hand.zoom_and_click(DOT, notches=18)
    reached = overlap(hand.desk.mask(), disc(LARGE, DOT, DOT_RADIUS))
    assert reached >= ENOUGH, f"overlap {reached:.2f}"
    return f"overlap {reached:.2f}"


def newcomers_second_object(hand: Hand) -> str:
    """Whoever knows clicks alone clicks one object, then the other one."""
    left, right = BLOBS[0], BLOBS[14]
    hand.click(widest(left))
    hand.click(widest(right))
    found = hand.desk.objects()
    assert len(found) == 2, f"{len(found)} object: the second click went to the first one"
    overlaps = [overlap(hand.desk.mask(0), left), overlap(hand.desk.mask(1), right)]
    assert min(overlaps) >= ENOUGH, f"overlap {min(overlaps):.2f}"
    return f"2 objects, overlap ≥ {min(overlaps):.2f}"


@dataclass(frozen=True)
class Photo:
    """A photo of a data set with the masks of its objects, the largest first."""

    path: Path
    masks: list[Mask]


def read_photos(folder: Path, objects: int) -> list[Photo]:
    """The first photos of the data set that have exactly so many objects, each large enough."""
    with contextlib.redirect_stdout(sys.stderr):  # it says how far it is
        coco = COCO(folder / "instances.json")
    photos = []
    for number in sorted(coco.imgs):
        entry = coco.imgs[number]
        found = coco.loadAnns(coco.getAnnIds([number], iscrowd=False))
        least = LEAST_SHARE * entry["width"] * entry["height"]
        if len(found) != objects or min(one["area"] for one in found) < least:
            continue
        masks = [coco.annToMask(one).astype(bool) for one in found]
        masks.sort(key=np.count_nonzero, reverse=True)
        if objects > 1 and (masks[0] & masks[1]).any():
            continue
        photos.append(Photo(folder / "images" / entry["file_name"], masks))
        if len(photos) == PHOTOS:
            break
    return photos


def photo_task(
    title: str,
    photos: Sequence[Photo],
    one: Callable[[Hand, Photo], list[float]],
    spoil: Callable[[Mask], Mask] | None = None,
) -> Task:
    """A task that is done in each photo: `one` answers the overlaps that it reaches there. spoil:
    what becomes of an object's mask, which then lies beside the photo to start from."""

    def prepare(folder: Path) -> str:
        for photo in photos:
            shutil.copy(photo.path, folder)
            if spoil:
                spoilt = np.uint8(spoil(photo.masks[0])) * 255
                Image.fromarray(spoilt).save(folder / f"{photo.path.stem}.mask.png")
        return photos[0].path.name

    def do(hand: Hand) -> str:
        overlaps: list[float] = []
        for photo in photos:
            hand.desk.open(photo.path.name)
            hand.desk.name = photo.path.name
            overlaps += one(hand, photo)
        right = sum(overlap >= PHOTO_ENOUGH for overlap in overlaps)
        mean = sum(overlaps) / len(overlaps)
        return f"{right} of {len(overlaps)} reach {PHOTO_ENOUGH}; mean overlap {mean:.3f}"

    return Task(f"{title}, {len(photos)} photos", prepare, do)


def second_object_in_photo(hand: Hand, photo: Photo) -> list[float]:
    overlaps = []
    for place, mask in enumerate(photo.masks):
        hand.click(widest(mask))
        if len(hand.desk.objects()) <= place:  # the click went to the object before
            to_new_object(hand, widest(mask))
        overlaps.append(approach(hand, place, mask, PHOTO_ENOUGH, PHOTO_CORRECTIONS))
    return overlaps


def to_new_object(hand: Hand, point: Point) -> None:
    """Has the newest click, made there, count for a new object."""
    if hand.desk.page.locator("#hint-over").is_visible():  # the page offers it
        hand.press("u")
    else:
        hand.press("Control+z")
        hand.press("n")
        hand.click(point)


def correct_photos_mask(hand: Hand, photo: Photo) -> list[float]:
    hand.click_button(IMPORT)
    return [approach(hand, 0, photo.masks[0], PHOTO_ENOUGH, PHOTO_CORRECTIONS)]


def shifted(mask: Mask) -> Mask:
    """By 4 % of the width and of the height."""
    dy, dx = (round(0.04 * side) for side in mask.shape)
    spoilt = np.zeros_like(mask)
    spoilt[dy:, dx:] = mask[: mask.shape[0] - dy, : mask.shape[1] - dx]
    return spoilt


def dilated(mask: Mask) -> Mask:
    """By 2 % of the longer side."""
    side = 2 * round(0.02 * max(mask.shape)) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    return cv2.dilate(mask.astype(np.uint8), kernel).astype(bool)


def photo_tasks(folder: Path) -> list[Task]:
    single, double = read_photos(folder, 1), read_photos(folder, 2)
    return [
        photo_task("Both objects of a photo", double, second_object_in_photo),
        photo_task("A mask shifted by 4 %", single, correct_photos_mask, shifted),
        photo_task("A mask dilated by 2 %", single, correct_photos_mask, dilated),
    ]


TASKS = (
    Task(
        "The cup in a photo of 600 × 400",
        prepare_photo("coffee"),
        annotate_photo((290, 235, True), (285, 130, True), (225, 265, True), (135, 210, False)),
    ),
    Task(
        "The cat in a photo of 451 × 300",
        prepare_photo("chelsea"),
        annotate_photo((230, 190, True), (70, 150, True), (415, 230, False), (355, 30, True)),
    ),
    Task("A second object, by clicks alone", prepare_instances, newcomers_second_object),
    Task("A bad mask: half is missing, a spot too much", prepare_bad_mask, correct_bad_mask),
    Task("Three labelled instances, exported as COCO", prepare_instances, export_instances),
    Task("Two touching objects out of one mask", prepare_touching, separate_touching),
    Task("20 instances of three labels", prepare_twenty, annotate_twenty),
    Task("A dot of 24 pixels in 96 megapixels", prepare_dot, annotate_dot),
)


def perform(task: Task, browser: Browser, model: str, tree: Path) -> str:
    """The task's row of the table, done in the annotator of the checkout `tree`."""
    with tempfile.TemporaryDirectory() as folder:
        name = task.prepare(Path(folder))
        serving = tree / "tests" / "app" / "browser" / "serving.py"
        command = [sys.executable, serving, folder, "0", ",".join(LABELS), model, "", ""]
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(tree / "src")},
        )
        server = Server(process, Path(folder))
        try:
            return _row(task, browser, server, name)
        finally:
            server.kill()


def _row(task: Task, browser: Browser, server: Server, name: str) -> str:
    with browser.new_context(viewport={"width": 1280, "height": 720}) as context:
        # The first minute's lesson is over.
        context.add_init_script(
            "if (location.protocol !== 'about:') localStorage.setItem('vtmr-lesson', 'seen')"
        )
        context.set_default_timeout(60_000)
        desk = Desk(context.new_page(), server).open(name)
        desk.name = name
        hand = Hand(desk)
        try:
            result = task.do(hand)
        except AssertionError as error:
            result = f"**failed**: {error}"
    counts = (hand.clicks, hand.drags, hand.keys, hand.notches, hand.actions)
    cells = [task.title, *map(str, counts), f"{hand.seconds:.1f}", result]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default=bundled_models()[0].name)
    parser.add_argument("--photos", type=Path, help="a data set: images/ and instances.json")
    parser.add_argument("--tree", type=Path, default=ROOT, help="the checkout that is measured")
    arguments = parser.parse_args()
    found = subprocess.run(
        [ROOT / "tools" / "chromium.sh"], capture_output=True, text=True, check=True
    )
    print("| task | clicks | drags | keys | wheel | actions | seconds | result |")
    print("|---|--:|--:|--:|--:|--:|--:|---|", flush=True)
    rows = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=found.stdout.strip(), args=["--no-sandbox", "--disable-gpu"]
        )
        tasks = [*TASKS, *(photo_tasks(arguments.photos) if arguments.photos else [])]
        for task in tasks:
            rows.append(perform(task, browser, arguments.model, arguments.tree.resolve()))
            print(rows[-1], flush=True)
        browser.close()
    sys.exit(any("**failed**" in row for row in rows))


if __name__ == "__main__":
    main()
