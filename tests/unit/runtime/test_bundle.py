"""Finding, checking and opening model files; the faults are made here from a sound file."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path

import onnx
import pytest
import tiny
from onnx import TensorProto, helper

import vtmr
from vtmr import modelfile
from vtmr.bench.robot import next_click
from vtmr.cli.latency import scene
from vtmr.errors import CheckpointError, InputError, VtmrWarning
from vtmr.masks import iou
from vtmr.runtime import bundled_models, load_network
from vtmr.session import Session
from vtmr.types import Click


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tiny.bundle(tmp_path)
    return tmp_path


def test_a_bundled_name_and_a_path_give_the_same_network(folder: Path) -> None:
    assert load_network("tiny", folder=folder).spec == tiny.SPEC
    assert load_network(folder / "tiny.onnx", folder=folder).spec == tiny.SPEC
    assert load_network(str(folder / "tiny.onnx")).spec == tiny.SPEC


def test_the_list_of_models_says_what_the_manifest_says(folder: Path) -> None:
    (model,) = bundled_models(folder)
    assert (model.name, model.path, model.figures) == ("tiny", folder / "tiny.onnx", {"iou": 0.5})
    assert model.bytes == model.path.stat().st_size


def test_a_name_may_stand_for_another_input_size_of_the_same_file(tmp_path: Path) -> None:
    path = tiny.bundle(tmp_path)
    data = tiny.model_bytes(
        coarse=tiny.coarse_model(free=True), refine=tiny.refine_model(free=True)
    )
    path.write_bytes(data)
    entry = {
        "file": path.name,
        "sha256": hashlib.sha256(data).hexdigest(),
        "bytes": len(data),
        "figures": {},
    }
    entries = {"tiny": entry, "tiny-large": {**entry, "input_size": 64}}
    (tmp_path / "manifest.json").write_text(json.dumps(entries))
    assert [model.input_size for model in bundled_models(tmp_path)] == [None, 64]
    sizes = [
        load_network(name, input_size=asked, folder=tmp_path).spec.input_size
        for name, asked in (("tiny", None), ("tiny-large", None), ("tiny-large", 96), (path, 96))
    ]
    assert sizes == [32, 64, 96, 96]


def test_the_packages_own_models_are_sound() -> None:
    for model in bundled_models():
        assert load_network(model.name).spec.training_data, (
            f"{model.name} doesn't say what it was trained on"
        )
        assert model.bytes == model.path.stat().st_size


@pytest.mark.slow
def test_the_packages_own_models_find_a_cup() -> None:
    """The scene of `vtmr latency`, clicked by the robot; weights that were swapped or never trained
    don't get there."""
    image, gt_mask = scene(547, 365)
    for model in bundled_models():
        session = Session(vtmr.load(model.name), image)
        clicks: list[Click] = []
        for _ in range(5):
            click = next_click(session.mask, gt_mask, None, clicks)
            if click is None:
                break
            clicks.append(click)
            session = session.add(click)
        assert iou(session.mask, gt_mask) > 0.9, model.name


def test_a_changed_byte_in_a_bundled_file_is_found(folder: Path) -> None:
    path = folder / "tiny.onnx"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(
        CheckpointError, match=r"The bundled model tiny .* is damaged: .* Install vtmr again"
    ):
        load_network("tiny", folder=folder)


def test_a_missing_bundled_file_or_manifest_is_named(folder: Path) -> None:
    (folder / "tiny.onnx").unlink()
    with pytest.raises(CheckpointError, match=r"tiny\.onnx can't be read: No such file"):
        load_network("tiny", folder=folder)
    for text in ("not JSON", "[]", '{"tiny": {"file": "tiny.onnx"}}'):
        (folder / "manifest.json").write_text(text)
        with pytest.raises(CheckpointError, match=r"manifest\.json can't be read"):
            bundled_models(folder)


def test_an_unknown_name_lists_the_known_ones(folder: Path) -> None:
    with pytest.raises(
        CheckpointError, match=r"no model 'tny', neither bundled \(tiny\) .* Did you mean 'tiny'\?"
    ):
        load_network("tny", folder=folder)
    with pytest.raises(CheckpointError, match=r"no model .*nowhere\.onnx"):
        load_network(folder / "nowhere.onnx", folder=folder)
    with pytest.raises(CheckpointError, match="no model"):
        load_network(folder, folder=folder)


