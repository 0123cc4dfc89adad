"""The rules of policies and dependencies, one by one: small runs whose every event can be worked out by hand."""

from pathlib import Path

import pytest

from soak.schemas.language.load import load
from soak.schemas.stream.events import KEY_SHIFT, SPECS, Kind, Value
from soak.simulation.plan import Plan
from soak.simulation.run import simulate

SCENARIO = """\
version: 1
name: rules
system: calls
drain: 10m
workload:
  tasks: {tasks}
  arrivals: {{process: constant, rate: {rate}}}
  task: {{{task}}}
calls:
  dependencies:
    - {{name: primary, latency: {{distribution: constant, value: {latency}}}, {primary}}}
    - {{name: secondary, latency: {{distribution: constant, value: 100ms}}}}
  policy: [{policy}]
faults: [{faults}]
telemetry: {{sample_interval: 1h}}
"""
LEFT_OUT = {"fault.injected", "fault.cleared", "sample.state", "task.enqueued"}
Told = tuple[float, str, int, str]


def story(
    tmp_path: Path,
    *,
    tasks: int = 1,
    rate: str = "1/s",
    latency: str = "100ms",
    primary: str = "",
    policy: str = "",
    faults: str = "",
    memory: str = "",
    only: str = "",
) -> list[Told]:
    """(time, type, key, error, dependency or how) of every event; `only`: of the types that start so."""
    path = tmp_path / "rules.yaml"
    task = f"memory: {memory}" if memory else "memory: [{size: 1B}]"
    limit = primary if "memory" in primary else f"memory: 1GB, {primary}".rstrip(", ")
    path.write_text(
        SCENARIO.format(tasks=tasks, rate=rate, latency=latency, primary=limit, policy=policy, faults=faults, task=task)
    )
    plan = Plan(load(path).scenario)
    events = []
    for block in simulate(plan):
        columns = (block.t, block.kind, block.task, block.cause, block.value)
        for t, kind, number, cause, value in zip(*(column.tolist() for column in columns), strict=True):
            spec = SPECS[Kind(kind)]
            named = plan.vocabulary.names[int(value)] if spec.value is Value.NAME else ""
            word = plan.vocabulary.causes[cause].error or named
            if spec.type not in LEFT_OUT and not spec.type.startswith("sample.") and spec.type.startswith(only):
                events.append((round(t, 6), spec.type, number >> KEY_SHIFT, word))
    return events


def of(events: list[Told], *types: str) -> list[tuple[float, int, str]]:
    return [(t, key, word) for t, type_, key, word in events if type_ in types]


def test_a_call_that_goes_well(tmp_path: Path) -> None:
    assert story(tmp_path) == [
        (0.0, "task.dispatched", 0, ""),
        (0.0, "call.started", 0, "primary"),
        (0.1, "call.succeeded", 0, "primary"),
        (0.1, "task.done", 0, ""),
    ]


def test_a_retry_waits_longer_each_time_and_gives_up(tmp_path: Path) -> None:
    policy = "{retry: {max_attempts: 4, backoff: {initial: 1s, factor: 3, max: 5s}}}"
    events = story(tmp_path, policy=policy, faults="{name: f, type: connection_error, rate: 100%}")
    assert [t for t, _, _ in of(events, "call.started")] == [0.0, 1.0, 4.0, 9.0]
    assert of(events, "task.failed") == [(9.0, 0, "connection_error")]


def test_jitter_makes_waits_shorter_and_never_longer(tmp_path: Path) -> None:
    policy = "{retry: {max_attempts: 2, backoff: {initial: 1s, jitter: 50%}}}"
    events = story(tmp_path, tasks=50, policy=policy, faults="{name: f, type: connection_error, rate: 100%}")
    starts = of(events, "call.started")
    waits = [b - a for key in range(50) for a, b in [[t for t, k, _ in starts if k == key]]]
    assert 0.5 <= min(waits) < 0.6
    assert 0.9 < max(waits) <= 1.0


def test_what_is_denied_is_not_tried_again_unless_asked_for(tmp_path: Path) -> None:
    denied = "{name: f, type: permission_denied, rate: 100%}"
    assert len(of(story(tmp_path, policy="{retry: {}}", faults=denied), "call.started")) == 1
    asked = "{retry: {errors: [permission_denied]}}"
    assert len(of(story(tmp_path, policy=asked, faults=denied), "call.started")) == 3
    other = "{retry: {errors: [timeout]}}"
    refused = "{name: f, type: connection_error, rate: 100%}"
    assert len(of(story(tmp_path, policy=other, faults=refused), "call.started")) == 1


