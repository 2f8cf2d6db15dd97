"""COCO+LVIS from small files in the original formats. Expected objects: drawn here, judged by
docs/method.md §C.1's rules."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from vtmr.data import CocoLvisSource, cocolvis, maskindex
from vtmr.errors import DataError

HEIGHT, WIDTH = 90, 120
PERSON, SKY = 1, 187  # a thing and a stuff category of COCO's panoptic task
Rect = tuple[int, int, int, int]  # x0, y0, x1, y1, half-open


def box(x0: int, y0: int, x1: int, y1: int) -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[y0:y1, x0:x1] = True
    return mask


def polygon(x0: int, y0: int, x1: int, y1: int) -> list[list[float]]:
    return [[x0, y0, x1, y0, x1, y1, x0, y1]]


class Files:
    """Writes `root` in the layout of the downloads; images are numbered from 1."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.things = [{"id": PERSON, "isthing": 1}, {"id": SKY, "isthing": 0}]
        self.images: list[dict[str, Any]] = []
        self.panoptic: list[dict[str, Any]] = []
        self.lvis: list[dict[str, Any]] = []
        for name in ("train2017", "annotations/panoptic_train2017"):
            (root / name).mkdir(parents=True)

    def add(self, lvis: list[Rect], segments: list[tuple[int, int, Rect]] = ()) -> str:
        """An image with LVIS polygons and panoptic (id, category, box), later ones over earlier
        ones; its stem."""
        number = len(self.images) + 1
        stem = f"{number:012d}"
        labels = np.zeros((HEIGHT, WIDTH), np.uint32)
        for segment_id, _, rect in segments:
            labels[box(*rect)] = segment_id
        rgb = np.stack([labels % 256, labels // 256 % 256, labels // 65536], axis=-1).astype(
            np.uint8
        )
        Image.fromarray(rgb).save(self.root / "annotations/panoptic_train2017" / f"{stem}.png")
        Image.fromarray(np.full((HEIGHT, WIDTH, 3), number, np.uint8)).save(
            self.root / "train2017" / f"{stem}.jpg"
        )
        self.images.append(
            {"id": number, "file_name": f"{stem}.jpg", "height": HEIGHT, "width": WIDTH}
        )
        infos = [
            {"id": segment_id, "category_id": category, "iscrowd": 0}
            for segment_id, category, _ in segments
        ]
        self.panoptic.append(
            {"image_id": number, "file_name": f"{stem}.png", "segments_info": infos}
        )
        for rect in lvis:
            self.lvis.append(
                {"id": len(self.lvis) + 1, "image_id": number, "segmentation": polygon(*rect)}
            )
        return stem

    def write(self) -> Path:
        content = {"images": self.images, "annotations": self.panoptic, "categories": self.things}
        (self.root / "annotations/panoptic_train2017.json").write_text(json.dumps(content))
        lvis = {
            "info": {"year": 2020},
            "annotations": self.lvis,
            "images": [{"id": i["id"]} for i in self.images],
        }
        (self.root / "annotations/lvis_v1_train.json").write_text(json.dumps(lvis, indent=1))
        return self.root

    def open(self) -> CocoLvisSource:
        return CocoLvisSource.open("cocolvis", self.write())


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path / "data")


def masks(source: CocoLvisSource, stem: str) -> list[np.ndarray]:
    return [source.mask(stem, object_id) for object_id in source.object_ids(stem)]


def assert_masks(source: CocoLvisSource, stem: str, expected: list[np.ndarray]) -> None:
    found = masks(source, stem)
    assert [int(mask.sum()) for mask in found] == [int(mask.sum()) for mask in expected]
    for mask, wanted in zip(found, expected, strict=True):
        np.testing.assert_array_equal(mask, wanted)


def test_instances_the_largest_first_then_stuff(files: Files) -> None:
    """Ids use all three bytes of the label map: 70000 = 112 + 17·256 + 1·65536."""
    thing, sky = (60, 10, 90, 30), (0, 60, 120, 90)
    stem = files.add(
        [(5, 5, 25, 25)], [(70_000, PERSON, thing), (300, SKY, sky), (9, PERSON, (40, 70, 50, 80))]
    )
    source = files.open()
    assert source.stems == (stem,)
    assert source.object_ids(stem) == ("0", "1", "2", "3")
    hole = box(*sky) & ~box(40, 70, 50, 80)
    assert_masks(source, stem, [box(*thing), box(5, 5, 25, 25), box(40, 70, 50, 80), hole])
    objects = source.objects(stem)
    assert (objects.roots, objects.stuff) == (("0", "1", "2"), ("3",))
    assert objects.area("1") == 400
    assert source.image(stem).shape == (HEIGHT, WIDTH, 3)


