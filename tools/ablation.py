"""The paper's study in small: what zoom and MaskMatch are worth and what they cost (its tables 3 to
6, and §K).

    python tools/ablation.py ../runs/ablation [--samples 8000] [--seeds 2] [--set KEY=VALUE …]

Short runs from the same weights that differ in what is named alone: of one seed they see the same
samples with the same first clicks, by the same schedule. All of them play the frozen validation
list; every SUBSET-th of its objects is also played from perturbed masks and by ten random robots.
Writes study.md and study.png into the folder. What is there already is not done again, and an
interrupted study goes on with the same command.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from vtmr.bench import Protocol, read_records
from vtmr.bench.figures import objects_of
from vtmr.bench.metrics import mean_interval, paired_difference
from vtmr.bench.plots import COLOURS, as_png, new_figure, styled
from vtmr.bench.report import markdown_lines
from vtmr.data.benchmarks import open_benchmark
from vtmr.train import load_recipe

ROOT = Path(__file__).resolve().parents[1]
RECIPE = ROOT / "recipes/lite0-cpu.toml"
BUNDLED = ROOT / "src/vtmr/assets/models/lite0.onnx"
# A short fine-tuning: a fifth of the recipe's rate, which is for a network that knows nothing yet.
SHARED = ("optimiser.lr=4e-4", "optimiser.warmup_steps=20", "validate_minutes=0")
ZOOM = "augment.zoom_share=0.5"
COSTS = ("data", "iterative clicks", "coarse", "match", "refiner", "backward", "update")
MAIN = ("baseline", "zoom", "maskmatch", "both")
SUBSET = 8
RANDOM = 'robot = "random"\nrepeats = 10\n'
FIGURES = ("NoC@85", "NoC@90", "IoU@1", "IoU@5")
Values = dict[str, np.ndarray]  # a figure of every object, in one order


@dataclass(frozen=True)
class Variant:
    """What a run changes of the recipe. once: with the first seed alone. like: a run with as much
    CPU time as that."""

    changes: tuple[str, ...] = ()
    once: bool = False
    like: str | None = None


VARIANTS = {
    "baseline": Variant(),
    "zoom": Variant((ZOOM,)),
    "maskmatch": Variant(("maskmatch={}",)),
    "both": Variant((ZOOM, "maskmatch={}")),
    "baseline, equal time": Variant(like="both", once=True),
    "both, supervised": Variant((ZOOM, 'maskmatch={loss="supervised"}'), once=True),
    "both, alpha .7": Variant((ZOOM, "maskmatch={alpha=0.7}"), once=True),
}


def vtmr(*arguments: str | Path) -> None:
    """Runs a command of ours; stops here when it fails."""
    done = subprocess.run([sys.executable, "-m", "vtmr.cli", *map(str, arguments)], check=False)
    if done.returncode:
        sys.exit(done.returncode)


class Study:
    """The folder of one study."""

    def __init__(
        self, folder: Path, samples: int, seeds: int, limit: int | None, overrides: Sequence[str]
    ) -> None:
        recipe = load_recipe(RECIPE, overrides)
        self.folder, self.overrides, self.limit = folder, overrides, limit
        self.steps = max(1, samples // recipe.batch)
        self.seeds = range(1, seeds + 1)
        self.data = Path(os.path.normpath(RECIPE.parent / recipe.data.root))
        folder.mkdir(parents=True, exist_ok=True)
        # A copy: the bundled model may be another by the time a study goes on.
        self.start = folder / "start.onnx"
        if not self.start.exists():
            shutil.copy(BUNDLED, self.start)

    def seeds_of(self, name: str) -> Sequence[int]:
        return self.seeds[:1] if VARIANTS[name].once else self.seeds

    def model(self, name: str, seed: int) -> Path:
        """The variant's weights as a model file, trained first where they aren't there."""
        out = self.folder / f"{name.replace(', ', '-').replace(' ', '-')}-{seed}"
        model = out / "model.onnx"
        if not model.exists():
            variant = VARIANTS[name]
            changes = (
                *SHARED,
                f"seed={seed}",
                *variant.changes,
                *self.overrides,
                f"steps={self.steps_of(name, seed)}",
            )
            settings = [word for change in changes for word in ("--set", change)]
            begin = ["--resume"] if (out / "state.safetensors").exists() else ["--init", self.start]
            vtmr("train", RECIPE, "--out", out, *begin, *settings)
            vtmr("export", out / "weights.safetensors", "-o", model)
        return model

    def steps_of(self, name: str, seed: int) -> int:
        like = VARIANTS[name].like
        if like is None:
            return self.steps
        plain, other = (costs(self.model(one, seed).parent)["in all"] for one in ("baseline", like))
        return round(self.steps * other / plain)

    def played(self, model: Path) -> Values:
        """Figures of the validation objects."""
        out = model.parent / ("validation" if model != self.start else "start")
        limit = ["--limit", str(self.limit)] if self.limit else []
        vtmr(
            "evaluate",
            "--data",
            f"validation={self.data}",
            "--model",
            model,
            "--out",
            out,
            "--jobs",
            "2",
            *limit,
        )
        objects = objects_of(list(read_records(out)), Protocol())
        table = objects.of(sorted(objects.keys), FIGURES)
        return dict(zip(FIGURES, table.T, strict=True))

    def subset(self) -> Path:
        """Every SUBSET-th validation object as a folder of image and mask pairs."""
        folder = self.folder / "subset"
        if not (folder / "done").exists():
            for name in ("images", "masks"):
                (folder / name).mkdir(parents=True, exist_ok=True)
            for i, sample in enumerate(
                islice(open_benchmark("validation", self.data), 0, self.limit, SUBSET)
            ):
                image, mask, _ = sample.load()
                cv2.imwrite(str(folder / f"images/{i:03}.png"), image[:, :, ::-1])
                cv2.imwrite(str(folder / f"masks/{i:03}.png"), mask.astype(np.uint8) * 255)
            (folder / "done").touch()
        return folder

    def experiment(self, name: str, data: str, variants: Mapping[str, Path]) -> str:
        """The table of `vtmr experiment NAME`."""
        out = self.folder / name
        chosen = [
            word for label, model in variants.items() for word in ("--variant", f"{label}={model}")
        ]
        vtmr("experiment", name, "--data", data, *chosen, "--out", out, "--jobs", "2")
        return (out / "table.md").read_text()

    def random_rows(self, variants: Mapping[str, Path]) -> list[list[str]]:
        """For each variant: NoC@90 under ten random robots, its deviation over them, the worst of
        an object's ten."""
        protocol = self.folder / "random.toml"
        protocol.write_text(RANDOM)
        rows = []
        for label, model in variants.items():
            out = model.parent / "random"
            data = f"pairs={self.subset()}"
            vtmr(
                "evaluate",
                "--data",
                data,
                "--model",
                model,
                "--out",
                out,
                "--protocol",
                protocol,
                "--jobs",
                "2",
            )
            row = json.loads((out / "summary.json").read_text())["pairs"]
            rows.append(
                [
                    label,
                    str(row["n"]),
                    *(f"{row[f'NoC@90{what}']:.2f}" for what in ("", "_std", "_worst")),
                ]
            )
        return rows


