"""Damages files and reads them: a process of its own, since a reader may crash, hang or eat memory.

    python -m fuzzing.child KIND SEEDS SEED FIRST END FOLDER

For each number from FIRST on, `N` is printed before and a JSON record after: what each reader made
of it, its processor seconds, and the process' peak memory in MB.
"""

from __future__ import annotations

import base64
import contextlib
import json
import resource
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from fuzzing.mutations import damaged_bytes, damaged_json, damaged_toml, generator
from numpy.random import Generator
from peaks import peak_kb

from vtmr.errors import InputError, VtmrError

RESERVING = ("pth", "caffe", "vgg", "tensorflow", "safetensors", "states", "onnx")
ADDRESS_GB = dict.fromkeys(RESERVING, 40)  # torch and ONNX Runtime reserve much
MASK_SHAPE = (18, 24)
Readers = Mapping[str, Callable[[Path], Any]]


def image_readers() -> Readers:
    """Every function that takes an image file."""
    from vtmr.data.sources import read_data_image, read_data_values
    from vtmr.formats.png import read_masks
    from vtmr.images import read_header, read_image, read_thumbnail, read_values
    from vtmr.maskfiles import read_mask, read_mask_file

    return {
        "header": read_header,
        "image": read_image,
        "thumbnail": lambda path: read_thumbnail(path, 16),
        "values": read_values,
        "indices": lambda path: read_values(path, indices=True),
        "mask": lambda path: read_mask(path, MASK_SHAPE),
        "any mask": read_mask_file,
        "labels": lambda path: read_mask_file(path, reading="labels"),
        "whatever isn't zero": lambda path: read_mask_file(path, reading="any"),
        "beside a photo": lambda path: read_masks(path, MASK_SHAPE, ["cup"]),
        "a data set's photo": read_data_image,
        "a data set's values": read_data_values,
    }


def mat_readers() -> Readers:
    """SBD's instances."""
    from vtmr.data.published import read_instances

    return {"instances": read_instances}


def coco_readers() -> Readers:
    """The annotator's and the trainer's."""
    from vtmr.data import CocoSource
    from vtmr.formats.coco import CocoFile

    def annotator(path: Path) -> None:
        coco = CocoFile.parse(path.read_bytes())
        for image in coco.images:
            coco.annotated(image)

    def trainer(path: Path) -> None:
        folder = path.parent / "images"
        folder.mkdir(exist_ok=True)
        for name in ("1.png", "2.png"):
            (folder / name).write_bytes((Path(SEEDS) / ".." / "images" / "RGB.png").read_bytes())
        source = CocoSource.open("coco", path.parent)
        for stem in source.stems:
            for object_id in source.object_ids(stem):
                source.mask(stem, object_id)

    return {"annotator": annotator, "trainer": trainer}


def format_readers() -> Readers:
    """Every reader of other programs' files; the suffix names the format."""
    from vtmr.formats import read
    from vtmr.formats.sources import bytes_source

    def imported(path: Path) -> None:
        form = path.suffix.removeprefix(".")
        name = "a.xml" if form == "cvat" else "a.json"
        foreign = read(form, bytes_source(name, path.read_bytes(), 1 << 28))
        said = foreign.said.sentences()
        for image in foreign.images:
            said += image.decode(MASK_SHAPE)[1].sentences()
        if said:
            raise InputError(said[0])  # a part that is told counts as refused

    return {"import": imported}


def session_readers() -> Readers:
    """From the text to a session on its image."""
    from fakes import ColourNetwork, shapes_image

    from vtmr.segmenter import segmenter_for
    from vtmr.session import replay
    from vtmr.session.eventlog import EventLog

    segmenter, image = segmenter_for(ColourNetwork(input_size=32)), shapes_image()

    def log(path: Path) -> None:
        text = path.read_bytes().decode("utf-8", "surrogateescape")
        for step in EventLog.from_json(text).steps:
            for event in step:
                if hasattr(event, "runs"):
                    event.runs.decode()

    def played(path: Path) -> None:
        text = path.read_bytes().decode("utf-8", "surrogateescape")
        assert replay(segmenter, image, text).mask.shape == (120, 160)

    return {"log": log, "replay": played}


def store_readers(name: str) -> Readers:
    """A folder's store with that file damaged, for viewing and for writing."""
    import shutil

    from vtmr.app.project import image_id
    from vtmr.app.store import Store

    def opened(path: Path, write: bool) -> None:
        folder = path.parent / "photos"
        shutil.rmtree(folder, ignore_errors=True)
        place = folder / ".vtmr" / (f"documents/{image_id('a.png')}.jsonl" if name else "")
        if not name:
            place = folder / ".vtmr" / "journal.jsonl"
        place.parent.mkdir(parents=True)
        shutil.copy(path, place)
        store = Store(folder, write=write)
        try:
            document = store.document("a.png")
            for state in document.states if document else ():
                for item in state.content.items:
                    item.mask.decode(document.height, document.width)
        finally:
            store.close()

    return {
        "for viewing": lambda path: opened(path, write=False),
        "for writing": lambda path: opened(path, write=True),
    }


