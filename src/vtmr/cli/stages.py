"""`vtmr train FOLDER`: a folder's stages in order, each a `vtmr train` in a process of its own.

A process each, because a run with several devices starts its others by repeating its own command
line: repeated for the whole folder, they would never meet.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from vtmr.cli.failures import Interrupted
from vtmr.errors import ConfigError, DataError, needs_extra

if TYPE_CHECKING:
    from vtmr.train.stages import Stage

DONE, INTERRUPTED = 0, 130
SENTENCE = "vtmr: "  # how the last line of a command that failed begins
HOW = "the same command goes on from the last checkpoint."
STOPS = ("SIGINT", "SIGTERM", "SIGHUP")  # Windows knows no SIGHUP


@dataclass(frozen=True)
class Ended:
    """How a stage's process ended: its exit code and its own sentence about that."""

    code: int
    sentence: str


@dataclass
class StopRequest:
    """Whether the user asked to stop."""

    made: bool = False


def train_stages(
    folder: Path, out: Path, *, init: Path | None, overrides: Sequence[str] = ()
) -> None:
    """Trains the folder's recipes in the order of their numbers, into folders of their names below
    `out`; finished stages are skipped, an interrupted one is resumed.

    Raises:
        ConfigError: For --init, for a folder that isn't one of stages, a missing torch.
        DataError: When a stage fails, with its own sentence.
        Interrupted: After Ctrl-C or SIGTERM.
    """
    if init is not None:
        raise ConfigError(
            "--init is for one recipe: in a folder of stages each starts from the one before. "
            "Train the stage's own file with --init."
        )
    with needs_extra("train"):
        from vtmr.train.stages import read_stages
    stages = read_stages(folder, out, overrides)
    for stage in stages:
        name = f"Stage {stage.number} of {len(stages)}, {stage.path.stem}"
        if stage.finished:
            print(f"{name}: finished before.", flush=True)
            continue
        print(f"{name}: {what_is_left(stage)}.", flush=True)
        ended = run_alone(arguments(stage, overrides))
        if ended.code == INTERRUPTED:
            raise Interrupted(f"Interrupted in stage {stage.number} of {len(stages)}; {HOW}")
        if ended.code != DONE:
            reason = ended.sentence or f"its process ended with code {ended.code}."
            raise DataError(f"{name}, failed: {reason} Then {HOW}")
        if ended.sentence:
            print(SENTENCE + ended.sentence, file=sys.stderr)


def what_is_left(stage: Stage) -> str:
    """The steps that are to be done, in words."""
    if stage.done is None:
        return f"{stage.recipe.steps:,} steps"
    return f"goes on from step {stage.done:,} of {stage.recipe.steps:,}"


def arguments(stage: Stage, overrides: Sequence[str]) -> list[str]:
    """What follows `vtmr` in the command line of the stage alone."""
    words = ["train", str(stage.path), "--out", str(stage.out)]
    if stage.done is not None:
        words.append("--resume")
    elif stage.init is not None:
        words += ["--init", str(stage.init)]
    for change in overrides:
        words += ["--set", change]
    return words


def run_alone(words: Sequence[str]) -> Ended:
    """Runs `vtmr` with these words in a process of its own and waits for it; what it prints is
    shown, but for its last sentence.

    It is in a session of its own, so that a terminal's Ctrl-C reaches it once, handed on from here.
    """
    sentence = ""
    with (
        subprocess.Popen(
            [sys.executable, "-m", "vtmr.cli", *words],
            stderr=subprocess.PIPE,
            text=True,
            # A file's name in a sentence need not be UTF-8.
            errors="backslashreplace",
            start_new_session=True,
        ) as process,
        stops_handed_on(process) as stop,
    ):
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith(SENTENCE):
                sentence = line.removeprefix(SENTENCE).strip()
            else:
                sys.stderr.write(line)
        code = process.wait()
    if stop.made and code <= DONE:  # done just then, or ended outright before its first step
        code = INTERRUPTED
    return Ended(code, sentence)


@contextmanager
def stops_handed_on(process: subprocess.Popen[str]) -> Iterator[StopRequest]:
    """Hands Ctrl-C and SIGTERM on to the process, which finishes its step and saves, and waits on.

    A closed terminal is a SIGTERM to it, unless nohup has us ignore that.
    """
    stop = StopRequest()

    def hand_on(number: int, _: FrameType | None) -> None:
        stop.made = True
        handed_on = signal.SIGINT if number == signal.SIGINT else signal.SIGTERM
        if hasattr(os, "killpg"):  # as a terminal does: to what it started, too
            with suppress(ProcessLookupError):
                os.killpg(process.pid, handed_on)
        else:
            process.terminate()

    known = [getattr(signal, name) for name in STOPS if hasattr(signal, name)]
    heeded = [number for number in known if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, hand_on) for number in heeded}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
