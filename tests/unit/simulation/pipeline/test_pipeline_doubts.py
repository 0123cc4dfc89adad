"""What is said of a pipeline before it runs: warnings, and what it is expected to do."""

import re

import pytest
from pipelines import Run, loaded

from soak.runner.cautions import cautions
from soak.simulation.pipeline.forecast import PipelineForecast, forecast_pipeline
from soak.simulation.plan import Plan

PIPELINE = """
duration: {duration}
workload: {{arrivals: {{rate: {rate}, process: {process}}}}}
drain: {drain}
pipeline:
  processes:
    - {{name: collect, reads: source, writes: raw{collect}}}
    - {{name: transform, reads: raw, writes: results{transform}}}
  sinks: [{{name: file, of: results{batch}}}]
  supervisor: {{restart: {{max_restarts: 2, within: 10m}}, health: {{start_timeout: 20s}}}}
  alerts: {{{alerts}}}
{more}
faults: [{faults}]
"""


def text(
    *faults: str,
    collect: str = "",
    transform: str = "",
    batch: str = "",
    alerts: str = "",
    rate: str = "100/s",
    process: str = "constant",
    duration: str = "10m",
    drain: str = "1m",
    more: str = "",
) -> str:
    return PIPELINE.format(**{**locals(), "faults": ", ".join(faults)})


def warnings(*faults: str, **parts: str) -> list[str]:
    return [f"{each.where}: {each.what} ({each.remedy})" for each in cautions(loaded(text(*faults, **parts)))]


def forecast(*faults: str, **parts: str) -> PipelineForecast:
    return forecast_pipeline(Plan(loaded(text(*faults, **parts)).scenario))


KILL = "{name: kill, type: process_kill, process: transform, at: 2m}"


def test_a_pipeline_that_can_hold_is_not_doubted() -> None:
    assert warnings(KILL) == []


def test_a_process_that_cannot_keep_up() -> None:
    slow = ", service: {distribution: exponential, mean: 12.5ms}"
    assert warnings(transform=slow) == [
        "pipeline.processes[1].service: transform works 1.25 s for the records of a second: its queue grows without end "
        "(shorten it, or send at most 80/s)"
    ]
    assert warnings(transform=slow, rate="80/s") == []
    figures = forecast(transform=slow)
    assert figures.processes[1].utilisation == pytest.approx(1.25)
    assert figures.processes[1].wait_s == figures.sinks[0].latency_s == float("inf")


def test_only_the_records_that_reach_a_process_count() -> None:
    slow = ", service: {distribution: constant, value: 50ms}"
    assert warnings(transform=slow, collect=", passes: strong") == []
    figures = forecast(transform=slow, collect=", passes: strong")
    assert figures.processes[1].utilisation == pytest.approx(0.11 * 100 * 0.05)
    assert figures.sinks[0].records == pytest.approx(0.11 * 60_000)


def test_a_start_that_takes_longer_than_it_may() -> None:
    (said,) = warnings(transform=", start: {distribution: constant, value: 25s}")
    assert said == (
        "pipeline.supervisor.health.start_timeout: transform takes 25s to start on average, but is killed after 20s "
        "(raise start_timeout, or shorten the start)"
    )


BURST = "{name: b, type: source_burst, at: 2m, for: 10s, times: 5}"


def test_a_buffer_that_a_burst_fills() -> None:
    small = ", buffer: 100, overflow: drop_newest, service: {distribution: constant, value: 5ms}"
    (said,) = warnings(BURST, collect=small)
    # 500 records a second come, 200 are worked on: 3,000 more in 10 s, of which 100 fit.
    assert said == (
        "pipeline.processes[0].buffer: about 2,899 records do not fit into the buffer of collect and are dropped, "
        "the first of them 120s after the start (raise buffer, or write overflow: block)"
    )
    assert warnings(BURST, collect=small.replace("drop_newest", "block")) == []
    assert warnings(BURST, collect=small.replace("100,", "3000,")) == []
    dropped = Run(text(BURST, collect=small)).total("records.dropped")
    assert forecast(BURST, collect=small).dropped == pytest.approx(dropped, rel=0.01)


@pytest.mark.parametrize(
    ("fault", "lasts_s"),
    [
        ("{name: h, type: process_hang, process: collect, at: 2m, for: 20s}", 20.0),
        ("{name: k, type: process_kill, process: collect, at: 2m}", 2.0),
        ("{name: d, type: source_disconnect, at: 2m, for: 9s}", 9.0),
    ],
)
def test_a_buffer_that_what_waited_at_the_source_does_not_fit_into(fault: str, lasts_s: float) -> None:
    small = ", buffer: 50, overflow: drop_oldest"
    assert len(warnings(fault, collect=small)) == 1
    expected, dropped = forecast(fault, collect=small).dropped, Run(text(fault, collect=small)).total("records.dropped")
    assert expected == pytest.approx(100 * lasts_s - 51, abs=1)
    assert expected == pytest.approx(dropped, abs=25)


def test_more_kills_than_restarts_are_allowed() -> None:
    often = "{name: kill, type: process_kill, process: transform, at: 2m, every: 1m}"
    assert warnings(often) == [
        "faults[0]: transform is abandoned: it ends once more after 2 restarts within 10m, 240s after the start "
        "(raise max_restarts, or separate the faults in time)",
        "faults[0]: kill finds transform down, 300s after the start: it has no effect (separate the faults in time)",
    ]
    assert Run(text(often)).times("process.abandoned") == [240.0]
    assert warnings(often.replace("every: 1m", "every: 5m")) == []


