"""Sound pictures with odd or large metadata, unusual depths and empty alpha: what they show is what
was drawn, and nothing is written to stderr."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from peaks import PEAK_KB
from PIL import Image, PngImagePlugin

from vtmr.errors import InputError
from vtmr.images import read_header, read_image, read_thumbnail, read_values

HEIGHT, WIDTH = 30, 40
GREY = np.linspace(0, 255, HEIGHT * WIDTH).astype(np.uint8).reshape(HEIGHT, WIDTH)
RGB = np.dstack([GREY, GREY.T.reshape(HEIGHT, WIDTH), 255 - GREY])


def exif(*entries: tuple[int, int, int, bytes], data: bytes = b"") -> bytes:
    """EXIF of one directory; entries: (tag, type, count, the value's four bytes)."""
    start = 8 + 2 + 12 * len(entries) + 4
    table = b"".join(struct.pack("<HHI4s", *entry) for entry in sorted(entries))
    directory = struct.pack("<H", len(entries)) + table + bytes(4)
    assert len(directory) + 8 == start
    return b"Exif\0\0II*\0" + struct.pack("<I", 8) + directory + data


TURNED = (274, 3, 1, struct.pack("<HH", 6, 0))


def rational(number: int, form: int = 10) -> tuple[int, int, int, bytes]:
    """X resolution, whose value stands behind a directory of two entries."""
    return (282, form, 1, struct.pack("<I", 8 + 2 + 24 + 4 + 8 * number))


ODD_EXIF = {
    "a resolution of -1/0": exif(TURNED, rational(0), data=struct.pack("<ii", -1, 0)),
    "a resolution beyond the file": exif(TURNED, (282, 5, 1, struct.pack("<I", 1 << 30))),
    "an entry of an unknown type": exif(TURNED, (282, 99, 7, b"abcd")),
    "a count of four thousand million": exif(TURNED, (282, 2, 0xFFFFFFFF, b"abcd")),
    "two widths": exif((256, 3, 2, b"\1\0\2\0"), TURNED),
    "a maker note of nothing": exif(TURNED, (0x927C, 7, 60_000, struct.pack("<I", 60))),
}


@pytest.mark.parametrize("what", ODD_EXIF)
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
def test_odd_exif_turns_the_picture_and_does_nothing_else(
    tmp_path: Path, what: str, suffix: str
) -> None:
    options = {"lossless": True} if suffix == "webp" else {}
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(RGB).save(path, **options)
    plain = read_image(path)
    Image.fromarray(RGB).save(path, exif=ODD_EXIF[what], **options)
    np.testing.assert_array_equal(read_image(path), np.rot90(plain, -1))
    header = read_header(path)
    assert (header.height, header.width) == (WIDTH, HEIGHT)


@pytest.mark.parametrize(
    "data", [b"", b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0XX", b"\0" * 70]
)
def test_exif_that_is_none_leaves_the_picture_upright(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(RGB).save(path, exif=data)
    np.testing.assert_array_equal(read_image(path), RGB)


def test_an_avif_with_odd_exif(tmp_path: Path) -> None:
    """AVIF says in a place of its own how it is turned; its EXIF is left alone."""
    path = tmp_path / "a.avif"
    flat = np.repeat(np.repeat(np.array([[0, 200], [90, 250]], np.uint8), 30, 0), 40, 1)
    Image.fromarray(np.dstack([flat] * 3)).save(path, exif=ODD_EXIF["two widths"], quality=95)
    turned = read_image(path)[..., 0]
    assert turned.shape == (80, 60)
    assert np.abs(turned.astype(int) - np.rot90(flat, -1)).max() < 8
    header = read_header(path)
    assert (header.height, header.width) == (80, 60)


@pytest.mark.parametrize(
    "tags", [{274: 6}, {274: 6, 282: 0.0, 283: 0.0}, {274: 6, 305: "x" * 9000}]
)
@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
def test_a_tiffs_orientation_is_applied_once(
    tmp_path: Path, tags: dict[int, object], compression: str | None
) -> None:
    path = tmp_path / "a.tif"
    Image.fromarray(RGB).save(path, tiffinfo=tags, compression=compression)
    np.testing.assert_array_equal(read_image(path), np.rot90(RGB, -1))
    header = read_header(path)
    assert (header.height, header.width) == (WIDTH, HEIGHT)
    assert read_thumbnail(path, 20).shape == (20, 15, 3)
    assert read_values(path).shape == (WIDTH, HEIGHT)


def png_with(kind: bytes, data: bytes, *, behind: bool) -> bytes:
    """A PNG with one more chunk, before the pixels or behind them."""
    stream = io.BytesIO()
    Image.fromarray(RGB).save(stream, "PNG")
    whole = stream.getvalue()
    place = len(whole) - 12 if behind else 33
    crc = struct.pack(">I", zlib.crc32(kind + data))
    return whole[:place] + struct.pack(">I", len(data)) + kind + data + crc + whole[place:]


LARGE = zlib.compress(bytes(5_000_000))


@pytest.mark.parametrize("behind", [False, True])
@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (b"iCCP", b"profile\0\0" + LARGE),
        (b"iCCP", b"profile\0\0nonsense"),
        (b"zTXt", b"Comment\0\0" + LARGE),
        (b"zTXt", b"Comment\0\0nonsense"),
        (b"iTXt", b"Comment\0\1\0\0\0" + LARGE),
        (b"tEXt", b"Comment\0" + b"x" * 3_000_000),
        (b"tEXt", b""),
        (b"eXIf", b"nonsense"),
        (b"pHYs", b"short"),
        (b"sRGB", b""),
        (b"cHRM", b"odd"),
        (b"gAMA", b"\0\0\0\0"),
        (b"acTL", b"\0\0\0\0\0\0\0\0"),
        (b"caBX", b"any other"),
    ],
)
def test_a_pngs_other_chunks_are_not_the_picture(
    tmp_path: Path, kind: bytes, data: bytes, behind: bool
) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png_with(kind, data, behind=behind))
    np.testing.assert_array_equal(read_image(path), RGB)