def test_retry_after_is_respected(tmp_path: Path) -> None:
    policy = "{retry: {max_attempts: 2, backoff: {initial: 100ms}}}"
    events = story(tmp_path, policy=policy, faults="{name: f, type: rate_limited, rate: 100%, retry_after: 3s}")
    assert [t for t, _, _ in of(events, "call.started")] == [0.0, 3.0]


def test_a_timeout_next_to_the_call_limits_each_attempt_and_one_around_all_of_them(tmp_path: Path) -> None:
    silent = "{name: f, type: timeout, rate: 100%}"
    retry = "{retry: {max_attempts: 3, backoff: {initial: 1s, factor: 1}}}"
    each = story(tmp_path, policy=f"{{timeout: 2s}}, {retry}", faults=silent)
    assert of(each, "call.failed") == [(2.0, 0, "timeout"), (5.0, 0, "timeout"), (8.0, 0, "timeout")]
    both = story(tmp_path, policy=f"{{timeout: 2s}}, {retry}, {{timeout: 4s}}", faults=silent)
    assert of(both, "call.failed", "task.failed") == [(2.0, 0, "timeout"), (4.0, 0, "timeout"), (4.0, 0, "timeout")]
    none_left = story(tmp_path, policy=f"{{timeout: 2s}}, {retry}, {{timeout: 2500ms}}", faults=silent)
    assert of(none_left, "task.failed") == [(2.0, 0, "timeout")], "the backoff would outlast the time there is"


def test_a_fallback_is_called_when_all_before_it_failed(tmp_path: Path) -> None:
    events = story(
        tmp_path,
        policy="{retry: {max_attempts: 2, backoff: {initial: 1s}}}, {fallback: {to: secondary}}",
        faults="{name: f, type: server_error, rate: 100%}",
    )
    assert of(events, "call.started") == [(0.0, 0, "primary"), (1.1, 0, "primary"), (1.2, 0, "secondary")]
    assert of(events, "task.done") == [(1.3, 0, "")]


def test_a_circuit_breaker_opens_tries_again_and_closes(tmp_path: Path) -> None:
    events = story(
        tmp_path,
        tasks=20,
        policy="{circuit_breaker: {failures: 3, open_for: 5s}}",
        faults="{name: f, type: connection_error, at: 0s, for: 10s}",
    )
    assert of(events, "circuit.opened") == [(2.0, -1, "connection_error"), (7.0, -1, "connection_error")]
    assert of(events, "circuit.half_opened") == [(7.0, -1, ""), (12.0, -1, "")]
    assert of(events, "circuit.closed") == [(12.1, -1, "")]
    rejected = [key for _, key, _ in of(events, "call.rejected")]
    assert rejected == [3, 4, 5, 6, 8, 9, 10, 11]
    assert [key for _, key, _ in of(events, "task.done")] == list(range(12, 20))


def test_a_success_closes_the_count_of_failures_in_a_row(tmp_path: Path) -> None:
    faults = ", ".join(f"{{name: f{n}, type: connection_error, at: {n}s, for: 500ms}}" for n in (0, 1, 3, 4))
    events = story(tmp_path, tasks=6, policy="{circuit_breaker: {failures: 3}}", faults=faults)
    assert of(events, "circuit.opened") == []


def test_half_open_lets_only_so_many_through(tmp_path: Path) -> None:
    events = story(
        tmp_path,
        tasks=40,
        rate="4/s",
        latency="1s",
        policy="{circuit_breaker: {failures: 1, open_for: 5s, half_open_calls: 2}}",
        faults="{name: f, type: connection_error, at: 0s, for: 100ms}",
    )
    (half_open, _, _), *_ = of(events, "circuit.half_opened")
    (closed, _, _), *_ = of(events, "circuit.closed")
    tried = [t for t, _, _ in of(events, "call.started") if half_open <= t < closed]
    assert (half_open, closed, tried) == (5.0, 6.25, [5.0, 5.25])


@pytest.mark.parametrize(
    ("policy", "error"),
    [("bulkhead: {max_concurrent: 2}", "bulkhead_full"), ("pool: {size: 2, max_wait: 0s}", "pool_exhausted")],
)
def test_only_so_many_calls_at_a_time(tmp_path: Path, policy: str, error: str) -> None:
    events = story(tmp_path, tasks=4, rate="10/s", latency="1s", policy=f"{{{policy}}}")
    assert of(events, "call.rejected") == [(0.2, 2, error), (0.3, 3, error)]


