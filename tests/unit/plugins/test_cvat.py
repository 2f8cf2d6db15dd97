"""vtmr as an interaction function of CVAT, called by CVAT's own code.

The first half calls cvat-cli's driver of interaction functions in this process, the second runs the
command `cvat-cli` against a server on loopback. Masks are read by cvat_sdk.masks; expected ones are
a Session's.
"""

from __future__ import annotations

import gc
import os
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from cvatserver import TOKEN, StubServer, serving
from fakes import ColourNetwork, shapes_image
from PIL import Image as pillow

import vtmr
from vtmr.masks import Mask
from vtmr.plugins import cvat
from vtmr.segmenter import segmenter_for

pytestmark = pytest.mark.slow  # cvat_sdk alone takes seconds to import
cvat_sdk = pytest.importorskip("cvat_sdk")
pytest.importorskip("cvat_cli")

IMAGE = shapes_image()
HEIGHT, WIDTH = IMAGE.shape[:2]
PREDICTOR = segmenter_for(ColourNetwork())
PHOTO = vtmr.read_image(Path(vtmr.__file__).parent / "assets" / "photos" / "chelsea.jpg")


def session(image: Any, predictor: Any, *events: Any) -> Mask:
    made = vtmr.Session(predictor, image)
    for event in events:
        made = made.add(event)
    return made.mask


def decoded(shape: Any, height: int = HEIGHT, width: int = WIDTH) -> Mask:
    """A mask shape, as cvat_sdk reads it."""
    from cvat_sdk.masks import decode_mask

    points = shape["points"] if isinstance(shape, dict) else shape.points
    return decode_mask(points, image_width=width, image_height=height)


def prompts(positive: Any = (), negative: Any = (), box: Any = None) -> Any:
    return SimpleNamespace(pos_points=positive, neg_points=negative, bounding_box=box)


@pytest.fixture
def function() -> cvat.Interaction:
    return cvat.Interaction(PREDICTOR)


def test_masks_are_encoded_as_cvats_own_encoder_does(function: cvat.Interaction) -> None:
    from cvat_sdk.masks import encode_mask

    stored = function.preprocess_image(None, pillow.fromarray(IMAGE))
    (shape,) = function.detect(None, stored, prompts([(56, 54)]))
    mask = session(IMAGE, PREDICTOR, vtmr.Click(56, 54))
    assert shape.type == "mask"
    assert shape.points == encode_mask(mask)
    assert np.array_equal(decoded(shape), mask)


@pytest.mark.parametrize("seed", range(5))
def test_any_mask_is_read_back(seed: int) -> None:
    """Corners on and off, so that runs begin with ones and with zeros."""
    from cvat_sdk.masks import encode_mask

    mask = np.random.default_rng(seed).random((7, 9)) > 0.5
    (shape,) = cvat._shapes(mask)
    assert shape.points == encode_mask(mask)
    assert np.array_equal(decoded(shape, 7, 9), mask)


def test_an_empty_mask_is_no_shape(function: cvat.Interaction) -> None:
    stored = function.preprocess_image(None, pillow.fromarray(IMAGE))
    assert function.detect(None, stored, prompts(negative=[(56, 54)])) == []


def test_the_image_is_back_after_others_took_its_room(function: cvat.Interaction) -> None:
    function._open._max_bytes = 1  # only the newest is in memory
    first = function.preprocess_image(None, pillow.fromarray(IMAGE))
    other = function.preprocess_image(None, pillow.fromarray(IMAGE[:, ::-1].copy()))
    asked = prompts([(56, 54)])
    before = function.detect(None, first, asked)
    function.detect(None, other, asked)
    assert len(function._open) == 1
    assert function.detect(None, first, asked) == before


def test_a_stored_image_goes_with_its_last_user(function: cvat.Interaction) -> None:
    stored = function.preprocess_image(None, pillow.fromarray(IMAGE))
    file = stored._file
    del stored
    gc.collect()
    assert file.closed


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (prompts(), "nothing to go by"),
        (prompts([(1,)]), "two numbers"),
        (prompts([(float("nan"), 1)]), "two numbers"),
        (prompts([(WIDTH + 5, 1)]), "outside the image"),
        (prompts("all"), "expected a list"),
        (prompts([(1, 1)], box=((1, 1), (1, 9))), "is empty"),
        (prompts([(1, 1)] * 500), "at most 200"),
    ],
)
def test_bad_prompts_are_bad_function_errors(
    function: cvat.Interaction, asked: Any, message: str
) -> None:
    from cvat_sdk.auto_annotation import BadFunctionError

    stored = function.preprocess_image(None, pillow.fromarray(IMAGE))
    with pytest.raises(BadFunctionError, match=message) as raised:
        function.detect(None, stored, asked)
    assert raised.value.__suppress_context__


