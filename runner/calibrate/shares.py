"""What can be counted: how often each fault hits, how often the system fails on its own, how much work arrives, and whose."""

from collections.abc import Iterator
from itertools import count

import msgspec
import numpy as np

from soak.runner.calibrate.attempts import NOT_HIT
from soak.runner.calibrate.estimates import rate, share
from soak.runner.calibrate.part import Part, inside
from soak.schemas.evidence.calibration import CalibratedParameter, Taken
from soak.schemas.language.faults import Fault
from soak.schemas.language.windows import Window
from soak.schemas.stream.block import Bools
from soak.schemas.stream.events import COPY, Kind
from soak.schemas.systems.queue.faults import QueueFault
from soak.schemas.systems.queue.settings import queue_of

OWN, OWN_FOR_GOOD = "own-errors", "own-failures"
"""Names of the faults that stand for what the system does without being asked."""
_LEASE_EXPIRED = "lease_expired"


def fault_shares(part: Part) -> Iterator[CalibratedParameter]:
    """The rate of each fault of the scenario that has one.

    The first fault in the file that hits an attempt decides it: what an earlier one took was not exposed to a later one.
    """
    for place, fault in enumerate(part.scenario.faults):
        if fault.by_time:
            continue
        key = f"faults.{fault.name}.rate"
        if fault.type == QueueFault.DUPLICATE_ENQUEUE:
            yield _duplicates(part, fault, key)
        elif fault.type == QueueFault.GUARDRAIL_EXCEED:
            exposed = _exposed(part, fault, place)
            hit = exposed & (part.all.hit == place)
            tasks = part.all.task
            yield share(key, len(np.unique(tasks[hit])), len(np.unique(tasks[exposed])), fault.rate, "tasks")
        else:
            exposed = _exposed(part, fault, place)
            hits = int((exposed & (part.all.hit == place)).sum())
            yield share(key, hits, int(exposed.sum()), fault.rate, "attempts")


def _exposed(part: Part, fault: Fault, place: int) -> Bools:
    attempts = part.all
    free = (attempts.hit == NOT_HIT) | (attempts.hit >= place)
    exposed: Bools = part.mine & attempts.resolved & free & inside(attempts.dispatched_s, fault.windows)
    return exposed


def _duplicates(part: Part, fault: Fault, key: str) -> CalibratedParameter:
    due_s, task, _ = part.due_s()
    task = task[inside(due_s, fault.windows)]
    causes = [number for number, cause in enumerate(part.vocabulary.causes) if cause.fault == fault.name]
    again = (part.events.kind == Kind.TASK_DUPLICATE) & np.isin(part.events.cause, causes)
    hits = np.isin(task, part.events.task[again] & ~COPY)
    return share(key, int(hits.sum()), len(task), fault.rate, "tasks")


def own_failures(part: Part) -> Iterator[tuple[CalibratedParameter, str, list[str]]]:
    """Failures that nobody planned, as the rate of a new fault, its type and the names of its errors."""
    attempts, most = part.all, queue_of(part.scenario).last_attempt
    causes = part.vocabulary.causes
    own = np.array([not cause.fault and cause.error not in {"", _LEASE_EXPIRED} for cause in causes])
    exposed = part.mine & attempts.resolved & (attempts.hit == NOT_HIT)
    failed = exposed & own[attempts.closing_cause] & np.isin(attempts.closing, (Kind.TASK_RETRY, Kind.TASK_FAILED))
    for_good = failed & (attempts.closing == Kind.TASK_FAILED) & (attempts.number < most)
    for name, kind, chosen in (
        (OWN, QueueFault.TRANSIENT_ERROR, failed & ~for_good),
        (OWN_FOR_GOOD, QueueFault.PERMANENT_ERROR, for_good),
    ):
        if chosen.any():
            errors = sorted({causes[number].error for number in attempts.closing_cause[chosen].tolist()})
            key = f"faults.{_free_name(name, part)}.rate"
            yield share(key, int(chosen.sum()), int(exposed.sum()), None, "attempts"), kind, errors


def _free_name(name: str, part: Part) -> str:
    taken = {fault.name for fault in part.scenario.faults}
    names = (f"{name}-{number}" if number > 1 else name for number in count(1))
    return next(each for each in names if each not in taken)


def arrival_rates(part: Part) -> Iterator[CalibratedParameter]:
    """How much work arrives, between bursts and in them."""
    workload, due_s = part.scenario.workload, part.due_s()[0]
    if not workload.is_plain:
        return
    if not workload.burst:
        length_s = part.window.end_s - part.window.start_s
        yield rate("workload.arrivals.rate", len(due_s), length_s, workload.rate_per_s, "the whole part")
        return
    burst = workload.burst
    bursting = np.mod(due_s, burst.every_s) < burst.for_s
    burst_s = burst_time(part.window, burst.every_s, burst.for_s)
    base_s = part.window.end_s - part.window.start_s - burst_s
    yield rate("workload.arrivals.rate", int((~bursting).sum()), base_s, workload.rate_per_s, "time between bursts")
    yield rate("workload.arrivals.burst.rate", int(bursting.sum()), burst_s, burst.rate_per_s, "bursts")


def burst_time(window: Window, every_s: float, for_s: float) -> float:
    """How many seconds of `window` lie in the first `for_s` of every `every_s`."""

    def until(t_s: float) -> float:
        periods, rest = divmod(t_s, every_s)
        return periods * for_s + min(rest, for_s)

    return until(window.end_s) - until(window.start_s)


def tenant_shares(part: Part) -> list[CalibratedParameter]:
    """The share of each tenant; those of the scenario stand together or not at all, since they add up to one."""
    tenants = part.scenario.workload.tenants
    whose = part.due_s()[2]
    whose = whose[whose >= 0]
    whose = np.array([label.tenant for label in part.vocabulary.labels] or [""])[whose]
    shares = [
        share(
            f"workload.tenants.{tenant.name}.share",
            int((whose == tenant.name).sum()),
            len(whose),
            tenant.share,
            "tasks",
        )
        for tenant in tenants
    ]
    if all(each.taken is not Taken.RUN for each in shares):
        return shares
    return [_taken(each) for each in shares]


def _taken(parameter: CalibratedParameter) -> CalibratedParameter:
    return msgspec.structs.replace(parameter, taken=Taken.RUN, value=parameter.estimate)
