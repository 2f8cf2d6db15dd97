"""An annotator in a process of its own, as `vtmr annotate` starts it, but with a network that needs
no weights.

It dies at the first attempt to reach anybody else, so that every browser test shows that there is
none.

    python serving.py FOLDER PORT LABELS MODEL KEEP BASE

MODEL is "colour" for that network, "slow" for one that takes its time, else a name or file that
`vtmr.load` takes; KEEP is empty for a
new token, BASE for no other address. The first line on stdout is the address.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from fakes import ColourNetwork
from offline import stay_offline

import vtmr
from vtmr.app.annotator import Annotator
from vtmr.app.running import Reach, run
from vtmr.segmenter import segmenter_for
from vtmr.serving.baseurl import BaseUrl


class SlowNetwork(ColourNetwork):
    """As long as a network on a small machine: a replay of some clicks can be watched."""

    def coarse(self, *arguments: Any) -> Any:
        time.sleep(0.04)
        return super().coarse(*arguments)


def main(folder: str, port: str, labels: str, model: str, keep: str, base: str) -> None:
    stay_offline()
    networks = {"colour": ColourNetwork, "slow": SlowNetwork}
    predictor = segmenter_for(networks[model]()) if model in networks else vtmr.load(model)
    annotator = Annotator(
        Path(folder), predictor, labels=labels.split(","), made_with={"model": model}
    )
    reach = Reach(
        port=int(port),
        base=BaseUrl.parse(base) if base else None,
        keep=Path(folder) if keep else None,
    )
    run(annotator, reach)


if __name__ == "__main__":
    main(*sys.argv[1:])
