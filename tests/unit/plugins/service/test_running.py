"""`vtmr serve` as a process: several workers, its end, and starts that are refused."""

from __future__ import annotations

import http.client
import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from httpservice import ON_ELLIPSE, PHOTO, PNG, Process

from vtmr.cli import main
from vtmr.errors import ConfigError
from vtmr.plugins.service.keys import Keys
from vtmr.plugins.service.running import require_safe


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_requests_in_flight_finish_and_nothing_is_left(
    serve: Callable[..., Process], number: int, tmp_path: Path
) -> None:
    """Twenty requests are under way when the signal comes: all get their answer, then it ends."""
    service = serve()
    assert service.ask("POST", "/v1/images", PHOTO, PNG)[0] == 201
    told: list[int] = []

    def click(step: int) -> None:
        clicks = [ON_ELLIPSE, {"x": 20.5 + step, "y": 20.5}, {"x": 3, "y": 3, "positive": False}]
        told.append(service.mask(clicks=clicks)[0])

    clients = [threading.Thread(target=click, args=(step,)) for step in range(20)]
    for client in clients:
        client.start()
    metric = b"vtmr_requests_in_flight 20.0"
    deadline = time.monotonic() + 30
    while metric not in service.ask("GET", "/metrics", None, {})[1] and not told:
        assert time.monotonic() < deadline
    code, said = service.end(number)
    for client in clients:
        client.join()
    assert told == [200] * 20
    assert (code, "Traceback" in said) == (0, False)
    assert not list(tmp_path.glob("vtmr*"))


@pytest.mark.slow
def test_any_worker_answers_for_an_image_that_another_took(
    serve: Callable[..., Process],
) -> None:
    """And one that is killed is replaced, without the images being lost."""
    service = serve("--workers", "2")
    assert service.ask("POST", "/v1/images", PHOTO, PNG)[0] == 201
    answers = {service.mask()[1].partition(b'"ms"')[0] for _ in range(12)}
    assert len(answers) == 1
    workers = service.workers()
    assert len(workers) == 2
    os.kill(workers[0], signal.SIGKILL)
    deadline = time.monotonic() + 60
    while len(service.workers()) < 2 or workers[0] in service.workers():
        assert time.monotonic() < deadline
        time.sleep(0.2)
    statuses = [_patiently(service) for _ in range(6)]
    assert statuses == [200] * 6
    page = service.ask("GET", "/metrics", None, {})[1].decode()
    assert "\nvtmr_images 1\n" in page
    assert "vtmr_requests_in_flight 0.0" in page
    code, said = service.end()
    assert (code, "Traceback" in said) == (0, False)


def _patiently(service: Process) -> int:
    """As a client asks: once more where a connection is lost."""
    for _ in range(20):
        with suppress(OSError, http.client.HTTPException):
            return service.mask()[0]
        time.sleep(0.2)
    return 0


def test_others_can_reach_it_only_with_keys() -> None:
    with pytest.raises(ConfigError, match="--keys"):
        require_safe("0.0.0.0", Keys(), meant=False)
    require_safe("0.0.0.0", Keys(), meant=True)
    require_safe("0.0.0.0", Keys((b"digest",)), meant=False)
    for host in ("127.0.0.1", "localhost"):
        require_safe(host, Keys(), meant=False)


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (("--host", "0.0.0.0"), "VTMR_API_KEYS"),
        (("--keys", "no/such/file"), "can't be read"),
        (("--limit", "in_fligth=3"), "Did you mean 'in_flight'?"),
        (("--limit", "in_flight=0"), "from 1"),
        (("--limit", "in_flight"), "in_flight=NUMBER"),
        (("--workers", "0"), "from 1"),
        (("--model", "no-such-model"), "no-such-model"),
        (("--port", "70000"), "65535"),
        (("--ray", "local", "--workers", "2"), "--workers"),
    ],
)
def test_a_start_that_makes_no_sense_is_refused(
    flags: tuple[str, ...], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", "--port", "0", *flags]) == 2
    assert sentence in capsys.readouterr().err
