"""The rules of the queue, one by one: small runs whose every event can be worked out by hand."""

import heapq
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soak.schemas.language.load import load
from soak.schemas.stream.events import KEY_SHIFT, SPECS, Kind
from soak.simulation.plan import Plan
from soak.simulation.queue.waiting import oldest_due
from soak.simulation.run import simulate

SCENARIO = """\
version: 1
name: rules
system: queue
duration: {duration}
drain: 2h
workload:
  arrivals: {{process: constant, rate: {rate}}}
  task:
    duration: {{distribution: constant, value: {service}}}
queue:
  {queue}
faults: [{faults}]
telemetry: {{sample_interval: 1h}}
"""
RUNNER = {"fault.injected", "fault.cleared", "fault.seen", "sample.state"}


def story(
    tmp_path: Path,
    *,
    duration: str = "10s",
    rate: str = "6/min",
    service: str = "5s",
    queue: str = "workers: 1",
    faults: str = "",
    leave_out: set[str] = RUNNER,
) -> list[tuple[float, str, int, int]]:
    """(time, type, key, attempt) of every event that tells something of a task or a worker."""
    path = tmp_path / "rules.yaml"
    path.write_text(SCENARIO.format(duration=duration, rate=rate, service=service, queue=queue, faults=faults))
    events = []
    for block in simulate(Plan(load(path).scenario)):
        for t, kind, task, attempt in zip(block.t, block.kind, block.task, block.attempt, strict=True):
            type_ = SPECS[Kind(int(kind))].type
            if type_ not in leave_out and not type_.startswith("sample."):
                events.append((float(t), type_, int(task) >> KEY_SHIFT, int(attempt)))
    return events


def times(events: list[tuple[float, str, int, int]], type_: str) -> list[float]:
    return [t for t, kind, _, _ in events if kind == type_]


def test_a_task_from_enqueue_to_done(tmp_path: Path) -> None:
    assert story(tmp_path) == [
        (0.0, "task.enqueued", 0, 0),
        (0.0, "task.dispatched", 0, 1),
        (0.0, "execution.started", 0, 1),
        (5.0, "execution.ended", 0, 1),
        (5.0, "task.done", 0, 1),
    ]


def test_a_poll_is_waited_for(tmp_path: Path) -> None:
    events = story(tmp_path, duration="30s", queue="{workers: 1, poll_interval: 7s}")
    assert times(events, "task.enqueued") == [0, 10, 20]
    assert times(events, "task.dispatched") == [0, 14, 21]


def test_a_transient_error_backs_off_and_fails_at_its_last_attempt(tmp_path: Path) -> None:
    events = story(
        tmp_path,
        queue="{workers: 1, retry: {max_attempts: 3, backoff: [10s, 20s]}}",
        faults="{name: error, type: transient_error, rate: 100%}",
    )
    assert times(events, "task.dispatched") == [0, 15, 40]
    assert times(events, "task.retry") == [5, 20]
    assert times(events, "task.failed") == [45]


def test_a_backoff_holds_although_workers_are_free_and_the_last_value_repeats(tmp_path: Path) -> None:
    events = story(
        tmp_path,
        queue="{workers: 5, retry: {max_attempts: 4, backoff: [1m]}}",
        faults="{name: error, type: transient_error, rate: 100%}",
    )
    assert times(events, "task.dispatched") == [0, 65, 130, 195]


def test_work_that_was_due_for_long_is_not_dispatched_in_the_past(tmp_path: Path) -> None:
    """The only worker is busy when the backoff is over: the retry starts when the worker is free."""
    events = story(
        tmp_path,
        duration="20s",
        service="30s",
        queue="{workers: 1, retry: {max_attempts: 2, backoff: [1s]}}",
        faults="{name: error, type: transient_error, rate: 100%}",
    )
    assert times(events, "task.dispatched") == [0, 30, 60, 90]
    assert [key for _, type_, key, _ in events if type_ == "task.dispatched"] == [0, 1, 0, 1]


def test_a_permanent_error_fails_at_once(tmp_path: Path) -> None:
    events = story(tmp_path, faults="{name: bug, type: permanent_error, rate: 100%}")
    assert times(events, "task.failed") == [5]
    assert not times(events, "task.retry")


def test_over_budget_is_blocked_and_observed_only_runs_on(tmp_path: Path) -> None:
    fault = "{name: budget, type: guardrail_exceed, rate: 100%}"
    assert times(story(tmp_path, faults=fault), "task.blocked") == [5]
    observed = story(tmp_path, queue="guardrail: {mode: observe}", faults=fault)
    assert times(observed, "task.done") == [5]


def test_a_busy_database_is_waited_for_and_then_transient(tmp_path: Path) -> None:
    events = story(
        tmp_path,
        queue="{workers: 1, busy_timeout: 5s, retry: {max_attempts: 2, backoff: [10s]}}",
        faults="{name: lock, type: db_lock, rate: 100%}",
    )
    assert times(events, "execution.ended") == [5, 25]
    assert times(events, "task.retry") == [10]
    assert times(events, "task.failed") == [30]


