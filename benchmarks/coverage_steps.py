"""How often change points are found where nothing changes, and where something does: rows for `benchmarks/coverage.py`.

python benchmarks/coverage_steps.py 200
"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
from experiment import Row
from msgspec.structs import replace

from soak.runner.engine import execute, identify
from soak.runner.judge.changepoints.divisive import divide
from soak.runner.judge.changepoints.find import CAUTION, Recorded, change_points, changes_of
from soak.runner.judge.course import Course
from soak.runner.judge.need import Need
from soak.runner.judge.samples import Samples
from soak.runner.targets.simulation import Simulation
from soak.schemas.evidence.changepoints import FAMILY_ERROR, ChangeKind, SeriesChanges
from soak.schemas.language.comparison import Context, objectives
from soak.schemas.language.load import load
from soak.schemas.language.model import Scenario
from soak.schemas.stream.block import Floats, quantise
from soak.simulation.plan import Plan

HOUR_S = 3600.0
SERIES = 4
"""Series of a run, which share the error."""

_PATH = Path(__file__).resolve().parents[1] / "scenarios" / "72h.yaml"
_STEP, _QUIET, _ANY = "step found", "change point by mistake", "<= 5 %"

Generator = np.random.Generator
Outcome = tuple[bool, bool]
"""Of a run: whether it is counted, and whether anything was stated."""


def rows(runs: int) -> list[Row]:
    """False alarms and power; `runs` of each case."""
    return [*_stationary(runs), *_stepping(runs)]


def _row(statement: str, case: str, wanted: str, runs: int, trial: Callable[[Generator], Outcome]) -> Row:
    found = [trial(np.random.default_rng([runs, seed])) for seed in range(runs)]
    stated = sum(told for _, told in found)
    after = sum(counted for counted, told in found if told) / stated if stated else None
    return Row(statement, case, wanted, None, after, stated / runs, runs)


# Nothing changes.


def _stationary(runs: int) -> Iterator[Row]:
    for count, lags in ((72, (0.0, 0.3, 0.5, 0.7, 0.9)), (40, (0.5, 0.7)), (24, (0.5, 0.9))):
        for lag1 in lags:
            case = f"{SERIES} series of {count} windows, AR(1) {lag1:g}"
            yield _row(_QUIET, case, _ANY, runs, partial(_windows, partial(_autoregressive, lag1=lag1, count=count)))
    yield _row(_QUIET, f"{SERIES} series of 72 windows, random walks", _ANY, runs, partial(_windows, _walk))
    yield _row(_QUIET, f"{SERIES} series of 72 windows, lognormal AR(1) 0.5", _ANY, runs, partial(_windows, _heavy))
    yield _row(_QUIET, f"{SERIES} series of 72 windows, mostly zeros", _ANY, runs, partial(_windows, _zeros))
    yield _row(
        _QUIET, f"{SERIES} series of 72 windows, a daily cycle as large as noise", _ANY, runs, partial(_windows, _cycle)
    )
    for rho, hours, service_s in ((0.7, 24, 10.0), (0.9, 24, 1.0), (0.9, 24, 10.0), (0.9, 72, 10.0)):
        case = f"M/M/1, rho {rho:g}, {hours} h, service {service_s:g} s: p50, p95, p99, mean"
        yield _row(_QUIET, case, _ANY, runs, partial(_queue, rho=rho, hours=hours, service_s=service_s))
    yield _row(_QUIET, "72h.yaml simulated, bursts every hour", _ANY, runs, _simulated)


def _windows(draw: Callable[[Generator], Floats], generator: Generator) -> Outcome:
    divisions = [divide(draw(generator), FAMILY_ERROR / CAUTION / SERIES) for _ in range(SERIES)]
    return any(each.splits for each in divisions), any(each.stated for each in divisions)


def _autoregressive(generator: Generator, lag1: float, count: int) -> Floats:
    noise = generator.standard_normal(count + 200)
    for place in range(1, len(noise)):
        noise[place] += lag1 * noise[place - 1]
    return noise[200:]


def _walk(generator: Generator) -> Floats:
    return generator.standard_normal(72).cumsum()


def _heavy(generator: Generator) -> Floats:
    return np.exp(_autoregressive(generator, 0.5, 72))


def _zeros(generator: Generator) -> Floats:
    return generator.poisson(0.2, 72).astype(np.float64)


def _cycle(generator: Generator) -> Floats:
    hours = np.arange(72) + 24 * generator.random()
    return generator.standard_normal(72) + np.sqrt(2) * np.sin(2 * np.pi * hours / 24)


def _queue(generator: Generator, rho: float, hours: int, service_s: float) -> Outcome:
    """Waiting by Lindley's recursion, after as much of it as fills the queue."""
    early = 20_000
    count = early + int(hours * HOUR_S * rho / service_s)
    apart, served = generator.exponential(service_s / rho, count), generator.exponential(service_s, count)
    walk = np.append(0.0, np.cumsum(served[:-1] - apart[1:]))
    latency = (walk - np.minimum.accumulate(walk) + served)[early:]
    ended = np.cumsum(apart)[early:] + latency
    ended = (ended - ended[0]) * hours * HOUR_S / (ended[-1] - ended[0])
    scenario = _scenario(hours=hours, bursts=False)
    found = changes_of(
        [_recorded(scenario, f"latency_{name} <= 1h", ended, latency) for name in ("p50", "p95", "p99", "mean")],
        scenario,
        [],
        hours * HOUR_S,
    )
    return _any(found)


