"""Tenants and phases: an objective counts the tasks it selects, and no others."""

import pytest
from histories import judge, objective, sli, tenants, verdict

PHASES = "phases: [{name: calm, at: 0s, for: 100s}, {name: rush, at: 100s, for: 100s}]\n"
BOTH = PHASES + tenants("A", "B")
HISTORY = """
0   enqueued 1 tenant=A
0   enqueued 2 tenant=B
1   dispatched 1
1   started 1
2   dispatched 2
2   started 2
10  ended 1
10  done 1
20  ended 2 error=bad
20  failed 2 error=bad
99  enqueued 3 tenant=A due=99
100 enqueued 4 tenant=A due=100
101 dispatched 3
101 started 3
102 dispatched 4
102 started 4
103 ended 3
103 done 3
140 ended 4
140 done 4
"""


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("success_rate{tenant=A}", 1.0),
        ("success_rate{tenant=B}", 0.0),
        ("success_rate{phase=calm}", 2 / 3),
        ("success_rate{phase=rush}", 1.0),
        ("success_rate{tenant=A, phase=calm}", 1.0),
        ("latency_max{tenant=A}", 40.0),
        ("latency_max{tenant=A, phase=calm}", 10.0),
        ("latency_mean{tenant=B}", 20.0),
        ("wait_max{phase=calm}", 2.0),
        ("state_transitions{tenant=B}", 2),
        ("duplicate_executions{tenant=A}", 0),
        ("illegal_transitions{phase=rush}", 0),
    ],
)
def test_a_selector_chooses_tasks(name: str, value: float) -> None:
    wanted = f"{name} >= 0{'%' if 'rate' in name else 's' if name.startswith(('lat', 'wait')) else ''}"
    assert objective(f'"{wanted}"', HISTORY, BOTH).value == pytest.approx(value, rel=0.005)


def test_a_task_belongs_to_the_phase_in_which_it_was_due() -> None:
    late = "120 enqueued 1 due=50\n121 dispatched 1\n130 done 1"
    assert objective('"latency_max{phase=calm} <= 1h"', late, PHASES).value == 80.0
    assert objective('"latency_max{phase=rush} <= 1h"', late, PHASES).status == "INCONCLUSIVE"


def test_a_phase_ends_before_its_end() -> None:
    history = "0 enqueued 1 due=%s\n200 dispatched 1\n210 done 1"
    assert objective('"latency_max{phase=rush} <= 1h"', history % 199.999999, PHASES).samples == 1
    assert objective('"latency_max{phase=rush} <= 1h"', history % 200, PHASES).samples == 0


def test_each_tenant_by_itself() -> None:
    result = verdict(HISTORY, f'slos: ["success_rate{{tenant=*}} >= 50%"]\n{BOTH}')
    assert [(each.labels, each.status) for each in result.objectives] == [
        ({"tenant": "A"}, "PASS"),
        ({"tenant": "B"}, "FAIL"),
    ]
    assert result.verdict == "FAIL"


@pytest.mark.parametrize(
    ("wanted", "target", "status"),
    [
        ("latency_max{tenant=A, phase=rush} <= 5x phase=calm", 50.0, "PASS"),
        ("latency_max{tenant=A, phase=rush} <= 3.9x phase=calm", 39.0, "FAIL"),
        ("latency_max{tenant=A} <= 2x tenant=B", 40.0, "PASS"),
        ("latency_max{phase=rush} <= 2x phase=calm", 40.0, "PASS"),
    ],
)
def test_an_objective_relative_to_other_labels(wanted: str, target: float, status: str) -> None:
    result = objective(f'"{wanted}"', HISTORY, BOTH)
    assert (result.target, result.status) == (pytest.approx(target), status)


def test_an_objective_relative_to_nothing_is_inconclusive() -> None:
    result = objective('"latency_max{tenant=A} <= 2x tenant=B"', HISTORY.replace("tenant=B", "tenant=A"), BOTH)
    assert result.status == "INCONCLUSIVE"
    assert result.target is None


@pytest.mark.parametrize("name", ["duplicate_executions", "illegal_transitions", "backoff_violations"])
def test_work_of_others_is_no_evidence(name: str) -> None:
    only_b = HISTORY.replace("tenant=A", "tenant=B") + "150 retry 4 due=150\n151 dispatched 4\n151 started 4\n"
    assert objective(f'"{name}{{tenant=B}} <= 9"', only_b, BOTH).status == "PASS"
    result = objective(f'"{name}{{tenant=A}} <= 9"', only_b, BOTH)
    assert (result.samples, result.status) == (0, "INCONCLUSIVE")


def test_observations_of_a_selector_are_its_own() -> None:
    assert objective('"duplicate_executions{tenant=A} == 0"', HISTORY, BOTH).samples == 3
    assert objective('"duplicate_executions{phase=rush} == 0"', HISTORY, BOTH).samples == 1


def test_a_duplicate_execution_belongs_to_the_tenant_of_its_task() -> None:
    overlap = HISTORY.replace("20  ended 2", "15  started 2 @2\n16  ended 2 @2\n20  ended 2")
    assert sli("duplicate_executions", overlap, BOTH) == 1
    assert objective('"duplicate_executions{tenant=A} == 0"', overlap, BOTH).status == "PASS"
    assert objective('"duplicate_executions{tenant=B} == 0"', overlap, BOTH).status == "FAIL"


def test_conditions_take_selectors() -> None:
    text = 'abort: [{name: b, when: "success_rate{tenant=%s} < 50%%"}]\n' + BOTH
    assert verdict(HISTORY, text % "B").aborts[0].held_at_s == 20.0
    assert verdict(HISTORY, text % "A").aborts[0].held_at_s is None


def test_duplicate_enqueues_have_a_tenant() -> None:
    skipped = "0 enqueued 1 tenant=A\n1 duplicate 1.2 tenant=A\n1 skipped 1.2 tenant=A"
    assert objective('"duplicate_block_rate{tenant=A} == 100%"', skipped, BOTH).value == 1.0
    assert objective('"duplicate_block_rate{tenant=B} == 100%"', skipped, BOTH).status == "INCONCLUSIVE"


@pytest.mark.parametrize("task", [1, 5000])
def test_a_task_whose_enqueue_was_lost_belongs_to_nobody(task: int) -> None:
    history = f"0 enqueued 7 tenant=B\n1 lost 3\n2 done {task}"
    assert objective('"success_rate{tenant=A} >= 0%"', history, BOTH).samples == 0
    assert sli("success_rate", history, BOTH) == 1.0


@pytest.mark.parametrize("cut", range(6))
def test_a_settled_task_keeps_its_tenant(cut: int) -> None:
    history = "0 enqueued 1 tenant=B\n1 dispatched 1\n1 started 1\n9 ended 1\n9 done 1\n20 started 1 @2"
    made = judge(history, f'slos: ["duplicate_executions{{tenant=*}} == 0"]\n{BOTH}', cuts=(cut,))
    of = {each: made.labels.selected((("tenant", each),)) for each in "AB"}
    values = {each: made.sli_value(made.scenario.slis["duplicate_executions"], numbers) for each, numbers in of.items()}
    assert values == {"A": 0, "B": 1}
