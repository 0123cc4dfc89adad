"""What a plan says of work at set times, and of the kinds of a trace, against simulations of it and sums by hand."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from soak.runner.cautions import cautions
from soak.schemas.language.load import load
from soak.schemas.language.trace import Trace
from soak.schemas.language.trace_build import record_of, survey_of
from soak.schemas.stream.block import merge
from soak.schemas.stream.events import Kind
from soak.schemas.trace.settings import Reading
from soak.schemas.trace.survey import survey
from soak.simulation.plan import Plan
from soak.simulation.queue.forecast import QueueForecast, forecast_queue
from soak.simulation.queue.set_times import cleared_s, set_time_lines
from soak.simulation.run import simulate

SCENARIO = """\
version: 1
name: load
system: queue
duration: {duration}
drain: {drain}
workload:
  arrivals: {{rate: 6/min, scheduled: [{scheduled}]}}
  {work}
queue: {{{queue}}}
{more}
"""
NIGHTLY = "{name: nightly, count: 1000, at: 2h, kind: bulk}"
KINDS = """kinds:
    - {name: small, share: 100%, task: {duration: {distribution: constant, value: 4s}}}
    - {name: bulk, share: 0%, task: {duration: {distribution: constant, value: 45s}}}"""
HOURLY = "{name: one, count: 300, at: 1m, every: 1h, kind: bulk}"
TAKE, SIX = "tasks at once take about", "to clear with 6 workers"
TIMEOUT = "workers: 6, lease: {duration: 30s, heartbeat: none}"


def written(
    tmp_path: Path,
    *,
    scheduled: str = NIGHTLY,
    work: str = KINDS,
    queue: str = "workers: 6",
    duration: str = "6h",
    drain: str = "12h",
    more: str = "",
) -> Path:
    path = tmp_path / "load.yaml"
    words = {"scheduled": scheduled, "work": work, "queue": queue, "duration": duration, "drain": drain, "more": more}
    path.write_text(SCENARIO.format(**words))
    return path


def forecast(path: Path) -> QueueForecast:
    return forecast_queue(Plan(load(path).scenario))


def warnings(path: Path) -> list[str]:
    return [str(each).partition(".yaml:")[2].partition(" ")[2] for each in cautions(load(path))]


# Kinds.


def test_the_mean_service_time_is_that_of_all_that_arrives(tmp_path: Path) -> None:
    found = forecast(written(tmp_path))
    assert found.service_mean_s == pytest.approx((2160 * 4 + 1000 * 45) / 3160)
    assert [kind.share for kind in found.kinds] == pytest.approx([2160 / 3160, 1000 / 3160])


def test_attempts_of_a_batch_that_outlast_the_timeout_are_counted_and_warned_of(tmp_path: Path) -> None:
    path = written(tmp_path, queue=TIMEOUT)
    of = Plan(load(path).scenario)
    events = merge(list(simulate(of)))
    assert of.kinds
    begun = Counter(of.kinds.of(events.task[events.kind == Kind.TASK_DISPATCHED]).tolist())
    found = forecast(path)
    assert found.outlasting == pytest.approx(begun[1] / (begun[0] + begun[1]), abs=0.01)
    (warning,) = warnings(path)
    assert "every attempt of bulk (64.9% of all attempts) takes longer than the visibility timeout of 30s" in warning


def test_the_load_in_a_fault_is_that_of_the_kinds_that_arrive_then(tmp_path: Path) -> None:
    """All of the batch meets the fault: each attempt of it fails, and is made 4 times; 1/12 of the rest does."""
    more = "faults: [{name: net, type: transient_error, rate: 100%, at: 110m, for: 30m}]"
    small, bulk = forecast(written(tmp_path, more=more)).kinds
    assert bulk.attempts_per_task == pytest.approx(4)
    assert small.attempts_per_task == pytest.approx(1 + 3 / 12)


def test_a_batch_at_the_very_start_is_part_of_the_load(tmp_path: Path) -> None:
    found = forecast(written(tmp_path, scheduled=NIGHTLY.replace("2h", "0s")))
    assert found.mean_load == pytest.approx((2160 * 4 + 1000 * 45) / 21600)


def test_a_condition_on_a_kind_that_comes_at_set_times_only_can_hold(tmp_path: Path) -> None:
    abort = "abort: [{name: fails, when: 'success_rate{kind=bulk} < 90%', window: 10m, min_samples: 500}]"
    assert warnings(written(tmp_path, more=abort)) == []
    (warning,) = warnings(written(tmp_path, more=abort.replace("bulk", "small")))
    assert "can hardly hold: a window of 10m contains 60 observations" in warning


# Workers by a rule.


def test_a_rule_is_followed_through_a_batch(tmp_path: Path) -> None:
    rule = "scaling: {min: 4, max: 12, out: {queue_depth: 20, by: 2}, in: {idle: 5m, by: 1}, every: 30s, delay: 60s}"
    work = "task: {duration: {distribution: constant, value: 20s}}"
    path = written(tmp_path, scheduled="{name: nightly, count: 1000, at: 2h}", work=work, queue=f"workers: 4, {rule}")
    up, reached = 4, {4: 0.0}
    events = merge(list(simulate(Plan(load(path).scenario))))
    for t, kind in zip(events.t.tolist(), events.kind.tolist(), strict=True):
        up += (kind == Kind.PROCESS_STARTED) - (kind == Kind.PROCESS_EXITED)
        reached.setdefault(up, t)
    planned = forecast(path)
    first = {int(workers): t_s for t_s, workers in reversed(planned.planned_workers)}
    assert max(first) == max(reached) == 12
    assert {up: first[up] for up in (6, 8, 10, 12)} == pytest.approx({up: reached[up] for up in (6, 8, 10, 12)}, abs=60)
    assert planned.warnings == ()


# How long it takes.


def cleared(path: Path, tasks: int) -> float:
    """How long after 2 h the simulation has done all of the batch."""
    of = Plan(load(path).scenario)
    events = merge(list(simulate(of)))
    assert of.kinds
    done = events.kind == Kind.TASK_DONE
    bulk = of.kinds.of(events.task[done]) == 1
    assert bulk.sum() == tasks
    return float(events.t[done][bulk].max()) - 7200


def test_a_batch_takes_its_work_over_what_the_rate_leaves(tmp_path: Path) -> None:
    path = written(tmp_path, scheduled=NIGHTLY.replace("1000", "200"), queue="workers: 6, poll_interval: 0s")
    found = forecast(path)
    (each,) = found.at_set_times
    assert each.cleared_after_s == pytest.approx(200 * 45 / 5.6)
    assert each.cleared_after_s == pytest.approx(cleared(path, 200), rel=0.1)
    assert set_time_lines(found.at_set_times) == [
        "  at set times  nightly: 200 tasks at once, cleared after about 27m with 6 workers"
    ]
    assert found.warnings == ()


def test_a_batch_waits_for_the_workers_of_its_queue(tmp_path: Path) -> None:
    queues = (
        "queues: [{name: fast, workers: 4, kinds: [small]}, {name: slow, workers: 2, kinds: [bulk]}], poll_interval: 0s"
    )
    path = written(tmp_path, scheduled=NIGHTLY.replace("1000", "200"), queue=queues)
    (line,) = set_time_lines(forecast(path).at_set_times)
    assert line.endswith("cleared after about 1h15m with the 2 workers of slow")
    limited = queues.replace("kinds: [bulk]", "kinds: [bulk], rate_limit: 1/min")
    (each,) = forecast(written(tmp_path, scheduled=NIGHTLY.replace("1000", "200"), queue=limited)).at_set_times
    assert each.cleared_after_s == pytest.approx(200 * 60)


@pytest.mark.parametrize(
    ("scheduled", "drain", "warning"),
    [
        (NIGHTLY, "12h", ""),
        (NIGHTLY.replace("1000", "2000"), "0s", f"nightly: 2,000 {TAKE} 4h26m {SIX}, and the run with its drain ends 4h after"),
        (NIGHTLY.replace("2h", "2h, every: 2h"), "48h", f"nightly: 1,000 {TAKE} 2h14m {SIX}, and come again after 2h"),
        (
            f"{HOURLY}, {HOURLY.replace('one', 'two')}",
            "0s",
            "all that arrives at set times is too much for 6 workers together",
        ),
    ],
)  # fmt: skip
def test_a_backlog_that_is_left_is_warned_of(scheduled: str, drain: str, warning: str, tmp_path: Path) -> None:
    found = forecast(written(tmp_path, scheduled=scheduled, drain=drain))
    assert [each[: len(warning)] for each in found.warnings] == ([warning] if warning else [])
    assert (found.at_set_times[0].cleared_after_s is None) == (bool(warning) and drain == "0s")


def test_a_backlog_is_gone_when_all_work_is_done() -> None:
    assert cleared_s([(0.0, 2.0)], [(10.0, 20.0), (15.0, 20.0), (100.0, 2.0)]) == [30.0, 30.0, 101.0]
    assert cleared_s([(0.0, 2.0), (20.0, -1.0), (30.0, 5.0)], [(10.0, 40.0)]) == [36.0]
    assert cleared_s([(0.0, 0.0)], [(1.0, 1.0)]) == [np.inf]


# Traces.


def test_each_kind_of_a_trace_has_its_own_service_times(tmp_path: Path) -> None:
    rows = "".join(f"{n * 6},{'invoice,30' if n % 4 == 0 else 'email,2'}\n" for n in range(1200))
    (tmp_path / "jobs.csv").write_text(f"created,type,secs\n{rows}")
    path = written(tmp_path, work="kinds: [{name: email, share: 50%}, {name: invoice, share: 50%}]", duration="2h")
    trace = "trace: {file: jobs.csv, time: created, kind: type, service: secs}"
    path.write_text(path.read_text().replace(f"rate: 6/min, scheduled: [{NIGHTLY}]", trace))
    found = forecast(path)
    assert [(kind.service_mean_s, kind.share) for kind in found.kinds] == [(2.0, 0.75), (30.0, 0.25)]
    assert [kind.mean_load for kind in found.kinds] == pytest.approx([900 * 2 / 7200, 300 * 30 / 7200], rel=0.01)
    assert found.service_mean_s == pytest.approx(9)


def test_evidence_of_a_trace_keeps_the_service_times_of_kinds(tmp_path: Path) -> None:
    (tmp_path / "jobs.csv").write_text("t,k,s\n" + "".join(f"{n},{'ab'[n % 2]},{n % 2 + 1}\n" for n in range(99)))
    reading = Reading(tmp_path / "jobs.csv", "t", kind="k", service="s")
    seen = survey(reading)
    assert {kind: set(values) for kind, values in seen.service_by_kind.items()} == {"a": {1.0}, "b": {2.0}}
    assert (
        survey_of(record_of(Trace(reading, 0, 1.0, 1.0, repeat=False, seen=seen), "jobs.csv")).service_by_kind
        == seen.service_by_kind
    )