def _simulated(generator: Generator) -> Outcome:
    scenario, seed, target = load(_PATH).scenario, int(generator.integers(2**40)), Simulation()
    identity = identify(scenario, "", seed, target, abort=False)
    _, judge = execute(Plan(scenario, seed), target, identity, need=Need(findings=False))
    return _any(change_points(judge))


def _any(found: list[SeriesChanges]) -> Outcome:
    return any(each.points for each in found), any(not each.detail for each in found)


# Something changes.


def _stepping(runs: int) -> Iterator[Row]:
    for bursts in (True, False):
        how = "bursts every hour" if bursts else "no bursts"
        yield _row(
            _STEP,
            f"p95 from 80 to 140 s at 36 h, {how}, within an hour",
            ">= 95 %",
            runs,
            partial(_slower, bursts=bursts),
        )
    anywhere = partial(_slower, bursts=True, at_h=None)
    yield _row(_STEP, "p95 from 80 to 140 s at any time (12 to 60 h), within an hour", "", runs, anywhere)
    yield _row(_STEP, "success rate from 99 to 97 % at 36 h", ">= 95 %", runs, _fewer)
    yield _row(
        "interval holds the time", "success rate from 99 to 97 %", "93 to 100 %", runs, partial(_fewer, covered=True)
    )
    covered = partial(_slower, bursts=True, at_h=None, covered=True)
    yield _row("interval holds the time", "p95 from 80 to 140 s at any time", "93 to 100 %", runs, covered)
    small = partial(_slower, bursts=False, at_h=None, covered=True, after_s=90.0)
    yield _row(
        "interval holds the time", "p95 from 80 to 90 s at any time, where it is found", "93 to 100 %", runs, small
    )
    yield _row(_STEP, "memory from 200 to 220 MB, noise of 10 MB, AR(1) 0.9 by the minute", ">= 95 %", runs, _memory)
    yield _row("called a step", "memory that grows by 1 MB/h in the same noise", "<= 5 %", runs, _leak)


