"""The indicators of a pipeline, by histories of a few lines: numbers of processes are 0 to 2, of sinks 3 and 4."""

import math

import pytest
from histories import IDENTITY, block_of, judge, objective, observed, scenario, sli, verdict
from msgspec.structs import replace

from soak.runner.judge.decide import decide
from soak.runner.judge.judge import Judge
from soak.schemas.evidence.verdict import End, Status, Verdict
from soak.simulation.plan import Plan

PIPELINE = """
system: pipeline
duration: 10m
drain: 2m
workload: {arrivals: {rate: 1/s}, kinds: [{name: A, share: 50%}, {name: B, share: 50%}]}
pipeline:
  processes:
    - {name: harvest, reads: source, writes: raw}
    - {name: signal, reads: raw, writes: signals}
    - {name: report, reads: signals}
  sinks: [{name: file, of: signals}, {name: db, of: signals}]
  supervisor:
    health: {every: 10s, timeout: 2s}
    restart: {backoff: {initial: 1s, factor: 2, max: 30s}, max_restarts: 3, within: 5m, reset_after: 60s}
  alerts: {no_records: {for: 2m}, low_consistency: {above: 80%}, strong_ratio: {below: 2%}, tolerance: 30s}
telemetry: {max_gap: 1h}
"""

UNITS = {"probe": "s", "restart": "s", "latency": "s", "freshness": "s", "alert": "s", "process": "B"}
"""Of targets, by the first word of an indicator."""


def of(name: str, history: str, **labels: str) -> float:
    """The value of an indicator, NaN for none; only for these labels."""
    if not labels:
        return sli(name, history, PIPELINE)
    selector = ", ".join(f"{label}={value}" for label, value in labels.items())
    value = objective(f'"{name}{{{selector}}} >= 0{UNITS.get(name.partition("_")[0], "")}"', history, PIPELINE).value
    return math.nan if value is None else value


def judged(wanted: str, history: str) -> tuple[Status, str]:
    """How an objective comes out, and why."""
    found = objective(wanted, history, PIPELINE)
    return found.status, found.detail


Pairs = tuple[tuple[int, int], ...]


def probes(until: int, *, failed: Pairs = (), missing: Pairs = ()) -> str:
    """Probes of all three processes every 10 s; failed, missing: pairs of a time and a process."""
    times = [(t, process) for t in range(10, until, 10) for process in range(3) if (t, process) not in missing]
    lines = (f"{t} probe.{'failed' if (t, process) in failed else 'green'} w{process}\n" for t, process in times)
    return "".join(lines)


# Probes.


def test_green_is_of_the_probes_that_were_due() -> None:
    history = probes(101, failed=((50, 1),), missing=((60, 1),)) + "105 shutdown.started\n106 sample.rss 1"
    assert of("health_green", history) == pytest.approx(28 / 30)
    assert of("health_green", history, process="signal") == pytest.approx(8 / 10)
    assert of("health_green", history, process="report") == 1


def test_a_process_that_nobody_probes_is_not_green() -> None:
    history = "\n".join(line for line in probes(101).splitlines() if "w2" not in line) + "\n104 sample.rss 1"
    assert of("health_green", history, process="report") == 0
    assert of("health_green", history, process="signal") == 1


def test_without_any_probe_nothing_is_known_of_health() -> None:
    assert judged("health_green >= 98%", "10 sample.rss 1\n500 sample.rss 1") == (
        Status.INCONCLUSIVE,
        "0 of at least 1 observations",
    )


def test_a_process_is_due_from_the_start_on_though_the_first_probe_came_late() -> None:
    late = "\n".join(line for line in probes(201).splitlines() if int(line.split()[0]) > 100)
    assert of("health_green", late + "\n204 sample.rss 1") == 0.5


def test_a_probe_counts_for_the_time_it_is_nearest_to() -> None:
    drifting = "\n".join(
        f"{t} probe.green w0\n{t} probe.green w1\n{t} probe.green w2" for t in (10.3, 20.6, 31, 44, 56, 60)
    )
    # 44 is nearest to 40, 56 and 60 both to 60: at 50 there was none.
    assert of("health_green", drifting + "\n66 sample.rss 1", process="harvest") == pytest.approx(5 / 6)


def test_the_nearest_of_several_probes_counts() -> None:
    starting = "7 probe.failed w0\n8 probe.failed w0\n10 probe.green w0\n11 probe.failed w0\n16 sample.rss 1"
    assert of("health_green", starting, process="harvest") == 1
    assert of("health_green", "2 probe.green w0\n4.9 probe.green w0\n16 sample.rss 1", process="harvest") == 0


def test_what_is_due_when_the_run_ends_may_still_come() -> None:
    assert of("health_green", probes(91) + "101 sample.rss 1", process="signal") == 1
    assert of("health_green", probes(91) + "103 sample.rss 1", process="signal") == 0.9


def test_the_gap_between_probes() -> None:
    history = probes(201, missing=((50, 1), (60, 1)))
    assert of("probe_gap", history) == 30
    assert of("probe_gap", history, process="report") == 10
    assert of("probe_gap", history + "290 sample.rss 1", process="report") == 90


