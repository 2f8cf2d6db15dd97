"""Sound little files of every kind that vtmr reads, to be damaged."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw
from PIL.PngImagePlugin import PngInfo

SIZE = (24, 18)  # width, height


def write_seeds(kind: str, folder: Path) -> None:
    """Into the folder: files that a reader of that kind takes."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in _MAKERS[kind]():
        (folder / name).write_bytes(data)


def _photo(mode: str = "RGB") -> Image.Image:
    noise = np.random.default_rng(1).integers(60, 200, (SIZE[1], SIZE[0], 3), np.uint8)
    photo = Image.fromarray(noise)
    ImageDraw.Draw(photo).ellipse((5, 4, 18, 14), fill=(200, 40, 30))
    if mode in ("LA", "RGBA"):
        photo.putalpha(Image.linear_gradient("L").resize(SIZE))
    return photo.convert(mode)


def _saved(image: Image.Image, form: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def _images() -> Iterator[tuple[str, bytes]]:
    deep = np.arange(SIZE[0] * SIZE[1], dtype=np.uint16).reshape(SIZE[1], SIZE[0]) * 100
    labels = Image.fromarray((deep // 9000 % 4).astype(np.uint8))
    text = PngInfo()
    text.add_text("Comment", "hello " * 20, zip=True)
    exif = Image.Exif()
    exif[0x0112] = 6
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA"):
        yield f"{mode}.png", _saved(_photo(mode), "PNG")
    yield "deep.png", _saved(Image.fromarray(deep), "PNG")
    yield "labels.png", _saved(labels, "PNG")
    yield "text.png", _saved(_photo(), "PNG", pnginfo=text, exif=exif)
    yield "plain.jpg", _saved(_photo(), "JPEG", exif=exif)
    yield "progressive.jpg", _saved(_photo(), "JPEG", progressive=True)
    yield "cmyk.jpg", _saved(_photo("CMYK"), "JPEG")
    for mode in ("1", "L", "P", "RGB", "RGBA"):
        yield f"{mode}.bmp", _saved(_photo(mode), "BMP")
    yield "still.gif", _saved(_photo("P"), "GIF")
    frames = [_photo("P"), _photo("P")]
    yield "moving.gif", _saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    for mode, name in (("1", "pbm"), ("L", "pgm"), ("RGB", "ppm")):
        yield f"raw.{name}", _saved(_photo(mode), "PPM")
    yield "plain.ppm", b"P3 # made by hand\n4 2 255\n" + b"10 20 30  40 50 60\n" * 4
    yield "lossy.webp", _saved(_photo(), "WEBP")
    yield "lossless.webp", _saved(_photo("RGBA"), "WEBP", lossless=True)
    for compression in ("raw", "tiff_lzw", "tiff_deflate", "packbits", "jpeg"):
        yield f"{compression}.tif", _saved(_photo(), "TIFF", compression=compression)
    yield "deep.tif", _saved(Image.fromarray(deep), "TIFF")
    yield "bits.tif", _saved(_photo("1"), "TIFF", compression="group4")
    yield "alpha.tif", _saved(_photo("RGBA"), "TIFF")
    yield "wavelet.jp2", _saved(_photo(), "JPEG2000")
    yield "video.avif", _saved(_photo(), "AVIF")


def _mat() -> Iterator[tuple[str, bytes]]:
    from scipy.io import savemat

    ids = np.zeros((SIZE[1], SIZE[0]), np.uint8)
    ids[3:9, 4:12] = 1
    for name, packed in (("plain.mat", False), ("packed.mat", True)):
        stream = io.BytesIO()
        content = {"GTinst": {"Segmentation": ids, "Categories": np.array([[7.0], [3.0]])}}
        savemat(stream, content, do_compression=packed)
        yield name, stream.getvalue()


def _coco() -> Iterator[tuple[str, bytes]]:
    square = [[2, 2, 12, 2, 12, 10, 2, 10]]
    compressed = {"size": [18, 24], "counts": "T11a0"}
    loose = {"size": [18, 24], "counts": [40, 6, 386]}
    shapes = (square, compressed, loose, [[1.5, 1.5, 8, 2, 4, 9], [10, 10, 14, 10, 12, 15]])
    annotations = [
        {"id": n, "image_id": n % 2 + 1, "category_id": n % 2 + 1, "segmentation": shape}
        | {"bbox": [2, 2, 10, 8], "area": 80, "iscrowd": 0}
        for n, shape in enumerate(shapes, start=1)
    ]
    images = [
        {"id": n, "file_name": f"{n}.png", "width": SIZE[0], "height": SIZE[1]} for n in (1, 2)
    ]
    categories = [{"id": 1, "name": "cup"}, {"id": 2, "name": "plate"}]
    document = {"images": images, "annotations": annotations, "categories": categories}
    yield "instances.json", json.dumps(document).encode()


def _formats() -> Iterator[tuple[str, bytes]]:
    """What vtmr writes for others: every format as a ZIP, and those of one file as that file; the
    suffix names the format."""
    from vtmr.formats import READERS, AnnotatedImage, Annotation, write
    from vtmr.masks import RunLengths

    width, height = SIZE
    ring, square = np.zeros((2, height, width), bool)
    ring[2:10, 2:12] = True
    ring[4:6, 4:6] = False
    square[11:15, 3:9] = True
    objects = [
        Annotation("cup", RunLengths.encode(ring), False, (("size", "large"),), "A note"),
        Annotation("plate", RunLengths.encode(square), True),
    ]
    image = AnnotatedImage("a.png", height, width, tuple(objects))
    for form in READERS:
        files = write(form, [image], [])
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as archive:
            for name, data in files.content.items():
                archive.writestr(name, data)
        yield f"zip.{form}", stream.getvalue()
        texts = [data for data in files.content.values() if data[:1] in b"{[<"]
        if texts:
            yield f"file.{form}", texts[0]


def _sessions() -> Iterator[tuple[str, bytes]]:
    from fakes import ColourNetwork, shapes_image

    from vtmr.geometry import Box
    from vtmr.segmenter import segmenter_for
    from vtmr.session import Session
    from vtmr.types import Click, MaskEdit

    image = shapes_image()
    mask = np.zeros((120, 160), np.bool_)
    mask[20:60, 30:90] = True
    segmenter = segmenter_for(ColourNetwork())
    clicks = Session(segmenter, image, region=Box(0, 0, 100, 80)).add(Click(56, 54))
    edited = Session(segmenter, image, initial_mask=mask, correction="refit")
    edited = edited.add(Click(40, 40), Click(100, 70, False)).add(MaskEdit.of(~mask))
    yield "clicks.json", clicks.to_json().encode()
    yield "edited.json", edited.to_json().encode()


def sample_document() -> Any:
    """An image's annotations with two objects, undo and redo."""
    from vtmr.app.document import Content, Document, Item
    from vtmr.geometry import Box
    from vtmr.masks import RunLengths
    from vtmr.serving.maskruns import MaskRuns
    from vtmr.types import Click, MaskEdit

    mask = np.zeros((18, 24), np.bool_)
    mask[4:12, 5:20] = True
    steps = ((Click(6.5, 5.5),), (MaskEdit(RunLengths.encode(mask)), Click(2.0, 3.0, False)))
    item = Item("o1", "cup", True, False, Box(0, 0, 24, 18), steps, MaskRuns.encode(mask))
    item = replace(item, made_with={"model": "tiny"})
    document = Document("a.png", 18, 24)
    content = Content((item,), 2)
    document = document.changed("click", content)
    other = replace(item, id="o2", label="plate", steps=())
    document = document.changed("mask", Content((*content.items, other), 3))
    return document.moved(-1).moved(1).accepted(True)


def _documents() -> Iterator[tuple[str, bytes]]:
    from vtmr.app.documents import as_bytes

    yield "document.jsonl", as_bytes(sample_document())


def _journals() -> Iterator[tuple[str, bytes]]:
    from vtmr.app.document import Document, transition
    from vtmr.app.lines import sealed

    whole = sample_document()
    before, lines = Document("a.png", 18, 24), b""
    for state in whole.states[1:]:
        after = before.changed(state.op, state.content)
        lines += sealed(transition(before, after))
        before = after
    for after in (before.moved(-1), before.moved(-1).moved(1)):
        lines += sealed(transition(before, after))
        before = after
    lines += sealed(transition(before, before.accepted(True)))
    yield "journal.jsonl", lines


def _pth() -> Iterator[tuple[str, bytes]]:
    import torch

    torch.manual_seed(1)
    state = {
        "feature_extractor.transition1.0.0.weight": torch.rand(18, 4),
        "feature_extractor.conv3x3_ocr.0.weight": torch.rand(96, 3).half(),
        "feature_extractor.bn1.num_batches_tracked": torch.tensor(7),
    }
    params = {"width": {"type": "builtin", "value": 18, "specified": True}, "use_disks": True}
    config = {"class": "isegm.model.is_hrnet_model.HRNetModel", "params": params}
    for name, content in (("flat", state), ("official", {"state_dict": state, "config": config})):
        for suffix, zipped in (("zip", True), ("old", False)):
            stream = io.BytesIO()
            torch.save(content, stream, _use_new_zipfile_serialization=zipped)
            yield f"{name}-{suffix}.pth", stream.getvalue()


def _caffe() -> Iterator[tuple[str, bytes]]:
    import released

    rng = np.random.default_rng(1)
    net = released.field(1, "BRS") + released.layer("data", "Input")
    net += released.layer("conv1", "Convolution", rng.random((2, 3, 3, 3)), rng.random(2))
    net += released.layer("conv1/bn", "BatchNorm", *rng.random((2, 2)), np.array([9.0]))
    yield "net.caffemodel", net + released.layer("prelu", "PReLU", np.array([0.25]))


def _vgg() -> Iterator[tuple[str, bytes]]:
    import released

    values = np.ones((4, 3, 3, 3), np.float32), np.arange(4, dtype=np.float32)
    yield "vgg.mat", released.matconvnet({"conv1_1": values, "conv1_2": values})


def _tensorflow() -> Iterator[tuple[str, bytes]]:
    """The index alone; its values lie in TENSORFLOW_DATA, which is as long as they say."""
    import tempfile

    import released

    values = {"g_conv0/weights": np.ones((1, 1, 3, 4)), "g_conv0/w0": np.ones(()), "a": np.ones(5)}
    with tempfile.TemporaryDirectory() as folder:
        yield "model.index", released.write_checkpoint(Path(folder, "model"), values).read_bytes()


TENSORFLOW_DATA = np.ones(18, "<f4").tobytes()


def _safetensors() -> Iterator[tuple[str, bytes]]:
    import torch

    from vtmr.models.weights import CHECKPOINT_SPEC_KEY, sealed
    from vtmr.spec import ModelSpec, Normalisation

    torch.manual_seed(1)
    spec = ModelSpec("lite0", Normalisation((1.0, 2.0, 3.0), (4.0, 5.0, 6.0)))
    tensors = {"a.weight": torch.rand(2, 3), "a.count": torch.tensor(3), "b": torch.ones(4).half()}
    yield "weights.safetensors", sealed(tensors, {CHECKPOINT_SPEC_KEY: spec.to_json()})
    yield "others.safetensors", sealed(tensors, {})


def _states() -> Iterator[tuple[str, bytes]]:
    """Training states, with the recipe beside them that they belong to."""
    import tempfile

    from fuzzing.tinytraining import tiny_training

    from vtmr.train.checkpoint import STATE, Progress, save_checkpoint

    with tempfile.TemporaryDirectory() as folder:
        recipe, network, adam, average, spec = tiny_training()
        progress = Progress(3, 1.5, 2.5, "2026-11-30", "abc", "imagenet", scaler={"scale": 2.0})
        save_checkpoint(Path(folder), recipe, network, adam, average, spec, progress)
        yield STATE, Path(folder, STATE).read_bytes()


def _onnx() -> Iterator[tuple[str, bytes]]:
    import tiny

    yield "tiny.onnx", tiny.model_bytes()
    free = tiny.model_bytes(
        coarse=tiny.coarse_model(free=True), refine=tiny.refine_model(free=True)
    )
    yield "free.onnx", free


def _recipes() -> Iterator[tuple[str, bytes]]:
    for path in sorted((Path(__file__).parents[2] / "recipes").glob("*.toml")):
        yield path.name, path.read_bytes()


_MAKERS = {
    "images": _images,
    "mat": _mat,
    "coco": _coco,
    "formats": _formats,
    "sessions": _sessions,
    "documents": _documents,
    "journals": _journals,
    "pth": _pth,
    "caffe": _caffe,
    "vgg": _vgg,
    "tensorflow": _tensorflow,
    "safetensors": _safetensors,
    "states": _states,
    "onnx": _onnx,
    "recipes": _recipes,
}
KINDS = tuple(_MAKERS)
