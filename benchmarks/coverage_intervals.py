"""Coverage of the intervals of one run: queues of known distribution, shares with clusters of failures, whole scenarios."""

import math
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
from experiment import Row

from soak.runner.judge.confidence import Evidence
from soak.runner.judge.course import Course
from soak.runner.judge.folds import Fold, Sketch, Tally
from soak.runner.judge.judge import Judge
from soak.runner.judge.samples import Samples
from soak.runner.session import collection_paused
from soak.runner.targets.simulation import Simulation
from soak.schemas.language.load import load
from soak.schemas.language.slis import LATENCY, SUCCESS_RATE, Sli
from soak.schemas.stream.block import Floats
from soak.simulation.plan import Plan

WANTED = "93 to 97 %, or none"
SCENARIOS = Path(__file__).parent.parent / "scenarios"
DAY_S = 86_400.0
CONFIDENCE = 0.95
MEAN, P50, P95, P99, _ = LATENCY


def evidence(sli: Sli, values: Floats, *, dependent: bool = True) -> Evidence:
    """The evidence of values in time order; not `dependent`: as if they were independent."""
    fold: Fold = Tally() if sli in {SUCCESS_RATE, MEAN} else Sketch()
    samples = Samples(np.arange(len(values), dtype=np.float64), values)
    fold.observe(samples)
    course = Course(ranked=sli is not SUCCESS_RATE) if dependent else None
    if course is not None:
        course.observe(samples)
    return Evidence(sli, fold, course)


class Count:
    """How often an interval was given, and held the truth."""

    def __init__(self) -> None:
        self.runs = self.stated = self.held = self.held_before = 0
        self.had_before = True

    def add(self, truth: float, now: Evidence, before: Evidence) -> None:
        """One run."""
        self.runs += 1
        interval, earlier = now.statement(CONFIDENCE).interval, before.interval(CONFIDENCE)
        self.stated += interval is not None
        self.held += interval is not None and interval[0] <= truth <= interval[1]
        self.held_before += earlier is not None and earlier[0] <= truth <= earlier[1]

    def row(self, statement: str, case: str) -> Row:
        """What came of all."""
        after = self.held / self.stated if self.stated else None
        before = self.held_before / self.runs if self.had_before else None
        return Row(statement, case, WANTED, before, after, self.stated / self.runs, self.runs)


def sojourns(rng: np.random.Generator, count: int, rho: float, rate: float, warmup: int = 20_000) -> Floats:
    """Times in an M/M/1 queue, in order of departure, by Lindley's recursion (1952)."""
    gaps, services = rng.exponential(1 / rate, count + warmup), rng.exponential(rho / rate, count + warmup)
    walk = np.concatenate([[0.0], np.cumsum(services[:-1] - gaps[1:])])
    waits = walk - np.minimum.accumulate(np.minimum(walk, 0.0))
    times: Floats = np.round((waits + services)[warmup:], 6)
    return times


def queues(runs: int) -> Iterator[Row]:
    """M/M/1 over 24 hours."""
    for per_minute in (5, 30):
        for rho in (0.5, 0.7, 0.9):
            rate = per_minute / 60
            counts = {sli: Count() for sli in (MEAN, P50, P95, P99)}
            rng = np.random.default_rng([per_minute, round(100 * rho)])
            mean = rho / rate / (1 - rho)
            for _ in range(runs):
                values = sojourns(rng, round(rate * DAY_S), rho, rate)
                for sli, count in counts.items():
                    truth = mean if sli is MEAN else -math.log(1 - sli.q) * mean
                    count.add(truth, evidence(sli, values), evidence(sli, values, dependent=False))
            counts[MEAN].had_before = False  # Means had no interval.
            for sli, count in counts.items():
                yield count.row(f"interval of {sli.name}", f"M/M/1, 24 h, {per_minute}/min, rho {rho}")


def clustered(rng: np.random.Generator, count: int, share: float, size: float) -> Floats:
    """1 for what is good; failures come in runs of a geometric length of that mean."""
    good = np.ones(count)
    at = int(rng.geometric(share / size))
    while at < count:
        length = int(rng.geometric(1 / size))
        good[at : at + length] = 0.0
        at += length + int(rng.geometric(share / size))
    return good


def shares(runs: int) -> Iterator[Row]:
    """Success rates with failures that come one at a time, and in clusters."""
    for count, share, size in ((200, 0.1, 1), (2_000, 0.03, 1), (27_000, 0.01, 1), (2_000, 0.1, 5), (27_000, 0.03, 30)):
        rng = np.random.default_rng([count, round(1000 * share), size])
        made = [clustered(rng, count, share, size) for _ in range(runs)]
        # In the long run a failure cluster of mean `size` follows a gap of mean `size / share`.
        truth = (
            1 - size / (size + size / share) if size > 1 else float(np.mean([clustered(rng, 200_000, share, 1).mean()]))
        )
        found = Count()
        for values in made:
            found.add(truth, evidence(SUCCESS_RATE, values), evidence(SUCCESS_RATE, values, dependent=False))
        yield found.row("interval of success_rate", f"{count:,} tasks, {share:.0%} fail, {size} at a time")


def judged(path: Path, settings: tuple[str, ...]) -> Callable[[int], Judge]:
    """The judge of a run of a scenario with a seed, all observed."""
    scenario = load(path, settings=settings).scenario

    def run(seed: int) -> Judge:
        target = Simulation()
        with collection_paused(target):
            plan = Plan(scenario, seed)
            judge = Judge(scenario, plan.vocabulary, abort=False)
            for block in target.run(plan):
                for _ in judge.observe(block):
                    pass
        return judge

    return run


def whole(name: str, case: str, run: Callable[[int], Judge], sli: str, runs: int) -> Row:
    """An indicator of whole scenarios; the truth is the mean over other seeds, four times as many."""
    truth = float(np.mean([_value(run(1_000 + seed), sli) for seed in range(4 * runs)]))
    found = Count()
    for seed in range(runs):
        judge = run(seed)
        chosen = judge.scenario.slis[sli]
        fold, course = judge.folds.fold(chosen), judge.folds.course(chosen)
        found.add(truth, Evidence(chosen, fold, course, judge.schedule), Evidence(chosen, fold, None))
    return found.row(name, case)


def _value(judge: Judge, sli: str) -> float:
    return judge.sli_value(judge.scenario.slis[sli])


def rows(runs: int) -> list[Row]:
    """All cases."""
    fewer = max(20, runs // 2)
    three = judged(SCENARIOS / "72h.yaml", ("queue.workers=3",))
    breaker = judged(Path(__file__).with_name("breaker.yaml"), ())
    cases: list[Callable[[], Row]] = [
        partial(whole, "interval of latency_p95", "72h.yaml, 3 workers", three, "latency_p95", fewer),
        partial(whole, "interval of success_rate", "circuit breaker, 1 h", breaker, "success_rate", fewer),
    ]
    return [*queues(runs), *shares(runs), *(case() for case in cases)]
