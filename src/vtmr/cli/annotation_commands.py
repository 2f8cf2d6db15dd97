"""The commands around `vtmr annotate`, with their flags.

Each imports what it needs when it runs, so that none pays for another.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any

import typer

from vtmr.cli.flags import DEFAULT_MODEL, AsJson, Model


def annotate(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder with the images.")],
    labels: Annotated[
        str, typer.Option("--labels", metavar="A,B,C", help="Labels, the number keys' order.")
    ] = "",
    port: Annotated[
        int, typer.Option("--port", metavar="N", help="Port to serve on; 0 for any free one.")
    ] = 0,
    host: Annotated[
        str,
        typer.Option(
            "--host", help="Address to serve on; others than the default open it to the network."
        ),
    ] = "127.0.0.1",
    base_url: Annotated[
        str,
        typer.Option(
            "--base-url",
            metavar="URL",
            help="The address in the browser where it is another: a tunnel's, a proxy's.",
        ),
    ] = "",
    keep_token: Annotated[
        bool,
        typer.Option(
            "--keep-token/--new-token",
            help="Keep the folder's token and port, so that an open tab outlives a restart.",
        ),
    ] = True,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Only print the address.")
    ] = False,
    follow_links: Annotated[
        bool,
        typer.Option(
            "--follow-links", help="Take links to images and folders too, wherever they lead."
        ),
    ] = False,
    model: Model = DEFAULT_MODEL,
) -> None:
    """Annotate a folder of images in the browser."""
    from vtmr.cli.annotate import annotate_folder, reach_of

    reach = reach_of(
        folder,
        host=host,
        port=port,
        base_url=base_url,
        keep_token=keep_token,
        open_browser=not no_browser,
    )
    annotate_folder(folder, model, reach, labels=labels, follow_links=follow_links)


def export_annotations(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="A folder that `vtmr annotate` was used in.")
    ],
    form: Annotated[str, typer.Option("--format", help="coco, png, indexed-png, yolo or labelme.")],
    out: Annotated[
        Path,
        typer.Option("--out", metavar="OUT", help="Folder for the files, made when it is missing."),
    ],
    only_done: Annotated[
        bool, typer.Option("--only-done", help="Only images that were accepted.")
    ] = False,
    polygons: Annotated[
        bool, typer.Option("--polygons", help="With coco: polygons in place of run lengths.")
    ] = False,
) -> int:
    """Write a folder's annotations in another program's format."""
    from vtmr.cli.annotations import export_folder

    written, warnings, missing = export_folder(
        folder, form, out, only_done=only_done, polygons=polygons
    )
    for sentence in (*missing, *warnings):
        print(f"vtmr: {sentence}", file=sys.stderr)
    print(f"{out}: {len(written)} file{'s' * (len(written) != 1)}")
    return 2 if missing else 0


def import_annotations(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder with the images.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A COCO instance file.")],
    repeated: Annotated[
        str,
        typer.Option(
            "--repeated", help="Objects that are there already: ask (refuse), skip or add."
        ),
    ] = "ask",
) -> None:
    """Add a COCO file's objects to the annotations of a folder's images."""
    from vtmr.cli.annotations import import_file

    objects, images, said = import_file(folder, file, repeated=repeated)
    for sentence in said:
        print(f"vtmr: {sentence}", file=sys.stderr)
    print(f"{objects} object{'s' * (objects != 1)} on {images} image{'s' * (images != 1)}")


def replay(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="A folder that `vtmr annotate` was used in.")
    ],
    as_json: AsJson = False,
    model: Model = DEFAULT_MODEL,
) -> None:
    """Make every mask of a folder again from its clicks and edits, and compare."""
    from vtmr.cli.annotations import replay_folder

    results = list(replay_folder(folder, model))
    if as_json:
        print(json.dumps([result.as_record() for result in results]))
        return
    for result in results:
        print(result.in_words())
    print(f"{sum(result.identical for result in results)} of {len(results)} masks are identical.")


ANNOTATING: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {
        "annotate": annotate,
        "export-annotations": export_annotations,
        "import-annotations": import_annotations,
        "replay": replay,
    }
)
