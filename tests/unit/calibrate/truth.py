"""Runs whose parameters are known: simulations."""

import textwrap
from pathlib import Path

from soak.runner.api import simulate_scenario
from soak.runner.calibrate.attempts import kept_events
from soak.runner.calibrate.part import Part
from soak.runner.calibrate.request import Request
from soak.runner.calibrate.session import Estimates, estimate
from soak.runner.calibrate.source import Source
from soak.runner.engine import identify
from soak.runner.evidence.directory import RunDirectory
from soak.runner.judge.samples import Facts
from soak.runner.targets.simulation import Simulation
from soak.schemas.evidence.verdict import End
from soak.schemas.language.load import Loaded, load
from soak.schemas.language.windows import Window
from soak.schemas.stream.block import Block

REQUEST = Request(run=Path(), hold_back=0.3, replications=40, for_speed=1.0, estimates=False, least=0.05, seed=1)

SCENARIO = """
    version: 1
    name: truth
    system: queue
    duration: 3h
    drain: 1h
    seed: 1
    workload:
      arrivals: {rate: 5/min, burst: {every: 1h, for: 5m, rate: 20/min}}
      task: {duration: {distribution: lognormal, median: 8s, p95: 20s}}
      tenants: [{name: a, share: 70%}, {name: b, share: 30%}]
    queue: {workers: 10, poll_interval: 1s, lease: {duration: 2m, heartbeat: 30s}, worker_restart: 5s}
    faults:
      - {name: transient, type: transient_error, rate: 10%, errors: [network, timeout]}
      - {name: db-lock, type: db_lock, rate: 2%}
      - {name: duplicates, type: duplicate_enqueue, rate: 1%}
      - {name: over-budget, type: guardrail_exceed, rate: 1%}
      - {name: crash, type: worker_crash, rate: 3%}
    slos: [success_rate >= 50%]
"""


class Kept:
    """A sink that keeps all blocks."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []

    def append(self, block: Block, facts: Facts) -> None:
        self.blocks.append(block)


def scenario(tmp_path: Path, *settings: str, text: str = SCENARIO) -> Loaded:
    path = tmp_path / "s.yaml"
    path.write_text(textwrap.dedent(text))
    return load(path, settings=settings)


def simulated(loaded: Loaded, seed: int) -> Source:
    """A run of the scenario against the model, in memory."""
    kept = Kept()
    _, judge = simulate_scenario(loaded, seed=seed, sinks=(kept,))
    identity = identify(loaded.scenario, loaded.sha256, seed, Simulation(), abort=True)
    directory = RunDirectory(Path("nowhere"))
    events = kept_events(kept.blocks)
    return Source(directory, loaded, identity, judge.vocabulary, events, End.COMPLETED, judge.until_s, 0)


def estimated(source: Source, window: Window | None = None, request: Request = REQUEST) -> Estimates:
    """Estimates from a part of a run; by default from all of it."""
    return estimate(source, window or Window(0.0, source.loaded.scenario.duration_s), 1.0, request)


def part_of(source: Source) -> Part:
    """The whole run as a part."""
    scenario = source.loaded.scenario
    window = Window(0.0, scenario.duration_s)
    return Part.of(scenario, source.vocabulary, source.events, window, source.ended_s, 1.0)
