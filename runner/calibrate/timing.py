"""What takes time: bodies, what the system adds to them, polls, restarts and leases.

What the computer itself needs takes so many times as long in scenario time as the run was fast. The median of it is told
apart from what the plan makes long, and is counted as often as the runs need that the model is for (`Part.factor`).
"""

from collections.abc import Iterator

import numpy as np
from msgspec import Struct

from soak.runner.calibrate.attempts import Attempts
from soak.runner.calibrate.estimates import measured, poisson, unseen
from soak.runner.calibrate.fits import Interval, bootstrap
from soak.runner.calibrate.part import Part
from soak.runner.judge.interval import quantile_ranks
from soak.schemas.evidence.calibration import CalibratedParameter, Overhead
from soak.schemas.language.model import Process
from soak.schemas.stream.block import Bools, Floats, Ints
from soak.schemas.stream.events import Kind
from soak.schemas.systems.queue.faults import QueueFault
from soak.schemas.systems.queue.settings import queue_of

LEAST_WAITS, LEAST_FEW = 30, 5
"""Waits of work that found a free worker, and restarts or expired leases, below which nothing is said."""


class Service(Struct, frozen=True):
    """For how long attempts that went well held a worker, in seconds, and how many were left out since the run ended first.

    The model knows no time between dispatch and body, nor between body and result: both are counted to the body.
    """

    held_s: Floats
    left_out: int
    overheads: tuple[Overhead, ...]


def service_times(part: Part, speed: float) -> Service:
    """The service times of a part of a run that went `speed` times as fast.

    An attempt that the end of the run may have cut off is left out, and so is every other that started as late: those that
    ended by then are the short ones.
    """
    attempts = part.all
    good = part.mine & attempts.went_well & part.undisturbed(attempts.dispatched_s, attempts.closed_s)
    open_still = part.mine & ~attempts.resolved
    longest_s = float(np.max(attempts.closed_s[good] - attempts.dispatched_s[good], initial=0.0))
    late = attempts.dispatched_s > part.ended_s - longest_s
    censored = late if (open_still & late).any() else np.zeros(len(attempts), dtype=np.bool_)
    used = good & ~censored
    extra_s = (attempts.closed_s - attempts.dispatched_s - attempts.ran_s)[used]
    own_s = float(np.median(extra_s)) if len(extra_s) else 0.0
    held_s = attempts.ran_s[used] + np.maximum(0.0, extra_s - own_s * (1 - part.factor))
    left_out = int((good & censored).sum()) + int(open_still.sum())
    return Service(held_s, left_out, tuple(_overheads(attempts, used, speed)))


def _overheads(attempts: Attempts, used: Bools, speed: float) -> Iterator[Overhead]:
    for name, spans_s in (
        ("from due to taken in", attempts.taken_in_s - attempts.task_due_s),
        ("from dispatch to the start of the body", attempts.started_s - attempts.dispatched_s),
        ("from the end of the body to the result", attempts.closed_s - attempts.ended_s),
    ):
        known = spans_s[used & ~np.isnan(spans_s)]
        if len(known):
            middle_s = float(np.median(known))
            yield Overhead(name, middle_s, middle_s / speed, len(known))


def timings(part: Part) -> Iterator[CalibratedParameter]:
    """Everything that takes time besides bodies, as far as the model has a parameter for it."""
    yield _poll_interval(part)
    if queue_of(part.scenario).dispatchers > 1:
        yield _claim_time(part)
    kinds = {fault.type for fault in part.scenario.faults}
    if QueueFault.WORKER_CRASH in kinds:
        yield _worker_restart(part)
        yield _lease(part)


def _poll_interval(part: Part) -> CalibratedParameter:
    """Twice the median wait of work that found a free worker: it is due at any time between two polls."""
    key, queue, attempts = "queue.poll_interval", queue_of(part.scenario), part.all
    # What is tried again may be due at the very time of a poll: the watchdog keeps to a rhythm, too.
    first = part.mine & (attempts.number == 1) & _found_a_worker(part)
    waits_s = (attempts.dispatched_s - attempts.ready_s)[first]
    if queue.dispatchers > 1 or part.scenario.workload.process is Process.CONSTANT:
        what = "several dispatchers poll at times that no event tells"
        if queue.dispatchers == 1:
            what = "evenly spaced work does not meet polls at any time"
        return unseen(key, "s", queue.poll_interval_s, len(waits_s), what)
    if len(waits_s) < LEAST_WAITS:
        what = f"{len(waits_s)} of at least {LEAST_WAITS} waits of work that found a free worker"
        return unseen(key, "s", queue.poll_interval_s, len(waits_s), what)
    estimate = 2 * float(np.median(waits_s))
    low, high = quantile_ranks(0.5, len(waits_s), 0.95)
    ordered = np.sort(waits_s)
    interval = Interval(2 * float(ordered[max(low, 1) - 1]), 2 * float(ordered[min(high, len(ordered)) - 1]))
    detail = "twice the median wait for a poll, of work that found a free worker"
    return measured(key, queue.poll_interval_s, estimate, interval, len(waits_s), detail, part.factor)