def test_nothing_is_due_after_the_shutdown_began() -> None:
    history = probes(51) + "52 shutdown.started\n200 sample.rss 1"
    assert of("health_green", history) == 1
    assert of("probe_gap", history) == 10


# Processes.

STARTED = "0 process.started w0 name=harvest\n0 process.started w1 name=signal\n0 process.started w2 name=report\n"
KILLED = (
    STARTED
    + "100 process.exited w1 name=signal fault=kill error=killed\n101 process.started w1 name=signal\n"
    + "103 process.healthy w1 name=signal\n104.5 process.output w1 name=signal\n"
)


def test_a_restart_lasts_from_the_exit_to_the_first_output() -> None:
    assert of("restart_time_max", KILLED, process="signal") == 4.5
    assert math.isnan(of("restart_time_max", KILLED, process="harvest"))
    assert of("restarts", KILLED) == of("restarts", KILLED, process="signal") == 1
    assert of("restarts", KILLED, process="harvest") == of("backoff_violations", KILLED) == 0


AWAY = STARTED + "100 process.exited w1 name=signal\n"


@pytest.mark.parametrize(
    ("history", "least"),
    [
        (AWAY + "500 sample.rss 1", 400),
        (AWAY + "300 shutdown.started\n500 sample.rss 1", 200),
        # It had nothing to pass on, perhaps.
        (AWAY + "101 process.started w1 name=signal\n103 process.healthy w1 name=signal\n500 sample.rss 1", 3),
    ],
)
def test_a_process_that_never_comes_back_was_away_at_least_so_long(history: str, least: int) -> None:
    text = '"restart_time_max{{process=signal}} <= {}s"'
    assert of("restart_time_max", history, process="signal") == least
    assert judged(text.format(least - 1), history)[0] is Status.FAIL
    assert judged(text.format(least), history) == (
        Status.INCONCLUSIVE,
        "1 unfinished restarts could still break it",
    )


def test_a_process_that_writes_nothing_is_back_when_it_is_healthy() -> None:
    history = "10 process.exited w2 name=report\n11 process.started w2 name=report\n13 process.healthy w2 name=report"
    assert of("restart_time_max", history) == 3


def test_a_process_killed_while_it_starts_is_away_from_its_first_exit() -> None:
    history = (
        STARTED
        + "100 process.exited w1 name=signal\n101 process.started w1 name=signal\n101.5 process.exited w1 name=signal\n"
        + "103.5 process.started w1 name=signal\n104 process.output w1 name=signal\n105 process.healthy w1 name=signal\n"
    )
    assert of("restart_time_max", history) == 5
    assert (of("restarts", history), of("backoff_violations", history)) == (2, 0)


def test_a_process_that_is_down_at_the_end_keeps_an_objective_open() -> None:
    history = KILLED + "200 process.exited w0 name=harvest"
    assert judged("restart_time_max <= 12s", KILLED)[0] is Status.PASS
    assert judged("restart_time_max <= 12s", history) == (
        Status.INCONCLUSIVE,
        "1 unfinished restarts could still break it",
    )
    assert judged('"restart_time_max{process=signal} <= 12s"', history)[0] is Status.PASS


@pytest.mark.parametrize(
    ("waits", "violations"),
    [
        ((1, 2, 4), 0),
        ((0.5, 2, 4), 1),
        ((1, 1, 1), 2),
        ((1, 2, 3.9), 1),
        ((12, 14, 17), 0),
        ((16, 2, 4), 1),
        ((1, 2, 4, 8), 1),
    ],
    ids=["as planned", "early", "counter reset", "a little early", "seen in the next round", "late", "too often"],
)
def test_backoffs_are_those_of_the_settings(waits: tuple[float, ...], violations: int) -> None:
    lines, t = [], 10.0
    for wait in waits:
        lines.append(f"{t} process.exited w1 name=signal\n{t + wait} process.started w1 name=signal")
        t += wait + 3
    assert of("backoff_violations", STARTED + "\n".join(lines), process="signal") == violations
    assert of("backoff_violations", STARTED + "\n".join(lines), process="harvest") == 0


@pytest.mark.parametrize(
    ("healthy_s", "waited", "violations"), [(90, 1, 0), (90, 2, 0), (30, 1, 1), (60, 1, 0), (60, 2, 0)]
)
def test_a_backoff_begins_anew_after_health(healthy_s: float, waited: float, violations: int) -> None:
    """How long a process was healthy is known to within a round."""
    history = (
        STARTED
        + "10 process.exited w1 name=signal\n11 process.started w1 name=signal\n12 process.healthy w1 name=signal\n"
        f"{12 + healthy_s} process.exited w1 name=signal\n{12 + healthy_s + waited} process.started w1 name=signal"
    )
    assert of("backoff_violations", history) == violations


def test_a_probe_that_fails_as_a_process_ends_is_not_what_ended_its_health() -> None:
    well = KILLED + "".join(f"{t} probe.green w1\n" for t in range(110, 300, 10))
    again = "300 process.exited w1 name=signal\n301 process.started w1 name=signal"
    assert of("backoff_violations", well + "299.9 probe.failed w1\n" + again) == 0
    soon = KILLED + "119.9 probe.failed w1\n120 process.exited w1 name=signal\n121 process.started w1 name=signal"
    assert of("backoff_violations", soon) == 1