def test_a_call_waits_for_a_connection_as_long_as_it_may(tmp_path: Path) -> None:
    events = story(tmp_path, tasks=4, rate="10/s", latency="1s", policy="{pool: {size: 1, max_wait: 1500ms}}")
    assert of(events, "call.started") == [(0.0, 0, "primary"), (1.0, 1, "primary")]
    assert of(events, "call.rejected") == [(1.7, 2, "pool_exhausted"), (1.8, 3, "pool_exhausted")]


def test_a_client_holds_itself_back(tmp_path: Path) -> None:
    events = story(tmp_path, tasks=5, rate="10/s", policy="{rate_limit: {rate: 1/s, burst: 2, max_wait: 2s}}")
    assert [t for t, _, _ in of(events, "call.started")] == [0.0, 0.1, 1.0, 2.0]
    assert of(events, "call.rejected") == [(0.4, 4, "rate_limit")]


def test_a_dependency_says_when_it_takes_calls_again(tmp_path: Path) -> None:
    policy = "{retry: {max_attempts: 3, backoff: {initial: 10ms}}}"
    events = story(tmp_path, tasks=2, rate="10/s", primary="rate_limit: {rate: 1/s}", policy=policy)
    assert of(events, "call.failed") == [(0.1, 1, "rate_limited")]
    assert [t for t, _, _ in of(events, "call.started")] == [0.0, 0.1, 1.0]


def test_a_bounded_queue_is_full(tmp_path: Path) -> None:
    events = story(tmp_path, tasks=4, rate="10/s", latency="1s", primary="capacity: {workers: 1, waiting: 1}")
    assert of(events, "call.failed") == [(0.2, 2, "queue_full"), (0.3, 3, "queue_full")]
    assert of(events, "task.done") == [(1.0, 0, ""), (2.0, 1, "")]


def test_a_call_that_was_given_up_still_keeps_its_worker_busy(tmp_path: Path) -> None:
    events = story(
        tmp_path, tasks=2, latency="3s", primary="capacity: {workers: 1, waiting: 5}", policy="{timeout: 2500ms}"
    )
    assert of(events, "call.failed") == [(2.5, 0, "timeout"), (3.5, 1, "timeout")]
    busy = story(tmp_path, tasks=4, latency="3500ms", primary="capacity: {workers: 1}", policy="{timeout: 2500ms}")
    assert of(busy, "call.failed") == [
        (1.0, 1, "queue_full"),
        (2.0, 2, "queue_full"),
        (2.5, 0, "timeout"),
        (3.0, 3, "queue_full"),
    ]
    free = story(
        tmp_path, tasks=2, rate="0.5/s", latency="1s", primary="capacity: {workers: 1}", policy="{timeout: 2s}"
    )
    assert len(of(free, "task.done")) == 2


def test_memory_is_taken_and_given_back_or_held(tmp_path: Path) -> None:
    passing = story(tmp_path, tasks=3, rate="1/s", primary="memory: 10MB", memory="[{size: 8MB}]")
    assert len(of(passing, "task.done")) == 3
    held = story(tmp_path, tasks=3, rate="1/s", primary="memory: 20MB", memory="[{size: 8MB, hold: true}]")
    assert of(held, "task.failed") == [(2.0, 2, "out_of_memory")]


def test_short_memory_degrades_the_answer(tmp_path: Path) -> None:
    policy = "{degrade: {chunk: 10MB, chunk_time: 50ms, shrink: 50%}}"
    memory = "[{size: 40MB, hold: true}, {size: 25MB}, {size: 10MB, hold: true}]"
    events = story(tmp_path, tasks=3, primary="memory: 50MB", memory=memory, policy=policy)
    assert of(events, "task.degraded") == [(1.15, 1, "chunks")]
    assert of(events, "task.done") == [(0.1, 0, ""), (1.15, 1, ""), (2.1, 2, "")]
    tight = story(tmp_path, tasks=3, primary="memory: 46MB", memory=memory, policy=policy)
    assert of(tight, "task.degraded") == [(2.1, 2, "shrunk")]
    assert of(tight, "task.failed") == [(1.0, 1, "out_of_memory")]


@pytest.mark.parametrize(
    ("isolation", "lost", "failed", "done"),
    [
        ("none", [(1.05, 1, "")], [], [1.0, 1.05]),
        ("optimistic", [], [(1.05, 1, "conflict")], [1.0]),
        ("lock", [], [], [1.0, 2.0]),
    ],
)
def test_two_calls_change_the_same_record(
    tmp_path: Path, isolation: str, lost: list[Told], failed: list[Told], done: list[float]
) -> None:
    store = f"store: {{records: 1, isolation: {isolation}}}"
    events = story(tmp_path, tasks=2, rate="20/s", latency="1s", primary=store)
    assert of(events, "update.lost") == lost
    assert of(events, "call.failed") == failed
    assert [t for t, _, _ in of(events, "task.done")] == done