def test_a_name_that_no_file_can_have() -> None:
    with pytest.raises(InputError, match="File name too long"):
        load_network("x" * 300)


def test_a_training_checkpoint_gets_the_command_to_use(tmp_path: Path) -> None:
    path = tmp_path / "run.safetensors"
    path.write_bytes(b"")
    with pytest.raises(CheckpointError, match=rf"vtmr export {path} -o {tmp_path}/run\.onnx"):
        load_network(path)


def damaged(change: str) -> bytes:
    """A model file with one fault."""
    data = tiny.model_bytes()
    if change == "flipped weight":
        at = data.index(tiny.COLOURS.tobytes())
        return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
    if change == "flipped refiner":
        model = modelfile.parse(data, "sound")
        # A weight of 10 made 10.0625.
        changed = model.refine.replace(b"\x00\x00\x20\x41", b"\x00\x00\x21\x41")
        assert changed != model.refine
        return tiny.with_metadata(
            data, refine=modelfile.metadata_of(tiny.SPEC, data, changed, {})["vtmr.refine"]
        )
    return {
        "empty": b"",
        "text": b"These are no weights, only words in a file.\n" * 40,
        "truncated": data[: len(data) // 2],
        "one byte short": data[:-1],
        "foreign": tiny.coarse_model().SerializeToString(),
        "no refiner": tiny.with_metadata(data, refine=None),
        "refiner of junk": tiny.with_metadata(data, refine="QUJD"),
        "refiner not base64": tiny.with_metadata(data, refine="ü"),
        "spec not JSON": tiny.with_metadata(data, spec="{"),
        "unknown spec key": tiny.with_spec(data, discradius=3),
        "format 2": tiny.with_spec(data, format=2),
        "counters not JSON": tiny.with_metadata(data, counters="[]"),
        "flipped spec": data.replace(b'"threshold": 0.5', b'"threshold": 0.7'),
        "flipped counter": data.replace(b'{"steps": 3}', b'{"steps": 7}'),
        "threshold of text": tiny.with_spec(data, threshold="0.5"),
        "two means": tiny.with_spec(data, coarse_normalisation={"mean": [0, 0], "std": [1, 1, 1]}),
        "std of nothing": tiny.with_spec(
            data, coarse_normalisation={"mean": [0, 0, 0], "std": [1, 0, 1]}
        ),
        "radius of NaN": tiny.with_spec(data, disc_radius=float("nan")),
        "endless ratio": tiny.with_spec(data, target_ratio=float("inf")),
        "size of a float": tiny.with_spec(data, input_size=32.0),
        "giant size": tiny.with_spec(data, input_size=32 * 10**9),
        "zoom of a list": tiny.with_spec(data, zoom=[]),
        "model of a number": tiny.with_spec(data, model=5),
        "pipeline of another network": tiny.with_spec(data, pipeline="ritm"),
    }[change]


def test_a_file_with_an_old_name_in_its_spec_is_used_with_a_note(tmp_path: Path) -> None:
    values = json.loads(tiny.SPEC.to_json())
    values["second_look"] = values.pop("recrop_share")
    path = tmp_path / "old.onnx"
    path.write_bytes(tiny.with_metadata(tiny.model_bytes(), sealed=True, spec=json.dumps(values)))
    with pytest.warns(VtmrWarning, match=r"old\.onnx: .*second_look is .*recrop_share now"):
        network = load_network(path)
    assert network.spec == tiny.SPEC


def test_of_a_copy_of_a_bundled_file_with_an_old_name_nothing_is_told(
    folder: Path, tmp_path: Path
) -> None:
    """Warnings are errors here. A copy is as right as the file itself was when it was released."""
    values = json.loads(tiny.SPEC.to_json())
    values["second_look"] = values.pop("recrop_share")
    data = tiny.with_metadata(tiny.model_bytes(), sealed=True, spec=json.dumps(values))
    (folder / "tiny.onnx").write_bytes(data)
    listed = json.loads((folder / "manifest.json").read_text())
    listed["tiny"] |= {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    (folder / "manifest.json").write_text(json.dumps(listed))
    copy = tmp_path / "copy.onnx"
    copy.write_bytes(data)
    assert load_network(copy, folder=folder).spec == tiny.SPEC
    assert load_network("tiny", folder=folder).spec == tiny.SPEC


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ("empty", r"is empty \(0 bytes\)"),
        ("text", "is not a complete ONNX model"),
        ("truncated", "is not a complete ONNX model"),
        ("one byte short", "is not a complete ONNX model"),
        ("foreign", r"is an ONNX model but not one of vtmr's \(no 'vtmr.spec' in its metadata\)"),
        ("no refiner", r"no 'vtmr.refine' in its metadata"),
        ("refiner of junk", "The refiner in .* is not a complete ONNX model"),
        ("refiner not base64", "has damaged metadata"),
        ("spec not JSON", "spec can't be read"),
        ("unknown spec key", "unknown key 'discradius'. Did you mean 'disc_radius'"),
        ("format 2", "has format 2; this version reads format 1"),
        ("counters not JSON", "has damaged metadata"),
        ("flipped weight", "is damaged: its content has SHA-256"),
        ("flipped refiner", "is damaged: its content has SHA-256"),
        ("flipped spec", "is damaged: its content has SHA-256"),
        ("flipped counter", "is damaged: its content has SHA-256"),
        ("threshold of text", "spec.threshold is '0.5': expected a finite number"),
        ("two means", "spec.coarse_normalisation.mean has 2 values: expected 3"),
        ("std of nothing", "expected std above 0"),
        ("radius of NaN", "spec.disc_radius is nan: expected a finite number"),
        ("endless ratio", "spec.target_ratio is inf: expected a finite number"),
        ("size of a float", "spec.input_size is 32.0: expected a whole number"),
        ("giant size", "input_size is 32000000000: expected a multiple of 32, from 32 to 2048"),
        ("zoom of a list", r"spec.zoom is \[\]: expected a table"),
        ("model of a number", "spec.model is 5: expected a text"),
        ("pipeline of another network", "a refiner"),
    ],
)
def test_a_file_that_is_no_sound_model_is_refused(
    tmp_path: Path, change: str, complaint: str
) -> None:
    path = tmp_path / "some.onnx"
    path.write_bytes(damaged(change))
    with pytest.raises(CheckpointError, match=complaint) as caught:
        load_network(path)
    assert "some.onnx" in str(caught.value)