def pth_readers() -> Readers:
    """Tables of weights, and the import."""
    from vtmr.models.converted import import_checkpoint
    from vtmr.models.foreign_files import read_state

    return {
        "table": read_state,
        "import": lambda path: import_checkpoint(path, path.with_suffix(".safetensors")),
    }


def caffe_readers() -> Readers:
    """BRS's file."""
    from vtmr.models.caffe_files import read_caffemodel
    from vtmr.models.converted import import_checkpoint

    return {
        "weights": read_caffemodel,
        "import": lambda path: import_checkpoint(path, path.with_suffix(".safetensors")),
    }


def vgg_readers() -> Readers:
    """LD's other file."""
    from vtmr.models.matconvnet_files import read_vgg

    return {"weights": read_vgg}


def tensorflow_readers() -> Readers:
    """LD's checkpoint."""
    from fuzzing.seeds import TENSORFLOW_DATA

    from vtmr.models.tensorflow_files import DATA, INDEX, read_tensorflow

    def weights(path: Path) -> None:
        path.with_name(path.name.removesuffix(INDEX) + DATA).write_bytes(TENSORFLOW_DATA)
        read_tensorflow(path, 1 << 20)

    return {"weights": weights}


def safetensors_readers() -> Readers:
    """As weights, as another's table, and up to the network."""
    from vtmr.models.foreign_files import read_state
    from vtmr.models.restore import restore
    from vtmr.models.weights import read_weights

    return {"weights": read_weights, "table": read_state, "network": restore}


def state_readers() -> Readers:
    """What `vtmr train --resume` reads."""
    from fuzzing.tinytraining import tiny_training

    from vtmr.train.checkpoint import STATE, restore_checkpoint

    parts = tiny_training()

    def resumed(path: Path) -> None:
        out = path.parent / "run"
        out.mkdir(exist_ok=True)
        path.replace(out / STATE)
        recipe, network, adam, average, _ = parts
        restore_checkpoint(out, recipe, network, adam, average)

    return {"resume": resumed}


def onnx_readers() -> Readers:
    """The runtime's, and the trainer's."""
    from vtmr.models.restore import restore
    from vtmr.models.weights import read_weights
    from vtmr.runtime import load_network

    def runtime(path: Path) -> None:
        network = load_network(path, threads=1)
        side = network.spec.input_size
        if side > 256:  # sound, but not worth the time
            return
        image, grid = np.zeros((side, side, 3), np.uint8), np.zeros((side, side), np.float32)
        logits, features = network.coarse(image, grid, [])
        if network.spec.refines:
            network.refine(image, [], logits, features, (0.0, 0.0, side, side))

    return {
        "runtime": runtime,
        "weights": read_weights,
        "network": restore,
    }


def recipe_readers() -> Readers:
    """The recipe, with a change from the command line too."""
    from vtmr.train.recipe import load_recipe

    return {
        "recipe": load_recipe,
        "with --set": lambda path: load_recipe(path, ["steps=3", "augment.flip=0.1"]),
    }


READERS: dict[str, Callable[[], Readers]] = {
    "images": image_readers,
    "mat": mat_readers,
    "coco": coco_readers,
    "formats": format_readers,
    "sessions": session_readers,
    "documents": lambda: store_readers("document"),
    "journals": lambda: store_readers(""),
    "pth": pth_readers,
    "caffe": caffe_readers,
    "vgg": vgg_readers,
    "tensorflow": tensorflow_readers,
    "safetensors": safetensors_readers,
    "states": state_readers,
    "onnx": onnx_readers,
    "recipes": recipe_readers,
}


def damaged(kind: str, name: str, seeds: Mapping[str, bytes], rng: Generator) -> bytes:
    """The seed of that name, damaged as files of its kind are worth to be damaged."""
    data, others = seeds[name], list(seeds.values())
    if kind == "recipes":
        return damaged_toml(data.decode(), rng)
    if kind in ("documents", "journals") and rng.random() < 0.7:
        return _damaged_lines(data, rng)
    if kind in ("coco", "sessions") and rng.random() < 0.7:
        return damaged_json(json.loads(data), rng).encode("utf-8", "surrogatepass")
    if kind == "formats" and data[:1] in b"{[" and rng.random() < 0.7:
        return damaged_json(json.loads(data), rng).encode("utf-8", "surrogatepass")
    if kind == "tensorflow" and rng.random() < 0.7:
        return _with_right_checksum(data, rng)
    if kind == "onnx" and rng.random() < 0.6:
        return _sealed_again(data, others, rng)
    if kind in ("safetensors", "states") and rng.random() < 0.6:
        return _other_header(data, rng)
    return damaged_bytes(data, others, rng)


