"""Dataset readers: sources of images with objects, and the benchmarks' samples."""

from vtmr.data.benchmarks import BENCHMARKS, OPENERS, open_benchmark, validation_list
from vtmr.data.cocolvis import CocoLvisSource, MergedObjects
from vtmr.data.cocosource import CocoSource
from vtmr.data.samples import EvalSample
from vtmr.data.sources import LabelSource, PairSource, Source, listed_stems, read_object

__all__ = [
    "BENCHMARKS",
    "OPENERS",
    "CocoLvisSource",
    "CocoSource",
    "EvalSample",
    "LabelSource",
    "MergedObjects",
    "PairSource",
    "Source",
    "listed_stems",
    "open_benchmark",
    "read_object",
    "validation_list",
]
