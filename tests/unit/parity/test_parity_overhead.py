"""What a busy machine adds is told apart from what a system does otherwise, under the same load."""

import numpy as np
import pytest
from histories import block_of
from planted import pairs

from soak.runner.parity.figures import Measure, latency_figures, task_figures
from soak.runner.parity.outcomes import Outcomes
from soak.runner.parity.overhead import HostOverhead, explained
from soak.schemas.evidence.parity import Agreement, Figure

TASKS = 100
LATE = 4.0
"""How late a busy machine submits a tenth of the tasks, in seconds; the others half as late."""


def task(number: int, *, late: float = 0.0, wait: float = 0.0, start: float = 0.0, body: float = 0.0) -> list[str]:
    """One task: due, submitted `late`, dispatched 1 s and `wait` after that, with a body of 8 s."""
    due = 100.0 * number
    dispatched = due + late + 1 + wait
    started = dispatched + start
    ended = started + 8 + body
    return [
        f"{due + late:.2f} enqueued {number} due={due:.2f}",
        f"{dispatched:.2f} dispatched {number} w0",
        f"{started:.2f} started {number} w0 @1",
        f"{ended:.2f} ended {number} w0 @1",
        f"{ended:.2f} done {number} w0",
    ]


def history(**added: float) -> str:
    busy = added.pop("busy", 0.0)
    lines = [
        line
        for number in range(1, TASKS + 1)
        for line in task(number, late=busy if number % 10 == 0 else busy / 2, **added)
    ]
    return "\n".join(lines) + "\n"


def figures(base: str, run: str) -> dict[str, Figure]:
    both, measure = pairs(base, run, 4 * TASKS), Measure(1.0)
    found = [*task_figures(both, measure), *latency_figures(both.latencies(), measure)]
    return {each.name: each for each in explained(found, HostOverhead.of(both), measure.overhead_s)}


def statuses(base: str, run: str) -> set[Agreement]:
    compared = (each.status for name, each in figures(base, run).items() if name != "latency_distance")
    return set(compared)


def test_late_submissions_explain_later_ends() -> None:
    found = figures(history(), history(busy=LATE))
    assert {found[f"task_latency_p{q}"].status for q in (50, 90, 95, 99)} == {Agreement.EXPLAINED}
    assert found["task_latency_p95"].difference == pytest.approx(LATE)
    assert found["task_latency_p95"].detail == "4s of it explained by this host's overhead"
    assert found["latency_distance_beyond_overhead"].status is Agreement.EXPLAINED
    assert found["latency_paired_median"].status is Agreement.EXPLAINED
    assert found["tasks_in_other_state"].status is Agreement.AGREES


def test_a_busy_machine_dispatches_starts_and_runs_bodies_late() -> None:
    run = history(busy=LATE, wait=2 * LATE, start=LATE, body=LATE)
    assert statuses(history(), run) == {Agreement.AGREES, Agreement.EXPLAINED}


@pytest.mark.parametrize(
    "own", [{"wait": 2 * LATE + 2}, {"start": LATE + 2}, {"body": LATE + 2}, {"wait": 60.0}], ids=str
)
def test_what_the_machine_does_not_explain_is_a_difference_under_the_same_load(own: dict[str, float]) -> None:
    assert Agreement.DIFFERS in statuses(history(), history(busy=LATE, **own))


@pytest.mark.parametrize("own", [{"wait": 2.0}, {"start": 2.0}, {"body": 2.0}], ids=str)
def test_a_machine_that_is_not_late_explains_nothing(own: dict[str, float]) -> None:
    assert Agreement.EXPLAINED not in statuses(history(), history(**own))
    assert Agreement.DIFFERS in statuses(history(), history(**own))


def test_no_machine_makes_tasks_shorter() -> None:
    assert Agreement.DIFFERS in statuses(history(body=9), history(busy=0.1))


def test_a_lost_task_and_another_end_are_never_explained() -> None:
    run = "".join(line + "\n" for line in history(busy=LATE).splitlines() if line.split()[1:3] != ["done", "7"])
    assert figures(history(), run.replace("done 9 ", "failed 9 "))["tasks_in_other_state"].status is Agreement.DIFFERS


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_overheads_add_up_wherever_blocks_end(size: int) -> None:
    whole, outcomes = block_of(history(busy=LATE, start=0.5, body=0.25)), Outcomes(4 * TASKS)
    for first in range(0, len(whole), size):
        outcomes.observe(whole.take(slice(first, first + size)))
    numbers = 2 * np.arange(1, TASKS + 1)
    assert set(outcomes.lag_s[numbers].tolist()) == {LATE, LATE / 2}
    assert set(outcomes.starting_s[numbers].tolist()) == {0.5}
    assert set(outcomes.ran_s[numbers].tolist()) == {8.25}
    assert set(outcomes.closing_s[numbers].tolist()) == {0.0}


def test_deferred_work_was_submitted_when_it_was_deferred() -> None:
    outcomes = Outcomes(10)
    outcomes.observe(block_of("3 deferred 2 due=2\n12 enqueued 2 due=2\n14 enqueued 3 due=14\n"))
    assert outcomes.lag_s[[4, 6]].tolist() == [1.0, 0.0]