def test_a_crash_breaks_calls_off_and_refuses_others_until_it_is_over(tmp_path: Path) -> None:
    events = story(tmp_path, tasks=8, latency="500ms", faults="{name: c, type: dependency_crash, at: 2200ms, for: 3s}")
    assert of(events, "call.failed") == [
        (2.2, 2, "dependency_crash"),
        (3.0, 3, "dependency_crash"),
        *((t, int(t), "dependency_crash") for t in (4.0, 5.0)),
    ]
    assert of(events, "process.exited", "process.started") == [(2.2, -1, "dependency_crash"), (5.2, -1, "primary")]


def test_a_health_check_starts_it_again(tmp_path: Path) -> None:
    check = "health_check: {every: 1s, unhealthy_after: 2, restart: 500ms}"
    crash = "{name: c, type: dependency_crash, at: 2200ms, for: 60s}"
    events = story(tmp_path, tasks=70, primary=check, faults=crash)
    assert of(events, "fault.seen") == [(4.0, -1, "dependency_crash")]
    assert of(events, "process.started") == [(4.5, -1, "primary")]


def test_a_bad_release_is_rolled_back(tmp_path: Path) -> None:
    rollback = "rollback: {error_rate: 50%, window: 10s, min_calls: 4, takes: 2s}"
    release = "{name: r2, type: bad_release, at: 5500ms, for: 60s}"
    events = story(tmp_path, tasks=70, primary=rollback, faults=release)
    # The calls of the last ten seconds at 11.1 s: 6 that went well, 6 that failed; one more, and more than half failed.
    assert of(events, "release.deployed", "release.rolled_back") == [
        (5.5, -1, "bad_release"),
        (13.1, -1, "bad_release"),
    ]
    assert [key for _, key, _ in of(events, "task.failed")] == [6, 7, 8, 9, 10, 11, 12, 13]
    left_alone = story(tmp_path, tasks=70, faults=release)
    assert of(left_alone, "release.rolled_back") == []
    assert [key for _, key, _ in of(left_alone, "task.failed")] == list(range(6, 66))


def test_a_delay_makes_the_answer_later(tmp_path: Path) -> None:
    delay = "{name: d, type: delay, rate: 100%, delay: {distribution: constant, value: 2s}}"
    assert of(story(tmp_path, faults=delay), "task.done", "fault.seen") == [(2.1, -1, "delay"), (2.1, 0, "")]
    assert of(story(tmp_path, faults=delay, policy="{timeout: 1s}"), "task.failed") == [(1.0, 0, "timeout")]


def test_the_first_fault_in_the_file_decides(tmp_path: Path) -> None:
    faults = "{name: a, type: server_error, rate: 100%}, {name: b, type: connection_error, rate: 100%}"
    assert of(story(tmp_path, faults=faults), "task.failed") == [(0.1, 0, "server_error")]


# What is shared, and what a crash or a client that leaves makes of it.


def test_memory_of_calls_that_failed_is_given_back(tmp_path: Path) -> None:
    events = story(
        tmp_path,
        tasks=10,
        latency="500ms",
        primary="memory: 100MB",
        memory="[{size: 30MB, hold: true}]",
        policy="{timeout: 200ms}",
    )
    assert {word for _, _, word in of(events, "call.failed")} == {"timeout"}


def test_a_crash_takes_workers_queue_and_memory_with_it(tmp_path: Path) -> None:
    held = story(
        tmp_path,
        tasks=10,
        primary="memory: 40MB",
        memory="[{size: 10MB, hold: true}]",
        faults="{name: c, type: dependency_crash, at: 4500ms, for: 1s}",
    )
    assert [key for _, key, _ in of(held, "task.failed")] == [4, 5]
    queued = story(
        tmp_path,
        tasks=8,
        latency="30s",
        primary="capacity: {workers: 1, waiting: 2}",
        faults="{name: c, type: dependency_crash, at: 2500ms, for: 2s}",
    )
    broken_off = [(t, key) for t, key, word in of(queued, "call.failed") if t == 2.5]
    assert broken_off == [(2.5, 0), (2.5, 1), (2.5, 2)]
    # Task 5 finds a worker that is free, 6 and 7 the queue behind it.
    assert [(t, key) for t, key, _ in of(queued, "task.done")] == [(35.0, 5), (65.0, 6), (95.0, 7)]