def test_images_of_one_data_set_alone_are_left_out(files: Files) -> None:
    first = files.add([(5, 5, 25, 25)])
    files.add([], [(7, PERSON, (5, 5, 25, 25))])  # no LVIS
    files.add([(5, 5, 25, 25)])
    files.panoptic.pop()  # no COCO
    tiny = files.add([(5, 5, 8, 8)])
    source = files.open()
    assert source.stems == (first,)
    with pytest.raises(DataError, match=f"has no '{tiny}'"):
        source.object_ids(tiny)


@pytest.mark.parametrize(("side", "kept"), [(9, 1), (8, 0)])
def test_instances_of_less_than_80_px_are_left_out(files: Files, side: int, kept: int) -> None:
    """9 x 9 = 81 and 8 x 10 = 80 are kept, 8 x 9 = 72 isn't; of LVIS and COCO alike."""
    stem = files.add([(0, 0, side, 9), (50, 50, 58, 60)], [(3, PERSON, (20, 20, 20 + side, 29))])
    assert len(files.open().object_ids(stem)) == 1 + 2 * kept


@pytest.mark.parametrize(
    ("thing", "kept"),
    [
        ((20, 20, 60, 60), False),  # the same
        ((20, 20, 60, 50), False),  # IoU and box IoU 30/40 = .75
        ((20, 20, 60, 48), True),  # 28/40 = .70, not above
        ((20, 20, 60, 47), True),
    ],
)
def test_a_coco_thing_that_repeats_lvis_is_dropped(files: Files, thing: Rect, kept: bool) -> None:
    lvis = (20, 20, 60, 60)
    stem = files.add([lvis], [(3, PERSON, thing)])
    assert_masks(files.open(), stem, [box(*lvis), box(*thing)] if kept else [box(*lvis)])


def test_the_same_box_with_another_mask_repeats_nothing(files: Files) -> None:
    """A frame: its box is LVIS's, its IoU with it 1 - 32²/40² = .36."""
    stem = files.add(
        [(20, 20, 60, 60)], [(3, PERSON, (20, 20, 60, 60)), (0, SKY, (24, 24, 56, 56))]
    )
    frame = box(20, 20, 60, 60) & ~box(24, 24, 56, 56)
    files.panoptic[0]["segments_info"].pop()
    assert_masks(files.open(), stem, [box(20, 20, 60, 60), frame])


@pytest.mark.parametrize(
    ("later", "kept"),
    [
        ((20, 20, 60, 55), False),  # IoU 35/40 = .875
        ((20, 20, 60, 54), True),  # 34/40 = .85, not above
    ],
)
def test_an_lvis_mask_that_a_later_one_repeats_is_dropped(
    files: Files, later: Rect, kept: bool
) -> None:
    stem = files.add([(20, 20, 60, 60), later])
    assert_masks(files.open(), stem, [box(20, 20, 60, 60), box(*later)] if kept else [box(*later)])


def test_boxes_overlap_by_the_product_of_their_sides_overlaps() -> None:
    """Shifted by 10 of 40 both ways: (30/50)² = .36, while the boxes' IoU is 900/2300 = .39."""
    boxes = np.array([[20.0, 20, 60, 60], [30, 30, 70, 70], [80, 20, 90, 60]])
    np.testing.assert_allclose(cocolvis.box_overlap(boxes[:1], boxes), [[1, 0.36, 0]])


def test_the_hierarchy_has_the_deepest_fitting_parent(files: Files) -> None:
    """Four boxes, each in the one before; beside them one that lies in the largest, and one by
    three quarters only."""
    largest, large, middle, small = (
        (0, 0, 100, 80),
        (10, 10, 60, 60),
        (12, 12, 42, 42),
        (15, 15, 25, 25),
    )
    beside, overhanging = (70, 10, 90, 40), (85, 50, 105, 65)  # 15 of 20 columns are inside
    stem = files.add([small, beside, largest, overhanging, middle, large])
    source = files.open()
    order = [largest, large, middle, beside, overhanging, small]
    assert_masks(source, stem, [box(*rect) for rect in order])
    objects = source.objects(stem)
    assert objects.parents == (-1, 0, 1, 0, -1, 2)
    assert objects.roots == ("0", "4")