def test_the_order_of_the_shutdown() -> None:
    exits = "{} process.exited w2 name=report\n{} process.exited w1 name=signal\n{} process.exited w0 name=harvest\n"
    began = STARTED + "600 shutdown.started\n"
    assert of("shutdown_order_violations", began + exits.format(601, 602, 603)) == 0
    at_once = "601 process.exited w0 name=harvest\n601 process.exited w1 name=signal\n601 process.exited w2 name=report"
    assert of("shutdown_order_violations", began + at_once) == 0
    backwards = (
        "601 process.exited w0 name=harvest\n602 process.exited w1 name=signal\n603 process.exited w2 name=report"
    )
    assert of("shutdown_order_violations", began + backwards) == 2
    down = STARTED + "590 process.exited w2 name=report\n600 shutdown.started\n601 process.exited w1 name=signal"
    assert of("shutdown_order_violations", down) == 0


def test_an_end_in_the_shutdown_is_no_restart() -> None:
    history = STARTED + "600 shutdown.started\n601 process.exited w2 name=report\n602 process.exited w1 name=signal"
    assert judged("restarts <= 0", history)[0] is Status.PASS
    assert judged("restart_time_max <= 12s", KILLED + history.removeprefix(STARTED))[0] is Status.PASS


def test_orphans() -> None:
    history = STARTED + "600 shutdown.started\n601 process.exited w2 name=report\n"
    assert judged("orphans == 0", history)[0] is Status.PASS
    assert judged("orphans == 0", STARTED)[0] is Status.INCONCLUSIVE
    left = history + "603 process.orphaned w1 name=signal"
    assert judged("orphans == 0", left)[0] is Status.FAIL
    assert (of("orphans", left, process="signal"), of("orphans", left, process="report")) == (1, 0)


def test_an_orphan_of_an_unknown_process_may_be_of_any() -> None:
    left = STARTED + "600 shutdown.started\n601 process.exited w2 name=report\n603 process.orphaned w-1 name=sh"
    assert judged("orphans == 0", left)[0] is Status.FAIL
    assert of("orphans", left) == 1
    assert judged('"orphans{process=harvest} == 0"', left)[0] is Status.INCONCLUSIVE


# Records.

FLOW = """
10 records.sent 30 kind=A
10 records.sent 20 kind=B
11 records.stored w3 @30 0.5 kind=A
11 records.stored w3 @18 1 kind=B
12 records.stored w4 @29 2 kind=A
12 records.stored w4 @20 1.5 kind=B
13 records.lost w3 2 fault=kill error=killed
13 records.duplicated w4 3
14 records.phantom w4 1
15 orders.placed w1 5
15 orders.duplicated w1 2
"""
COUNTED = """
600 sink.total w3 48
600 sink.confirm w3 8
600 sink.strong w3 10
600 sink.total w4 50
600 sink.confirm w4 8
600 sink.strong w4 10
"""


def test_latency_is_of_records() -> None:
    assert of("latency_p50", FLOW) == pytest.approx(1.5, rel=0.01)
    assert of("latency_mean", FLOW) == pytest.approx((30 * 0.5 + 18 + 29 * 2 + 20 * 1.5) / 97)
    assert of("latency_max", FLOW, sink="file") == 1
    assert of("latency_mean", FLOW, sink="file", kind="A") == 0.5
    assert of("latency_mean", FLOW, kind="A") == pytest.approx((15 + 58) / 59)


def test_records_are_counted_by_their_number() -> None:
    assert (of("records", FLOW), of("records_sent", FLOW)) == (48, 50)
    assert (of("records", FLOW, kind="B"), of("records_sent", FLOW, kind="A")) == (18, 30)
    assert of("throughput", FLOW + "600 sample.rss 1") == pytest.approx(48 / 600)
    assert (of("lost_records", FLOW), of("lost_records", FLOW, sink="db")) == (2, 0)
    assert (of("duplicate_records", FLOW, sink="db"), of("phantom_records", FLOW)) == (3, 1)
    assert (of("orders", FLOW), of("duplicate_orders", FLOW)) == (5, 2)


EMPTY = "10 sample.backlog w0 0\n10 sample.backlog w1 0\n10 sample.backlog w2 0"