def test_a_crash_leaves_the_task_to_the_watchdog_and_the_worker_comes_back(tmp_path: Path) -> None:
    events = story(
        tmp_path,
        service="20s",
        queue="{workers: 1, worker_restart: 5s, lease: {duration: 1m, heartbeat: 10s}, retry: {max_attempts: 1}}",
        faults="{name: crash, type: worker_crash, rate: 100%}",
    )
    (crashed,) = times(events, "process.exited")
    assert 0 < crashed < 20
    assert times(events, "process.started") == [pytest.approx(crashed + 5)]
    last_heartbeat = 10 * int(crashed // 10)
    assert times(events, "lease.expired") == [last_heartbeat + 60]
    assert times(events, "task.failed") == [last_heartbeat + 60]


def test_an_expired_lease_is_due_at_once_and_counts_as_an_attempt(tmp_path: Path) -> None:
    events = story(
        tmp_path,
        queue="{workers: 1, lease: {duration: 1m, heartbeat: 30s}, retry: {max_attempts: 2, backoff: [10m]}}",
        faults="{name: crash, type: worker_crash, rate: 100%}",
    )
    expired = times(events, "lease.expired")
    assert expired == [60, 120]
    assert times(events, "task.dispatched") == [0, 60]
    assert times(events, "task.retry") == [60]
    assert times(events, "task.failed") == [120]


def test_a_worker_that_hangs_past_its_lease_is_refused(tmp_path: Path) -> None:
    events = story(
        tmp_path,
        queue="{workers: 2, lease: {duration: 1m, heartbeat: 10s}, retry: {max_attempts: 2, backoff: [1s]}}",
        faults="{name: hang, type: worker_hang, rate: 100%, hang_for: 5m, at: 0s, for: 5s}",
    )
    assert times(events, "lease.expired") == [60]
    assert times(events, "task.dispatched") == [0, 60]
    assert times(events, "task.done") == [65]
    # The zombie is refused, if the run lasts that long; its execution still runs when the second one starts.
    assert not times(events, "lease.refused")


def test_a_short_hang_only_takes_longer(tmp_path: Path) -> None:
    events = story(tmp_path, faults="{name: hang, type: worker_hang, rate: 100%, hang_for: 20s}")
    assert times(events, "task.done") == [25]
    assert not times(events, "lease.expired")


def test_a_zombie_is_refused_while_the_run_goes_on(tmp_path: Path) -> None:
    events = story(
        tmp_path,
        duration="10m",
        rate="1/h",
        queue="{workers: 2, lease: {duration: 1m, heartbeat: 10s}}",
        faults="{name: hang, type: worker_hang, rate: 100%, hang_for: 5m, at: 0s, for: 5s}",
    )
    assert times(events, "lease.refused") == [305]
    assert times(events, "task.done") == [65]


def test_nothing_changes_state_while_the_database_is_out(tmp_path: Path) -> None:
    events = story(
        tmp_path,
        duration="5m",
        rate="2/min",
        service="20s",
        queue="{workers: 4, lease: {duration: 1m, heartbeat: 10s}}",
        faults="{name: out, type: db_outage, at: 35s, for: 100s}",
    )
    changing = [(t, type_) for t, type_, _, _ in events if type_.startswith("task.") and type_ != "task.deferred"]
    assert not [t for t, _ in changing if 35 <= t < 135]
    assert times(events, "task.deferred") == [60, 90, 120]
    assert [t for t in times(events, "task.enqueued") if t == 135] == [135, 135, 135]
    assert 135 in times(events, "task.done")  # the attempt that ended at 50 s reports when the database is back
    assert not times(events, "lease.expired")  # heartbeats are made up the moment it is back


def test_a_duplicate_is_skipped_while_its_key_is_pending_running_or_done(tmp_path: Path) -> None:
    for delay in ("2s", "8s"):
        fault = (
            f"{{name: again, type: duplicate_enqueue, rate: 100%, delay: {{distribution: constant, value: {delay}}}}}"
        )
        events = story(tmp_path, faults=fault)
        assert times(events, "task.duplicate") == times(events, "task.skipped") == [float(delay[0])]
        assert len(times(events, "task.enqueued")) == 1


def test_a_key_that_failed_may_come_again(tmp_path: Path) -> None:
    again = "{name: again, type: duplicate_enqueue, rate: 100%, delay: {distribution: constant, value: 8s}}"
    events = story(tmp_path, faults=f"{again}, {{name: bug, type: permanent_error, rate: 100%}}")
    assert times(events, "task.enqueued") == [0, 8]
    assert not times(events, "task.skipped")
    assert times(events, "task.failed") == [5, 13]


def test_the_oldest_due_task_goes_first(tmp_path: Path) -> None:
    """The first task fails and is due again while others wait: it is older, so it goes before them."""
    events = story(
        tmp_path,
        duration="1m",
        service="10s",
        rate="12/min",
        queue="{workers: 1, retry: {max_attempts: 2, backoff: [5s]}}",
        faults="{name: error, type: transient_error, rate: 100%, at: 0s, for: 5s}",
    )
    order = [(key, attempt) for _, type_, key, attempt in events if type_ == "task.dispatched"]
    assert order[:4] == [(0, 1), (1, 1), (0, 2), (2, 1)]


def test_a_fault_with_a_window_hits_only_attempts_that_start_in_it(tmp_path: Path) -> None:
    events = story(tmp_path, duration="1m", faults="{name: bug, type: permanent_error, rate: 100%, at: 20s, for: 20s}")
    assert [key for _, type_, key, _ in events if type_ == "task.failed"] == [2, 3]


def test_dispatchers_contend(tmp_path: Path) -> None:
    queue = "{workers: 9, dispatchers: 50, poll_interval: 1s, claim_time: 500ms}"
    events = story(tmp_path, duration="1m", queue=queue)
    assert len(times(events, "lease.contended")) == 6
    assert len(times(events, "task.done")) == 6


def test_work_that_is_open_at_the_end_of_the_drain_stays_open(tmp_path: Path) -> None:
    events = story(tmp_path, service="3h")
    assert [type_ for _, type_, _, _ in events] == ["task.enqueued", "task.dispatched", "execution.started"]


def oldest_pending(tmp_path: Path, *, every: str, duration: str, **words: str) -> dict[float, float]:
    """The samples of how long the oldest due task had waited, by time."""
    path = tmp_path / "rules.yaml"
    words = {"rate": "6/min", "service": "5s", "queue": "workers: 1", "faults": "", **words}
    path.write_text(
        SCENARIO.format(duration=duration, **words).replace("sample_interval: 1h", f"sample_interval: {every}")
    )
    found: dict[float, float] = {}
    for block in simulate(Plan(load(path).scenario)):
        told = block.kind == Kind.SAMPLE_OLDEST_PENDING
        found |= dict(zip(block.t[told].tolist(), block.value[told].tolist(), strict=True))
    return found


def test_work_that_cannot_be_taken_in_waits_from_the_time_it_was_due(tmp_path: Path) -> None:
    """Tasks are due every 10 s; that of 60 s is the first that finds the database gone, from 55 s to 2 minutes."""
    outage = "{name: out, type: db_outage, at: 55s, for: 65s}"
    waited = oldest_pending(tmp_path, every="15s", duration="3m", faults=outage)
    assert [waited[t] for t in (45.0, 60.0, 75.0, 90.0, 105.0)] == [0.0, 0.0, 15.0, 30.0, 45.0]
    assert waited[120.0] in {0.0, 60.0}
    assert waited[150.0] < 60.0


def test_a_retry_that_no_dispatcher_hands_out_waits_from_the_end_of_its_backoff(tmp_path: Path) -> None:
    """The only task fails at 5 s and is due again at 15 s; the dispatcher is gone from 10 s to 2 minutes."""
    faults = "{name: net, type: transient_error, rate: 100%}, {name: gone, type: dispatcher_crash, at: 10s, for: 110s}"
    queue = "{workers: 1, retry: {max_attempts: 2, backoff: [10s]}}"
    waited = oldest_pending(tmp_path, every="20s", duration="3m", rate="1/h", faults=faults, queue=queue)
    assert [waited[t] for t in (20.0, 40.0, 60.0, 100.0)] == [5.0, 25.0, 45.0, 85.0]


def test_a_retry_ahead_of_others_does_not_hide_how_long_they_have_waited(tmp_path: Path) -> None:
    """The first task fails at 5 s and is due again at 6 s, before the second, which waits since 2 s for the only worker."""
    assert oldest_due(9.0, [(1, 0, 2, 6.0), (2, 2, 1, 2.0)], [], []) == 2.0
    assert oldest_due(9.0, [(1, 0, 2, 6.0)], [(4.0, 7, 14, 2)], [(3.0, 9, 5), (3.5, 16, 0)]) == 3.5
    assert oldest_due(9.0, [], [(14.0, 7, 14, 2)], []) == 9.0


@given(st.lists(st.tuples(st.booleans(), st.floats(0.0, 50.0)), min_size=1, max_size=40))
def test_the_longest_wait_is_found_without_looking_at_all_that_waits(work: list[tuple[bool, float]]) -> None:
    # Each is due a second after the one before; a retry some time after that.
    ready: list[tuple[int, int, int, float]] = []
    for order, (again, later_s) in enumerate(work):
        heapq.heappush(ready, (order, 2 * order, 2 if again else 1, float(order) + (later_s if again else 0.0)))
    assert oldest_due(1000.0, ready, [], []) == min(due for _, _, _, due in ready)
