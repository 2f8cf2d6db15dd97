"""The average of a run's weights and of those that it started from: a checkpoint between both.

    python tools/average.py START.onnx RUN/weights.safetensors -o average.safetensors [--share 0.5]

Weights of one line of training can be averaged, and the average often keeps what each of the two is better at
[Wortsman et al. 2022, WiSE-FT]. --share is that of the second file, whose spec and lineage the checkpoint takes over.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import torch

from vtmr.atomic import write_atomically
from vtmr.models.weights import CHECKPOINT_SPEC_KEY, read_weights, sealed
from vtmr.provenance import commit
from vtmr.spec import Run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("start", type=Path)
    parser.add_argument("end", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--share", type=float, default=0.5)
    arguments = parser.parse_args()
    (start, start_spec), (end, spec) = read_weights(arguments.start), read_weights(arguments.end)
    if start_spec.model != spec.model or start.keys() != end.keys():
        sys.exit(f"{arguments.start} holds a {start_spec.model}, {arguments.end} a {spec.model}: expected one network.")
    if spec.lineage[: len(start_spec.lineage)] != start_spec.lineage:
        sys.exit(f"{arguments.end} doesn't descend from {arguments.start}: weights of two lines can't be averaged.")
    state = {
        name: torch.lerp(start[name], value, arguments.share) if value.is_floating_point() else value
        for name, value in end.items()
    }
    origin = hashlib.sha256(arguments.start.read_bytes()).hexdigest()[:12]
    run = Run(
        recipe=f"average with {1 - arguments.share:g} of {origin}",
        commit=commit(),
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        steps=0,
        samples=0,
        cpu_seconds=0.0,
        initialised_from=arguments.end.name,
    )
    spec = replace(spec, lineage=(*spec.lineage, run))
    write_atomically(arguments.output, sealed(state, {CHECKPOINT_SPEC_KEY: spec.to_json()}))


if __name__ == "__main__":
    main()
