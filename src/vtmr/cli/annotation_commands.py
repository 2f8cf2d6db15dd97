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

# Named here, since the formats take a while to load; a test compares.
WRITTEN = "coco, cvat, label-studio, labelme, voc, yolo, datumaro, png or indexed-png."

FollowLinks = Annotated[
    bool,
    typer.Option(
        "--follow-links", help="Take links to images and folders too, wherever they lead."
    ),
]


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
    follow_links: FollowLinks = False,
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
    form: Annotated[str, typer.Option("--format", help=WRITTEN)],
    out: Annotated[
        Path,
        typer.Option("--out", metavar="OUT", help="Folder for the files, made when it is missing."),
    ],
    only_done: Annotated[
        bool, typer.Option("--only-done", help="Only images that were accepted.")
    ] = False,
    polygons: Annotated[
        bool, typer.Option("--polygons", help="With coco, labelme: polygons in place of masks.")
    ] = False,
    follow_links: FollowLinks = False,
) -> int:
    """Write a folder's annotations in another program's format."""
    from vtmr.cli.annotations import export_folder

    written, warnings, missing = export_folder(
        folder, form, out, only_done=only_done, polygons=polygons, follow_links=follow_links
    )
    for sentence in (*missing, *warnings):
        print(f"vtmr: {sentence}", file=sys.stderr)
    print(f"{out}: {len(written)} file{'s' * (len(written) != 1)}")
    return 2 if missing else 0


def import_annotations(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder with the images.")],
    files: Annotated[
        Path, typer.Argument(metavar="FILES", help="A file, a folder or a ZIP of annotations.")
    ],
    form: Annotated[
        str, typer.Option("--format", help="The format, as for export; auto looks at the files.")
    ] = "auto",
    pattern: Annotated[
        str,
        typer.Option(
            "--pattern", metavar="PATTERN", help="How mask files are called: {name}_mask.png."
        ),
    ] = "",
    repeated: Annotated[
        str,
        typer.Option(
            "--repeated", help="Objects that are there already: ask (refuse), skip or add."
        ),
    ] = "ask",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would come, and change nothing.")
    ] = False,
    follow_links: FollowLinks = False,
) -> int:
    """Add other programs' objects to the annotations of a folder's images."""
    from vtmr.cli.annotations import HowToImport, import_files

    how = HowToImport(form, pattern, repeated, dry_run, follow_links)
    done = import_files(folder, files, how)
    if form == "auto":
        print(f"vtmr: {files} is read as {done.form}.", file=sys.stderr)
    for sentence in done.said:
        print(f"vtmr: {sentence}", file=sys.stderr)
    would = "Would add " if dry_run else ""
    objects = f"{done.objects} object{'s' * (done.objects != 1)}"
    print(f"{would}{objects} on {done.images} image{'s' * (done.images != 1)}")
    if dry_run:
        for label, count in done.labels.items():
            print(f"{count:8} {label}")
    return 2 if done.failed else 0


def replay(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="A folder that `vtmr annotate` was used in.")
    ],
    as_json: AsJson = False,
    model: Model = DEFAULT_MODEL,
    follow_links: FollowLinks = False,
) -> None:
    """Make every mask of a folder again from its clicks and edits, and compare."""
    from vtmr.cli.annotations import replay_folder

    results = list(replay_folder(folder, model, follow_links=follow_links))
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
