"""Starting the service's processes and ending them: SIGTERM lets the requests in flight finish."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from types import FrameType

import uvicorn
from starlette.applications import Starlette
from uvicorn.supervisors import Multiprocess

from vtmr.errors import ConfigError, needs_extra
from vtmr.plugins.service.cluster import connect
from vtmr.plugins.service.engine import Backend, Engine
from vtmr.plugins.service.keys import VARIABLE, Keys
from vtmr.plugins.service.limits import Limits
from vtmr.plugins.service.metrics import SHARED_FOLDER
from vtmr.plugins.service.place import OwnFolder
from vtmr.plugins.service.server import Service, create_app
from vtmr.runtime.threads import usable_cores
from vtmr.segmenter import load
from vtmr.serving.access import LOOPBACK, Access
from vtmr.serving.connections import LimitedProtocol
from vtmr.serving.listening import bind

MOST_CONNECTIONS = 1000
_FOLDERS = ("images", "metrics", "incoming")


class ServiceProtocol(LimitedProtocol):
    """HTTP/1.1 for more clients at once than an annotator has."""

    most = MOST_CONNECTIONS


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that a process of the service is started with; it can be sent to another process.

    threads: of one prediction. workers: processes. ray: the address of a cluster, "" for this
    machine alone.
    """

    model: str
    host: str
    port: int
    keys: Keys
    limits: Limits
    threads: int = 1
    workers: int = 1
    ray: str = ""


def run(settings: Settings) -> None:
    """Serves until SIGTERM or Ctrl-C; the first line on stdout is the address.

    Raises ConfigError for a service that strangers could reach without a key and where the extra
    [serve] isn't installed, InputError when the address can't be used, CheckpointError for anything
    that isn't a sound model.
    """
    _require_extra()
    if settings.ray == "local" and settings.workers > 1:
        raise ConfigError(
            f"--ray local starts a cluster for one process: leave out --workers {settings.workers}."
        )
    listener = bind(settings.host, settings.port)
    with OwnFolder("serve") as folder, listener:
        for inner in _FOLDERS:
            (folder / inner).mkdir()
        host, port = listener.getsockname()[:2]
        make = partial(build, settings, folder, port)
        app = make() if settings.workers == 1 else None  # a model that isn't sound is told here
        shown = f"[{host}]" if ":" in host else host
        print(f"http://{shown}:{port}/", flush=True)
        print(_greeting(settings), file=sys.stderr, flush=True)
        with _until_told_to_end():
            if app is not None:
                _Server(_config(lambda: app, settings)).run(sockets=[listener])
            else:
                # For its errors alone: a model that isn't sound is told once, not by each worker.
                load(settings.model)
                os.environ[SHARED_FOLDER] = str(folder / "metrics")
                Multiprocess(_config(make, settings), [listener]).run()


def build(settings: Settings, folder: Path, port: int) -> Starlette:
    """The server of one process. Raises as `run`."""
    service = Service(
        backend(settings, folder), settings.keys, settings.limits, folder / "incoming"
    )
    return create_app(service, Access(settings.host, port))


def backend(settings: Settings, folder: Path) -> Backend:
    """What answers: this process, or the cluster's replicas."""
    if settings.ray:
        arguments = {
            "model": settings.model,
            "threads": settings.threads,
            "limits": asdict(settings.limits),
        }
        return connect(settings.ray, arguments, folder / "images", settings.limits)
    # As many predictions at once as there are cores for: more would only slow each other.
    slots = max(1, usable_cores() // (settings.threads * settings.workers))
    predictor = load(settings.model, threads=settings.threads)
    engine = Engine(predictor, folder / "images", settings.limits, slots)
    engine.start()
    return engine


def require_safe(host: str, keys: Keys, *, meant: bool) -> None:
    """Raises ConfigError for an address that others can reach, without keys. meant: the user said
    that there are to be none."""
    if keys.needed or meant or host in LOOPBACK:
        return
    raise ConfigError(
        f"--host {host} can be reached from other machines: give the keys that open the service "
        f"with --keys FILE or in the environment variable {VARIABLE}, or say --keys none."
    )


class _Server(uvicorn.Server):
    """uvicorn, quiet where all goes well."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        await super().shutdown(sockets)


@contextmanager
def _until_told_to_end() -> Iterator[None]:
    """Ctrl-C and SIGTERM end the block, not the process: uvicorn raises the signal once more when
    it has finished what was in flight, and folders are to be removed then."""

    def end(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, end)
    with suppress(KeyboardInterrupt):
        yield
    signal.signal(signal.SIGTERM, before)


def _config(make: Callable[[], Starlette], settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        make,
        factory=True,
        workers=settings.workers,
        access_log=False,
        log_level="warning",
        server_header=False,
        ws="none",
        http=ServiceProtocol,
        loop="asyncio",
        timeout_graceful_shutdown=settings.limits.shutdown_s,
        h11_max_incomplete_event_size=32 << 10,
    )


def _require_extra() -> None:
    with needs_extra("serve"):
        import prometheus_client  # noqa: F401
        import python_multipart  # noqa: F401


def _greeting(settings: Settings) -> str:
    keys = len(settings.keys.digests)
    opened = f"{keys} API key{'s' * (keys != 1)}" if keys else "no API key is needed"
    return f"Model {settings.model}, {opened}. Ctrl-C or SIGTERM ends."
