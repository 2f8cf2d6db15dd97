"""Whole runs on coloured shapes: what is written, resumed, refused, and what a full disk leaves."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from shapes import RECIPE, write_recipe

from vtmr.atomic import one_writer
from vtmr.errors import CheckpointError, ConfigError, DataError, InputError
from vtmr.masks import iou
from vtmr.models import build, lite0, read_weights
from vtmr.models.export import model_bytes
from vtmr.models.restore import restore
from vtmr.spec import Run
from vtmr.train import loop, run
from vtmr.train.batches import SAMPLE_STREAM, Batch, MicroBatches, batches, made_ahead
from vtmr.train.iterative_clicks import IterativeClicks
from vtmr.train.loop import initial_network, with_terms
from vtmr.train.recipe import load_recipe
from vtmr.train.sampling import Sampler
from vtmr.train.step import Losses, TrainingStep, normalised

STATE, WEIGHTS = "state.safetensors", "weights.safetensors"


@pytest.fixture(autouse=True)
def light(small: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small networks, every step logged, the test process's own allocator, no wait for the disk."""
    monkeypatch.setattr(loop, "LOG_STEPS", 1)
    monkeypatch.setattr(loop, "keep_freed_memory", lambda: True)
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    return write_recipe(tmp_path)


@pytest.fixture
def unplotted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "plot_losses", lambda rows, out: None)


def rows(out: Path, *keys: str) -> list[dict[str, Any]]:
    """The log, of the given keys."""
    found = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    return [{key: row[key] for key in keys or row} for row in found]


