"""A backend that the tests of a module share, and a client that asks it in this process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from labelstudio import client_of, predictor
from starlette.testclient import TestClient

from vtmr.plugins.labelstudio.backend import Backend
from vtmr.plugins.labelstudio.sources import Sources


@pytest.fixture(scope="module")
def backend() -> Backend:
    return Backend(predictor(), Sources())


@pytest.fixture(scope="module")
def http(backend: Backend) -> Iterator[TestClient]:
    with client_of(backend) as client:
        yield client
