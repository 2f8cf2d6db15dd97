"""The training loop: from a recipe to weights, with progress, checkpoints, and a state to resume
from."""

from __future__ import annotations

import json
import math
import shlex
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import torch
from lightning_fabric import Fabric
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from torch import Tensor

from vtmr.atomic import (
    append,
    exists,
    is_folder,
    make_folder,
    one_writer,
    write_atomically,
)
from vtmr.errors import CheckpointError, ConfigError, DataError, VtmrError
from vtmr.models import build
from vtmr.models.export import model_bytes
from vtmr.models.network import InteractiveNetwork
from vtmr.models.restore import restore
from vtmr.provenance import commit
from vtmr.spec import CODE_LICENCE, ModelSpec
from vtmr.train.batches import Batch, MicroBatches, made_ahead
from vtmr.train.checkpoint import (
    STATE,
    WEIGHTS,
    Progress,
    lineage,
    restore_checkpoint,
    save_checkpoint,
)
from vtmr.train.clock import Clock
from vtmr.train.devices import (
    LossModule,
    first_error,
    gathered,
    lost_a_process,
    open_fabric,
    placed,
    summed,
)
from vtmr.train.in_parts import how_far, steps_before
from vtmr.train.journal import Journal, read_log
from vtmr.train.memory import keep_freed_memory
from vtmr.train.optimiser import MovingAverage, build_adam, freeze, learning_rate, set_learning_rate
from vtmr.train.plots import plot_losses
from vtmr.train.recipe import Recipe, load_recipe
from vtmr.train.step import FIGURES, TrainingStep

LOG, CURVE, SCORES = "log.jsonl", "loss.png", "validation.jsonl"
ROLLOUT_MODEL = "player.onnx"  # by the name it always had, so that runs begun earlier go on
LOG_STEPS = 20  # that a row of the log is the mean of
# A damaged file or two is no reason to end a run of days; a lost disk is.
UNREADABLE_SHARE, SAMPLES_TO_JUDGE = 0.01, 1000
TERMS_LICENCE = "as the terms of the training data allow"

Validate = Callable[[Path], dict[str, float]]


@dataclass(frozen=True)
class Outcome:
    """What a run is to report when it is done.

    unreadable: how many draws for `samples` samples couldn't be read; reasons: why, the first few.
    whole: how far the whole of a run in parts is, in words; empty for other runs. unfinished:
    whether the whole has further parts to come.
    """

    samples: int
    unreadable: int
    reasons: tuple[str, ...]
    whole: str = ""
    unfinished: bool = False


def run(
    recipe_path: Path,
    out: Path,
    *,
    init: Path | None = None,
    resume: bool = False,
    overrides: Sequence[str] = (),
    validate: Validate | None = None,
) -> Outcome | None:
    """Trains by the recipe, into the folder `out`: weights.safetensors, state.safetensors,
    log.jsonl, loss.png.

    Of several processes the first alone writes, returns an outcome and raises what they all stop
    for.

    Args:
        recipe_path: The recipe's TOML file.
        out: Folder of the run, made when it is missing.
        init: Weights to start from (.safetensors or an exported .onnx); without, the encoder starts
            from ImageNet.
        resume: Goes on from out/state.safetensors; the result equals that of an uninterrupted run.
        overrides: Changes of the recipe, as "key=value".
        validate: Called with the folder every `validate_minutes`; its figures are appended to
            validation.jsonl.

    Raises:
        KeyboardInterrupt: After Ctrl-C or SIGTERM, once the state is saved.
        ConfigError, DataError, CheckpointError, InputError: For what is wrong with the recipe, the
            data, the weights or the disk.
    """
    recipe = load_recipe(recipe_path, overrides)
    if resume and init is not None:
        raise ConfigError(
            "--resume and --init contradict each other: resuming takes everything from the run's "
            "state."
        )
    if not resume and exists(out / STATE):
        raise ConfigError(
            f"{out} already holds a run: add --resume to continue it, or name another folder."
        )
    keep_freed_memory()
    fabric = open_fabric(recipe)
    torch.set_num_threads(recipe.threads)
    training, wrong = None, None
    held = ExitStack()
    try:
        new, writes = not is_folder(out), fabric.is_global_zero
        if writes and not new:
            held.enter_context(one_writer(out))  # before what is in it is read
        root = recipe_path.parent / recipe.data.root
        training = Training(fabric, recipe, root, out, init, resume, validate, overrides)
        make_folder(out)
        if writes and new:
            held.enter_context(one_writer(out))
    except VtmrError as error:
        wrong = error
    try:
        # Had one process failed and told nobody, the others would wait for it until they time out.
        agreed = first_error(fabric, wrong)
        if agreed is not None or training is None:
            raise agreed or DataError("A process of the run couldn't be started.")
        return training.run()
    except (VtmrError, KeyboardInterrupt):
        if fabric.is_global_zero:
            raise
        return None
    except RuntimeError as error:
        if not lost_a_process(error):
            raise
        raise DataError(
            "Another process of the run ended, which its own message explains unless it was "
            f"killed. {out} holds the run as of its last checkpoint, if there was one: add "
            "--resume."
        ) from error
    finally:
        held.close()