@pytest.mark.parametrize(
    ("wanted", "without", "with_"),
    [
        ("lost_records == 0", "10 records.sent 5", "10 records.sent 5\n600 sink.total w3 5"),
        ("duplicate_records == 0", "10 records.sent 5", "10 records.stored w3 @5 1"),
        ("phantom_records == 0", "10 records.sent 5", "10 records.stored w3 @5 1"),
        ("queue_dropped == 0", "10 records.sent 5", "10 records.taken w0 5"),
        ("gap_records == 0", "10 records.taken w1 5", "10 records.taken w0 5"),
        ("duplicate_orders == 0", "10 records.sent 5", "10 orders.placed w1 5"),
        ("reconnects <= 3", "10 sample.rss 1", "10 records.sent 5"),
        ("stream_timeouts == 0", "10 sample.rss 1", "10 records.sent 5"),
        ("export_errors == 0", "10 sample.rss 1", "10 export.made"),
        ("abandoned == 0", "10 sample.rss 1", "10 probe.green w0"),
        ("restarts == 0", "10 sample.rss 1", "10 probe.green w0"),
        ("backoff_violations == 0", "10 sample.rss 1", "10 probe.green w0"),
        ("left_in_queues == 0", "10 sample.backlog w0 0\n10 sample.backlog w2 0", EMPTY),
        ('"left_in_queues{process=report} == 0"', "10 sample.backlog w0 0", "10 sample.backlog w2 0"),
        (
            "missed_alerts == 0",
            "10 sample.rss 1",
            "61 minute.total 60\n61 minute.strong 6\n61 minute.low_consistency 9",
        ),
        ("false_alerts == 0", "10 sample.rss 1", "61 minute.total 60\n61 minute.strong 6\n61 minute.low_consistency 9"),
    ],
)
def test_a_count_of_none_needs_evidence(wanted: str, without: str, with_: str) -> None:
    assert judged(wanted, without)[0] is Status.INCONCLUSIVE
    assert judged(wanted, with_)[0] is Status.PASS


REAL = replace(IDENTITY, clock="real")
FLOWED = """
10 records.sent 5
10 records.taken w0 5
11 records.stored w3 @5 1
11 records.stored w4 @5 1
50 sink.total w3 5
50 sink.total w4 5
"""


def real_verdict(history: str, text: str = PIPELINE) -> Verdict:
    """The verdict on a real run."""
    made = scenario(text)
    judge = Judge.of(made, Plan(made).vocabulary, REAL)
    observed(judge, [block_of(f"{history}60 run.ended", judge.vocabulary)])
    return decide(judge, REAL, End.COMPLETED)


@pytest.mark.parametrize(
    ("wanted", "shows"),
    [
        ("queue_dropped == 0", "20 records.dropped w0 0"),
        ("gap_records == 0", "20 records.missed w0 0"),
        ("lost_records == 0", "50 records.lost w3 0"),
        ("phantom_records == 0", "20 records.phantom w3 0"),
        ("reconnects <= 3", "20 reported.reconnects w0 0"),
        ("stream_timeouts == 0", "20 reported.stream_timeouts w0 0"),
        ("export_errors == 0", "50 reported.exports 0"),
    ],
)
def test_of_a_real_run_only_what_was_looked_for_is_known(wanted: str, shows: str) -> None:
    """That records passed through it is no evidence that anything would have been seen."""
    text = PIPELINE + f"slos: [{wanted}]\n"
    assert real_verdict(FLOWED, text).objectives[0].status is Status.INCONCLUSIVE
    assert real_verdict(f"{FLOWED}{shows}\n", text).objectives[0].status is Status.PASS


COMPARED = "50 records.phantom w3 0\n50 records.phantom w4 0\n50 records.lost w3 0\n50 records.lost w4 0\n"


@pytest.mark.parametrize(
    ("compared", "status", "detail"),
    [
        (COMPARED, Status.PASS, ""),
        ("", Status.INCONCLUSIVE, "file: not held against what the source sent: no ledger shows that"),
        (
            "\n".join(COMPARED.splitlines()[:3]) + "\n",
            Status.INCONCLUSIVE,
            "db: not held against what the source sent: which records get there is not known",
        ),
    ],
)
def test_records_of_a_real_run_are_accounted_for_where_it_is_known_what_was_sent(
    compared: str, status: Status, detail: str
) -> None:
    found = next(each for each in real_verdict(FLOWED + compared).laws if each.law == "records")
    assert (found.status, found.detail) == (status, detail)


def test_sinks_must_agree_at_the_end() -> None:
    assert of("sink_difference", FLOW + COUNTED, figure="total") == pytest.approx(2 / 50)
    assert of("sink_difference", FLOW + COUNTED, figure="confirm") == 0
    assert of("sink_difference", FLOW + COUNTED, figure="strong_ratio") == pytest.approx(
        (10 / 48 - 10 / 50) / (10 / 48), abs=1e-6
    )


@pytest.mark.parametrize("missing", ["sink.total w4", "sink.strong w3"])
def test_a_figure_that_a_sink_does_not_say_is_no_observation(missing: str) -> None:
    history = "\n".join(line for line in COUNTED.splitlines() if missing not in line)
    figure = "strong_ratio" if "strong" in missing else "total"
    assert judged(f'"sink_difference{{figure={figure}}} <= 5%"', history)[0] is Status.INCONCLUSIVE
    assert judged('"sink_difference{figure=confirm} <= 5%"', history)[0] is Status.PASS


@pytest.mark.parametrize(("part", "name"), [("w3", "file"), ("w0", "harvest"), ("", "the source")])
def test_with_a_ledger_that_could_not_be_read_nothing_is_concluded(part: str, name: str) -> None:
    sent = "1 records.sent 50\n"
    for unread, status in (("", "FAIL"), (f"599 ledger.unread {part}\n", "INCONCLUSIVE")):
        found = verdict(sent + unread + "600 sample.backlog w0 7", PIPELINE + "slos: [left_in_queues == 0]")
        assert {each.objective: each.status for each in found.objectives} == {"left_in_queues == 0": status}
    (law,) = [each for each in found.laws if each.law == "records"]
    words = f"the ledger of {name} could not be read: correct its path, fields or time in the target file"
    assert (law.status, law.detail) == ("INCONCLUSIVE", words)
    assert found.verdict == "INCONCLUSIVE"


