"""Delivery as others do it, through scenarios: visibility timeouts, jitter, early acknowledgement, dead letters."""

import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from soak.runner.api import simulate_scenario
from soak.runner.cautions import cautions
from soak.schemas.language.distributions import Constant, Distribution, Empirical, Exponential, LogNormal, Uniform
from soak.schemas.language.load import load
from soak.schemas.language.model import Scenario
from soak.schemas.stream.block import Block, Floats, merge
from soak.schemas.stream.events import Kind
from soak.schemas.systems.queue.settings import queue_of
from soak.simulation.distributions import spread
from soak.simulation.plan import Plan
from soak.simulation.queue.delivery import delivery_figures, share_above
from soak.simulation.queue.forecast import forecast_queue
from soak.simulation.queue.waits import mean_waits
from soak.simulation.run import simulate

SCENARIO = """\
version: 1
name: delivery
system: queue
duration: {duration}
drain: 24h
seed: 20
workload:
  arrivals: {{process: constant, rate: {rate}}}
  task: {{duration: {service}}}
queue:
  poll_interval: 0s
  {queue}
faults: [{faults}]
telemetry: {{sample_interval: 1h}}
"""
TEN = "{distribution: exponential, mean: 10s}"
TIMEOUT = "lease: {duration: 15s, heartbeat: none}"
MISSED = math.exp(-15 / 10)
"""The probability that an attempt takes longer than the visibility timeout."""

Z_999 = 3.291
"""99.9 % of a normal distribution lie within so many standard deviations of the mean."""


def scenario(
    tmp_path: Path,
    queue: str,
    *,
    faults: str = "",
    service: str = TEN,
    rate: str = "1/s",
    duration: str = "4000s",
) -> Scenario:
    path = tmp_path / "delivery.yaml"
    text = SCENARIO.format(
        duration=duration, rate=rate, service=service, queue=queue.replace("; ", "\n  "), faults=faults
    )
    path.write_text(text, encoding="utf-8")
    return load(path).scenario


def simulated(made: Scenario) -> Block:
    return merge(list(simulate(Plan(made))))


def within(observed: float, mean: float, deviation: float, count: int) -> bool:
    """Whether the mean of `count` observations is within the 99.9 % interval around the expectation."""
    return abs(observed - mean) <= Z_999 * deviation / math.sqrt(count)


# Visibility timeouts: each delivery of a task outlasts the timeout with probability exp(-mu v), independently of those before.


def test_deliveries_of_a_visibility_timeout_are_geometric(tmp_path: Path) -> None:
    block = simulated(
        scenario(tmp_path, f"workers: 400; watchdog_interval: 1ms; retry: {{max_attempts: 100}}; {TIMEOUT}")
    )
    deliveries = np.array(list(Counter(block.task[block.kind == Kind.TASK_DISPATCHED].tolist()).values()))
    count = len(deliveries)
    mean, deviation = 1 / (1 - MISSED), math.sqrt(MISSED) / (1 - MISSED)
    assert count == 4_000
    assert within(deliveries.mean(), mean, deviation, count)
    for more in (1, 2, 3):
        share = MISSED**more
        assert within((deliveries > more).mean(), share, math.sqrt(share * (1 - share)), count)
    done = int((block.kind == Kind.TASK_DONE).sum())
    assert done == count
    expired = int((block.kind == Kind.LEASE_EXPIRED).sum())
    assert expired == deliveries.sum() - count
    # The run may end before the last of those that lost their lease.
    assert expired - 10 <= (block.kind == Kind.LEASE_REFUSED).sum() <= expired


def test_what_outlasts_its_timeout_every_time_is_failed_in_the_end(tmp_path: Path) -> None:
    block = simulated(
        scenario(tmp_path, f"workers: 400; watchdog_interval: 1ms; retry: {{max_attempts: 2}}; {TIMEOUT}")
    )
    failed = int((block.kind == Kind.TASK_FAILED).sum())
    share = MISSED**2
    assert within(failed / 4_000, share, math.sqrt(share * (1 - share)), 4_000)


