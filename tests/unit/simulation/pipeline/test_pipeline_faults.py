"""What each fault brings about in a simulated pipeline, and what the guarantees make of it."""

import pytest
from pipelines import TWO, Run

PLAIN = """
pipeline:
  source: {resume: %s}
  processes:
    - {name: collect, reads: source, writes: raw, buffer: %d, overflow: %s, guarantee: %s}
    - {name: transform, reads: raw, writes: results, guarantee: %s, checkpoint: 4s}
    - {name: order, reads: results, writes: orders, guarantee: %s, passes: confirmed}
  sinks: [{name: file, of: results, batch: {rows: %d, every: 5s}}]
  stream_timeout: 20s
"""


def plain(
    faults: str,
    *,
    resume: str = "true",
    buffer: int = 10_000,
    overflow: str = "block",
    collect: str = "exactly_once",
    transform: str = "exactly_once",
    order: str = "exactly_once",
    rows: int = 1,
    duration: str = "2m",
) -> Run:
    text = PLAIN % (resume, buffer, overflow, collect, transform, order, rows)
    return Run(f"duration: {duration}\n{text}\nfaults:\n{faults}")


def fault(type_: str, more: str = "", name: str = "f", at: str = "31s") -> str:
    return f"  - {{name: {name}, type: {type_}, at: {at}{more}}}\n"


KILLED = fault("process_kill", ", process: transform", at="38990ms")

# Guarantees: batches of 20 records wait in memory, records come every 100 ms.


def test_exactly_once_reads_again_what_was_not_written_and_writes_nothing_twice() -> None:
    run = plain(KILLED, rows=20)
    assert run.total("records.stored", "file") == 1200
    assert run.total("records.lost") + run.total("records.duplicated") + run.total("orders.duplicated") == 0


def test_at_most_once_loses_what_it_had_and_had_not_written() -> None:
    # Records 380 to 389 wait for their batch to be full.
    run = plain(KILLED, transform="at_most_once", rows=20)
    assert run.total("records.lost", "file", "f") == 10
    assert run.total("records.stored", "file") == 1200 - 10
    assert run.total("records.duplicated") == 0


def test_at_least_once_writes_again_what_was_written_since_the_last_checkpoint() -> None:
    # The last checkpoint was made at 36 s, when 340 to 359 were in the batch that is written with record 359, a little before.
    run = plain(KILLED, transform="at_least_once", rows=20)
    assert run.total("records.duplicated", "file", "f") == 380 - 360
    assert run.total("records.stored", "file") == 1200
    assert run.total("records.lost") == 0
    total = run.of("sink.total", who="file")[0].value
    assert total == 1200 + 20


def test_a_checkpoint_leaves_out_what_is_in_a_batch_that_is_not_written() -> None:
    # Records 350 to 359 were in a batch at 36 s, which was lost at 39 s.
    run = plain(KILLED, transform="at_least_once", rows=50)
    assert run.total("records.stored", "file") == 1200
    assert run.total("records.duplicated") == 0


def test_a_process_that_ended_as_it_should_begins_where_it_ended() -> None:
    # It dies before it makes another checkpoint: what it had written before it ended is not written again.
    ends = fault("term_during_batch", ", process: transform", at="38500ms")
    run = plain(ends + fault("process_kill", ", process: transform", "k", "43500ms"), transform="at_least_once")
    assert run.total("records.stored", "file") == 1200
    assert run.total("records.duplicated") == run.total("records.duplicated", fault="k") == 435 - 396


def test_what_is_read_again_is_not_taken_twice() -> None:
    run = plain(KILLED, rows=20)
    assert run.total("records.taken", "transform") == run.total("records.taken", "collect") == 1200


BEHIND = """
duration: 1m
pipeline:
  processes:
    - {name: collect, reads: source, writes: raw, guarantee: at_most_once}
    - name: transform
      reads: raw
      writes: results
      guarantee: at_most_once
      buffer: 50
      service: {distribution: constant, value: %s}
  sinks: [{name: first, of: raw, batch: {rows: %d, every: 5s}}, {name: second, of: results}]
faults: [{name: f, type: process_kill, process: %s, at: 38990ms}]
"""


def test_a_process_that_is_behind_loses_what_is_in_its_memory_and_not_what_is_in_its_stream() -> None:
    run = Run(BEHIND % ("120ms", 1, "transform"))
    # 390 records came and 324 were done; one is in service and 50 are in the buffer.
    assert run.total("records.lost", "second", "f") == 51
    assert run.total("records.lost", "first") == 0
    assert run.total("records.stored", "second") == 600 - 51


