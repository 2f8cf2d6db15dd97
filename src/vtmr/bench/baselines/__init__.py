"""Other methods in the benchmark's tables: classical ones, SAM-style tools, and whatever else is a
`Predictor`."""

from vtmr.bench.baselines.answers import Answer
from vtmr.bench.baselines.classical import ClassicalBaseline
from vtmr.bench.baselines.registry import BASELINES, open_baseline
from vtmr.bench.baselines.sam import SamBaseline, SamTool
from vtmr.bench.baselines.seeds import BACKGROUND, OBJECT, UNKNOWN, Seeds

__all__ = [
    "BACKGROUND",
    "OBJECT",
    "BASELINES",
    "UNKNOWN",
    "Answer",
    "ClassicalBaseline",
    "SamBaseline",
    "SamTool",
    "Seeds",
    "open_baseline",
]
