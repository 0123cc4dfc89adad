"""Runs of the model that are recorded, for tests of the evidence they leave."""

from collections.abc import Callable, Sequence
from pathlib import Path

from histories import scenario_text

from soak.runner.engine import execute, identify, never
from soak.runner.evidence.directory import RunDirectory
from soak.runner.evidence.record import Recording
from soak.runner.targets.simulation import Simulation
from soak.schemas.language.load import load
from soak.simulation.plan import Plan

SCENARIO = """
name: small
duration: 20m
drain: 10m
seed: 3
workload: {arrivals: {rate: 37/min}, task: {duration: {distribution: exponential, mean: 3s}}}
queue: {dispatchers: 3, claim_time: 200ms, lease: {duration: 30s, heartbeat: 10s}, retry: {backoff: [10s]}}
checkpoints: {every: 5m}
faults:
  - {name: net, type: transient_error, rate: 10%, errors: [timeout, refused]}
  - {name: twice, type: duplicate_enqueue, rate: 5%}
  - {name: crash, type: worker_crash, rate: 2%}
  - {name: down, type: db_outage, at: 8m, for: 1m}
slis:
  alerts: {count: [alert.fired, task.retry]}
slos:
  - success_rate >= 90%
  - alerts <= 1000
  - {objective: latency_p95 <= 10m, confidence: 95%}
alerts:
  - {name: slow, when: latency_p95 > 30s, window: 2m}
  - {name: stuck, when: stall_time >= 20s, severity: critical, expect: {of: down, fires_within: 1m}}
"""
ABORT = "abort: [{name: stuck, when: stall_time >= 30s}]\n"


def record(
    place: Path,
    text: str,
    *,
    abort: bool = True,
    interrupted: Callable[[], bool] = never,
    tier: str | None = None,
    settings: Sequence[str] = (),
) -> RunDirectory:
    """Run a scenario in `place` and seal its evidence, without a report."""
    source = place / "small.yaml"
    source.write_text(scenario_text(text), encoding="utf-8")
    loaded = load(source, tier=tier, settings=settings)
    plan, target = Plan(loaded.scenario), Simulation()
    identity = identify(loaded.scenario, loaded.sha256, plan.seed, target, abort=abort)
    with Recording.start(place / "recorded", loaded, identity, plan) as recording:
        verdict, judge = execute(plan, target, identity, [recording], (), interrupted)
        recording.finish(verdict, judge)
        recording.seal()
    return recording.directory