def test_what_a_stream_loses_the_sinks_behind_it_lose_too() -> None:
    run = Run(BEHIND % ("1ms", 20, "collect"))
    assert run.total("records.lost", "first", "f") == run.total("records.lost", "second", "f") == 10
    assert run.total("records.stored", "second") == 590


LONG = """
duration: 30s
workload: {arrivals: {rate: 1/min, process: constant}}
pipeline:
  processes: [{name: work, reads: source, writes: done, service: {distribution: constant, value: 4s}}]
  sinks: [{name: file, of: done}]
faults: [%s]
"""
STOPPED = "{name: h, type: process_hang, process: work, at: 1s, for: 10s}"


def test_what_is_done_of_a_record_when_its_process_is_stopped_stays_done() -> None:
    assert [event.value for event in Run(LONG % STOPPED).of("records.stored")] == [14.0]


def test_a_record_that_is_worked_on_again_takes_its_whole_time() -> None:
    killed = "{name: k, type: process_kill, process: work, at: 12s}"
    assert [event.value for event in Run(LONG % f"{STOPPED}, {killed}").of("records.stored")] == [18.0]


def test_orders_for_duplicates_have_the_key_of_the_first_unless_they_are_placed_at_least_once() -> None:
    exact = plain(KILLED, transform="at_least_once")
    assert exact.total("records.duplicated", fault="f") == 390 - 360
    assert exact.total("orders.duplicated") == 0
    twice = plain(KILLED, transform="at_least_once", order="at_least_once")
    assert twice.total("orders.placed") == exact.total("orders.placed")
    assert 0 < twice.total("orders.duplicated", "order", "f") < 20


def test_a_process_that_is_told_to_end_loses_nothing_whatever_it_guarantees() -> None:
    run = plain(fault("term_during_batch", ", process: transform", at="38990ms"), transform="at_most_once", rows=20)
    assert run.times("fault.injected") == [38.99]
    assert run.times("fault.cleared") == run.times("process.exited", fault="f")
    assert run.times("process.exited", fault="f") == [pytest.approx(39.04)]
    assert run.times("process.started", who="transform") == [0.0, pytest.approx(40.04)]
    assert run.total("records.stored", "file") == 1200
    assert run.total("records.lost") + run.total("records.duplicated") == 0


def test_a_process_is_told_to_end_when_it_holds_records() -> None:
    # The batch of 380 to 399 is written with record 399, and the next record comes at 40 s.
    run = plain(fault("term_during_batch", ", process: transform", at="39950ms"), rows=20)
    assert run.times("fault.injected") == [pytest.approx(40.05)]
    # One without batches holds a record for a fifth of a millisecond.
    quick = plain(fault("term_during_batch", ", process: transform", at="39950ms"))
    assert quick.times("fault.injected") == [pytest.approx(40.95, abs=0.06)]
    assert run.total("records.stored", "file") == 1200


def test_a_fault_that_finds_its_process_down_strikes_when_it_is_started() -> None:
    kill = fault("process_kill", ", process: transform", at="30s")
    for type_, more in (("process_kill", ""), ("process_hang", ", for: 3s"), ("port_taken", ", for: 3s")):
        run = plain(kill + fault(type_, f", process: transform{more}", "g", "30500ms"))
        assert run.times("fault.injected", fault="g") == [31.0]
        assert len(run.times("fault.cleared", fault="g")) == 1
        assert run.total("records.stored", "file") == 1200


# The reader of the source.


def test_what_is_sent_while_the_reader_is_down_waits_at_a_source_that_resumes() -> None:
    run = plain(fault("process_kill", ", process: collect"))
    assert run.total("records.missed") == 0
    assert run.total("records.stored", "file") == 1200
    assert run.times("stream.reconnected") == []


def test_what_is_sent_while_the_reader_is_down_is_missed_otherwise() -> None:
    run = plain(fault("process_kill", ", process: collect", at="30050ms"), resume="false")
    # Down for 1 s, then starting for 1 s: the records due from 30.1 to 32.0 s.
    assert run.total("records.missed", "collect", "f") == 20
    assert run.times("records.missed") == [32.05]
    assert run.total("records.stored", "file") == 1180


def test_a_disconnect_is_seen_at_once_and_the_reader_connects_again() -> None:
    run = plain(fault("source_disconnect", at="30050ms"), resume="false")
    assert run.times("fault.injected", who="collect") == run.times("fault.seen") == [30.05]
    assert run.times("stream.reconnected", who="collect", fault="f") == [30.25]
    assert run.total("records.missed", fault="f") == 2
    assert plain(fault("source_disconnect", at="30050ms")).total("records.missed") == 0


