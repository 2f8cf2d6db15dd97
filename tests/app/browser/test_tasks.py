"""Tasks of tools/tasks.py that may take so many actions and no more, as issue 27 bounds them.

The bundled model answers: the network without weights takes all objects of one colour for one.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from desk import Desk, Server
from tasks import (
    LEFT,
    RIGHT,
    Hand,
    annotate_twenty,
    overlap,
    prepare_touching,
    prepare_twenty,
    separate_touching,
    widest,
)

pytestmark = pytest.mark.browser
Start, Sit = Callable[..., Server], Callable[..., Desk]


def hand_on(name: str, server: Server, sit_down: Sit) -> Hand:
    desk = sit_down(server, name)
    desk.name = name
    return Hand(desk)


def test_touching_objects_are_separated_in_six_actions(
    tmp_path: Path, model: str, serve: Start, sit_down: Sit
) -> None:
    name = prepare_touching(tmp_path)
    hand = hand_on(name, serve(tmp_path, model=model), sit_down)
    separate_touching(hand)
    assert 1 <= hand.actions <= 6


def test_twenty_instances_take_sixty_actions(
    tmp_path: Path, model: str, serve: Start, sit_down: Sit
) -> None:
    name = prepare_twenty(tmp_path)
    hand = hand_on(name, serve(tmp_path, model=model), sit_down)
    annotate_twenty(hand)
    assert 20 <= hand.actions <= 60
    assert len(hand.desk.objects()) == 20


def test_what_the_results_are_judged_by() -> None:
    """Worked out by hand."""
    assert overlap(LEFT, LEFT) == 1
    assert overlap(LEFT, RIGHT) == 0
    wrong = np.zeros((9, 9), bool)
    wrong[1:4, 3:6] = True
    assert widest(wrong) == (4.5, 2.5)
