"""Two runs to compare: histories as arrays, recorded simulations, and copies of them with a difference planted."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from histories import block_of, scenario_text

from soak.runner.engine import execute, identify
from soak.runner.evidence.record import Recording
from soak.runner.parity.figures import Measure, Pairs, latency_figures, task_figures
from soak.runner.parity.outcomes import Outcomes
from soak.runner.targets.simulation import Simulation
from soak.schemas.evidence.parity import Figure
from soak.schemas.language.load import load
from soak.simulation.plan import Plan

SCENARIO = """
name: small
duration: 20m
drain: 20m
seed: 3
workload: {arrivals: {rate: 20/min}, task: {duration: {distribution: exponential, mean: 3s}}}
queue: {workers: 4, lease: {duration: 30s, heartbeat: 10s}, retry: {max_attempts: 3, backoff: [10s]}}
faults:
  - {name: net, type: transient_error, rate: 10%, errors: [timeout]}
  - {name: twice, type: duplicate_enqueue, rate: 5%}
slis:
  failures: {count: [task.retry]}
  memory: {gauge: {of: sample.rss}, unit: size}
slos: [success_rate >= 90%]
"""


def pairs(base: str, run: str, size: int = 100) -> Pairs:
    """Two histories, task by task."""
    outcomes = Outcomes(size), Outcomes(size)
    for each, history in zip(outcomes, (base, run), strict=True):
        each.observe(block_of(history))
    return Pairs(*outcomes)


def figures_of(both: Pairs, speed: float = 1.0) -> dict[str, Figure]:
    """The figures of tasks, attempts and latency, by name."""
    measure = Measure(speed)
    found = [*task_figures(both, measure), *latency_figures(both.latencies(), measure)]
    return {figure.name: figure for figure in found}


def simulate(place: Path, text: str, settings: Sequence[str] = (), *, seed: int | None = None) -> Path:
    """Run a scenario in `place` and keep its evidence; returns the run directory."""
    source = place / "small.yaml"
    source.write_text(scenario_text(text), encoding="utf-8")
    loaded = load(source, settings=settings)
    plan, target = Plan(loaded.scenario, seed), Simulation()
    identity = identify(loaded.scenario, loaded.sha256, plan.seed, target, abort=True)
    with Recording.start(place / "run", loaded, identity, plan) as recording:
        recording.finish(*execute(plan, target, identity, [recording]))
        recording.seal()
    return recording.directory.path


Event = dict[str, Any]


def plant(original: Path, copy: Path, change: Callable[[Event], Event | None], **header: object) -> Path:
    """A copy of a run whose events `change` has changed, or dropped (None); they are put in time order again."""
    shutil.copytree(original, copy)
    stream = copy / "soak_small.jsonl"
    first, *events = [json.loads(line) for line in stream.read_text(encoding="utf-8").splitlines()]
    kept = sorted((new for event in events if (new := change(event)) is not None), key=lambda event: event["t"])
    lines = [json.dumps(event) for event in [{**first, **header}, *kept]]
    stream.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return copy


def edit_verdict(directory: Path, **changes: object) -> Path:
    """Change what verdict.json says; `slis` are merged."""
    path = directory / "verdict.json"
    verdict = json.loads(path.read_text(encoding="utf-8"))
    slis = {**verdict["slis"], **changes.pop("slis", {})}  # type: ignore[dict-item]
    path.write_text(json.dumps({**verdict, **changes, "slis": slis}), encoding="utf-8")
    return directory