def test_a_source_that_refuses_connections_is_asked_again_until_it_does_not() -> None:
    run = plain(fault("source_disconnect", ", for: 3100ms", at="30050ms"))
    assert run.times("stream.reconnected") == [pytest.approx(33.25)]
    assert run.times("fault.cleared") == [33.15]
    assert run.total("records.stored", "file") == 1200


def test_what_is_sent_while_the_reader_is_stopped_waits_in_its_connection() -> None:
    run = plain(fault("process_hang", ", process: collect, for: 10s"), resume="false")
    assert run.total("records.missed") + run.total("records.lost") == 0
    assert run.total("records.stored", "file") == 1200


def test_a_stopped_reader_neither_gives_its_connection_up_nor_connects_again() -> None:
    stopped = fault("process_hang", ", process: collect, for: 40s")
    assert plain(stopped).of("stream.timed_out", "stream.reconnected") == []
    silent = fault("source_silence", ", for: 50s", "s", "30s")
    assert plain(stopped + silent).of("stream.timed_out", "stream.reconnected") == []
    run = plain(stopped + fault("source_disconnect", "", "d", "40s"))
    assert run.times("stream.reconnected") == [pytest.approx(71.0, abs=0.21)]


def test_a_silent_source_is_given_up_again_and_again() -> None:
    run = plain(fault("source_silence", ", for: 50s", at="30s"))
    assert run.times("stream.timed_out", who="collect", fault="f") == [pytest.approx(49.9), pytest.approx(70.1)]
    assert run.times("stream.reconnected", fault="f") == [pytest.approx(50.1), pytest.approx(70.3)]
    assert run.total("records.sent") == 1200 - 500
    assert run.times("fault.seen") == [40.0]


def test_a_burst_that_does_not_fit_drops_what_the_overflow_says() -> None:
    slow = """
    duration: 1m
    workload: {arrivals: {rate: 10/s, process: constant}}
    pipeline:
      processes:
        - {name: collect, reads: source, writes: raw, buffer: 50, overflow: %s, service: {distribution: constant, value: 50ms}}
      sinks: [{name: file, of: raw}]
    faults: [{name: f, type: source_burst, at: 20s, for: 10s, times: 5}]
    """
    # 500 records come in 10 s: 200 of them are worked on, 50 wait and one is in service.
    newest, oldest, blocked = (Run(slow % how) for how in ("drop_newest", "drop_oldest", "block"))
    assert newest.total("records.dropped", "collect", "f") == pytest.approx(250, abs=2)
    assert oldest.total("records.dropped", "collect", "f") == newest.total("records.dropped", "collect", "f")
    assert blocked.total("records.dropped") == 0
    for run in (newest, oldest, blocked):
        assert run.total("records.sent") == 1000
        assert run.total("records.stored", "file") + run.total("records.dropped") == 1000
        assert len(run.times("fault.seen")) == 1
    longest = [max(event.value for event in run.of("records.stored")) for run in (newest, oldest, blocked)]
    assert longest[0] == pytest.approx(51 * 0.05, abs=0.06)
    assert longest[1] <= longest[0]
    assert longest[2] == pytest.approx(300 * 0.05, rel=0.05)


def test_a_buffer_that_fills_while_its_process_is_stopped_drops_when_it_goes_on() -> None:
    run = plain(fault("process_hang", ", process: collect, for: 10s"), buffer=30, overflow="drop_newest")
    # All that waited at the source comes at once: 30 fit beside the one that is worked on.
    assert run.total("records.dropped", "collect", "f") == pytest.approx(100 - 31, abs=1)


# Sinks.


def test_a_sink_that_cannot_be_written_gets_everything_when_it_can_again() -> None:
    lock = fault("sink_lock", ", sink: database, for: 10s")
    run = Run(f"{TWO}\nfaults:\n{lock}")
    assert run.total("records.stored", "database") == run.total("records.stored", "file") == 1200
    assert not [t for t in run.times("records.stored", who="database") if 31.0 < t < 41.0]
    assert max(event.value for event in run.of("records.stored", who="file")) < 0.01
    assert max(event.value for event in run.of("records.stored", who="database")) == pytest.approx(10.3, abs=0.5)
    assert run.of("fault.injected")[0].who == "database"
    assert 31.0 < run.times("fault.seen")[0] < 31.6
    assert run.times("fault.cleared") == [41.0]


def test_minutes_are_of_the_first_sink() -> None:
    run = Run(f"{TWO}\nfaults:\n{fault('sink_lock', ', sink: database, for: 40s')}")
    assert [event.value for event in run.of("minute.total")] == [600.0, 600.0]