def test_the_forecast_knows_the_deliveries_and_the_load_of_a_visibility_timeout(tmp_path: Path) -> None:
    made = scenario(tmp_path, f"workers: 400; watchdog_interval: 1ms; retry: {{max_attempts: 3}}; {TIMEOUT}")
    forecast = forecast_queue(Plan(made))
    expected = (1 - MISSED**3) / (1 - MISSED)
    assert forecast.attempts_per_task == pytest.approx(expected, rel=1e-3)
    # A worker is held for as long as its attempt takes, whatever became of the lease.
    assert forecast.mean_load == pytest.approx(expected * 10, rel=1e-3)


def test_the_watchdog_finds_a_timeout_in_its_next_round(tmp_path: Path) -> None:
    service = "{distribution: constant, value: 21s}"
    block = simulated(scenario(tmp_path, f"workers: 400; watchdog_interval: 10s; {TIMEOUT}", service=service))
    expired, started = block.kind == Kind.LEASE_EXPIRED, block.kind == Kind.TASK_DISPATCHED
    assert set((block.t[expired] % 10).tolist()) == {0.0}
    starts = dict(zip(zip(block.task[started], block.attempt[started], strict=True), block.t[started], strict=True))
    at_once = [starts[key] for key in zip(block.task[expired], block.attempt[expired], strict=True)]
    lasted = block.t[expired] - np.array(at_once)
    assert lasted.min() >= 15
    assert lasted.max() < 21
    # Of ten first attempts, one a second, six have the next round but one within 21 s; what starts with a round always has.
    assert len(lasted) == 0.6 * 4 * 4_000
    assert started.sum() == (0.6 * 4 + 0.4) * 4_000


def test_what_outlasts_its_timeout_is_delivered_again_for_that_alone(tmp_path: Path) -> None:
    plan = Plan(scenario(tmp_path, f"workers: 400; watchdog_interval: 1ms; {TIMEOUT}", faults=FAILS))
    block = merge(list(simulate(plan)))
    errors = np.array([cause.error for cause in plan.vocabulary.causes])[block.cause]
    assert set(errors[block.kind == Kind.LEASE_EXPIRED]) == {"lease_expired"}
    assert set(errors[block.kind == Kind.TASK_RETRY]) == {"lease_expired", "transient_error"}


def test_a_fault_is_expected_to_show_in_what_comes_in_time(tmp_path: Path) -> None:
    half = FAILS.replace("100%", "50%")
    scenario(tmp_path, f"workers: 400; watchdog_interval: 1ms; {TIMEOUT}", faults=half, duration="1000s")
    verdict, _ = simulate_scenario(tmp_path / "delivery.yaml")
    (fault,) = verdict.faults
    assert fault.status == "PASS"
    # An attempt is as likely to be seen to fail as it is to be struck and to take no longer than the timeout.
    assert fault.expected == pytest.approx(fault.injected * (1 - MISSED), rel=0.1)
    assert fault.seen == pytest.approx(fault.expected, rel=0.1)


# Backoff and jitter.

FAILS = "{name: fails, type: transient_error, rate: 100%}"
AT_ONCE = "{distribution: constant, value: 0s}"


def waits(tmp_path: Path, retry: str, *, workers: int = 50) -> dict[int, Floats]:
    """The waits after each attempt, by its number; every attempt fails."""
    made = scenario(tmp_path, f"workers: {workers}; retry: {{max_attempts: 5, {retry}}}", faults=FAILS, service=AT_ONCE)
    block = simulated(made)
    again = block.kind == Kind.TASK_RETRY
    waited = (block.value - block.t)[again]
    return {attempt: waited[block.attempt[again] == attempt] for attempt in range(1, 5)}


