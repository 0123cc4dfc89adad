"""A few seconds of real processes under faults: nothing is lost, nothing runs twice, the store is in order."""

import pytest
from ensemble import Ensemble, got

from soak.systems.orchestrator.model import Skipped, TaskState

TASKS = 200


def load(ensemble: Ensemble, number: int) -> int:
    """One task in ten fails once, one in twenty always, one in twenty is over its budget."""
    errors = {"1": "timeout"} if number % 10 == 1 else {}
    if number % 20 == 2:
        errors = {"1": "timeout", "2": "timeout", "3": "timeout"}
    return ensemble.enqueue(str(number), sleep_s=0.005, errors=errors, tokens=101 if number % 20 == 3 else 1)


@pytest.mark.parametrize("dispatchers", [1, 3])
def test_nothing_is_lost_and_nothing_runs_twice(ensemble: Ensemble, dispatchers: int) -> None:
    ensemble.start_all(dispatchers=dispatchers, workers=4)
    ids = [load(ensemble, number) for number in range(TASKS)]
    # Keys that end DONE: one that had failed by now could come again.
    again = [ensemble.store.enqueue(str(number)) for number in range(0, TASKS, 20)]
    assert again == [Skipped(task_id) for task_id in ids[::20]]
    ensemble.until_quiet()
    counts = ensemble.store.snapshot().counts
    assert counts[TaskState.FAILED] == TASKS // 20
    assert counts[TaskState.BLOCKED] == TASKS // 20
    assert counts[TaskState.DONE] == TASKS - 2 * (TASKS // 20)
    assert ensemble.overlapping() == []
    assert ensemble.store.consistency_check() == []


def test_workers_are_killed_all_the_time(ensemble: Ensemble) -> None:
    ensemble.start_all(workers=4)
    ids = [ensemble.enqueue(str(number), sleep_s=0.02) for number in range(100)]
    for round_ in range(6):
        _until_more_is_executed(ensemble)
        name = f"w{round_ % 4}"
        ensemble.kill(name)
        ensemble.start("worker", name)
    ensemble.until_quiet()
    states = [got(ensemble.store, task_id).state for task_id in ids]
    assert len(states) == 100
    assert set(states) <= {TaskState.DONE, TaskState.FAILED}
    ended = {task for what, task, *_rest in ensemble.executions() if what == "ended"}
    assert ended >= {str(task_id) for task_id, state in zip(ids, states, strict=True) if state is TaskState.DONE}
    ensemble.until(lambda: ensemble.store.consistency_check() == [])


def _until_more_is_executed(ensemble: Ensemble) -> None:
    enough = len(ensemble.executions()) + 10
    ensemble.until(lambda: len(ensemble.executions()) > enough or not ensemble.store.tasks(TaskState.PENDING))