def test_readers_follow_the_first_sink_of_their_stream() -> None:
    run = plain(fault("sink_full", ", sink: file, for: 10s"))
    placed = run.of("orders.placed")
    assert run.total("records.stored", "file") == 1200
    assert run.total("orders.placed") > 0
    # What is sent after 31 s is placed after 41 s.
    assert [event.value for event in placed if event.t == 40.0 and event.value > 3] == []
    assert next(event.value for event in placed if event.t == 50.0) > 10


def test_readers_do_not_wait_for_the_other_sinks() -> None:
    text = TWO.replace("  sinks", "    - {name: order, reads: results, writes: orders}\n  sinks")
    run = Run(f"{text}\nfaults:\n{fault('sink_lock', ', sink: database, for: 10s')}")
    assert run.times("process.output", who="order")[0] < 0.1
    assert [event.value for event in run.of("orders.placed") if event.t <= 120.0] == pytest.approx([100.0] * 12, abs=1)


def test_a_sink_that_two_faults_close_is_open_when_both_are_over() -> None:
    both = fault("sink_full", ", sink: file, for: 10s") + fault("sink_lock", ", sink: file, for: 15s", "g", "36s")
    run = plain(both)
    assert run.times("fault.cleared") == [41.0, 51.0]
    assert not [t for t in run.times("records.stored", who="file") if 31.0 < t < 51.0]


# Ports, clocks, exports.


def test_a_process_whose_port_is_taken_ends_until_it_is_free() -> None:
    run = plain(fault("port_taken", ", process: collect, for: 5s", at="30s"))
    assert run.times("process.exited", who="collect", fault="f") == [30.0, 32.0]
    assert run.times("process.healthy", who="collect") == [0.0, 35.0]
    assert run.times("fault.cleared") == [35.0]
    assert run.times("fault.injected") == [30.0]


def test_a_clock_that_jumps_shows_with_the_next_record() -> None:
    run = plain(fault("clock_jump", ", process: transform, by: 1h"))
    assert run.times("fault.injected", who="transform") == [31.0]
    assert run.times("fault.seen") == run.times("fault.cleared") == [40.0]
    assert run.total("records.stored", "file") == 1200


def test_exports_fail_while_the_database_does_not_answer() -> None:
    run = plain(fault("export_outage", ", for: 1m", at="2m30s"), duration="5m")
    assert run.times("export.made") == [61.0, 121.0, 241.0, 301.0]
    assert run.times("export.failed", fault="f") == run.times("fault.seen", fault="f") == [181.0]


# What records are like.

CONTENT = """
duration: 6m
workload: {arrivals: {rate: 50/s, process: constant}}
pipeline:
  processes: [{name: collect, reads: source, writes: raw}]
  sinks: [{name: file, of: raw}]
  alerts: {no_records: {for: 1m}, low_consistency: {above: 80%%}, strong_ratio: {below: 2%%}}
faults:
%s
"""


@pytest.mark.parametrize(
    ("type_", "more", "alert"),
    [
        ("consistency_drop", ", to: 95%", "low_consistency"),
        ("strength_drop", ", to: 0.5%", "strong_ratio"),
        ("source_silence", "", "no_records"),
    ],
)
def test_the_pipelines_own_alert_fires_and_resolves_with_the_minutes_of_its_fault(
    type_: str, more: str, alert: str
) -> None:
    run = Run(CONTENT % fault(type_, f"{more}, for: 1m", at="2m"))
    fired, resolved = run.of("reported.alert_fired"), run.of("reported.alert_resolved")
    assert [(event.t, event.name) for event in fired] == [(181.0, alert)]
    assert [(event.t, event.name) for event in resolved] == [(241.0, alert)]
    assert len(run.times("fault.seen")) == len(run.times("fault.injected")) == len(run.times("fault.cleared")) == 1
    assert run.times("minute.total") == [61.0, 121.0, 181.0, 241.0, 301.0, 361.0]


def test_shares_of_records_are_those_asked_for() -> None:
    run = Run(CONTENT % fault("export_outage", ", for: 1m"))
    total, strong, low = (
        sum(e.value for e in run.of(f"minute.{name}")) for name in ("total", "strong", "low_consistency")
    )
    assert total == 18_000
    assert strong / total == pytest.approx(0.11, abs=0.01)
    assert low / total == pytest.approx(0.20, abs=0.01)
    assert run.of("sink.total")[0].value == total
    assert run.of("sink.strong")[0].value == strong
    assert run.of("sink.confirm")[0].value / total == pytest.approx(0.11 * 0.8, abs=0.01)
