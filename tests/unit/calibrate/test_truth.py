"""Simulations are calibrated: their parameters come back, also where faults take attempts from each other."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace
from truth import SCENARIO, estimated, part_of, scenario, simulated

from soak.runner.calibrate.draws import uncertain
from soak.runner.calibrate.shares import OWN, OWN_FOR_GOOD, burst_time
from soak.runner.calibrate.source import Source
from soak.runner.calibrate.timing import service_times
from soak.schemas.evidence.calibration import CalibratedParameter, Taken
from soak.schemas.language.windows import Window
from soak.schemas.stream.block import Block
from soak.schemas.stream.events import Kind
from soak.schemas.stream.vocabulary import NO_CAUSE
from soak.schemas.systems.queue.faults import QueueFault
from soak.schemas.systems.queue.settings import queue_of

SEEDS = 30


def by_key(source: Source) -> dict[str, CalibratedParameter]:
    return {each.key: each for each in estimated(source).parameters}


def test_the_parameters_of_simulations_come_back(tmp_path: Path) -> None:
    loaded = scenario(tmp_path)
    truth = {"median": 8.0, "p95": 20.0}
    held: Counter[str] = Counter()
    for seed in range(SEEDS):
        found = estimated(simulated(loaded, seed))
        held.update(key for key, interval in found.fitted.intervals.items() if interval.holds(truth.get(key, -1.0)))
        for each in found.parameters:
            assert each.scenario is not None and each.low is not None and each.high is not None
            held[each.key] += each.low - 1e-9 <= each.scenario <= each.high + 1e-9
    assert len(held) == 14
    # 30 intervals of 95 % hold the truth 24 times or more with a probability of 99.9 %.
    assert all(count >= 24 for count in held.values()), held
    # Between its bounds a lease always is.
    assert held["queue.lease.duration"] == SEEDS
    # All together they hold it as often as they say, give or take four standard deviations.
    assert 0.91 <= sum(held.values()) / (len(held) * SEEDS) <= 0.99, held


def test_a_fault_is_not_blamed_for_what_an_earlier_one_took(tmp_path: Path) -> None:
    text = SCENARIO.replace("rate: 10%", "rate: 60%").replace("rate: 2%", "rate: 50%")
    found = by_key(simulated(scenario(tmp_path, text=text), 1))
    assert found["faults.transient.rate"].estimate == pytest.approx(0.6, abs=0.04)
    assert found["faults.db-lock.rate"].estimate == pytest.approx(0.5, abs=0.05)


def test_a_fault_with_windows_is_exposed_inside_them_only(tmp_path: Path) -> None:
    text = SCENARIO.replace("rate: 10%, errors: [network, timeout]", "rate: 40%, at: 1h, for: 30m")
    found = by_key(simulated(scenario(tmp_path, text=text), 1))["faults.transient.rate"]
    assert found.estimate == pytest.approx(0.4, abs=0.08)
    assert 150 < found.observations < 450


@pytest.mark.parametrize("process", ["poisson", "constant"])
def test_polls_are_not_told_where_work_does_not_meet_them_at_any_time(tmp_path: Path, process: str) -> None:
    source = simulated(scenario(tmp_path, f"workload.arrivals.process={process}"), 1)
    assert (by_key(source)["queue.poll_interval"].taken is Taken.RUN) == (process == "poisson")


def test_a_busy_system_does_not_make_polls_slow(tmp_path: Path) -> None:
    source = simulated(scenario(tmp_path, "queue.workers=2"), 1)
    found = by_key(source)["queue.poll_interval"]
    assert found.estimate == pytest.approx(1.0, abs=0.15)
    part = part_of(source)
    assert float(np.median((part.all.dispatched_s - part.all.ready_s)[part.all.number == 1])) > 0.7


def test_several_dispatchers_leave_the_poll_interval_and_tell_the_claim_time(tmp_path: Path) -> None:
    source = simulated(scenario(tmp_path, "queue.dispatchers=3", "queue.claim_time=200ms"), 1)
    found = by_key(source)
    assert found["queue.poll_interval"].taken is Taken.UNSEEN
    assert found["queue.claim_time"].low is not None and found["queue.claim_time"].high is not None
    assert found["queue.claim_time"].low <= 0.2 <= found["queue.claim_time"].high


def test_few_crashes_say_nothing_of_leases(tmp_path: Path) -> None:
    found = by_key(simulated(scenario(tmp_path, "faults.crash.rate=0.1%"), 1))
    for key in ("queue.lease.duration", "queue.worker_restart"):
        assert (found[key].taken, found[key].value) == (Taken.UNSEEN, found[key].scenario)
        assert "of at least 5" in found[key].detail


def test_other_shares_of_tenants_are_taken_together(tmp_path: Path) -> None:
    source = simulated(scenario(tmp_path), 1)
    other = scenario(tmp_path, "workload.tenants=[{name: a, share: 20%}, {name: b, share: 80%}]")
    found = by_key(replace(source, loaded=other))
    shares = [found[f"workload.tenants.{name}.share"] for name in "ab"]
    assert all(each.taken is Taken.RUN for each in shares)
    assert sum(each.value or 0.0 for each in shares) == pytest.approx(1.0)
    assert shares[0].value == pytest.approx(0.7, abs=0.05)


def test_another_rate_of_arrivals_is_taken(tmp_path: Path) -> None:
    source = simulated(scenario(tmp_path), 1)
    found = by_key(replace(source, loaded=scenario(tmp_path, "workload.arrivals.rate=9/min")))
    base, burst = found["workload.arrivals.rate"], found["workload.arrivals.burst.rate"]
    assert (base.taken, burst.taken) == (Taken.RUN, Taken.SCENARIO)
    assert base.value == pytest.approx(5 / 60, rel=0.1)


@pytest.mark.parametrize(
    ("window", "burst_s"),
    [((0, 3600), 300), ((0, 100), 100), ((200, 3700), 200), ((400, 3000), 0), ((0, 36_000), 3000)],
)
def test_time_in_bursts(window: tuple[float, float], burst_s: float) -> None:
    assert burst_time(Window(*window), 3600.0, 300.0) == burst_s


# The system's own failures.


def with_own_failures(source: Source, closing: Kind, every: int) -> Source:
    """The run, with every so many first attempts that end well closed by an error of the system's own."""
    events = source.events
    done = np.flatnonzero((events.kind == Kind.TASK_DONE) & (events.attempt == 1))[::every]
    kind, cause = events.kind.copy(), events.cause.copy()
    kind[done], cause[done] = closing, source.vocabulary.cause("", "disk_io")
    columns = {name: getattr(events, name) for name in ("t", "task", "attempt", "worker", "label", "value")}
    return replace(source, events=Block(**columns, kind=kind, cause=cause, until_s=events.until_s))


