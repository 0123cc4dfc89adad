"""Objectives on latency that service times alone are sure to break. Without NumPy: `soak validate` asks, too."""

import math
from collections.abc import Iterator, Mapping

from soak.schemas.language.conditions import Comparison, Objective
from soak.schemas.language.distributions import Constant, Empirical, ServiceTime, Uniform
from soak.schemas.language.expression import Op
from soak.schemas.language.faults import TELEMETRY_LOSS, Fault
from soak.schemas.language.model import Scenario
from soak.schemas.language.slis import LATENCY, Aggregate
from soak.schemas.systems.queue.faults import QueueFault
from soak.schemas.systems.queue.settings import Queue, queue_of
from soak.schemas.units import show_duration
from soak.simulation.kind_doubts import arrives
from soak.simulation.rate import rate_of
from soak.simulation.room import Doubt

_SERIES = LATENCY[0].series
_ENOUGH = 100.0
"""From this many tasks on, a share of them is never twice what is expected, or more."""

_NEVER_SHORTER = frozenset(
    {
        QueueFault.SLOW_TASK,
        QueueFault.SLOW_WORKER,
        QueueFault.DUPLICATE_ENQUEUE,
        QueueFault.WORKER_RESTART,
        QueueFault.ROLLING_RESTART,
        QueueFault.DISPATCHER_CRASH,
        QueueFault.WATCHDOG_CRASH,
        QueueFault.WORKER_TERM,
        QueueFault.CONNECTIONS_KILL,
        QueueFault.NETWORK_DELAY,
        QueueFault.CLOCK_JUMP,
        TELEMETRY_LOSS,
    }
)
"""Faults that end no attempt early."""


def service_doubts(scenario: Scenario) -> Iterator[Doubt]:
    """Objectives whose limit is below the time that each of their tasks takes at least."""
    for objective in scenario.objectives:
        limit_s, least_s = _limit_s(objective.comparison), _least_s(scenario, objective.comparison)
        if limit_s is None or not limit_s < least_s * (1 - 1e-9) or not _is_sure(scenario, objective):
            continue
        what = f"{objective.comparison.text}: service alone takes {show_duration(least_s)} at least, so that it cannot hold"
        yield Doubt(("slos", objective.entry), what, f"write a limit above {show_duration(least_s)}")


def _limit_s(comparison: Comparison) -> float | None:
    """The latency that some tasks must not exceed; None where none has to stay below any."""
    sli, op, target = comparison.sli, comparison.op, comparison.target
    if not isinstance(target, float):
        return None
    if sli.limit is not None:
        asks = op in {Op.GE, Op.GT} and sli.source == _SERIES and not sli.filters and (target > 0 or op is Op.GT)
        return sli.limit if asks else None
    ranked = sli.aggregate in {Aggregate.QUANTILE, Aggregate.MAX, Aggregate.MEAN}
    return target if sli.series == _SERIES and ranked and op in {Op.LE, Op.LT} and not sli.filters else None


def _least_s(scenario: Scenario, comparison: Comparison) -> float:
    """How long any attempt at one of the selected tasks takes at least; 0 where that is not known."""
    queue, workload = queue_of(scenario), scenario.workload
    if workload.trace is not None and workload.trace.reading.service:
        return 0.0
    if not workload.kinds:
        return _least_attempt_s(workload.service, queue)
    wanted: Mapping[str, str] = dict(comparison.selector)
    selected = [
        _least_attempt_s(kind.service, queue.of_kind(place))
        for place, kind in enumerate(workload.kinds)
        if kind.has(wanted) and arrives(workload, kind)
    ]
    return min(selected, default=0.0)


def _least_attempt_s(service: ServiceTime, queue: Queue) -> float:
    """One that is ended by a limit or delivered again may have failed by then."""
    least_s = min(_least_of(service), queue.time_limit_s)
    return min(least_s, queue.lease_s) if queue.times_out else least_s


def _least_of(service: ServiceTime) -> float:
    match service:
        case Constant(value_s):
            return value_s
        case Uniform(low_s, _):
            return low_s
        case Empirical(_, values_s):
            return min(values_s)
    return 0.0


def _is_sure(scenario: Scenario, objective: Objective) -> bool:
    """Whether faults end the attempts at far fewer of the tasks early than would have to be that quick."""
    comparison, workload = objective.comparison, scenario.workload
    kinds = [kind for kind in workload.kinds if kind.has(dict(comparison.selector)) and arrives(workload, kind)]
    names = {kind.name for kind in kinds}
    faults = [
        fault
        for fault in scenario.faults
        if fault.type not in _NEVER_SHORTER and (not fault.kinds or not names.isdisjoint(fault.kinds))
    ]
    if not faults:
        return True
    limited = {label for label, _ in comparison.selector} - {"kind", "queue", "tenant"}
    if limited or workload.users or objective.window_s is not None or workload.trace:
        return False
    tasks = rate_of(workload).expected(scenario.duration_s) * workload.share_of(comparison.selector)
    tasks = min(tasks, math.inf if workload.tasks is None else workload.tasks)
    return tasks >= _ENOUGH and sum(_share_struck(fault, tasks) for fault in faults) <= _quick(comparison) / 2


def _share_struck(fault: Fault, tasks: float) -> float:
    """The share of tasks that a fault ends early, at most."""
    if not fault.by_time:
        return fault.rate
    return fault.struck(len(fault.windows)) / tasks if fault.spec.dies else 1.0


def _quick(comparison: Comparison) -> float:
    """The share of tasks that would have to be below the limit."""
    sli, target = comparison.sli, comparison.target
    if sli.aggregate is Aggregate.QUANTILE:
        return sli.q
    if sli.aggregate is Aggregate.MAX:
        return 1.0
    return target if sli.limit is not None and isinstance(target, float) else 0.0