def test_what_waits_at_the_end_is_left() -> None:
    history = "10 sample.backlog w0 7\n600 sample.backlog w0 0\n10 sample.backlog w1 3\n590 sample.backlog w1 2"
    assert (of("left_in_queues", history), of("left_in_queues", history, process="harvest")) == (2, 0)
    assert of("backlog", history, process="harvest") == 7


def test_levels_of_processes() -> None:
    history = "10 sample.process_rss w0 100\n10 sample.process_rss w1 300\n20 sample.process_rss w0 150\n20 sample.freshness w4 3"
    assert of("process_rss", history, process="harvest") == 150
    assert of("freshness", history, sink="db") == 3
    assert math.isnan(of("freshness", history, sink="file"))


# Alerts.


def minutes(*figures: tuple[int, int, int], settle: int = 5) -> str:
    """Closed minutes: total, strong and of low consistency."""
    return "".join(
        f"{n * 60 + settle} minute.total {total}\n{n * 60 + settle} minute.strong {strong}\n"
        f"{n * 60 + settle} minute.low_consistency {low}\n"
        for n, (total, strong, low) in enumerate(figures, start=1)
    )


USUAL, NONE, LOW, WEAK = (100, 11, 20), (0, 0, 0), (100, 11, 90), (100, 1, 20)
FIRED, OVER = "reported.alert_fired name=", "reported.alert_resolved name="
Times = tuple[tuple[int, bool], ...]


def told(name: str, *times: tuple[int, bool]) -> str:
    """What the pipeline reports of an alert: when it fires, and when it does not any more."""
    return "".join(f"{t} {FIRED if fires else OVER}{name}\n" for t, fires in times)


def alerts(history: str, reported: str, alert: str) -> tuple[float, float, float]:
    """Missed and false alerts, and the longest delay."""
    whole = in_order(history + reported + "599 sample.rss 1")
    return tuple(of(name, whole, alert=alert) for name in ("missed_alerts", "false_alerts", "alert_delay_max"))  # type: ignore[return-value]


SILENT = minutes(USUAL, USUAL, NONE, NONE, NONE, USUAL, USUAL, USUAL)
"""Due from 240 s (two minutes without records) to 360 s."""


@pytest.mark.parametrize(
    ("reported", "missed", "false", "delay"),
    [
        (((243, True), (362, False)), 0, 0, 3),
        (((236, True), (362, False)), 0, 0, 2),
        (((243, True),), 1, 0, 3),
        ((), 2, 0, math.nan),
        (((270, True), (362, False)), 0, 0, 30),
        (((275, True), (362, False)), 1, 1, 2),
        (((241, False), (362, False)), 1, 0, 2),
        (((100, True), (110, False), (243, True), (362, False)), 0, 1, 3),
        (((243, True), (300, False), (301, True), (362, False)), 0, 1, 3),
        (((243, True), (300, False)), 1, 0, 3),
    ],
    ids=[
        "in time",
        "a little before",
        "not resolved",
        "silent",
        "just in time",
        "late",
        "never fired",
        "once too often",
        "twice",
        "resolved too early",
    ],
)
def test_no_records(reported: Times, missed: int, false: int, delay: float) -> None:
    found = alerts(SILENT, told("no_records", *reported), "no_records")
    assert found == pytest.approx((missed, false, delay), nan_ok=True)


@pytest.mark.parametrize(("alert", "minute"), [("low_consistency", LOW), ("strong_ratio", WEAK)])
def test_shares_of_a_minute(alert: str, minute: tuple[int, int, int]) -> None:
    history = minutes(USUAL, minute, minute, USUAL, USUAL, NONE, USUAL, USUAL)
    assert alerts(history, told(alert, (122, True), (244, False)), alert) == (0, 0, 4)
    assert alerts(history, "", alert)[:2] == (2, 0)
    at_its_limit = minutes(*[(100, 2, 80)] * 8)
    assert alerts(at_its_limit, "", alert)[:2] == (0, 0)
    assert alerts(history, told(alert, (122, True), (244, False), (370, True)), alert)[:2] == (0, 1)


@pytest.mark.parametrize("over", [182, 242, 302])
def test_a_share_of_no_records_is_not_known(over: int) -> None:
    """An alert may resolve with the first minute without records, or with the next that has some."""
    history = minutes(USUAL, LOW, NONE, NONE, USUAL, USUAL, USUAL, USUAL)
    assert alerts(history, told("low_consistency", (122, True), (over, False)), "low_consistency")[:2] == (0, 0)
    assert alerts(history, told("low_consistency", (122, True)), "low_consistency")[:2] == (1, 0)
    again = minutes(USUAL, LOW, NONE, LOW, USUAL, USUAL, USUAL, USUAL)
    reported = told("low_consistency", (122, True), (182, False), (242, True), (302, False))
    assert alerts(again, reported, "low_consistency")[:2] == (0, 0)
    assert alerts(again, told("low_consistency", (122, True), (302, False)), "low_consistency")[:2] == (0, 0)