def test_a_png_with_a_wrong_checksum_in_its_text(tmp_path: Path) -> None:
    data = bytearray(png_with(b"tEXt", b"Comment\0hello", behind=False))
    data[data.index(b"hello")] ^= 1
    (tmp_path / "a.png").write_bytes(data)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), RGB)


@pytest.mark.parametrize("name", ["Raw profile type exif", "XML:com.adobe.xmp"])
def test_a_png_may_say_its_orientation_in_a_text(tmp_path: Path, name: str) -> None:
    """As ImageMagick and Adobe write it."""
    text = PngImagePlugin.PngInfo()
    data = exif(TURNED)
    raw = f"\nexif\n{len(data):8}\n{data.hex()}\n"
    text.add_text(name, raw if "exif" in name else '<x tiff:Orientation="6"/>', zip=True)
    Image.fromarray(RGB).save(tmp_path / "a.png", pnginfo=text)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), np.rot90(RGB, -1))


@pytest.mark.parametrize(
    "segment",
    [
        b"\xff\xe1" + struct.pack(">H", 8) + b"Exif\0\0",
        b"\xff\xe1" + struct.pack(">H", 65_535) + b"Exif\0\0II*\0" + b"\xff" * 65_523,
        b"\xff\xe2" + struct.pack(">H", 16) + b"MPF\0II*\0\xff\xff\xff\xff\0\0",
        b"\xff\xe2" + struct.pack(">H", 16) + b"ICC_PROFILE\0\7\0",
        b"\xff\xed" + struct.pack(">H", 30) + b"Photoshop 3.0\x008BIM\4\4\0\0\xff\xff\xff\xff\0\0",
        b"\xff\xfe" + struct.pack(">H", 3) + b"\xff",
    ],
)
def test_a_jpegs_other_segments_are_not_the_picture(tmp_path: Path, segment: bytes) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(RGB).save(path)
    plain, data = read_image(path), path.read_bytes()
    path.write_bytes(data[:2] + segment * 3 + data[2:])
    np.testing.assert_array_equal(read_image(path), plain)