@pytest.mark.parametrize(
    ("jitter", "lowest", "deviation"), [("full", 0.0, 1.0), ("equal", 0.5, 0.5), ("20%", 0.8, 0.2), ("none", 1.0, 0.0)]
)
@pytest.mark.parametrize("backoff", ["{initial: 2s, factor: 3, max: 30s}", "[2s, 6s, 18s, 30s]"])
def test_jitter_is_uniform_between_its_limits(
    tmp_path: Path, backoff: str, jitter: str, lowest: float, deviation: float
) -> None:
    found = waits(tmp_path, f"backoff: {backoff}, jitter: {jitter}")
    made = scenario(tmp_path, f"retry: {{max_attempts: 5, backoff: {backoff}, jitter: {jitter}}}")
    expected = mean_waits(queue_of(made).backoff, 4)
    for attempt, full_s in enumerate((2.0, 6.0, 18.0, 30.0), start=1):
        waited = found[attempt]
        assert len(waited) == 4_000
        assert full_s * lowest - 1e-6 <= waited.min()
        assert waited.max() <= full_s + 1e-6
        middle, spread = full_s * (1 + lowest) / 2, full_s * deviation / math.sqrt(12)
        assert within(waited.mean(), middle, spread + 1e-6, len(waited))
        assert expected[attempt - 1] == pytest.approx(middle)


def test_decorrelated_waits_follow_each_other(tmp_path: Path) -> None:
    found = waits(tmp_path, "backoff: {initial: 1s, max: 1h}, jitter: decorrelated")
    before, mean = np.ones(4_000), 1.0
    for waited in found.values():
        # In the order of tasks: the events of each attempt come in that of their times.
        assert waited.min() >= 1.0
        mean = (1 + 3 * mean) / 2
        assert within(waited.mean(), mean, float(waited.std()), len(waited))
        assert waited.max() <= 3 * before.max() + 1e-6
        before = waited


def test_the_maximum_cuts_decorrelated_waits_off(tmp_path: Path) -> None:
    made = scenario(tmp_path, "retry: {max_attempts: 5, backoff: {initial: 1s, max: 5s}, jitter: decorrelated}")
    found = waits(tmp_path, "backoff: {initial: 1s, max: 5s}, jitter: decorrelated")
    for waited, mean in zip(found.values(), mean_waits(queue_of(made).backoff, 4), strict=True):
        assert waited.max() <= 5 + 1e-6
        assert within(waited.mean(), mean, float(waited.std()), len(waited))


def test_jitter_is_drawn_by_address(tmp_path: Path) -> None:
    retry = "backoff: {initial: 1s, max: 5s}, jitter: decorrelated"
    many, one = waits(tmp_path, retry), waits(tmp_path, retry, workers=1)
    for attempt in many:
        # Of four thousand tasks in other orders: the same waits.
        assert np.allclose(np.sort(many[attempt]), np.sort(one[attempt]), atol=2e-6)


# Acknowledgement when a task is handed out.


def test_with_early_acknowledgement_a_crash_loses_its_task(tmp_path: Path) -> None:
    crash = "{name: crash, type: worker_crash, rate: 5%}"
    block = simulated(
        scenario(tmp_path, "workers: 400; ack: early; lease: {duration: 11s, heartbeat: 10s}", faults=crash)
    )
    lost, count = int((block.kind == Kind.TASK_LOST).sum()), 4_000
    assert within(lost / count, 0.05, math.sqrt(0.05 * 0.95), count)
    assert (block.kind == Kind.TASK_DISPATCHED).sum() == count
    assert (block.kind == Kind.TASK_DONE).sum() == count - lost
    assert block.value[block.kind == Kind.CENSUS_DONE] == count - lost
    assert sum(block.value[block.kind == kind] for kind in (Kind.CENSUS_PENDING, Kind.CENSUS_IN_PROGRESS)) == 0
    assert not (block.kind == Kind.LEASE_EXPIRED).any()


def test_the_forecast_does_not_retry_what_is_lost(tmp_path: Path) -> None:
    crash = "{name: crash, type: worker_crash, rate: 50%}"
    assert forecast_queue(Plan(scenario(tmp_path, "ack: early", faults=crash))).attempts_per_task == pytest.approx(1)