def test_an_alert_that_is_due_at_the_end_is_open() -> None:
    history = minutes(USUAL, USUAL, USUAL, USUAL, USUAL, USUAL, USUAL, NONE, NONE)[:-1] + "\n560 sample.rss 1"
    assert judged('"missed_alerts{alert=no_records} == 0"', history) == (
        Status.INCONCLUSIVE,
        "1 unfinished alerts could still break it",
    )
    assert judged('"missed_alerts{alert=strong_ratio} == 0"', history)[0] is Status.PASS


def test_what_is_reported_after_the_last_minute_is_not_known_to_be_false() -> None:
    history = minutes(USUAL, USUAL) + told("no_records", (170, True)) + "200 sample.rss 1"
    assert of("false_alerts", history) == 0
    history = minutes(USUAL, USUAL, settle=65) + told("no_records", (110, True))
    assert of("false_alerts", in_order(history)) == 1


def test_after_a_loss_of_events_minutes_are_not_known() -> None:
    lost = SILENT.replace("245 minute.total", "242 sample.lost 5\n245 minute.total")
    assert alerts(lost, "", "no_records")[:2] == (0, 0)


def test_shares_are_of_the_records_of_closed_minutes() -> None:
    history = minutes(USUAL, (300, 9, 240), NONE)
    assert of("strong_ratio", history) == pytest.approx(20 / 400)
    assert of("low_consistency", history) == pytest.approx(260 / 400)


# Laws.


def law(name: str, history: str) -> tuple[str, str]:
    """The result of a law, and its detail."""
    found = next(each for each in verdict(history, PIPELINE).laws if each.law == name)
    return found.status.value, found.detail


ACCOUNTED = """
10 records.sent 100
20 records.stored w3 @90 1
20 records.stored w4 @88 1
20 records.dropped w0 4
20 records.missed w0 3
20 records.lost w4 2
30 sample.backlog w1 3
600 sink.total w3 90
600 sink.total w4 88
"""


def test_every_record_is_accounted_for() -> None:
    assert law("records", ACCOUNTED) == ("PASS", "")
    assert law("records", ACCOUNTED.replace("dropped w0 4", "dropped w0 3")) == (
        "FAIL",
        "file: 100 sent, 90 stored, 3 dropped, 3 missed, 3 waiting; "
        "db: 100 sent, 88 stored, 3 dropped, 3 missed, 2 lost, 3 waiting",
    )
    assert law("records", ACCOUNTED.replace("20 records.lost w4 2", "20 records.phantom w3 1"))[0] == "FAIL"
    assert law("records", "10 records.sent 100\n20 records.stored w3 @90 1") == (
        "INCONCLUSIVE",
        "the sinks were not counted at the end",
    )
    assert law("records", ACCOUNTED.replace("dropped w0 4", "dropped w0 3\n21 sample.lost 9"))[0] == "INCONCLUSIVE"


def filtered(history: str) -> tuple[str, str]:
    """The law of records, where the sinks get confirmed records only."""
    text = PIPELINE.replace("reads: raw, writes: signals}", "reads: raw, writes: signals, passes: confirmed}")
    found = next(each for each in verdict(history, text).laws if each.law == "records")
    return found.status.value, found.detail


def test_behind_a_filter_records_are_accounted_for_by_how_many_had_to_get_there() -> None:
    history = "10 records.sent 100\n20 records.stored w3 @8 1\n20 records.stored w4 @8 1\n"
    counted = "".join(f"600 sink.total w{sink} 8\n600 sink.expected w{sink} {{}}\n" for sink in (3, 4))
    assert filtered(history + counted.format(8, 8)) == ("PASS", "")
    assert filtered(history + "20 records.dropped w0 2\n" + counted.format(9, 10)) == ("PASS", "")
    assert filtered(history + "20 records.dropped w0 2\n" + counted.format(8, 11)) == (
        "FAIL",
        "db: 100 sent, 11 had to get there, 8 stored, 2 dropped",
    )
    assert filtered(history + counted.format(7, 8))[0] == "FAIL"
    assert filtered(history + "600 sink.total w3 8\n600 sink.total w4 8\n") == (
        "INCONCLUSIVE",
        "file: how many records had to get there is not known",
    )


def test_without_records_nothing_is_accounted_for() -> None:
    assert law("records", "600 sink.total w3 0\n600 sink.total w4 0") == ("INCONCLUSIVE", "no records were sent")
    assert "records" not in {each.law for each in verdict(KILLED, PIPELINE).laws}


def test_what_the_reader_missed_is_lost_for_every_sink() -> None:
    for sink, count in (("file", 3), ("db", 5)):
        expression = f"lost_records{{sink={sink}}} == 0"
        result = next(each for each in verdict(ACCOUNTED, PIPELINE + f"slos: ['{expression}']\n").objectives)
        assert (result.status, result.value) == (Status.FAIL, count)
    assert of("lost_records", ACCOUNTED) == 8
    assert of("gap_records", ACCOUNTED) == 3
    sinks = next(each for each in verdict(ACCOUNTED, PIPELINE).sections if each.title == "Sinks")
    assert [row[sinks.columns.index("lost")] for row in sinks.rows] == ["3", "5"]


