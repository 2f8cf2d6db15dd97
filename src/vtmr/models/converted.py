"""Released checkpoints of other authors' networks as ours: `vtmr import` [docs/method.md §A.7].

What a file holds is told by what is in it, never by its name; the formats that aren't torch's are
known by the ends of their names. Every weight must have its place (see renaming.py).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from torch import Tensor

from vtmr.atomic import write_atomically
from vtmr.errors import CheckpointError, InputError
from vtmr.models.builders import build
from vtmr.models.converted_layouts import (
    Found,
    brs_found,
    configured_found,
    fbrs_found,
    fca_found,
    ld_found,
)
from vtmr.models.encoder_weights import with_counters
from vtmr.models.foreign_files import read_pickle, require_state
from vtmr.models.renaming import require_fit
from vtmr.models.tensorflow_files import DATA, INDEX, prefix_of
from vtmr.models.weights import CHECKPOINT_SPEC_KEY, sealed
from vtmr.spec import ModelSpec, Refinement

# Of a flat table of weights: what makes one ours, None where it is of another network
FLAT: tuple[Callable[[Mapping[str, Tensor], Path], Found | None], ...] = (fca_found, fbrs_found)


def import_checkpoint(
    official: str | Path,
    out: str | Path,
    vgg: Path | None = None,
    refinement: str | None = None,
) -> ModelSpec:
    """Writes a released checkpoint as .safetensors with our names and a spec; returns the spec.

    vgg: MatConvNet's VGG-19, which LD's checkpoint needs beside it. refinement: what the spec of a
    network of f-BRS is to say of it, where that isn't "fbrs-b". Raises CheckpointError when a
    file is missing, damaged, would run code, is of an unknown network or isn't complete, InputError
    when `out` can't be written and for a refinement of another network, ConfigError for one that
    doesn't exist.
    """
    path = Path(official)
    if Path(out).suffix != ".safetensors":
        raise CheckpointError(
            f"The output {out} must end in .safetensors: `vtmr export` makes an .onnx of it "
            "afterwards."
        )
    found = recognised(path, vgg)
    network = build(found.name)
    expected = network.state_dict()
    ours = with_counters(found.weights, expected)
    require_fit(ours, expected, str(path))
    files = [f"{file.name} (SHA-256 {digest_of(file)})" for file in found.files]
    terms = f"converted from {' and '.join(files)}, to which the terms of its training data apply"
    spec = refined_by(network.spec, refinement, path)
    spec = replace(spec, licence=found.licence, terms=terms)
    tensors = {key: value.to(expected[key].dtype) for key, value in ours.items()}
    write_atomically(out, sealed(tensors, {CHECKPOINT_SPEC_KEY: spec.to_json()}))
    return spec


def refined_by(spec: ModelSpec, refinement: str | None, path: Path) -> ModelSpec:
    """The spec with that `refinement`, as it is with None."""
    if refinement is None:
        return spec
    if spec.pipeline != "fbrs":
        raise InputError(
            f"The refinement is {refinement}, but {path} holds the network {spec.model}, which "
            "isn't one of f-BRS: leave it out."
        )
    return replace(spec, refinement=cast(Refinement, refinement))


def recognised(path: Path, vgg: Path | None) -> Found:
    """What a released file turns out to hold. Raises CheckpointError when that is nothing known."""
    index = prefix_of(path).with_name(prefix_of(path).name + INDEX)
    if path.suffix == ".caffemodel":
        return brs_found(path)
    # TensorFlow's checkpoints are several files of one beginning: any of them may be named.
    if path.name.endswith((INDEX, DATA, ".meta")) or (not path.exists() and index.exists()):
        return ld_found(path, vgg)
    content = read_pickle(path)
    if _is_configured(content):
        return configured_found(require_state(content["state_dict"], path), content["config"], path)
    if isinstance(content, dict) and content and "state_dict" not in content:
        state = require_state(content, path)
        for network_of in FLAT:
            if found := network_of(state, path):
                return found
    raise CheckpointError(
        f"{path} is no released checkpoint that is known here: expected the two entries "
        "'state_dict' and 'config', or the flat table of weights of a network that `vtmr models "
        "--known` lists."
    )


def _is_configured(content: Any) -> bool:
    return isinstance(content, dict) and {"state_dict", "config"} <= content.keys()


def digest_of(path: Path) -> str:
    """SHA-256 (hex) of a file. Raises CheckpointError when it can't be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise CheckpointError(f"{path} can't be read: {error.strerror or error}.") from error
