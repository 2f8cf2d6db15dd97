"""Jobs, shards and merging: the records must be those of one process.

The masks depend on where the clicks are.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from players import Discs, dying, ellipses, swapped_ellipses
from waiting import wait_until

from vtmr.bench import (
    Protocol,
    Record,
    Shard,
    Work,
    evaluate,
    merge_runs,
    processes,
    read_records,
    read_run,
)
from vtmr.errors import ConfigError, DataError, InputError
from vtmr.teams.processes import without_interrupts

ROOT = Path(__file__).parents[3]
PROTOCOL = Protocol(max_clicks=6, min_clicks=2, report_at=(1,), robot="random", repeats=2, seed=3)
RUNS = 7 * 2  # objects, repeats


def without_times(records: list[Record]) -> list[Record]:
    return [replace(record, seconds=0.0, wall_seconds=0.0) for record in records]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> list[Record]:
    """One process's records, times aside."""
    return without_times(evaluate(ellipses(), Discs(), PROTOCOL, tmp_path_factory.mktemp("whole")))


def run_shards(root: Path, number: int) -> list[Path]:
    folders = [root / str(index) for index in range(1, number + 1)]
    for index, folder in enumerate(folders, start=1):
        evaluate(ellipses(), Discs(), PROTOCOL, folder, shard=Shard(index, number))
    return folders


def test_the_run_that_the_others_must_equal(whole: list[Record]) -> None:
    """14 runs in the samples' order; the random robot's two repeats of an object differ."""
    keys = list(dict.fromkeys(record.key for record in whole))
    assert [(key[0], key[2], key[4]) for key in keys] == [
        ("pairs" if i < 4 else "grabcut", str(i), repeat) for i in range(7) for repeat in (0, 1)
    ]
    places = [[(record.x, record.y) for record in whole if record.key == key] for key in keys]
    assert places[0] != places[1]
    assert {record.positive for record in whole} == {True, False}


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [2, 4])
def test_jobs_equal_one_process(jobs: int, tmp_path: Path, whole: list[Record]) -> None:
    team = processes(Work(ellipses, Discs), jobs)
    assert without_times(evaluate(ellipses(), Discs(), PROTOCOL, tmp_path, team=team)) == whole
    assert without_times(read_records(tmp_path)) == whole
    # Nothing left for a process.
    assert evaluate(ellipses(), Discs(), PROTOCOL, tmp_path) == read_records(tmp_path)


@pytest.mark.slow
def test_jobs_finish_what_one_process_began(tmp_path: Path, whole: list[Record]) -> None:
    evaluate(ellipses(), Discs(), PROTOCOL, tmp_path)
    path = tmp_path / "records.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    starts = [number for number, line in enumerate(lines) if json.loads(line)["k"] == 1]
    path.write_text("".join(lines[starts[3] : starts[9] + 1]))  # six runs, and a click of a seventh
    team = processes(Work(ellipses, Discs), 2)
    assert without_times(evaluate(ellipses(), Discs(), PROTOCOL, tmp_path, team=team)) == whole


@pytest.mark.slow
def test_a_process_with_other_data_is_refused(tmp_path: Path) -> None:
    team = processes(Work(swapped_ellipses, Discs), 2)
    with pytest.raises(
        DataError,
        match=r"Object 1 should be pairs/pairs/0/0, a further process finds grabcut/pairs/6",
    ):
        evaluate(ellipses(), Discs(), PROTOCOL, tmp_path, team=team)


@pytest.mark.slow
def test_a_process_that_dies_is_reported(tmp_path: Path, whole: list[Record]) -> None:
    with pytest.raises(InputError, match=r"died.*run the same command again"):
        evaluate(ellipses(), Discs(), PROTOCOL, tmp_path, team=processes(Work(ellipses, dying), 2))
    assert without_times(evaluate(ellipses(), Discs(), PROTOCOL, tmp_path)) == whole


