"""The click loop, with predictors whose clicks and IoUs are known by construction, and what an
interruption leaves."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from players import Player, blank, columns, oracle, sample
from rich.console import Console

from vtmr.bench import (
    ModelInfo,
    Protocol,
    Record,
    evaluate,
    play,
    read_records,
    read_run,
    run_benchmark,
)
from vtmr.bench.run import Task
from vtmr.data import EvalSample
from vtmr.errors import ConfigError, DataError, InputError
from vtmr.masks import Mask
from vtmr.spec import ZoomSchedule

PROTOCOL = Protocol()


def ious(records: list[Record]) -> list[float]:
    return [record.iou for record in records]


def test_an_oracle_needs_one_click() -> None:
    (record,) = play(sample(), oracle(), PROTOCOL)
    assert (record.iou, record.biou, record.k, record.positive, record.last) == (
        1.0,
        1.0,
        1,
        True,
        True,
    )
    # The first of the rectangle's 10 px deep pixels: 5 + 9, 10 + 9.
    assert (record.x, record.y) == (
        14.5,
        19.5,
    )


def test_a_blank_predictor_takes_all_clicks_at_different_pixels() -> None:
    records = play(sample(), blank(), PROTOCOL)
    assert [record.k for record in records] == list(range(1, 21))
    assert ious(records) == [0.0] * 20
    assert len({(record.x, record.y) for record in records}) == 20
    assert [record.last for record in records] == [False] * 19 + [True]


@pytest.mark.parametrize(
    ("shares", "clicks"),
    [
        ([0.92] * 20, 5),  # reached at once, but no object stops before click 5
        ([0.5, 0.92, 0.5, 0.5, 0.5, 0.5], 5),  # reached once is reached
        ([0.5] * 6 + [0.86, 0.88, 0.9], 9),  # all targets, not just the first
        ([0.5, 0.7, 1.0], 3),  # no error pixel is left to click
    ],
)
def test_when_an_object_stops(shares: list[float], clicks: int) -> None:
    assert ious(play(sample(), columns(*shares), PROTOCOL)) == shares[:clicks]


def test_seconds_are_the_predictors_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that only the predictor moves: 2 s a click."""
    now = [0.0]
    monkeypatch.setattr("vtmr.bench.playing.time.perf_counter", lambda: now[0])

    def answer(gt_mask: Mask, n: int) -> Mask:
        now[0] += 2.0
        return np.zeros_like(gt_mask)

    def load() -> tuple[object, ...]:
        now[0] += 50.0
        return sample().load()

    records = play(replace(sample(), load=load), Player(answer), PROTOCOL)
    assert [record.seconds for record in records] == [2.0] * 20
    assert [record.wall_seconds for record in records] == [52.0] + [
        2.0
    ] * 19  # reading is the first click's


def from_mask(initial: Mask) -> EvalSample:
    return replace(sample(), initial=lambda: initial)


def right_half() -> Mask:
    """Of the sample's rectangle, which is 50 columns wide from column 5 on: IoU .5."""
    mask = np.zeros((40, 60), bool)
    mask[10:30, 30:55] = True
    return mask


@pytest.mark.parametrize(
    ("protocol", "first", "ious"),
    [
        # The missed half's depth of 10 begins in column 5 + 9; the half that the player then finds
        # comes to the given one where clicks are merged, and replaces it where they aren't.
        (PROTOCOL, (14.5, 19.5), [1.0]),
        (replace(PROTOCOL, merge=False, max_clicks=5), (14.5, 19.5), [0.5] * 5),
        # From nothing, the first click is in the middle of all, and only the left half is ever
        # found.
        (replace(PROTOCOL, initial_mask="none", max_clicks=5), (14.5, 19.5), [0.5] * 5),
    ],
)
def test_objects_begin_with_the_mask_that_they_bring(
    protocol: Protocol, first: tuple[float, float], ious: list[float]
) -> None:
    left = Player(lambda gt_mask, n: gt_mask & ~right_half())
    records = play(from_mask(right_half()), left, protocol)
    assert (records[0].x, records[0].y) == first
    assert [record.iou for record in records] == ious


def test_the_first_click_corrects_the_mask_that_an_object_brings() -> None:
    """A mask that covers the whole picture: only too much can be wrong."""
    records = play(from_mask(np.ones((40, 60), bool)), oracle(), PROTOCOL)
    assert records[0].positive is False


