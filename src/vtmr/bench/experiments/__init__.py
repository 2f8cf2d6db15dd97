"""The paper's experiments as data: what is played, which figures count; all run by one function
over `evaluate`."""

from vtmr.bench.experiments.conduct import Contender, run_experiment
from vtmr.bench.experiments.definitions import EXPERIMENTS, Condition, Experiment, find_experiment

__all__ = [
    "EXPERIMENTS",
    "Condition",
    "Contender",
    "Experiment",
    "find_experiment",
    "run_experiment",
]
