"""The benchmark: a robot user clicks through data sets; every click is a record, every figure a re-read of them."""

from vtmr.bench.playing import play
from vtmr.bench.protocol import ModelInfo, Protocol, load_protocol
from vtmr.bench.records import Record, read_records
from vtmr.bench.report import print_table, summarise, write_summary
from vtmr.bench.run import evaluate, run_benchmark

__all__ = [
    "ModelInfo",
    "Protocol",
    "Record",
    "evaluate",
    "load_protocol",
    "play",
    "print_table",
    "read_records",
    "run_benchmark",
    "summarise",
    "write_summary",
]