# Redelivery limits.


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_after_its_last_delivery_a_task_is_dead_lettered(tmp_path: Path, limit: int) -> None:
    block = simulated(
        scenario(tmp_path, f"max_deliveries: {limit}; retry: {{backoff: [1s]}}", faults=FAILS, service=AT_ONCE)
    )
    dead, failed = block.kind == Kind.TASK_DEAD_LETTERED, block.kind == Kind.TASK_FAILED
    assert dead.sum() == failed.sum() == 4_000
    assert set(block.attempt[dead].tolist()) == {limit}
    # What is FAILED for good at once is not dead-lettered.
    fatal = "{name: fails, type: permanent_error, rate: 100%}"
    block = simulated(scenario(tmp_path, f"max_deliveries: {limit}", faults=fatal, service=AT_ONCE))
    assert not (block.kind == Kind.TASK_DEAD_LETTERED).any()


def test_a_poison_message_is_dead_lettered_by_its_timeouts(tmp_path: Path) -> None:
    queue = f"workers: 400; max_deliveries: 3; watchdog_interval: 1ms; {TIMEOUT}"
    block = simulated(scenario(tmp_path, queue, service="{distribution: constant, value: 16s}"))
    assert (block.kind == Kind.TASK_DEAD_LETTERED).sum() == 4_000
    assert (block.kind == Kind.TASK_DISPATCHED).sum() == 3 * 4_000
    assert not (block.kind == Kind.TASK_DONE).any()


# What a plan says.


@pytest.mark.parametrize(
    "distribution",
    [
        Constant(3.0),
        Exponential(3.0),
        Uniform(1.0, 6.0),
        Uniform(3.0, 3.0),
        LogNormal(2.0, 9.0),
        LogNormal(2.0, 2.0),
        Empirical("", (1.0, 2.0, 3.0, 7.0)),
    ],
)
def test_the_share_above_a_limit_is_that_of_the_distribution(distribution: Distribution) -> None:
    for limit_s in (0.5, 2.0, 3.0, 8.0):
        share = float((spread(distribution, 20_000) > limit_s).mean())
        assert share_above(distribution, limit_s) == pytest.approx(share, abs=1e-4)


def warnings(tmp_path: Path, queue: str, **more: str) -> list[str]:
    slos = more.pop("slos", "success_rate >= 0%")
    scenario(tmp_path, queue, **more)
    path = tmp_path / "delivery.yaml"
    path.write_text(f"{path.read_text()}slos: [{slos}]\n")
    return [str(each).partition(".yaml:")[2].partition(" ")[2] for each in cautions(load(path))]


def test_a_timeout_that_many_attempts_outlast_is_warned_of(tmp_path: Path) -> None:
    assert warnings(tmp_path, TIMEOUT) == [
        "queue.lease.duration: 22.3% of attempts take longer than the visibility timeout of 15s, and are delivered again "
        "meanwhile (write a longer one, or a heartbeat)"
    ]
    (every,) = warnings(tmp_path, TIMEOUT, service="{distribution: constant, value: 16s}")
    assert every.startswith(
        "queue.lease.duration: every attempt takes longer than the visibility timeout of 15s: no task can"
    )
    assert warnings(tmp_path, "lease: {duration: 1m, heartbeat: none}") == []
    assert warnings(tmp_path, "lease: {duration: 15s, heartbeat: 5s}") == []


def test_attempts_that_a_redelivery_limit_leaves_out_are_warned_of(tmp_path: Path) -> None:
    assert warnings(tmp_path, "max_deliveries: 3; retry: {max_attempts: 5}") == [
        "queue.retry.max_attempts: 5 attempts are never made: a task is dead-lettered after 3 deliveries "
        "(write 3, or raise max_deliveries)"
    ]
    assert warnings(tmp_path, "max_deliveries: 3; retry: {max_attempts: 3}") == []
    # Nobody wrote the default.
    assert warnings(tmp_path, "max_deliveries: 3") == []