@pytest.mark.parametrize(
    ("initial", "message"),
    [
        (
            np.ones((9, 9), bool),
            r"The initial mask of pairs/pairs/0/0 is \(9, 9\), its image \(40, 60\)",
        ),
        (sample().load()[1], "The initial mask of pairs/pairs/0/0 is right already"),
    ],
)
def test_an_initial_mask_that_cant_be_begun_with_is_named(initial: Mask, message: str) -> None:
    with pytest.raises(DataError, match=message):
        play(from_mask(initial), oracle(), PROTOCOL)


def places(records: list[Record]) -> list[tuple[float, float]]:
    return [(record.x, record.y) for record in records]


@pytest.mark.parametrize("robot", [{"robot": "random"}, {"robot": "perturbed", "jitter_px": 4.0}])
def test_clicks_are_a_function_of_seed_repeat_object_and_number(robot: dict[str, Any]) -> None:
    protocol = Protocol(**robot, repeats=3)
    runs = [play(sample(), blank(), protocol, repeat) for repeat in range(3)]
    assert [run[0].repeat for run in runs] == [0, 1, 2]
    assert places(play(sample(), blank(), protocol, 1)) == places(runs[1])
    others = [
        runs[0],
        runs[2],
        play(sample("b"), blank(), protocol, 1),
        play(sample(), blank(), replace(protocol, seed=1), 1),
    ]
    assert all(places(other)[0] != places(runs[1])[0] for other in others)
    first_fixed = play(sample(), blank(), replace(protocol, first_click="deterministic"), 1)
    assert places(first_fixed)[0] == (14.5, 19.5)  # as the deterministic robot
    assert len(set(places(first_fixed))) > 15


def test_all_clicks_are_played_where_the_protocol_says_so() -> None:
    records = play(sample(), columns(*[0.95] * 20), Protocol(stop="never"))
    assert len(records) == 20


