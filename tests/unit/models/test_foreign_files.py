"""Weight files of others: damaged ones, ones that claim more than they hold, wrapped networks."""

from __future__ import annotations

import contextlib
import io
import zipfile
from pathlib import Path
from typing import Any

import official
import pytest
import safetensors.torch
import torch

from vtmr.errors import CheckpointError
from vtmr.models.converted import import_checkpoint
from vtmr.models.foreign_files import read_state

TINY = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.bias": torch.ones(3)}


def stored(content: Any, *, zipped: bool = True) -> bytes:
    stream = io.BytesIO()
    torch.save(content, stream, _use_new_zipfile_serialization=zipped)
    return stream.getvalue()


@pytest.mark.parametrize("zipped", [True, False])
def test_a_file_cut_anywhere_is_refused(zipped: bool, tmp_path: Path) -> None:
    """torch's readers fail with assertions, struct.error and more; each becomes a sentence."""
    data, path = stored(TINY, zipped=zipped), tmp_path / "cut.pth"
    for length in range(0, len(data) - 1, 7):
        path.write_bytes(data[:length])
        with pytest.raises(CheckpointError, match=r"cut\.pth"):
            read_state(path)


def test_every_byte_of_the_old_layout_may_be_wrong(tmp_path: Path) -> None:
    data, path = stored(TINY, zipped=False), tmp_path / "wrong.pth"
    for place in range(len(data)):
        path.write_bytes(data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :])
        with contextlib.suppress(CheckpointError):
            assert read_state(path).keys()


def test_a_file_that_unpacks_to_more_than_it_is(tmp_path: Path) -> None:
    """Fifty megabytes of zeros in fifty kilobytes: torch itself never compresses."""
    path = tmp_path / "bomb.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\0" * 50_000_000)
    with pytest.raises(CheckpointError, match=r"bomb\.pth unpacks to 50000000 bytes"):
        read_state(path)


@pytest.mark.parametrize(
    "value",
    [
        torch.zeros(1).expand(10**6, 10**6),
        torch.zeros(4).to_sparse(),
        torch.zeros(3, device="meta"),
    ],
    ids=["one value for all", "sparse", "nowhere"],
)
def test_weights_without_values_of_their_own(value: torch.Tensor, tmp_path: Path) -> None:
    """A few bytes that claim a terabyte would take it at the first copy."""
    path = tmp_path / "hollow.pth"
    path.write_bytes(stored({**TINY, "b": value}))
    with pytest.raises(CheckpointError, match=r"hollow\.pth.*(without so many values|damaged)"):
        read_state(path)


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod.", "module.module."])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_wrappers_prefixes_are_taken_off(prefix: str, suffix: str, tmp_path: Path) -> None:
    """DataParallel's, torch.compile's and both."""
    wrapped = {prefix + name: value for name, value in TINY.items()}
    path = tmp_path / f"wrapped{suffix}"
    path.write_bytes(stored(wrapped) if suffix == ".pth" else safetensors.torch.save(wrapped))
    state = read_state(path)
    assert state.keys() == TINY.keys()
    assert all(torch.equal(state[name], value) for name, value in TINY.items())


def test_a_prefix_of_some_names_alone_belongs_to_them(tmp_path: Path) -> None:
    path = tmp_path / "mixed.pth"
    path.write_bytes(stored({"module.a": torch.ones(2), "b": torch.ones(2)}))
    assert read_state(path).keys() == {"module.a", "b"}


@pytest.mark.slow
def test_a_wrapped_official_checkpoint_is_imported(tmp_path: Path) -> None:
    content = official.content("ritm-hrnet18s")
    state = content["state_dict"]
    content["state_dict"] = {f"module.{name}": value for name, value in state.items()}
    plain, wrapped = tmp_path / "plain.safetensors", tmp_path / "wrapped.safetensors"
    import_checkpoint(official.write("ritm-hrnet18s", tmp_path / "plain.pth"), plain)
    (tmp_path / "wrapped.pth").write_bytes(stored(content))
    import_checkpoint(tmp_path / "wrapped.pth", wrapped)
    one, other = (read_state(path) for path in (plain, wrapped))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