@pytest.mark.parametrize(("rows", "kept"), [(51, True), (50, False)])
def test_stuff_is_what_instances_leave_of_it(files: Files, rows: int, kept: bool) -> None:
    """10 columns x 51 rows beside an LVIS mask that covers the others: 510 px stay, 500 are too
    few."""
    stem = files.add([(0, 0, 50, 90)], [(5, SKY, (0, 0, 60, rows))])
    source = files.open()
    assert_masks(
        source, stem, [box(0, 0, 50, 90), box(50, 0, 60, rows)] if kept else [box(0, 0, 50, 90)]
    )
    assert source.objects(stem).stuff == (("1",) if kept else ())


# --- the index


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The stems whose records were made, in order."""
    stems: list[str] = []
    record = cocolvis.Originals.record

    def counted(self: cocolvis.Originals, stem: str) -> dict[str, Any] | None:
        stems.append(stem)
        return record(self, stem)

    monkeypatch.setattr(cocolvis.Originals, "record", counted)
    return stems


@pytest.fixture
def four(files: Files) -> Files:
    for shift in range(4):
        files.add([(5 + shift, 5, 25, 25)])
    return files


def test_the_index_is_built_once(four: Files, made: list[str]) -> None:
    first = four.open()
    assert made == list(first.stems)
    second = CocoLvisSource.open("cocolvis", four.root)
    assert len(made) == 4
    assert second.index == first.index
    assert_masks(second, second.stems[3], [box(8, 5, 25, 25)])


def test_the_index_may_lie_elsewhere(four: Files, tmp_path: Path) -> None:
    source = CocoLvisSource.open("cocolvis", four.write(), tmp_path / "fast" / "index")
    assert source.index.path == tmp_path / "fast" / "index" / "records.bin"
    assert not (four.root / "vtmr-index").exists()


def test_an_interrupted_build_goes_on(
    four: Files, made: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = four.open()
    expected = (
        whole.index.path.read_bytes(),
        (whole.index.path.with_name("log.jsonl")).read_bytes(),
    )
    for path in whole.index.path.parent.iterdir():
        path.unlink()
    made.clear()
    record = cocolvis.Originals.record

    def interrupted(self: cocolvis.Originals, stem: str) -> dict[str, Any] | None:
        if len(made) == 2:
            raise KeyboardInterrupt
        return record(self, stem)

    with monkeypatch.context() as patch:
        patch.setattr(cocolvis.Originals, "record", interrupted)
        with pytest.raises(KeyboardInterrupt):
            four.open()
    assert made == list(whole.stems[:2])
    again = four.open()
    assert made == list(whole.stems)
    assert (
        again.index.path.read_bytes(),
        (again.index.path.with_name("log.jsonl")).read_bytes(),
    ) == expected


def flip_byte_of_the_third_record(folder: Path) -> None:
    lengths = [json.loads(line)[1] for line in (folder / "log.jsonl").read_text().splitlines()[1:5]]
    data = bytearray((folder / "records.bin").read_bytes())
    data[sum(lengths[:2]) + 3] ^= 1
    (folder / "records.bin").write_bytes(data)


def tear_the_log(folder: Path) -> None:
    """In the third record's line, as a crash might."""
    lines = (folder / "log.jsonl").read_text().splitlines(keepends=True)
    (folder / "log.jsonl").write_text("".join(lines[:3]) + lines[3][:9])


def cut_the_records(folder: Path) -> None:
    lengths = [json.loads(line)[1] for line in (folder / "log.jsonl").read_text().splitlines()[1:5]]
    (folder / "records.bin").write_bytes(
        (folder / "records.bin").read_bytes()[: sum(lengths[:3]) - 1]
    )


def boast_of_a_length(folder: Path) -> None:
    lines = (folder / "log.jsonl").read_text().splitlines()
    key, _, checksum = json.loads(lines[3])
    lines[3] = json.dumps([key, 10**15, checksum])
    (folder / "log.jsonl").write_text("\n".join(lines))


