"""The average of runs' weights and of those that they all started from, as one checkpoint.

    python tools/average.py START.onnx RUN/weights.safetensors [RUN/weights.safetensors …] \\
        -o average.safetensors [--share 0.5]

Weights of short runs from one start can be averaged, and the average often keeps what each is
better at [Wortsman et al. 2022, WiSE-FT and model soups]. --share is that of the runs together: 0
would be the start, 1 is the runs' mean, above 1 goes beyond it. Spec and lineage are the last
run's, with what the others were trained added to the lineage.
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
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("start", type=Path)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--share", type=float, default=0.5)
    arguments = parser.parse_args()
    start, start_spec = read_weights(arguments.start)
    ends, specs = zip(*(read_weights(run) for run in arguments.runs), strict=True)
    ancestors = start_spec.lineage
    for path, state, spec in zip(arguments.runs, ends, specs, strict=True):
        if start_spec.model != spec.model or start.keys() != state.keys():
            sys.exit(
                f"{arguments.start} holds a {start_spec.model}, {path} a {spec.model}: expected "
                "one network."
            )
        if spec.lineage[: len(ancestors)] != ancestors:
            sys.exit(
                f"{path} doesn't descend from {arguments.start}: weights of two lines can't be "
                "averaged."
            )
    averaged = {
        name: torch.lerp(
            value.float(), torch.stack([end[name] for end in ends]).mean(0), arguments.share
        )
        if value.is_floating_point()
        else ends[-1][name]
        for name, value in start.items()
    }
    origin = hashlib.sha256(arguments.start.read_bytes()).hexdigest()[:12]
    run = Run(
        recipe=f"average of {len(ends)} with {1 - arguments.share:g} of {origin}",
        commit=commit(),
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        steps=0,
        samples=0,
        cpu_seconds=0.0,
        initialised_from=", ".join(path.parent.name for path in arguments.runs),
    )
    # A shared parent once.
    trained = dict.fromkeys(own for spec in specs for own in spec.lineage[len(ancestors) :])
    spec = replace(specs[-1], lineage=(*ancestors, *trained, run))
    write_atomically(arguments.output, sealed(averaged, {CHECKPOINT_SPEC_KEY: spec.to_json()}))


if __name__ == "__main__":
    main()
