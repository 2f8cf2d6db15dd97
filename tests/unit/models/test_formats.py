"""What the readers of Caffe's, TensorFlow's and MATLAB's files say of damaged and hostile ones.

Whatever the bytes, the answer is weights or one sentence, and memory stays near the file's size.
"""

from __future__ import annotations

import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import released
import torch

from vtmr.errors import CheckpointError
from vtmr.models.caffe_files import read_caffemodel
from vtmr.models.converted import import_checkpoint
from vtmr.models.matconvnet_files import read_vgg
from vtmr.models.tensorflow_files import DATA, INDEX, masked_crc, read_tensorflow

MOST = 2**20


def tensors() -> dict[str, torch.Tensor]:
    return {
        "conv1.weight": torch.arange(24.0).reshape(4, 2, 3, 1),
        "conv1.bias": torch.arange(4.0),
        "conv1/bn.running_mean": torch.arange(4.0) / 7,
        "conv1/bn.running_var": torch.arange(4.0) + 1,
        "prelu.weight": torch.tensor([0.25]),
    }


def variables() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    names = {"g_conv0/weights": (1, 1, 3, 4), "g_conv0/w0": (), "a/b/c": (5,)}
    return {name: rng.standard_normal(shape).astype(np.float32) for name, shape in names.items()}


def convolutions() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(0)
    shape = (4, 3, 3, 3)
    values = rng.standard_normal(shape).astype(np.float32), np.arange(4, dtype=np.float32)
    return {"conv1_1": values, "conv1_2": values}


# --- what is sound


def test_a_caffemodel_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "net.caffemodel"
    path.write_bytes(released.caffemodel(tensors()))
    found = read_caffemodel(path)
    assert found.keys() == tensors().keys()
    for name, value in tensors().items():
        torch.testing.assert_close(found[name], value, rtol=1e-6, atol=0)


def test_statistics_of_no_batch_are_zero(tmp_path: Path) -> None:
    """Caffe divides by 0 for 1."""
    one = np.ones(3, np.float32)
    path = tmp_path / "net.caffemodel"
    path.write_bytes(released.layer("bn", "BatchNorm", one, one, np.zeros(1, np.float32)))
    assert not read_caffemodel(path)["bn.running_var"].any()


def test_old_blobs_have_four_sides(tmp_path: Path) -> None:
    """Of which the leading ones mean nothing."""
    values = np.arange(4, dtype="<f4").tobytes()
    sides = b"".join(released.field(number, side) for number, side in enumerate((1, 1, 1, 4), 1))
    blob = released.field(7, sides + released.field(5, values))
    path = tmp_path / "net.caffemodel"
    path.write_bytes(
        released.field(100, released.field(1, "p") + released.field(2, "PReLU") + blob)
    )
    assert read_caffemodel(path)["p.weight"].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("end", ["", INDEX, DATA, ".meta"])
def test_a_checkpoint_is_found_by_any_of_its_files(end: str, tmp_path: Path) -> None:
    released.write_checkpoint(tmp_path / "model.ckpt-7", variables())
    found = read_tensorflow(tmp_path / f"model.ckpt-7{end}", MOST)
    assert found.keys() == variables().keys()
    for name, value in variables().items():
        np.testing.assert_array_equal(found[name].numpy(), value)


def test_the_checksum_is_crc_32c() -> None:
    """RFC 3720, B.4: 32 bytes of zeros have 0x8a9136aa; rotated by 15 and a constant added."""
    value = 0x8A9136AA
    assert masked_crc(bytes(32)) == ((value >> 15 | value << 17) + 0xA282EAD8) & 0xFFFFFFFF


def test_matconvnets_layers_are_read_and_large_ones_skipped(tmp_path: Path) -> None:
    path = tmp_path / "vgg.mat"
    path.write_bytes(released.matconvnet(convolutions()))
    found = read_vgg(path)
    filters, biases = convolutions()["conv1_2"]
    np.testing.assert_array_equal(found["vgg.conv1_2.weight"].numpy(), filters)
    np.testing.assert_array_equal(found["vgg.conv1_2.bias"].numpy(), biases)
    assert set(found) == {f"vgg.conv1_{i}.{part}" for i in (1, 2) for part in ("weight", "bias")}


