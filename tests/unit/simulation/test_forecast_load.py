"""The load that a plan forecasts, against the worker time that simulations of it really take."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from soak.schemas.language.load import load
from soak.schemas.language.model import Scenario
from soak.schemas.language.windows import Window
from soak.schemas.stream.events import COPY, Kind
from soak.simulation.plan import Plan
from soak.simulation.queue.forecast import forecast_queue
from soak.simulation.queue.lease import Leases
from soak.simulation.run import simulate

SCENARIO = """\
version: 1
name: load
system: queue
duration: {duration}
drain: 24h
workload: {{arrivals: {arrivals}, task: {{duration: {service}}}{tasks}}}
queue: {{{queue}, retry: {{max_attempts: {attempts}, backoff: [1s]}}}}
faults: [{faults}]
"""
POISSON = "{rate: 60/min}"
TEN = "{distribution: constant, value: 10s}"
SPREAD = "{distribution: lognormal, median: 8s, p95: 30s}"
HANG = "{name: hang, type: worker_hang, rate: 20%, hang_for: 40s}"
REPLICATIONS = 16
T_999 = 4.073
"""Student's t with 15 degrees of freedom: 99.9 % lie within."""


def scenario(
    tmp_path: Path,
    *,
    faults: str = "",
    arrivals: str = POISSON,
    service: str = TEN,
    queue: str = "",
    attempts: int = 3,
    duration: str = "2h",
    tasks: str = "",
) -> Scenario:
    path = tmp_path / "load.yaml"
    words = {"arrivals": arrivals, "service": service, "attempts": attempts, "tasks": tasks, "duration": duration}
    queue = queue if "workers" in queue else f"workers: 200, {queue}".rstrip(", ")
    path.write_text(SCENARIO.format(faults=faults, queue=queue, **words))
    return load(path).scenario


_BACK = {Kind.TASK_DONE, Kind.TASK_FAILED, Kind.TASK_BLOCKED, Kind.TASK_RETRY, Kind.LEASE_REFUSED}


def worker_time(plan: Plan) -> tuple[float, float]:
    """By the events alone, for each task that arrived: seconds for which it held workers, and its attempts.

    What a duplicate takes is its task's; attempts are those of the first submission.
    """
    held_s, attempts, tasks = 0.0, 0, 0
    since: dict[int, float] = {}
    lost: set[tuple[int, int]] = set()
    for block in simulate(plan):
        columns = (block.t, block.kind, block.task, block.attempt, block.worker)
        for t, kind, task, attempt, worker in zip(*(column.tolist() for column in columns), strict=True):
            if kind == Kind.TASK_ENQUEUED:
                tasks += not task & COPY
            elif kind == Kind.TASK_DISPATCHED:
                since[worker] = t
                attempts += not task & COPY
            elif kind == Kind.LEASE_EXPIRED:
                lost.add((task, attempt))
            elif kind in {Kind.PROCESS_STARTED, Kind.LEASE_REFUSED}:
                held_s += t - since.pop(worker)
            elif kind in _BACK and (task, attempt) not in lost:
                # A worker that lost its lease stays held: what becomes of the task says nothing of it.
                held_s += t - since.pop(worker)
    return held_s / tasks, attempts / tasks


