"""What in a scenario can never happen, or by chance: tasks that do not all arrive, conditions that cannot hold, false aborts.

Everything here is a pure function of the scenario. It is not refused, since a run may be shortened for a quick look;
validate, plan and run warn of it.
"""

import math
from collections.abc import Iterator

from soak.schemas.errors import Where
from soak.schemas.language.conditions import Comparison, Condition
from soak.schemas.language.expression import Op
from soak.schemas.language.model import Process, Scenario, Workload, fastest
from soak.schemas.language.slis import Aggregate, Sli
from soak.schemas.language.windows import Window
from soak.schemas.units import show_count, show_duration
from soak.simulation.condition_doubts import placed, trivial, window_doubts
from soak.simulation.false_alarms import alarms, at_least
from soak.simulation.kind_doubts import kind_doubts
from soak.simulation.poisson import normal_below, poisson, poisson_below
from soak.simulation.rate import rate_of
from soak.simulation.room import Doubt, room_of
from soak.simulation.shares import most_selected
from soak.simulation.trace_doubts import trace_doubts

_SURE = 0.99
"""No warning if all tasks arrive in at least this share of runs."""

_HARDLY = 0.05
"""Warn if a condition can be expected to hold less often than this in a run."""

_FAR = 5.0
"""Standard deviations from the expectation that no run exceeds."""

_OFTEN = 0.05
"""Warn if an abort condition ends more than this share of runs of a system that is at its objective."""

_ROUNDING = 1e-9


def doubts(scenario: Scenario) -> tuple[Doubt, ...]:
    """All doubts about a scenario."""
    arrivals = _Arrivals(scenario)
    return (
        *_stages(scenario),
        *_tasks(scenario, arrivals),
        *trace_doubts(scenario),
        *kind_doubts(scenario),
        *room_of(scenario.system).doubts(scenario),
        *_objectives(scenario, arrivals),
        *window_doubts(scenario, arrivals.peak_per_s, _is_sampled),
        *_conditions(scenario, arrivals),
        *_false_aborts(scenario),
    )


class _Arrivals:
    """Arrivals: the maximum in the run, and the highest rate."""

    def __init__(self, scenario: Scenario) -> None:
        workload = scenario.workload
        self.closed, self.workload = workload.users is not None, fastest(workload)
        self.rate = rate_of(self.workload)
        self.regular = workload.process is Process.CONSTANT and workload.batch is None
        self.by_rate = self.rate.expected(scenario.duration_s)
        self.largest = _largest_at_once(workload)
        self.tasks = math.inf if workload.tasks is None else workload.tasks
        self.submissions = 1 + any(fault.spec.resubmits for fault in scenario.faults)
        """A second submission may become a separate task."""

    @property
    def count(self) -> int:
        """Number of arrivals at constant intervals, the first at the start."""
        return math.ceil(self.by_rate - _ROUNDING)

    @property
    def most(self) -> float:
        """Maximum number of tasks of any run."""
        by_rate = self.count if self.regular else self.by_rate + _FAR * math.sqrt(self.by_rate * self.largest)
        return min(by_rate, self.tasks) * self.submissions

    def most_in(self, window: Window) -> float:
        """Maximum number of tasks due in an interval of any run."""
        mean = self.rate.expected(window.end_s) - self.rate.expected(window.start_s)
        most = math.ceil(mean - _ROUNDING) if self.regular else mean + _FAR * math.sqrt(mean * self.largest)
        return most * self.submissions

    def peak_per_s(self, within_s: float) -> float:
        """The highest average rate over an interval of this length."""
        return self.rate.most_within(within_s) / within_s

    def peak_of(self, comparison: Comparison, within_s: float) -> float:
        """The same of the tasks of the tenants and kinds that a comparison selects."""
        return most_selected(self.workload, comparison.selector, within_s) / within_s


def _stages(scenario: Scenario) -> Iterator[Doubt]:
    shape = scenario.workload.shape
    if shape and shape.stages_s > scenario.duration_s:
        what = f"take {show_duration(shape.stages_s)}, but arrivals end after {show_duration(scenario.duration_s)}"
        yield Doubt(("workload", "arrivals", "stages"), what, "raise duration, or shorten the stages")


def _largest_at_once(workload: Workload) -> float:
    """By how much more the number of arrivals varies than a Poisson number, at most: batches come whole."""
    if workload.batch is None:
        return 1.0
    return 2 * workload.batch.mean if workload.batch.geometric_mean else float(workload.batch.high)


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
    chance = 1 - normal_below(tasks, mean) if mean else 0.0
    if chance < _SURE:
        what = f"{tasks:,} tasks arrive in {within} in {chance:.0%} of runs only; the others will be INCONCLUSIVE"
        yield Doubt(where, what, _longer(arrivals, tasks + 3.1 * math.sqrt(tasks) + 5))


def _longer(arrivals: _Arrivals, count: float) -> str:
    needed_s, otherwise = arrivals.rate.time_of(count), "add users" if arrivals.closed else "raise the rate"
    if math.isinf(needed_s):
        return otherwise
    return f"raise duration to {show_duration(math.ceil(needed_s / 60 - _ROUNDING) * 60)}, or {otherwise}"


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
        yield from trivial(("abort", place), condition)
        for inner, part in placed(("abort", place), condition):
            yield from _condition(scenario, arrivals, inner, part)
    for place, alert in enumerate(scenario.alerts):
        where: Where = ("alerts", place)
        yield from trivial(where, alert.condition)
        for inner, part in placed(where, alert.condition):
            yield from _condition(scenario, arrivals, inner, part)
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


