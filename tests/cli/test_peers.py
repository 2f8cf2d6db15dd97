"""Peers on the command line, and docs/peers.md's own example, word for word, played against a tiny
data set."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from fakes import shapes_image
from PIL import Image
from running import Command

from vtmr.bench.peers import PEERS, ClassicalPeer

DOCUMENT = Path(__file__).parents[2] / "docs" / "peers.md"


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """One picture: the red ellipse on green beside a blue rectangle."""
    root = tmp_path / "data"
    for name in ("images", "masks"):
        (root / name).mkdir(parents=True)
    image = shapes_image(48, 64)
    Image.fromarray(image).save(root / "images" / "a.png")
    red = (image[..., 0] > 130).astype(np.uint8)
    Image.fromarray(red * np.uint8(255)).save(root / "masks" / "a.png")
    return root


def test_the_documents_example_plays(
    command: Command, pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It finds the one red shape with its first click; the command is the document's but for the
    data set."""
    text = DOCUMENT.read_text()
    (code,) = re.findall(r"^```python\n(.*?)^```", text, flags=re.S | re.M)
    assert len([line for line in code.splitlines() if line.strip() and "import" not in line]) == 5
    (line,) = [
        line
        for line in text.splitlines()
        if line.startswith("vtmr evaluate") and "my_peers" in line
    ]
    arguments = line.split()[1:]
    arguments[arguments.index("--data") + 1] = f"pairs={pairs}"
    (tmp_path / "my_peers.py").write_text(code)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "my_peers", raising=False)
    result = command(*arguments)
    assert result.code == 0, result.err
    out = tmp_path / arguments[arguments.index("--out") + 1]
    assert json.loads((out / "summary.json").read_text())["pairs"]["IoU@1"] > 0.9
    assert json.loads((out / "run.json").read_text())["settings"]["model"]["name"] == "near colours"


def test_a_peers_run_is_continued_and_its_settings_are_stored(
    command: Command, pairs: Path, tmp_path: Path
) -> None:
    flags = (
        "--data",
        f"pairs={pairs}",
        "--model",
        "peer:grabcut-opencv",
        "--out",
        tmp_path / "out",
    )
    assert command("evaluate", *flags).code == 0
    model = json.loads((tmp_path / "out" / "run.json").read_text())["settings"]["model"]
    assert {key: model[key] for key in ("name", "sha256", "threshold", "threads", "zoom")} == {
        "name": "grabcut-opencv",
        "sha256": "",
        "threshold": None,
        "threads": None,
        "zoom": None,
    }
    records = (tmp_path / "out" / "records.jsonl").read_bytes()
    assert command("evaluate", *flags).code == 0
    assert (tmp_path / "out" / "records.jsonl").read_bytes() == records


@pytest.mark.parametrize(
    ("flags", "fragments"),
    [
        (
            ["--model", "peer:grabcut"],
            ("'grabcut'", "known are", "grabcut-opencv", "MODULE:FUNCTION"),
        ),
        (["--model", "peer:"], ("''", "known are")),
        (["--model", "peer:no_such_module:make"], ("no_such_module:make", "can't be had")),
        (["--model", "peer:geodesic", "--device", "cpu"], ("device is cpu", "peer:geodesic")),
        (["--model", "peer:geodesic", "--zoom", "off"], ("zoom is off", "peer:geodesic")),
    ],
)
def test_what_is_no_peer_or_not_for_peers_is_refused(
    command: Command, pairs: Path, tmp_path: Path, flags: list[str], fragments: tuple[str, ...]
) -> None:
    command("evaluate", "--data", f"pairs={pairs}", "--out", tmp_path / "o", *flags).assert_refused(
        *fragments
    )
    assert not (tmp_path / "o").exists()


def test_a_missing_package_is_named_with_its_extra(
    command: Command, pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from importlib import metadata

    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr("vtmr.bench.peers.registry.metadata.version", missing)
    result = command(
        "evaluate",
        "--data",
        f"pairs={pairs}",
        "--out",
        tmp_path / "o",
        "--model",
        "peer:random-walker",
    )
    result.assert_refused("scikit-image", "[bench]")


def test_the_peers_are_listed(command: Command) -> None:
    lines = command("models", "--peers").out.splitlines()
    assert [line.split()[0] for line in lines] == [f"peer:{name}" for name in PEERS]
    assert all(peer.description in line for peer, line in zip(PEERS.values(), lines, strict=True))
    listed = json.loads(command("models", "--peers", "--json").out)
    assert listed == [
        {"name": f"peer:{name}", "description": peer.description} for name, peer in PEERS.items()
    ]


def test_every_peer_is_documented_with_the_size_it_works_at() -> None:
    rows = [line for line in DOCUMENT.read_text().splitlines() if line.startswith("| `peer:")]
    for name, peer in PEERS.items():
        (row,) = [row for row in rows if f"`peer:{name}`" in row]
        opened = peer.open()
        assert isinstance(opened, ClassicalPeer)
        assert f"| long side {opened.side} |" in row
