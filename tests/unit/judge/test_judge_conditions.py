"""Conditions while a run goes on: from when to when they hold, to the microsecond."""

import pytest
from histories import judge, sli

Firings = list[tuple[float, float | None]]


def firings(condition: str, history: str, *, until: float = 1000.0, text: str = "") -> Firings:
    """When an alert with this condition fires and resolves."""
    made = judge(history, f"alerts: [{{name: x, {condition}}}]\n{text}", until=until)
    [(_, guard)] = made.alerts
    return [(firing.fired_s, firing.resolved_s) for firing in guard.timer.firings]


def results(*ends: tuple[float, str]) -> str:
    """A task for each (time, done or failed), enqueued and dispatched at the start."""
    numbers = range(1, len(ends) + 1)
    starts = [f"0 enqueued {n}" for n in numbers] + [f"0 dispatched {n}" for n in numbers]
    return "\n".join(starts + [f"{t} {how} {n}" for n, (t, how) in zip(numbers, ends, strict=True)])


def depths(*samples: tuple[float, float]) -> str:
    """Samples of the queue's depth."""
    return "\n".join(f"{t} queue_depth {value}" for t, value in samples)


BAD = results((10, "failed"), (20, "done"), (25, "done"))
GATE = "when: success_rate < 50%"


# Windows.


def test_without_a_window_the_whole_run_counts() -> None:
    assert firings(GATE, BAD) == [(10.0, 20.0)]


def test_an_observation_leaves_the_window_between_events() -> None:
    # The failure of 10 s is out of the window at 310 s exactly, when nothing happens; then nothing is left to judge.
    assert firings(f"{GATE}, window: 5m", results((10, "failed"))) == [(10.0, 310.0)]
    assert firings("when: success_rate < 60%, window: 5m", BAD) == [(10.0, 25.0)]
    later = results((10, "done"), (200, "failed"))
    assert firings("when: success_rate <= 50%, window: 5m", later) == [(200.0, 500.0)]


def test_a_good_observation_that_leaves_makes_a_condition_hold() -> None:
    assert firings(f"{GATE}, window: 5m", results((10, "done"), (200, "failed"))) == [(310.0, 500.0)]


def test_a_window_ends_to_the_microsecond() -> None:
    assert firings(f"{GATE}, window: 5m", results((10.000001, "failed"))) == [(10.000001, 310.000001)]


def test_a_window_is_open_at_its_start() -> None:
    at_the_edge = results((10, "done"), (310, "failed"))
    assert firings(f"{GATE}, window: 5m", at_the_edge) == [(310.0, 610.0)]
    inside = results((10, "done"), (309.999999, "failed"))
    assert firings("when: success_rate <= 50%, window: 5m", inside)[0] == (309.999999, 609.999999)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("when: latency_mean > 15s, window: 100s", [(30.0, 130.0)]),
        ("when: latency_max >= 30s, window: 100s", [(30.0, 130.0)]),
        ("when: latency_max > 30s, window: 100s", []),
        ("when: latency_p50 < 20s, window: 100s", [(10.0, 30.0)]),
        ("when: latency_p50 <= 10s, window: 100s", [(10.0, 30.0)]),
        ("when: latency_p50 >= 20s, window: 100s", [(30.0, 130.0)]),
        ("when: state_transitions >= 2, window: 15s", [(0.0, 15.0), (20.0, 25.0), (30.0, 35.0)]),
        ("when: state_transitions == 0, window: 50s", [(80.0, None)]),
        ("when: throughput >= 3/s, window: 1s", []),
        ("when: throughput < 2/min, window: 1m", [(80.0, None)]),
        ("when: throughput > 2/min, window: 1m", [(30.0, 70.0)]),
    ],
)
def test_every_aggregate_in_a_window(condition: str, expected: Firings) -> None:
    assert firings(condition, results((10, "done"), (20, "done"), (30, "done"))) == expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("when: latency_mean > 15s", [(30.0, None)]),
        ("when: latency_max >= 20s", [(20.0, None)]),
        ("when: latency_p50 < 20s", [(10.0, 30.0)]),
        ("when: state_transitions >= 5", [(20.0, None)]),
        ("when: success_rate == 100%", [(10.0, None)]),
    ],
)
def test_every_aggregate_over_the_run_so_far(condition: str, expected: Firings) -> None:
    assert firings(condition, results((10, "done"), (20, "done"), (30, "done"))) == expected