@pytest.mark.slow
@pytest.mark.parametrize("compressed", [False, True])
def test_scipys_files_are_read(compressed: bool, tmp_path: Path) -> None:
    """Another implementation of MATLAB's format, with and without compression."""
    scipy_io = pytest.importorskip("scipy.io")

    def cells(parts: list[object]) -> np.ndarray:
        found = np.empty((1, len(parts)), object)
        for i, part in enumerate(parts):
            found[0, i] = part
        return found

    layers: list[object] = []
    for name, (filters, biases) in convolutions().items():
        weights = cells([filters.transpose(2, 3, 1, 0), biases[None]])
        layers += [{"name": name, "type": "conv", "weights": weights}, {"name": "relu"}]
    layers.append({"name": "fc6", "weights": cells([np.zeros((7, 7, 64, 2048)), biases])})
    content = {"meta": {"x": 1.5}, "layers": cells(layers)}
    scipy_io.savemat(tmp_path / "vgg.mat", content, do_compression=compressed)
    found = read_vgg(tmp_path / "vgg.mat")
    for name, (filters, biases) in convolutions().items():
        np.testing.assert_array_equal(found[f"vgg.{name}.weight"].numpy(), filters)
        np.testing.assert_array_equal(found[f"vgg.{name}.bias"].numpy(), biases)


# --- what isn't

Reader = Callable[[Path], object]


def caffe(folder: Path) -> tuple[Path, Reader]:
    path = folder / "net.caffemodel"
    path.write_bytes(released.caffemodel(tensors()))
    return path, read_caffemodel


def index(folder: Path) -> tuple[Path, Reader]:
    path = released.write_checkpoint(folder / "model.ckpt", variables())
    return path, lambda path: read_tensorflow(path, MOST)


def data(folder: Path) -> tuple[Path, Reader]:
    path, read = index(folder)
    return path.with_name("model.ckpt" + DATA), read


def matlab(folder: Path) -> tuple[Path, Reader]:
    path = folder / "vgg.mat"
    path.write_bytes(released.matconvnet(convolutions()))
    return path, read_vgg


FORMATS = (caffe, index, data, matlab)


