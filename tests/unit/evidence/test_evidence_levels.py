"""Depth of the queue and busy workers by minute: true time averages, whatever is in step with what."""

import csv
import math
import random
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest

from soak.runner.evidence.metrics import MetricsWriter
from soak.runner.judge.judge import Judge
from soak.schemas.errors import UsageError
from soak.schemas.language.load import load
from soak.schemas.language.model import Scenario
from soak.schemas.language.registry import language_of
from soak.schemas.stream.block import Block
from soak.schemas.stream.events import NEW_STATE, Kind
from soak.schemas.stream.states import TaskState
from soak.simulation.plan import Plan
from soak.simulation.run import simulate

SCENARIO = """\
version: 1
name: levels
system: queue
duration: {duration}
drain: 30m
workload: {{arrivals: {arrivals}, task: {{duration: {service}}}}}
queue: {{workers: 40, poll_interval: {poll}, retry: {{max_attempts: 3, backoff: [7s]}}}}
faults: [{faults}]
"""
IN_STEP = "{process: constant, rate: 1/s}"
FIVE = "{distribution: constant, value: 5s}"
SPREAD = "{distribution: lognormal, median: 4s, p95: 12s}"
FAULTS = (
    "{name: a, type: transient_error, rate: 20%}, {name: c, type: worker_crash, rate: 5%}, "
    "{name: h, type: worker_hang, rate: 5%, hang_for: 3m}, {name: g, type: guardrail_exceed, rate: 3%}, "
    "{name: d, type: duplicate_enqueue, rate: 10%}, {name: o, type: db_outage, at: 17m, for: 130s}"
)


def scenario(tmp_path: Path, **words: str) -> Scenario:
    path = tmp_path / "levels.yaml"
    path.write_text(
        SCENARIO.format(**{"duration": "1h", "arrivals": IN_STEP, "service": FIVE, "poll": "10s", "faults": ""} | words)
    )
    return load(path).scenario


def rows(tmp_path: Path, plan: Plan, blocks: Iterable[Block]) -> list[dict[str, float]]:
    """What metrics.csv has, minute by minute; NaN where it is blank."""
    path = tmp_path / "metrics.csv"
    path.unlink(missing_ok=True)
    writer = MetricsWriter(path, plan.scenario, [cause.fault for cause in plan.vocabulary.causes])
    judge = Judge(plan.scenario, plan.vocabulary)
    for block in blocks:
        for part in judge.observe(block):
            writer.append(part, judge.facts)
    writer.finish(judge.until_s)
    with path.open(newline="") as file:
        return [{name: float(cell or "nan") for name, cell in row.items()} for row in csv.DictReader(file)]


def steps(blocks: Iterable[Block]) -> tuple[list[tuple[float, int, int]], float]:
    """Depth and busy workers after each event, one event after the other; and when the run ended."""
    states: dict[int, TaskState] = {}
    running: set[int] = set()
    found, ended_s = [(0.0, 0, 0)], 0.0
    for block in blocks:
        columns = (block.t, block.kind, block.task, block.worker)
        for t, number, task, worker in zip(*(column.tolist() for column in columns), strict=True):
            kind = Kind(number)
            if kind in NEW_STATE:
                states[task] = NEW_STATE[kind]
            if kind is Kind.EXECUTION_STARTED:
                running.add(worker)
            elif kind in {Kind.EXECUTION_ENDED, Kind.PROCESS_EXITED}:
                running.discard(worker)
            if kind in NEW_STATE or kind.name.startswith(("EXECUTION", "PROCESS")):
                states = {each: state for each, state in states.items() if state is TaskState.PENDING}
                found.append((t, len(states), len(running)))
        ended_s = block.until_s
    return found, ended_s


def averages(found: list[tuple[float, int, int]], from_s: float, until_s: float) -> tuple[float, int, float]:
    """Mean depth, most depth and mean of busy workers between two times, by hand."""
    depth = busy = 0.0
    most = 0
    ends = [t for t, _, _ in found[1:]] + [math.inf]
    for (t, waiting, working), end in zip(found, ends, strict=True):
        length_s = min(end, until_s) - max(t, from_s)
        if length_s > 0:
            depth, busy, most = depth + waiting * length_s, busy + working * length_s, max(most, waiting)
    return depth / (until_s - from_s), most, busy / (until_s - from_s)


def test_arrivals_polls_and_samples_in_step(tmp_path: Path) -> None:
    """A task a second, a poll every 10 s: the queue grows from 0 to 10, and ten workers are busy for 5 s of each 10."""
    plan = Plan(scenario(tmp_path))
    found = rows(tmp_path, plan, simulate(plan))[5:55]
    assert {round(each["queue_depth"], 2) for each in found} == {4.5}
    assert {each["queue_depth_max"] for each in found} == {9}
    assert {round(each["busy_workers"], 6) for each in found} == {5.0}


