"""Draws docs/pictures/progress.png: the clicks that each released lite0 needed, against the CPU
hours of its training.

    python tools/draw_progress.py

docs/releases.json holds the figures; tools/release.py adds a release to it and calls this.
"""

from __future__ import annotations

import json
from pathlib import Path

from vtmr.bench.plots import COLOURS, as_png, new_figure, styled

DOCS = Path(__file__).resolve().parents[1] / "docs"
RELEASES, PICTURE = DOCS / "releases.json", DOCS / "pictures/progress.png"
PANELS = {
    "report": "1,000 salient objects kept for reports",
    "validation": "536 validation objects of five kinds",
}
TARGETS = ("NoC@85", "NoC@90")


def main() -> None:
    releases = json.loads(RELEASES.read_text("utf-8"))
    with styled():
        figure = new_figure(
            "lite0: clicks needed against hours of training on two CPU cores", (10.5, 4.0)
        )
        for axes, (objects, title) in zip(
            figure.subplots(1, len(PANELS)), PANELS.items(), strict=True
        ):
            known = [release for release in releases if objects in release["figures"]]
            hours = [release["cpu_seconds"] / 7200 for release in known]
            for target, colour in zip(TARGETS, COLOURS, strict=False):
                rows = [release["figures"][objects] for release in known]
                values = [row[target] for row in rows]
                spread = [
                    [value - row["ci"][target][0] for value, row in zip(values, rows, strict=True)],
                    [row["ci"][target][1] - value for value, row in zip(values, rows, strict=True)],
                ]
                axes.errorbar(
                    hours, values, spread, color=colour, marker="o", capsize=3, label=target
                )
            axes.set(title=title, xlabel="hours on two cores", ylabel="clicks (95 % intervals)")
            axes.set_xlim(0, max(hours) * 1.08)
            axes.set_ylim(0, None)
            axes.legend()
        PICTURE.write_bytes(as_png(figure))


if __name__ == "__main__":
    main()