def test_records_from_before_repeats_are_read(tmp_path: Path) -> None:
    """A folder as it was written before there were repeats, wall times, shards and further rules
    goes on."""
    whole = evaluate(SAMPLES, columns(*SHARES), PROTOCOL, tmp_path)
    lines = [json.loads(line) for line in (tmp_path / "records.jsonl").read_text().splitlines()]
    for line in lines:
        del line["repeat"], line["wall_seconds"]
    (tmp_path / "records.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines[:12]))
    run = json.loads((tmp_path / "run.json").read_text())
    rules = ("max_clicks", "targets", "min_clicks", "report_at", "seed")
    run["settings"]["protocol"] = {name: run["settings"]["protocol"][name] for name in rules}
    del run["settings"]["shard"], run["settings"]["model"]["device"]
    (tmp_path / "run.json").write_text(json.dumps(run))
    (tmp_path / "objects.json").unlink()
    assert [record.key[-1] for record in read_records(tmp_path)] == [0] * 12
    assert without_times(evaluate(SAMPLES, columns(*SHARES), PROTOCOL, tmp_path)) == without_times(
        whole
    )


def test_a_run_can_be_read_again(tmp_path: Path) -> None:
    protocol = Protocol(robot="random", targets=(0.9,))
    evaluate(SAMPLES, oracle(), protocol, tmp_path, model=MODEL)
    run = read_run(tmp_path)
    assert (run.protocol, run.model, run.shard) == (protocol, MODEL, None)
    assert run.objects == tuple(("pairs", "pairs", name, "0") for name in "abc")
    (tmp_path / "objects.json").write_text('["abc"]')
    with pytest.raises(DataError, match=r"objects\.json is damaged"):
        read_run(tmp_path)


def test_records_are_in_the_samples_order_whoever_played(tmp_path: Path) -> None:
    def backwards(tasks: Sequence[Task], protocol: Protocol) -> Generator[list[Record]]:
        for task in reversed(tasks):
            yield play(SAMPLES[task.place], oracle(), protocol, task.key[-1])

    records = evaluate(SAMPLES, oracle(), PROTOCOL, tmp_path, team=backwards)
    assert [record.image for record in records] == ["a", "b", "c"]
    assert read_records(tmp_path) == records


def test_a_threshold_that_the_model_doesnt_cut_at_is_refused(tmp_path: Path) -> None:
    protocol = Protocol(threshold=0.4)
    for model, cut in ((None, "no probability"), (MODEL, "0.5")):
        with pytest.raises(
            ConfigError, match=f"cuts at 0.4, .* at {cut}: expected a model that is told"
        ):
            evaluate(SAMPLES, oracle(), protocol, tmp_path, model=model)
    evaluate(SAMPLES, oracle(), protocol, tmp_path, model=replace(MODEL, threshold=0.4))


def test_records_of_objects_that_arent_played_are_refused(tmp_path: Path) -> None:
    evaluate(SAMPLES, oracle(), PROTOCOL, tmp_path)
    path = tmp_path / "records.jsonl"
    path.write_text(path.read_text().replace('"image": "b"', '"image": "z"'))
    with pytest.raises(DataError, match="holds clicks on pairs/pairs/z/0, which isn't played here"):
        evaluate(SAMPLES, oracle(), PROTOCOL, tmp_path)


def test_ignored_pixels_are_no_errors() -> None:
    gt_mask, ignore = np.zeros((20, 30), bool), np.zeros((20, 30), bool)
    gt_mask[5:15, 5:25], ignore[5:15, 15:25] = True, True
    half = Player(lambda gt_mask, n: gt_mask & ~ignore)
    (record,) = play(sample(gt_mask=gt_mask, ignore=ignore), half, PROTOCOL)
    assert (record.iou, record.biou) == (1.0, 1.0)


def of_other_size() -> EvalSample:
    image, gt_mask, _ = sample().load()
    return replace(sample(), load=lambda: (image, gt_mask[:, :-1], None))


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (of_other_size(), r"mask of pairs/pairs/0/0 is \(40, 59\), its image \(40, 60\)"),
        (sample(gt_mask=np.zeros((8, 8), bool)), "pairs/pairs/0/0 has no pixel that counts"),
        (
            sample(gt_mask=np.eye(8, dtype=bool), ignore=np.eye(8, dtype=bool)),
            "has no pixel that counts",
        ),
        (sample(ignore=np.zeros((9, 9), bool)), r"ignore mask of pairs/pairs/0/0 is \(9, 9\)"),
    ],
)
def test_an_unusable_sample_is_named(bad: EvalSample, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        evaluate([sample("a"), bad], oracle(), PROTOCOL, tmp_path / "out")
    assert [record.image for record in read_records(tmp_path / "out")] == ["a"]


def without_times(records: list[Record]) -> list[Record]:
    return [replace(record, seconds=0.0, wall_seconds=0.0) for record in records]


SAMPLES = [sample(name) for name in "abc"]
SHARES = [0.3, 0.5, 0.8, 0.86, 0.88, 0.9]  # six clicks an object


@pytest.mark.parametrize("clicks", [1, 6, 7, 12, 17])
def test_an_interrupted_run_continues_and_equals_a_whole_one(clicks: int, tmp_path: Path) -> None:
    whole = evaluate(SAMPLES, columns(*SHARES), PROTOCOL, tmp_path / "whole")
    player = columns(*SHARES)
    ask, player.answer = player.answer, lambda gt_mask, n: interrupt_after(gt_mask, n)

    def interrupt_after(gt_mask: Mask, n: int) -> Mask:
        if player.asked > clicks:
            raise KeyboardInterrupt
        return ask(gt_mask, n)

    with pytest.raises(KeyboardInterrupt):
        evaluate(SAMPLES, player, PROTOCOL, tmp_path / "cut")
    again = columns(*SHARES)
    assert without_times(evaluate(SAMPLES, again, PROTOCOL, tmp_path / "cut")) == without_times(
        whole
    )
    assert again.asked == 18 - clicks // 6 * 6
    run = json.loads((tmp_path / "cut" / "run.json").read_text())
    assert len(run["sittings"]) == 2


@pytest.mark.parametrize("missing_bytes", [1, 5, 150, 400])
def test_a_cut_file_loses_only_the_last_object(missing_bytes: int, tmp_path: Path) -> None:
    whole = evaluate(SAMPLES, columns(*SHARES), PROTOCOL, tmp_path)
    path = tmp_path / "records.jsonl"
    path.write_bytes(path.read_bytes()[:-missing_bytes])
    assert read_records(tmp_path) == whole[:12]
    again = columns(*SHARES)
    assert without_times(evaluate(SAMPLES, again, PROTOCOL, tmp_path)) == without_times(whole)
    assert again.asked == 6


def swap(lines: list[str]) -> list[str]:
    return [lines[1], lines[0], *lines[2:]]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda lines: [lines[0], lines[1][:40] + "\n", *lines[2:]], "line 2 is damaged"),
        (
            lambda lines: [lines[0].replace('"k": 1', '"k": "1"'), *lines[1:]],
            "line 1 is damaged .k is '1'",
        ),
        (lambda lines: ["[]\n", *lines[1:]], "line 1 is damaged"),
        (swap, "line 1 is click 2 of pairs/pairs/a/0 out of order"),
        (lambda lines: [*lines, lines[0]], "line 19 is click 1"),
        (lambda lines: lines[:3] + lines[6:], "line 4 is click 1 of pairs/pairs/b/0 out of order"),
    ],
)
def test_records_damaged_elsewhere_are_refused(
    damage: Callable[[list[str]], list[str]], message: str, tmp_path: Path
) -> None:
    evaluate(SAMPLES, columns(*SHARES), PROTOCOL, tmp_path)
    path = tmp_path / "records.jsonl"
    damaged = "".join(damage(path.read_text().splitlines(keepends=True)))
    path.write_text(damaged)
    with pytest.raises(DataError, match=message):
        evaluate(SAMPLES, columns(*SHARES), PROTOCOL, tmp_path)
    assert path.read_text() == damaged


