"""What zoom and MaskMatch are worth and what they cost: four short runs that differ in them alone.

    python tools/controlled_run.py ../runs/controlled [--samples 4000] [--limit N] [--set KEY=VALUE ...]

Each starts from the bundled lite0 with the same seed, data, samples, first clicks and schedule; --set changes values of
the recipe for all of them. Then the frozen validation objects are played with the start and with each result. Writes
table.md into the folder. What is there already is not done again, and an interrupted run goes on.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np

from vtmr.bench import Protocol, read_records
from vtmr.bench.report import markdown_lines
from vtmr.metrics import mean_interval, noc, paired_difference, value_at_click
from vtmr.train import load_recipe

ROOT = Path(__file__).resolve().parents[1]
RECIPE = ROOT / "recipes/lite0-cpu.toml"
BUNDLED = ROOT / "src/vtmr/assets/models/lite0.onnx"
# A short fine-tuning: a fifth of the recipe's rate, which is for a network that knows nothing yet.
SHARED = ("seed=7", "optimiser.lr=4e-4", "optimiser.warmup_steps=20", "validate_minutes=0")
VARIANTS = {
    "baseline": (),
    "zoom": ("augment.zoom_share=0.5",),
    "maskmatch": ("maskmatch={}",),
    "both": ("augment.zoom_share=0.5", "maskmatch={}"),
}
PARTS = ("data", "chains", "coarse", "match", "refiner", "backward", "update")
Values = dict[str, np.ndarray]  # a figure of every object, in one order


def vtmr(*arguments: str | Path) -> None:
    """Runs a command of ours; stops here when it fails."""
    done = subprocess.run([sys.executable, "-m", "vtmr.cli", *map(str, arguments)], check=False)
    if done.returncode:
        sys.exit(done.returncode)


def trained(start: Path, out: Path, overrides: tuple[str, ...], steps: int) -> Path:
    """The folder's weights as a model file, after a run of that many steps from the model `start`."""
    model = out / "model.onnx"
    if not model.exists():
        settings = [word for override in (*overrides, f"steps={steps}") for word in ("--set", override)]
        begin = ["--resume"] if (out / "state.safetensors").exists() else ["--init", start]
        vtmr("train", RECIPE, "--out", out, *begin, *settings)
        vtmr("export", out / "weights.safetensors", "-o", model)
    return model


def played(model: Path, out: Path, data: Path, limit: int | None) -> Values:
    """Figures of the validation objects."""
    vtmr(
        "evaluate",
        "--data",
        f"validation={data}",
        "--model",
        model,
        "--out",
        out,
        *(["--limit", str(limit)] if limit else []),
    )
    ious: dict[tuple[object, ...], list[float]] = defaultdict(list)
    for record in read_records(out):
        ious[record.key].append(record.iou)
    most = Protocol().max_clicks
    runs = [ious[key] for key in sorted(ious)]
    return {
        "NoC@85": np.array([noc(run, 0.85, most) for run in runs]),
        "NoC@90": np.array([noc(run, 0.90, most) for run in runs]),
        "IoU@1": np.array([value_at_click(run, 1) for run in runs]),
        "IoU@5": np.array([value_at_click(run, 5) for run in runs]),
    }


def quality_cells(name: str, values: Values, start: Values) -> list[str]:
    """A row: each figure's mean and, but for the start, the paired difference to it with its interval."""
    cells = [name, str(len(values["NoC@90"]))]
    for figure, found in values.items():
        digits = 2 if figure.startswith("NoC") else 3
        if values is start:
            low, high = mean_interval(found)
            cells.append(f"{found.mean():.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]")
        else:
            mean, low, high = paired_difference(found, start[figure])
            cells.append(f"{found.mean():.{digits}f} ({mean:+.{digits}f} [{low:+.{digits}f}, {high:+.{digits}f}])")
    return cells


def costs(out: Path) -> dict[str, float]:
    """CPU seconds a step, in all and by part, and the share of samples that MaskMatch counted. Refuses a NaN."""
    rows = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    if any(not np.isfinite(value) for row in rows for value in row.values() if isinstance(value, float)):
        sys.exit(f"{out / 'log.jsonl'} holds a loss that is not finite.")
    steps = np.diff([0, *(row["step"] for row in rows)])
    found = {part: float(np.average([row["spent"].get(part, 0.0) for row in rows], weights=steps)) for part in PARTS}
    gate = float(np.average([row.get("gate", 0.0) for row in rows], weights=steps))
    return {"in all": sum(found.values()), **found, "gate": gate}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--samples", type=int, default=4000)
    parser.add_argument("--limit", type=int, help="validation objects at most, for a trial")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides")
    arguments = parser.parse_args()
    recipe = load_recipe(RECIPE, arguments.overrides)
    steps = max(1, arguments.samples // recipe.batch)
    data = Path(os.path.normpath(RECIPE.parent / recipe.data.root))

    arguments.out.mkdir(parents=True, exist_ok=True)
    first = arguments.out / "start.onnx"  # a copy, because the bundled model may be another by the time a run goes on
    if not first.exists():
        shutil.copy(BUNDLED, first)

    start = played(first, arguments.out / "start", data, arguments.limit)
    quality, cost_rows = [quality_cells("start", start, start)], []
    spent: dict[str, dict[str, float]] = {}
    for name, overrides in VARIANTS.items():
        out = arguments.out / name
        model = trained(first, out, (*SHARED, *overrides, *arguments.overrides), steps)
        quality.append(quality_cells(name, played(model, out / "validation", data, arguments.limit), start))
        spent[name] = costs(out)
        ratio = spent[name]["in all"] / spent["baseline"]["in all"]
        parts = [f"{spent[name][part]:.2f}" for part in ("in all", *PARTS)]
        cost_rows.append([name, *parts, f"{ratio:.2f}", f"{spent[name]['gate']:.2f}"])
    text = (
        f"{steps} steps of {recipe.batch} samples each. In round brackets the mean difference to the start over the "
        "same objects, with its 95 % interval.\n\n"
        + markdown_lines(["run", "n", *start], quality)
        + "\nCPU seconds a step, by part. The ratio is to the baseline, the gate the share of samples that matching "
        "counted.\n\n" + markdown_lines(["run", "in all", *PARTS, "ratio", "gate"], cost_rows)
    )
    (arguments.out / "table.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