def test_a_fault_by_which_records_are_missed_costs_them() -> None:
    text = PIPELINE + "faults: [{name: kill, type: process_kill, process: harvest, at: 15s}]\n"
    history = ACCOUNTED.replace("missed w0 3", "missed w0 3 fault=kill error=process_kill")
    cost = verdict("15 fault.injected fault=kill error=process_kill\n" + history, text).attribution[0].cost
    assert cost.lost == 6


def test_what_waits_may_be_in_one_of_the_sinks_already() -> None:
    history = ACCOUNTED.replace("records.lost w4 2", "sample.backlog w1 5").replace("30 sample.backlog w1 3\n", "")
    assert law("records", history) == ("PASS", "")
    assert law("records", history.replace("@88", "@87"))[0] == "FAIL"


def test_restarts_are_those_that_are_reported() -> None:
    assert law("restarts", KILLED + "600 reported.restarts w1 1\n600 reported.restarts w0 0") == ("PASS", "")
    assert law("restarts", KILLED + "600 reported.restarts w1 0") == ("FAIL", "signal: 1 restarts seen, 0 reported")
    assert "restarts" not in {each.law for each in verdict(KILLED, PIPELINE).laws}


def test_starts_and_exits_alternate() -> None:
    assert law("processes", KILLED) == ("PASS", "")
    assert law("processes", KILLED + "200 process.started w1 name=signal")[0] == "FAIL"
    assert (
        law("processes", KILLED + "200 process.exited w0 name=harvest\n201 process.exited w0 name=harvest")[0] == "FAIL"
    )
    started = "160 process.started w1 name=signal\n"
    assert law("processes", KILLED + "150 run.resumed 3\n" + started)[0] == "PASS"
    resumed = KILLED + "150 run.resumed 3\n" + started + started
    assert law("processes", resumed)[0] == "INCONCLUSIVE"


# Cases.


@pytest.mark.parametrize(
    ("wanted", "history", "part", "detail"),
    [
        ("lost_records == 0", FLOW + COUNTED, "file", "2 records, fault kill"),
        ("duplicate_records == 0", FLOW, "db", "3 records"),
        (
            "backoff_violations == 0",
            STARTED + "9 process.exited w1 name=signal\n9.2 process.started w1 name=signal",
            "signal",
            "200ms after its exit",
        ),
        ("health_green >= 100%", probes(101, failed=((50, 1),)), "signal", "due at 50s"),
        ("missed_alerts == 0", SILENT + "599 sample.rss 1", "no_records", "due at 240s"),
        ("false_alerts == 0", told("strong_ratio", (59, True)) + SILENT, "strong_ratio", "fired at 59s"),
        (
            "shutdown_order_violations == 0",
            STARTED + "600 shutdown.started\n601 process.exited w0 name=harvest",
            "harvest",
            "signal, report had to end before it",
        ),
    ],
)
def test_the_first_cases_are_named(wanted: str, history: str, part: str, detail: str) -> None:
    found = verdict(history, f"slos: [{wanted}]\n{PIPELINE}").explanation[0]
    first = min((cases.first[0] for cases in found.cases), key=lambda case: case.t_s)
    assert (first.worker, first.detail) == (part, detail)
    assert f" on {part}." in found.text


# Faults.

FAULTS = """
faults:
  - {name: kill, type: process_kill, process: signal, at: 100s, every: 200s}
  - {name: hang, type: process_hang, process: harvest, at: 400s, for: 20s}
  - {name: lock, type: sink_lock, sink: db, at: 450s, for: 10s}
  - {name: out, type: export_outage, at: 480s, for: 30s}
slos: [latency_p95 <= 2s]
"""


def recoveries(history: str) -> dict[str, list[tuple[float | None, str]]]:
    """By fault, when it had recovered in each of its windows, or why not."""
    found = verdict(in_order(history), PIPELINE + FAULTS).attribution
    return {
        fault.fault: [(each.recovered_s, each.not_recovered) for each in fault.occasions if each.injected_s is not None]
        for fault in found
    }


def struck(name: str, error: str, start: float, end: float) -> str:
    return f"{start} fault.injected fault={name} error={error}\n{end} fault.cleared fault={name} error={error}\n"


def test_a_killed_process_has_recovered_when_it_is_back() -> None:
    history = struck("kill", "process_kill", 100, 100) + KILLED + "150 records.sent 5\n590 sample.rss 1"
    assert recoveries(history)["kill"] == [(104.5, "")]
    gone = (
        history
        + "\n"
        + struck("kill", "process_kill", 300, 300)
        + "300 process.exited w1 name=signal fault=kill error=killed"
    )
    assert recoveries(gone)["kill"] == [(104.5, ""), (None, "signal was not back")]


def test_a_hang_is_over_at_the_next_green_probe() -> None:
    history = struck("hang", "process_hang", 400, 420) + probes(590, failed=((410, 0), (420, 0)))
    assert recoveries(history)["hang"] == [(430.0, "")]


def test_a_sink_and_an_export_are_back_with_the_next_that_is_made() -> None:
    history = struck("lock", "sink_lock", 450, 460) + "461 records.stored w3 @5 1\n465 records.stored w4 @5 9\n"
    history += struck("out", "export_outage", 480, 510) + "490 export.failed\n520 export.made\n590 sample.rss 1"
    found = recoveries(history)
    assert (found["lock"], found["out"]) == ([(465.0, "")], [(520.0, "")])
    assert recoveries(struck("lock", "sink_lock", 450, 460) + "590 sample.rss 1")["lock"] == [
        (None, "nothing came through since")
    ]


