"""A Ray cluster behind the routes: images are kept here as they came, and replicas answer for
them.

An image's id goes with every request as what Serve calls a multiplexed model's id: a question is
asked where the image is warm, if that replica has time, and elsewhere if not. A replica that is
lost costs a repetition: answering changes nothing, and the file is still here
(docs/decisions/0021).
"""

from __future__ import annotations

import asyncio
import logging
import os
import struct
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

import vtmr
from vtmr.errors import InputError, needs_extra
from vtmr.plugins.service.engine import Answer, Size, unknown_image
from vtmr.plugins.service.folder import BoundedFolder
from vtmr.plugins.service.gate import busy
from vtmr.plugins.service.limits import MEGABYTE, Limits
from vtmr.plugins.service.prompts import Prompts
from vtmr.plugins.service.replica import Refused, deployment

APPLICATION = "vtmr"
CONFIG = Path(__file__).parent / "cluster.yaml"
ATTEMPTS = 6
_FIRST_PAUSE_S = 0.1  # then twice as long each time
# Ray keeps an object for as long as somebody holds a reference: older ones are let go, and put
# anew from the file when they are asked about.
_REFERENCES = 1000
_HEADER = struct.Struct("<II")  # height and width, before the file's own bytes


class Cluster:
    """A Backend on a Ray cluster; see engine.Backend for its methods."""

    def __init__(self, handle: Any, model: str, folder: Path, limits: Limits) -> None:
        """handle: of the deployment. folder: for image files, shared with other processes."""
        from ray.exceptions import RayActorError
        from ray.serve.exceptions import RayServeException

        self.model = model
        self._handle, self._folder = handle, folder
        self._kept = BoundedFolder(folder, limits.images_mb * MEGABYTE)
        self._references: OrderedDict[str, Any] = OrderedDict()
        self._lost = (RayActorError, RayServeException)

    @property
    def images(self) -> tuple[int, int]:
        """See Backend."""
        return len(self._kept), self._kept.nbytes

    async def add(self, file: Path, image_id: str) -> Size:
        """See Backend."""
        data = np.fromfile(file, np.uint8)
        reference = await asyncio.to_thread(_put, data)
        size: Size = await self._asked("add", image_id, reference)
        # Kept only after a replica took it: what is no image never gets a place in the folder.
        part = self._folder.parent / f"{image_id}.{os.getpid()}.part"
        part.write_bytes(_HEADER.pack(size.height, size.width) + data.tobytes())
        self._kept.keep(part, image_id)
        self._remember(image_id, reference)
        return size

    async def find(self, image_id: str) -> Size:
        """See Backend."""
        path = self._kept.touched(image_id)
        if path is None:
            self._references.pop(image_id, None)
            raise unknown_image(image_id)
        try:
            with path.open("rb") as stream:
                return Size(*_HEADER.unpack(stream.read(_HEADER.size)))
        except FileNotFoundError as error:  # another process made room this very moment
            self._references.pop(image_id, None)
            raise unknown_image(image_id) from error

    async def forget(self, image_id: str) -> None:
        """Replicas let go of it when others need the room."""
        self._references.pop(image_id, None)
        if not self._kept.drop(image_id):
            raise unknown_image(image_id)

    async def answer(self, image_id: str, prompts: Prompts) -> Answer:
        """See Backend."""
        await self.find(image_id)
        reference = self._references.get(image_id)
        if reference is None:
            path = self._folder / image_id
            try:
                data = np.fromfile(path, np.uint8, offset=_HEADER.size)
            except FileNotFoundError as error:  # another process made room this very moment
                raise unknown_image(image_id) from error
            reference = await asyncio.to_thread(_put, data)
        self._remember(image_id, reference)
        answer: Answer = await self._asked("answer", image_id, reference, prompts)
        return answer

    def close(self) -> None:
        """The cluster goes on: other processes may be asking it. One that this process started for
        itself ends with it."""
        import ray

        ray.shutdown()

    async def _asked(self, method: str, image_id: str, reference: Any, *more: Any) -> Any:
        """What a replica answers, another one where the first is lost. Raises Refusal."""
        handle = self._handle.options(multiplexed_model_id=image_id)
        pause = _FIRST_PAUSE_S
        for _ in range(ATTEMPTS):
            try:
                # In a list a reference stays one: the file isn't sent where it isn't needed.
                told = await getattr(handle, method).remote(image_id, [reference], *more)
            except self._lost:
                await asyncio.sleep(pause)
                pause *= 2
                continue
            if isinstance(told, Refused):
                raise told.raised()
            return told
        raise busy()

    def _remember(self, image_id: str, reference: Any) -> None:
        self._references[image_id] = reference
        self._references.move_to_end(image_id)
        while len(self._references) > _REFERENCES:
            self._references.popitem(last=False)


def connect(address: str, arguments: Mapping[str, Any], folder: Path, limits: Limits) -> Cluster:
    """Joins the cluster, and puts vtmr on it by cluster.yaml unless it is there.

    address: host:port of the cluster's head, "auto" for the one that this machine belongs to,
    "local" for a new one on this machine alone. arguments: of `replica.deployment`. Raises
    ConfigError without the extra [serve-ray], InputError for a cluster that doesn't answer or that
    has another version of vtmr.
    """
    # Ray reports to its makers what it is used for, unless it is told not to before it starts.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    with needs_extra("serve-ray"):
        import ray
        from ray import serve
        from ray.exceptions import RayError
        from ray.serve.exceptions import RayServeException
    logging.getLogger("ray.serve").setLevel(
        logging.ERROR
    )  # it tells of every replica that it finds
    try:
        if not ray.is_initialized():
            ray.init(address, log_to_driver=False, logging_level=logging.ERROR)
        if APPLICATION not in serve.status().applications:
            _deploy(arguments)
        handle = serve.get_app_handle(APPLICATION)
        about = handle.about.remote().result(timeout_s=300)
    except (RayError, RayServeException, ConnectionError, RuntimeError, TimeoutError) as error:
        reason = str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__
        raise InputError(f"The Ray cluster at {address} can't be used: {reason}") from error
    if about["version"] != vtmr.__version__:
        raise InputError(
            f"The Ray cluster at {address} runs vtmr {about['version']}, and this is "
            f"{vtmr.__version__}: install the same on all machines, then take down what runs there "
            "by `serve shutdown`."
        )
    return Cluster(handle, about["model"], folder, limits)


def deployment_options() -> dict[str, Any]:
    """What cluster.yaml says of the replicas: how many, how large."""
    import yaml  # Ray brings it

    (declared,) = yaml.safe_load(CONFIG.read_text())["applications"]
    (deployment,) = declared["deployments"]
    return {key: value for key, value in deployment.items() if key != "name"}


def _deploy(arguments: Mapping[str, Any]) -> None:
    """Puts the application on the cluster, and waits for its replicas."""
    from ray import serve

    options = deployment_options()
    options["ray_actor_options"] = {"num_cpus": arguments["threads"]}
    # Serve's own HTTP proxies know neither our keys nor our limits: nobody is to come in by them.
    serve.start(proxy_location="Disabled")
    bound = deployment(arguments).options(**options).bind()
    serve.run(bound, name=APPLICATION, route_prefix=None)


def _put(data: Any) -> Any:
    import ray

    return ray.put(data)
