"""The most memory that a process has had so far, for code that runs in a process of its own.

Not by getrusage: it counts what the parent had before exec too, so that under a large pytest every
difference would be 0 and every limit too low.
"""

from __future__ import annotations

from pathlib import Path


def peak_kb() -> int:
    """The peak of the resident memory of this process, in KiB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    raise OSError("/proc/self/status tells no VmHWM")


# The same for `python -c`, which doesn't find the tests' modules: put before the code.
PEAK_KB = """
def peak_kb():
    with open("/proc/self/status") as status:
        return int(next(line.split()[1] for line in status if line.startswith("VmHWM:")))
"""
