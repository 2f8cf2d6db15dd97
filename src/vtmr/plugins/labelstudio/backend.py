"""From a request of Label Studio's to masks: the task's image, the objects that were drawn, a
Session for each, and the answer as regions of the brush."""

from __future__ import annotations

import uuid
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from vtmr.errors import InputError
from vtmr.formats.runlength import encode_label_studio
from vtmr.plugins.labelstudio.config import LabelConfig, parse_config
from vtmr.plugins.labelstudio.pictures import Picture, Pictures
from vtmr.plugins.labelstudio.regions import Prompts, Regions
from vtmr.plugins.labelstudio.sources import Sources
from vtmr.plugins.samstyle import stability
from vtmr.segmenter import Segmenter
from vtmr.segmenter.logits import logit_of
from vtmr.serving.bodies import bad_request, shown
from vtmr.serving.worker import Worker
from vtmr.session import Session
from vtmr.session.live import LiveSessions

Json = dict[str, Any]

_PROJECTS_KEPT = 256
_SESSION_BYTES = 200_000_000
IMAGE_BYTES = 600_000_000
_MODEL_CLASS = "Vtmr"


class Backend:
    """What answers Label Studio. Its coroutines run in one event loop."""

    def __init__(
        self, predictor: Segmenter, sources: Sources, image_bytes: int = IMAGE_BYTES
    ) -> None:
        """image_bytes: of the images that are kept; the newest is in any case."""
        self._predictor, self._sources = predictor, sources
        self._cut = logit_of(predictor.spec.threshold)
        self._configs: OrderedDict[str, str] = OrderedDict()  # by project, of /setup
        self._sessions = LiveSessions(_SESSION_BYTES)
        self._pictures = Pictures(predictor, self._forget, image_bytes)
        self._worker = Worker()
        self._answered = 0

    @property
    def version(self) -> str:
        """The model's name and, where it is known, the beginning of its weights' hash: Label
        Studio asks anew when it changes."""
        weights = self._predictor.weights[:8]
        return f"vtmr-{self._predictor.name}" + (f"-{weights}" if weights else "")

    def health(self) -> Json:
        """What Label Studio asks before it connects, and every now and then."""
        return {"status": "UP", "model_class": _MODEL_CLASS, "model_version": self.version}

    def metrics(self) -> Json:
        """Predictions answered so far, and images kept."""
        return {"predictions": self._answered, "images": len(self._pictures)}

    def setup(self, body: Any) -> Json:
        """Remembers a project's label config. Raises Refusal for one in which masks have no
        place."""
        record = _object(body, "The body")
        project, schema = _project(record), record.get("schema")
        parse_config(schema)
        self._configs[project] = str(schema)
        self._configs.move_to_end(project)
        # One that is forgotten comes with the next request all the same.
        while len(self._configs) > _PROJECTS_KEPT:
            self._configs.popitem(last=False)
        return {"model_version": self.version}

    async def predict(self, body: Any) -> Json:
        """Masks of the objects in the request's context. Without one there is nothing to go by, and
        the answer has no results. Raises Refusal."""
        record = _object(body, "The body")
        params = _object(record.get("params") or {}, "'params'")
        regions = Regions.read(params.get("context"))
        task = _task(record.get("tasks"), alone=regions is not None)
        config = self._config(_project(record), record)
        if regions is None or task is None:
            return {"results": [], "model_version": self.version}
        key = config.key(regions.image)
        data = _object(task.get("data"), "The task's data")
        if key not in data:
            raise bad_request(
                f"The task has no {key!r} in its data, which the label config's Image shows: it "
                f"has {', '.join(map(shown, data)) or 'nothing'}."
            )
        picture = await self._pictures.get(self._sources.find(data[key]))
        _require_size(regions.size(), picture)
        result, score = await self._worker.run(lambda: self._masks(regions, config, picture))
        self._answered += 1
        answer = {"result": result, "score": score, "model_version": self.version}
        return {"results": [answer], "model_version": self.version}

    def close(self) -> None:
        """Drops what waits; what runs isn't waited for."""
        self._worker.close()
        self._pictures.close()

    @property
    def busy(self) -> bool:
        """Whether a thread still works."""
        return self._worker.busy or self._pictures.busy

    def _forget(self, digest: str) -> None:
        """Drops the sessions on an image that isn't kept any more: they would keep it."""
        self._sessions.forget(lambda subject: subject == digest)

    def _config(self, project: str, record: Mapping[str, Any]) -> LabelConfig:
        """The request's, else that which the project was set up with. Raises Refusal."""
        text = record.get("label_config") or self._configs.get(project)
        if text is None:
            raise bad_request(
                f"The project {project!r} is unknown: expected a label_config, or /setup first."
            )
        return parse_config(text)

    def _masks(
        self, regions: Regions, config: LabelConfig, picture: Picture
    ) -> tuple[list[Json], float]:
        """A region of the brush for every object that has a pixel, and the mean of their scores.

        Raises Refusal.
        """
        items = []
        for prompts in regions.objects(config, picture.height, picture.width):
            session = self._session(prompts, picture)
            if session.mask.any():
                items.append(self._item(prompts, session, regions, config))
        scores = [item["score"] for item in items]
        return items, sum(scores) / max(len(scores), 1)

    def _session(self, prompts: Prompts, picture: Picture) -> Session:
        """Raises Refusal."""

        def begin() -> Session:
            return Session(self._predictor, picture.image, scene=picture.scene)

        try:
            session, _ = self._sessions.at(picture.digest, prompts.steps, begin)
        except InputError as error:
            raise bad_request(str(error)) from error
        return session

    def _item(
        self, prompts: Prompts, session: Session, regions: Regions, config: LabelConfig
    ) -> Json:
        """Raises Refusal where no brush takes the object's label."""
        brush, label = config.brush_for(regions.image, prompts.label)
        height, width = session.mask.shape
        return {
            # Ten characters, as the ids that Label Studio makes itself.
            "id": uuid.uuid4().hex[:10],
            "from_name": brush.name,
            "to_name": regions.image,
            "type": "brushlabels",
            "original_width": width,
            "original_height": height,
            "image_rotation": 0,
            "value": {
                "format": "rle",
                "rle": list(encode_label_studio(session.mask)),
                "brushlabels": [label],
            },
            "score": stability(session, self._cut),
            "readonly": False,
        }


