"""`vtmr annotate`: from flags to the running annotator."""

from __future__ import annotations

import platform
from pathlib import Path

from vtmr.app.annotator import Annotator
from vtmr.app.running import Reach, run
from vtmr.atomic import is_folder
from vtmr.cli import predictors
from vtmr.cli.predictors import Loaded
from vtmr.errors import InputError
from vtmr.formats.records import MAX_LABEL
from vtmr.provenance import processor, versions
from vtmr.serving.baseurl import BaseUrl


def parse_labels(text: str) -> list[str]:
    """`a,b,c` as labels. Raises InputError for one that is too long or holds control characters."""
    labels = [label.strip() for label in text.split(",") if label.strip()]
    for label in labels:
        if len(label) > MAX_LABEL or not label.isprintable():
            raise InputError(
                f"The label {label[:40]!r} can't be used: expected 1 to {MAX_LABEL} printable "
                "characters."
            )
    return labels


def made_with(loaded: Loaded) -> dict[str, str]:
    """What decides a mask's last bit: the model file, the versions and the machine."""
    machine = {"platform": platform.platform(), "processor": processor()}
    model = {"model": loaded.predictor.name, "model_sha256": loaded.sha256}
    if loaded.input_size is not None:
        model["input_size"] = str(loaded.input_size)
    return model | versions() | machine


def reach_of(
    folder: Path, *, host: str, port: int, base_url: str, keep_token: bool, open_browser: bool
) -> Reach:
    """How the annotator of that folder is reached. Raises InputError for what can't be."""
    if not 0 <= port <= 65535:
        raise InputError(f"--port {port} is no port: expected 0 (any that is free) to 65535.")
    base = BaseUrl.parse(base_url) if base_url else None
    return Reach(host, port, base, folder if keep_token else None, open_browser)


def annotate_folder(
    folder: Path, model: str, reach: Reach, *, labels: str, follow_links: bool
) -> None:
    """Serves the annotator on `folder` until Ctrl-C. follow_links: links in it are taken too.

    Raises InputError and CheckpointError before it starts.
    """
    names = parse_labels(labels)
    if not is_folder(folder):
        raise InputError(f"{folder} is not a folder: expected one with images.")
    loaded = predictors.load(model)
    annotator = Annotator(
        folder,
        loaded.predictor,
        labels=names,
        made_with=made_with(loaded),
        follow_links=follow_links,
    )
    run(annotator, reach)
