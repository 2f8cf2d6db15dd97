"""The machines of a Ray cluster (extra [cluster]); files lie at the same paths on every one."""

from __future__ import annotations

import logging
import os
from collections.abc import Generator, Mapping, Sequence
from typing import Any

import cv2

from vtmr.errors import InputError
from vtmr.teams.processes import Make, Team, Worker


def on_ray(make: Make, address: str, threads: int = 1, gpus: int = 0) -> Team:
    """A team of actors on a Ray cluster, as many as its machines have room for; each takes
    `threads` processors.

    gpus: that each takes besides; without one, Ray hides them from it. address: host:port of the
    cluster's head, "auto" for the one that this machine belongs to, "local" for a new one on this
    machine alone; a connection that this process has already is used instead. Raises
    ModuleNotFoundError without Ray, InputError for a cluster that doesn't answer or has no room.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray  # takes seconds, and few have it
    from ray.exceptions import RayError, RayTaskError
    from ray.util import ActorPool

    def team(tasks: Sequence[Any]) -> Generator[Any]:
        if not tasks:
            return
        ours = not ray.is_initialized()
        try:
            if ours:
                ray.init(address, log_to_driver=False, logging_level=logging.ERROR)
            room = sum(
                _room_on(node["Resources"], threads, gpus) for node in ray.nodes() if node["Alive"]
            )
            if room < 1:
                raise InputError(
                    f"The Ray cluster at {address} has no machine with {threads} processors and "
                    f"{gpus} GPUs: "
                    "use fewer, or another cluster."
                )
            actor = ray.remote(num_cpus=threads, num_gpus=gpus)(Worker)
            actors = [actor.remote(make, cv2.getNumThreads()) for _ in range(min(room, len(tasks)))]
            pool = ActorPool(actors)
            yield from pool.map_unordered(lambda worker, task: worker.do.remote(task), tasks)
        except RayTaskError as error:
            raise error.cause from error
        except (RayError, ConnectionError) as error:
            raise InputError(
                f"The Ray cluster at {address} can't be used ({str(error).splitlines()[0]}): "
                "everything that was finished is kept; see that it runs, then run the same command "
                "again."
            ) from error
        finally:
            if ours:
                ray.shutdown()

    return team


def _room_on(resources: Mapping[str, float], threads: int, gpus: int) -> int:
    """How many actors a machine takes."""
    room = int(resources.get("CPU", 0) // threads)
    return min(room, int(resources.get("GPU", 0) // gpus)) if gpus else room