def test_bad_images_are_bad_function_errors(
    function: cvat.Interaction, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cvat_sdk.auto_annotation import BadFunctionError

    with pytest.raises(BadFunctionError, match="0x0 pixels"):
        function.preprocess_image(None, pillow.new("RGB", (0, 0)))
    huge = SimpleNamespace(size=(20_000, 20_000), info={}, format="PNG")
    with pytest.raises(BadFunctionError, match=r"400\.0 megapixels"):
        function.preprocess_image(None, huge)
    with pytest.raises(BadFunctionError, match="expected what preprocess_image returned"):
        function.detect(None, IMAGE, prompts([(1, 1)]))
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda: FullDisk())
    with pytest.raises(BadFunctionError, match="no room for the image"):
        function.preprocess_image(None, pillow.fromarray(IMAGE))


class FullDisk:
    """A file on a disk that is full."""

    def write(self, data: Any) -> None:
        raise OSError(28, "No space left on device")

    def close(self) -> None:
        """Nothing to close."""


def test_what_cannot_be_loaded_is_told_in_cvats_way() -> None:
    from cvat_sdk.auto_annotation import BadFunctionError

    with pytest.raises(BadFunctionError, match=r"nowhere\.onnx"):
        cvat.create("nowhere.onnx")
    with pytest.raises(BadFunctionError, match="threshold"):
        cvat.create(threshold=7.0)


def test_without_cvats_sdk_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cvat_sdk", None)
    monkeypatch.setitem(sys.modules, "cvat_sdk.auto_annotation", None)
    with pytest.raises(vtmr.ConfigError, match=r"cvat_sdk.*\.\[cvat\]"):
        cvat.create()


# --- cvat-cli's driver, in this process
# -----------------------------------------------------------------------------------------------


class Here:
    """In the place of the agent's worker process: everything is called at once, here."""

    def submit(self, call: Callable[..., Any], *arguments: Any) -> Any:
        return call(*arguments)

    def result(self, value: Any) -> Any:
        return value


@pytest.fixture
def driver(function: cvat.Interaction, monkeypatch: pytest.MonkeyPatch) -> Any:
    from cvat_cli._internal import agent, agent_driver

    made = agent.get_function_driver_class(function.spec)
    monkeypatch.setattr(agent_driver, "_current_function", function, raising=False)
    made.init_worker(None)
    driver = made(None, Here(), function.spec)
    picture = pillow.fromarray(IMAGE)
    sample = SimpleNamespace(media=SimpleNamespace(load_image=lambda: picture))
    monkeypatch.setattr(driver, "_get_sample_from_ar_params", lambda params: (sample, None))
    return driver


def request(**fields: Any) -> dict[str, Any]:
    empty: dict[str, Any] = {"pos_points": [], "neg_points": [], "obj_bbox": []}
    return {"type": "interact", "task": 1, "frame": 0, **empty, **fields}


def test_the_driver_registers_what_the_function_takes(driver: Any) -> None:
    fields = driver.get_remote_function_fields(driver._function_spec)
    assert fields == {"min_pos_points": 0, "min_neg_points": 0, "startswith_box_optional": True}
    remote = {"startswith_box": False, **fields}
    driver.validate_function_compatibility(remote)  # raises where they disagree


def test_the_driver_carries_clicks_and_box_there_and_the_mask_back(driver: Any) -> None:
    a, b, c = vtmr.Click(56, 54), vtmr.Click(20, 20, False), vtmr.Click(60, 60)
    box = vtmr.BoxPrompt(20, 15, 92, 95)
    steps: list[tuple[dict[str, Any], tuple[Any, ...]]] = [
        ({"pos_points": [[56, 54]]}, (a,)),
        ({"pos_points": [[56, 54]], "neg_points": [[20, 20]]}, (a, b)),
        ({"pos_points": [[56, 54], [60, 60]], "neg_points": [[20, 20]]}, (a, b, c)),
        ({"obj_bbox": [[20, 15], [92, 95]]}, (box,)),
        ({"obj_bbox": [[20, 15], [92, 95]], "neg_points": [[20, 20]]}, (box, b)),
    ]
    for fields, events in steps:
        (shape,) = driver.calculate_result_for_ar(request(**fields), None)["shapes"]
        assert shape["type"] == "mask"
        assert shape["attributes"] == []
        assert np.array_equal(decoded(shape), session(IMAGE, PREDICTOR, *events))


