"""`vtmr serve`: vtmr behind HTTP, for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vtmr.cli.flags import DEFAULT_MODEL, Model, count

serve_app = typer.Typer()


@serve_app.callback(invoke_without_command=True)
def serve(
    context: typer.Context,
    model: Model = DEFAULT_MODEL,
    host: Annotated[
        str,
        typer.Option("--host", help="Address to listen on; others than this machine's need keys."),
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="0 is any that is free.")
    ] = 8000,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers", metavar="N", parser=count, help="Processes that answer; default: 1."
        ),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(
            "--threads", metavar="N", parser=count, help="Threads of one prediction; default: 1."
        ),
    ] = None,
    keys: Annotated[
        str,
        typer.Option(
            "--keys",
            metavar="FILE",
            help="API keys, one a line; default: those in VTMR_API_KEYS; none: nobody needs one.",
        ),
    ] = "",
    ray: Annotated[
        str,
        typer.Option(
            "--ray", metavar="ADDRESS", help="Answer on a Ray cluster: host:port, auto or local."
        ),
    ] = "",
    limit: Annotated[
        list[str] | None,
        typer.Option("--limit", metavar="NAME=N", help="Change a limit. Repeat it."),
    ] = None,
) -> None:
    """Answer other programs over HTTP: images and clicks in, masks out. Needs the extra [serve]."""
    if context.invoked_subcommand is not None:
        return
    # Not at the top: it needs an extra that the other commands do without.
    from vtmr.plugins.service.keys import NOBODY_NEEDS_ONE, read_keys
    from vtmr.plugins.service.limits import parse_limits
    from vtmr.plugins.service.running import Settings, require_safe, run

    known = read_keys(keys)
    require_safe(host, known, meant=keys == NOBODY_NEEDS_ONE)
    limits = parse_limits(limit or [])
    run(Settings(model, host, port, known, limits, threads or 1, workers or 1, ray))


@serve_app.command("label-studio")
def label_studio(
    url: Annotated[
        str,
        typer.Option(
            "--label-studio",
            metavar="URL",
            help="The server whose images may be read; default: LABEL_STUDIO_URL.",
        ),
    ] = "",
    local_files: Annotated[
        Path | None,
        typer.Option(
            "--local-files",
            metavar="DIR",
            help="The folder that Label Studio serves local files from, to read them here.",
        ),
    ] = None,
    host: Annotated[
        str,
        typer.Option(
            "--host", help="Address to listen on; others than this machine's need a password."
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="0 is any that is free.")
    ] = 9090,
    model: Model = DEFAULT_MODEL,
) -> None:
    """Be a machine-learning backend of Label Studio: smart clicks become brush masks."""
    from vtmr.cli import predictors
    from vtmr.plugins.labelstudio.running import run, settings

    chosen = settings(host, port, url, local_files)
    run(predictors.load(model).predictor, chosen)