SLOW_RUN = """
import time
from pathlib import Path
from players import Discs, ellipses
from vtmr.bench import Protocol, Work, evaluate, processes

def slow():
    discs = Discs()
    predict = discs.predict
    discs.predict = lambda *given: time.sleep(0.3) or predict(*given)
    return discs

if __name__ == "__main__":
    evaluate(ellipses(), Discs(), Protocol(), Path("out"), team=processes(Work(ellipses, slow), 2))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kill", "early"), [(signal.SIGINT, True), (signal.SIGINT, False), (signal.SIGKILL, False)]
)
def test_no_process_outlives_a_run_that_is_ended(
    kill: signal.Signals, early: bool, tmp_path: Path
) -> None:
    """Also after SIGKILL, which leaves the asking process no time to end the others. Ctrl-C reaches
    the whole group.

    early: while the processes are still starting.
    """
    (tmp_path / "run.py").write_text(SLOW_RUN)
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT / 'tests'}"}
    run = subprocess.Popen(
        [sys.executable, "run.py"],
        cwd=tmp_path,
        env=environment,
        start_new_session=True,
        stderr=subprocess.PIPE,
    )
    records = tmp_path / "out" / "records.jsonl"
    asking = psutil.Process(run.pid)
    # Two that play, one that Python starts to clean up after them.
    wait_until(lambda: len(asking.children()) >= 3)
    if not early:
        wait_until(lambda: records.stat().st_size > 0)
    group = asking.children(recursive=True)
    if kill == signal.SIGINT:
        os.killpg(run.pid, kill)
    else:
        run.kill()
    said = run.communicate(timeout=120)[1].decode()
    wait_until(
        lambda: not any(process.is_running() and process.status() != "zombie" for process in group)
    )
    if kill == signal.SIGINT:
        # Of the asking process alone.
        assert said.count("Traceback") == said.count("KeyboardInterrupt") == 1
    assert early or read_records(tmp_path / "out")


def test_ctrl_c_waits_until_the_processes_have_started() -> None:
    """Also where a library's thread takes the signal: it doesn't share the main thread's mask."""
    done = threading.Event()
    other = threading.Thread(target=done.wait, daemon=True)
    other.start()
    held = []

    def start() -> None:
        with without_interrupts():
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.1)  # Python would handle it here
            held.append(True)

    with pytest.raises(KeyboardInterrupt):
        start()
    done.set()
    other.join()
    assert held
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


RAY_RUN = """
from pathlib import Path
import ray
from players import Discs, ellipses
from vtmr.bench import Protocol, Work, evaluate, on_ray
from vtmr.errors import DataError, InputError

def broken():
    raise DataError("The data are broken.")

if __name__ == "__main__":
    protocol = Protocol(
        max_clicks=6, min_clicks=2, report_at=(1,), robot="random", repeats=2, seed=3
    )
    ray.init("local", num_cpus=2, num_gpus=1, include_dashboard=False, log_to_driver=False)
    try:
        team = on_ray(Work(broken, Discs), "local", gpus=1)
        evaluate(ellipses(), Discs(), protocol, Path("out"), team=team)
    except DataError as error:
        print(error)
    try:
        team = on_ray(Work(ellipses, Discs), "local", threads=3)
        evaluate(ellipses(), Discs(), protocol, Path("out"), team=team)
    except InputError as error:
        print(error)
    team = on_ray(Work(ellipses, Discs), "local")
    evaluate(ellipses(), Discs(), protocol, Path("out"), team=team)
"""