CASES = {
    "nothing": {},
    "spread": {"service": SPREAD},
    "transient": {"faults": "{name: a, type: transient_error, rate: 30%}"},
    "hang that outlasts the lease": {"faults": HANG, "queue": "lease: {duration: 15s, heartbeat: 5s}"},
    "hang about as long as the lease": {
        "faults": "{name: hang, type: worker_hang, rate: 30%, hang_for: 33s}",
        "queue": "lease: {duration: 30s, heartbeat: 10s}",
        "service": SPREAD,
    },
    "hang in step with the watchdog": {
        "faults": "{name: hang, type: worker_hang, rate: 30%, hang_for: 33s}",
        "queue": "lease: {duration: 30s, heartbeat: 10s}, poll_interval: 5s",
        "arrivals": "{process: constant, rate: 30/min}",
    },
    "short hang": {"faults": "{name: hang, type: worker_hang, rate: 30%, hang_for: 3s}"},
    "only one attempt": {"faults": HANG, "attempts": 1},
    "crash": {"faults": "{name: crash, type: worker_crash, rate: 20%}", "queue": "worker_restart: 20s"},
    "busy database": {"faults": "{name: lock, type: db_lock, rate: 25%}", "queue": "busy_timeout: 7s"},
    "one after the other": {
        "faults": "{name: a, type: permanent_error, rate: 40%}, {name: b, type: transient_error, rate: 40%}, " + HANG,
        "queue": "lease: {duration: 15s, heartbeat: 5s}",
    },
    "over budget before": {
        "faults": "{name: g, type: guardrail_exceed, rate: 30%}, {name: a, type: transient_error, rate: 50%}",
    },
    "over budget after": {
        "faults": "{name: a, type: transient_error, rate: 50%}, {name: g, type: guardrail_exceed, rate: 30%}, "
        "{name: b, type: db_lock, rate: 50%}",
    },
    "for a time": {"faults": "{name: a, type: transient_error, rate: 60%, at: 30m, for: 30m}"},
    "in bursts": {
        "arrivals": "{rate: 20/min, burst: {every: 30m, for: 10m, rate: 2/s}}",
        "faults": "{name: a, type: db_lock, rate: 60%, at: 30m, for: 20m}",
    },
    "failed work that comes again": {
        "faults": "{name: p, type: permanent_error, rate: 50%}, "
        "{name: d, type: duplicate_enqueue, rate: 40%, delay: {distribution: constant, value: 5m}}",
    },
    "skipped duplicates": {"faults": "{name: d, type: duplicate_enqueue, rate: 40%}"},
    "no more tasks": {"tasks": ", tasks: 2000", "faults": HANG},
}  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_load_is_what_simulations_come_to(case: str, tmp_path: Path) -> None:
    asked = scenario(tmp_path, **CASES[case])  # type: ignore[arg-type]
    expected = forecast_queue(Plan(asked))
    until_s = asked.workload.tasks / asked.workload.rate_per_s if asked.workload.tasks else asked.duration_s
    held_s, attempts = zip(*(worker_time(Plan(asked, seed)) for seed in range(REPLICATIONS)), strict=True)
    assert_mean(held_s, expected.mean_load * until_s / expected.expected_arrivals)
    assert_mean(attempts, expected.attempts_per_task)


def assert_mean(values: Sequence[float], expected: float) -> None:
    """The mean of replications is as expected, within what its standard error allows in 99.9 % of cases."""
    error = float(np.std(values, ddof=1)) / math.sqrt(len(values))
    # Where nothing is random, what is left is the rounding of times to a microsecond.
    assert abs(float(np.mean(values)) - expected) <= T_999 * error + 1e-5, (float(np.mean(values)), expected, error)


def test_a_hang_that_outlasts_the_lease_holds_its_worker_and_is_tried_again(tmp_path: Path) -> None:
    """12 tasks a minute of 10 s, a fifth of the attempts hang for 15 s: 13 s each, and 1.25 attempts a task."""
    hang = "{name: hang, type: worker_hang, rate: 20%, hang_for: 15s}"
    lease = "lease: {duration: 2s, heartbeat: 1s}, watchdog_interval: 1s"
    asked = scenario(tmp_path, faults=hang, arrivals="{rate: 12/min}", queue=lease, attempts=20)
    expected = forecast_queue(Plan(asked))
    assert expected.mean_load == pytest.approx(3.25)
    assert expected.attempts_per_task == pytest.approx(1.25)


SECONDS = st.integers(min_value=1, max_value=60).map(float)


