"""What all tests share: hypothesis runs the same examples each time, so a red test stays red;
Ctrl-C can be sent; nothing is kept in the home of whoever runs them; the fast tests that aren't
fast are named."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Generator, Iterator

import pytest
from hypothesis import settings

if (
    signal.getsignal(signal.SIGINT) is signal.SIG_IGN
):  # inherited: shells start so what runs in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("vtmr", derandomize=True, deadline=None, max_examples=50)
settings.load_profile("vtmr")


@pytest.fixture(autouse=True, scope="session")
def state_of_our_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Where commands keep what they want to find again: for this run alone."""
    before = os.environ.get("XDG_STATE_HOME")
    os.environ["XDG_STATE_HOME"] = str(tmp_path_factory.mktemp("state"))
    yield
    if before is None:
        del os.environ["XDG_STATE_HOME"]
    else:
        os.environ["XDG_STATE_HOME"] = before


LONG_S = 60  # of the processor: a run that takes longer says which files it spends it in
FAST_S = 1.0  # of the processor: what takes longer is to be marked `slow`
dear_tests = pytest.StashKey[list[tuple[float, str]]]()
spent_by_file = pytest.StashKey[Counter[str]]()


def processor_s() -> float:
    """Processor time of this process and of the children that it has waited for."""
    return sum(os.times()[:4])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Counts what is made for a test, too: shared fixtures are the first one's."""
    began = processor_s()
    done = yield
    spent = processor_s() - began
    item.config.stash.setdefault(spent_by_file, Counter())[item.nodeid.split("::")[0]] += spent
    if spent > FAST_S and not any(map(item.get_closest_marker, ("slow", "browser", "proof"))):
        item.config.stash.setdefault(dear_tests, []).append((spent, item.nodeid))
    return done


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Notices, no failures: a busy machine takes longer."""
    spent = terminalreporter.config.stash.get(spent_by_file, Counter())
    if spent.total() > LONG_S:
        terminalreporter.section(f"{spent.total():.0f} s of the processor, most of it in")
        for name, seconds in spent.most_common(15):
            terminalreporter.line(f"{seconds:5.0f} s {name}")
    dear = sorted(terminalreporter.config.stash.get(dear_tests, []), reverse=True)
    if dear:
        terminalreporter.section("over a second of the processor, yet not marked slow")
        for spent, name in dear[:10]:
            terminalreporter.line(f"{spent:5.1f} s {name}")