def test_nothing_is_written_to_stderr(tmp_path: Path) -> None:
    """By a process of its own: pytest has filters for warnings that users don't."""
    for number, data in enumerate(ODD_EXIF.values()):
        Image.fromarray(RGB).save(tmp_path / f"{number}.jpg", exif=data)
    wide = Image.fromarray(RGB)
    wide.save(tmp_path / "a.tif", tiffinfo={282: 0.0, 37500: b"x" * 50})
    data = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "b.tif").write_bytes(data.replace(struct.pack("<H", 37500), b"\x9a\x82"))
    for flags in ([], ["-W", "error"]):
        done = subprocess.run(
            [sys.executable, *flags, "-c", READ_ALL, str(tmp_path)],
            capture_output=True,
            text=True,
            check=True,
        )
        assert (done.stdout.split(), done.stderr) == (
            ["30x40"] * 0 + ["40x30"] * 6 + ["30x40"] * 2,
            "",
        )


READ_ALL = """
import sys
from pathlib import Path
from vtmr.errors import InputError
from vtmr.images import read_image
for path in sorted(Path(sys.argv[1]).iterdir()):
    try:
        height, width, _ = read_image(path).shape
        print(f"{height}x{width}")
    except InputError:
        print("refused")
"""


def test_damaged_tiffs_are_refused_without_a_word_of_the_decoder(tmp_path: Path) -> None:
    """libtiff prints its messages itself; so many samples a pixel Pillow logs."""
    for name, compression in (("lzw", "tiff_lzw"), ("zip", "tiff_adobe_deflate"), ("jpeg", "jpeg")):
        path = tmp_path / f"{name}.tif"
        Image.fromarray(RGB).save(path, compression=compression)
        data = bytearray(path.read_bytes())
        for place in range(len(data) // 3, len(data) // 3 + 40):
            data[place] ^= 0x55
        path.write_bytes(data)
    Image.fromarray(RGB).save(tmp_path / "many.tif")
    data = (tmp_path / "many.tif").read_bytes()
    entry = struct.pack("<HHI", 277, 3, 1)
    place = data.index(entry) + 8
    (tmp_path / "many.tif").write_bytes(data[:place] + b"\xff\xff" + data[place + 2 :])
    done = subprocess.run(
        [sys.executable, "-c", READ_ALL, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    assert "refused" in done.stdout


# --- depths


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.pgm"])
def test_as_many_bits_as_a_camera_has_are_shown(tmp_path: Path, bits: int, name: str) -> None:
    """The values of so many bits, stored in 16: their highest 8 are seen."""
    values = (GREY.astype(np.uint16) << (bits - 8)) + (1 << (bits - 8)) // 2
    if name == "a.pgm":
        header = b"P5 %d %d 65535\n" % (WIDTH, HEIGHT)
        (tmp_path / name).write_bytes(header + values.astype(">u2").tobytes())
    else:
        Image.fromarray(values).save(tmp_path / name)
    np.testing.assert_array_equal(read_image(tmp_path / name)[..., 1], GREY)


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("name", ["a.png", "a.tif", "lzw.tif"])
@pytest.mark.parametrize("channels", [3, 4])
def test_colours_of_as_many_bits(tmp_path: Path, bits: int, name: str, channels: int) -> None:
    values = (RGB.astype(np.uint16) << (bits - 8)) + (1 << (bits - 8)) // 2
    opaque = np.full_like(GREY, 255).astype(np.uint16) * 257
    array = np.dstack([values[..., ::-1], opaque])[..., :channels]  # OpenCV writes BGR
    compression = [cv2.IMWRITE_TIFF_COMPRESSION, 5 if name == "lzw.tif" else 1]
    assert cv2.imwrite(str(tmp_path / name), array, compression if "tif" in name else [])
    np.testing.assert_array_equal(read_image(tmp_path / name), RGB)


def test_signed_values_are_shown_from_the_lowest_to_the_highest(tmp_path: Path) -> None:
    """A CT's: -1000 to 3000, with one odd pixel on each side that doesn't darken the rest."""
    rows = np.linspace(-1000, 3000, 100 * 120).astype(np.int16).reshape(100, 120)
    rows[0, 0], rows[-1, -1] = -32768, 32767
    assert cv2.imwrite(str(tmp_path / "a.tif"), rows)
    shown = read_image(tmp_path / "a.tif")[..., 0].astype(int)
    assert np.abs(shown - (rows.astype(float).clip(-1000, 3000) + 1000) / 4000 * 255).max() < 2
    assert (np.diff(shown.reshape(-1)) >= 0).all()


def test_signed_values_without_negative_ones_are_as_unsigned(tmp_path: Path) -> None:
    values = (GREY.astype(np.int16) << 4) + 7
    assert cv2.imwrite(str(tmp_path / "a.tif"), values)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif")[..., 0], GREY)


def test_16_bits_where_white_is_0(tmp_path: Path) -> None:
    """TIFF's photometric interpretation 0, which Pillow turns for 8 bits alone."""
    for values in (GREY.astype(np.uint16) * 257, GREY):
        path = tmp_path / "a.tif"
        Image.fromarray(values).save(path)
        data = bytearray(path.read_bytes())
        place = data.index(struct.pack("<HHI", 262, 3, 1))
        data[place + 8 : place + 10] = struct.pack("<H", 0)
        path.write_bytes(data)
        np.testing.assert_array_equal(read_image(path)[..., 0], 255 - GREY)


def test_integers_of_32_bits_are_named(tmp_path: Path) -> None:
    Image.fromarray(GREY.astype(np.int32) * 70_000).save(tmp_path / "a.tif")
    with pytest.raises(InputError, match="32-bit integers from 0 to 17850000"):
        read_image(tmp_path / "a.tif")


# --- transparency that says nothing


def save_rgba(path: Path, array: np.ndarray) -> None:
    """With the colours kept where they are transparent; a BMP with a fourth channel, which Pillow
    doesn't write."""
    if path.suffix == ".bmp":
        height, width = array.shape[:2]
        masks = struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
        sizes = struct.pack("<IiiHHII", 108, width, -height, 1, 32, 3, array.size)
        info = sizes + bytes(16) + masks + bytes(52)
        head = b"BM" + struct.pack("<IHHI", 14 + 108 + array.size, 0, 0, 14 + 108)
        path.write_bytes(head + info + array[..., [2, 1, 0, 3]].tobytes())
    elif path.suffix == ".webp":
        Image.fromarray(array).save(path, lossless=True, exact=True)
    else:
        Image.fromarray(array).save(path)


@pytest.mark.parametrize("name", ["a.bmp", "a.png", "a.tif", "a.webp"])
def test_where_nothing_at_all_would_be_seen_the_colours_are(tmp_path: Path, name: str) -> None:
    """BMPs of 32 bits leave the fourth byte empty, as many programs write them."""
    array = np.dstack([RGB, np.zeros_like(GREY)])
    save_rgba(tmp_path / name, array)
    np.testing.assert_array_equal(read_image(tmp_path / name), RGB)
    assert read_thumbnail(tmp_path / name, 40).std() > 10
    array[0, 0, 3] = 255  # one pixel is enough to say that the others are meant to be transparent
    save_rgba(tmp_path / name, array)
    assert read_image(tmp_path / name)[1:].min() == 255


def test_half_transparent_colours_lie_on_white(tmp_path: Path) -> None:
    """The share of white is what the alpha leaves, to the rounding."""
    for alpha in (1, 100, 200, 254):
        Image.fromarray(np.dstack([RGB, np.full_like(GREY, alpha)])).save(tmp_path / "a.png")
        exact = RGB * (alpha / 255) + 255 - alpha
        assert np.abs(read_image(tmp_path / "a.png") - exact).max() <= 0.5


def test_a_small_picture_in_front_is_skipped(tmp_path: Path) -> None:
    """A TIFF whose first page says that it is a preview."""
    small, large = Image.fromarray(RGB[::4, ::4]), Image.fromarray(RGB)
    small.save(tmp_path / "a.tif", save_all=True, append_images=[large], tiffinfo={254: 1})
    data = (tmp_path / "a.tif").read_bytes()
    entry = struct.pack("<HHI", 254, 4, 1)
    first = data.index(entry)
    second = data.find(entry, first + 1)
    if second >= 0:  # Pillow gives the tag to both pages
        data = data[: second + 8] + bytes(4) + data[second + 12 :]
        (tmp_path / "a.tif").write_bytes(data)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), RGB)


# --- bounds


def test_a_pipe_and_a_device_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(InputError, match=r"a\.png is a pipe: expected an image file"):
        read_image(tmp_path / "a.png")
    with pytest.raises(InputError, match="is a device"):
        read_values("/dev/zero")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(InputError, match="is a directory"):
        read_header(tmp_path / "folder.png")


def endless(kind: str) -> bytes:
    """A header that goes on for megabytes without a picture."""
    if kind == "ppm comment":
        return b"P6\n#" + b"a" * 30_000_000
    if kind == "ppm comments":
        return b"P5\n" + b"#\n" * 15_000_000
    if kind == "ppm white space":
        return b"P6" + b" " * 30_000_000
    if kind == "plain ppm comment":
        return b"P3 4 4 255\n#" + b"a" * 30_000_000
    if kind == "jpeg":
        return b"\xff\xd8\xff" + bytes(30_000_000)
    if kind == "jpeg padding":
        return b"\xff\xd8" + b"\xff" * 30_000_000
    if kind == "png":
        return b"\x89PNG\r\n\x1a\n" + (b"\0\0\0\0tEXt" + b"abcd") * 1_500_000
    if kind == "webp":
        head = b"RIFF\xff\xff\xff\x7fWEBPVP8X\n\0\0\0" + bytes(4) + b"\x09\0\0\x09\0\0"
        return head + (b"ABCD" + bytes(4)) * 3_000_000
    if kind == "gif":
        return b"GIF89a\1\0\1\0\0\0\0" + b"!\xfe" + (b"\xff" + b"a" * 255) * 100_000
    return b"II*\0\x08\0\0\0\xff\xff" + (struct.pack("<HHI4s", 270, 2, 1 << 24, bytes(4))) * 65_535


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind",
    [
        "ppm comment", "ppm comments", "ppm white space", "plain ppm comment", "jpeg",
        "jpeg padding", "png", "webp", "gif", "tiff",
    ],
)  # fmt: skip
def test_no_header_is_read_without_end(tmp_path: Path, kind: str) -> None:
    """By a process of its own, whose CPU time is what counts on a busy machine."""
    path = tmp_path / "a"
    path.write_bytes(endless(kind))
    done = subprocess.run(
        [sys.executable, "-c", PEAK_KB + REFUSED, str(path)],
        capture_output=True,
        text=True,
        check=True,
    )
    spent, peak, message = done.stdout.split(" ", 2)
    assert float(spent) < 8 and float(peak) < 300, done.stdout
    assert "damaged" in message or "not an image" in message


REFUSED = """
import sys, time
from vtmr.errors import InputError
from vtmr.images import read_image
before, begun = peak_kb(), time.process_time()
try:
    read_image(sys.argv[1])
    message = "read"
except InputError as error:
    message = str(error)
peak = peak_kb() - before
print(round(time.process_time() - begun, 2), peak // 1024, message[:200])
"""


@pytest.mark.parametrize("read", [read_image, read_values, read_header])
def test_what_claims_too_many_pixels_is_refused_by_every_reader(
    tmp_path: Path, read: object
) -> None:
    header = b"BM" + struct.pack("<IHHI", 54, 0, 0, 54)
    info = struct.pack("<IiiHHIIiiII", 40, 40_000, 40_000, 1, 24, 0, 0, 0, 0, 0, 0)
    (tmp_path / "a.bmp").write_bytes(header + info)
    with pytest.raises(InputError, match=r"1600\.0 megapixels: expected at most 150"):
        read(tmp_path / "a.bmp")  # type: ignore[operator]
