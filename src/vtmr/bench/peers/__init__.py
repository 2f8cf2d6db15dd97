"""Other methods in the benchmark's tables: classical ones, SAM-style tools, and whatever else is a
`Predictor`."""

from vtmr.bench.peers.answers import Answer
from vtmr.bench.peers.classical import ClassicalPeer
from vtmr.bench.peers.registry import PEERS, open_peer
from vtmr.bench.peers.sam import SamPeer, SamTool
from vtmr.bench.peers.seeds import BACKGROUND, OBJECT, UNKNOWN, Seeds

__all__ = [
    "BACKGROUND",
    "OBJECT",
    "PEERS",
    "UNKNOWN",
    "Answer",
    "ClassicalPeer",
    "SamPeer",
    "SamTool",
    "Seeds",
    "open_peer",
]
