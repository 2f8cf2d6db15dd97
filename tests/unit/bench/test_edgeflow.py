"""EdgeFlow's baseline, on tiny graphs of the exported kind: what they are told, and what is refused
(docs/method.md §G.9)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from vtmr.bench.baselines import open_baseline
from vtmr.bench.baselines.edgeflow import EdgeFlowBaseline
from vtmr.errors import CheckpointError, InputError
from vtmr.types import Click


def written(path: Path, outputs: int = 3, channels: int = 3, mask: int = 1) -> Path:
    """A graph whose mask logits are 20 (channel `mask` of the second input) - 10, and whose edge
    logits are 2 there and 0 elsewhere plus 4 times the edges that it is told of."""
    sides = ["n", channels, "h", "w"]
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, sides) for name in ("x0", "x1")
    ]
    single = ["n", 1, "h", "w"]
    names = ["mask", "aux", "edge"][:outputs]
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, single) for name in names]

    def weight(name: str, *numbers: float) -> onnx.TensorProto:
        return numpy_helper.from_array(np.array(numbers, np.float32).reshape(1, 3, 1, 1), name)

    picked = [20.0 * (i == mask) for i in range(3)]
    nodes = [
        helper.make_node("Conv", ["x1", "w", "b"], ["mask"]),
        helper.make_node("Identity", ["mask"], ["aux"]),
        helper.make_node("Conv", ["x1", "v"], ["edge"]),
    ]
    initialisers = [
        weight("w", *picked),
        numpy_helper.from_array(np.array([-10], np.float32), "b"),
        weight("v", 4.0, 2.0, 0.0),
    ]
    graph = helper.make_graph(nodes, "g", inputs, values, initialisers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save_model(model, path)
    return path


def test_it_is_told_of_clicks_by_discs_and_of_its_last_edges(tmp_path: Path) -> None:
    baseline = open_baseline(f"edgeflow:{written(tmp_path / 'edgeflow.onnx')}")
    assert baseline.name == "edgeflow"
    scene = baseline.prepare(np.zeros((40, 60, 3), np.uint8))
    first = baseline.predict(scene, [Click(20.5, 10.5)])
    mask = first.render()
    assert mask[10, 20] and mask[10, 25] and not mask[10, 27]  # a disc of 5 pixels
    assert not baseline.predict(scene, [Click(20.5, 10.5, positive=False)]).render().any()
    # Edges are sigmoid(2) in the disc and .5 elsewhere; fed back, they are 4 times that more.
    edges = first.memory  # type: ignore[attr-defined]
    assert (edges[10, 20], edges[0, 0]) == pytest.approx((0.8808, 0.5), abs=1e-4)
    again = baseline.predict(scene, [Click(20.5, 10.5), Click(40.5, 30.5, positive=False)], first)
    fed = 1 / (1 + np.exp(-(4 * 0.8808 + 2)))
    assert again.memory[10, 20] == pytest.approx(fed, abs=1e-4)  # type: ignore[attr-defined]


def test_large_images_are_seen_with_800_pixels(tmp_path: Path) -> None:
    baseline = EdgeFlowBaseline(written(tmp_path / "edgeflow.onnx"))
    scene = baseline.prepare(np.zeros((1600, 400, 3), np.uint8))
    assert scene.planes.shape == (1, 3, 800, 200)
    mask = baseline.predict(scene, [Click(200, 800)]).render()
    assert mask.shape == (1600, 400)
    assert mask[800, 200]


def test_other_graphs_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "edgeflow.onnx"
    with pytest.raises(CheckpointError, match=r"edgeflow\.onnx can't be read"):
        EdgeFlowBaseline(path)
    for content in (b"", b"no graph", written(path).read_bytes()[:-40]):
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match=r"edgeflow\.onnx (is not a complete|holds)"):
            EdgeFlowBaseline(path)
    with pytest.raises(CheckpointError, match="2 outputs: expected EdgeFlow's static model"):
        EdgeFlowBaseline(written(path, outputs=2))
    with pytest.raises(CheckpointError, match=r"(can't run|expected EdgeFlow's)"):
        EdgeFlowBaseline(written(path, channels=4))


def test_data_in_other_files_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "edgeflow.onnx")
    model = onnx.load(path)
    onnx.save_model(
        model, path, save_as_external_data=True, location="weights.bin", size_threshold=0
    )
    with pytest.raises(CheckpointError, match="keeps tensors in other files"):
        EdgeFlowBaseline(path)


def test_an_answer_of_another_size_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "edgeflow.onnx")
    model = onnx.load(path)
    model.graph.node[0].attribute.append(helper.make_attribute("strides", [2, 2]))
    onnx.save_model(model, path)
    baseline = EdgeFlowBaseline(path)
    scene = baseline.prepare(np.zeros((40, 60, 3), np.uint8))
    with pytest.raises(InputError, match=r"answered with \(1, 1, 20, 30\): expected"):
        baseline.predict(scene, [Click(1, 1)])