MODEL = ModelInfo("m", "12ab", 0.5, 2, ZoomSchedule(schedule="eager", eager_weight=0.5))


@pytest.mark.parametrize(
    ("protocol", "model", "samples", "message"),
    [
        (Protocol(max_clicks=10), MODEL, SAMPLES, "protocol.max_clicks = 20, this one has 10"),
        (PROTOCOL, replace(MODEL, sha256="34cd"), SAMPLES, 'model.sha256 = "12ab"'),
        (PROTOCOL, replace(MODEL, threads=1), SAMPLES, "model.threads = 2"),
        (PROTOCOL, MODEL, SAMPLES[:2], "datasets.pairs.objects = 3, this one has 2"),
        (PROTOCOL, MODEL, [*SAMPLES[:2], sample("d")], "datasets.pairs.names_sha256"),
        (PROTOCOL, MODEL, [*SAMPLES, sample("d", dataset="grabcut")], "datasets.grabcut = null"),
    ],
)
def test_changed_settings_are_refused_in_the_same_folder(
    protocol: Protocol, model: ModelInfo, samples: list[EvalSample], message: str, tmp_path: Path
) -> None:
    evaluate(SAMPLES, oracle(), PROTOCOL, tmp_path, model=MODEL)
    before = (tmp_path / "records.jsonl").read_bytes(), (tmp_path / "run.json").read_bytes()
    with pytest.raises(ConfigError, match=message):
        evaluate(samples, oracle(), protocol, tmp_path, model=model)
    assert (
        (tmp_path / "records.jsonl").read_bytes(),
        (tmp_path / "run.json").read_bytes(),
    ) == before


def test_a_run_says_what_it_was_made_with(tmp_path: Path) -> None:
    evaluate(SAMPLES, oracle(), PROTOCOL, tmp_path, model=MODEL)
    run = json.loads((tmp_path / "run.json").read_text())
    assert run["settings"]["protocol"]["max_clicks"] == 20
    zoom = {"schedule": "eager", "eager_weight": 0.5, "rounds": 20, "guidance": "both"}
    zoom |= {"min_shrink": 0.0, "side": None}
    kernel = {"grid": 31, "fwhm": 11.0, "floor": 0.05}
    assert run["settings"]["model"] == {
        "name": "m",
        "sha256": "12ab",
        "threshold": 0.5,
        "threads": 2,
        "zoom": zoom | {"kernel": kernel},
        "device": "",
        "input_size": None,
        "eval_mode": "",
        "views": None,
    }
    assert run["settings"]["datasets"]["pairs"]["objects"] == 3
    assert run["settings"]["versions"]["numpy"] == np.__version__
    assert set(run["sittings"][0]) == {
        "started",
        "commit",
        "python",
        "system",
        "cpu",
        "cores",
        "data",
    }


def test_damaged_or_missing_run_files_are_refused(tmp_path: Path) -> None:
    evaluate(SAMPLES, oracle(), PROTOCOL, tmp_path)
    for damaged in ("", "{", "[]", '{"settings": {}}'):
        (tmp_path / "run.json").write_text(damaged)
        with pytest.raises(DataError, match=r"run\.json is damaged"):
            evaluate(SAMPLES, oracle(), PROTOCOL, tmp_path)
    (tmp_path / "run.json").unlink()
    with pytest.raises(ConfigError, match=r"no run\.json"):
        evaluate(SAMPLES, oracle(), PROTOCOL, tmp_path)