def _found_a_worker(part: Part) -> Bools:
    """Whether fewer attempts than workers were due or under way when an attempt became due, and no fault was on."""
    attempts = part.all
    known = ~np.isnan(attempts.ready_s) & (attempts.dispatched_s >= attempts.ready_s)
    ready, released = np.sort(attempts.ready_s[known]), np.sort(attempts.released_s[known])
    due_s = np.where(known, attempts.ready_s, 0.0)
    within = np.searchsorted(ready, due_s, side="right") - np.searchsorted(released, due_s, side="right")
    calm = part.undisturbed(due_s, np.where(known, attempts.dispatched_s, 0.0))
    found: Bools = known & calm & (within <= queue_of(part.scenario).workers)
    return found


def _claim_time(part: Part) -> CalibratedParameter:
    """How long a claim takes, from how many dispatchers lose one: in the model, each does with the share of it in a poll."""
    key, queue = "queue.claim_time", queue_of(part.scenario)
    in_part = (part.events.t >= part.window.start_s) & (part.events.t < part.window.end_s)
    lost = int(part.events.value[in_part & (part.events.kind == Kind.LEASE_CONTENDED)].sum())
    claims = int((in_part & (part.events.kind == Kind.TASK_DISPATCHED)).sum())
    if not claims or not queue.poll_interval_s:
        return unseen(key, "s", queue.claim_time_s, claims, "no claims by polls")
    scale = queue.poll_interval_s / (queue.dispatchers - 1)
    interval = poisson(lost, claims)
    shown = Interval(interval.low * scale, interval.high * scale)
    detail = f"{lost:,} lost claims of {claims:,}"
    return measured(key, queue.claim_time_s, lost / claims * scale, shown, claims, detail, 1.0)


def _worker_restart(part: Part) -> CalibratedParameter:
    key, planned_s = "queue.worker_restart", queue_of(part.scenario).worker_restart_s
    away_s = np.array(list(_absences(part)))
    if len(away_s) < LEAST_FEW:
        return unseen(key, "s", planned_s, len(away_s), f"{len(away_s)} of at least {LEAST_FEW} restarts")
    estimate, interval = float(away_s.mean()), bootstrap(away_s, lambda values: float(values.mean()))
    return measured(key, planned_s, estimate, interval, len(away_s), "from exit to start", part.factor)


def _absences(part: Part) -> Iterator[float]:
    """How long each worker was gone that came back."""
    events = part.events
    gone: dict[int, float] = {}
    moved = np.flatnonzero(np.isin(events.kind, (Kind.PROCESS_EXITED, Kind.PROCESS_STARTED)) & (events.worker >= 0))
    for place in moved.tolist():
        worker, t_s = int(events.worker[place]), float(events.t[place])
        if t_s >= part.window.end_s:
            return
        if events.kind[place] == Kind.PROCESS_EXITED:
            gone[worker] = t_s
        elif worker in gone:
            yield t_s - gone.pop(worker)


def _lease(part: Part) -> CalibratedParameter:
    """How long a lease holds, from attempts whose worker died: from the last heartbeat to when the watchdog looks.

    It looks at most its interval later than the lease ends: the shortest time is an upper, the longest a lower bound.
    """
    key, queue, attempts = "queue.lease.duration", queue_of(part.scenario), part.all
    died: Ints = np.flatnonzero(
        part.mine
        & ~np.isnan(attempts.expired_s)
        & ~np.isnan(attempts.injected_s)
        & _crashed(part)
        & part.undisturbed(attempts.dispatched_s, attempts.expired_s)
    )
    if len(died) < LEAST_FEW:
        return unseen(key, "s", queue.lease_s, len(died), f"{len(died)} of at least {LEAST_FEW} leases that expired")
    lived_s = attempts.injected_s[died] - attempts.dispatched_s[died]
    renewed_s = (
        attempts.dispatched_s[died] + np.maximum(0, np.ceil(lived_s / queue.heartbeat_s) - 1) * queue.heartbeat_s
        if np.isfinite(queue.heartbeat_s)
        else attempts.dispatched_s[died]
    )
    found_s = attempts.expired_s[died] - renewed_s
    bounds = sorted((float(found_s.max()) - queue.watchdog_interval_s, float(found_s.min())))
    estimate, interval = sum(bounds) / 2, Interval(*bounds)
    detail = "from the last heartbeat of a worker that died"
    return measured(key, queue.lease_s, estimate, interval, len(died), detail, part.factor)


def _crashed(part: Part) -> Bools:
    crashes = [place for place, fault in enumerate(part.scenario.faults) if fault.type == QueueFault.WORKER_CRASH]
    return np.isin(part.all.hit, crashes)