def test_what_a_fault_lost_is_its_cost() -> None:
    history = (
        struck("kill", "process_kill", 100, 100)
        + KILLED
        + "105 records.lost w3 7 fault=kill error=killed\n590 sample.rss 1"
    )
    history += "\n106 records.duplicated w4 3 fault=kill error=killed"
    cost = next(each.cost for each in verdict(in_order(history), PIPELINE + FAULTS).attribution if each.fault == "kill")
    assert (cost.lost, cost.duplicated) == (7, 3)


@pytest.mark.parametrize(("speed", "violations"), [(1, 1), (10, 0)])
def test_an_exit_of_a_real_process_is_seen_a_little_later(speed: int, violations: int) -> None:
    """By up to a tenth of a second of real time: a second of scenario time at ten times the speed."""
    made, real = scenario(PIPELINE), replace(IDENTITY, clock="real", speed=speed)
    judge = Judge.of(made, Plan(made).vocabulary, real)
    history = STARTED + "10 process.exited w1 name=signal\n10.7 process.started w1 name=signal\n60 run.ended"
    observed(judge, [block_of(history, judge.vocabulary)])
    assert judge.sli_value(made.slis["backoff_violations"]) == violations


# Blocks.


def in_order(text: str) -> str:
    """The lines of a history in order of time."""
    return "\n".join(sorted(filter(None, text.splitlines()), key=lambda line: float(line.split()[0])))


WHOLE = in_order(
    KILLED
    + FLOW
    + SILENT
    + told("no_records", (243, True), (362, False))
    + told("strong_ratio", (200, True))
    + probes(541, failed=((110, 1),), missing=((120, 0), (130, 2)))
    + "545 shutdown.started\n546 process.exited w2 name=report\n547 process.exited w1 name=signal\n"
    + "548 process.exited w0 name=harvest\n"
    + COUNTED
)


def test_a_history_may_be_cut_anywhere() -> None:
    text = PIPELINE + "slos: [health_green >= 100%, missed_alerts == 0, restart_time_max <= 1s, lost_records == 0]\n"
    whole = judge(WHOLE, text)
    count = len(WHOLE.splitlines())
    for cuts in (range(1, count), *((cut,) for cut in range(1, count, 7))):
        made = judge(WHOLE, text, cuts=tuple(cuts))
        assert made.slis() == whole.slis()


def test_logs_of_which_something_is_gone_break_a_law() -> None:
    assert law("logs", "600 sample.log_size w0 90\n600 sample.log_size w1 80") == ("PASS", "")
    lost = "200 log.lost w1 70\n300 log.lost w1 30\n600 sample.log_size w1 80"
    assert law("logs", lost) == ("FAIL", "signal: 100B")
    assert "logs" not in {each.law for each in verdict(KILLED, PIPELINE).laws}


def test_resources_that_a_supervisor_reports_are_those_that_were_measured() -> None:
    measured = "".join(f"{t} sample.process_rss w{process} 1000\n" for t in (100, 500) for process in range(3))
    said = "600 reported.process_rss w0 {}\n600 reported.process_rss w1 1900\n600 reported.process_rss w2 600\n"
    history = probes(101) + measured + said
    assert law("resources", history.format(1000)) == ("PASS", "")
    assert law("resources", history.format(0)) == ("FAIL", "harvest: 1kB measured, nothing reported")
    assert law("resources", history.format(2100)) == ("FAIL", "harvest: 1kB measured, 2.1kB reported")
    # One that was hardly ever there need not have been measured.
    down = tuple((t, 0) for t in range(20, 101, 10))
    assert law("resources", probes(101, failed=down) + measured + said.format(0)) == ("PASS", "")
    assert "resources" not in {each.law for each in verdict(probes(101) + measured, PIPELINE).laws}


def test_a_fault_that_is_over_at_once_is_not_said_to_last() -> None:
    faults = "faults: [{name: k, type: process_kill, at: 5m}, {name: s, type: source_silence, at: 5s, for: 2m}]"
    assert [each.asked for each in verdict("", PIPELINE + faults).faults] == ["at 300s", "at 5s for 120s"]


def test_exports_that_are_reported_must_have_arrived() -> None:
    made = "61 export.made\n121 export.made\n"
    assert law("exports", made + "600 reported.exports 2") == ("PASS", "")
    assert law("exports", made + "600 reported.exports 1") == ("PASS", "")
    assert law("exports", made + "600 reported.exports 5") == ("FAIL", "5 reported, 2 arrived")
    assert judged("export_count >= 1", "600 reported.exports 5")[0] is Status.FAIL
    assert "exports" not in {each.law for each in verdict(made, PIPELINE).laws}


def test_a_process_that_was_down_is_not_healthy_whatever_is_reported() -> None:
    history = probes(101) + "50 probe.disputed w1\n60 probe.disputed w1\n102 sample.rss 1"
    assert law("health", history) == ("FAIL", "signal: 2 probes")
