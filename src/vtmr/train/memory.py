"""One allocator setting that halves the time of a training step."""

from __future__ import annotations

import ctypes

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3


def keep_freed_memory() -> bool:
    """Tells glibc to keep freed blocks instead of handing them back to the system; False where
    there is no glibc.

    Every activation of a training step is a block of megabytes. By default glibc maps and unmaps
    each of them, and the kernel clears its pages anew: a step of 16 samples took 3.0 s instead of
    1.3 s (docs/research/log.md).
    """
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return False
    settings = (
        (M_MMAP_THRESHOLD, 1 << 30),
        (M_TRIM_THRESHOLD, (1 << 31) - 1),
        (M_TOP_PAD, 64 << 20),
    )
    done = [mallopt(option, value) for option, value in settings]
    return done == [1] * len(settings)  # mallopt's word for success
