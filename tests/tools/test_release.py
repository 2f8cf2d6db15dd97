"""A released file that is only used otherwise keeps GrabCut's row of the same weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
import release

from vtmr.runtime import load_network

ROOT = Path(__file__).parents[2]


def test_grabcuts_row_is_that_of_the_same_weights() -> None:
    spec = load_network("lite0").spec
    samples = sum(run.samples for run in spec.lineage)
    rows: list[dict[str, Any]] = [{"NoC@85": 1.0}, {"NoC@85": 2.0}, {"NoC@85": 3.0}]
    releases = [
        {"sha256": "aaa", "samples": samples - 1, "figures": {"grabcut": rows[0]}},
        {"sha256": "bbb", "samples": samples, "figures": {"validation": rows[0]}},
        {"sha256": "ccc", "samples": samples, "figures": {"grabcut": rows[1]}},
    ]
    assert release.earlier_grabcut(spec, releases) == (rows[1], "ccc")
    again = {"sha256": "ddd", "samples": samples, "figures": {"grabcut": rows[1]}}
    assert release.earlier_grabcut(spec, [again | {"grabcut_of": "ccc"}]) == (rows[1], "ccc")
    with pytest.raises(SystemExit, match="lack GrabCut"):
        release.earlier_grabcut(spec, releases[:2])


def test_the_bundled_file_says_what_grabcut_was_measured_with() -> None:
    """Where docs/releases.json names another file, card, README and results name it, too."""
    manifest = json.loads((ROOT / "src/vtmr/assets/models/manifest.json").read_text())
    sha256 = manifest["lite0"]["sha256"][:12]
    releases = json.loads((ROOT / "docs/releases.json").read_text())
    (entry,) = (one for one in releases if one["sha256"] == sha256)
    for page in ("README.md", "docs/results.md", "src/vtmr/assets/models/lite0.md"):
        said = f"GrabCut was measured with `{entry.get('grabcut_of')}`"
        assert (said in (ROOT / page).read_text()) is ("grabcut_of" in entry)


def test_a_cards_commands_name_no_place_of_a_machine() -> None:
    """Where the data lay is no part of the recipe; the bundled card is printed this way."""
    changes = "--set seed=3 --set data.root=/home/me/data --set 'maskmatch={share = 0.5}'"
    assert release.without_places(changes) == "--set seed=3 --set 'maskmatch={share = 0.5}'"
    card = (ROOT / "src/vtmr/assets/models/lite0.md").read_text()
    assert release.commands(load_network("lite0").spec) in card
    assert "data.root" not in card