def test_a_quantile_of_zero_is_the_smallest() -> None:
    text = "slis: {least: {quantile: {of: sample.queue_depth, q: 0%}}}"
    history = depths((60, 5), (120, 3), (180, 9))
    assert firings("when: least >= 5", history, text=text) == [(60.0, 120.0)]
    assert firings("when: least >= 4, window: 60s", history, text=text) == [(60.0, 120.0), (180.0, 240.0)]


def test_few_of_something_is_only_said_of_a_full_window() -> None:
    assert firings("when: state_transitions < 1, window: 5m", "", until=299.9) == []
    assert firings("when: state_transitions < 1, window: 5m", "", until=300) == [(300.0, None)]
    assert firings("when: state_transitions < 1, window: 5m", results((250, "done"))) == [(550.0, None)]


def test_a_ratio_that_nothing_is_known_of_does_not_hold() -> None:
    assert firings("when: success_rate >= 0%, window: 5m", "") == []
    assert firings("when: success_rate <= 100%", "0 enqueued 1") == []


# Levels.


def test_a_level_without_a_window_is_its_latest_sample() -> None:
    assert firings("when: queue_depth > 5", depths((60, 9), (120, 5), (180, 6))) == [(60.0, 120.0), (180.0, None)]


def test_a_level_in_a_window_is_its_largest_sample() -> None:
    history = depths((60, 9), (120, 5), (180, 6))
    assert firings("when: queue_depth > 5, window: 90s", history) == [(60.0, 150.0), (180.0, 270.0)]
    assert firings("when: queue_depth <= 5, window: 90s", history) == [(150.0, 180.0)]


# Stretches.

WAITS = "0 enqueued 1\n100 dispatched 1\n150 done 1"


def test_a_stall_holds_as_soon_as_it_is_long_enough() -> None:
    assert firings("when: stall_time >= 60s", WAITS) == [(60.0, 100.0)]
    # What must be longer than its limit is so a tick later: a stream that ends there has to say the same.
    assert firings("when: stall_time > 60s", WAITS) == [(60.000001, 100.0)]
    assert firings("when: stall_time >= 100s", WAITS) == [(100.0, 100.000001)]
    assert firings("when: stall_time > 100s", WAITS) == []


def test_a_gap_holds_as_soon_as_it_is_long_enough() -> None:
    history = depths((60, 1), (200, 1), (260, 1))
    assert firings("when: telemetry_gap >= 90s", history, until=300) == [(150.0, 200.0)]
    assert firings("when: telemetry_gap >= 30s", history, until=300) == [
        (30.0, 60.0),
        (90.0, 200.0),
        (230.0, 260.0),
        (290.0, None),
    ]


def test_a_stretch_may_have_to_last() -> None:
    assert firings("when: stall_time >= 60s, for: 30s", WAITS) == [(90.0, 100.0)]
    assert firings("when: stall_time >= 60s, for: 50s", WAITS) == []


# for, min_samples, keep_firing_for.


@pytest.mark.parametrize(("for_", "expected"), [("9s", [(19.0, 20.0)]), ("10s", []), ("11s", [])])
def test_a_condition_may_have_to_hold_for_some_time(for_: str, expected: Firings) -> None:
    assert firings(f"{GATE}, for: {for_}", BAD) == expected


def test_for_starts_again_after_a_break() -> None:
    history = depths((60, 9), (120, 1), (180, 9), (300, 1))
    assert firings("when: queue_depth > 5, for: 90s", history) == [(270.0, 300.0)]


def test_a_condition_that_goes_on_to_hold_fires_after_the_last_event() -> None:
    assert firings("when: queue_depth > 5, for: 90s", depths((60, 9)), until=149) == []
    assert firings("when: queue_depth > 5, for: 90s", depths((60, 9)), until=150) == [(150.0, None)]


@pytest.mark.parametrize(("least", "expected"), [(1, [(10.0, None)]), (3, [(30.0, None)]), (4, [])])
def test_fewer_observations_than_min_samples_do_not_hold(least: int, expected: Firings) -> None:
    history = results((10, "failed"), (20, "failed"), (30, "failed"))
    assert firings(f"{GATE}, min_samples: {least}", history) == expected


