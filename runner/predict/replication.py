"""One replication: plan, simulation and judge of a scenario with a seed of its own; no evidence is written."""

import gc
from collections.abc import Iterator

import msgspec
import numpy as np

from runner.engine import execute, identify
from runner.targets.simulation import Simulation
from schemas.model import Scenario
from schemas.verdict import Outcome, Status, Verdict
from simulation.plan import Plan

_SEED_BITS = 53
"""Seeds stand in JSON and in scenario files: 53 bits survive both."""


class Job(msgspec.Struct, frozen=True):
    """A replication to make: its place in the series, its seed, and the scenario.

    `arrivals_seed`: of a run whose arrivals it is to have; None for its own.
    """

    index: int
    seed: int
    scenario: Scenario
    arrivals_seed: int | None = None


class ObjectiveOutcome(msgspec.Struct, frozen=True):
    """How one objective came out, in base units; `margin` is positive on the good side."""

    status: Status
    value: float | None
    target: float | None
    margin: float | None
    samples: int


class Replication(msgspec.Struct, frozen=True):
    """The outcome of one replication; `objectives` in the order of the scenario's.

    `aborted_by` names the abort condition that ended it, at `ended_s` of scenario time. `doubts` are the laws, alerts and faults
    that kept it from PASS.
    """

    index: int
    seed: int
    verdict: Outcome
    ended_s: float
    aborted_by: str | None
    objectives: list[ObjectiveOutcome]
    doubts: list[str]


def seeds(base: int) -> Iterator[int]:
    """Independent seeds without end; the first n are the same whatever n is (`numpy.random.SeedSequence.spawn`)."""
    sequence = np.random.SeedSequence(base)
    while True:
        for child in sequence.spawn(64):
            yield int(child.generate_state(1, np.uint64)[0]) >> (64 - _SEED_BITS)


def jobs(scenario: Scenario, base: int) -> Iterator[Job]:
    """The replications of a scenario, without end. Any scenario gets the same seeds of the same `base`: common random numbers."""
    for index, seed in enumerate(seeds(base)):
        yield Job(index, seed, scenario)


def replicate(job: Job) -> Replication:
    """Make one replication. It depends on nothing but the job."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        verdict = _run(job)
    finally:
        if collecting:
            gc.enable()
    return _outcome(job, verdict)


def _run(job: Job) -> Verdict:
    target = Simulation()
    plan = Plan(job.scenario, job.seed, arrivals_seed=job.arrivals_seed)
    verdict, _ = execute(plan, target, identify(job.scenario, "", job.seed, target, abort=True))
    return verdict


def _outcome(job: Job, verdict: Verdict) -> Replication:
    held = [(each.held_at_s, each.name) for each in verdict.aborts if each.held_at_s is not None]
    results = (
        *((f"law {each.law}", each.status) for each in verdict.laws),
        *((f"alert {each.name}", each.status) for each in verdict.alerts),
        *((f"fault {each.name}", each.status) for each in verdict.faults),
    )
    return Replication(
        job.index,
        job.seed,
        verdict.verdict,
        verdict.ended_s,
        min(held)[1] if verdict.verdict is Outcome.ABORTED else None,
        [ObjectiveOutcome(o.status, o.value, o.target, o.margin, o.samples) for o in verdict.objectives],
        [what for what, status in results if status not in {None, Status.PASS}],
    )
