"""`vtmr segment`: results against the shapes that tests/fakes.py draws, refusals against a list of
bad input."""

from __future__ import annotations

import errno
import json
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from fakes import shapes_image
from numpy.typing import NDArray
from PIL import Image
from pycocotools import mask as coco_mask
from running import Command

pytestmark = pytest.mark.usefixtures("colour_network")

HEIGHT, WIDTH = 120, 160
RED, BLUE, GREEN = "56,54", "124,66", "100,110"


def ellipse() -> NDArray[np.bool_]:
    """The red ellipse as shapes_image draws it."""
    rows, cols = np.mgrid[:HEIGHT, :WIDTH]
    return ((rows - 54) / 36) ** 2 + ((cols - 56) / 32) ** 2 < 1


def rectangle() -> NDArray[np.bool_]:
    """The blue rectangle as shapes_image draws it."""
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[36:96, 104:144] = True
    return mask


def read(path: Path) -> NDArray[np.bool_]:
    with Image.open(path) as image:
        values = np.asarray(image)
    assert set(np.unique(values)) <= {0, 255}
    return np.asarray(values == 255)


def overlap(mask: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    return float((mask & other).sum() / (mask | other).sum())


def test_without_an_output_the_mask_is_written_beside_the_photo(
    command: Command, photo: Path
) -> None:
    result = command("segment", photo, "--click", RED)
    assert result.code == 0
    assert result.err == ""
    summary, written = result.out.splitlines()
    assert summary.startswith("colour: 1 click, ")
    assert written == str(photo.with_name("shapes.mask.png"))
    assert overlap(read(Path(written)), ellipse()) > 0.95


def test_the_json_says_what_the_mask_file_holds(
    command: Command, photo: Path, tmp_path: Path
) -> None:
    out = tmp_path / "m.png"
    result = command("segment", photo, "--click", RED, "--click", f"{GREEN},-", "--json", "-o", out)
    record = json.loads(result.out)
    assert list(record) == [
        "model", "width", "height", "box", "clicks", "seconds", "area", "mask",
    ]  # fmt: skip
    assert (record["width"], record["height"]) == (WIDTH, HEIGHT)
    assert record["clicks"] == [
        {"x": 56.0, "y": 54.0, "positive": True},
        {"x": 100.0, "y": 110.0, "positive": False},
    ]
    assert len(record["seconds"]) == 2
    assert all(0 < seconds < 60 for seconds in record["seconds"])
    # pycocotools takes the counts as str, as COCO files do.
    decoded = coco_mask.decode(record["mask"]).astype(bool)
    assert (decoded == read(out)).all()
    assert record["area"] == decoded.sum()


def test_with_json_alone_no_file_is_written(command: Command, photo: Path) -> None:
    assert command("segment", photo, "--click", RED, "--json").code == 0
    assert os.listdir(photo.parent) == [photo.name]


def test_an_overlay_alone_writes_no_mask_and_shows_the_object(
    command: Command, photo: Path, tmp_path: Path
) -> None:
    out = tmp_path / "o.png"
    assert command("segment", photo, "--click", RED, "--overlay", out).code == 0
    assert sorted(os.listdir(tmp_path)) == ["o.png", "shapes.png"]
    with Image.open(out) as image:
        drawn = np.asarray(image).astype(int)
    changed = np.abs(drawn - shapes_image()).max(axis=2) > 10
    assert changed[40, 40]  # inside the ellipse, away from the click
    assert not changed[:, 104:].any()


def test_a_second_object_is_added_and_a_negative_click_takes_away(
    command: Command, photo: Path, tmp_path: Path
) -> None:
    both, one = tmp_path / "both.png", tmp_path / "one.png"
    command("segment", photo, "--click", RED, "--click", BLUE, "-o", both)
    command("segment", photo, "--click", RED, "--click", f"{BLUE},-", "-o", one)
    assert overlap(read(both), ellipse() | rectangle()) > 0.95
    assert overlap(read(one), ellipse()) > 0.95


def test_an_initial_mask_is_corrected_only_where_the_click_is(
    command: Command, photo: Path, tmp_path: Path
) -> None:
    speck = np.zeros((HEIGHT, WIDTH), bool)
    speck[2:5, 2:7] = True  # which no network would answer with: it stays bit-identical
    initial, out = tmp_path / "initial.png", tmp_path / "m.png"
    Image.fromarray(rectangle() | speck).save(initial)
    assert command("segment", photo, "--click", RED, "--initial-mask", initial, "-o", out).code == 0
    corrected = read(out)
    assert (corrected[:20, :20] == speck[:20, :20]).all()
    assert corrected[54, 56]
    assert overlap(corrected, ellipse() | rectangle() | speck) > 0.95


# ---- bad input: one sentence with the value, exit code 2, nothing written
# --------------------------------------------


def refuse(command: Command, folder: Path, *arguments: object, says: tuple[str, ...]) -> None:
    """The command is refused, with these fragments, and the folder's files are the same
    afterwards."""
    before = sorted(os.listdir(folder))
    command("segment", *arguments).assert_refused(*says)
    assert sorted(os.listdir(folder)) == before


@pytest.mark.parametrize(
    ("clicks", "fragments"),
    [
        ([], ("no click", "--click X,Y")),
        (["12"], ("'12'", "X,Y")),
        (["12;40"], ("'12;40'",)),
        (["12,40,50"], ("'12,40,50'",)),
        (["12,40,-,-"], ("'12,40,-,-'",)),
        (["a,b"], ("'a,b'",)),
        (["1_0,5"], ("'1_0,5'",)),
        ([""], ("''",)),
        (["nan,40"], ("nan", "finite")),
        (["12,inf"], ("inf", "finite")),
        (["160,40"], ("160", "160x120")),
        (["12,120.0"], ("120", "160x120")),
        (["-1,40"], ("-1", "160x120")),
        (["56,54", "56,54"], ("'56,54'", "same pixel")),
        (["56,54", "56.9,54.2,-"], ("'56.9,54.2,-'", "'56,54'", "same pixel")),
    ],
)
def test_bad_clicks(
    command: Command, photo: Path, clicks: list[str], fragments: tuple[str, ...]
) -> None:
    flags = [flag for click in clicks for flag in ("--click", click)]
    refuse(command, photo.parent, photo, *flags, says=fragments)


def png_header(width: int, height: int) -> bytes:
    """A PNG of that size, without pixels: enough to be refused, nothing to decode."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IEND", b"")


def test_a_missing_image(command: Command, tmp_path: Path) -> None:
    refuse(command, tmp_path, tmp_path / "no.png", "--click", RED, says=("no.png", "No such file"))


def test_a_folder_as_image(command: Command, tmp_path: Path) -> None:
    refuse(command, tmp_path, tmp_path, "--click", RED, says=(str(tmp_path),))


@pytest.mark.parametrize(
    ("name", "content", "fragments"),
    [
        ("empty.jpg", b"", ("empty.jpg", "zero bytes")),
        ("text.png", b"hello, this is no image\n" * 20, ("text.png", "not an image")),
        ("huge.png", png_header(20_000, 10_000), ("huge.png", "20000x10000", "150")),
    ],
)
def test_files_that_are_no_usable_image(
    command: Command, tmp_path: Path, name: str, content: bytes, fragments: tuple[str, ...]
) -> None:
    (tmp_path / name).write_bytes(content)
    refuse(command, tmp_path, tmp_path / name, "--click", RED, says=fragments)


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_a_truncated_image(command: Command, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"half.{suffix}"
    Image.fromarray(shapes_image()).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    refuse(command, tmp_path, path, "--click", RED, says=(path.name,))


def test_a_box_alone_and_with_clicks(command: Command, photo: Path, tmp_path: Path) -> None:
    """The ellipse's own box is 64 x 72 pixels around (56, 54)."""
    out, overlay = tmp_path / "m.png", tmp_path / "o.png"
    done = command("segment", photo, "--box", "24,18,88,90", "-o", out, "--overlay", overlay)
    assert "a box," in done.out
    assert overlap(read(out), ellipse()) > 0.95
    more = command("segment", photo, "--box", "24,18,88,90", "--click", f"{RED},-", "--json")
    record = json.loads(more.out)
    assert record["box"] == [24, 18, 88, 90]
    assert [click["positive"] for click in record["clicks"]] == [False]


@pytest.mark.parametrize(
    ("box", "says"),
    [
        ("1,2,3", "can't be read: expected X0,Y0,X1,Y1"),
        ("1,2,3,x", "can't be read"),
        ("9,2,3,4", "is empty: expected x0 < x1"),
        ("500,2,600,4", "lies outside the image"),
    ],
)
def test_a_box_that_is_none(command: Command, photo: Path, box: str, says: str) -> None:
    command("segment", photo, "--box", box, "--json").assert_refused(says)


def test_a_box_on_a_mask_to_correct(command: Command, photo: Path) -> None:
    command("segment", photo, "--box", "1,2,9,9", "--initial-mask", photo).assert_refused(
        "starts the object anew"
    )


def test_an_initial_mask_may_be_refitted(command: Command, photo: Path, tmp_path: Path) -> None:
    """The speck far away, which "here" leaves alone, isn't part of the answer and goes."""
    speck = np.zeros((120, 160), bool)
    speck[110:115, 150:155] = True
    initial, out = tmp_path / "initial.png", tmp_path / "m.png"
    Image.fromarray(rectangle() | speck).save(initial)
    done = command(
        "segment", photo, "--click", RED, "--initial-mask", initial, "--correction", "refit",
        "-o", out,
    )  # fmt: skip
    assert done.code == 0
    assert not (np.asarray(Image.open(out)) > 0)[speck].any()


def test_an_unknown_correction(command: Command, photo: Path) -> None:
    command("segment", photo, "--click", RED, "--correction", "all").assert_refused(
        "'all'", "'here'", "'refit'"
    )


def test_an_initial_mask_of_another_size(command: Command, photo: Path, tmp_path: Path) -> None:
    Image.new("1", (WIDTH, HEIGHT + 1)).save(tmp_path / "m.png")
    refuse(
        command,
        tmp_path,
        photo,
        "--click",
        RED,
        "--initial-mask",
        tmp_path / "m.png",
        says=("160x121", "160x120"),
    )


def test_a_missing_initial_mask(command: Command, photo: Path, tmp_path: Path) -> None:
    refuse(
        command,
        tmp_path,
        photo,
        "--click",
        RED,
        "--initial-mask",
        tmp_path / "no.png",
        says=("no.png",),
    )


def test_outputs_that_would_not_be_a_png_beside_the_photo(
    command: Command, photo: Path, tmp_path: Path
) -> None:
    click = ("--click", RED)
    refuse(command, tmp_path, photo, *click, "-o", tmp_path / "m.jpg", says=("m.jpg", ".png"))
    refuse(
        command,
        tmp_path,
        photo,
        *click,
        "-o",
        tmp_path / "no" / "m.png",
        says=("no/m.png", "doesn't exist"),
    )
    refuse(command, tmp_path, photo, *click, "-o", photo, says=("shapes.png", "the image"))
    same = tmp_path / "x.png"
    refuse(command, tmp_path, photo, *click, "-o", same, "--overlay", same, says=("x.png", "both"))


def test_a_mask_beside_the_photo_is_replaced_only_when_it_is_named(
    command: Command, photo: Path
) -> None:
    beside = photo.with_name("shapes.mask.png")
    beside.write_bytes(b"a day's work")
    command("segment", photo, "--click", RED).assert_refused("shapes.mask.png exists already", "-o")
    assert beside.read_bytes() == b"a day's work"
    assert command("segment", photo, "--click", RED, "-o", beside).code == 0
    assert beside.read_bytes() != b"a day's work"


def test_paths_that_can_not_be(command: Command, photo: Path, tmp_path: Path) -> None:
    endless, loop = "x" * 300 + ".png", tmp_path / "loop.png"
    loop.symlink_to(loop)
    for arguments in (
        (tmp_path / endless, "--click", RED),
        (photo, "--click", RED, "-o", tmp_path / endless),
        (photo, "--click", RED, "-o", tmp_path / "x" / endless),
        (loop, "--click", RED),
    ):
        assert command("segment", *arguments).code == 2, arguments


def test_a_folder_that_may_not_be_entered(
    command: Command, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked = photo.parent / "locked"
    real = os.stat

    def refuse(path: object, **options: object) -> object:
        if str(locked) in str(path):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return real(path, **options)  # type: ignore[arg-type]

    monkeypatch.setattr("os.stat", refuse)
    command("segment", photo, "--click", RED, "-o", locked / "m.png").assert_refused(
        "locked", "Permission denied"
    )
    command("segment", locked / "a.png", "--click", RED).assert_refused(
        "locked", "Permission denied"
    )


def test_a_full_disk_leaves_nothing(
    command: Command, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("os.fsync", full)
    refuse(
        command,
        photo.parent,
        photo,
        "--click",
        RED,
        says=("shapes.mask.png", "No space left on device"),
    )


# ---- what a user expects to work does
# ------------------------------------------------------------------------------


@pytest.mark.parametrize(("width", "height"), [(1, 1), (1, 20_000)])
def test_thin_images(command: Command, tmp_path: Path, width: int, height: int) -> None:
    path = tmp_path / "thin.png"
    Image.new("RGB", (width, height), "red").save(path)
    result = command("segment", path, "--click", "0.5,0.5", "--json")
    assert result.code == 0, result.err
    assert json.loads(result.out)["mask"]["size"] == [height, width]


@pytest.mark.parametrize("kind", ["grey", "grey16", "cmyk", "palette", "rgba", "animation", "exif"])
def test_kinds_of_images(command: Command, tmp_path: Path, kind: str) -> None:
    """The rectangle is found in each: it differs from its surroundings in grey too (54 against
    113)."""
    image = Image.fromarray(shapes_image())
    path = tmp_path / (
        "a.jpg" if kind in ("cmyk", "exif") else "a.gif" if kind == "animation" else "a.png"
    )
    if kind == "grey16":
        image = Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)
    elif kind in ("grey", "cmyk", "palette", "rgba"):
        image = image.convert({"grey": "L", "cmyk": "CMYK", "palette": "P", "rgba": "RGBA"}[kind])
    if kind == "animation":
        image.save(path, save_all=True, append_images=[Image.new("RGB", image.size)])
    elif kind == "exif":
        exif = Image.Exif()
        exif[0x0112] = 6  # stored turned by 90 degrees: to be shown turned clockwise
        image.transpose(Image.Transpose.ROTATE_90).save(path, exif=exif, quality=95)
    else:
        image.save(path)
    out = tmp_path / "m.png"
    result = command("segment", path, "--click", BLUE, "--click", "150,20,-", "-o", out)
    assert result.code == 0, result.err
    found = read(out)[:, 100:]  # grey levels of the ellipse and the rectangle are alike
    assert overlap(found, rectangle()[:, 100:]) > 0.9


def test_clicks_that_only_take_away_from_nothing_are_told(
    command: Command, photo: Path, tmp_path: Path
) -> None:
    out = tmp_path / "mask.png"
    result = command("segment", photo, "--click", "56,54,-", "-o", out)
    assert result.code == 0
    assert "there is none yet: click on the object first" in result.err
    assert not read(out).any()
    assert not command("segment", photo, "--click", "56,54", "-o", out).err