def costs(out: Path) -> dict[str, float]:
    """CPU seconds a step, in all and by part, and the share of samples that MaskMatch counted.

    Refuses a NaN.
    """
    rows = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    if any(
        not np.isfinite(value) for row in rows for value in row.values() if isinstance(value, float)
    ):
        sys.exit(f"{out / 'log.jsonl'} holds a loss that is not finite.")
    steps = np.diff([0, *(row["step"] for row in rows)])
    found = {
        part: float(np.average([row["spent"].get(part, 0.0) for row in rows], weights=steps))
        for part in COSTS
    }
    gate = float(np.average([row.get("gate", 0.0) for row in rows], weights=steps))
    return {"in all": rows[-1]["cpu_seconds"] / rows[-1]["step"], **found, "gate": gate}


def mean_of(runs: Sequence[Values]) -> Values:
    """Each object's figures, averaged over the seeds."""
    return {name: np.mean([run[name] for run in runs], axis=0) for name in FIGURES}


def quality_cells(name: str, runs: Sequence[Values], base: Values) -> list[str]:
    """A row: each figure's mean, the paired difference to `base` with its interval, and what each
    seed had."""
    values = mean_of(runs)
    cells = [name, str(len(runs))]
    for figure, found in values.items():
        digits = 2 if figure.startswith("NoC") else 3
        if name == "baseline":
            low, high = mean_interval(found)
            text = f"{found.mean():.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"
        else:
            mean, low, high = paired_difference(found, base[figure])
            text = (
                f"{found.mean():.{digits}f} ({mean:+.{digits}f} [{low:+.{digits}f}, "
                f"{high:+.{digits}f}])"
            )
        if len(runs) > 1:
            text += " of " + ", ".join(f"{run[figure].mean():.{digits}f}" for run in runs)
        cells.append(text)
    return cells


