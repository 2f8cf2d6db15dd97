"""Damaged files of every kind: read or refused with a sentence, in seconds, in bounded memory.

What is damaged how follows from SEED and a number, so that a finding can be had again:
`python -m fuzzing.child KIND SEEDS SEED NUMBER NUMBER+1 FOLDER` leaves the file in FOLDER.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from fuzzing.seeds import KINDS, write_seeds

SEED = 20261130
TESTS = Path(__file__).parents[1]
SECONDS = 10.0  # of the processor, for one reader; a clock would measure the machine's other work
PATIENCE_S = 90.0  # by the clock, until a reader that computes nothing counts as hanging
MEMORY_MB = 1500
TORCH = ("pth", "caffe", "vgg", "tensorflow", "safetensors", "states", "onnx")
START_MB = dict.fromkeys(TORCH, 900)  # of the packages themselves, at most
COUNTS = {"images": 10_000}
EACH = 2000
FEW = 60


@dataclass
class Campaign:
    """What became of the files of one kind, and what shouldn't have."""

    kind: str
    outcomes: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)
    slowest_s: float = 0.0
    peak_mb: int = 0

    def note(self, record: dict) -> None:
        where = f"{self.kind} {record['number']} (from {record['seed']})"
        for reader, (answer, seconds) in record["answers"].items():
            self.outcomes[answer.partition(":")[0]] += 1
            self.slowest_s = max(self.slowest_s, seconds)
            if answer not in ("read", "refused"):
                self.findings.append(f"{where}, {reader}: {answer}")
            if seconds > SECONDS:
                self.findings.append(f"{where}, {reader}: {seconds:.1f} s")
        limit = MEMORY_MB + START_MB.get(self.kind, 200)
        if record["peak_mb"] > max(self.peak_mb, limit):
            self.findings.append(f"{where}: {record['peak_mb']} MB")
        self.peak_mb = max(self.peak_mb, record["peak_mb"])


def run_child(campaign: Campaign, seeds: Path, first: int, end: int, folder: Path) -> int:
    """From `first` on until all are done or one ends the process; the next number."""
    command = [sys.executable, "-m", "fuzzing.child", campaign.kind, str(seeds), str(SEED)]
    shared = [str(TESTS), str(TESTS / "unit" / "runtime"), os.environ.get("PYTHONPATH", "")]
    with subprocess.Popen(
        [*command, str(first), str(end), str(folder)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, shared))},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    ) as process:
        lines: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=_pump, args=(process, lines), daemon=True).start()
        said: list[str] = []
        threading.Thread(target=lambda: said.append(process.stderr.read()), daemon=True).start()
        number = first
        try:
            while (line := lines.get(timeout=PATIENCE_S)) is not None:
                if line.startswith("{"):
                    campaign.note(json.loads(line))
                elif line.isdigit():
                    number = int(line)
        except queue.Empty:
            campaign.findings.append(f"{campaign.kind} {number}: hangs")
            process.kill()
            return number + 1
        code = process.wait()
        if code != 0:
            last = "".join(said).strip().rpartition("\n")[2]
            campaign.findings.append(f"{campaign.kind} {number}: ended with {code} ({last})")
            return number + 1
        return end


def _pump(process: subprocess.Popen[str], lines: queue.Queue[str | None]) -> None:
    for line in process.stdout:  # type: ignore[union-attr]
        lines.put(line.strip())
    lines.put(None)


def fuzzed(kind: str, count: int, folder: Path) -> Campaign:
    """`count` damaged files through every reader of their kind."""
    seeds = folder / "seeds" / kind
    write_seeds(kind, seeds)
    if kind == "coco":
        write_seeds("images", folder / "seeds" / "images")
    scratch = folder / "scratch"
    scratch.mkdir()
    campaign = Campaign(kind)
    at = 0
    while at < count and len(campaign.findings) < 20:
        at = run_child(campaign, seeds, at, count, scratch)
    print(
        f"\n{kind}: {at} files, {dict(campaign.outcomes)}, slowest {campaign.slowest_s:.2f} s, "
        f"peak {campaign.peak_mb} MB"
    )
    return campaign


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_few_damaged_files_are_read_or_refused(kind: str, tmp_path: Path) -> None:
    campaign = fuzzed(kind, FEW, tmp_path)
    assert not campaign.findings
    if kind != "journals":  # whose damage costs itself alone
        assert campaign.outcomes["refused"] > FEW / 4, "the damage isn't worth the name"


@pytest.mark.proof
@pytest.mark.parametrize("kind", KINDS)
def test_thousands_of_damaged_files_are_read_or_refused(kind: str, tmp_path: Path) -> None:
    campaign = fuzzed(kind, COUNTS.get(kind, EACH), tmp_path)
    assert not campaign.findings, "\n".join(campaign.findings)
