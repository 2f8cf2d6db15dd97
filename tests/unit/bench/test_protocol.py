"""The rules as data: what they mean for a run, how they are read from files, and that a table's
head says them all."""

from __future__ import annotations

import re
from dataclasses import asdict, fields, replace
from pathlib import Path

import pytest

from vtmr.bench import Protocol, Record, load_protocol
from vtmr.errors import ConfigError
from vtmr.values import from_values


def test_the_protocols_that_come_with_vtmr() -> None:
    """As docs/protocol.md describes them."""
    assert load_protocol("default") == Protocol()
    assert load_protocol("all-clicks") == Protocol(stop="never", report_at=(1, 5, 10, 20))
    assert load_protocol("random") == Protocol(robot="random", repeats=5)
    assert load_protocol("perturbed") == Protocol(robot="perturbed", jitter_px=5.0, repeats=5)


@pytest.mark.parametrize(
    ("stop", "ious", "over"),
    [
        ("targets", [0.95], False),  # not before min_clicks
        ("targets", [0.95, 0.5, 0.5], True),  # once reached is reached
        ("targets", [0.89, 0.89, 0.89], False),
        ("targets", [0.0] * 6, True),  # max_clicks
        ("never", [0.95] * 5, False),
        ("never", [0.95] * 6, True),
    ],
)
def test_when_a_run_is_over(stop: str, ious: list[float], over: bool) -> None:
    assert Protocol(max_clicks=6, min_clicks=3, report_at=(1,), stop=stop).is_over(ious) is over  # type: ignore[arg-type]


def test_who_makes_the_first_click() -> None:
    alike, apart = Protocol(robot="random"), Protocol(robot="random", first_click="deterministic")
    assert [alike.robot_at(click) for click in (1, 2)] == ["random", "random"]
    assert [apart.robot_at(click) for click in (1, 2)] == ["deterministic", "random"]


OTHER = {
    "max_clicks": 17,
    "targets": (0.77,),
    "min_clicks": 3,
    "stop": "never",
    "report_at": (1, 3),
    "robot": "random",
    "first_click": "deterministic",
    "jitter_px": 3.5,
    "box_margin": 0.3,
    "box_jitter": 0.05,
    "repeats": 4,
    "initial_mask": "none",
    "initial_iou": 0.66,
    "merge": False,
    "threshold": 0.35,
    "seed": 11,
}
NEEDS = {
    "min_clicks": {"report_at": (1,)},
    "first_click": {"robot": "random"},
    "jitter_px": {"robot": "perturbed", "jitter_px": 1.0},
    "box_margin": {"first_click": "box"},
    "box_jitter": {"first_click": "box"},
    "repeats": {"robot": "random"},
    "initial_iou": {"initial_mask": "perturbed"},
}


@pytest.mark.parametrize("name", [field.name for field in fields(Protocol)])
def test_every_rule_is_in_the_line_under_a_table(name: str) -> None:
    """Changing a rule changes the line."""
    before = Protocol(**NEEDS.get(name, {}))  # type: ignore[arg-type]
    assert str(replace(before, **{name: OTHER[name]})) != str(before)  # type: ignore[arg-type]


def test_the_page_about_the_protocol_names_every_rule_and_every_key() -> None:
    page = (Path(__file__).parents[3] / "docs" / "protocol.md").read_text()
    missing = [rule.name for rule in fields(Protocol) if f"`{rule.name}`" not in page]
    assert not missing
    keys = re.search(r"`\{(dataset, [^}]*)\}`", page)
    assert keys is not None
    assert re.split(r",\s+", keys[1]) == [field.name for field in fields(Record)]


def test_rules_survive_json() -> None:
    protocol = Protocol(
        targets=(0.9, 0.95), robot="random", threshold=0.4, first_click="deterministic"
    )
    values = asdict(protocol) | {"targets": [0.9, 0.95], "report_at": [1, 5]}
    assert from_values(Protocol, values, "here") == protocol
    assert from_values(Protocol, {}, "a run from before these rules") == Protocol()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("max_click = 3", "unknown key 'max_click'. Did you mean 'max_clicks'"),
        ("max_clicks = '3'", "max_clicks is '3': expected a whole number"),
        ("max_clicks = true", "max_clicks is True: expected a whole number"),
        ("merge = 1", "merge is 1: expected true or false"),
        ("targets = 0.9", "targets is 0.9: expected an array"),
        ("targets = ['high']", r"targets\[0\] is 'high': expected a finite number"),
        ("threshold = 'own'", "threshold is 'own': expected a finite number."),
        ("robot = 3", "robot is 3: expected one of deterministic, random, perturbed"),
        ("robot = 'lazy'", "robot is 'lazy': expected one of deterministic, random, perturbed"),
        ("robot = ", "not valid TOML"),
    ],
)
def test_files_with_other_rules_are_refused(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "rules.toml").write_text(text)
    with pytest.raises(ConfigError, match=message.replace(".", r"\.")):
        load_protocol(str(tmp_path / "rules.toml"))


def test_a_file_that_is_not_there_names_what_is() -> None:
    with pytest.raises(
        ConfigError, match=r"nowhere\.toml can't be read .*all-clicks, default, perturbed, random\."
    ):
        load_protocol("nowhere.toml")


def test_whole_numbers_pass_for_fractions(tmp_path: Path) -> None:
    (tmp_path / "rules.toml").write_text("robot = 'perturbed'\njitter_px = 4\ntargets = [1]\n")
    assert load_protocol(str(tmp_path / "rules.toml")) == Protocol(
        robot="perturbed", jitter_px=4.0, targets=(1.0,)
    )


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"stop": "sometimes"}, "stop is 'sometimes': expected one of targets, never"),
        ({"first_click": "lazy"}, "first_click is 'lazy'"),
        ({"initial_mask": "mine"}, "initial_mask is 'mine'"),
        ({"jitter_px": 2.0}, "jitter_px is 2 with the robots deterministic"),
        ({"robot": "perturbed"}, "jitter_px is 0 with the robots perturbed"),
        ({"robot": "perturbed", "jitter_px": float("nan")}, "jitter_px is nan"),
        ({"repeats": 2}, "repeats is 2 with the robots deterministic"),
        ({"repeats": 0}, "repeats is 0"),
        ({"threshold": 1.0}, "threshold is 1.0"),
        ({"seed": -1}, "seed is -1"),
        (
            {"stop": "never", "report_at": (21,)},
            r"report_at is \(21,\): expected clicks from 1 to max_clicks \(20\)\.",
        ),
    ],
)
def test_rules_that_contradict_each_other_are_refused(
    rules: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        Protocol(**rules)  # type: ignore[arg-type]