def test_losses_that_an_objective_does_not_allow_are_warned_of(tmp_path: Path) -> None:
    crash = "{name: crash, type: worker_crash, rate: 1%}"
    assert warnings(tmp_path, "ack: early", faults=crash, slos="lost_tasks <= 10") == [
        "slos: lost_tasks <= 10: about 40 tasks are lost with their workers (ack: early): it will be FAIL "
        "(raise the target, or write ack: late)"
    ]
    assert warnings(tmp_path, "ack: early", faults=crash, slos="lost_tasks <= 40") == []
    at_a_time = "1/h, scheduled: [{name: nightly, at: 30m, count: 4000}]"
    (said,) = warnings(tmp_path, "ack: early", faults=crash, slos="lost_tasks <= 10", rate=at_a_time)
    assert "about 40 tasks are lost with their workers" in said
    assert warnings(tmp_path, "ack: late", faults=crash, slos="lost_tasks == 0") == []
    assert warnings(tmp_path, "ack: early", slos="lost_tasks == 0") == []


CLOSED = """\
version: 1
name: closed
system: queue
duration: 1h
workload:
  users: {{count: 20, think: {{distribution: exponential, mean: 5s}}{timeout}}}
  task: {{duration: {{distribution: exponential, mean: 5s}}}}
queue: {{workers: 20, ack: early}}
faults: [{{name: crash, type: worker_crash, rate: 1%}}]
slos: [lost_tasks <= 1000]
"""


def test_a_user_whose_task_is_lost_waits_until_a_timeout(tmp_path: Path) -> None:
    path, submitted = tmp_path / "closed.yaml", []
    for timeout, warned in (
        ("", ["a user whose task is lost with its worker (ack: early) waits for ever"]),
        (", timeout: 1m", []),
    ):
        path.write_text(CLOSED.format(timeout=timeout))
        assert [each.what for each in cautions(load(path))] == warned
        block = simulated(load(path).scenario)
        submitted.append(int((block.kind == Kind.TASK_ENQUEUED).sum()))
    # Of twenty users each is stopped by its first lost task; of those who give up after a minute, none.
    assert submitted[0] < 20 * 100 * 3
    assert submitted[1] > 5_000


def test_kinds_of_work_have_backoffs_of_their_own(tmp_path: Path) -> None:
    scenario(tmp_path, "workers: 50; retry: {max_attempts: 3, backoff: [8s]}", faults=FAILS, service=AT_ONCE)
    path = tmp_path / "delivery.yaml"
    own = "{name: own, share: 50%, retry: {max_attempts: 2, backoff: {initial: 2s, max: 2s}, jitter: equal}}"
    kinds = f"workload:\n  kinds: [{{name: usual, share: 50%}}, {own}]\n"
    path.write_text(path.read_text().replace("workload:\n", kinds))
    block = simulated(load(path).scenario)
    again = block.kind == Kind.TASK_RETRY
    waited = (block.value - block.t)[again]
    usual = waited > 5
    assert np.allclose(waited[usual], 8, atol=1e-5)
    assert ((waited[~usual] >= 1 - 1e-5) & (waited[~usual] <= 2 + 1e-5)).all()
    # Two retries of each of one half, one of the other.
    assert usual.mean() == pytest.approx(2 / 3, abs=0.03)
    verdict, _ = simulate_scenario(path)
    assert (verdict.slis["backoff_violations"], verdict.slis["excess_attempts"]) == (0, 0)


def test_the_plan_says_how_tasks_are_delivered(tmp_path: Path) -> None:
    made = scenario(tmp_path, f"{TIMEOUT}; max_deliveries: 3")
    words = "visibility timeout 15s, outlasted by 22.3% of attempts; dead-lettered after 3 deliveries"
    assert delivery_figures(made) == [f"  delivery    {words}"]
    assert forecast_queue(Plan(made)).outlasting == pytest.approx(MISSED)
    assert delivery_figures(scenario(tmp_path, "workers: 4")) == []
