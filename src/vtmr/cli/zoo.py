"""`vtmr experiment table1 --zoo DIR`: whatever checkpoints a folder holds become models to play."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vtmr.atomic import make_folder
from vtmr.cli import contenders
from vtmr.errors import InputError, VtmrError, needs_extra
from vtmr.segmenter import ModelOptions

OURS = (".onnx", ".safetensors")
OFFICIAL = (".pth", ".caffemodel", ".index")  # of .index files there are data files beside them
EDGEFLOW = "edgeflow"  # in the name of an .onnx that isn't ours


@dataclass(frozen=True, slots=True)
class Found:
    """A model of the folder, as it is loaded, and how."""

    label: str
    model: str
    options: ModelOptions


def found_in(folder: Path, imports: Path, options: ModelOptions) -> list[Found]:
    """A model for each file of weights in the folder, by name.

    Authors' files are imported into `imports` first; what is there already for such a file is made
    anew. A file that is damaged, unknown or lacks a package costs itself alone: the sentence goes
    to stderr. Raises InputError when there is no such folder, or not a single sound model in it.
    """
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}: --zoo expects one with checkpoints.")
    files = sorted(path for path in folder.iterdir() if path.suffix in (*OURS, *OFFICIAL))
    vgg = min(folder.glob("*.mat"), default=None)  # LD's other half
    found: list[Found] = []
    for path in files:
        try:
            model = played_from(path, imports, options, vgg)
            # Loaded only for its errors: in the midst of an experiment they would end all of it.
            contenders.load(model.model, model.options)
        except VtmrError as error:
            print(f"vtmr: {path.name} is left out: {error}", file=sys.stderr)
            continue
        found.append(model)
    if not found:
        raise InputError(
            f"{folder} holds no checkpoint that can be played: expected files that `vtmr models "
            "--known` lists, as released or as `vtmr import` and `vtmr export` wrote them."
        )
    return unlike(found)


def played_from(path: Path, imports: Path, options: ModelOptions, vgg: Path | None) -> Found:
    """One file as a model. Raises whatever importing it raises."""
    if path.suffix == ".onnx":
        if EDGEFLOW in path.name.lower():
            return Found(path.stem, f"{contenders.BASELINE}{EDGEFLOW}:{path}", ModelOptions())
        # Without the device, which would ask for torch: ONNX Runtime plays it.
        return Found(path.stem, str(path), replace(options, device=None))
    on_torch = replace(options, device=options.device or "cpu")
    if path.suffix == ".safetensors":
        return Found(path.stem, str(path), on_torch)
    make_folder(imports)
    out = imports / f"{path.stem}.safetensors"
    with needs_extra("train"):
        from vtmr.models.converted import import_checkpoint

        if path.suffix != ".index":  # only LD's checkpoint goes with it
            vgg = None
        spec = import_checkpoint(path, out, vgg)
    return Found(spec.model, str(out), on_torch)


def unlike(found: Sequence[Found]) -> list[Found]:
    """With a number behind the labels that came before."""
    labels: set[str] = set()
    result = []
    for each in found:
        label, number = each.label, 2
        while label.lower() in labels:
            label, number = f"{each.label} {number}", number + 1
        labels.add(label.lower())
        result.append(replace(each, label=label))
    return result
