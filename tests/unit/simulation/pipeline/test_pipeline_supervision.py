"""Restarts, probes and the shutdown of simulated processes."""

import pytest
from pipelines import TWO, Run

SUPERVISED = """
pipeline:
  processes:
    - {name: collect, reads: source, writes: raw, start: {distribution: constant, value: 300ms}}
    - {name: transform, reads: raw, writes: results, start: {distribution: constant, value: 2s}}
  sinks: [{name: file, of: results}]
  supervisor:
    health: {every: 10s, start_timeout: 20s, timeout: 2s%s}
    restart: {when: %s, backoff: {initial: 1s, factor: 3, max: 5s}, max_restarts: %d, within: 10m, reset_after: 60s}
"""


def supervised(faults: str, *, when: str = "failure", most: int = 5, health: str = "", duration: str = "5m") -> Run:
    text = SUPERVISED % (health, when, most)
    return Run(f"duration: {duration}\n{text}\nfaults:\n{faults}")


def kill(at: str, more: str = "", name: str = "kill") -> str:
    return f"  - {{name: {name}, type: process_kill, process: transform, at: {at}{more}}}\n"


def test_a_killed_process_is_started_after_the_backoff_and_healthy_when_it_has_started() -> None:
    run = supervised(kill("30s"))
    assert run.times("process.exited", who="transform", fault="kill") == [30.0]
    assert run.times("process.started", who="transform") == [0.0, 31.0]
    assert run.times("process.healthy", who="transform") == [0.0, 33.0]
    first, again = run.times("process.output", who="transform")
    assert first < 1.0
    assert 33.0 < again < 33.1
    assert run.times("fault.injected", fault="kill") == [30.0]
    assert run.times("fault.cleared", fault="kill") == [30.0]
    assert [event.value for event in run.of("reported.restarts")] == [0.0, 1.0]


def test_the_backoff_grows_with_restarts_in_a_row_and_begins_anew_after_health() -> None:
    run = supervised(kill("10s, every: 20s") + kill("4m", name="later"), most=20, duration="5m")
    exits = run.times("process.exited", who="transform", fault="kill")
    starts = run.times("process.started", who="transform")[1:]
    assert [round(start - gone, 6) for start, gone in zip(starts, exits, strict=False)][:4] == [1.0, 3.0, 5.0, 5.0]
    calm = supervised(kill("10s") + kill("90s", name="later"))
    assert calm.times("process.started", who="transform") == [0.0, 11.0, 91.0]


def test_more_restarts_than_allowed_and_the_process_is_abandoned() -> None:
    run = supervised(kill("10s, every: 20s"), most=2)
    assert run.times("process.exited", who="transform", fault="kill") == [10.0, 30.0, 50.0]
    assert run.times("process.abandoned") == [50.0]
    assert len(run.times("process.started", who="transform")) == 3
    assert {event.t for event in run.of("probe.green", who="transform")} == {20.0, 40.0}
    assert run.left("transform") == pytest.approx(2500, abs=5)
    assert run.total("records.lost") == 0
    # Kills that find no process have no effect.
    assert run.times("fault.injected", fault="kill") == [10.0, 30.0, 50.0]


def test_a_process_that_is_never_restarted_stays_down() -> None:
    run = supervised(kill("10s"), when="never")
    assert run.times("process.started", who="transform") == [0.0]
    assert run.times("process.abandoned") == []
    # The shutdown waits for what it could work off, as long as the drain leaves time to end the processes.
    assert run.times("probe.failed", who="transform") == [10.0 * count for count in range(1, 35)]
    assert run.times("shutdown.started") == [300.0 + 60.0 - 10.0 - 1.0]


@pytest.mark.parametrize("resume", [True, False])
def test_what_a_reader_that_is_never_started_again_would_have_read_waits_or_is_missed(resume: bool) -> None:
    text = f"{SUPERVISED % ('', 'never', 5)}\n  source: {{resume: {str(resume).lower()}}}"
    run = Run(f"duration: 1m\n{text}\nfaults:\n{kill('30s').replace('transform', 'collect')}")
    assert run.left("collect") == (300 if resume else 0)
    assert run.total("records.missed") == (0 if resume else 300)
    assert run.total("records.stored", "file") == 300


def test_a_kill_during_startup_strikes_again_in_the_middle_of_the_next_start() -> None:
    run = supervised(kill("30s", ", during: startup"))
    assert run.times("process.exited", who="transform", fault="kill") == [30.0, 32.0]
    assert run.times("process.started", who="transform") == [0.0, 31.0, 35.0]
    assert run.times("process.healthy", who="transform") == [0.0, 37.0]
    assert run.times("fault.injected", fault="kill") == [30.0, 32.0]
    assert run.times("fault.cleared", fault="kill") == [32.0]


def test_a_process_that_takes_too_long_to_start_is_killed_and_started_again() -> None:
    text = (SUPERVISED % ("", "failure", 3)).replace("value: 2s", "value: 25s")
    run = Run(f"duration: 5m\n{text}\nfaults:\n{kill('10s')}")
    assert run.times("process.started", who="transform") == [0.0, 11.0, 34.0, 59.0]
    assert run.times("process.exited", who="transform", fault="kill") == [10.0, 31.0, 54.0, 79.0]
    assert run.times("process.abandoned") == [79.0]