def at_step(number: int, happening: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    """Something that happens, once, while that step is computed."""
    compute, due = TrainingStep.__call__, [True]

    def computed(self: TrainingStep, batch: Batch, step: int, edge_weight: Any) -> Losses:
        if step == number and due:
            due.clear()
            happening()
        return compute(self, batch, step, edge_weight)

    monkeypatch.setattr(TrainingStep, "__call__", computed)


def ctrl_c() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def assert_same_run(found: Path, expected: Path) -> None:
    """Weights, optimiser and log to the last bit; the header but for times."""
    for name in (STATE, WEIGHTS):
        one, other = load_file(found / name), load_file(expected / name)
        assert one.keys() == other.keys()
        for key, value in other.items():
            assert torch.equal(one[key], value), (name, key)
    keys = ("step", "samples", "coarse", "refined", "edge", "lr")
    assert rows(found, *keys) == rows(expected, *keys)


def run_once(folder: Path, log_steps: int) -> Path:
    """The folder of a run of four steps, for several tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lite0, "SPEC", replace(lite0.SPEC, input_size=64))
        patch.setattr(loop, "LOG_STEPS", log_steps)
        patch.setattr(loop, "keep_freed_memory", lambda: True)
        run(write_recipe(folder), folder / "out")
    return folder / "out"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_once(tmp_path_factory.mktemp("run"), log_steps=3)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What runs that were interrupted and resumed are compared with."""
    return run_once(tmp_path_factory.mktemp("whole"), log_steps=1)


class TestWhatIsWritten:
    def test_the_folder(self, finished: Path) -> None:
        assert sorted(path.name for path in finished.iterdir()) == [
            "log.jsonl",
            "loss.png",
            STATE,
            WEIGHTS,
        ]
        with Image.open(finished / "loss.png") as picture:
            assert picture.format == "PNG"
            assert picture.width > 400

    def test_the_log(self, finished: Path) -> None:
        found = rows(finished)
        assert [(row["step"], row["samples"]) for row in found] == [(3, 6), (4, 8)]
        for row in found:
            assert all(
                row[key] > 0
                for key in ("coarse", "refined", "edge", "lr", "seconds", "cpu_seconds")
            )
            assert set(row["spent"]) == {
                "data",
                "iterative clicks",
                "coarse",
                "refiner",
                "backward",
                "update",
            }
            assert all(seconds > 0 for seconds in row["spent"].values())
        steps = [found[0]["step"], found[1]["step"] - found[0]["step"]]
        spent = sum(n * sum(row["spent"].values()) for n, row in zip(steps, found, strict=True))
        # The last step's `update` comes after the count.
        assert spent < found[1]["cpu_seconds"] + 0.5
        speed = (found[1]["samples"] - found[0]["samples"]) / (
            found[1]["seconds"] - found[0]["seconds"]
        )
        # Seconds are rounded to 1/100.
        assert found[1]["samples_per_s"] == pytest.approx(speed, rel=0.2)

    def test_the_weights_are_a_checkpoint_with_a_readable_header(self, finished: Path) -> None:
        network, spec = restore(finished / WEIGHTS)
        assert spec.input_size == 64
        assert spec.training_data == ("shapes",)
        assert spec.terms == "made by the tests"
        (lineage,) = spec.lineage
        assert (lineage.recipe, lineage.steps, lineage.samples) == ("tiny", 4, 8)
        assert lineage.initialised_from == "imagenet"
        assert 0 < lineage.cpu_seconds < 600
        with safe_open(finished / WEIGHTS, "pt") as file:
            assert json.loads(file.metadata()["recipe"])["optimiser"]["lr"] == 2e-3
        assert network.state_dict().keys() == load_file(finished / WEIGHTS).keys()

    def test_the_weights_are_the_average_not_the_network(self, finished: Path) -> None:
        state, weights = load_file(finished / STATE), load_file(finished / WEIGHTS)
        for name, value in weights.items():
            assert torch.equal(state[f"average.{name}"], value)
        assert not torch.equal(state["network.head.logits.weight"], weights["head.logits.weight"])

    def test_a_second_run_in_the_folder_is_refused(self, finished: Path) -> None:
        recipe = finished.parent / "tiny.toml"
        before = (finished / STATE).read_bytes()
        with pytest.raises(ConfigError, match="out already holds a run: add --resume"):
            run(recipe, finished)
        assert (finished / STATE).read_bytes() == before

    def test_resuming_a_finished_run_changes_nothing(self, finished: Path) -> None:
        before = {path.name: path.read_bytes() for path in finished.iterdir()}
        run(finished.parent / "tiny.toml", finished, resume=True)
        assert {path.name: path.read_bytes() for path in finished.iterdir()} == before

    @pytest.mark.parametrize(
        ("override", "part"),
        [
            ("steps=9", "steps"),
            ("optimiser.lr=1e-3", "optimiser"),
            ("seed=1", "seed"),
            ("data.min_object_px=9", "data"),
        ],
    )
    def test_resuming_with_another_recipe_is_refused(
        self, finished: Path, override: str, part: str
    ) -> None:
        with pytest.raises(
            ConfigError,
            match=f"differs from the one that .*, in {part}: resume with the same recipe",
        ):
            run(finished.parent / "tiny.toml", finished, resume=True, overrides=[override])

    def test_what_no_sample_depends_on_may_change(self, finished: Path) -> None:
        overrides = [
            "threads=1",
            "checkpoint_minutes=3",
            "data.workers=0",
            "validate_minutes=7",
            "iterative_clicks_engine=auto",
        ]
        run(finished.parent / "tiny.toml", finished, resume=True, overrides=overrides)

    @pytest.mark.parametrize("kept", [0, 7, 2000, -100])
    def test_a_truncated_state_is_a_checkpoint_error(
        self, finished: Path, tmp_path: Path, kept: int
    ) -> None:
        (tmp_path / STATE).write_bytes((finished / STATE).read_bytes()[:kept])
        with pytest.raises(
            CheckpointError, match=r"state\.safetensors is damaged or not a training state"
        ):
            run(finished.parent / "tiny.toml", tmp_path, resume=True)

    def test_weights_in_the_place_of_the_state_are_a_checkpoint_error(
        self, finished: Path, tmp_path: Path
    ) -> None:
        (tmp_path / STATE).write_bytes((finished / WEIGHTS).read_bytes())
        with pytest.raises(CheckpointError, match="not a training state: 'progress'"):
            run(finished.parent / "tiny.toml", tmp_path, resume=True)

    @pytest.mark.slow
    def test_a_state_of_other_tensors_is_a_checkpoint_error(
        self, finished: Path, tmp_path: Path
    ) -> None:
        tensors = load_file(finished / STATE)
        with safe_open(finished / STATE, "pt") as file:
            # As if others wrote it.
            header = {key: value for key, value in file.metadata().items() if key != "sha256"}
        name = "head.logits.weight"
        for changes in (
            {f"network.{name}": torch.zeros(1, 7, 1, 1)},
            {f"average.{name}": torch.zeros(3)},
        ):
            save_file({**tensors, **changes}, tmp_path / STATE, header)
            with pytest.raises(
                CheckpointError, match=r"state\.safetensors doesn't fit the network 'lite0'"
            ):
                run(finished.parent / "tiny.toml", tmp_path, resume=True)
        for key in (f"network.{name}", f"average.{name}", f"adam.exp_avg_sq.{name}"):
            save_file({k: v for k, v in tensors.items() if k != key}, tmp_path / STATE, header)
            with pytest.raises(CheckpointError, match="doesn't fit the network"):
                run(finished.parent / "tiny.toml", tmp_path, resume=True)

    def test_a_state_from_before_these_fields_can_be_resumed(
        self, finished: Path, tmp_path: Path
    ) -> None:
        """Progress without a count of what was unreadable, a recipe without `compute`, as the first
        runs saved them."""
        with safe_open(finished / STATE, "pt") as file:
            header = file.metadata()
        for part, names in (("progress", ("unreadable", "scaler")), ("recipe", ("compute",))):
            values = json.loads(header[part])
            header[part] = json.dumps(
                {name: value for name, value in values.items() if name not in names}
            )
        save_file(load_file(finished / STATE), tmp_path / STATE, header)
        outcome = run(finished.parent / "tiny.toml", tmp_path, resume=True)
        assert outcome is not None and (outcome.samples, outcome.unreadable) == (8, 0)


class TestRefusals:
    """Each before anything is written."""

    def refused(
        self, recipe: Path, out: Path, error: type[Exception], message: str, **arguments: Any
    ) -> None:
        with pytest.raises(error, match=message):
            run(recipe, out, **arguments)
        assert not out.exists()

    def test_an_unknown_key(self, recipe: Path, tmp_path: Path) -> None:
        self.refused(
            recipe, tmp_path / "out", ConfigError, "Did you mean 'steps'", overrides=["stepz=3"]
        )

    def test_an_unknown_network(self, recipe: Path, tmp_path: Path) -> None:
        self.refused(
            recipe, tmp_path / "out", ConfigError, "Did you mean 'lite0'", overrides=["model=lite"]
        )

    def test_a_part_that_does_not_exist(self, recipe: Path, tmp_path: Path) -> None:
        self.refused(
            recipe,
            tmp_path / "out",
            ConfigError,
            "names 'stem'",
            overrides=["optimiser.frozen=['stem']"],
        )

    def test_missing_and_empty_data(self, recipe: Path, tmp_path: Path) -> None:
        self.refused(
            recipe,
            tmp_path / "out",
            DataError,
            "images is not a folder",
            overrides=["data.root=gone"],
        )
        for path in (tmp_path / "data" / "shapes" / "images").iterdir():
            path.unlink()
        self.refused(
            recipe, tmp_path / "out", DataError, r"images holds no .*check the data set's path"
        )

    def test_a_folder_that_another_run_writes_into(self, recipe: Path, tmp_path: Path) -> None:
        out = tmp_path / "out"
        out.mkdir()
        with (
            one_writer(out),
            pytest.raises(InputError, match="out is being written by process"),
        ):
            run(recipe, out)
        assert list(out.iterdir()) == []

    def test_nothing_to_resume(self, recipe: Path, tmp_path: Path) -> None:
        self.refused(
            recipe, tmp_path / "out", CheckpointError, "there is nothing to resume", resume=True
        )

    def test_resume_and_init(self, recipe: Path, tmp_path: Path) -> None:
        out, init = tmp_path / "out", tmp_path / "a.onnx"
        self.refused(recipe, out, ConfigError, "contradict each other", resume=True, init=init)

    def test_weights_that_are_missing_damaged_or_foreign(
        self, recipe: Path, tmp_path: Path
    ) -> None:
        out, init = tmp_path / "out", tmp_path / "w.safetensors"
        self.refused(recipe, out, CheckpointError, "no weights file", init=init)
        init.write_bytes(b"no weights at all")
        self.refused(recipe, out, CheckpointError, "can't be read as safetensors", init=init)
        save_file({"a": torch.zeros(1)}, init)
        self.refused(recipe, out, CheckpointError, "holds no model spec", init=init)
        spec = lite0.SPEC
        save_file({"a": torch.zeros(1)}, init, {"spec": spec.to_json()})
        self.refused(recipe, out, CheckpointError, "don't fit the network 'lite0'", init=init)
        save_file({"a": torch.zeros(1)}, init, {"spec": replace(spec, model="lite9").to_json()})
        self.refused(recipe, out, CheckpointError, "lite9", init=init)

    def test_weights_of_another_architecture(self, recipe: Path, tmp_path: Path) -> None:
        network, init = build("focalclick-b0"), tmp_path / "w.safetensors"
        save_file(network.state_dict(), init, {"spec": network.spec.to_json()})
        message = r"w\.safetensors holds a 'focalclick-b0': the recipe wants 'lite0'"
        self.refused(recipe, tmp_path / "out", CheckpointError, message, init=init)

    def test_nothing_left_to_train(self, recipe: Path, tmp_path: Path) -> None:
        everything = "optimiser.frozen=['encoder', 'interaction', 'head', 'refiner']"
        self.refused(
            recipe, tmp_path / "out", ConfigError, "leaves no part to train", overrides=[everything]
        )

    def test_a_folder_that_cannot_be_made(self, recipe: Path, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(InputError, match="file/out can't be made: Not a directory"):
            run(recipe, tmp_path / "file" / "out")

    def test_a_loss_that_is_not_finite(
        self, recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unplotted: None
    ) -> None:
        nan = torch.tensor(float("nan"), requires_grad=True)
        monkeypatch.setattr(TrainingStep, "__call__", lambda *_: Losses(nan, nan, nan, nan))
        with pytest.raises(
            ConfigError, match=r"The loss is nan at step 0: start a new run with --init .*weights"
        ):
            run(recipe, tmp_path / "out")


@pytest.mark.usefixtures("unplotted")
class TestInterruptions:
    @pytest.mark.parametrize(
        "number",
        [
            pytest.param(signal.SIGINT, marks=pytest.mark.slow),
            pytest.param(signal.SIGTERM, marks=pytest.mark.proof),
        ],
    )
    def test_resume_equals_an_uninterrupted_run(
        self,
        recipe: Path,
        tmp_path: Path,
        whole: Path,
        monkeypatch: pytest.MonkeyPatch,
        number: signal.Signals,
    ) -> None:
        """To the last bit, twice interrupted; the step in which the signal comes is finished."""
        out = tmp_path / "parts"
        for step in (0, 2):
            at_step(step, lambda: os.kill(os.getpid(), number), monkeypatch)
            with pytest.raises(KeyboardInterrupt):
                run(recipe, out, resume=step > 0)
            assert rows(out, "step")[-1] == {"step": step + 1}
        run(recipe, out, resume=True)
        assert_same_run(out, whole)

    @pytest.mark.slow
    def test_a_run_is_played_by_the_weights_that_it_started_from(
        self, recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """By the same ones after it was resumed, and so it ends as an uninterrupted one. Boxes that
        were trained are said in the weights."""
        played = (
            "clicks.rollout_share=0.7",
            "clicks.casual_share=0.5",
            "clicks.box_share=0.3",
            "clicks.focus_share=0.3",
        )
        start, spec = initial_network(load_recipe(recipe), None)
        run(recipe, tmp_path / "whole", overrides=played)
        rollouts, _ = restore(tmp_path / "whole" / "player.onnx")
        trained = restore(tmp_path / "whole" / "weights.safetensors")[1]
        assert (spec.box_prompt, trained.box_prompt) == (False, True)
        assert trained.refined_by == "refiner"  # which was trained, too
        for name, value in start.state_dict().items():
            assert torch.equal(rollouts.state_dict()[name], value), name
        at_step(1, ctrl_c, monkeypatch)
        with pytest.raises(KeyboardInterrupt):
            run(recipe, tmp_path / "parts", overrides=played)
        run(recipe, tmp_path / "parts", resume=True, overrides=played)
        assert_same_run(tmp_path / "parts", tmp_path / "whole")

    @pytest.mark.slow
    def test_resume_after_a_crash_goes_on_from_the_last_checkpoint(
        self, recipe: Path, tmp_path: Path, whole: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Steps that were logged after it are logged anew, not twice; the clock goes on."""
        out = tmp_path / "parts"
        save, saved = loop.save_checkpoint, list[object]()

        def once(*arguments: Any) -> None:
            if not saved:
                saved.append(save(*arguments))

        def crash() -> None:
            raise OSError("the power went")

        monkeypatch.setattr(loop, "save_checkpoint", once)
        at_step(3, crash, monkeypatch)
        with pytest.raises(OSError, match="the power went"):
            run(recipe, out, overrides=["checkpoint_minutes=0"])
        assert [row["step"] for row in rows(out)] == [1, 2, 3]
        seconds = rows(out)[0]["seconds"]
        with (out / "log.jsonl").open("a") as file:
            file.write('{"step": 4, "sam')
        monkeypatch.setattr(loop, "save_checkpoint", save)
        run(recipe, out, resume=True)
        assert_same_run(out, whole)
        assert rows(out)[0]["seconds"] == seconds
        assert rows(out)[1]["seconds"] > seconds

    @pytest.mark.slow
    @pytest.mark.parametrize("fitting", [0, 1])
    def test_a_full_disk_leaves_the_earlier_checkpoint(
        self, recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fitting: int
    ) -> None:
        """None or one of the two files still fits: whatever is there is whole, and the run can go
        on."""
        out, calls = tmp_path / "out", []
        at_step(0, ctrl_c, monkeypatch)
        with pytest.raises(KeyboardInterrupt):
            run(recipe, out)
        before = {name: (out / name).read_bytes() for name in (STATE, WEIGHTS)}

        def full(file: int) -> None:
            calls.append(file)
            if len(calls) > fitting:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            named = (STATE, WEIGHTS)[fitting]
            with pytest.raises(
                InputError, match=f"{named} can't be written: No space left on device"
            ):
                run(recipe, out, resume=True, overrides=["checkpoint_minutes=0"])
        assert sorted(path.name for path in out.iterdir()) == ["log.jsonl", STATE, WEIGHTS]
        assert (out / WEIGHTS).read_bytes() == before[WEIGHTS]
        assert ((out / STATE).read_bytes() == before[STATE]) == (fitting == 0)
        run(recipe, out, resume=True)
        assert read_weights(out / WEIGHTS)[1].lineage[0].steps == 4

    @pytest.mark.slow
    def test_validation_gets_the_weights_just_saved(self, recipe: Path, tmp_path: Path) -> None:
        """Its figures go into a file of their own, with the step."""
        out, seen = tmp_path / "out", []

        def validate(folder: Path) -> dict[str, float]:
            seen.append(read_weights(folder / WEIGHTS)[1].lineage[-1].steps)
            return {"IoU@1": 0.5}

        run(recipe, out, overrides=["validate_minutes=1e-9", "steps=2"], validate=validate)
        assert seen == [1, 2]
        scores = [json.loads(line) for line in (out / "validation.jsonl").read_text().splitlines()]
        assert scores == [{"step": 1, "IoU@1": 0.5}, {"step": 2, "IoU@1": 0.5}]
        assert len(rows(out)) == 2


@pytest.mark.usefixtures("unplotted")
class TestUnreadable:
    """Images that turn out to be damaged in the middle of a run."""

    @pytest.fixture
    def image(self, tmp_path: Path) -> Path:
        return tmp_path / "data" / "shapes" / "images" / "1.png"

    @pytest.mark.slow
    def test_a_few_are_counted_and_others_take_their_place(
        self, recipe: Path, tmp_path: Path, image: Path
    ) -> None:
        """Their number is that of the draws which failed; the log says why, and so does the
        outcome."""
        image.write_bytes(image.read_bytes()[:100])
        sampler = Sampler(load_recipe(recipe), tmp_path / "data", 64)
        drawn = [
            sampler.draw(np.random.default_rng((3, SAMPLE_STREAM, number))) for number in range(8)
        ]
        counts = [len(sample.unreadable) for sample in drawn]
        assert 0 < sum(counts) <= 10
        outcome = run(recipe, tmp_path / "out")
        assert outcome is not None and (outcome.samples, outcome.unreadable) == (8, sum(counts))
        assert "images/1.png is damaged" in outcome.reasons[0]
        found = rows(tmp_path / "out")
        assert [row["unreadable"] for row in found] == [
            sum(counts[: 2 * step]) for step in (1, 2, 3, 4)
        ]
        told = [reason for row in found for reason in row.get("reasons", ())]
        assert told == [reason for sample in drawn for reason in sample.unreadable]

    @pytest.mark.slow
    def test_too_many_end_the_run_which_goes_on_when_they_are_mended(
        self,
        recipe: Path,
        tmp_path: Path,
        image: Path,
        whole: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """And then it is as if nothing had been."""
        content = image.read_bytes()
        monkeypatch.setattr(loop, "SAMPLES_TO_JUDGE", 8)
        at_step(0, image.unlink, monkeypatch)
        out = tmp_path / "parts"
        with pytest.raises(DataError, match=r"more than 1%; the first: .*images/1\.png") as caught:
            run(recipe, out)
        step = rows(out)[-1]["step"]
        assert step < 4
        assert f"{out} holds the run as of step {step}: then add --resume." in str(caught.value)
        image.write_bytes(content)
        run(recipe, out, resume=True)
        assert_same_run(out, whole)

    @pytest.mark.slow
    def test_a_worker_that_is_killed_ends_the_run_with_what_was_done(
        self, recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As by the kernel for lack of memory; the batches that it had ready are still used."""
        overrides = ["steps=8", "data.workers=1"]
        run(recipe, tmp_path / "whole", overrides=overrides)
        at_step(
            0, lambda: [worker.kill() for worker in multiprocessing.active_children()], monkeypatch
        )
        out = tmp_path / "parts"
        with pytest.raises(
            DataError, match=r"ended unexpectedly.*holds the run as of step \d: then add --resume\."
        ):
            run(recipe, out, overrides=overrides)
        assert 1 <= rows(out)[-1]["step"] < 8
        run(recipe, out, overrides=overrides, resume=True)
        assert_same_run(out, tmp_path / "whole")

    @pytest.mark.slow
    def test_a_signal_that_takes_the_workers_too_is_an_interruption(
        self, recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """SIGTERM to the whole group, while the next batch is waited for: the steps done are
        saved."""

        def cut(micro_batches: MicroBatches) -> Iterator[Batch]:
            yield next(made_ahead(micro_batches))
            os.kill(os.getpid(), signal.SIGTERM)
            raise DataError("A process that reads the data ended unexpectedly.")

        out = tmp_path / "parts"
        with monkeypatch.context() as patch:
            patch.setattr(loop, "made_ahead", cut)
            with pytest.raises(KeyboardInterrupt):
                run(recipe, out)
        assert rows(out, "step") == [{"step": 1}]
        run(recipe, out, resume=True)
        assert rows(out, "step") == [{"step": step} for step in (1, 2, 3, 4)]


class TestDescent:
    @pytest.mark.slow
    def test_lineage_adds_up_over_a_chain(
        self, recipe: Path, tmp_path: Path, unplotted: None
    ) -> None:
        run(recipe, tmp_path / "a", overrides=["steps=1", "augment={flip = 0.25}"])
        other = recipe.with_name("other.toml")
        other.write_text(RECIPE.replace('"tiny"', '"other"').replace("by the tests", "twice"))
        run(other, tmp_path / "b", init=tmp_path / "a" / WEIGHTS, overrides=["steps=2", "batch=3"])
        spec = read_weights(tmp_path / "b" / WEIGHTS)[1]
        assert [(r.recipe, r.steps, r.samples, r.initialised_from) for r in spec.lineage] == [
            ("tiny", 1, 2, "imagenet"),
            ("other", 2, 6, WEIGHTS),
        ]
        assert spec.lineage[0] == read_weights(tmp_path / "a" / WEIGHTS)[1].lineage[0]
        assert all(r.cpu_seconds > 0 for r in spec.lineage)
        assert [r.changes for r in spec.lineage] == [
            "--set steps=1 --set 'augment={flip = 0.25}'",
            "--set steps=2 --set batch=3",
        ]
        assert spec.training_data == ("shapes",)
        assert spec.terms == "made by the tests; made twice"

    def test_grids_are_as_large_as_the_recipe_says_or_as_the_network_is(
        self, recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked: list[int] = []

        def noted(micro_batches: MicroBatches) -> Iterator[Batch]:
            asked.append(micro_batches.size)
            raise DataError("That was all.")

        monkeypatch.setattr(loop, "made_ahead", noted)
        for overrides in ([], ["input_size=128"]):
            with pytest.raises(DataError, match="That was all"):
                run(recipe, tmp_path / "sizes", overrides=overrides)
        assert asked == [lite0.SPEC.input_size, 128]

    def test_terms_are_inherited_once(self, recipe: Path) -> None:
        spec = replace(
            lite0.SPEC, training_data=("old", "shapes"), terms="old terms; made by the tests"
        )
        found = with_terms(spec, load_recipe(recipe))
        assert found.training_data == ("old", "shapes")
        assert found.terms == "old terms; made by the tests"
        # And no longer the code's own.
        assert found.licence == "as the terms of the training data allow"

    def test_a_run_starts_from_the_weights_it_is_given(self, recipe: Path, tmp_path: Path) -> None:
        torch.manual_seed(8)
        network = build("lite0")
        spec = replace(lite0.SPEC, lineage=(Run("a", "c", "t", 1, 2, 3.0, "imagenet"),))
        init = tmp_path / "w.safetensors"
        save_file(network.state_dict(), init, {"spec": spec.to_json()})
        found, inherited = initial_network(load_recipe(recipe), init)
        assert inherited == spec
        for name, value in network.state_dict().items():
            assert torch.equal(found.state_dict()[name], value), name

    @pytest.mark.slow
    def test_an_exported_model_starts_a_run_as_its_checkpoint_does(
        self, recipe: Path, tmp_path: Path
    ) -> None:
        torch.manual_seed(8)
        network = build("lite0")
        save_file(network.state_dict(), tmp_path / "w.safetensors", {"spec": lite0.SPEC.to_json()})
        (tmp_path / "w.onnx").write_bytes(model_bytes(network, lite0.SPEC))
        one, spec = initial_network(load_recipe(recipe), tmp_path / "w.safetensors")
        other, other_spec = initial_network(load_recipe(recipe), tmp_path / "w.onnx")
        assert spec == other_spec
        for name, value in one.state_dict().items():
            assert torch.equal(other.state_dict()[name], value), name

    def test_without_weights_the_seed_decides_and_the_encoder_is_imagenets(
        self, recipe: Path
    ) -> None:
        one, other, third = (
            initial_network(load_recipe(recipe, (f"seed={seed}",)), None)[0].state_dict()
            for seed in (1, 1, 2)
        )
        assert all(torch.equal(one[name], other[name]) for name in one)
        assert not torch.equal(one["head.logits.weight"], third["head.logits.weight"])
        assert torch.equal(one["encoder.stem.0.weight"], third["encoder.stem.0.weight"])


@pytest.mark.slow
def test_a_tiny_run_learns(recipe: Path, tmp_path: Path) -> None:
    """One image, always the same crop: the losses of both masks fall, and one click gives the
    object as never before.

    (The refiner's box is drawn anew each time, and its losses are normalised by what is wrong: they
    need longer.)
    """
    for folder in ("images", "masks"):
        for path in (tmp_path / "data" / "shapes" / folder).iterdir():
            if path.stem != "0":
                path.unlink()
    overrides = [
        "steps=40",
        "optimiser.lr=4e-3",
        "optimiser.encoder_factor=1",
        "clicks.max_further=0",
        "clicks.init_clicks=single",
        "augment={whole_share=1, scaled_share=0, object_share=0, flip=0, colour=0}",
    ]
    run(recipe, tmp_path / "out", overrides=overrides)
    found = rows(tmp_path / "out", "coarse", "refined")
    for part, share in (("coarse", 0.7), ("refined", 0.95)):
        values = [row[part] for row in found]
        assert sum(values[-5:]) < share * sum(values[:5]), part
    batch = next(batches(load_recipe(recipe, overrides), tmp_path / "data", 64, 0))
    ious = []
    for network in (
        restore(tmp_path / "out" / WEIGHTS)[0],
        initial_network(load_recipe(recipe), None)[0],
    ):
        network.eval()
        image = normalised(batch.image, network.spec.coarse_normalisation)
        with torch.no_grad():
            logits, _ = network.coarse(
                image, IterativeClicks.blank(batch.clicks, batch.gt_masks, ()).maps(network.spec)
            )
        ious.append(iou((logits[0, 0] > 0).numpy(), batch.gt_masks[0]))
    assert ious[0] > 0.85 > 0.5 > ious[1]


def test_the_recipe_s_seed_draws_what_older_weights_lack(recipe: Path, tmp_path: Path) -> None:
    """Two runs from one file of before the mixer start from the same network."""
    network = build("lite0")
    old = {
        name: value
        for name, value in network.state_dict().items()
        if not name.startswith(lite0.MIXER)
    }
    init = tmp_path / "old.safetensors"
    save_file(old, init, {"spec": network.spec.to_json()})
    first, second, other = (
        initial_network(load_recipe(recipe, [f"seed={seed}"]), init)[0].state_dict()
        for seed in (1, 1, 2)
    )
    assert all(torch.equal(first[name], second[name]) for name in network.state_dict())
    assert not torch.equal(first[f"{lite0.MIXER}guide.weight"], other[f"{lite0.MIXER}guide.weight"])