def test_a_predictor_without_boxes_says_so() -> None:
    clicks_only = segmenter_for(ColourNetwork(pipeline="ritm"))
    assert cvat.Interaction(clicks_only).spec.min_bounding_boxes is None


# --- the command cvat-cli, as users call it
# -----------------------------------------------------------------------------------------------


PAGE = Path(__file__).parents[3] / "docs" / "doors" / "cvat.md"
SERVER = "https://cvat.example.org"  # as the page names it


def documented(stub: StubServer, words: str) -> list[list[str]]:
    """The page's cvat-cli commands with those words in them, for the stand-in's address."""
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("$ cvat-cli")]
    program = str(Path(sys.executable).with_name("cvat-cli"))
    commands = [shlex.split(line.replace(SERVER, stub.url))[2:] for line in lines if words in line]
    assert commands
    return [[program, *command] for command in commands]


def environment(home: Path) -> dict[str, str]:
    """Without a profile, and with nothing of the user's."""
    return {**os.environ, "CVAT_ACCESS_TOKEN": TOKEN, "XDG_CONFIG_HOME": str(home)}


NATIVE = {
    "provider": "native",
    "name": "vtmr",
    "kind": "interactor",
    "min_pos_points": 0,
    "min_neg_points": 0,
    "startswith_box_optional": True,
}  # as `create-native` registers it, which the first test below shows


@contextmanager
def agent(command: list[str], home: Path) -> Iterator[subprocess.Popen[str]]:
    """A running agent, which is stopped at the end."""
    running = subprocess.Popen(
        command, env=environment(home), stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        yield running
    finally:
        if running.poll() is None:
            os.killpg(running.pid, signal.SIGTERM)
        running.communicate(timeout=60)


def test_cvat_cli_registers_and_serves_vtmr(tmp_path: Path) -> None:
    """From `create-native` to masks by `run-agent`, over HTTP and the stream of events."""
    predictor = vtmr.load()
    a, b, c = vtmr.Click(230, 130), vtmr.Click(60, 40, False), vtmr.Click(150, 210)
    other_order = session(PHOTO, predictor, a, c, b)
    assert not np.array_equal(session(PHOTO, predictor, a, b, c), other_order)
    with serving([PHOTO, IMAGE]) as stub:
        created = subprocess.run(
            documented(stub, "create-native")[0],
            env=environment(tmp_path),
            capture_output=True,
            text=True,
            check=True,
        )
        assert created.stdout.strip() == "1"
        assert NATIVE.items() <= stub.functions[0].items()
        with agent(documented(stub, "run-agent")[0], tmp_path):
            assert stub.watched.wait(120)
            steps: list[tuple[dict[str, Any], tuple[vtmr.Click, ...]]] = [
                ({"pos_points": [[230, 130]]}, (a,)),
                ({"pos_points": [[230, 130]], "neg_points": [[60, 40]]}, (a, b)),
                ({"pos_points": [[230, 130], [150, 210]], "neg_points": [[60, 40]]}, (a, b, c)),
            ]
            for fields, events in steps:
                stub.interact(**fields)
                outcome, answer = stub.answer()
                assert outcome == "complete"
                (shape,) = answer["shapes"]
                mask = decoded(shape, *PHOTO.shape[:2])
                assert np.array_equal(mask, session(PHOTO, predictor, *events))
            assert stub.sent == [0]  # the image was fetched once
            stub.interact(frame=1, pos_points=[[9999, 1]])
            outcome, answer = stub.answer()
            assert outcome == "fail"
            assert "outside the image of 160x120 pixels" in answer["exc_info"]
            assert "Traceback" not in answer["exc_info"]
            stub.interact(frame=1, pos_points=[[56, 54]])
            assert stub.answer()[0] == "complete"  # the agent goes on


def test_the_documented_parameters_reach_the_model(tmp_path: Path) -> None:
    predictor = vtmr.load(threshold=0.4)
    with serving([PHOTO]) as stub:
        stub.reply("POST", "/api/functions", {}, NATIVE)
        stub.interact(obj_bbox=[[90, 10], [400, 290]])
        with agent([*documented(stub, "-p threads=")[0], "--burst"], tmp_path) as running:
            outcome, answer = stub.answer()
            assert running.wait(60) == 0  # nothing is left to answer
    assert outcome == "complete"
    mask = decoded(answer["shapes"][0], *PHOTO.shape[:2])
    box = vtmr.BoxPrompt(90, 10, 400, 290)
    assert np.array_equal(mask, session(PHOTO, predictor, box))
    assert not np.array_equal(mask, session(PHOTO, vtmr.load(), box))
