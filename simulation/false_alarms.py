"""Conditions that hold in a system that is exactly at its objective: which they are, and a lower bound of how often they do.

Each observation is taken to be bad independently of the others, with the share that the objective just allows. Observations
come when tasks arrive. NumPy is not imported here, so that a scenario can be checked at once: the bound is exact
over the first window and over windows that do not overlap. `alarm_chance` has the probability itself.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from soak.schemas.errors import Where
from soak.schemas.language.conditions import Comparison, Condition, Objective
from soak.schemas.language.expression import AT_LEAST, AT_MOST, Op
from soak.schemas.language.model import Process, Scenario
from soak.schemas.language.slis import LATENCY, SUCCESS_RATE, WAITS, Aggregate
from soak.simulation.rate import ArrivalRate, rate_of

if TYPE_CHECKING:
    from soak.schemas.stream.block import Floats

    Number = TypeVar("Number", float, Floats)

_OF_EVERY_TASK = frozenset({sli.series for sli in (SUCCESS_RATE, *LATENCY, *WAITS)})
"""Series with one observation of each task that ends DONE or FAILED."""

_MOST_TRIALS = 400
"""Observations of the first window that the bound looks at."""
_MOST_WINDOWS = 1000
"""Windows after it that the bound looks at."""
_NEVER = 1e-12
_ROUNDING = 1e-6


class Rule(NamedTuple):
    """When a condition holds among n observations: when enough of them are bad.

    Of a ratio: bad ones are those that do not count (`good_counts`) or those that do; of a quantile (`q`): those beyond the
    target, of which one more than n - ceil(q n) puts the quantile there.
    """

    op: Op
    target: float
    good_counts: bool
    q: float | None = None

    def least_bad(self, n: int) -> int:
        """The smallest number of bad observations among `n` (above 0) with which the condition holds; n + 1: none."""
        if self.q is not None:
            return n - max(1, math.ceil(self.q * n - 1e-9)) + 1
        share = 1 - self.target if self.good_counts else self.target
        bad = max(0, math.floor(share * n) - 1)
        while bad <= n and not self.op.holds((n - bad if self.good_counts else bad) / n, self.target):
            bad += 1
        return bad


class Load(NamedTuple):
    """Expected observations over the `length_s` seconds from `start_s` of the run: a share of the arrivals.

    regular: they come one after the other as the integral of the rate grows by 1, otherwise as a Poisson process.
    """

    rate: ArrivalRate
    start_s: float
    length_s: float
    share: float
    regular: bool

    def expected(self, t_s: "Number") -> "Number":
        """Expected number in the first `t_s` seconds."""
        number: Number = self.share * (self.rate.expected(self.start_s + t_s) - self.rate.expected(self.start_s))
        return number

    def counted(self, t_s: float) -> int:
        """Number of regular observations in the first `t_s` seconds: the first comes at once."""
        most = math.ceil(self.expected(self.length_s) - _ROUNDING)
        return min(math.floor(self.expected(t_s) + _ROUNDING) + 1, most)

    @property
    def period_s(self) -> float:
        """After which the rate repeats itself; 0 if it is constant."""
        return self.rate.cycle_s


class Scan(NamedTuple):
    """A condition over a sliding window, and the system that it looks at: each observation is bad with probability `bad`."""

    rule: Rule
    bad: float
    window_s: float
    for_s: float
    min_samples: int
    load: Load

    @property
    def most(self) -> float:
        """The largest number of observations to be expected in a window."""
        return max(self._in_windows())

    @property
    def fewest(self) -> float:
        """The smallest number of observations to be expected in a full window."""
        return min(self._in_windows())

    def _in_windows(self) -> list[float]:
        span_s = min(self.load.length_s - self.window_s, self.load.period_s)
        ends_s = [self.window_s + place / 200 * span_s for place in range(201)]
        return [self.load.expected(end_s) - self.load.expected(end_s - self.window_s) for end_s in ends_s]


class Alarm(NamedTuple):
    """A condition beside an objective on the same SLI. severity: of an alert; "" for an abort condition.

    scan: None where nothing sound can be said: `reason` says why.
    """

    where: Where
    condition: Condition
    objective: Objective
    severity: str
    scan: Scan | None
    reason: str = ""


def alarms(scenario: Scenario, observations: Mapping[str, float] | None = None) -> tuple[Alarm, ...]:
    """Abort conditions, then alerts, on a share or a quantile that an objective is about as well.

    observations: of a run on average, by the text of an objective, where a pilot counted them.
    """
    placed = [
        *((("abort", place), condition, "") for place, condition in enumerate(scenario.aborts)),
        *((("alerts", place), alert.condition, alert.severity.value) for place, alert in enumerate(scenario.alerts)),
    ]
    # Of conditions that are combined nothing is said: how they depend on each other is not known.
    found = (
        _alarm(scenario, where, condition, severity, observations or {})
        for where, condition, severity in placed
        if isinstance(condition, Condition)
    )
    return tuple(each for each in found if each)


def _alarm(
    scenario: Scenario, where: Where, condition: Condition, severity: str, observations: Mapping[str, float]
) -> Alarm | None:
    objective = _beside(scenario, condition.comparison)
    if objective is None:
        return None
    try:
        scan = _scan(scenario, condition, objective, observations)
    except _NoStatementError as error:
        return Alarm(where, condition, objective, severity, None, str(error))
    return Alarm(where, condition, objective, severity, scan) if scan.bad > 0 else None


class _NoStatementError(Exception):
    """Nothing sound can be said: the message says why."""


def _beside(scenario: Scenario, comparison: Comparison) -> Objective | None:
    """The strictest objective on the same SLI and labels that wants the opposite of a condition."""
    lower = comparison.op in AT_MOST
    if comparison.sli.aggregate not in {Aggregate.RATIO, Aggregate.QUANTILE} or not (
        lower or comparison.op in AT_LEAST
    ):
        return None
    wanted = {Op.EQ, Op.ABOUT, *(AT_LEAST if lower else AT_MOST)}
    found = [
        each
        for each in scenario.objectives
        if each.comparison.sli == comparison.sli
        and each.comparison.selector == comparison.selector
        and each.comparison.op in wanted
        # A system is not at what must hold in every window: it is above it most of the time.
        and each.window_s is None
    ]
    fixed = [(each.comparison.target, each) for each in found if isinstance(each.comparison.target, float)]
    if not fixed:
        return found[0] if found else None
    return (max if lower else min)(fixed, key=lambda pair: pair[0])[1]


def _scan(scenario: Scenario, condition: Condition, objective: Objective, observations: Mapping[str, float]) -> Scan:
    """Raises _NoStatementError."""
    comparison, allowed = condition.comparison, objective.comparison.target
    sli, target = comparison.sli, comparison.target
    if not isinstance(allowed, float) or not isinstance(target, float):
        raise _NoStatementError("its objective is relative to another part of the run")
    lower = comparison.op in AT_MOST
    if sli.aggregate is Aggregate.QUANTILE:
        if lower or allowed != target:
            beyond = sli.unit.show(target)
            raise _NoStatementError(f"how many observations lie beyond {beyond} at the objective is not known")
        rule, bad = Rule(comparison.op, target, False, sli.q), 1 - sli.q
    else:
        rule, bad = Rule(comparison.op, target, lower), 1 - allowed if lower else allowed
    load = _load(scenario, objective, observations, exact=bad < _NEVER)
    window_s = min(condition.window_s or math.inf, load.length_s)
    bad = min(bad, 1 - _NEVER) if bad > _NEVER else 0.0
    return Scan(rule, bad, window_s, condition.for_s, condition.min_samples, load)


def _load(scenario: Scenario, objective: Objective, observations: Mapping[str, float], *, exact: bool) -> Load:
    """Raises _NoStatementError where it is not known how many observations there are (`exact`: it does not matter)."""
    workload, selector = scenario.workload, dict(objective.comparison.selector)
    if not (workload.is_plain or (workload.shape and not workload.scheduled)) or workload.batch or workload.exactly:
        raise _NoStatementError("arrivals depend on one another")
    rate, start_s, end_s = rate_of(workload), 0.0, scenario.duration_s
    if workload.tasks is not None:
        end_s = min(end_s, rate.time_of(float(workload.tasks)))
    for phase in scenario.phases:
        if phase.name == selector.get("phase"):
            start_s, end_s = phase.window.start_s, min(end_s, phase.window.end_s)
    share = workload.share_of(objective.comparison.selector)
    regular = workload.process is Process.CONSTANT and share == 1.0
    load = Load(rate, start_s, end_s - start_s, share, regular)
    if exact:
        return load
    if end_s <= start_s or not load.expected(load.length_s):
        raise _NoStatementError("nothing arrives that it could observe")
    if objective.comparison.sli.series in _OF_EVERY_TASK and "*" not in selector.values():
        return load
    seen = observations.get(objective.comparison.text)
    if not seen:
        raise _NoStatementError("how many observations there are is not known before a run")
    counted_s = scenario.duration_s - scenario.warmup_s
    share = min(1.0, seen / counted_s / (load.expected(load.length_s) / load.length_s))
    return Load(rate, start_s, end_s - start_s, share, False)


# The lower bound.


def at_least(scan: Scan) -> float:
    """A lower bound of the chance that the condition holds at some time; 0 where it has to hold for some time.

    With n observations so far the number of bad ones is a random walk that is stopped where the condition holds; full windows
    that do not overlap are independent of it and of one another.
    """
    if scan.for_s:
        return 0.0
    survives = 1 - _within_first(scan)

    @cache
    def enough_bad(n: int) -> float:
        return _binomial_from(scan.rule.least_bad(n), n, scan.bad)

    for mean, times in _apart(scan).items():
        survives *= (1 - _in_one(scan, mean, enough_bad)) ** times
    return 1 - survives


def _within_first(scan: Scan) -> float:
    """How likely the condition holds before the first window is full."""
    mean, regular = scan.load.expected(scan.window_s), scan.load.regular
    most = scan.load.counted(scan.window_s) if regular else math.floor(max(0.0, mean - 2 * math.sqrt(mean)))
    trials = min(_MOST_TRIALS, most)
    # In one run of fifty there are fewer.
    reached = 1.0 if regular else 1 - _below(trials, mean)
    return reached * sum(share for _, share in first_passage(scan, trials))


def first_passage(scan: Scan, trials: int) -> Iterator[tuple[int, float]]:
    """(n, how likely the condition holds for the first time with the nth observation), without windows."""
    alive, good = [1.0], 1 - scan.bad
    for n in range(1, trials + 1):
        longer = [*(each * good for each in alive), 0.0]
        for bad, each in enumerate(alive, 1):
            longer[bad] += each * scan.bad
        stop = scan.rule.least_bad(n) if n >= scan.min_samples else len(longer)
        yield n, math.fsum(longer[stop:])
        alive = longer[:stop]
        while len(alive) > 1 and alive[-1] < _NEVER:
            alive.pop()


def _apart(scan: Scan) -> dict[float, int]:
    """Expected observations of full windows after the first that do not overlap, and how many windows have that many."""
    load, window_s = scan.load, scan.window_s
    count: dict[float, int] = {}
    number = math.floor(load.length_s / window_s + _NEVER) - 1
    for place in range(1, min(number, _MOST_WINDOWS) + 1):
        of = load.counted if load.regular else load.expected
        mean = round(of((place + 1) * window_s) - of(place * window_s), 6)
        count[mean] = count.get(mean, 0) + 1
    return count


def _in_one(scan: Scan, mean: float, enough_bad: Callable[[int], float]) -> float:
    """How likely a condition holds at the end of a window with a Poisson number of observations of this mean.

    enough_bad: how likely that is with n observations.
    """
    if scan.load.regular:
        n = round(mean)
        return enough_bad(n) if n >= max(1, scan.min_samples) else 0.0
    spread = 4.5 * math.sqrt(mean) + 3
    first = max(1, scan.min_samples, math.floor(mean - spread))
    step = max(1, math.floor(spread / 60))
    return sum(_poisson(n, mean) * step * enough_bad(n) for n in range(first, math.ceil(mean + spread) + 1, step))


def _poisson(n: int, mean: float) -> float:
    return math.exp(n * math.log(mean) - mean - math.lgamma(n + 1)) if mean > 0 else float(n == 0)


def _below(n: int, mean: float) -> float:
    return math.fsum(_poisson(each, mean) for each in range(n)) if mean else 0.0


def _binomial_from(least: int, n: int, bad: float) -> float:
    """How likely `least` or more of `n` are bad, summed from there on: of a rare event a few terms."""
    if least > n:
        return 0.0
    if least <= 0 or bad >= 1:
        return 1.0
    odds = bad / (1 - bad)
    logarithm = math.lgamma(n + 1) - math.lgamma(least + 1) - math.lgamma(n - least + 1)
    term = math.exp(logarithm + least * math.log(bad) + (n - least) * math.log1p(-bad))
    total = 0.0
    for k in range(least, n + 1):
        total += term
        term *= (n - k) / (k + 1) * odds
        # What is too small for a number stays so.
        if not term or term < total * 1e-4:
            break
    return min(1.0, total)
