"""The benchmark: a robot user clicks through data sets; every click is a record, every figure a
re-read of them."""

from vtmr.bench.folder import StoredRun, read_run
from vtmr.bench.jobs import Work, on_ray, processes
from vtmr.bench.merging import merge_runs
from vtmr.bench.playing import play
from vtmr.bench.protocol import ModelInfo, Protocol, Shard, load_protocol
from vtmr.bench.records import Record, read_records
from vtmr.bench.report import print_table, summarise, write_summary
from vtmr.bench.run import Team, evaluate, open_benchmarks, run_benchmark

__all__ = [
    "ModelInfo",
    "Protocol",
    "Record",
    "Shard",
    "StoredRun",
    "Team",
    "Work",
    "evaluate",
    "load_protocol",
    "merge_runs",
    "on_ray",
    "open_benchmarks",
    "play",
    "print_table",
    "processes",
    "read_records",
    "read_run",
    "run_benchmark",
    "summarise",
    "write_summary",
]