def test_probes_come_at_whole_multiples_and_fail_while_a_process_is_down_or_starts() -> None:
    run = supervised(kill("30s") + kill("58500ms", name="later"))
    probes = run.times("probe.green", "probe.failed", who="transform")
    assert probes == [10.0 * count for count in range(1, 31)]
    assert run.times("probe.failed") == [30.0, 60.0]
    assert run.of("probe.failed")[1].fault == "later"


def hang(at: str, lasts: str, process: str = "transform", name: str = "hang") -> str:
    return f"  - {{name: {name}, type: process_hang, process: {process}, at: {at}, for: {lasts}}}\n"


def test_a_probe_of_a_process_that_hangs_fails_unless_it_answers_within_the_timeout() -> None:
    run = supervised(hang("25s", "17s"))
    assert run.times("probe.failed", who="transform", fault="hang") == [30.0]
    assert run.times("fault.seen", fault="hang") == [30.0]
    assert run.times("fault.cleared", fault="hang") == [42.0]


def test_a_short_hang_shows_by_what_waits_at_its_end() -> None:
    run = supervised(hang("21s", "5s"))
    assert run.times("probe.failed") == []
    assert run.times("fault.seen", fault="hang") == [26.0]


def test_a_process_goes_on_after_a_hang_where_it_stood() -> None:
    run = Run(f"duration: 1m\n{TWO}\nfaults:\n{hang('20s', '10s')}")
    assert run.total("records.stored", "file") == 600
    assert max(event.value for event in run.of("records.stored", who="file")) == pytest.approx(10.0, abs=0.1)
    assert run.total("records.lost") + run.total("records.duplicated") == 0


def test_a_process_that_hangs_for_too_many_probes_is_killed() -> None:
    run = supervised(hang("25s", "100s"), health=", unhealthy_after: 3")
    assert run.times("process.exited", who="transform", fault="hang") == [50.0]
    assert run.times("process.healthy", who="transform") == [0.0, 53.0]
    # The new process is not the one that was stopped.
    assert run.times("probe.failed") == [30.0, 40.0, 50.0]
    assert run.times("fault.cleared", fault="hang") == [125.0]


def test_a_process_that_is_stopped_while_it_starts_is_healthy_when_it_goes_on() -> None:
    run = supervised(kill("30s") + hang("32s", "9s"))
    assert run.times("process.healthy", who="transform") == [0.0, 41.0]


def test_overlapping_hangs_hold_a_process_until_the_last_is_over() -> None:
    run = supervised(hang("21s", "10s") + hang("25s", "10s", name="more"))
    assert run.times("fault.cleared") == [31.0, 35.0]
    stored = run.times("records.stored", who="file")
    assert not [t for t in stored if 21.1 < t < 35.0]


def test_a_kill_ends_a_process_that_hangs() -> None:
    run = supervised(hang("21s", "60s") + kill("25s"))
    assert run.times("process.exited", who="transform", fault="kill") == [25.0]
    assert run.times("process.healthy", who="transform") == [0.0, 28.0]
    assert run.times("fault.cleared", fault="hang") == [81.0]


def test_a_process_that_died_while_it_was_stopped_is_down_by_its_death() -> None:
    run = supervised(hang("21s", "60s") + kill("25s"), when="never")
    assert {event.fault for event in run.of("probe.failed")} == {"kill"}
    assert run.times("fault.seen", fault="hang") == []


def test_a_reader_that_died_while_it_was_stopped_reads_when_it_is_back() -> None:
    run = supervised(hang("21s", "60s", "collect") + kill("25s").replace("transform", "collect"))
    assert run.times("process.healthy", who="collect") == [0.0, 26.3]
    assert 26.3 < run.times("process.output", who="collect")[1] < 26.4
    assert run.total("records.stored", "file") == 3000


def test_the_processes_are_ended_in_the_order_asked_for_and_nothing_is_left() -> None:
    text = (SUPERVISED % ("", "failure", 5)) + "    shutdown: {order: [transform, collect], grace: 5s}\n"
    run = Run(f"duration: 1m\n{text}")
    started = run.times("shutdown.started")[0]
    assert started >= 61.0
    ends = run.of("process.exited")
    assert [event.who for event in ends] == ["transform", "collect"]
    assert started < ends[0].t < ends[1].t
    assert [run.left("collect"), run.left("transform")] == [0.0, 0.0]
    assert not [event for event in run.of("probe.green", "probe.failed") if event.t > started]


SLOW = """
duration: 1m
drain: %s
workload: {arrivals: {rate: 20/s, process: constant}}
pipeline:
  processes:
    - {name: collect, reads: source, writes: raw}
    - {name: transform, reads: raw, writes: results, service: {distribution: constant, value: 60ms}}
  sinks: [{name: file, of: results}]
  supervisor: {shutdown: {grace: %s}}
"""


def test_a_process_that_does_not_end_is_killed_after_the_grace_and_leaves_its_input() -> None:
    run = Run(SLOW % ("9s", "4s"))
    # The queues may run empty until the drain leaves the time of grace and a second.
    assert run.times("shutdown.started") == [64.0]
    assert run.times("process.exited") == [68.0, 68.05]
    assert run.left("transform") == 1200 - 1133
    assert run.total("records.stored", "file") == 1133
    assert run.total("records.lost") == 0


def test_a_process_drains_its_input_before_it_ends() -> None:
    run = Run(SLOW % ("21s", "10s"))
    # 1,200 records take 72 s: two seconds of them are the process's own time to end.
    assert run.times("shutdown.started") == [70.0]
    assert run.of("process.exited")[0].t == pytest.approx(72.0, abs=0.1)
    assert run.left("transform") == 0
    assert run.total("records.stored", "file") == 1200
