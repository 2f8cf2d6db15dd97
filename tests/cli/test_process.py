"""The command as a process of its own, on a tiny model file of the real format
(tests/unit/runtime/tiny.py)."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from vtmr.cli import latency
from vtmr.errors import ConfigError

pytestmark = pytest.mark.slow

# torch and plots aren't in the base install; rich is, but a click doesn't need it.
NOT_FOR_SEGMENT = (
    "torch",
    "onnx",
    "safetensors",
    "matplotlib",
    "rich",
    "vtmr.bench",
    "vtmr.models",
    "vtmr.train",
)


def tiny_module() -> ModuleType:
    path = Path(__file__).parents[1] / "unit" / "runtime" / "tiny.py"
    spec = importlib.util.spec_from_file_location("tiny_for_cli", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.onnx"
    path.write_bytes(tiny_module().model_bytes())
    return path


def test_segment_as_a_process_imports_no_more_than_it_needs(model: Path, tmp_path: Path) -> None:
    photo = tmp_path / "grey.png"
    Image.new("RGB", (64, 48), "grey").save(photo)
    program = (
        "import sys; from vtmr.cli import main; code = main(sys.argv[1:]);"
        f"print([name for name in {NOT_FOR_SEGMENT} if name in sys.modules]); sys.exit(code)"
    )
    command = [
        sys.executable,
        "-c",
        program,
        "segment",
        photo,
        "--click",
        "30,20",
        "--model",
        model,
        "--json",
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    record, imported = done.stdout.splitlines()
    assert json.loads(record)["mask"]["size"] == [48, 64]
    assert imported == "[]"


def test_a_refusal_as_a_process(model: Path, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "vtmr.cli",
        "segment",
        "no.png",
        "--click",
        "1,1",
        "--model",
        str(model),
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "vtmr: no.png can't be read: No such file or directory.\n"
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.onnx"]


def test_a_cold_start_is_a_whole_process(model: Path) -> None:
    """It can't be shorter than starting Python and importing NumPy."""
    assert 0.02 < latency.cold_start(str(model)) < 60


def test_the_peak_of_memory_grows_with_what_is_held() -> None:
    before = latency.peak_rss_mb()
    assert before is not None
    held = np.ones(int(before * 1e6 + 100e6), np.uint8)
    after = latency.peak_rss_mb()
    assert after is not None
    assert after >= held.nbytes / 1e6


def test_a_model_that_a_fresh_process_cannot_load_is_named() -> None:
    with pytest.raises(ConfigError, match="no-such-model"):
        latency.cold_start("no-such-model")
