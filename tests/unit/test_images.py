"""Every kind of file is made here by Pillow or OpenCV; the expected pixels are those that went into
it."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as pillow

from vtmr.errors import InputError
from vtmr.images import read_header, read_image, read_thumbnail, read_values, write_png
from vtmr.maskfiles import read_mask

HEIGHT, WIDTH = 30, 40
GREY = np.linspace(0, 255, HEIGHT * WIDTH).astype(np.uint8).reshape(HEIGHT, WIDTH)
RGB = np.dstack([GREY, GREY.T.reshape(HEIGHT, WIDTH), 255 - GREY])
MASK = np.zeros((HEIGHT, WIDTH), bool)
MASK[5:20, 10:33] = True


def saved(path: Path, array: np.ndarray, **options: object) -> Path:
    pillow.fromarray(array).save(path, **options)
    return path


def grey_as_rgb(grey: np.ndarray) -> np.ndarray:
    return np.repeat(grey[..., None], 3, axis=2)


# --- what works


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tif", "a.ppm", "a.PNG"])
def test_lossless_rgb_is_read_to_the_bit(tmp_path: Path, name: str) -> None:
    image = read_image(saved(tmp_path / name, RGB))
    assert image.dtype == np.uint8 and image.flags.c_contiguous and image.flags.writeable
    np.testing.assert_array_equal(image, RGB)


@pytest.mark.parametrize(("name", "options"), [("a.webp", {"lossless": True}), ("a.jp2", {})])
def test_other_lossless_formats(tmp_path: Path, name: str, options: dict[str, object]) -> None:
    np.testing.assert_array_equal(read_image(saved(tmp_path / name, RGB, **options)), RGB)


def test_avif(tmp_path: Path) -> None:
    flat = np.full((HEIGHT, WIDTH, 3), (200, 120, 40), np.uint8)
    assert (
        np.abs(read_image(saved(tmp_path / "a.avif", flat, quality=95)).astype(int) - flat).max()
        <= 4
    )


def test_jpeg_is_what_libjpeg_gives(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.jpg", RGB, quality=95)
    np.testing.assert_array_equal(read_image(path), np.asarray(pillow.open(path)))


def two_bytes(values: np.ndarray) -> np.ndarray:
    """16-bit values whose high byte is the value and whose low byte is another one."""
    return values.astype(np.uint16) * 256 + (255 - values)


def test_a_tall_image_is_put_together_from_bands_in_order(tmp_path: Path) -> None:
    # 1.2 megapixels: 3 bands.
    tall = np.random.default_rng(0).integers(0, 256, (1500, 800, 3), dtype=np.uint8)
    np.testing.assert_array_equal(read_image(saved(tmp_path / "a.bmp", tall)), tall)


def test_grey(tmp_path: Path) -> None:
    np.testing.assert_array_equal(read_image(saved(tmp_path / "a.png", GREY)), grey_as_rgb(GREY))


def test_one_bit(tmp_path: Path) -> None:
    image = read_image(saved(tmp_path / "a.png", MASK))
    np.testing.assert_array_equal(image, grey_as_rgb(MASK * np.uint8(255)))


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_16_bit_grey_keeps_the_high_byte(tmp_path: Path, name: str) -> None:
    values = two_bytes(GREY)
    assert cv2.imwrite(str(tmp_path / name), values)
    np.testing.assert_array_equal(read_image(tmp_path / name), grey_as_rgb(GREY))


def test_16_bit_pgm(tmp_path: Path) -> None:
    assert cv2.imwrite(str(tmp_path / "a.pgm"), two_bytes(GREY))
    np.testing.assert_array_equal(read_image(tmp_path / "a.pgm"), grey_as_rgb(GREY))


@pytest.mark.parametrize("channels", [3, 4])
def test_16_bit_rgb_keeps_the_high_byte(tmp_path: Path, channels: int) -> None:
    values = two_bytes(np.dstack([RGB[..., ::-1], np.full_like(GREY, 255)])[..., :channels])
    assert cv2.imwrite(str(tmp_path / "a.png"), values)  # OpenCV writes BGR(A)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), RGB)


def test_cmyk_jpeg(tmp_path: Path) -> None:
    colours = np.zeros((16, 48, 3), np.uint8)
    colours[:, :16], colours[:, 16:32], colours[:, 32:] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    pillow.fromarray(colours).convert("CMYK").save(tmp_path / "a.jpg", quality=100)
    assert np.abs(read_image(tmp_path / "a.jpg").astype(int) - colours).max() <= 6


def test_palette(tmp_path: Path) -> None:
    palette = pillow.fromarray(RGB).quantize(32)
    palette.save(tmp_path / "a.png")
    np.testing.assert_array_equal(
        read_image(tmp_path / "a.png"), np.asarray(palette.convert("RGB"))
    )


def test_palette_with_transparency_lies_on_white(tmp_path: Path) -> None:
    palette = pillow.fromarray(MASK.astype(np.uint8), "L").convert("P")
    palette.putpalette([10, 20, 30, 200, 100, 50])
    palette.save(tmp_path / "a.png", transparency=0)
    expected = np.where(MASK[..., None], (200, 100, 50), (255, 255, 255))
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), expected)


def test_rgba_lies_on_white(tmp_path: Path) -> None:
    opaque, clear = np.full_like(GREY, 255), np.zeros_like(GREY)
    path = saved(tmp_path / "a.png", np.dstack([RGB, np.where(MASK, opaque, clear)]))
    np.testing.assert_array_equal(read_image(path), np.where(MASK[..., None], RGB, 255))


def test_grey_with_alpha(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.png", np.dstack([GREY, MASK * np.uint8(255)]))
    np.testing.assert_array_equal(
        read_image(path), np.where(MASK[..., None], grey_as_rgb(GREY), 255)
    )


def test_a_transparent_colour(tmp_path: Path) -> None:
    colours = np.where(MASK[..., None], (1, 2, 3), (9, 8, 7)).astype(np.uint8)
    path = saved(tmp_path / "a.png", colours, transparency=(9, 8, 7))
    np.testing.assert_array_equal(read_image(path), np.where(MASK[..., None], (1, 2, 3), 255))


TURNS: dict[
    int, Callable[[np.ndarray], np.ndarray]
] = {  # EXIF 2.3: how the stored image must be turned
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(a.swapaxes(0, 1), 2),
    8: np.rot90,
}


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
@pytest.mark.parametrize("orientation", TURNS)
def test_exif_orientation_is_applied_once(tmp_path: Path, orientation: int, suffix: str) -> None:
    exif = pillow.Exif()
    exif[0x0112] = orientation
    lossless = {"lossless": True} if suffix == "webp" else {}
    flat, turned = saved(tmp_path / f"a.{suffix}", RGB, **lossless), tmp_path / f"b.{suffix}"
    pillow.fromarray(RGB).save(turned, exif=exif, **lossless)
    np.testing.assert_array_equal(read_image(turned), TURNS[orientation](read_image(flat)))


@pytest.mark.parametrize(
    ("name", "options"), [("a.gif", {}), ("a.png", {}), ("a.webp", {"lossless": True})]
)
def test_the_first_frame_of_an_animation(
    tmp_path: Path, name: str, options: dict[str, object]
) -> None:
    first, second = (pillow.new("RGB", (20, 10), colour) for colour in ("red", "blue"))
    first.save(tmp_path / name, save_all=True, append_images=[second], duration=100, **options)
    with pillow.open(tmp_path / name) as stored:
        assert stored.n_frames == 2  # type: ignore[attr-defined]
    np.testing.assert_array_equal(read_image(tmp_path / name), np.full((10, 20, 3), (255, 0, 0)))


@pytest.mark.parametrize("size", [(1, 1), (1, 20000), (20000, 1)])
def test_extreme_shapes(tmp_path: Path, size: tuple[int, int]) -> None:
    pillow.new("RGB", size, (1, 2, 3)).save(tmp_path / "a.png")
    image = read_image(tmp_path / "a.png")
    assert image.shape == (size[1], size[0], 3) and (image == (1, 2, 3)).all()


# --- what is refused, in one sentence that names the file


def refusal(path: Path, **options: int) -> str:
    with pytest.raises(InputError, match=re.escape(str(path))) as caught:
        read_image(path, **options)
    return str(caught.value)


def test_missing_file(tmp_path: Path) -> None:
    assert "No such file" in refusal(tmp_path / "nowhere.jpg")


def test_directory(tmp_path: Path) -> None:
    assert "directory" in refusal(tmp_path)


def test_zero_bytes(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    assert "zero bytes" in refusal(tmp_path / "a.jpg")


@pytest.mark.parametrize(
    "text", ["dear diary", "%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "<svg/>"]
)
def test_text_in_disguise(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.jpg").write_text(text)
    assert "not an image" in refusal(tmp_path / "a.jpg")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize(
    "suffix", ["jpg", "png", "bmp", "gif", "ppm", "webp", "tif", "jp2", "avif"]
)
def test_truncated_files_give_no_grey_half(tmp_path: Path, suffix: str, share: float) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    path = saved(tmp_path / f"a.{suffix}", noise)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    assert "damaged" in (message := refusal(path)) or "not an image" in message


@pytest.mark.parametrize("suffix", ["jpg", "png", "bmp", "gif", "ppm", "webp", "jp2", "avif"])
def test_flipped_bytes_are_read_or_refused_but_never_crash(tmp_path: Path, suffix: str) -> None:
    blob, rng = saved(tmp_path / f"a.{suffix}", RGB).read_bytes(), np.random.default_rng(2)
    path = tmp_path / "damaged"
    for _ in range(40):
        data = bytearray(blob)
        for place in rng.integers(0, min(len(data), 300), 4):
            data[place] = rng.integers(256)
        path.write_bytes(data)
        try:
            assert read_image(path, max_pixels=1_000_000).shape[2] == 3
        except InputError as error:
            assert str(path) in str(error)


def png_header(width: int, height: int) -> bytes:
    """A PNG that promises a size and holds no pixels: decoding it would fail, reading its header
    doesn't."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def test_the_pixel_limit_is_checked_before_decoding(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png_header(15001, 10000))
    message = refusal(tmp_path / "a.png")
    assert "15001x10000" in message and "150" in message


