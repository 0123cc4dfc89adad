"""Planted defects of the real pipeline are found by the checks meant for them, and a sound one raises nothing.

Some of them, in a short scenario; `soak selftest --target pipeline` runs all of them.
"""

from concurrent.futures import ThreadPoolExecutor

import pytest

from soak.runner.selftest.matrix import Bench, TrialResult, run_trials
from soak.runner.targets.trials import Trial
from soak.systems.pipeline.defects import VARIABLE, Defect

SCENARIO = """
version: 1
name: short
system: pipeline
duration: 1m
drain: 1m
workload: {arrivals: {rate: 10/s, process: constant}}
pipeline:
  processes:
    - {name: harvest, reads: source, writes: raw}
    - {name: signal, reads: raw, writes: signals}
    - {name: broker, reads: signals, writes: orders, passes: confirmed}
    - {name: report, reads: signals}
  sinks: [{name: jsonl, of: signals}, {name: sqlite, of: signals, batch: {rows: 500, every: 5s}}]
  supervisor:
    health: {every: 20s, timeout: 20s}
    restart: {backoff: {initial: 5s, max: 5s}}
    shutdown: {order: [report, broker, signal, harvest], grace: 40s}
faults: [{name: term, type: term_during_batch, process: signal, at: 20s}]
evidence: lenient
slos:
  - lost_records{sink=*} == 0
  - duplicate_records{sink=*} == 0
  - sink_difference{figure=total} <= 0.1%
  - restarts{process=signal} == 1
  - shutdown_order_violations == 0
  - orphans{process=*} == 0
"""
BATCH_LOST = ("objective lost_records{sink=sqlite} == 0", "objective sink_difference{figure=total} <= 0.1%")
TRIALS = (
    Trial(None, "short"),
    Trial(Defect.BATCH_LOST_AT_TERM, "short", BATCH_LOST),
    Trial(Defect.LOGS_TRUNCATED, "short", ("law logs",)),
    Trial(Defect.WRONG_SHUTDOWN_ORDER, "short", ("objective shutdown_order_violations == 0",)),
)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[TrialResult]:
    """The results of all trials, which run at the same time."""
    folder = tmp_path_factory.mktemp("trials")
    (folder / "short.yaml").write_text(SCENARIO)
    bench = Bench("pipeline", VARIABLE, folder, 10.0)

    def run(trial: Trial) -> TrialResult:
        return run_trials([trial], bench, folder / trial.name, lambda _: None)[0]

    with ThreadPoolExecutor(len(TRIALS)) as pool:
        return list(pool.map(run, TRIALS))


@pytest.mark.parametrize("place", range(len(TRIALS)), ids=[trial.name for trial in TRIALS])
def test_it_comes_out_as_meant(results: list[TrialResult], place: int) -> None:
    found = results[place]
    assert found.as_meant, found.found


def test_each_defect_is_found_by_no_other_check(results: list[TrialResult]) -> None:
    for trial, result in zip(TRIALS, results, strict=True):
        assert {each.check for each in result.found} <= {*trial.meant}, trial.name