def initial_network(
    recipe: Recipe, init: Path | None, root: Path = Path()
) -> tuple[InteractiveNetwork, ModelSpec]:
    """The network to start from and its spec (with the ancestors' lineage and the encoder's
    licence).

    root: where the recipe's `encoder_weights` are. Raises CheckpointError.
    """
    # What no weights are loaded into is drawn alike in all processes and in every repeat of the
    # run.
    torch.manual_seed(recipe.seed)
    if init is None:
        network = build(recipe.model)
        encoder = None
        if recipe.encoder_weights:
            encoder = root / recipe.encoder_weights
        return network, network.load_imagenet(encoder)
    network, spec = restore(init)
    if spec.model != recipe.model:
        raise CheckpointError(f"{init} holds a {spec.model!r}: the recipe wants {recipe.model!r}.")
    return network, spec


def with_terms(spec: ModelSpec, recipe: Recipe) -> ModelSpec:
    """Adds the recipe's data sets and their terms to those inherited; data with terms makes them
    the weights' own."""
    # Dicts without values, as sets that keep their order.
    names = dict.fromkeys(spec.training_data)
    terms = dict.fromkeys(filter(None, spec.terms.split("; ")))
    for source in recipe.data.sources:
        if source.weight:
            names[Path(source.path).name] = None
        if source.terms:
            terms[source.terms] = None
    licence = spec.licence
    if terms and licence == CODE_LICENCE:
        licence = TERMS_LICENCE
    return replace(spec, training_data=tuple(names), terms="; ".join(terms), licence=licence)


def with_zoom(spec: ModelSpec, recipe: Recipe) -> ModelSpec:
    """With the zoom that the recipe trains, so that inference uses the same; "off" where it trains
    none: a network that never saw a zoomed crop isn't shown any."""
    if not recipe.augment.zoom_share:
        return replace(spec, zoom=replace(spec.zoom, schedule="off", eager_weight=None))
    schedule = spec.zoom.schedule
    if schedule == "off":
        schedule = "paper"
    zoom = replace(spec.zoom, kernel=recipe.augment.zoom_kernel, schedule=schedule)
    return replace(spec, zoom=zoom)


def with_views(spec: ModelSpec, recipe: Recipe) -> ModelSpec:
    """Told filled boxes and asked for focus crops at inference as the recipe trains them, or as
    the start was trained."""
    refined_by = spec.refined_by
    if recipe.clicks.focus_share and not recipe.refiner_share:
        refined_by = "coarse"
    box_prompt = spec.box_prompt or recipe.clicks.box_share > 0
    return replace(spec, box_prompt=box_prompt, refined_by=refined_by)


