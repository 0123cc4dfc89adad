"""Delivery as a scenario may ask for it: leases that nothing renews, jitter, early acknowledgement, dead letters."""

from dataclasses import replace
from pathlib import Path

import pytest
from ensemble import FakeTime, added, got, types

from soak.systems.orchestrator.db_store import Store
from soak.systems.orchestrator.model import EventType, TaskState
from soak.systems.orchestrator.settings import Settings, SettingsError, settings_of
from soak.systems.orchestrator.waits import wait_s

KEYS = [str(number) for number in range(400)]


def test_the_settings_of_delivery_are_read() -> None:
    told = {"heartbeat_s": None, "max_deliveries": 3, "ack_early": True, "jitter": 0.5, "decorrelated": False}
    read = settings_of({"db": "q", **told})
    assert {name: getattr(read, name) for name in told} == told
    assert read.look_s == read.lease_s


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("jitter", 1.5, "a share from 0 to 1"),
        ("jitter", True, "a share from 0 to 1"),
        ("ack_early", 1, "true or false"),
        ("max_deliveries", 0, "a whole number, at least 1"),
        ("heartbeat_s", 0, "seconds, more than 0"),
    ],
)
def test_wrong_settings_of_delivery_are_refused(name: str, value: object, wanted: str) -> None:
    with pytest.raises(SettingsError, match=f"{name} must be {wanted}"):
        settings_of({"db": "q", name: value})


@pytest.mark.parametrize(("jitter", "lowest"), [(1.0, 0.0), (0.5, 5.0), (0.2, 8.0)])
def test_jitter_is_within_its_limits_and_the_same_again(jitter: float, lowest: float) -> None:
    settings = Settings("q", backoff_s=(10.0,), jitter=jitter)
    waits = [wait_s(settings, key, 2) for key in KEYS]
    assert lowest <= min(waits) < lowest + 0.1 * (10 - lowest)
    assert 10 - 0.1 * (10 - lowest) < max(waits) <= 10
    assert waits == [wait_s(settings, key, 2) for key in KEYS]
    assert waits != [wait_s(settings, key, 1) for key in KEYS]


def test_decorrelated_waits_grow_up_to_their_maximum() -> None:
    settings = Settings("q", backoff_s=(2.0, 4.0), backoff_max_s=20.0, decorrelated=True)
    first, fifth = ([wait_s(settings, key, attempt) for key in KEYS] for attempt in (1, 5))
    assert 2 <= min(first) < 2.2
    assert 5.8 < max(first) <= 6
    assert min(fifth) >= 2
    assert max(fifth) == 20
    for key, before in zip(KEYS, first, strict=True):
        assert wait_s(settings, key, 2) <= 3 * before


@pytest.fixture
def early(tmp_path: Path, settings: Settings, clock: FakeTime) -> Store:
    return Store(settings.db, replace(settings, ack_early=True, heartbeat_s=None))


def test_a_task_that_is_acknowledged_early_is_forgotten_with_its_worker(early: Store, clock: FakeTime) -> None:
    for key in "ab":
        added(early, key)
    early.register_worker("w0", 10)
    early.register_worker("w1", 11)
    early.assign("d0")
    clock.now += 10**6
    assert early.recover_expired() == 0
    early.register_worker("w0", 12)
    assert early.snapshot().counts[TaskState.IN_PROGRESS] == 1
    assert early.task(1) is None
    assert early.complete(2, "w1", 1)
    assert early.snapshot().counts == {state: int(state is TaskState.DONE) for state in TaskState}
    early.close()


def test_a_task_that_is_acknowledged_early_may_still_be_retried(early: Store) -> None:
    added(early)
    early.register_worker("w0", 10)
    early.assign("d0")
    assert early.fail(1, "w0", 1, "timeout", transient=True)
    assert got(early, 1).state is TaskState.PENDING
    early.close()


def test_after_its_last_delivery_a_task_is_dead_lettered(settings: Settings, clock: FakeTime) -> None:
    with Store(settings.db, replace(settings, max_deliveries=2)) as store:
        added(store)
        store.claim("w0")
        clock.now += 31
        assert store.recover_expired() == 1
        store.claim("w0")
        clock.now += 31
        assert store.recover_expired() == 1
        assert got(store, 1).state is TaskState.FAILED
        assert types(store)[-3:] == [EventType.EXPIRED, EventType.DEAD_LETTERED, EventType.FAILED]


@pytest.mark.parametrize("transient", [True, False])
def test_a_permanent_error_is_no_dead_letter(settings: Settings, clock: FakeTime, transient: bool) -> None:
    with Store(settings.db, replace(settings, max_deliveries=1)) as store:
        added(store)
        store.claim("w0")
        store.fail(1, "w0", 1, "boom", transient=transient)
        assert (EventType.DEAD_LETTERED in types(store)) is transient
        assert got(store, 1).state is TaskState.FAILED
