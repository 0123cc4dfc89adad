"""Abort conditions end the run at the exact event, and leave no trace of what came after it."""

from types import SimpleNamespace

import pytest
from histories import IDENTITY, block_of, loaded, make_judge, observed, pieces, verdict

from soak.runner.engine import execute, identify
from soak.runner.judge.decide import decide
from soak.runner.targets.simulation import Simulation
from soak.schemas.evidence.verdict import End
from soak.schemas.stream.events import Kind
from soak.simulation.plan import Plan

RULE = "abort: [{name: collapse, when: success_rate < 50%, window: 5m, min_samples: 2}]\n"
HISTORY = """
0  enqueued 1
0  enqueued 2
0  enqueued 3
1  dispatched 1
1  dispatched 2
1  dispatched 3
5  failed 1
9  failed 2
9  rss 1000
10 rss 2000
11 done 3
"""


def test_the_run_ends_at_the_event() -> None:
    result = verdict(HISTORY, RULE)
    assert (result.verdict, result.end, result.ended_s) == ("ABORTED", "aborted", 9.0)
    [abort] = result.aborts
    assert (abort.name, abort.held_at_s, abort.value, abort.target) == ("collapse", 9.0, 0.0, 0.5)
    assert result.reasons[0] == "abort condition collapse (success_rate < 50%) held at 9s, 0% observed"


def test_nothing_after_the_end_is_judged() -> None:
    result = verdict(HISTORY, f"{RULE}slis: {{samples: {{count: sample.rss}}}}")
    assert (result.slis["samples"], result.slis["rss"], result.slis["success_rate"]) == (1, 1000, 0.0)
    assert (result.tasks["FAILED"], result.tasks["DONE"], result.unfinished) == (2, 0, 1)


@pytest.mark.parametrize("cuts", [(), (7,), (8,), (9,), range(11)])
def test_the_stream_is_cut_there(cuts: tuple[int, ...]) -> None:
    made = make_judge(RULE)
    kept = observed(made, pieces(block_of(HISTORY, made.vocabulary), cuts))
    assert sum(map(len, kept)) == 9
    assert max(t for block in kept for t in block.t.tolist()) == 9.0
    assert made.until_s == 9.0


def test_an_event_at_the_same_time_in_the_same_block_is_kept() -> None:
    made = make_judge(RULE)
    [kept] = observed(made, [block_of(HISTORY, made.vocabulary)])
    assert kept.kind.tolist()[-2:] == [Kind.TASK_FAILED, Kind.SAMPLE_RSS]


def test_the_run_may_end_between_events() -> None:
    rule = "abort: [{name: stalled, when: stall_time >= 1m}]"
    result = verdict("0 enqueued 1\n10 dispatched 1\n11 done 1\n20 enqueued 2\n500 dispatched 2\n501 done 2", rule)
    assert (result.verdict, result.ended_s) == ("ABORTED", 80.0)
    assert result.tasks["DONE"] == 1


def test_the_last_word_of_a_run_is_kept() -> None:
    # The run ends just when a status row is due.
    made = make_judge("abort: [{name: stalled, when: stall_time >= 1m}]\ncheckpoints: {every: 1m}")
    observed(made, [block_of("0 enqueued 1\n500 rss 1", made.vocabulary)])
    assert made.aborted_by is not None
    assert made.until_s == 60.0
    last = list(made.observe(block_of("60 run.aborted name=stalled", made.vocabulary)))
    assert [kind for block in last for kind in block.kind.tolist()] == [Kind.RUN_ABORTED]


def test_the_earliest_condition_ends_the_run() -> None:
    rules = """
        abort:
          - {name: late, when: success_rate < 50%, for: 1m}
          - {name: early, when: success_rate < 50%, for: 30s}
          - {name: never, when: success_rate < 0%}
    """
    result = verdict("0 enqueued 1\n1 dispatched 1\n5 failed 1", rules, until=600)
    assert [abort.held_at_s for abort in result.aborts] == [None, 35.0, None]
    assert result.reasons[0].startswith("abort condition early")


def test_of_conditions_that_hold_at_once_the_first_in_the_file_ends_the_run() -> None:
    rules = "abort: [{name: a, when: success_rate < 50%}, {name: b, when: latency_max >= 5s}]"
    result = verdict("0 enqueued 1\n1 dispatched 1\n5 failed 1", rules)
    assert [abort.held_at_s for abort in result.aborts] == [5.0, 5.0]
    assert result.reasons[0].startswith("abort condition a ")


def test_a_condition_that_did_not_hold_for_long_enough_does_not_end_the_run() -> None:
    recovers = HISTORY.replace("11 done 3", "11 done 3\n12 done 1")
    assert verdict(recovers, RULE.replace("min_samples: 2", "for: 10s")).end == "completed"


def test_without_abort_the_run_goes_on_and_fails() -> None:
    result = verdict(HISTORY, f"slos: [rss <= 9kB]\n{RULE}", abort=False)
    assert (result.verdict, result.end, result.ended_s) == ("FAIL", "completed", 11.0)
    assert result.reasons == ["abort condition collapse held at 9s (the run continued)"]
    assert result.objectives[0].status == "PASS"
    assert result.tasks["DONE"] == 1


def test_alerts_after_the_end_do_not_fire() -> None:
    text = f"{RULE}alerts: [{{name: fat, when: rss >= 1kB}}, {{name: fatter, when: rss >= 2kB}}]"
    made = make_judge(text)
    observed(made, [block_of(HISTORY, made.vocabulary)])
    observed(made, [block_of("9 run.aborted name=collapse", made.vocabulary)])
    assert [len(guard.timer.firings) for _, guard in made.alerts] == [1, 0]


def test_an_aborted_run_also_says_what_was_broken() -> None:
    result = verdict(HISTORY, f"slos: [success_rate >= 90%]\n{RULE}")
    assert (result.verdict, len(result.reasons)) == ("ABORTED", 2)
    assert result.objectives[0].status == "FAIL"


LAST = """
duration: 1m
drain: 10m
workload: {tasks: 1, arrivals: {process: constant, rate: 1/min}, task: {duration: {distribution: constant, value: 2m}}}
faults: [{name: bug, type: permanent_error, rate: 100%}]
slos: [success_rate >= 0%]
abort: [{name: collapse, when: success_rate < 50%}]
"""


def test_a_run_is_aborted_by_its_very_last_event() -> None:
    """With the only task the run is over, at the instant at which its failure is known."""
    made = loaded(LAST)
    plan, target, kept = Plan(made.scenario), Simulation(), []
    sink = SimpleNamespace(append=lambda block, _: kept.append(block))
    result, _ = execute(plan, target, identify(made.scenario, made.sha256, plan.seed, target, abort=True), [sink])
    [abort] = result.aborts
    assert (result.verdict, result.end, abort.held_at_s) == ("ABORTED", "aborted", result.ended_s)
    kinds = [Kind(kind) for block in kept for kind in block.kind.tolist()]
    assert Kind.RUN_ENDED not in kinds
    assert kinds[-1] is Kind.RUN_ABORTED
    again = make_judge(LAST)
    observed(again, kept)
    assert decide(again, IDENTITY, End.ABORTED).aborts == result.aborts