def test_abandoned_work_keeps_its_lock(tmp_path: Path) -> None:
    store = "store: {records: 1, isolation: lock}"
    events = story(tmp_path, tasks=2, rate="2/s", latency="2s", primary=store, policy="{timeout: 1800ms}")
    assert of(events, "call.failed") == [(1.8, 0, "timeout"), (2.3, 1, "timeout")]
    longer = story(
        tmp_path, tasks=2, rate="0.6/s", latency="2s", primary=store, policy="{timeout: 1900ms}, {retry: {}}"
    )
    assert len(of(longer, "task.done")) == 0


def test_nothing_is_called_once_the_time_is_up(tmp_path: Path) -> None:
    events = story(
        tmp_path,
        policy="{fallback: {to: secondary}}, {timeout: 1s}",
        faults="{name: f, type: timeout, rate: 100%}",
    )
    assert of(events, "call.started") == [(0.0, 0, "primary")]
    assert of(events, "task.failed") == [(1.0, 0, "timeout")]


def test_a_rollback_strikes_the_release_it_was_decided_for(tmp_path: Path) -> None:
    rollback = "rollback: {error_rate: 50%, window: 5s, min_calls: 3, takes: 10s}"
    events = story(
        tmp_path, tasks=60, primary=rollback, faults="{name: r, type: bad_release, at: 5500ms, every: 20s, for: 8s}"
    )
    assert of(events, "release.rolled_back") == [], "each is over before its rollback is"
    newest = story(
        tmp_path,
        tasks=60,
        primary=rollback,
        faults="{name: harmless, type: bad_release, at: 5500ms, for: 50s, rate: 0%}, "
        "{name: awful, type: bad_release, at: 20500ms, for: 30s}",
    )
    assert len(of(newest, "release.rolled_back")) == 1
    (back_s, _, _), *_ = of(newest, "release.rolled_back")
    assert max(t for t, _, _ in of(newest, "task.failed")) <= back_s < 40


def test_a_trial_counts_in_its_own_period_only(tmp_path: Path) -> None:
    """A trial of the first half-open period that ends well in the second one closes nothing there."""
    slow = "{name: slow, type: delay, at: 5s, for: 500ms, delay: {distribution: constant, value: 6s}}"
    down = "{name: down, type: connection_error, at: 0s, for: 500ms}, {name: again, type: connection_error, at: 5900ms, for: 1s}"
    events = story(
        tmp_path,
        tasks=40,
        policy="{circuit_breaker: {failures: 1, open_for: 5s, half_open_calls: 2}}",
        faults=f"{down}, {slow}",
    )
    opened = [t for t, _, _ in of(events, "circuit.opened")]
    half_open = [t for t, _, _ in of(events, "circuit.half_opened")]
    assert (opened, half_open) == ([0.0, 6.0], [5.0, 11.0])
    # The trial of 5 s ends well at 11.1 s; the period that began at 11 s needs two of its own.
    assert of(events, "circuit.closed") == [(12.1, -1, "")]


def test_a_rate_of_nothing_lets_through_what_comes_at_once(tmp_path: Path) -> None:
    events = story(tmp_path, tasks=9, primary="rate_limit: {rate: 0/s, burst: 3}")
    assert [key for _, key, _ in of(events, "task.done")] == [0, 1, 2]


def test_a_delay_shows_in_chunks_and_where_it_makes_an_answer_too_late(tmp_path: Path) -> None:
    delay = "{name: d, type: delay, rate: 100%, delay: {distribution: constant, value: 5s}}"
    chunks = story(tmp_path, primary="memory: 20MB", memory="[{size: 30MB}]", policy="{degrade: {}}", faults=delay)
    assert of(chunks, "task.done") == [(5.15, 0, "")]
    late = story(tmp_path, policy="{timeout: 1s}", faults=delay)
    assert of(late, "call.failed", "fault.seen") == [(1.0, -1, "delay"), (1.0, 0, "timeout")]
    too_slow_anyway = story(tmp_path, latency="2s", policy="{timeout: 1s}", faults=delay)
    assert of(too_slow_anyway, "fault.seen") == []


def test_whoever_gives_up_while_he_waits_leaves_the_queue(tmp_path: Path) -> None:
    events = story(
        tmp_path, tasks=5, latency="5s", primary="capacity: {workers: 1, waiting: 1}", policy="{timeout: 1500ms}"
    )
    assert of(events, "call.failed") == [
        (1.5, 0, "timeout"),
        (2.0, 2, "queue_full"),
        (2.5, 1, "timeout"),
        (4.0, 4, "queue_full"),
        (4.5, 3, "timeout"),
    ]