def _false_aborts(scenario: Scenario) -> Iterator[Doubt]:
    for alarm in alarms(scenario):
        if alarm.severity or alarm.scan is None or (chance := at_least(alarm.scan)) < _OFTEN:
            continue
        share, text = math.floor(1000 * chance) / 1000, alarm.objective.comparison.text
        ends = "end" if alarm.condition.stops else "fail"
        what = (
            f"{alarm.condition.name} would {ends} at least {share:.1%} of runs of a system that is exactly at {text}, "
            "with independent failures"
        )
        remedy = "raise window and min_samples: soak plan shows which make it 1%"
        yield Doubt((*alarm.where, "when"), what, remedy)


def _condition(scenario: Scenario, arrivals: _Arrivals, where: Where, condition: Condition) -> Iterator[Doubt]:
    needs_s = _earliest_s(condition) + condition.for_s
    if needs_s > scenario.horizon_s + _ROUNDING:
        run = show_duration(scenario.horizon_s)
        what = f"cannot hold: it takes {show_duration(needs_s)}, but the run with its drain lasts only {run}"
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
    """Minimum time until a condition can begin to hold."""
    comparison, aggregate = condition.comparison, condition.comparison.sli.aggregate
    if aggregate is Aggregate.LONGEST:
        return comparison.target if isinstance(comparison.target, float) else 0.0
    few = comparison.op in {Op.LT, Op.LE, Op.EQ} and aggregate in {Aggregate.COUNT, Aggregate.RATE}
    # With rare events, a window reaches min_samples only once it is full.
    return condition.window_s or 0.0 if few else 0.0


def _too_few(asked: int, most: float) -> str:
    return f"needs {asked:,} observations, but there are at most {math.floor(most):,}"


def _most_samples(scenario: Scenario, arrivals: _Arrivals, comparison: Comparison, begin_s: float = 0.0) -> float:
    """Maximum number of observations from `begin_s` on in any run; infinite if unknown."""
    sli, every_s = comparison.sli, scenario.telemetry.sample_interval_s
    if _is_sampled(sli):
        # None comes at the very start or end.
        first = max(1, math.ceil(begin_s / every_s - _ROUNDING))
        return math.ceil(scenario.horizon_s / every_s - _ROUNDING) - first
    if not sli.once_a_task:
        return math.inf
    phases = [phase.window for phase in scenario.phases if ("phase", phase.name) in comparison.selector]
    return min([arrivals.most, *(arrivals.most_in(window) for window in phases)])


def _is_sampled(sli: Sli) -> bool:
    """Whether an SLI sees samples that come at the sample interval."""
    irregular = {"sample.memory", "sample.memory_held", "sample.lost", "sample.state"}
    if sli.filters:
        types = {event.type for part in sli.filters for event in part}
        return sli.aggregate is Aggregate.GAUGE and len(types) == 1 and _is_regular_sample(types.pop(), irregular)
    return sli.aggregate is Aggregate.GAUGE and not sli.irregular


def _is_regular_sample(type_: str, irregular: set[str]) -> bool:
    return type_.startswith("sample.") and type_ not in irregular


def _thin(scenario: Scenario, arrivals: _Arrivals, condition: Condition, window_s: float) -> str:
    """Problem of a window with too few observations for the time the condition must hold; empty if there is none."""
    asked, for_s, sli = condition.min_samples, condition.for_s, condition.comparison.sli
    if _is_sampled(sli):
        every_s = scenario.telemetry.sample_interval_s
        if _regular_spell_s(window_s / every_s, every_s, asked) >= for_s and asked <= math.ceil(
            window_s / every_s - _ROUNDING
        ):
            return ""
        return f"cannot hold: {_holds_on_average(window_s, window_s / every_s, asked, for_s)}"
    if not sli.once_a_task or any(fault.by_time for fault in scenario.faults):
        # After an outage what has piled up comes to its end all at once.
        return ""
    per_s = arrivals.peak_of(condition.comparison, window_s)
    mean = per_s * window_s
    if arrivals.regular and asked <= mean + _ROUNDING:
        return ""
    if arrivals.regular and asked <= math.ceil(mean) and per_s and _regular_spell_s(mean, 1 / per_s, asked) >= for_s:
        return ""
    if not arrivals.regular and _spells(mean, per_s, asked, for_s, scenario.horizon_s) >= _HARDLY:
        return ""
    return f"can hardly hold: {_holds_on_average(window_s, mean, asked, for_s)}"


def _holds_on_average(window_s: float, mean: float, asked: int, for_s: float) -> str:
    holds = f"a window of {show_duration(window_s)} contains {show_count(mean)} observations on average"
    lasting = f" at every instant of {show_duration(for_s)}" if for_s else ""
    return f"{holds}, but {asked:,} are needed{lasting}"


def _regular_spell_s(mean: float, every_s: float, asked: int) -> float:
    """How long a window over regular observations continuously contains the required number."""
    whole = math.floor(mean + _ROUNDING)
    return math.inf if asked <= whole else (mean - whole) * every_s


def _spells(mean: float, per_s: float, asked: int, for_s: float, run_s: float) -> float:
    """Expected number of times a window over random observations contains the required number for the required time.

    The number in the window is Poisson. It rises to `asked` at a rate of per_s * P(asked - 1) and stays there for a time
    that is nearly exponential.
    """
    if not per_s:
        return 0.0
    at_edge, enough = poisson(asked - 1, mean), 1 - poisson_below(asked, mean)
    if enough <= 0:
        return 0.0
    ends_per_s = per_s * at_edge / enough
    return (enough + run_s * per_s * at_edge) * math.exp(-ends_per_s * for_s)
