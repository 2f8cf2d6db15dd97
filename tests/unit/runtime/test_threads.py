"""The number of threads, against control groups written out here as the kernel's documentation
describes their files (admin-guide/cgroup-v2, scheduler/sched-bwc)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from vtmr.errors import ConfigError
from vtmr.runtime import threads
from vtmr.runtime.threads import (
    MOST_THREADS,
    cpu_quota,
    default_threads,
    most_threads,
    usable_cores,
)


@pytest.fixture(autouse=True)
def no_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """`make test` sets one."""
    monkeypatch.delenv("VTMR_MOST_THREADS", raising=False)


def machine(root: Path, groups: str, **files: str) -> Path:
    """A file system with these files; `__` in a name stands for a slash."""
    written = {"proc/self/cgroup": groups}
    written |= {f"sys/fs/cgroup/{name.replace('__', '/')}": text for name, text in files.items()}
    for name, text in written.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def v1(quota: str, period: str = "100000\n") -> dict[str, str]:
    return {"cpu.cfs_quota_us": quota, "cpu.cfs_period_us": period}


def under(folder: str, files: dict[str, str]) -> dict[str, str]:
    return {f"{folder}__{name}": text for name, text in files.items()}


@pytest.mark.parametrize(
    ("groups", "files", "expected"),
    [
        ("0::/\n", {"cpu.max": "200000 100000\n"}, 2),
        ("0::/\n", {"cpu.max": "max 100000\n"}, None),
        ("0::/a/b\n", {"a__b__cpu.max": "max 100000\n", "a__cpu.max": "150000 100000\n"}, 1.5),
        ("0::/a/b\n", {"a__b__cpu.max": "50000 100000\n", "a__cpu.max": "150000 100000\n"}, 0.5),
        ("0::/on/the/host\n", {"cpu.max": "300000 100000\n"}, 3),
        ("3:cpu,cpuacct:/\n", under("cpu,cpuacct", v1("250000\n")), 2.5),
        ("3:cpuacct,cpu:/x\n0::/x\n", under("cpu", under("x", v1("50000\n", "25000\n"))), 2),
        ("3:cpu:/\n", under("cpu", v1("-1\n")), None),
        ("4:cpuset:/\n", under("cpuset", v1("100000\n")), None),
        ("3:cpu:/\n0::/\n", {**under("cpu", v1("400000")), "cpu.max": "100000 50000"}, 2),
        ("0::/\n", {}, None),
    ],
)
def test_the_quota_of_a_control_group(
    tmp_path: Path, groups: str, files: dict[str, str], expected: float | None
) -> None:
    assert cpu_quota(machine(tmp_path, groups, **files)) == expected


@pytest.mark.parametrize("text", ["", "max", "nonsense 100000", "100000 0", "1 2 3", "-5 100000"])
def test_a_quota_that_cant_be_read_limits_nothing(tmp_path: Path, text: str) -> None:
    assert cpu_quota(machine(tmp_path, "0::/\nno group\n", **{"cpu.max": text})) is None
    assert cpu_quota(tmp_path / "nowhere") is None


@pytest.mark.parametrize(
    ("cores", "quota", "expected"),
    [(16, 200_000, 2), (16, 150_000, 2), (16, 5_000, 1), (2, 800_000, 2), (16, 1_600_000, 16)],
)
def test_cores_that_may_be_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cores: int, quota: int, expected: int
) -> None:
    root = machine(tmp_path, "0::/\n", **{"cpu.max": f"{quota} 100000\n"})
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)), raising=False)
    assert usable_cores(root) == expected
    monkeypatch.setattr(threads, "usable_cores", lambda: usable_cores(root))
    assert default_threads() == min(expected, MOST_THREADS)
    assert default_threads(processes=2) == max(1, min(expected // 2, MOST_THREADS))


def test_the_environment_sets_another_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "usable_cores", lambda: 16)
    assert default_threads() == MOST_THREADS
    monkeypatch.setenv("VTMR_MOST_THREADS", "8")
    assert (default_threads(), default_threads(processes=4)) == (8, 4)
    monkeypatch.setenv("VTMR_MOST_THREADS", "1")
    assert default_threads() == 1


@pytest.mark.parametrize("given", ["0", "65", "-1", "8.0", "many", "²", "9" * 5000])
def test_a_limit_that_is_none(given: str) -> None:
    with pytest.raises(ConfigError, match=r"VTMR_MOST_THREADS is '.*expected a whole number"):
        most_threads({"VTMR_MOST_THREADS": given})
