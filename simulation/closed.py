"""What a closed workload asks of a system, without running it: asymptotic bounds, and what the machine repairman expects."""

import math
from collections.abc import Callable, Iterator

import numpy as np
from msgspec import Struct

from soak.schemas.language.distributions import Distribution, Exponential
from soak.schemas.language.faults import Fault
from soak.schemas.language.model import Scenario
from soak.schemas.stream.block import Floats
from soak.schemas.units import show_duration, show_rate
from soak.simulation.repairman import Balance, balance, bound

POINTS = 72
_ROUNDING = 1e-9
COORDINATED_OMISSION = (
    "a closed workload slows down with the system: under overload its users submit less, and latency looks better than it "
    "would if work arrived at a rate (coordinated omission)"
)


class Need(Struct, frozen=True):
    """Of a task of a system: how long it takes at least, how long it keeps one of the workers, other delays, attempts.

    taken_s: how long it keeps a worker where work is always waiting; workers: the most that there ever are, inf where tasks do
    not wait for any; workers_at: those that there are at a time.
    """

    least_s: float
    held_s: float
    taken_s: float
    delay_s: float
    workers: float
    attempts: float
    workers_at: Callable[[float], float]
    queues: bool = False
    """Whether workers belong to several queues."""


class ClosedForecast(Struct, frozen=True):
    """Figures of a closed workload, for the largest number of users at any time.

    between_s: mean think time, pauses included. users_most_per_s: N / (Z + S); workers_most_per_s: c / S, None without a
    limit; balance_users: where both are equal. expected_*: of the machine repairman. expected_tasks: over the run.
    rate_per_s: the expected throughput, in POINTS equal parts of the run. users_over_time: at work, in the same parts.
    """

    users: int
    between_s: float
    service_mean_s: float
    attempts_per_task: float
    workers: int | None
    users_most_per_s: float
    workers_most_per_s: float | None
    most_per_s: float
    balance_users: float | None
    expected_per_s: float
    expected_response_s: float
    expected_busy: float
    expected_tasks: float
    faults: dict[str, int]
    rate_per_s: Floats
    users_over_time: Floats
    warnings: tuple[str, ...]
    model: str
    """What the expectation assumes, in words."""


def forecast_closed(scenario: Scenario, need: Need) -> ClosedForecast:
    """The forecast of a closed workload whose tasks need this of the system."""
    users = scenario.workload.users
    assert users
    between_s, count = users.between_s, math.ceil(max(number for _, number in users.levels))
    times = (np.arange(POINTS) + 0.5) / POINTS * scenario.duration_s
    at_work = np.ceil([users.at(t_s) for t_s in times.tolist()])
    there = [(number, need.workers_at(t_s)) for number, t_s in zip(at_work.tolist(), times.tolist(), strict=True)]
    full = float(count), need.workers
    known = {(n, workers): _expected(round(n), between_s, need, workers) for n, workers in {*there, full}}
    rate_per_s = np.array([known[each].throughput_per_s for each in there])
    by_users, by_workers = count / (between_s + need.least_s), need.workers / need.taken_s if need.taken_s else math.inf
    expected, limited = known[full], math.isfinite(by_workers)
    response_s = count / expected.throughput_per_s - between_s
    by_rate = float(rate_per_s.mean()) * scenario.duration_s + users.count * _ahead(users.think)
    tasks = min(by_rate, _of_shares(scenario, between_s + response_s))
    return ClosedForecast(
        users=count,
        between_s=between_s,
        service_mean_s=scenario.workload.service.mean_s,
        attempts_per_task=need.attempts,
        workers=int(need.workers) if math.isfinite(need.workers) else None,
        users_most_per_s=by_users,
        workers_most_per_s=by_workers if limited else None,
        most_per_s=min(by_users, by_workers),
        balance_users=by_workers * (between_s + need.least_s) if limited else None,
        expected_per_s=expected.throughput_per_s,
        expected_response_s=response_s,
        expected_busy=expected.throughput_per_s * need.held_s,
        expected_tasks=tasks,
        faults={fault.name: round(tasks * _share(scenario, fault)) for fault in scenario.faults if fault.rate},
        rate_per_s=rate_per_s,
        users_over_time=at_work,
        warnings=tuple(_warnings(scenario, by_users, by_workers, response_s, tasks)),
        model=_model(count, need),
    )


