"""Success rate, quantiles, retries and errors."""

import pytest
from ensemble import FakeTime, added, claimed, put_into

from soak.systems.orchestrator.db_store import Store
from soak.systems.orchestrator.metrics_aggregate import aggregate, quantile, success_rate
from soak.systems.orchestrator.model import TaskState


@pytest.mark.parametrize(("done", "failed", "rate"), [(0, 0, None), (1, 0, 1.0), (0, 1, 0.0), (97, 3, 0.97)])
def test_the_success_rate(done: int, failed: int, rate: float | None) -> None:
    assert success_rate(done, failed) == rate


@pytest.mark.parametrize(
    ("values", "share", "value"),
    [([], 0.5, None), ([3.0], 0.95, 3.0), ([1.0, 2.0], 0.5, 1.0), (list(range(1, 101)), 0.95, 95), ([1, 2, 3], 1.0, 3)],
)
def test_a_quantile_is_of_the_nearest_rank(values: list[float], share: float, value: float | None) -> None:
    assert quantile(values, share) == value


def test_the_figures_of_a_store(store: Store, clock: FakeTime) -> None:
    added(store, "slow")
    clock.now += 4
    task = claimed(store)
    store.fail(task.id, "w0", 1, "timeout", transient=True)
    clock.now += 60
    store.complete(claimed(store).id, "w0", 2)
    for state in (TaskState.FAILED, TaskState.BLOCKED, TaskState.CANCELLED):
        put_into(store, state, state)
    store.enqueue("slow")
    found = aggregate(store)
    assert (found.success_rate, found.latency_p50_s, found.latency_p95_s) == (0.5, 0.0, 64.0)
    assert (found.retries, found.skipped, found.refused) == (1, 1, 0)
    assert found.errors == {"guardrail_exceed": 1, "broken": 1, "timeout": 1}
