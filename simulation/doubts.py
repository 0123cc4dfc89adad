"""What of a scenario can be seen beforehand not to happen: tasks that do not all arrive, conditions that cannot hold.

Everything here is a pure function of the scenario. It is not refused, since a run may be shortened for a quick look;
validate, plan and run warn of it.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from soak.schemas.errors import Where
from soak.schemas.language.expression import Op
from soak.schemas.language.faults import FaultType
from soak.schemas.language.model import Comparison, Condition, Process, Scenario
from soak.schemas.language.slis import Aggregate, Sli
from soak.schemas.language.windows import Window
from soak.schemas.units import show_count, show_duration
from soak.simulation.rate import Rate

_SURE = 0.99
"""All tasks arrive in a share of the runs that is at least so large: nothing is said."""

_HARDLY = 0.05
"""A condition could hold fewer times than this in a run, whatever is observed."""

_FAR = 5.0
"""Standard deviations that no run is away from what is expected."""

_ROUNDING = 1e-9
_LARGE = 1_000
"""From here on a Poisson distribution is taken for a normal one."""

_ONCE_A_TASK = frozenset({"success", "latency", "wait", "recovery", "first_call", "submission_lag", "recovery_time"})
"""Series with one observation of each task at most."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """What cannot happen, where the scenario asks for it, and what to write instead."""

    where: Where
    what: str
    remedy: str


def doubts(scenario: Scenario) -> tuple[Doubt, ...]:
    """Everything that can be seen not to happen."""
    arrivals = _Arrivals(scenario)
    return (
        *_tasks(scenario, arrivals),
        *_faults(scenario),
        *_objectives(scenario, arrivals),
        *_conditions(scenario, arrivals),
    )


class _Arrivals:
    """How many tasks come: at most in the run, and how often at the busiest time."""

    def __init__(self, scenario: Scenario) -> None:
        workload = scenario.workload
        self.rate = Rate(workload)
        self.regular = workload.process is Process.CONSTANT
        self.by_rate = self.rate.expected(scenario.duration_s)
        self.tasks = math.inf if workload.tasks is None else workload.tasks
        self.submissions = 1 + any(fault.type is FaultType.DUPLICATE_ENQUEUE for fault in scenario.faults)
        """A second submission may be a task of its own."""

    @property
    def count(self) -> int:
        """How many come at constant intervals: the first at the start."""
        return math.ceil(self.by_rate - _ROUNDING)

    @property
    def most(self) -> float:
        """Tasks beyond which no run comes."""
        by_rate = self.count if self.regular else self.by_rate + _FAR * math.sqrt(self.by_rate)
        return min(by_rate, self.tasks) * self.submissions

    def most_in(self, window: Window) -> float:
        """Tasks due in a stretch of the run beyond which no run comes."""
        mean = self.rate.expected(window.end_s) - self.rate.expected(window.start_s)
        most = math.ceil(mean - _ROUNDING) if self.regular else mean + _FAR * math.sqrt(mean)
        return most * self.submissions

    def peak_per_s(self, within_s: float) -> float:
        """The highest rate on average over a time so long."""
        burst_s = min(self.rate.burst_s, within_s)
        most = burst_s * max(self.rate.base_per_s, self.rate.burst_per_s) + (within_s - burst_s) * self.rate.base_per_s
        return most / within_s


def _tasks(scenario: Scenario, arrivals: _Arrivals) -> Iterator[Doubt]:
    tasks, within = scenario.workload.tasks, show_duration(scenario.duration_s)
    if tasks is None:
        return
    where: Where = ("workload", "tasks")
    if arrivals.regular:
        if arrivals.count < tasks:
            what = f"only {arrivals.count:,} of {tasks:,} tasks arrive in {within}: the verdict will be INCONCLUSIVE"
            yield Doubt(where, what, _longer(arrivals, float(tasks)))
        return
    mean = arrivals.by_rate
    chance = 1 - _normal_below(tasks, mean) if mean else 0.0
    if chance < _SURE:
        what = f"{tasks:,} tasks arrive in {within} in {chance:.0%} of runs; the verdict of the others is INCONCLUSIVE"
        yield Doubt(where, what, _longer(arrivals, tasks + 3.1 * math.sqrt(tasks) + 5))


def _longer(arrivals: _Arrivals, count: float) -> str:
    needed_s = arrivals.rate.time_of(count)
    if math.isinf(needed_s):
        return "raise the rate"
    return f"raise duration to {show_duration(math.ceil(needed_s / 60 - _ROUNDING) * 60)}, or raise the rate"


def _faults(scenario: Scenario) -> Iterator[Doubt]:
    """Crashes of a dependency that is gone already: they strike nothing."""
    gone: list[tuple[str, Window, str]] = []
    for place, fault in enumerate(scenario.faults):
        for window in fault.windows if fault.type is FaultType.DEPENDENCY_CRASH else ():
            for dependency, other, name in gone:
                if dependency == fault.dependency and window.start_s < other.end_s and other.start_s < window.end_s:
                    what = (
                        f"{fault.name} and {name} take {dependency} away at the same time: one of them strikes nothing"
                    )
                    yield Doubt(("faults", place), what, "let them follow each other")
                    break
            gone.append((fault.dependency, window, fault.name))


def _objectives(scenario: Scenario, arrivals: _Arrivals) -> Iterator[Doubt]:
    for objective in scenario.objectives:
        sampled = _is_sampled(objective.comparison.sli)
        begin_s = scenario.warmup_s if sampled else 0.0
        most = _most_samples(scenario, arrivals, objective.comparison, begin_s)
        if objective.min_samples > most:
            what = f"{objective.comparison.text}: {_too_few(objective.min_samples, most)}: it will be INCONCLUSIVE"
            yield Doubt(("slos",), what, "lower min_samples, or lengthen the run")


def _conditions(scenario: Scenario, arrivals: _Arrivals) -> Iterator[Doubt]:
    for place, condition in enumerate(scenario.aborts):
        yield from _condition(scenario, arrivals, ("abort", place), condition)
    for place, alert in enumerate(scenario.alerts):
        where: Where = ("alerts", place)
        yield from _condition(scenario, arrivals, where, alert.condition)
        for_s, keep_s, expect = alert.condition.for_s, alert.keep_firing_for_s, alert.expect
        if expect and expect.fires_within_s is not None and expect.fires_within_s < for_s:
            what = (
                f"cannot fire within {show_duration(expect.fires_within_s)}: "
                f"the condition must hold for {show_duration(for_s)} first"
            )
            yield Doubt((*where, "expect", "fires_within"), what, "raise fires_within, or shorten for")
        if expect and expect.resolves_within_s is not None and expect.resolves_within_s < keep_s:
            what = f"cannot resolve within {show_duration(expect.resolves_within_s)}: it keeps firing for {show_duration(keep_s)}"
            yield Doubt(
                (*where, "expect", "resolves_within"), what, "raise resolves_within, or shorten keep_firing_for"
            )


def _condition(scenario: Scenario, arrivals: _Arrivals, where: Where, condition: Condition) -> Iterator[Doubt]:
    needs_s = _earliest_s(condition) + condition.for_s
    if needs_s > scenario.horizon_s + _ROUNDING:
        run = show_duration(scenario.horizon_s)
        what = f"cannot hold: it takes {show_duration(needs_s)}, and the run with its drain is over after {run}"
        key = "for" if condition.for_s else "window" if condition.window_s else "when"
        yield Doubt((*where, key), what, "write a shorter time, or lengthen the run")
        return
    aggregate, asked = condition.comparison.sli.aggregate, condition.min_samples
    if aggregate in {Aggregate.COUNT, Aggregate.RATE, Aggregate.LONGEST}:
        return
    most = _most_samples(scenario, arrivals, condition.comparison)
    if asked > most:
        yield Doubt(
            (*where, "min_samples"), f"cannot hold: {_too_few(asked, most)}", "write fewer, or lengthen the run"
        )
    elif condition.window_s is not None and (what := _thin(scenario, arrivals, condition, condition.window_s)):
        yield Doubt((*where, "window"), what, "write a longer window, a shorter for or a smaller min_samples")


def _earliest_s(condition: Condition) -> float:
    """How long it takes at least until a condition begins to hold."""
    comparison, aggregate = condition.comparison, condition.comparison.sli.aggregate
    if aggregate is Aggregate.LONGEST:
        return comparison.target if isinstance(comparison.target, float) else 0.0
    few = comparison.op in {Op.LT, Op.LE, Op.EQ} and aggregate in {Aggregate.COUNT, Aggregate.RATE}
    # Of few events a window speaks only once it is full.
    return condition.window_s or 0.0 if few else 0.0


def _too_few(asked: int, most: float) -> str:
    return f"asks for {asked:,} observations, and at most {math.floor(most):,} come"


def _most_samples(scenario: Scenario, arrivals: _Arrivals, comparison: Comparison, begin_s: float = 0.0) -> float:
    """Observations from `begin_s` on beyond which no run comes; infinite where that cannot be said."""
    sli, every_s = comparison.sli, scenario.telemetry.sample_interval_s
    if _is_sampled(sli):
        # None comes at the very start or end.
        first = max(1, math.ceil(begin_s / every_s - _ROUNDING))
        return math.ceil(scenario.horizon_s / every_s - _ROUNDING) - first
    if sli.series not in _ONCE_A_TASK:
        return math.inf
    phases = [phase.window for phase in scenario.phases if ("phase", phase.name) in comparison.selector]
    return min([arrivals.most, *(arrivals.most_in(window) for window in phases)])


def _is_sampled(sli: Sli) -> bool:
    """Whether an SLI sees samples that come at the sample interval."""
    irregular = {"memory", "memory_held", "sample.memory", "sample.memory_held", "sample.lost", "sample.state"}
    if sli.filters:
        types = {event.type for part in sli.filters for event in part}
        return sli.aggregate is Aggregate.GAUGE and len(types) == 1 and _is_regular_sample(types.pop(), irregular)
    return sli.aggregate is Aggregate.GAUGE and sli.series not in irregular


def _is_regular_sample(type_: str, irregular: set[str]) -> bool:
    return type_.startswith("sample.") and type_ not in irregular


def _thin(scenario: Scenario, arrivals: _Arrivals, condition: Condition, window_s: float) -> str:
    """What is wrong with a window that holds too little for as long as the condition must hold; empty if nothing is."""
    asked, for_s, sli = condition.min_samples, condition.for_s, condition.comparison.sli
    if _is_sampled(sli):
        every_s = scenario.telemetry.sample_interval_s
        if _regular_spell_s(window_s / every_s, every_s, asked) >= for_s and asked <= math.ceil(
            window_s / every_s - _ROUNDING
        ):
            return ""
        return f"cannot hold: {_holds_on_average(window_s, window_s / every_s, asked, for_s)}"
    if sli.series not in _ONCE_A_TASK or any(fault.by_time for fault in scenario.faults):
        # After an outage what has piled up comes to its end all at once.
        return ""
    per_s = arrivals.peak_per_s(window_s) * _share(scenario, condition)
    mean = per_s * window_s
    if arrivals.regular and asked <= mean + _ROUNDING:
        return ""
    if arrivals.regular and asked <= math.ceil(mean) and per_s and _regular_spell_s(mean, 1 / per_s, asked) >= for_s:
        return ""
    if not arrivals.regular and _spells(mean, per_s, asked, for_s, scenario.horizon_s) >= _HARDLY:
        return ""
    return f"can hardly hold: {_holds_on_average(window_s, mean, asked, for_s)}"


def _holds_on_average(window_s: float, mean: float, asked: int, for_s: float) -> str:
    holds = f"a window of {show_duration(window_s)} holds {show_count(mean)} observations on average"
    lasting = f" at every instant of {show_duration(for_s)}" if for_s else ""
    return f"{holds}, and it needs {asked:,}{lasting}"


def _regular_spell_s(mean: float, every_s: float, asked: int) -> float:
    """For how long a window over regular observations holds as many as are asked for without a break."""
    whole = math.floor(mean + _ROUNDING)
    return math.inf if asked <= whole else (mean - whole) * every_s


def _share(scenario: Scenario, condition: Condition) -> float:
    """Of the tasks, those of the tenants that a condition selects."""
    chosen = condition.comparison.selector
    shares = [tenant.share for tenant in scenario.workload.tenants if ("tenant", tenant.name) in chosen]
    return sum(shares) if shares else 1.0


def _spells(mean: float, per_s: float, asked: int, for_s: float, run_s: float) -> float:
    """How often a window over random observations can be expected to hold as many as are asked for, for so long.

    The number in the window is Poisson. It rises to `asked` at a rate of per_s * P(asked - 1) and stays there for a time
    that is nearly exponential.
    """
    if not per_s:
        return 0.0
    at_edge, enough = _poisson(asked - 1, mean), 1 - _poisson_below(asked, mean)
    if enough <= 0:
        return 0.0
    ends_per_s = per_s * at_edge / enough
    return (enough + run_s * per_s * at_edge) * math.exp(-ends_per_s * for_s)


def _poisson(count: int, mean: float) -> float:
    return math.exp(count * math.log(mean) - mean - math.lgamma(count + 1)) if mean else float(count == 0)


def _normal_below(count: int, mean: float) -> float:
    """How likely a Poisson variable of a large mean is below `count`, by the normal distribution."""
    from statistics import NormalDist

    return NormalDist(mean, math.sqrt(mean)).cdf(count - 0.5)


def _poisson_below(count: int, mean: float) -> float:
    if count > _LARGE:
        return _normal_below(count, mean) if mean else 1.0
    return min(1.0, math.fsum(_poisson(each, mean) for each in range(count)))
