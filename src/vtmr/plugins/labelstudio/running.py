"""Starting and ending the backend's process."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from vtmr.atomic import is_folder
from vtmr.errors import ConfigError, InputError
from vtmr.plugins.labelstudio.backend import Backend
from vtmr.plugins.labelstudio.host import Host, parse_url
from vtmr.plugins.labelstudio.reasons import HEAD_BYTES, ExplainingProtocol
from vtmr.plugins.labelstudio.server import Credentials, create_app
from vtmr.plugins.labelstudio.sources import Sources
from vtmr.segmenter import Segmenter
from vtmr.serving.access import LOOPBACK, Access
from vtmr.serving.listening import bind

URL, TOKEN = "LABEL_STUDIO_URL", "LABEL_STUDIO_API_KEY"
USER, PASSWORD = "BASIC_AUTH_USER", "BASIC_AUTH_PASS"


@dataclass(frozen=True, slots=True)
class Settings:
    """How the backend is reached and what it may read."""

    host: str
    port: int
    sources: Sources
    credentials: Credentials | None


def settings(
    host: str,
    port: int,
    label_studio: str,
    local_files: Path | None,
    environment: Mapping[str, str] = os.environ,
) -> Settings:
    """From flags and the environment: secrets stand in the latter alone, as others on the machine
    can read a process's arguments.

    label_studio: "" for the environment's LABEL_STUDIO_URL, or none. Raises InputError for an
    address or folder that is none, ConfigError for a backend that strangers could reach and for a
    user without a password.
    """
    if local_files is not None and not is_folder(local_files):
        raise InputError(f"--local-files {local_files} is not a folder: expected one with images.")
    url = label_studio or environment.get(URL, "")
    token = environment.get(TOKEN, "").strip()
    server = Host(parse_url(url), token) if url else None
    user, password = environment.get(USER, ""), environment.get(PASSWORD, "")
    if bool(user) != bool(password):
        raise ConfigError(f"Of {USER} and {PASSWORD} one is missing: set both or neither.")
    credentials = Credentials(user, password) if user else None
    if credentials is None and host not in LOOPBACK:
        raise ConfigError(
            f"--host {host} can be reached from other machines: set a user and a password in the "
            f"environment variables {USER} and {PASSWORD}, and in Label Studio's settings."
        )
    return Settings(host, port, Sources(server, local_files), credentials)


def run(predictor: Segmenter, chosen: Settings) -> None:
    """Serves until Ctrl-C or SIGTERM; the first line on stdout is the address for Label Studio.

    Raises InputError when the address can't be used.
    """
    listener = bind(chosen.host, chosen.port)
    host, port = listener.getsockname()[:2]
    backend = Backend(predictor, chosen.sources)
    app = create_app(backend, Access(chosen.host, port), chosen.credentials)
    config = uvicorn.Config(
        app,
        access_log=False,
        log_level="warning",
        server_header=False,
        ws="none",
        http=ExplainingProtocol,
        loop="asyncio",
        timeout_graceful_shutdown=1,
        h11_max_incomplete_event_size=HEAD_BYTES,
    )
    shown = f"[{host}]" if ":" in host else host
    print(f"http://{shown}:{port}", flush=True)
    print(_greeting(backend.version, chosen.sources), file=sys.stderr, flush=True)
    try:
        with listener:
            uvicorn.Server(config).run(sockets=[listener])
    except KeyboardInterrupt:
        print("Ended; nothing is kept.", file=sys.stderr, flush=True)
    if backend.busy:
        # A thread still computes, or waits for a server: it isn't waited for.
        sys.stdout.flush()
        os._exit(0)


def _greeting(version: str, sources: Sources) -> str:
    host, folder = sources.host, sources.folder
    images = [f"Label Studio at {host.url}"] if host is not None else []
    images += [f"local files in {folder}"] if folder is not None else []
    images.append("tasks with the image inside")
    if host is not None and not host.token:
        images[0] += f" (without a token: set {TOKEN})"
    return f"Model {version}. Images from {', '.join(images)}. Ctrl-C ends."