@pytest.mark.parametrize(
    ("closing", "name", "kind"),
    [(Kind.TASK_RETRY, OWN, QueueFault.TRANSIENT_ERROR), (Kind.TASK_FAILED, OWN_FOR_GOOD, QueueFault.PERMANENT_ERROR)],
)
def test_failures_without_a_cause_become_a_fault(tmp_path: Path, closing: Kind, name: str, kind: str) -> None:
    source = simulated(scenario(tmp_path), 1)
    assert estimated(source).new == {}
    found = estimated(with_own_failures(source, closing, 20))
    assert found.new == {name: (kind, ["disk_io"])}
    own = next(each for each in found.parameters if each.key == f"faults.{name}.rate")
    assert own.taken is Taken.RUN
    assert own.estimate == pytest.approx(1 / 20, rel=0.15)
    assert own.value == own.estimate


# Service times.


def test_attempts_that_the_end_may_have_cut_off_are_left_out(tmp_path: Path) -> None:
    """A run that is cut while it is busy: short attempts have ended, long ones have not."""
    source = simulated(
        scenario(tmp_path, "workload.task.duration={distribution: exponential, mean: 5m}", "queue.workers=99"), 1
    )
    cut_s = 3600.0
    cut = replace(source, events=source.events.up_to(cut_s), ended_s=cut_s)
    part = part_of(cut)
    ended = part.all.went_well
    naive_s = float(part.all.ran_s[ended].mean())
    whole, kept = service_times(part_of(source), 1.0), service_times(part, 1.0)
    assert whole.left_out == 0
    assert kept.left_out > 100
    assert naive_s < 270
    assert len(kept.held_s) > 50
    assert float(kept.held_s.mean()) > naive_s + 10


def test_attempts_that_met_something_are_no_service_times(tmp_path: Path) -> None:
    source = simulated(scenario(tmp_path), 1)
    part = part_of(source)
    assert not (part.all.went_well & (part.all.closing_cause != NO_CAUSE)).any()
    assert part.all.went_well.sum() < 0.9 * len(part.all)


# Predictions are as unsure as the estimates.


def test_versions_of_the_model_differ_in_what_the_run_left_unsure(tmp_path: Path) -> None:
    source = simulated(scenario(tmp_path), 1)
    other = scenario(tmp_path, "faults.transient.rate=50%")
    found = estimated(replace(source, loaded=other))
    versions = uncertain(other.scenario, found.fitted, found.parameters)
    transient = next(each for each in found.parameters if each.key == "faults.transient.rate")
    assert transient.taken is Taken.RUN and transient.low is not None and transient.high is not None
    rates = np.array([version.faults[0].rate for version in versions])
    inside = (rates >= transient.low) & (rates <= transient.high)
    assert len(set(rates.tolist())) == len(versions) and 0.85 <= inside.mean() < 1.0
    polls = np.array([queue_of(version).poll_interval_s for version in versions])
    assert 0.01 < polls.std() < 0.2 and abs(polls.mean() - 1.0) < 0.05
    assert len({version.workload.service for version in versions}) > 50
    assert {version.faults[1].rate for version in versions} == {0.02}
    assert {version.workload.rate_per_s for version in versions} == {other.scenario.workload.rate_per_s}