def test_a_port_that_is_taken_for_longer_than_restarts_last() -> None:
    port = "{name: port, type: port_taken, process: transform, at: 2m, for: 10s}"
    (said,) = warnings(port)
    assert said.startswith(
        "faults[0]: transform is abandoned: it ends once more after 2 restarts within 10m, 125s after"
    )
    assert Run(text(port)).times("process.abandoned") == [125.0]


def test_a_fault_that_finds_its_process_down() -> None:
    again = "{name: again, type: process_hang, process: transform, at: 120500ms, for: 1s}"
    assert warnings(KILL, again) == [
        "faults[1]: again finds transform down, 120.5s after the start: it strikes when it is started again, if at all "
        "(separate the faults in time)"
    ]
    assert Run(text(KILL, again)).times("fault.injected", fault="again") == [121.0]


def test_an_outage_without_an_export() -> None:
    outage = "{name: o, type: export_outage, at: 70s, for: %s}"
    assert warnings(outage % "40s") == [
        "faults[0]: no export is due while o lasts, 70s after the start (let it hold a multiple of 60s)"
    ]
    assert warnings(outage % "50s") != []
    assert warnings(outage % "52s") == []


def test_a_share_that_is_the_usual_one() -> None:
    same = "{name: s, type: strength_drop, at: 2m, for: 1m, to: 11%}"
    assert warnings(same) == ["faults[0].to: is the usual share: it changes nothing (write another share)"]


def test_a_run_that_ends_before_its_processes_do() -> None:
    (said,) = warnings(drain="5s")
    assert said.startswith("drain: the run is over 5s after the last record, but its last process may take 10s to end")


def test_records_that_come_more_seldom_than_a_connection_may_be_silent() -> None:
    (said,) = warnings(rate="1/min", duration="20m")
    assert said.startswith(
        "pipeline.stream_timeout: records come 60s apart: the reader gives every connection up after 30s"
    )


# The pipeline's own alerts.


def silence(at: str, lasts: str) -> str:
    return f"{{name: s, type: source_silence, at: {at}, for: {lasts}}}"


def test_an_alert_on_no_records_needs_whole_minutes_without_any() -> None:
    two = "no_records: {for: 2m}"
    (said,) = warnings(alerts=two)
    assert said == (
        "pipeline.alerts.no_records: cannot fire: nothing keeps records away for 2 whole minutes in a row "
        "(add a source_silence that holds 2 whole minutes, or remove the alert)"
    )
    assert len(warnings(silence("2m30s", "2m"), alerts=two)) == 1
    assert warnings(silence("2m", "2m"), alerts=two) == []
    assert warnings(silence("2m30s", "2m40s"), alerts=two) == []
    for fault in (
        "{name: h, type: process_hang, process: transform, at: 2m, for: 2m5s}",
        "{name: d, type: source_disconnect, at: 2m, for: 2m5s}",
        "{name: f, type: sink_full, sink: file, at: 2m, for: 2m5s}",
    ):
        assert warnings(fault, alerts=two) == []
        assert len(Run(text(fault, alerts=two)).of("reported.alert_fired")) == 1


@pytest.mark.parametrize(
    ("alert", "limit", "type_", "enough", "too_little"),
    [
        ("low_consistency", "above: 80%", "consistency_drop", "95%", "75%"),
        ("strong_ratio", "below: 2%", "strength_drop", "0.5%", "5%"),
    ],
)
def test_an_alert_on_a_share_needs_a_fault_that_goes_beyond_its_limit(
    alert: str, limit: str, type_: str, enough: str, too_little: str
) -> None:
    rule = f"{alert}: {{{limit}}}"
    assert [re.split(r"[:,]", each)[1] for each in warnings(alerts=rule)] == [" cannot fire"]
    assert len(warnings(f"{{name: f, type: {type_}, at: 2m, for: 1m, to: {too_little}}}", alerts=rule)) == 1
    assert len(warnings(f"{{name: f, type: {type_}, at: 2m30s, for: 20s, to: {enough}}}", alerts=rule)) == 1
    drop = f"{{name: f, type: {type_}, at: 2m, for: 1m, to: {enough}}}"
    assert warnings(drop, alerts=rule) == []
    assert len(Run(text(drop, alerts=rule)).of("reported.alert_fired")) == 1


def test_an_alert_beyond_the_usual_share_always_fires() -> None:
    (said,) = warnings(alerts="strong_ratio: {below: 15%}")
    assert said.startswith("pipeline.alerts.strong_ratio: fires all the time: the usual share, 11%, is below 15%")


def test_no_alert_fires_in_less_than_a_minute() -> None:
    (said,) = warnings(alerts="strong_ratio: {below: 2%}", duration="50s")
    assert said.startswith("pipeline.alerts: no minute of 50s is closed")


# Forecasts.


def test_the_expected_latency_is_what_is_simulated() -> None:
    parts = {
        "collect": ", service: {distribution: exponential, mean: 4ms}",
        "transform": ", service: {distribution: exponential, mean: 6ms}",
        "batch": ", batch: {rows: 5000, every: 200ms}",
        "process": "poisson",
    }
    expected = forecast(**parts)
    found = Run(text(**parts))
    assert expected.sinks[0].latency_s == pytest.approx(found.latency_s("file"), rel=0.05)
    # Burke: M/M/1 in a row.
    waits = [each.wait_s for each in expected.processes]
    assert waits == pytest.approx([1 / (250 - 100) - 0.004, 1 / (1000 / 6 - 100) - 0.006])
    assert expected.records == found.total("records.sent")


def test_a_killed_process_is_down_for_its_backoff_and_its_start() -> None:
    found = forecast(KILL).processes[1]
    assert (found.restarts, found.down_s) == (1, 2.0)