def test_min_samples_are_those_in_the_window() -> None:
    history = results((10, "failed"), (20, "failed"), (30, "failed"))
    assert firings(f"{GATE}, window: 100s, min_samples: 2", history) == [(20.0, 120.0)]
    assert firings("when: latency_max > 5s, window: 100s, min_samples: 2", history) == [(20.0, 120.0)]


def test_min_samples_of_a_latest_level() -> None:
    assert firings("when: queue_depth > 5, min_samples: 2", depths((60, 9), (120, 9))) == [(120.0, None)]


def test_min_samples_of_an_own_ratio_are_its_total() -> None:
    text = "slis: {mine: {ratio: {good: task.dispatched, total: task.retry}}}"
    history = "0 enqueued 1\n1 dispatched 1\n2 retry 1\n3 dispatched 1\n4 retry 1\n"
    assert firings("when: mine >= 0%, min_samples: 2", history, text=text) == [(4.0, None)]


def test_min_samples_of_lease_recovery_are_leases() -> None:
    twice = "0 enqueued 1\n0 dispatched 1\n5 expired 1\n5 retry 1\n6 dispatched 1\n9 expired 1\n9 failed 1"
    assert firings("when: lease_recovery_rate < 50%, min_samples: 2", twice) == [(9.0, None)]
    assert firings("when: lease_recovery_rate < 50%, min_samples: 3", twice) == []


@pytest.mark.parametrize(
    ("keep", "expected"),
    [("59s", [(60.0, 179.0), (180.0, 299.0)]), ("60s", [(60.0, 300.0)]), ("61s", [(60.0, 301.0)])],
)
def test_an_alert_may_keep_firing(keep: str, expected: Firings) -> None:
    history = depths((60, 9), (120, 1), (180, 9), (240, 1))
    assert firings(f"when: queue_depth > 5, keep_firing_for: {keep}", history) == expected


def test_an_alert_that_still_fires_has_no_end() -> None:
    assert firings("when: queue_depth > 5, keep_firing_for: 1h", depths((60, 9), (120, 1))) == [(60.0, None)]


# Events at the same time.


def test_events_at_the_same_time_count_at_once() -> None:
    history = results((10, "failed"), (10, "done"), (10, "done"))
    for window in (", window: 5m", ""):
        assert firings(f"{GATE}{window}", history) == []
        assert firings(f"when: success_rate > 60%{window}", history)[0][0] == 10.0


def test_what_leaves_a_window_makes_room_for_what_comes_at_that_instant() -> None:
    """One failure in twenty, one a second: no (t - 20s, t] holds less than 95 %, nor more or fewer than twenty."""
    history = results(*((second, "failed" if second == 100 else "done") for second in range(1, 200)))
    assert firings("when: success_rate < 95%, window: 20s, min_samples: 10", history) == []
    assert firings("when: success_rate <= 95%, window: 20s, min_samples: 10", history)[0] == (100.0, 120.0)
    assert firings("when: throughput < 1/s, window: 20s", history, until=199) == []
    assert firings("when: throughput > 1/s, window: 20s", history, until=199) == []


def test_means_are_exact() -> None:
    # In binary 0.1 + 0.2 is more than 0.3.
    history = results((0.1, "done"), (0.2, "done"), (0.3, "done"))
    assert firings("when: latency_mean > 200ms", history) == []
    assert firings("when: latency_mean > 200ms, window: 5m", history, until=300) == []


@pytest.mark.parametrize(("ends", "mean"), [((9.779, 32.3, 66.026), 36.035), ((1.853, 64.811, 65.864), 44.176)])
def test_means_have_no_rounding_noise(ends: tuple[float, ...], mean: float) -> None:
    history = results(*((end, "done") for end in ends))
    assert sli("latency_mean", history) == mean
    assert firings(f"when: latency_mean > {mean}s", history) == []
    assert firings(f"when: latency_mean > {mean}s, window: 2m", history, until=100) == []
    assert firings(f"when: latency_mean >= {mean}s, window: 2m", history, until=100) == [(ends[-1], None)]


def test_the_value_of_a_firing_is_that_at_which_the_condition_began_to_hold() -> None:
    made = judge(BAD, "alerts: [{name: a, when: latency_max > 15s, window: 5m}, {name: b, when: latency_p50 > 5s}]")
    assert [guard.timer.firings[0].value for _, guard in made.alerts] == [20.0, 10.0]