@given(start=SECONDS, lease=SECONDS, heartbeat=SECONDS, watchdog=SECONDS, struck=st.floats(0, 60), hang=SECONDS)
def test_leases_that_hangs_outlast_are_those_that_expire(
    start: float, lease: float, heartbeat: float, watchdog: float, struck: float, hang: float
) -> None:
    leases = Leases(lease + heartbeat, heartbeat, watchdog, ())
    silence = Window(start + struck, start + struck + hang)
    expires = leases.first_expiry(start, silence.end_s + 100.0, [silence])
    lost = leases.outlasted_by_hang(np.array([start]), np.array([silence.start_s - start]), hang)
    # In between are hangs that end within rounding of the watchdog's round.
    sure = expires is None or silence.end_s - expires > 1e-9
    assert not sure or lost[0] == (expires is not None)


# Warnings.

REGULAR = "{process: constant, rate: 1/s}"
RANDOM = "{distribution: exponential, mean: 10s}"


@pytest.mark.parametrize(
    ("words", "warning"),
    [
        ({"arrivals": REGULAR, "queue": "poll_interval: 0s"}, ""),
        # A third of a minute: 1/3 a second times 30 s is 10.000000000000002.
        ({"arrivals": "{process: constant, rate: 20/min}", "service": "{distribution: constant, value: 30s}"}, ""),
        ({"arrivals": "{rate: 1/s}", "queue": "poll_interval: 0s"}, "at its limit by design"),
        ({"arrivals": REGULAR, "service": RANDOM, "queue": "poll_interval: 0s"}, "at its limit"),
        ({"arrivals": "{process: constant, rate: 61/min}", "queue": "poll_interval: 0s"}, "overloaded by design: 10.17 workers"),
        ({"arrivals": "{rate: 59/min}", "queue": "poll_interval: 0s"}, ""),
        ({"arrivals": "{rate: 10/min, burst: {every: 1h, for: 5m, rate: 61/min}}"}, "overloaded during bursts: 10.17"),
        (
            {"arrivals": "{rate: 10/min, stages: [{for: 1h}, {rate: 61/min, for: 5m}, {rate: 10/min, for: 10m}]}"},
            "overloaded at the busiest times: 10.17",
        ),
        (
            {"arrivals": "{rate: 40/min}", "faults": "{name: net, type: transient_error, rate: 90%, at: 1h, for: 10m}"},
            "overloaded while net lasts: 18.07 workers",
        ),
        (
            {"arrivals": "{rate: 61/min}", "service": "{distribution: constant, value: 5s}", "queue": "poll_interval: 10s"},
            "overloaded by design: 5.08 workers would be busy on average and 5.08 idle until the next poll (every 10s), but",
        ),
    ],
)  # fmt: skip
def test_a_plan_warns_where_workers_cannot_keep_up(words: dict[str, str], warning: str, tmp_path: Path) -> None:
    queue = f"workers: 10, {words.pop('queue', 'poll_interval: 1s')}"
    asked = scenario(tmp_path, **words, queue=queue)  # type: ignore[arg-type]
    warnings = forecast_queue(Plan(asked)).warnings
    assert [each[: len(warning)] for each in warnings] == ([warning] if warning else [])


def test_workers_that_wait_for_polls_do_not_keep_up(tmp_path: Path) -> None:
    """5 of 10 workers busy by the service time: yet more than one task a second is too much when polls come every 10 s."""
    depths = {}
    for rate in ("57/min", "63/min"):
        queue = "workers: 10, poll_interval: 10s"
        asked = scenario(
            tmp_path, arrivals=f"{{process: constant, rate: {rate}}}", service=TEN.replace("10s", "5s"), queue=queue
        )
        overloaded = bool(forecast_queue(Plan(asked)).warnings)
        samples = [block.value[block.kind == Kind.SAMPLE_QUEUE_DEPTH] for block in simulate(Plan(asked))]
        depths[overloaded] = float(np.concatenate(samples)[100])
    assert depths[False] <= 10
    assert depths[True] > 200