def _slower(
    generator: Generator, bursts: bool, at_h: float | None = 36.0, after_s: float = 140.0, covered: bool = False
) -> Outcome:
    scenario, at_s = _scenario(hours=72, bursts=bursts), HOUR_S * (generator.uniform(12, 60) if at_h is None else at_h)
    t = _arrivals(generator, bursts)
    level_s = np.where(t < at_s, 80.0, after_s) * np.where(bursts & (t % HOUR_S < 300), 1.3, 1.0)
    latency = level_s * np.exp(generator.normal(0.0, 0.7, len(t)) - 1.645 * 0.7)
    works = generator.random(len(t)) < 0.99
    found = changes_of(
        [
            _recorded(scenario, "latency_p95 <= 120s", t, latency),
            _recorded(scenario, "success_rate >= 97%", t, works.astype(np.float64)),
        ],
        scenario,
        [],
        72.5 * HOUR_S,
    )
    return _hit(found[0], at_s, covered=covered)


def _fewer(generator: Generator, covered: bool = False) -> Outcome:
    scenario, at_s, t = _scenario(hours=72, bursts=True), 36 * HOUR_S, _arrivals(generator, bursts=True)
    works = (generator.random(len(t)) < np.where(t < at_s, 0.99, 0.97)).astype(np.float64)
    found = changes_of([_recorded(scenario, "success_rate >= 97%", t, works)], scenario, [], 72 * HOUR_S)
    return _hit(found[0], at_s, covered=covered, within_s=np.inf)


def _memory(generator: Generator) -> Outcome:
    t = np.arange(0, 72 * HOUR_S, 60)
    found = _of_memory(generator, np.where(t < 36 * HOUR_S, 200e6, 220e6), t)
    return _hit(found, 36 * HOUR_S, covered=False)


def _leak(generator: Generator) -> Outcome:
    t = np.arange(0, 72 * HOUR_S, 60)
    found = _of_memory(generator, 200e6 + 1e6 * t / HOUR_S, t)
    return any(point.kind is ChangeKind.STEP for point in found.points), not found.detail


def _of_memory(generator: Generator, level: Floats, t: Floats) -> SeriesChanges:
    scenario = _scenario(hours=72, bursts=False)
    noise = _autoregressive(generator, 0.9, len(t)) * np.sqrt(1 - 0.9**2) * 10e6
    recorded = _recorded(scenario, "rss_growth <= 1MB/h", t, level + noise)
    return changes_of([recorded], scenario, [], 72 * HOUR_S)[0]


def _hit(found: SeriesChanges, at_s: float, *, covered: bool, within_s: float = HOUR_S) -> Outcome:
    """Whether a point lies near the change; of `covered`, whether the interval of the nearest holds it, if there is one."""
    nearest = min(found.points, key=lambda point: abs(point.at_s - at_s), default=None)
    if nearest is None:
        return False, not covered
    inside = nearest.interval[0] <= at_s <= nearest.interval[1]
    return inside if covered else abs(nearest.at_s - at_s) <= within_s, True


def _scenario(*, hours: int, bursts: bool) -> Scenario:
    scenario = load(_PATH).scenario
    workload = scenario.workload if bursts else replace(scenario.workload, burst=None)
    return replace(scenario, workload=workload, duration_s=hours * HOUR_S)


def _recorded(scenario: Scenario, objective: str, t: Floats, value: Floats) -> Recorded:
    (comparison,) = objectives(objective, Context(scenario.slis, {}))
    course = Course(ranked=True)
    for begin in range(0, len(t), 5000):
        part = slice(begin, begin + 5000)
        course.observe(Samples(quantise(t[part]), quantise(value[part])))
    return Recorded(comparison, course)


def _arrivals(generator: Generator, bursts: bool) -> Floats:
    """Of 72 hours at 5 a minute, and 20 in bursts of 5 minutes an hour."""
    minutes = np.arange(72 * 60)
    count = generator.poisson(np.where(bursts & (minutes % 60 < 5), 20.0, 5.0))
    return np.sort((np.repeat(minutes, count) + generator.random(count.sum())) * 60.0)