@pytest.mark.parametrize(
    "damage",
    [flip_byte_of_the_third_record, tear_the_log, cut_the_records, boast_of_a_length],
    ids=lambda f: f.__name__,
)
def test_a_damaged_index_is_mended_from_the_damage_on(
    four: Files, made: list[str], damage: Callable[[Path], None]
) -> None:
    source = four.open()
    folder = source.index.path.parent
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    made.clear()
    damage(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} != before
    assert four.open().stems == source.stems
    assert made == list(source.stems[2:])
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize("content", ["", "[]", "null\n", '{"version": 0}\n', "{"])
def test_a_log_that_says_nothing_is_begun_again(four: Files, made: list[str], content: str) -> None:
    source = four.open()
    made.clear()
    source.index.path.with_name("log.jsonl").write_text(content)
    assert four.open().stems == source.stems
    assert len(made) == 4


def test_changed_sources_make_a_new_index(four: Files, made: list[str]) -> None:
    source = four.open()
    four.lvis[0]["segmentation"] = polygon(50, 50, 70, 70)
    made.clear()
    changed = four.open()
    assert len(made) == 4
    assert_masks(changed, changed.stems[0], [box(50, 50, 70, 70)])
    assert changed.index.path == source.index.path


def test_an_index_damaged_in_use_is_named(four: Files) -> None:
    source = four.open()
    flip_byte_of_the_third_record(source.index.path.parent)
    with pytest.raises(DataError, match=r"records\.bin was damaged in use"):
        source.mask(source.stems[2], "0")


# --- what is wrong with a data set


def spoil(files: Files, name: str, content: bytes | None) -> None:
    path = files.root / name
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        (
            "annotations/lvis_v1_train.json",
            None,
            r"lvis_v1_train\.json can't be read: No such file",
        ),
        ("annotations/lvis_v1_train.json", b"{}", r"lvis_v1_train\.json is not LVIS v1's file"),
        ("annotations/lvis_v1_train.json", b'{"images": [], "a": 3}', "no 'annotations' in it"),
        ("annotations/lvis_v1_train.json", b'{"annotations": [{}', "is not LVIS v1's file"),
        (
            "annotations/lvis_v1_train.json",
            b'{"annotations": [{"image_id": 1}]}',
            "not LVIS.*'segmentation'",
        ),
        (
            "annotations/lvis_v1_train.json",
            b'{"annotations": [{"image_id": 1, "segmentation": [[1, 2]]}]}',
            "polygon",
        ),
        (
            "annotations/panoptic_train2017.json",
            b"[1]",
            r"panoptic_train2017\.json is not COCO's panoptic file",
        ),
        ("annotations/panoptic_train2017/000000000001.png", None, r"000000000001\.png"),
        ("annotations/panoptic_train2017/000000000001.png", b"text", r"000000000001\.png"),
        ("train2017/000000000002.jpg", None, "lacks 1 annotated image.*'000000000002'"),
    ],
)
def test_files_that_are_missing_or_not_original(
    four: Files, name: str, content: bytes | None, says: str
) -> None:
    root = four.write()
    spoil(four, name, content)
    with pytest.raises(DataError, match=says):
        CocoLvisSource.open("cocolvis", root)


def test_a_label_map_of_another_size_is_named(four: Files) -> None:
    root = four.write()
    Image.new("RGB", (60, 90)).save(root / "annotations/panoptic_train2017/000000000002.png")
    with pytest.raises(DataError, match=r"000000000002\.png is 60x90, its image 120x90"):
        CocoLvisSource.open("cocolvis", root)


def test_a_folder_that_cannot_hold_the_index(four: Files, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(
        DataError, match=r"The index .*file/index can't be made.*Name another folder"
    ):
        CocoLvisSource.open("cocolvis", four.write(), tmp_path / "file" / "index")


def test_an_object_that_is_not_there(four: Files) -> None:
    source = four.open()
    with pytest.raises(DataError, match="has no '7'"):
        source.mask(source.stems[0], "7")


def test_two_processes_build_one_index(four: Files) -> None:
    """The second waits for the first's lock: here it finds it taken, and then free."""
    lock = four.open().index.path.with_name(maskindex.LOCK)
    with lock.open() as other:
        with maskindex.locked(lock), pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
