"""How many threads a network gets: by the cores that this process may really use."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from vtmr.errors import ConfigError

MOST_THREADS = 4  # a guess: no more than two cores could be measured
MOST_THREADS_VARIABLE = "VTMR_MOST_THREADS"  # another limit, where `vtmr latency --sweep` found it
MAX_THREADS = 64  # a hundred thousand would take the machine down before anything was refused
_ROOT = Path("/")


def default_threads(processes: int = 1) -> int:
    """One per core that this process may use, at most `most_threads`; a share of the cores for each
    of `processes`. Raises ConfigError as that does.

    Measured with lite0 on two cores: two threads take 56 % of one's time in both passes, with
    bit-identical results. The rule is fixed rather than timed at every start, which would delay the
    first click and vary with the load.
    """
    return max(1, min(most_threads(), usable_cores() // processes))


def most_threads(environment: Mapping[str, str] = os.environ) -> int:
    """The limit that the environment's VTMR_MOST_THREADS sets, MOST_THREADS without it.

    Raises ConfigError for anything but a whole number from 1 to 64 there.
    """
    given = environment.get(MOST_THREADS_VARIABLE, "")
    if not given:
        return MOST_THREADS
    # No number of threads has more digits, and Python refuses to read thousands of them.
    if len(given) > 3 or not (given.isascii() and given.isdigit()):
        raise _no_limit(given)
    limit = int(given)
    if not 1 <= limit <= MAX_THREADS:
        raise _no_limit(given)
    return limit


def _no_limit(given: str) -> ConfigError:
    return ConfigError(
        f"{MOST_THREADS_VARIABLE} is {given!r} in the environment: expected a whole number from 1 "
        f"to {MAX_THREADS}; without the variable the limit is {MOST_THREADS}."
    )


def usable_cores(root: Path = _ROOT) -> int:
    """The cores of this process's affinity, or fewer where its control groups grant it less time.

    A share of a core counts as a core: a click is over long before the period in which time is
    rationed (a tenth of a second). root: of the file system, for tests.
    """
    cores = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    granted = cpu_quota(root)
    if granted is None:
        return cores
    return max(1, min(cores, math.ceil(granted)))


def cpu_quota(root: Path = _ROOT) -> float | None:
    """The cores' worth of time that control groups grant this process, as containers set it; None
    without a limit.

    Reads `cpu.max` (version 2) and `cpu.cfs_quota_us` (version 1) of the process's own group and of
    all above it, the smallest of which counts. What can't be read limits nothing.
    """
    quotas = [quota for folder in _groups(root) for quota in _quotas_in(folder)]
    return min(quotas, default=None)


def _groups(root: Path) -> Iterator[Path]:
    """The folders of the process's control groups under either version, up to the root of each.

    In a container `/proc/self/cgroup` may name the path that the host sees, which doesn't exist
    inside; the group's own files then lie at the root.
    """
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        lines = []
    for line in lines:
        fields = line.split(":", 2)  # hierarchy's number, controllers, path
        if len(fields) != 3:
            continue
        controllers = fields[1]
        if controllers == "":
            mounts = ["sys/fs/cgroup", "sys/fs/cgroup/unified"]
        elif "cpu" in controllers.split(","):
            mounts = [f"sys/fs/cgroup/{controllers}", "sys/fs/cgroup/cpu"]
        else:
            continue
        own = PurePosixPath(fields[2].lstrip("/"))
        for mount in mounts:
            for group in (own, *own.parents):
                yield root / mount / group


def _quotas_in(folder: Path) -> Iterator[float]:
    """The limits that a group sets, in cores: none, one, or those of both versions."""
    whole = _numbers(folder / "cpu.max")  # "max 100000" without a limit
    if len(whole) == 2:
        yield from _ratio(whole[0], whole[1])
    quota, period = _numbers(folder / "cpu.cfs_quota_us"), _numbers(folder / "cpu.cfs_period_us")
    if len(quota) == len(period) == 1:
        yield from _ratio(quota[0], period[0])


def _ratio(quota: int, period: int) -> Iterator[float]:
    """The quota in cores; nothing for -1, which says "no limit", and for nonsense."""
    if quota > 0 and period > 0:
        yield quota / period


def _numbers(path: Path) -> list[int]:
    """The whole numbers in a small file; empty where it can't be read or holds anything else."""
    try:
        return [int(word) for word in path.read_text().split()]
    except (OSError, ValueError):  # UnicodeDecodeError is a ValueError
        return []