@contextmanager
def stop_requests() -> Iterator[threading.Event]:
    """An event that Ctrl-C and SIGTERM set, so that a step is finished and saved before the run
    ends."""
    requested = threading.Event()
    # Python lets the main thread alone set handlers; elsewhere, as in tests, nothing interrupts.
    if threading.current_thread() is not threading.main_thread():
        yield requested
        return
    before = {}
    for number in (signal.SIGINT, signal.SIGTERM):
        before[number] = signal.signal(number, lambda *_: requested.set())
    try:
        yield requested
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Training:
    """One run of one process: owns the network, the optimiser, the average and what is written to
    the folder."""

    def __init__(
        self,
        fabric: Fabric,
        recipe: Recipe,
        root: Path,
        out: Path,
        init: Path | None,
        resume: bool,
        validate: Validate | None,
        overrides: Sequence[str] = (),
    ) -> None:
        self.fabric, self.recipe, self.out, self.validate = fabric, recipe, out, validate
        network, spec = initial_network(recipe, init, root)
        self.network = placed(fabric, network, recipe.compute)
        self.spec = with_views(with_zoom(with_terms(spec, recipe), recipe), recipe)
        freeze(self.network, recipe.optimiser.frozen)
        if not recipe.refiner_samples and self.network.refiner is not None:
            # Processes would else wait for its gradients, which no step gives.
            self.network.refiner.requires_grad_(False)
        self.adam = build_adam(self.network, recipe.optimiser)
        self.average = MovingAverage(self.network, recipe.optimiser.ema)
        begun = steps_before(recipe, spec)
        origin = "imagenet"
        if init is not None:
            origin = init.name
        self.progress = Progress(
            step=begun,
            begun=begun,
            cpu_seconds=0.0,
            seconds=0.0,
            started=datetime.now(UTC).isoformat(timespec="seconds"),
            commit=commit(),
            initialised_from=origin,
            changes=" ".join(f"--set {shlex.quote(change)}" for change in overrides),
        )
        if resume:
            self.progress, self.spec = restore_checkpoint(
                out, recipe, self.network, self.adam, self.average
            )
        self.first = self.progress
        size = recipe.input_size or self.spec.input_size
        rollouts = None
        if recipe.clicks.rollout_share:
            rollouts = self.rollout_model(resume)
        micro_batches = MicroBatches(
            recipe, root, size, self.first.step, fabric.global_rank, fabric.world_size, rollouts
        )
        self.left_out = micro_batches.sampler.left_out
        self.data = made_ahead(micro_batches)
        writes = fabric.is_global_zero
        rows = []
        if resume and writes:
            rows = read_log(out / LOG, self.first.step)
        self.journal = Journal(out / LOG, rows, writes)
        self.clock = Clock()
        self.losses_of = TrainingStep(self.network, recipe, self.clock)
        self.saved_step = self.first.step

    def rollout_model(self, resume: bool) -> Path:
        """The model file of the weights that the run started from.

        Every process writes it, all of them the same.
        """
        file = self.out / ROLLOUT_MODEL
        if not resume:
            make_folder(self.out)
            write_atomically(file, model_bytes(self.network, self.spec))
        return file

    def run(self) -> Outcome:
        """All steps that are left, a checkpoint every few minutes and at the end."""
        recipe, first, started = self.recipe, self.first, (time.monotonic(), time.process_time())
        self.fabric.strategy.precision.load_state_dict(first.scaler)
        # Not moved: it is on the device already, where the optimiser took hold of its parameters.
        self.module, self.stepper = self.fabric.setup(
            LossModule(self.network), self.adam, move_to_device=False
        )
        saved = validated = time.monotonic()
        workers = 0.0
        with stop_requests() as stop, closing(self.data), self.bar() as bar:
            for sentence in (*self.left_out, *self.how_far()):
                bar.console.print(sentence, markup=False, highlight=False, soft_wrap=True)
            task = bar.add_task("", total=recipe.steps, completed=first.step, note="")
            for step in range(first.step, recipe.steps):
                micro_batches, unreadable, edge_weight = self.fetch(step, stop)
                workers += self.workers_seconds(micro_batches)
                losses = self.gradients(micro_batches, step, edge_weight)
                cpu_seconds = time.process_time() - started[1] + workers
                # The last comparison is for 0 minutes, which stand for no limit.
                over = time.monotonic() - started[0] > 60 * recipe.part_minutes > 0
                # One sum for all of it: each meeting of the processes waits for the slowest.
                agreed = summed(
                    self.fabric,
                    {**losses, "stop": stop.is_set(), "over": over, "cpu_seconds": cpu_seconds},
                )
                stopped, cpu_seconds = agreed.pop("stop") > 0, agreed.pop("cpu_seconds")
                over = agreed.pop("over") > 0
                self.update(agreed, step)
                now = time.monotonic()
                self.progress = replace(
                    self.progress,
                    step=step + 1,
                    seconds=first.seconds + now - started[0],
                    cpu_seconds=first.cpu_seconds + cpu_seconds,
                    unreadable=self.progress.unreadable + unreadable,
                )
                self.journal.add(agreed)
                last = step + 1 == recipe.steps or stopped or over
                if len(self.journal.losses) == LOG_STEPS or last:
                    bar.update(task, completed=step + 1, note=self.log())
                score = (
                    self.validate is not None and now - validated > 60 * recipe.validate_minutes > 0
                )
                # A score is of the weights in the folder: they have to be the newest.
                if last or score or now - saved > 60 * recipe.checkpoint_minutes:
                    self.save()
                    saved = time.monotonic()
                if score:
                    self.score()
                    validated = time.monotonic()
                if stopped:
                    raise KeyboardInterrupt
                if over:
                    break
        progress = self.progress
        return Outcome(
            samples=(progress.step - progress.begun) * recipe.batch,
            unreadable=progress.unreadable,
            reasons=tuple(self.journal.reasons),
            whole=" ".join(self.how_far()),
            unfinished=progress.step < recipe.steps,
        )

    def how_far(self) -> list[str]:
        """How far the whole of a run in parts is, as a sentence; none for other runs."""
        recipe, progress = self.recipe, self.progress
        if not recipe.in_parts:
            return []
        return [how_far(recipe, lineage(recipe, progress, self.spec.lineage))]

    def fetch(self, step: int, stop: threading.Event) -> tuple[list[Batch], int, Tensor | None]:
        """This process's micro-batches of a step; and of the whole step how much couldn't be read,
        and its weight of edges.

        Once the steps done are saved, raises in all processes VtmrError when one of them has no
        data or too much couldn't be read, and KeyboardInterrupt when the signal to stop took the
        data's workers with it.
        """
        micro_batches: list[Batch] = []
        error: VtmrError | None = None
        with self.clock.timed("data"):
            try:
                micro_batches = [next(self.data) for _ in range(self.recipe.compute.accumulate)]
            except VtmrError as caught:
                error = caught
        self.clock.add("data", self.workers_seconds(micro_batches))
        reasons: tuple[str, ...] = ()
        weights: list[Tensor] = []
        for micro_batch in micro_batches:
            reasons += micro_batch.unreadable
            weight = self.losses_of.edge_weight(micro_batch)
            if weight is not None:
                weights.append(weight)
        agreed = summed(
            self.fabric,
            {
                "errors": error is not None,
                "stops": stop.is_set(),
                "unreadable": len(reasons),
                "edges": sum(weights, torch.zeros(())),
            },
        )
        unreadable = round(agreed["unreadable"])
        if unreadable:
            self.journal.complain(gathered(self.fabric, reasons))
            error = error or self.too_much_unreadable(self.progress.unreadable + unreadable, step)
        if agreed["errors"] or error is not None:
            self.save_what_is_done()
            if agreed["stops"]:
                raise KeyboardInterrupt
            raise self.ended(first_error(self.fabric, error))
        edge_weight = None
        if weights:
            edge_weight = torch.tensor(agreed["edges"], device=self.fabric.device)
        return micro_batches, unreadable, edge_weight

    def workers_seconds(self, micro_batches: Sequence[Batch]) -> float:
        """CPU seconds that worker processes spent on these; this process's own clock counts none
        of them."""
        if not self.recipe.data.workers:
            return 0.0
        return sum(micro_batch.cpu_seconds for micro_batch in micro_batches)

    def too_much_unreadable(self, unreadable: int, step: int) -> DataError | None:
        """The error when more than a hundredth couldn't be read; a few are let pass in any run."""
        samples = (step + 1 - self.progress.begun) * self.recipe.batch
        if unreadable <= UNREADABLE_SHARE * max(samples, SAMPLES_TO_JUDGE):
            return None
        return DataError(
            f"{unreadable} draws for the first {samples} samples couldn't be read, more than "
            f"{UNREADABLE_SHARE:.0%}; the first: {' '.join(self.journal.reasons)}"
        )

    def save_what_is_done(self) -> None:
        """Logs and saves the steps since the last checkpoint, if there are any."""
        if self.progress.step > self.saved_step:
            self.log()
            self.save()

    def ended(self, error: VtmrError | None) -> VtmrError:
        """The error, with what is left of the run."""
        error = error or DataError("A process of the run has no data.")
        if not self.progress.step:
            return error
        return type(error)(
            f"{error} {self.out} holds the run as of step {self.progress.step}: then add --resume."
        )

    def gradients(
        self, micro_batches: Sequence[Batch], step: int, edge_weight: Tensor | None
    ) -> dict[str, Tensor]:
        """Leaves the gradients of the whole batch in the network; returns what these
        micro-batches add to its losses."""
        sums: dict[str, Tensor] = {}
        self.stepper.zero_grad(set_to_none=True)
        for number, micro_batch in enumerate(micro_batches, start=1):
            compute = partial(self.losses_of, micro_batch.to(self.fabric.device), step, edge_weight)
            # Processes exchange gradients once a step, behind the last micro-batch.
            with self.fabric.no_backward_sync(self.module, enabled=number < len(micro_batches)):
                losses = self.module(compute)
                with self.clock.timed("backward"):
                    # Fabric takes the mean over the processes; losses are to be added.
                    self.fabric.backward(losses.pop("total") * self.fabric.world_size)
            for name, value in losses.items():
                sums[name] = sums.get(name, 0) + value
        return sums

    def update(self, losses: Mapping[str, float], step: int) -> None:
        """One optimiser step. Raises ConfigError when a loss is not finite."""
        total = sum(value for name, value in losses.items() if name not in FIGURES)
        if not math.isfinite(total):
            raise ConfigError(
                f"The loss is {total} at step {step}: start a new run with --init "
                f"{self.out / WEIGHTS} and a lower optimiser.lr."
            )
        with self.clock.timed("update"):
            set_learning_rate(self.adam, self.rate(step))
            norm = self.recipe.optimiser.clip_norm
            if norm:
                # With float16 some norms are infinite by design: the scaler leaves those steps out.
                self.fabric.clip_gradients(
                    self.module, self.stepper, max_norm=norm, error_if_nonfinite=False
                )
            self.stepper.step()
            self.average.update(self.network, step)

    def log(self) -> str:
        """Adds the steps since the last row to the log; returns a note for the bar."""
        samples = self.progress.step * self.recipe.batch
        rate = self.rate(self.progress.step - 1)
        return self.journal.write(self.progress, samples, rate, self.clock.taken())

    def rate(self, step: int) -> float:
        """The learning rate of a step."""
        recipe = self.recipe
        return learning_rate(recipe.optimiser, step, recipe.steps, self.progress.begun)

    def save(self) -> None:
        """The checkpoint and the loss curve, by the first process."""
        self.saved_step = self.progress.step
        if not self.fabric.is_global_zero:
            return
        progress = replace(self.progress, scaler=dict(self.fabric.strategy.precision.state_dict()))
        save_checkpoint(
            self.out, self.recipe, self.network, self.adam, self.average, self.spec, progress
        )
        if self.journal.rows:
            plot_losses(self.journal.rows, self.out / CURVE)

    def score(self) -> None:
        """The figures of the weights just saved."""
        if self.validate is not None and self.fabric.is_global_zero:
            row = {"step": self.progress.step, **self.validate(self.out)}
            append(self.out / SCORES, json.dumps(row) + "\n")

    def bar(self) -> Bar:
        """The progress bar: steps, losses, samples per second, time left."""
        return Bar(
            TextColumn(self.recipe.name),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            TimeRemainingColumn(),
            disable=not self.fabric.is_global_zero,
        )
