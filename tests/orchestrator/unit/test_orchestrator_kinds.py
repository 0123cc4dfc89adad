"""Kinds of tasks in the store: priorities, queues with workers of their own, rates, retries and budgets."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from ensemble import FakeTime

from soak.systems.orchestrator import kinds
from soak.systems.orchestrator.body import Result
from soak.systems.orchestrator.db_store import Store
from soak.systems.orchestrator.enforce_guardrails import finish
from soak.systems.orchestrator.model import TaskState
from soak.systems.orchestrator.settings import Settings, SettingsError, settings_of
from soak.systems.orchestrator.waits import wait_s

KINDS = {
    "thumbnail": {"priority": 5, "queue": "fast"},
    "preview": {"priority": 0, "queue": "fast"},
    "video": {"priority": 0, "queue": "slow", "max_attempts": 1, "backoff_s": (7.0,), "hard_tokens": 500},
}
QUEUES = {
    "fast": {"workers": ["w0"]},
    "slow": {"workers": ["w1", "w2", "w3"], "rate_per_s": 0.5, "at_once": 1.5},
}


@pytest.fixture
def own(settings: Settings, clock: FakeTime, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setattr(kinds, "time", clock)
    with Store(settings.db, replace(settings, kinds=KINDS, queues=QUEUES)) as opened:
        for number in range(4):
            opened.register_worker(f"w{number}", number + 1)
        yield opened


def assigned(store: Store) -> list[tuple[str, str]]:
    """Workers and the keys of the tasks that they were given."""
    found = [(each.worker, store.task(each.task_id)) for each in store.assign("d0")]
    return [(worker, task.key) for worker, task in found if task]


def test_a_higher_priority_goes_first_and_workers_take_their_queue_only(own: Store) -> None:
    for key, kind in (("a", "preview"), ("b", "preview"), ("c", "thumbnail"), ("d", "video")):
        own.enqueue(key, kind=kind)
    # Two more workers are idle, and take nothing of the other queue.
    assert assigned(own) == [("w0", "c"), ("w1", "d")]
    task = own.assignment("w0")
    assert task
    assert own.complete(task.id, "w0", task.attempt)
    assert assigned(own) == [("w0", "a")]


def test_no_more_is_dispatched_than_the_rate_allows(own: Store, clock: FakeTime) -> None:
    for number in range(12):
        own.enqueue(str(number), kind="video")
    times = []
    for _ in range(24):
        for worker, _key in assigned(own):
            times.append(clock.now)
            task = own.assignment(worker)
            assert task
            own.complete(task.id, worker, task.attempt)
        clock.now += 0.5
    first = times[0]
    assert [each - first for each in times] == [0.0, 1.0, 3.0, 5.0, 7.0, 9.0, 11.0]


def test_a_kind_has_attempts_backoff_and_budget_of_its_own(own: Store, clock: FakeTime) -> None:
    own.enqueue("a", kind="video")
    own.enqueue("b", kind="preview")
    assigned(own)
    video, preview = own.assignment("w1"), own.assignment("w0")
    assert video
    assert preview
    assert own.fail(video.id, "w1", 1, "network", transient=True)
    assert own.fail(preview.id, "w0", 1, "network", transient=True)
    found = [own.task(each.id) for each in (video, preview)]
    assert [each.state for each in found if each] == [TaskState.FAILED, TaskState.PENDING]
    assert wait_s(own.settings_for(video.id), "7", 1) == 7.0
    clock.now += 60.0
    own.enqueue("c", kind="video")
    assert sorted(assigned(own)) == [("w0", "b"), ("w1", "c")]
    for worker, state in (("w0", TaskState.BLOCKED), ("w1", TaskState.DONE)):
        task = own.assignment(worker)
        assert task
        finish(own, task, worker, Result(tokens=400))
        after = own.task(task.id)
        assert after
        assert after.state is state


def test_wrong_tables_are_refused() -> None:
    with pytest.raises(SettingsError, match="kinds must be an object of objects"):
        settings_of({"db": "queue.db", "kinds": ["video"]})
