"""A checkpoint's weights in half precision: half the bytes, to go on from elsewhere.

    python tools/half_precision.py RUN/weights.safetensors -o next.safetensors

For the next part of a long run, which has to be carried from one machine to another; what is
released keeps its full precision. The spec with its lineage stays as it is.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from vtmr.atomic import write_atomically
from vtmr.models.weights import CHECKPOINT_SPEC_KEY, read_weights, sealed


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("weights", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    arguments = parser.parse_args()
    state, spec = read_weights(arguments.weights)
    halved = {
        name: value.to(torch.float16) if value.is_floating_point() else value
        for name, value in state.items()
    }
    write_atomically(arguments.output, sealed(halved, {CHECKPOINT_SPEC_KEY: spec.to_json()}))


if __name__ == "__main__":
    main()
