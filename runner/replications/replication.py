"""One replication: plan, simulation and judge of a scenario with a seed of its own; no evidence is written."""

import gc
import math
from collections.abc import Iterator, Sequence

import msgspec
import numpy as np
from msgspec.structs import replace

from soak.runner.engine import BrokenOffError, execute, identify
from soak.runner.judge.folds import Fold, Sketch
from soak.runner.judge.growth import Growth
from soak.runner.judge.judge import Judge
from soak.runner.judge.need import Need, NotFollowedError
from soak.runner.targets.simulation import Simulation
from soak.schemas.errors import UsageError
from soak.schemas.evidence.verdict import OF_TELEMETRY, ObjectiveResult, Outcome, Status, Verdict
from soak.schemas.language.conditions import Objective, Reference
from soak.schemas.language.model import Scenario
from soak.schemas.language.registry import MEND, blame
from soak.schemas.language.slis import Aggregate, Sli
from soak.simulation.plan import Plan
from soak.simulation.redraws import Redraw, RedrawnSeed, Tilt, Weighed

EVENTS_AT_ONCE = 1 << 16
"""Events that are judged together, about. With more of them their memory would be given back, and cleared again each time."""

_SEED_BITS = 53
"""Seeds are written to JSON and to scenario files: 53 bits survive both."""


class Job(msgspec.Struct, frozen=True):
    """A replication to make: its place in the series, its seed, and the scenario.

    `in_full`: no abort condition ends it, and its outcome holds every SLI. `detailed`: its outcome holds histograms.
    `arrivals_seed`: of a run whose arrivals it is to have; None for its own. `redraws`, `tilt`: draws that are not those of the
    seed (see soak.simulation.redraws).
    """

    index: int
    seed: int
    scenario: Scenario
    in_full: bool = False
    detailed: bool = False
    arrivals_seed: int | None = None
    redraws: tuple[Redraw, ...] = ()
    tilt: Tilt | None = None


class ObjectiveOutcome(msgspec.Struct, frozen=True):
    """How one objective came out, in base units; `margin` is positive on the good side.

    `half_width`: of the interval of a mean, or of a growth of which something can be said; of a relative objective, of the
    interval of its logarithm. `buckets`: what was counted where, of a quantile in a detailed replication (see
    runner.judge.histogram).
    """

    status: Status
    value: float | None
    target: float | None
    margin: float | None
    samples: int
    half_width: float | None = None
    buckets: dict[int, int] = {}


class Replication(msgspec.Struct, frozen=True):
    """The outcome of one replication; `objectives` in the order of the scenario's.

    `aborted_by` names the abort condition that ended it, at `ended_s` of scenario time (of a job in full: that would have).
    `decided_s`, `decidable_s`: when the verdict on the objectives was known, as `decided_as`; without what only the end decides.
    `doubts` are the laws, alerts and faults (and `telemetry`) that prevented PASS. `slis`: in base units, of a job in full.
    `held`: the abort conditions that held, also those that end nothing. `weighed`: the likelihood ratio of a run with a tilt.
    """

    index: int
    seed: int
    verdict: Outcome
    ended_s: float
    aborted_by: str | None
    objectives: list[ObjectiveOutcome]
    doubts: list[str]
    slis: dict[str, float | None] = {}
    decided_as: str | None = None
    decided_s: float | None = None
    decidable_s: float | None = None
    held: list[str] = []
    weighed: Weighed | None = None


def seeds(base: int) -> Iterator[int]:
    """Independent seeds without end; the first n are the same whatever n is (`numpy.random.SeedSequence.spawn`)."""
    sequence = np.random.SeedSequence(base)
    while True:
        (child,) = sequence.spawn(1)
        yield int(child.generate_state(1, np.uint64)[0]) >> (64 - _SEED_BITS)


def jobs(scenario: Scenario, base: int, *, detailed: bool = False) -> Iterator[Job]:
    """The replications of a scenario, without end. Any scenario gets the same seeds of the same `base`: common random numbers."""
    for index, seed in enumerate(seeds(base)):
        yield Job(index, seed, scenario, detailed=detailed)


def jobs_in_turn(scenarios: Sequence[Scenario], base: int, arrivals_seed: int | None) -> Iterator[Job]:
    """Replications without end, each of the next scenario: of one whose parameters are uncertain, in several versions."""
    for index, seed in enumerate(seeds(base)):
        yield Job(index, seed, scenarios[index % len(scenarios)], arrivals_seed=arrivals_seed)