def _object(value: Any, what: str) -> dict[str, Any]:
    """Raises Refusal for anything but a JSON object."""
    if not isinstance(value, dict):
        raise bad_request(f"{what} is {shown(value)}: expected an object.")
    return value


def _project(record: Mapping[str, Any]) -> str:
    """Its id: what stands before the point in "12.1700000000". Raises Refusal."""
    project = record.get("project")
    number = str(project).partition(".")[0]
    if isinstance(project, bool) or not number.isascii() or not number.isdigit():
        raise bad_request(
            f"The project is {shown(project)}: expected Label Studio's number of it and the time "
            'it was made, like "12.1700000000".'
        )
    return number[:20]


def _task(tasks: Any, *, alone: bool) -> dict[str, Any] | None:
    """The first task, None where there is none. alone: whether it must be the only one.

    Raises Refusal.
    """
    if not isinstance(tasks, list):
        raise bad_request(f"The tasks are {shown(tasks)}: expected a list.")
    if alone and len(tasks) > 1:
        raise bad_request(f"There are {len(tasks)} tasks with one context: expected one task.")
    return _object(tasks[0], "The task") if tasks else None


def _require_size(size: tuple[int, int] | None, picture: Picture) -> None:
    """Raises Refusal where Label Studio shows another image than vtmr reads: its percentages and
    its brushes would mean other places."""
    if size is not None and size != (picture.height, picture.width):
        raise bad_request(
            f"Label Studio shows the image in {size[1]}x{size[0]} pixels, and the file has "
            f"{picture.width}x{picture.height}, upright: reload the page, or import the image anew."
        )