def _model(users: int, need: Need) -> str:
    if math.isinf(need.workers):
        return "no task waits for a worker"
    if need.queues:
        return "about: at most what the busiest of the queues allows"
    return f"M/M/{need.workers:g}//{users}: exact for exponential times"


def _expected(users: int, between_s: float, need: Need, workers: float) -> Balance:
    """What the machine repairman expects; delays outside the workers lengthen the think time."""
    delay_s = need.delay_s + max(0.0, need.least_s - need.held_s)
    found = balance(users, between_s + delay_s, need.held_s, workers)
    if not users:
        return found
    most = bound(users, between_s, need.taken_s, workers) if need.taken_s else math.inf
    return found if found.throughput_per_s <= most else Balance(most, found.in_system)


def _ahead(think: Distribution) -> float:
    """How many more tasks a user submits than time over mean time of a turn, since the first comes without think time.

    For a renewal process that starts with an event: (1 + cv^2) / 2 (Cox, Renewal Theory, 1962, chapter 4.2), cv taken as 1 or 0.
    """
    return 1.0 if isinstance(think, Exponential) else 0.5


def _of_shares(scenario: Scenario, turn_s: float) -> float:
    """Tasks of the run where each user submits no more than an equal share of `workload.tasks`."""
    users, tasks = scenario.workload.users, scenario.workload.tasks
    if users is None or tasks is None:
        return math.inf
    turns = 0.0
    for user in range(users.count):
        ends_s = [(window.start_s, min(window.end_s, scenario.duration_s)) for window in users.windows(user)]
        at_work_s = sum(max(0.0, end_s - start_s) for start_s, end_s in ends_s)
        turns += min(at_work_s / turn_s + _ahead(users.think), max(0.0, math.ceil((tasks - user) / users.count)))
    return turns


def _share(scenario: Scenario, fault: Fault) -> float:
    """Of the tasks, the share that a fault by rate strikes, were they spread evenly over the run."""
    inside_s = sum(window.end_s - window.start_s for window in fault.windows)
    return (
        fault.rate * scenario.workload.share_struck(fault) * (inside_s / scenario.duration_s if fault.windows else 1.0)
    )


def _warnings(scenario: Scenario, by_users: float, by_workers: float, response_s: float, tasks: float) -> Iterator[str]:
    users, asked = scenario.workload.users, scenario.workload.tasks
    assert users
    if by_users > by_workers:
        waits = f"each waits about {show_duration(round(response_s, 1))} for a task"
        what = f"the users could submit {show_rate(by_users)}, but the workers end {show_rate(by_workers)} at most"
        yield f"saturated by design: {what}; {waits}"
    if response_s > users.timeout_s:
        yield f"users give up after {show_duration(users.timeout_s)}, before the average task ends: work piles up"
    if asked is not None and tasks < asked * (1 - _ROUNDING):
        yield f"about {tasks:,.0f} of {asked:,} tasks are expected: the verdict may be INCONCLUSIVE"
    yield COORDINATED_OMISSION


def closed_figures(scenario: Scenario, f: ClosedForecast) -> list[str]:
    """The forecast in words, a line each."""
    users = scenario.workload.users
    assert users
    session = users.session
    pauses = f", {show_duration(session.pause.mean_s)} after {session.tasks} tasks" if session else ""
    gives_up = "" if math.isinf(users.timeout_s) else f"; they wait {show_duration(users.timeout_s)} for a task at most"
    by_workers, workers = "", f"{f.workers} worker{'' if f.workers == 1 else 's'}"
    if f.workers_most_per_s is not None and f.balance_users is not None:
        by_workers = f", the {workers} {show_rate(f.workers_most_per_s)}; equal at {f.balance_users:.1f} users"
    busy = f"{f.expected_busy:.2f}" + (f" of {workers} busy" if f.workers else " worked on at a time")
    return [
        f"  users       {f.users:,}; think time {show_duration(round(users.think.mean_s, 3))} on average{pauses}{gives_up}",
        f"  tasks       about {f.expected_tasks:,.0f} expected",
        f"  attempts    {f.attempts_per_task:.3f} per task, mean service time {show_duration(f.service_mean_s)}",
        f"  bounds      at most {show_rate(f.most_per_s)}: the users submit {show_rate(f.users_most_per_s)}{by_workers}",
        f"  expected    {show_rate(f.expected_per_s)}, {show_duration(round(f.expected_response_s, 3))} to the end of a task, "
        f"{busy} ({f.model})",
    ]