def paired_jobs(base: Scenario, variant: Scenario) -> Iterator[Job]:
    """Replications of two scenarios by turns, both of a pair with the same seed, without end. Seeds are those of the base."""
    for index, seed in enumerate(seeds(base.seed)):
        yield Job(2 * index, seed, base, in_full=True)
        yield Job(2 * index + 1, seed, variant, in_full=True)


def replicate(job: Job) -> Replication:
    """Make one replication. It depends on nothing but the job. Raises UsageError if a system of another package fails."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        seed = RedrawnSeed(job.seed, job.redraws, job.tilt) if job.redraws or job.tilt else job.seed
        verdict, judge = _run(job, seed)
    except Exception as error:
        # Whoever waits for the result elsewhere sees no frames of this process.
        if blamed := blame(error.__cause__ if isinstance(error, BrokenOffError) and error.__cause__ else error):
            raise UsageError(f"{blamed} ({MEND})") from None
        raise
    finally:
        if collecting:
            gc.enable()
    weighed = (
        seed.tilted(job.scenario.workload, verdict.ended_s) if isinstance(seed, RedrawnSeed) and job.tilt else None
    )
    return _outcome(job, verdict, judge, weighed)


def _run(job: Job, seed: int) -> tuple[Verdict, Judge]:
    target = Simulation(most_events=EVENTS_AT_ONCE)
    identity = identify(job.scenario, "", job.seed, target, abort=not job.in_full)

    def judged(need: Need) -> tuple[Verdict, Judge]:
        return execute(Plan(job.scenario, seed, arrivals_seed=job.arrivals_seed), target, identity, need=need)

    need = Need(findings=False, slis=job.in_full, intervals=False)
    try:
        return judged(need)
    except NotFollowedError:
        return judged(replace(need, compiled=False))


def _outcome(job: Job, verdict: Verdict, judge: Judge, weighed: Weighed | None) -> Replication:
    held = [(each.held_at_s, each.name) for each in verdict.aborts if each.held_at_s is not None and each.stopped]
    return Replication(
        job.index,
        job.seed,
        verdict.verdict,
        verdict.ended_s,
        min(held)[1] if held else None,
        [
            _objective(judge, each, result, job.detailed)
            for each, result in zip(job.scenario.objectives, verdict.objectives, strict=True)
        ],
        _doubts(verdict),
        verdict.slis if job.in_full else {},
        *_early(verdict),
        [each.name for each in verdict.aborts if each.held_at_s is not None],
        weighed,
    )


def _early(verdict: Verdict) -> tuple[str | None, float | None, float | None]:
    """As what, and when, the verdict on the objectives was known; and when without what only the end decides."""
    known = verdict.decided
    return (known.status, known.at_s, known.decidable_at_s) if known else (None, None, None)


def _doubts(verdict: Verdict) -> list[str]:
    """What prevented PASS beside its objectives. An abort leaves much undone: then only what is broken counts."""
    results = (
        *((f"law {each.law}", each.status) for each in verdict.laws),
        *((f"alert {each.name}", each.status) for each in verdict.alerts),
        *((f"fault {each.name}", each.status) for each in verdict.faults),
    )
    if verdict.verdict is Outcome.ABORTED:
        return [what for what, status in results if status is Status.FAIL]
    doubts = [what for what, status in results if status not in {None, Status.PASS, Status.NOT_APPLICABLE}]
    lost = any(reason.kind in OF_TELEMETRY for reason in verdict.typed_reasons)
    return [*doubts, *(["telemetry"] if lost else [])]


def _objective(judge: Judge, objective: Objective, result: ObjectiveResult, detailed: bool) -> ObjectiveOutcome:
    sli = objective.comparison.sli
    fold = judge.folds.fold(sli, judge.labels.selected(objective.comparison.selector))
    relative = isinstance(objective.comparison.target, Reference)
    has_width = _has_half_width(fold, sli)
    return ObjectiveOutcome(
        result.status,
        result.value,
        result.target,
        result.margin,
        result.samples,
        _half_log_width(result) if relative else _half_width(result) if has_width else None,
        fold.histogram.nonzero()
        if detailed and isinstance(fold, Sketch) and sli.aggregate is Aggregate.QUANTILE
        else {},
    )


def _has_half_width(fold: Fold, sli: Sli) -> bool:
    return fold.longer == 1 if isinstance(fold, Growth) else sli.aggregate is Aggregate.MEAN


def _half_width(result: ObjectiveResult) -> float | None:
    low, high = result.interval or (None, None)
    return None if low is None or high is None else (high - low) / 2


def _half_log_width(result: ObjectiveResult) -> float | None:
    low, high = result.interval or (None, None)
    return math.log(high / low) / 2 if low and high and 0 < low < high < math.inf else None
