"""Writes docs/doors/http-openapi.json: what `vtmr serve` answers at /openapi.json with its own
limits.

    python tools/write_openapi.py
"""

from __future__ import annotations

import json
from pathlib import Path

from vtmr.plugins.service.limits import Limits
from vtmr.plugins.service.openapi import document

OUT = Path(__file__).parents[1] / "docs" / "doors" / "http-openapi.json"

if __name__ == "__main__":
    OUT.write_text(json.dumps(document(Limits()), indent=1) + "\n")
    print(OUT)
