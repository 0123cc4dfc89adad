"""Where blocks of a simulation end changes nothing in its events, nor in their order."""

from pathlib import Path

import pytest
import yaml

from soak.schemas.language.load import load
from soak.simulation import run
from soak.simulation.plan import Plan


def test_what_happens_at_one_instant_has_the_same_order_wherever_blocks_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrivals = {"rate": "24/min", "process": "constant"}
    workload = {"arrivals": arrivals, "task": {"duration": {"distribution": "constant", "value": "12500ms"}}}
    data = {"version": 1, "name": "x", "system": "queue", "duration": "10m", "workload": workload}
    path = tmp_path / "x.yaml"
    path.write_text(
        yaml.safe_dump(data | {"queue": {"workers": 9, "poll_interval": "0s"}, "slos": ["success_rate >= 50%"]})
    )
    plans = [Plan(load(path).scenario) for _ in range(2)]
    streams = []
    for plan, size in zip(plans, (32_768, 1), strict=True):
        monkeypatch.setattr(run, "EVENTS_PER_BLOCK", size)
        blocks = list(run.simulate(plan))
        streams.append([each for block in blocks for each in zip(block.t, block.kind, block.task, strict=True)])
    assert streams[0] == streams[1]