def test_the_limit_is_150_megapixels_and_pillows_lower_one_stays_out_of_the_way(
    tmp_path: Path,
) -> None:
    # Exactly at the limit: goes on to decode.
    (tmp_path / "a.png").write_bytes(png_header(15000, 10000))
    before = pillow.MAX_IMAGE_PIXELS
    assert "damaged" in refusal(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(png_header(30000, 30000))
    assert "900.0 megapixels" in refusal(tmp_path / "b.png")
    assert before == pillow.MAX_IMAGE_PIXELS


def test_a_limit_of_ones_own(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.png", RGB)
    assert read_image(path, max_pixels=HEIGHT * WIDTH).shape == RGB.shape
    assert "40x30" in refusal(path, max_pixels=HEIGHT * WIDTH - 1)


def test_float_images_are_refused(tmp_path: Path) -> None:
    assert "floating-point" in refusal(saved(tmp_path / "a.tif", GREY.astype(np.float32) / 255))


def test_32_bit_integers_are_refused(tmp_path: Path) -> None:
    assert "32-bit" in refusal(saved(tmp_path / "a.tif", GREY.astype(np.int32) * 70000))


# --- writing


def test_images_and_masks_come_back(tmp_path: Path) -> None:
    write_png(tmp_path / "i.png", RGB)
    np.testing.assert_array_equal(read_image(tmp_path / "i.png"), RGB)
    write_png(tmp_path / "m.png", MASK)
    np.testing.assert_array_equal(read_mask(tmp_path / "m.png", MASK.shape), MASK)
    assert set(np.unique(np.asarray(pillow.open(tmp_path / "m.png")))) == {0, 255}


def test_arrays_that_are_not_contiguous(tmp_path: Path) -> None:
    write_png(tmp_path / "i.png", RGB[::-1, ::2])
    np.testing.assert_array_equal(read_image(tmp_path / "i.png"), RGB[::-1, ::2])


def test_another_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"out\.jpg would hold a PNG"):
        write_png(tmp_path / "out.jpg", RGB)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere/a\.png can't be written"):
        write_png(tmp_path / "nowhere" / "a.png", RGB)


def test_a_full_disk_keeps_the_old_file_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(tmp_path / "a.png", GREY)
    before = path.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(InputError, match="No space left"):
        write_png(path, RGB)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_values_are_grey_or_a_palettes_indices(tmp_path: Path) -> None:
    values = np.array([[0, 1, 2]], np.uint8)
    picture = pillow.fromarray(values)
    picture.putpalette([0, 0, 0, 255, 255, 255, 128, 128, 128])
    picture.save(tmp_path / "palette.png")
    assert read_values(tmp_path / "palette.png").tolist() == [[0, 255, 128]]
    assert read_values(tmp_path / "palette.png", indices=True).tolist() == [[0, 1, 2]]
    pillow.fromarray(values > 0).save(tmp_path / "bit.png")
    assert read_values(tmp_path / "bit.png", indices=True).tolist() == [[0, 255, 255]]


class TestLookingWithoutDecoding:
    def test_the_header_tells_the_upright_size(self, tmp_path: Path) -> None:
        """EXIF orientation 6 stands the image up; nothing behind the header is needed."""
        exif = pillow.Exif()
        exif[0x0112] = 6
        path = tmp_path / "turned.jpg"
        noise = np.random.default_rng(0).integers(0, 256, (200, 400, 3), np.uint8)
        pillow.fromarray(noise).save(path, exif=exif)
        header = read_header(path)
        assert (header.height, header.width) == (400, 200)
        path.write_bytes(path.read_bytes()[:-2000])
        assert read_header(path) == header

    @pytest.mark.parametrize("suffix", ["jpg", "png"])
    def test_a_thumbnail_is_the_image_scaled_down(self, tmp_path: Path, suffix: str) -> None:
        """A smooth image, so that JPEG and the way of scaling hardly matter."""
        rows, cols = np.mgrid[:600, :900]
        pixels = np.stack([cols * 255 // 899, rows * 255 // 599, rows * 0 + 90], axis=2).astype(
            np.uint8
        )
        path = tmp_path / f"smooth.{suffix}"
        pillow.fromarray(pixels).save(path)
        small = read_thumbnail(path, 90)
        assert small.shape == (60, 90, 3)
        assert np.abs(small.astype(int) - pixels[5::10, 5::10]).max() <= 6

    def test_a_small_image_is_its_own_thumbnail(self, tmp_path: Path) -> None:
        path = tmp_path / "small.png"
        pillow.new("RGB", (30, 20), "red").save(path)
        assert read_thumbnail(path, 90).shape == (20, 30, 3)