def test_every_truncation_is_refused() -> None:
    data = tiny.model_bytes()
    for length in range(len(data)):
        with pytest.raises(CheckpointError):
            modelfile.parse(data[:length], "cut")


def external_file(folder: Path) -> bytes:
    """A coarse graph whose weights are really kept in another file."""
    onnx.save_model(
        tiny.coarse_model(),
        folder / "e.onnx",
        save_as_external_data=True,
        location="e.data",
        size_threshold=0,
    )
    assert (folder / "e.data").stat().st_size == tiny.COLOURS.nbytes
    return (folder / "e.onnx").read_bytes()


def test_external_data_is_refused_even_where_it_could_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # where a relative path would be found
    path = tmp_path / "model.onnx"
    coarse = onnx.load_model_from_string(external_file(tmp_path))
    sound = {p.key: p.value for p in onnx.load_model_from_string(tiny.model_bytes()).metadata_props}
    helper.set_model_props(coarse, sound)
    path.write_bytes(coarse.SerializeToString())
    with pytest.raises(
        CheckpointError, match=r"model.onnx keeps tensors in other files .* refused"
    ):
        load_network(path)


def test_external_data_in_the_refiner_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    refine = onnx.load_model_from_string(external_file(tmp_path))
    data = tiny.model_bytes()
    encoded = base64.b64encode(refine.SerializeToString()).decode()
    path.write_bytes(tiny.with_metadata(data, refine=encoded))
    with pytest.raises(
        CheckpointError, match=r"The refiner in .*model.onnx keeps tensors in other files"
    ):
        load_network(path)


def test_external_data_in_a_nested_constant_is_refused() -> None:
    tensor = TensorProto(
        name="c", data_type=TensorProto.FLOAT, dims=[1], data_location=TensorProto.EXTERNAL
    )
    inner = helper.make_graph(
        [helper.make_node("Constant", [], ["c"], value=tensor)], "inner", [], []
    )
    coarse = tiny.coarse_model()
    coarse.graph.node.append(
        helper.make_node("If", ["maps"], ["c"], then_branch=inner, else_branch=inner)
    )
    with pytest.raises(CheckpointError, match="keeps tensors in other files"):
        modelfile.parse(coarse.SerializeToString(), "nested")
