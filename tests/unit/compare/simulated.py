"""Small simulated runs and pairs of replications, made in this process."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from soak.runner.engine import execute, identify
from soak.runner.evidence.record import Recording
from soak.runner.replications.replication import Job, Replication, replicate
from soak.runner.targets.simulation import Simulation
from soak.schemas.language.load import load
from soak.simulation.plan import Plan

SCENARIO = """
    version: 1
    name: small
    system: queue
    duration: 2h
    drain: 1h
    seed: 3
    workload:
      arrivals: {rate: 20/min}
      task: {duration: {distribution: exponential, mean: 8s}}
    queue: {workers: 4, lease: {duration: 1m, heartbeat: 10s}, retry: {max_attempts: 3, backoff: [10s]}}
    faults:
      - {name: net, type: transient_error, rate: 10%, errors: [timeout]}
      - {name: broken, type: permanent_error, rate: 2%}
      - {name: crash, type: worker_crash, rate: 1%}
      - {name: twice, type: duplicate_enqueue, rate: 5%}
      - {name: outage, type: db_outage, at: 10m, for: 2m}
    slos: [success_rate >= 50%]
    abort: [{name: slow, when: latency_p50 > 1h, window: 10m}]
    tiers: {short: {duration: 30m}}
"""


def write_scenario(place: Path) -> Path:
    place.mkdir(exist_ok=True)
    path = place / "small.yaml"
    path.write_text(textwrap.dedent(SCENARIO), encoding="utf-8")
    return path


def simulate(place: Path, *settings: str, tier: str | None = None) -> Path:
    """A run directory in `place`, without a report."""
    loaded = load(write_scenario(place), tier=tier, settings=settings)
    plan, target = Plan(loaded.scenario), Simulation()
    identity = identify(loaded.scenario, loaded.sha256, plan.seed, target, abort=True)
    with Recording.start(place / "run", loaded, identity, plan) as recording:
        recording.finish(*execute(plan, target, identity, [recording]))
        recording.seal()
    return recording.directory.path


@dataclass(frozen=True)
class Made:
    """A job that is done when it is asked for."""

    job: Job

    def result(self, timeout: float | None = None) -> Replication:
        return replicate(self.job)


class Here:
    """A pool of nobody but this process."""

    in_flight = 2

    def submit(self, job: Job) -> Made:
        return Made(job)

    def restart(self) -> bool:
        return False

    def close(self) -> None:
        """Nothing to end."""


def made(jobs: Sequence[Job]) -> list[Replication]:
    return [replicate(job) for job in jobs]
