"""What the tests of the command line share: how a command is run and how a refusal must look."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Result:
    """How a command ended."""

    code: int
    out: str
    err: str

    def assert_refused(self, *fragments: str) -> None:
        """One sentence on one line of stderr, with all fragments; nothing on stdout; exit code
        2."""
        assert self.code == 2, self.err
        assert self.out == ""
        assert self.err.startswith("vtmr: ")
        assert self.err.index("\n") == len(self.err) - 1
        for fragment in fragments:
            assert fragment in self.err


Command = Callable[..., Result]