@pytest.mark.parametrize("make", FORMATS)
def test_every_cut_is_noticed_or_harmless(
    make: Callable[[Path], tuple[Path, Reader]], tmp_path: Path
) -> None:
    path, read = make(tmp_path)
    whole = path.read_bytes()
    for length in [1, 7, *range(0, len(whole), max(1, len(whole) // 60)), len(whole) - 1]:
        path.write_bytes(whole[:length])
        try:
            read(path)
        except CheckpointError as error:
            assert path.name.split(".")[0] in str(error)
            assert "\n" not in str(error)
        else:
            # A file of fields is whole wherever a field ends; the names are compared later.
            assert make is caffe


@pytest.mark.parametrize("make", FORMATS)
def test_changed_bytes_never_crash(
    make: Callable[[Path], tuple[Path, Reader]], tmp_path: Path
) -> None:
    """Memory stays small besides, where a byte of a length becomes a large number."""
    path, read = make(tmp_path)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    tracemalloc.start()
    for at in rng.integers(len(whole), size=300):
        changed = bytearray(whole)
        changed[at] = int(rng.integers(256))
        path.write_bytes(changed)
        try:
            read(path)
        except CheckpointError as error:
            assert "\n" not in str(error)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 24 * 2**20


def entry(**changes: bytes) -> bytes:
    """An index whose only variable is described by those fields."""
    fields = {
        "kind": released.field(1, 1),
        "shape": released.field(2, released.field(2, released.field(1, 4))),
        "size": released.field(5, 16),
    }
    return b"".join({**fields, **changes}.values())


def with_entry(folder: Path, described: bytes, header: bytes | None = None) -> Path:
    head = released.field(1, 1) if header is None else header
    block = released.table_block([(b"", head), (b"v", described)])
    handle = released.varint(0) + released.varint(len(block) - 5)
    directory = released.table_block([(b"z", handle)])
    footer = released.varint(0) + released.varint(0)
    footer += released.varint(len(block)) + released.varint(len(directory) - 5)
    magic = struct.pack("<Q", 0xDB4775248B80FB57)
    (folder / "m.index").write_bytes(block + directory + footer.ljust(40, b"\0") + magic)
    (folder / ("m" + DATA)).write_bytes(bytes(16))
    return folder / "m.index"


HOSTILE_ENTRIES = {
    "enormous": (
        entry(
            shape=released.field(2, released.field(2, released.field(1, 2**30))),
            size=released.field(5, 2**32),
        ),
        r"'v' of shape \(1073741824,\) has 4294967296 bytes",
    ),
    "another size": (entry(size=released.field(5, 12)), "has 12 bytes"),
    "beyond the end": (entry(offset=released.field(4, 8)), "runs past the end of the data"),
    "another shard": (entry(shard=released.field(3, 3)), "in another data file"),
    "in slices": (entry(slices=released.field(7, b"")), "stored in slices"),
    "no sides": (
        entry(shape=released.field(2, released.field(2, released.field(1, 0)))),
        "a side of a variable is 0",
    ),
    "whole numbers": (entry(kind=released.field(1, 9)), "no variable of type float32"),
}


@pytest.mark.parametrize("what", HOSTILE_ENTRIES)
def test_hostile_checkpoints(what: str, tmp_path: Path) -> None:
    described, says = HOSTILE_ENTRIES[what]
    with pytest.raises(CheckpointError, match=says):
        read_tensorflow(with_entry(tmp_path, described), MOST)


def test_checkpoints_of_other_kinds(tmp_path: Path) -> None:
    path = with_entry(tmp_path, entry(), released.field(1, 2))
    with pytest.raises(CheckpointError, match="in 2 data files instead of one"):
        read_tensorflow(path, MOST)
    path = with_entry(tmp_path, entry(), released.field(1, 1) + released.field(2, 1))
    with pytest.raises(CheckpointError, match="highest byte first"):
        read_tensorflow(path, MOST)
    path = with_entry(tmp_path, entry())
    (tmp_path / ("m" + DATA)).unlink()
    with pytest.raises(CheckpointError, match=r"expected m\.index and m\.data-00000-of-00001"):
        read_tensorflow(path, MOST)


def huge_blob() -> bytes:
    """A billion values, of which none is there."""
    shape = released.field(7, released.field(1, released.varint(2**30)))
    blob = released.field(7, shape + released.field(5, b"1234"))
    return released.field(100, released.field(1, "c") + released.field(2, "Convolution") + blob)


HOSTILE_NETS = {
    "empty": (b"", "has 0 bytes"),
    "no layers": (released.field(1, "net"), "there is no layer with weights"),
    "huge": (huge_blob(), r"a blob of shape \[1073741824\] has 4 bytes"),
    "many sides": (
        released.field(
            100, released.field(7, released.field(7, released.field(1, b"\1" * 100_000)))
        ),
        "too many sides",
    ),
    "old": (released.field(2, b"layer"), "those of Caffe before 2014"),
    "twice": (
        released.layer("p", "PReLU", np.ones(1)) * 2,
        r"it holds 'p\.weight' twice",
    ),
    "unknown": (released.layer("l", "LSTM", np.ones(1)), "the layer 'l' of type 'LSTM'"),
    "half a norm": (released.layer("b", "BatchNorm", np.ones(1)), "lacks one of its three blobs"),
    "a name that is none": (
        released.field(100, released.field(1, b"\xff\xfe")),
        "can't decode",
    ),
}


@pytest.mark.parametrize("what", HOSTILE_NETS)
def test_hostile_caffemodels(what: str, tmp_path: Path) -> None:
    content, says = HOSTILE_NETS[what]
    path = tmp_path / "net.caffemodel"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=says) as caught:
        read_caffemodel(path)
    assert "\n" not in str(caught.value)


def test_a_deep_matlab_file_is_refused(tmp_path: Path) -> None:
    part = released.cell([])
    for _ in range(100):
        part = released.cell([part])
    path = tmp_path / "vgg.mat"
    path.write_bytes(b"MATLAB 5.0".ljust(124) + b"\x00\x01IM" + part)
    with pytest.raises(CheckpointError, match="too many parts"):
        read_vgg(path)


def test_a_small_file_that_inflates_without_end_is_refused(tmp_path: Path) -> None:
    """A compressed part that stands for gigabytes: it is refused before they are made."""
    import zlib

    head = struct.pack("<II", 14, 2**31 - 8)
    content = zlib.compress(head + bytes(2**24), 9)
    path = tmp_path / "vgg.mat"
    body = struct.pack("<II", 15, len(content)) + content
    path.write_bytes(b"MATLAB 5.0".ljust(124) + b"\x00\x01IM" + body)
    tracemalloc.start()
    with pytest.raises(CheckpointError, match="can't be read as MatConvNet's VGG-19"):
        read_vgg(path)
    assert tracemalloc.get_traced_memory()[1] < 8 * 2**20
    tracemalloc.stop()


# --- imports


@pytest.mark.slow
def test_missing_and_wrong_layers_of_brs_are_named(tmp_path: Path) -> None:
    values = {key: torch.zeros(shape) for key, shape in released.shapes("brs-densenet").items()}
    path = tmp_path / "brs.caffemodel"
    missing = {name: value for name, value in values.items() if name != "pred_step_2.bias"}
    path.write_bytes(released.caffemodel(missing))
    with pytest.raises(CheckpointError, match=r"lacks weights for 'fine_decoder\.logits\.bias'"):
        import_checkpoint(path, tmp_path / "ours.safetensors")
    path.write_bytes(released.caffemodel({**values, "pred_step_2.bias": torch.zeros(2)}))
    with pytest.raises(CheckpointError, match=r"of shape \(2,\) for 'fine_decoder\.logits\.bias'"):
        import_checkpoint(path, tmp_path / "ours.safetensors")
    path.write_bytes(released.caffemodel({**values, "conv99.weight": torch.zeros(2)}))
    with pytest.raises(CheckpointError, match=r"unexpected weight 'conv99\.weight'"):
        import_checkpoint(path, tmp_path / "ours.safetensors")


def test_lds_checkpoint_asks_for_vgg(tmp_path: Path) -> None:
    path = released.write_checkpoint(tmp_path / "model.ckpt", variables())
    with pytest.raises(CheckpointError, match=r"add --vgg imagenet-vgg-verydeep-19\.mat"):
        import_checkpoint(path, tmp_path / "ours.safetensors")
    with pytest.raises(CheckpointError, match=r"vgg\.mat can't be read"):
        import_checkpoint(path, tmp_path / "ours.safetensors", tmp_path / "vgg.mat")


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["fcanet-resnet101", "fcanet-res2net101"])
def test_missing_and_wrong_weights_of_fca_are_named(layout: str, tmp_path: Path) -> None:
    state = {key: torch.zeros(shape) for key, shape in released.shapes(layout).items()}
    path = tmp_path / "fca.pth"
    del state["my_decoder.side_conv.0.weight"]
    torch.save(state, path)
    with pytest.raises(CheckpointError, match=r"lacks weights for 'side\.0\.weight'"):
        import_checkpoint(path, tmp_path / "ours.safetensors")
    state["my_decoder.side_conv.0.weight"] = torch.zeros(48, 256, 3, 3)
    torch.save(state, path)
    with pytest.raises(CheckpointError, match=r"\(48, 256, 3, 3\) for 'side\.0\.weight'"):
        import_checkpoint(path, tmp_path / "ours.safetensors")
