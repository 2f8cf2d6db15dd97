"""What all tests share: hypothesis runs the same examples each time, so a red test stays red;
Ctrl-C can be sent."""

from __future__ import annotations

import signal

from hypothesis import settings

if (
    signal.getsignal(signal.SIGINT) is signal.SIG_IGN
):  # inherited: shells start so what runs in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("vtmr", derandomize=True, deadline=None, max_examples=50)
settings.load_profile("vtmr")
