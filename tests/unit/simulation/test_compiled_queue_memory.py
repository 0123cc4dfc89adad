"""The compiled queue keeps the tables of draws that open tasks may still need, however long the run is."""

from pathlib import Path

import pytest

from soak.schemas.language.load import load
from soak.simulation.compiled.library import Unavailable
from soak.simulation.plan import Plan
from soak.simulation.queue.compiled import CompiledQueueModel, kernel
from soak.simulation.recorder import Recorder
from soak.simulation.streams import BLOCK

SCENARIO = """
    version: 1
    name: many
    system: queue
    duration: {hours}h
    workload:
      kinds: [{{name: short, share: 50%}}, {{name: other, share: 50%, retry: {{max_attempts: 5}}}}]
      arrivals: {{rate: 10/s}}
      task: {{duration: {{distribution: lognormal, median: 2s, p95: 5s}}}}
    queue: {{workers: 100, dispatchers: 2, retry: {{max_attempts: 6, backoff: [10s]}}}}
    faults:
      - {{name: failing, type: transient_error, rate: 50%}}
      - {{name: again, type: duplicate_enqueue, rate: 5%}}
"""


def tables(hours: int, path: Path) -> tuple[int, int]:
    """Of a run to its end: how many blocks of tasks it has, and how many tables are kept."""
    path.write_text(SCENARIO.format(hours=hours))
    plan = Plan(load(path).scenario)
    recorder = Recorder(plan)
    model = CompiledQueueModel(plan, recorder)
    until_s = 0.0
    while model.ended_s is None and until_s < plan.horizon_s:
        model.run(until_s := until_s + 600.0)
        recorder.take(until_s)
    return plan.offered // BLOCK, len(model._answers.memory)


def test_the_number_of_tables_does_not_grow_with_the_run(tmp_path: Path) -> None:
    try:
        kernel()
    except Unavailable as reason:
        pytest.skip(str(reason))
    short, long = tables(2, tmp_path / "short.yaml"), tables(6, tmp_path / "long.yaml")
    assert long[0] >= 3 * short[0] - 1 > 40
    assert long[1] <= short[1] + 8