def _damaged_lines(data: bytes, rng: Generator) -> bytes:
    """One line's record damaged, with the checksum of what it is then or none."""
    from vtmr.app.lines import sealed

    lines = data.splitlines(keepends=True)
    at = int(rng.integers(len(lines)))
    record = json.loads(lines[at])
    record.pop("crc", None)
    text = damaged_json(record, rng)
    lines[at] = text.encode("utf-8", "surrogatepass") + b"\n"
    if rng.random() < 0.5:
        with contextlib.suppress(ValueError, RecursionError, AttributeError, TypeError):
            lines[at] = sealed(json.loads(text))
    return b"".join(lines)


def _sealed_again(data: bytes, others: list[bytes], rng: Generator) -> bytes:
    """A model file with a damaged part and the digest that belongs to it."""
    import tiny

    from vtmr import modelfile

    model = modelfile.parse(data, "seed")
    part = rng.random()
    if part < 0.4:
        spec = damaged_json(json.loads(model.spec.to_json()), rng)
        with contextlib.suppress(ValueError):  # of text that no file can hold
            return tiny.with_metadata(data, sealed=True, spec=spec)
    elif part < 0.7:
        graph = base64.b64encode(damaged_bytes(model.refine, others, rng)).decode()
        return tiny.with_metadata(data, sealed=True, refine=graph)
    damage = damaged_bytes(data, others, rng)
    with contextlib.suppress(Exception):  # of protobuf, where it is no model any more
        return tiny.with_metadata(damage, sealed=True)
    return damage


def _with_right_checksum(data: bytes, rng: Generator) -> bytes:
    """With bytes of the index's first block changed, and the checksum that they have then."""
    from vtmr.models.tensorflow_files import masked_crc

    places = range(5, len(data) - 4)
    end = next(
        i for i in places if masked_crc(data[:i]) == int.from_bytes(data[i : i + 4], "little")
    )
    block = bytearray(data[:end])
    for _ in range(rng.integers(1, 4)):
        block[rng.integers(end)] = int(rng.choice((0, 1, 0x7F, 0x80, 0xFF, int(rng.integers(256)))))
    return bytes(block) + masked_crc(bytes(block)).to_bytes(4, "little") + data[end + 4 :]


def _other_header(data: bytes, rng: Generator) -> bytes:
    """With a damaged header, whose length is told rightly."""
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    told = header.get("__metadata__", {})
    parts = [key for key in ("spec", "progress", "recipe") if key in told]
    if parts and rng.random() < 0.5:
        part = parts[rng.integers(len(parts))]
        told[part] = damaged_json(json.loads(told[part]), rng)
        text = json.dumps(header)
    else:
        text = damaged_json(header, rng)
    written = text.encode("utf-8", "surrogatepass")
    return len(written).to_bytes(8, "little") + written + data[8 + size :]


def read(reader: Callable[[Path], Any], path: Path) -> tuple[str, float]:
    """What became of it, and the processor seconds."""
    start = time.process_time()
    try:
        reader(path)
        answer = "read"
    except VtmrError as error:
        answer = "refused" if str(error) else "refused without a word"
    except BaseException as error:
        said = " ".join(str(error).split())[:200]
        answer = f"uncaught {type(error).__name__}: {said}"
    return answer, time.process_time() - start


def main(kind: str, seed: int, first: int, end: int, folder: Path) -> None:
    """One line before and one after each number."""
    warnings.simplefilter("ignore")
    limit = ADDRESS_GB.get(kind, 8) << 30
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    readers = READERS[kind]()
    seeds = {path.name: path.read_bytes() for path in sorted(Path(SEEDS).iterdir())}
    names = list(seeds)
    for number in range(first, end):
        rng = generator(seed, number)
        name = names[rng.integers(len(names))]
        path = folder / ("instances.json" if kind == "coco" else f"damaged{Path(name).suffix}")
        print(number, flush=True)
        path.write_bytes(damaged(kind, name, seeds, rng))
        answers = {title: read(reader, path) for title, reader in readers.items()}
        peak_mb = peak_kb() / 1024
        record = {"number": number, "seed": name, "answers": answers, "peak_mb": round(peak_mb)}
        print(json.dumps(record), flush=True)


if __name__ == "__main__":
    SEEDS = sys.argv[2]
    seed, first, end = map(int, sys.argv[3:6])
    main(sys.argv[1], seed, first, end, Path(sys.argv[6]))
