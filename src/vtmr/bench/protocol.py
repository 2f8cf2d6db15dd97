"""The benchmark's rules as data: one record, printed with every table and stored with every run."""

from __future__ import annotations

from dataclasses import dataclass

from vtmr.errors import ConfigError
from vtmr.spec import ZoomSchedule


@dataclass(frozen=True, slots=True)
class Protocol:
    """How an object is clicked and what is reported of it (docs/protocol.md; facts.md §D).

    max_clicks: the most clicks an object gets. targets: IoU values that NoC and NoF are given for. min_clicks: no
    object stops before this click for having reached all targets. report_at: the clicks whose IoU and BIoU are
    reported. seed: of the intervals' resampling. Raises ConfigError for rules that contradict each other.
    """

    max_clicks: int = 20
    targets: tuple[float, ...] = (0.85, 0.90)
    min_clicks: int = 5
    report_at: tuple[int, ...] = (1, 5)
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.min_clicks <= self.max_clicks:
            raise ConfigError(f"min_clicks is {self.min_clicks}: expected 1 to max_clicks ({self.max_clicks}).")
        if not self.targets or not all(0 < target <= 1 for target in self.targets):
            raise ConfigError(f"targets are {self.targets}: expected at least one IoU above 0 and up to 1.")
        if not self.report_at or not all(1 <= click <= self.min_clicks for click in self.report_at):
            raise ConfigError(
                f"report_at is {self.report_at}: expected clicks from 1 to min_clicks ({self.min_clicks}), "
                "because an object may stop after that."
            )

    def is_over(self, ious: list[float]) -> bool:
        """Whether a run with these IoUs, one per click so far, takes no further click."""
        reached = len(ious) >= self.min_clicks and max(ious) >= max(self.targets)
        return reached or len(ious) >= self.max_clicks

    def __str__(self) -> str:
        """One line for the head of a table."""
        targets = "/".join(f"{target:g}" for target in self.targets)
        return (
            f"robot user: middle of the largest error; at most {self.max_clicks} clicks; stops at IoU {targets}, "
            f"never before click {self.min_clicks}; 95 % bootstrap intervals, seed {self.seed}"
        )


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What answered the clicks: stored with the run, so that a figure can be traced to a file.

    sha256: of the model file, "" for a method without one. threshold: the probability that its masks are cut at,
    from the model's spec. threads: of the network's runtime. zoom: when the zoomed pass counted. None where the method
    has no such thing.
    """

    name: str
    sha256: str = ""
    threshold: float | None = None
    threads: int | None = None
    zoom: ZoomSchedule | None = None