CASES = {
    "in step": {},
    "random": {"arrivals": "{rate: 20/min}", "service": SPREAD, "poll": "1s"},
    "everything": {"arrivals": "{rate: 20/min}", "service": SPREAD, "poll": "1s", "faults": FAULTS},
    "bursts": {"arrivals": "{rate: 2/min, burst: {every: 20m, for: 2m, rate: 2/s}}", "service": SPREAD, "poll": "3s"},
    "no minute whole": {"duration": "100s", "poll": "7s"},
}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_each_minute_is_the_time_average_of_the_events(case: str, tmp_path: Path) -> None:
    plan = Plan(scenario(tmp_path, **CASES[case]))
    blocks = list(simulate(plan))
    found, ended_s = steps(blocks)
    for place, row in enumerate(rows(tmp_path, plan, blocks)):
        from_s, until_s = place * 60.0, min(place * 60.0 + 60.0, ended_s)
        depth, most, busy = averages(found, from_s, until_s)
        # Six figures are written.
        assert row["queue_depth"] == pytest.approx(depth, rel=1e-5, abs=1e-9), place
        assert row["queue_depth_max"] == most, place
        assert row["busy_workers"] == pytest.approx(busy, rel=1e-5, abs=1e-9), place


def cut(blocks: Iterable[Block], draw: random.Random) -> Iterator[Block]:
    from_s = 0.0
    for block in blocks:
        # Also at whole seconds, where many things happen at once.
        edges = [draw.uniform(from_s, block.until_s) for _ in range(20)]
        edges += [float(round(edge_s)) for edge_s in edges]
        from_s, rest = block.until_s, block
        for edge_s in sorted(edge_s for edge_s in edges if edge_s < block.until_s):
            first, rest = rest.split(edge_s)
            yield first
        yield rest


@pytest.mark.parametrize("case", CASES, ids=str)
def test_nothing_depends_on_where_blocks_end(case: str, tmp_path: Path) -> None:
    plan = Plan(scenario(tmp_path, **CASES[case]))
    blocks = list(simulate(plan))
    whole = rows(tmp_path, plan, blocks)
    for seed in range(3):
        np.testing.assert_equal(rows(tmp_path, plan, cut(blocks, random.Random(seed))), whole)


def test_minutes_in_which_events_were_lost_are_blank_and_later_ones_are_right(tmp_path: Path) -> None:
    loss = "{name: blind, type: telemetry_loss, at: 20m30s, for: 2m}"
    seen = Plan(scenario(tmp_path, arrivals="{rate: 20/min}", service=SPREAD))
    truth = rows(tmp_path, seen, simulate(seen))
    blind = Plan(scenario(tmp_path, arrivals="{rate: 20/min}", service=SPREAD, faults=loss))
    found = rows(tmp_path, blind, simulate(blind))
    blank = [place for place, row in enumerate(found) if math.isnan(row["queue_depth"])]
    assert blank == [20, 21, 22]
    assert [math.isnan(found[place]["busy_workers"]) for place in blank] == [True] * 3
    for place in range(25, 60):
        for name in ("queue_depth", "busy_workers"):
            assert found[place][name] == pytest.approx(truth[place][name], rel=1e-5), (place, name)


def test_tasks_of_a_client_that_are_not_in_a_call_wait(tmp_path: Path) -> None:
    """A call takes 10 s and fails; the second comes 20 s later: of the 40 s that a task is open it waits half."""
    path = tmp_path / "levels.yaml"
    path.write_text(
        "version: 1\nname: levels\nsystem: calls\nduration: 30m\ndrain: 10m\n"
        "workload: {arrivals: {process: constant, rate: 6/min}}\n"
        "calls:\n  dependencies: [{name: api, latency: {distribution: constant, value: 10s}}]\n"
        "  policy: [{retry: {max_attempts: 2, backoff: {initial: 20s}}}]\n"
        "faults: [{name: f, type: server_error, rate: 100%}]\n"
    )
    plan = Plan(load(path).scenario)
    found = rows(tmp_path, plan, simulate(plan))[5:25]
    assert {row["queue_depth"] for row in found} == {2.0}
    assert all(math.isnan(row["busy_workers"]) for row in found)


