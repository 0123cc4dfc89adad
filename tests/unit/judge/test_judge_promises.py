"""What a target does not promise is not demanded of it, and not passed over in silence."""

import pytest
from histories import foreign, verdict

from soak.runner.junit import verdict_cases
from soak.schemas.evidence.verdict import Outcome, Status

DONE = """
0 enqueued 1
1 dispatched 1
1 started 1
2 ended 1
2 done 1
"""
TWICE = f"""{DONE}
3 started 1 @2
4 ended 1 @2
"""
SLOS = "slos: [success_rate >= 50%, duplicate_executions == 0]\n"


def test_an_objective_on_what_nobody_promises_does_not_apply() -> None:
    made = verdict(TWICE, SLOS, identity=foreign("at_least_once"))
    objective = made.objectives[1]
    assert (objective.status, objective.value) == (Status.NOT_APPLICABLE, 1.0)
    assert objective.detail == "not applicable: nobody promises exactly_once_effect"
    assert made.verdict is Outcome.PASS
    assert made.explanation == []


@pytest.mark.parametrize("identity", [foreign("exactly_once_effect"), None])
def test_one_on_what_is_promised_does(identity: object) -> None:
    made = verdict(TWICE, SLOS, identity=identity)  # type: ignore[arg-type]
    assert (made.objectives[1].status, made.verdict) == (Status.FAIL, Outcome.FAIL)


@pytest.mark.parametrize(
    ("objective", "needed"),
    [
        ("lost_tasks == 0", "at_least_once or exactly_once_effect"),
        ("redelivery_time_p95 <= 60s", "at_least_once or exactly_once_effect"),
        ("duplicate_block_rate >= 99%", "idempotent_keys"),
        ("lease_recovery_rate >= 99%", "leases"),
        ("lease_contentions == 0", "leases"),
        ("guardrail_unblocked == 0", "guardrail"),
        ("backoff_violations == 0", "backoff"),
        ("excess_attempts == 0", "retries"),
        ("recovery_rate >= 50%", "retries"),
    ],
)
def test_what_each_indicator_needs(objective: str, needed: str) -> None:
    made = verdict(DONE, f"slos: [{objective}, success_rate >= 50%]", identity=foreign())
    assert made.objectives[0].detail == f"not applicable: nobody promises {needed}"
    assert [each.objective for each in made.objectives] == [objective, "success_rate >= 50%"]
    assert made.verdict is Outcome.PASS


def test_without_an_objective_that_applies_there_is_no_verdict() -> None:
    made = verdict(DONE, "slos: [duplicate_executions == 0]", identity=foreign())
    assert made.verdict is Outcome.INCONCLUSIVE
    assert made.reasons == ["no objective applies to what the target promises"]


ALERTS = """
slos: [success_rate >= 0%]
abort: [{name: twice, when: duplicate_executions > 0}]
alerts:
  - {name: again, when: duplicate_executions > 0, expect: {never: true}}
  - {name: both, all: [{when: duplicate_executions > 0}, {when: success_rate >= 0%}]}
  - {name: either, any: [{when: duplicate_executions > 0}, {when: success_rate >= 0%}]}
"""


def test_conditions_on_it_never_hold_and_say_so() -> None:
    made = verdict(TWICE, ALERTS, identity=foreign())
    why = "not applicable: nobody promises exactly_once_effect"
    assert (made.aborts[0].held_at_s, made.aborts[0].not_applicable) == (None, why)
    assert [(each.name, len(each.firings), each.detail) for each in made.alerts] == [
        ("again", 0, why),
        ("both", 0, why),
        ("either", 1, ""),
    ]
    assert made.alerts[0].status is Status.NOT_APPLICABLE
    assert made.verdict is Outcome.PASS


def test_where_it_is_promised_they_hold() -> None:
    made = verdict(TWICE, ALERTS, identity=foreign("exactly_once_effect"), abort=False)
    assert made.aborts[0].held_at_s == 3.0
    assert [len(each.firings) for each in made.alerts] == [1, 1, 1]


FAULTS = """
slos: [success_rate >= 0%]
faults:
  - {name: lock, type: db_lock, rate: 50%}
  - {name: out, type: db_outage, at: 10s, for: 5s}
alerts: [{name: slow, when: latency_p95 > 1s, expect: {fires_within: 10s, of: out}}]
"""


def test_a_fault_that_was_left_out_is_not_demanded() -> None:
    made = verdict(DONE, FAULTS, until=100, identity=foreign(lock="its database is not known", out="no database"))
    assert [(each.name, each.status, each.detail) for each in made.faults] == [
        ("lock", Status.NOT_APPLICABLE, "its database is not known"),
        ("out", Status.NOT_APPLICABLE, "no database"),
    ]
    assert made.alerts[0].status is Status.NOT_APPLICABLE
    assert made.alerts[0].detail == "not applicable: fault out is left out: no database"
    assert made.verdict is Outcome.PASS


def test_one_that_was_not_is_demanded() -> None:
    made = verdict(DONE, FAULTS, until=100, identity=foreign(lock="its database is not known"))
    assert [each.status for each in made.faults] == [Status.NOT_APPLICABLE, Status.INCONCLUSIVE]
    assert made.verdict is Outcome.FAIL  # The alert did not fire.


def test_test_results_and_summaries_have_it_as_not_applicable() -> None:
    made = verdict(TWICE, SLOS, identity=foreign())
    case = next(each for each in verdict_cases(made) if each.name == "duplicate_executions == 0")
    assert (case.status, case.detail) == ("skipped", "not applicable: nobody promises exactly_once_effect")


def test_a_fault_that_the_scenario_does_not_have_any_more_is_shown() -> None:
    made = verdict(DONE, "slos: [success_rate >= 0%]", identity=foreign(lock="its database is not known"))
    assert [(each.name, each.type, each.status) for each in made.left_out] == [
        ("lock", "left_out", Status.NOT_APPLICABLE)
    ]
    assert made.verdict is Outcome.PASS


CRASHED = """
0 enqueued 1
1 dispatched 1 w0
1 started 1 w0
2 injected 1 fault=crash error=worker_crash
2 ended 1 w0 fault=crash error=worker_crash
"""


@pytest.mark.parametrize(("promises", "seen"), [("", 1), ("leases", 0)])
def test_the_crash_of_a_worker_shows_by_what_ended_with_it(promises: str, seen: int) -> None:
    text = "faults: [{name: crash, type: worker_crash, rate: 100%}]\nslos: [success_rate >= 0%]"
    [fault] = verdict(CRASHED, text, identity=foreign(promises)).faults
    assert (fault.seen, fault.status) == (seen, Status.PASS if seen else Status.INCONCLUSIVE)