def plot(found: Mapping[str, Sequence[Values]], target: Path) -> None:
    """Each variant's difference to the baseline in NoC, averaged over seeds with its interval; each
    seed as a dot."""
    base = found["baseline"]
    with styled():
        figure = new_figure(
            "Clicks more or fewer than the baseline, validation", (10.5, 0.9 + 0.45 * len(found))
        )
        for axes, name in zip(figure.subplots(1, 2, sharey=True), FIGURES[:2], strict=True):
            for row, runs in enumerate(found.values()):
                mean, low, high = paired_difference(mean_of(runs)[name], mean_of(base)[name])
                axes.plot([low, high], [row, row], color=COLOURS[0])
                axes.plot(mean, row, "o", color=COLOURS[0])
                for one, other in zip(runs, base, strict=False):
                    axes.plot(
                        (one[name] - other[name]).mean(), row, "|", color=COLOURS[1], markersize=11
                    )
            axes.axvline(0, color=COLOURS[6], linewidth=0.8)
            axes.set(
                title=name,
                yticks=range(len(found)),
                yticklabels=list(found),
                xlabel="paired difference, 95 %",
            )
        figure.axes[0].invert_yaxis()
        target.write_bytes(as_png(figure))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--samples", type=int, default=8000)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument(
        "--only",
        default=",".join(VARIANTS).replace(", ", " "),
        help="variants, beside the baseline",
    )
    parser.add_argument(
        "--played", default="table3,random,table6", help="what is played beside the validation list"
    )
    parser.add_argument("--limit", type=int, help="validation objects at most, for a trial")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides")
    arguments = parser.parse_args()
    study = Study(
        arguments.out, arguments.samples, arguments.seeds, arguments.limit, arguments.overrides
    )
    names = [
        name
        for name in VARIANTS
        if name == "baseline" or name.replace(", ", " ") in arguments.only.split(",")
    ]

    start = study.played(study.start)
    found: dict[str, list[Values]] = {}
    cost_rows = []
    for name in names:
        models = [study.model(name, seed) for seed in study.seeds_of(name)]
        found[name] = [study.played(model) for model in models]
        spent = costs(models[0].parent)
        ratio = spent["in all"] / costs(study.model("baseline", 1).parent)["in all"]
        parts = [f"{spent[part]:.2f}" for part in ("in all", *COSTS)]
        cost_rows.append(
            [name, str(study.steps_of(name, 1)), *parts, f"{ratio:.2f}", f"{spent['gate']:.2f}"]
        )
    plot(found, arguments.out / "study.png")
    base = mean_of(found["baseline"])
    rows = [
        quality_cells("start", [start], base),
        *(quality_cells(name, found[name], base) for name in names),
    ]
    recipe = load_recipe(RECIPE, arguments.overrides)
    sections = [
        f"{study.steps} steps of {recipe.batch} samples each, {len(start['NoC@90'])} validation "
        "objects. In round "
        "brackets the mean difference to the baseline over the same objects, with its 95 % "
        'interval; after "of" each seed\'s mean.\n\n'
        + markdown_lines(["run", "seeds", *FIGURES], rows),
        "CPU seconds a step, in all and by part, the parts of the first process alone. The ratio "
        "is to the baseline, "
        "the gate the share of samples that matching counted.\n\n"
        + markdown_lines(["run", "steps", "in all", *COSTS, "ratio", "gate"], cost_rows),
    ]
    main_models = {name: study.model(name, 1) for name in names if name in MAIN}
    wanted = arguments.played.split(",")
    if "table3" in wanted:
        sections.append(study.experiment("table3", f"pairs={study.subset()}", main_models))
    if "random" in wanted:
        header = ["run", "n", "NoC@90", "deviation", "worst of ten"]
        sections.append(
            "Ten random robots.\n\n" + markdown_lines(header, study.random_rows(main_models))
        )
    if "table6" in wanted and "both" in names:
        sections.append(
            study.experiment("table6", f"validation={study.data}", {"both": study.model("both", 1)})
        )
    text = "\n".join(sections)
    (arguments.out / "study.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