CALLS = """\
version: 1
name: levels
system: calls
duration: 20m
drain: 10m
workload: {{arrivals: {{rate: 30/min}}}}
calls:
  dependencies: [{{name: api, latency: {{distribution: lognormal, median: 3s, p95: 12s}}}}]
  policy:
    - timeout: 10s
    - circuit_breaker: {{failures: 3, open_for: 20s}}
    - retry: {{max_attempts: 3, backoff: {{initial: 2s}}}}
faults:
  - {{name: f, type: server_error, rate: 20%}}
  - {{name: silent, type: timeout, at: 7m, for: 90s, rate: 80%}}
{faults}
"""
STEPS = {Kind.CALL_STARTED: 1, Kind.CALL_SUCCEEDED: -1, Kind.CALL_FAILED: -1}
COLUMNS = {"calls": Kind.CALL_STARTED, "calls_failed": Kind.CALL_FAILED, "calls_rejected": Kind.CALL_REJECTED}


def calls_plan(tmp_path: Path, faults: str = "") -> Plan:
    path = tmp_path / "levels.yaml"
    path.write_text(CALLS.format(faults=faults))
    return Plan(load(path).scenario)


def in_flight(events: list[tuple[float, Kind]], from_s: float, until_s: float) -> tuple[float, int]:
    """Mean and maximum of the calls in flight between two times, by hand."""
    found = [(0.0, 0)]
    for t, kind in events:
        found.append((t, found[-1][1] + STEPS.get(kind, 0)))
    ends = [t for t, _ in found[1:]] + [math.inf]
    area, most = 0.0, 0
    for (t, level), end in zip(found, ends, strict=True):
        length_s = min(end, until_s) - max(t, from_s)
        if length_s > 0:
            area, most = area + level * length_s, max(most, level)
    return area / (until_s - from_s), most


def test_calls_of_each_minute_are_those_of_the_events(tmp_path: Path) -> None:
    plan = calls_plan(tmp_path)
    blocks = list(simulate(plan))
    events = [
        (t, Kind(kind)) for block in blocks for t, kind in zip(block.t.tolist(), block.kind.tolist(), strict=True)
    ]
    found = rows(tmp_path, plan, blocks)
    assert len(found) >= 20
    assert all(sum(row[name] for row in found) > 5 for name in COLUMNS)
    for place, row in enumerate(found):
        from_s, until_s = place * 60.0, min(place * 60.0 + 60.0, blocks[-1].until_s)
        for name, kind in COLUMNS.items():
            # What happens on the minute belongs to the one that ends there.
            assert row[name] == sum(each is kind and from_s < t <= from_s + 60.0 for t, each in events), (name, place)
        mean, most = in_flight(events, from_s, until_s)
        assert row["in_flight"] == pytest.approx(mean, rel=1e-5, abs=1e-9), place
        assert row["in_flight_max"] == most, place


def test_calls_in_flight_do_not_depend_on_where_blocks_end(tmp_path: Path) -> None:
    plan = calls_plan(tmp_path)
    blocks = list(simulate(plan))
    np.testing.assert_equal(rows(tmp_path, plan, cut(blocks, random.Random(1))), rows(tmp_path, plan, blocks))


def test_calls_in_flight_are_right_again_after_a_loss(tmp_path: Path) -> None:
    seen, blind = (
        calls_plan(tmp_path, faults) for faults in ("", "  - {name: blind, type: telemetry_loss, at: 10m30s, for: 2m}")
    )
    truth, found = rows(tmp_path, seen, simulate(seen)), rows(tmp_path, blind, simulate(blind))
    assert [place for place, row in enumerate(found) if math.isnan(row["in_flight"])] == [10, 11, 12]
    for place in range(15, 20):
        assert found[place]["in_flight"] == pytest.approx(truth[place]["in_flight"], rel=1e-5), place


def test_a_level_without_samples_is_unknown_from_a_loss_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blind = calls_plan(tmp_path, "  - {name: blind, type: telemetry_loss, at: 10m, for: 2m}")
    language = language_of("calls")
    levels = {"in_flight": msgspec.structs.replace(language.minutes.levels["in_flight"], sampled=None)}
    other = msgspec.structs.replace(language, minutes=msgspec.structs.replace(language.minutes, levels=levels))
    for module in ("levels", "metrics"):
        monkeypatch.setattr(f"soak.runner.evidence.{module}.language_of", lambda name: other)
    found = rows(tmp_path, blind, simulate(blind))
    assert [math.isnan(row["in_flight"]) for row in found] == [place >= 10 for place in range(len(found))]


def test_a_system_that_names_a_column_twice_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan, language = calls_plan(tmp_path), language_of("calls")
    more = {"queue_depth": Kind.CALL_STARTED}
    other = msgspec.structs.replace(language, minutes=msgspec.structs.replace(language.minutes, more=more))
    monkeypatch.setattr("soak.runner.evidence.metrics.language_of", lambda name: other)
    with pytest.raises(UsageError, match=r"system calls: metrics\.csv has a second column 'queue_depth' \(rename it"):
        MetricsWriter(None, plan.scenario, [])