def test_a_folder_that_cant_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file", tmp_path / "file" / "out", Path("/proc/vtmr")):
        with pytest.raises(InputError, match="can't be made"):
            evaluate(SAMPLES, oracle(), PROTOCOL, out)
    with pytest.raises(InputError, match=r"self/\.lock can't be written: .* Choose another place"):
        # It is there, and nobody may write into it.
        evaluate(SAMPLES, oracle(), PROTOCOL, Path("/proc/self"))


def test_objects_with_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="pairs/pairs/a/0 occurs 2 times"):
        evaluate([*SAMPLES, sample("a")], oracle(), PROTOCOL, tmp_path)


def test_a_predictor_with_another_size_is_refused() -> None:
    with pytest.raises(InputError):
        play(sample(), Player(lambda gt_mask, n: gt_mask[1:]), PROTOCOL)


def write_pairs(root: Path) -> None:
    """Two pictures that show their own mask, as a `pairs` folder."""
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True)
        for name in ("one", "two"):
            cv2.imwrite(str(root / folder / f"{name}.png"), sample().load()[0])


def test_run_benchmark_from_folders_to_summary(tmp_path: Path) -> None:
    write_pairs(tmp_path / "data")
    output = StringIO()
    console = Console(file=output, width=160)
    data = [("pairs", tmp_path / "data")]
    summary = run_benchmark(data, oracle(), MODEL, tmp_path / "out", console=console)
    assert json.loads((tmp_path / "out" / "summary.json").read_text()) == summary
    assert "| pairs | 2 | 1.00 [1.00, 1.00] |" in (tmp_path / "out" / "table.md").read_text()
    assert summary["pairs"]["n"] == 2
    assert summary["pairs"]["NoC@90"] == 1.0
    walls = [record.wall_seconds for record in read_records(tmp_path / "out")]
    # All the time over two clicks.
    assert summary["pairs"]["SPC_wall_ms"] == pytest.approx(1000 * sum(walls) / 2)
    printed = output.getvalue()
    assert "NoC@90" in printed
    assert "at most 20 clicks" in printed
    # Nothing to play.
    assert run_benchmark(data, blank(), MODEL, tmp_path / "out", console=console) == summary
    assert (
        run_benchmark(data, oracle(), MODEL, tmp_path / "one", 1, console=console)["pairs"]["n"]
        == 1
    )
    with pytest.raises(ConfigError, match="pairs, pairs"):
        run_benchmark(data * 2, oracle(), MODEL, tmp_path / "out", console=console)
    with pytest.raises(ConfigError, match="none"):
        run_benchmark([], oracle(), MODEL, tmp_path / "out", console=console)


@pytest.mark.proof
def test_the_harness_takes_150_clicks_a_second() -> None:
    """Issue 4's bound at 480x320 for one core, in CPU time, with answers that stay ragged for all
    20 clicks."""
    gt_mask = (
        cv2.ellipse(np.zeros((320, 480), np.uint8), (240, 160), (150, 100), 20, 0, 360, 1, -1) > 0
    )
    noise = np.random.default_rng(0).standard_normal((20, 320, 480))
    answers = [gt_mask ^ (cv2.GaussianBlur(field, (0, 0), 12) > 0.06) for field in noise]
    ragged = Player(lambda gt_mask, n: answers[n - 1])
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        start = time.process_time()
        clicks = sum(
            len(play(sample(gt_mask=gt_mask), ragged, Protocol(targets=(1.0,)))) for _ in range(10)
        )
        assert clicks / (time.process_time() - start) >= 150
    finally:
        cv2.setNumThreads(threads)
    assert clicks == 200


def test_a_folder_that_another_run_writes_into_is_refused(tmp_path: Path) -> None:
    """While the first one plays: the second leaves its records as they are."""
    told: list[str] = []

    def nosy(tasks: Sequence[Task], protocol: Protocol) -> Generator[list[Record]]:
        with pytest.raises(InputError, match="is being written by process") as caught:
            evaluate([sample()], oracle(), PROTOCOL, tmp_path)
        told.append(str(caught.value))
        yield play(sample(), oracle(), PROTOCOL)

    records = evaluate([sample()], oracle(), PROTOCOL, tmp_path, team=nosy)
    assert len(told) == 1
    assert read_records(tmp_path) == records
    assert len(evaluate([sample()], oracle(), PROTOCOL, tmp_path)) == len(records)
