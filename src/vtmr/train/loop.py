"""The training loop: from a recipe to weights, with progress, checkpoints, and a state to resume from."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from torch import Tensor

from vtmr.atomic import write_atomically
from vtmr.errors import CheckpointError, ConfigError, InputError
from vtmr.models import build
from vtmr.models.network import InteractiveNetwork
from vtmr.models.restore import restore
from vtmr.provenance import commit
from vtmr.spec import CODE_LICENCE, ModelSpec
from vtmr.train.batches import batches
from vtmr.train.checkpoint import STATE, WEIGHTS, Progress, restore_checkpoint, save_checkpoint
from vtmr.train.memory import keep_freed_memory
from vtmr.train.optimiser import MovingAverage, build_adam, freeze, learning_rate, set_learning_rate
from vtmr.train.plots import plot_losses
from vtmr.train.recipe import Recipe, load_recipe
from vtmr.train.step import Losses, TrainingStep

LOG, CURVE, SCORES = "log.jsonl", "loss.png", "validation.jsonl"
LOG_STEPS = 20
TERMS_LICENCE = "as the terms of the training data allow"

Validate = Callable[[Path], dict[str, float]]


def run(
    recipe_path: Path,
    out: Path,
    *,
    init: Path | None = None,
    resume: bool = False,
    overrides: Sequence[str] = (),
    validate: Validate | None = None,
) -> None:
    """Trains by the recipe, into the folder `out`: weights.safetensors, state.safetensors, log.jsonl, loss.png.

    init: weights to start from (.safetensors or an exported .onnx); without, the encoder starts from ImageNet.
    resume: goes on from out/state.safetensors; the result equals that of an uninterrupted run.
    validate: called with the folder every `validate_minutes`; its figures are appended to validation.jsonl.
    Raises KeyboardInterrupt after Ctrl-C or SIGTERM, once the state is saved; ConfigError, DataError, CheckpointError,
    InputError for what is wrong with the recipe, the data, the weights or the disk.
    """
    recipe = load_recipe(recipe_path, overrides)
    if resume and init is not None:
        raise ConfigError("--resume and --init contradict each other: resuming takes everything from the run's state.")
    if not resume and (out / STATE).exists():
        raise ConfigError(f"{out} already holds a run: add --resume to continue it, or name another folder.")
    keep_freed_memory()
    torch.set_num_threads(recipe.threads)
    training = Training(recipe, recipe_path.parent / recipe.data.root, out, init, resume, validate)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"The folder {out} can't be made: {error.strerror or error}.") from error
    training.run()


def initial_network(recipe: Recipe, init: Path | None, root: Path = Path()) -> tuple[InteractiveNetwork, ModelSpec]:
    """The network to start from and its spec (with the ancestors' lineage and the encoder's licence).

    root: where the recipe's `encoder_weights` are. Raises CheckpointError.
    """
    if init is None:
        torch.manual_seed(recipe.seed)
        network = build(recipe.model)
        return network, network.load_imagenet(root / recipe.encoder_weights if recipe.encoder_weights else None)
    network, spec = restore(init)
    if spec.model != recipe.model:
        raise CheckpointError(f"{init} holds a {spec.model!r}: the recipe wants {recipe.model!r}.")
    return network, spec


def with_terms(spec: ModelSpec, recipe: Recipe) -> ModelSpec:
    """Adds the recipe's data sets and their terms to those inherited; data with terms makes them the weights' own."""
    names = dict.fromkeys([*spec.training_data, *(Path(s.path).name for s in recipe.data.sources if s.weight)])
    terms = dict.fromkeys([t for t in spec.terms.split("; ") if t] + [s.terms for s in recipe.data.sources if s.terms])
    licence = TERMS_LICENCE if terms and spec.licence == CODE_LICENCE else spec.licence
    return replace(spec, training_data=tuple(names), terms="; ".join(terms), licence=licence)


def with_zoom(spec: ModelSpec, recipe: Recipe) -> ModelSpec:
    """With the zoom that the recipe trains, so that inference uses the same; unchanged where it trains none."""
    if not recipe.augment.zoom_share:
        return spec
    schedule = "paper" if spec.zoom.schedule == "off" else spec.zoom.schedule
    return replace(spec, zoom=replace(spec.zoom, kernel=recipe.augment.zoom_kernel, schedule=schedule))


@contextmanager
def stop_requests() -> Iterator[threading.Event]:
    """An event that Ctrl-C and SIGTERM set, so that a step is finished and saved before the run ends."""
    requested = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield requested
        return
    before = {number: signal.signal(number, lambda *_: requested.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield requested
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Training:
    """One run: owns the network, the optimiser, the average and what is written to the folder."""

    def __init__(
        self, recipe: Recipe, root: Path, out: Path, init: Path | None, resume: bool, validate: Validate | None
    ) -> None:
        self.recipe, self.out, self.validate = recipe, out, validate
        self.network, spec = initial_network(recipe, init, root)
        self.network = self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.spec = with_zoom(with_terms(spec, recipe), recipe)
        freeze(self.network, recipe.optimiser.frozen)
        self.adam = build_adam(self.network, recipe.optimiser)
        self.average = MovingAverage(self.network, recipe.optimiser.ema)
        self.progress = Progress(
            step=0, cpu_seconds=0.0, seconds=0.0, started=datetime.now(UTC).isoformat(timespec="seconds"),
            commit=commit(), initialised_from=str(init.name) if init else "imagenet",
        )  # fmt: skip
        if resume:
            self.progress, self.spec = restore_checkpoint(out, recipe, self.network, self.adam, self.average)
        self.data = batches(recipe, root, self.spec.input_size, self.progress.step)
        self.rows = read_log(out / LOG, self.progress.step) if resume else []

    def run(self) -> None:
        """All steps that are left, a checkpoint every few minutes and at the end."""
        first, before = self.progress, (time.monotonic(), time.process_time())
        step_losses = TrainingStep(self.network, self.recipe)
        saved = validated = time.monotonic()
        window: list[dict[str, Tensor]] = []
        workers = 0.0
        with stop_requests() as stop, self.bar() as bar:
            task = bar.add_task("", total=self.recipe.steps, completed=first.step, note="")
            for step, batch in enumerate(self.data, start=first.step):
                window.append(self.update(step_losses(batch, step), step))
                workers += batch.cpu_seconds if self.recipe.data.workers else 0.0
                now = time.monotonic()
                self.progress = replace(
                    first,
                    step=step + 1,
                    seconds=first.seconds + now - before[0],
                    cpu_seconds=first.cpu_seconds + time.process_time() - before[1] + workers,
                )
                last = step + 1 == self.recipe.steps or stop.is_set()
                if len(window) == LOG_STEPS or last:
                    bar.update(task, completed=step + 1, note=self.log(window))
                    window = []
                score = self.validate is not None and now - validated > 60 * self.recipe.validate_minutes > 0
                if last or score or now - saved > 60 * self.recipe.checkpoint_minutes:
                    self.save()
                    saved = time.monotonic()
                if score:
                    self.score()
                    validated = time.monotonic()
                if stop.is_set():
                    raise KeyboardInterrupt

    def update(self, losses: Losses, step: int) -> dict[str, Tensor]:
        """One optimiser step; returns the loss's parts. Raises ConfigError when the loss is not finite."""
        total = losses.total
        if not torch.isfinite(total):
            raise ConfigError(
                f"The loss is {total.item()} at step {step}: start a new run with --init {self.out / WEIGHTS} "
                "and a lower optimiser.lr."
            )
        set_learning_rate(self.adam, learning_rate(self.recipe.optimiser, step, self.recipe.steps))
        self.adam.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        if self.recipe.optimiser.clip_norm:
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.optimiser.clip_norm)
        self.adam.step()
        self.average.update(self.network, step)
        return losses.parts

    def log(self, window: Sequence[dict[str, Tensor]]) -> str:
        """Appends the window's means to the log; returns them as a note for the bar."""
        means = {part: float(torch.stack([row[part] for row in window]).mean()) for part in window[0]}
        progress = self.progress
        earlier = self.rows[-1] if self.rows else {"samples": 0, "seconds": 0.0}
        samples = progress.step * self.recipe.batch
        speed = (samples - earlier["samples"]) / max(1e-9, progress.seconds - earlier["seconds"])
        row = {
            "step": progress.step, "samples": samples, **means,
            "lr": learning_rate(self.recipe.optimiser, progress.step - 1, self.recipe.steps),
            "seconds": round(progress.seconds, 2), "cpu_seconds": round(progress.cpu_seconds, 2),
            "samples_per_s": round(speed, 2),
        }  # fmt: skip
        self.rows.append(row)
        with (self.out / LOG).open("w" if len(self.rows) == 1 else "a") as file:
            file.write(json.dumps(row) + "\n")
        return "  ".join([*(f"{part} {mean:.3f}" for part, mean in means.items()), f"{speed:.1f} samples/s"])

    def save(self) -> None:
        """The checkpoint and the loss curve."""
        save_checkpoint(self.out, self.recipe, self.network, self.adam, self.average, self.spec, self.progress)
        if self.rows:
            plot_losses(self.rows, self.out / CURVE)

    def score(self) -> None:
        """The figures of the weights just saved."""
        if self.validate is not None:
            row = {"step": self.progress.step, **self.validate(self.out)}
            with (self.out / SCORES).open("a") as file:
                file.write(json.dumps(row) + "\n")

    def bar(self) -> Bar:
        """The progress bar: steps, losses, samples per second, time left."""
        return Bar(
            TextColumn(self.recipe.name), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[note]}"),
            TimeRemainingColumn(),
        )  # fmt: skip


def read_log(path: Path, steps: int) -> list[dict[str, Any]]:
    """The rows of an interrupted run up to its saved step; the file is cut there, so that no step is logged twice."""
    rows = []
    lines = path.read_text().splitlines() if path.exists() else []
    for line in lines:
        try:
            row = json.loads(line)
            over = row["step"] > steps
        except (ValueError, KeyError, TypeError):  # a line that was cut when the run was killed
            break
        if over:
            break
        rows.append(row)
    if len(rows) < len(lines):
        write_atomically(path, "".join(json.dumps(row) + "\n" for row in rows).encode())
    return rows