@pytest.mark.slow
def test_a_local_ray_of_two_workers_equals_one_process(tmp_path: Path, whole: list[Record]) -> None:
    """In a process of its own: Ray changes signal handlers and leaves threads behind."""
    (tmp_path / "run.py").write_text(RAY_RUN)
    environment = os.environ | {
        "PYTHONPATH": f"{ROOT / 'src'}:{ROOT / 'tests'}",
        "RAY_raylet_start_wait_time_s": "300",  # a busy machine starts it slowly
    }
    run = subprocess.run(
        [sys.executable, "run.py"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines() == [
        "The data are broken.",
        "The Ray cluster at local has no machine with 3 processors and 0 GPUs: use fewer, or "
        "another cluster.",
    ]
    assert without_times(read_records(tmp_path / "out")) == whole


@pytest.mark.parametrize("number", [1, 2, 3, 9])
def test_merged_shards_equal_one_process(number: int, tmp_path: Path, whole: list[Record]) -> None:
    """Nine shards of seven objects: two are empty, which is no error."""
    folders = run_shards(tmp_path, number)
    counts = [len({record.key for record in read_records(folder)}) for folder in folders]
    assert sum(counts) == RUNS
    assert max(counts) - min(counts) <= PROTOCOL.repeats
    merged = merge_runs(folders[::-1], tmp_path / "merged")
    assert without_times(read_records(tmp_path / "merged")) == whole
    assert (merged.protocol, merged.shard, merged.model.name) == (PROTOCOL, None, "discs")
    assert sorted(sitting["shard"] for sitting in merged.sittings) == [
        f"{i}/{number}" for i in range(1, number + 1)
    ]
    # An ordinary run, which may be continued.
    evaluate(ellipses(), Discs(), PROTOCOL, tmp_path / "merged")


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    folders = run_shards(tmp_path, 3)
    with pytest.raises(
        DataError, match=r"4 of 14 runs of objects are missing .*: add the folder of shard 2/3\."
    ):
        merge_runs([folders[0], folders[2]], tmp_path / "merged")
    assert not (tmp_path / "merged").exists()


def test_an_interrupted_shard_is_refused(tmp_path: Path) -> None:
    folders = run_shards(tmp_path, 2)
    path = folders[1] / "records.jsonl"
    path.write_text(path.read_text()[:-10])
    with pytest.raises(
        DataError, match=r"1 of 14 .*\(grabcut/pairs/5/0, repeat 1\): finish the interrupted shard"
    ):
        merge_runs(folders, tmp_path / "merged")


def test_a_shard_given_twice_is_refused(tmp_path: Path) -> None:
    folders = run_shards(tmp_path, 2)
    shutil.copytree(folders[0], tmp_path / "copy")
    with pytest.raises(
        DataError, match=rf"pairs/pairs/0/0 is in {folders[0]} and in {tmp_path / 'copy'}"
    ):
        merge_runs([*folders, tmp_path / "copy"], tmp_path / "merged")


@pytest.mark.parametrize(
    ("protocol", "samples", "message"),
    [
        (replace(PROTOCOL, seed=4), ellipses, "protocol.seed = 3, .* has 4"),
        (PROTOCOL, swapped_ellipses, "datasets.pairs.names_sha256"),
    ],
)
def test_shards_of_different_runs_are_refused(
    protocol: Protocol, samples: Callable[[], list[object]], message: str, tmp_path: Path
) -> None:
    evaluate(ellipses(), Discs(), PROTOCOL, tmp_path / "1", shard=Shard(1, 2))
    evaluate(samples(), Discs(), protocol, tmp_path / "2", shard=Shard(2, 2))
    with pytest.raises(ConfigError, match=message):
        merge_runs([tmp_path / "1", tmp_path / "2"], tmp_path / "merged")


def test_merging_keeps_what_is_there(tmp_path: Path) -> None:
    folders = run_shards(tmp_path, 2)
    with pytest.raises(ConfigError, match="already holds a run"):
        merge_runs(folders, folders[0])
    with pytest.raises(InputError, match="can't be made"):
        merge_runs(folders, Path("/proc/vtmr"))
    with pytest.raises(InputError, match="nothing to merge"):
        merge_runs([], tmp_path / "merged")
    with pytest.raises(DataError, match=r"no run\.json"):
        merge_runs([*folders, tmp_path], tmp_path / "merged")


def test_a_shards_folder_says_which_it_is(tmp_path: Path) -> None:
    folders = run_shards(tmp_path, 2)
    run = read_run(folders[1])
    assert (run.shard, run.protocol, len(run.objects)) == (Shard(2, 2), PROTOCOL, 7)
    assert run.objects[4] == ("grabcut", "pairs", "4", "0")
    with pytest.raises(ConfigError, match=r"shard.index = 2, this one has 1"):
        evaluate(ellipses(), Discs(), PROTOCOL, folders[1], shard=Shard(1, 2))


@pytest.mark.parametrize("shard", [(0, 2), (3, 2), (1, 0)])
def test_a_shard_that_there_is_not(shard: tuple[int, int]) -> None:
    with pytest.raises(ConfigError, match=f"The shard is {shard[0]}/{shard[1]}"):
        Shard(*shard)
