"""docs/python.md, word for word: its code is run in order, on a photo and with the bundled model.

The shapes and types are those that its comments promise.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vtmr

ROOT = Path(__file__).parents[1]
PHOTO = ROOT / "src" / "vtmr" / "assets" / "photos" / "rocket.jpg"
BLOCK = re.compile(r"^```python\n(.*?)^```", flags=re.S | re.M)


@pytest.mark.slow
def test_the_page_on_python_runs_word_for_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(PHOTO, tmp_path / "photo.jpg")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    blocks = BLOCK.findall((ROOT / "docs" / "python.md").read_text())
    assert len(blocks) >= 3
    one_line, session, sam_style = blocks[:3]
    shape = vtmr.read_image(PHOTO).shape[:2]
    exec(one_line, names)
    assert (names["mask"].shape, names["mask"].dtype) == (shape, np.bool_)
    exec(session, names)
    assert names["image"].shape == (*shape, 3)
    assert told(names, "s.probability") == (shape, np.float32)
    assert told(names, "s.logits((200, 100, 400, 300))") == ((200, 200), np.float32)
    exec(sam_style, names)
    assert told(names, "masks") == ((1, *shape), np.bool_)
    assert told(names, "scores") == ((1,), np.float32)
    assert told(names, "low") == ((1, 256, 256), np.float32)
    for block in blocks[3:]:
        exec(block, names)


def told(names: dict[str, Any], expression: str) -> tuple[tuple[int, ...], Any]:
    """An expression's shape and type."""
    value = eval(expression, names)
    return value.shape, value.dtype
