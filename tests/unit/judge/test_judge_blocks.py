"""A verdict does not depend on where the blocks of the stream end."""

from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from histories import IDENTITY, judge, make_judge, pieces
from hypothesis import given, settings
from hypothesis import strategies as st

from soak.runner.judge.decide import decide
from soak.runner.judge.judge import Judge
from soak.schemas.evidence.verdict import Checkpoint, End, Verdict
from soak.schemas.stream.block import Block, merge
from soak.simulation.plan import Plan
from soak.simulation.run import simulate

LOAD = """
duration: 20m
drain: 10m
warmup: 1m
seed: 3
workload:
  tenants: [{name: A, share: 60%}, {name: B, share: 40%}]
  arrivals: {rate: 20/min, process: constant}
  task: {duration: {distribution: constant, value: 5s}}
phases: [{name: early, at: 0s, for: 10m}, {name: late, at: 10m, for: 10m}]
queue: {dispatchers: 3, claim_time: 200ms, lease: {duration: 30s, heartbeat: 10s}, retry: {backoff: [10s, 30s]}}
checkpoints: {every: 5m}
faults:
  - {name: net, type: transient_error, rate: 15%, errors: [timeout, refused]}
  - {name: lock, type: db_lock, rate: 5%}
  - {name: bug, type: permanent_error, rate: 5%}
  - {name: twice, type: duplicate_enqueue, rate: 5%}
  - {name: budget, type: guardrail_exceed, rate: 5%}
  - {name: crash, type: worker_crash, rate: 3%}
  - {name: hang, type: worker_hang, rate: 3%, hang_for: 1m}
  - {name: down, type: db_outage, at: 8m, for: 1m}
slis:
  retries: {ratio: {good: task.retry, total: task.dispatched}}
  alerts: {count: alert.fired}
slos:
  - success_rate >= 90%
  - {objective: "latency_p95{tenant=*} <= 2m", confidence: 95%}
  - latency_mean{phase=late} <= 1.2x phase=early
  - lease_contentions{tenant=A} <= 100
  - backoff_violations == 0
  - stall_time <= 2m
  - retries <= 30%
alerts:
  - {name: a, when: success_rate < 95%, window: 2m, expect: {max_flaps: 0}}
  - {name: b, when: latency_p95 > 30s, window: 3m, for: 20s, keep_firing_for: 1m}
  - {name: c, when: "latency_mean{tenant=B} > 20s", window: 1m}
  - {name: d, when: state_transitions < 20, window: 1m}
  - {name: e, when: throughput < 15/min, window: 90s}
  - {name: f, when: stall_time >= 20s}
  - {name: g, when: retries > 20%, window: 2m, min_samples: 5}
  - {name: h, when: queue_depth > 5, window: 3m}
  - {name: i, when: recovery_rate < 100%}
"""
ABORTING = LOAD + "abort: [{name: slow, when: latency_p95 > 60s, window: 3m, for: 30s}]\n"


@cache
def whole(text: str) -> Block:
    """A simulated stream as one block."""
    made = make_judge(text)
    return merge(list(simulate(Plan(made.scenario))))


Judged = tuple[Verdict, list[Checkpoint], list[int]]


def judged(text: str, blocks: list[Block]) -> Judged:
    """All that a judge says of a stream."""
    made = make_judge(text)
    for block in blocks:
        for _ in made.observe(block):
            pass
        if made.aborted_by:
            break
    end = End.ABORTED if made.aborted_by else End.COMPLETED
    return decide(made, IDENTITY, end), made.checkpoints, made.kinds_seen.tolist()


@cache
def in_one(text: str) -> Judged:
    """What is said of the stream in one block."""
    return judged(text, [whole(text)])


cuts = st.sets(st.integers(1, 10_000), max_size=12)


@settings(max_examples=40, deadline=None)
@given(cuts=cuts)
def test_blocks_may_end_anywhere(cuts: set[int]) -> None:
    block = whole(LOAD)
    assert judged(LOAD, pieces(block, [cut % len(block) for cut in cuts])) == in_one(LOAD)


@settings(max_examples=25, deadline=None)
@given(times=st.sets(st.integers(1, 20 * 60), max_size=12))
def test_blocks_may_end_between_events(times: set[int]) -> None:
    rest, blocks = whole(LOAD), []
    for time in sorted(times):
        first, rest = rest.split(float(time))
        blocks.append(first)
    assert judged(LOAD, [*blocks, rest]) == in_one(LOAD)


def test_a_block_for_each_event() -> None:
    block = whole(LOAD).up_to(300.0)
    assert judged(LOAD, pieces(block, range(len(block)))) == judged(LOAD, [block])


@settings(max_examples=25, deadline=None)
@given(cuts=cuts)
def test_an_abort_takes_effect_at_the_same_event(cuts: set[int]) -> None:
    block = whole(ABORTING)
    # What happens at the very time of the abort belongs to the run if it comes in the same block.
    places = {int(np.searchsorted(block.t, block.t[cut % len(block)])) for cut in cuts}
    found = judged(ABORTING, pieces(block, sorted(places)))
    assert found[0].verdict == "ABORTED"
    assert found == in_one(ABORTING)


def test_the_streams_here_are_worth_cutting() -> None:
    verdict, checkpoints, _ = in_one(LOAD)
    block = whole(LOAD)
    assert sum(b == a for a, b in pairwise(block.t.tolist())) > 500
    assert all(alert.firings for alert in verdict.alerts)
    assert all(objective.samples for objective in verdict.objectives)
    assert len(checkpoints) >= 4
    assert in_one(ABORTING)[0].ended_s < block.until_s


# Hard places.

SAME_TIME = "0 enqueued 1\n0 enqueued 2\n0 dispatched 1\n0 dispatched 2\n9 failed 1\n9 done 2\n"


@pytest.mark.parametrize(("when", "fired"), [("< 50%", []), ("<= 50%", [(9.0, None)])])
@pytest.mark.parametrize("cut", range(7))
def test_a_cut_between_events_at_the_same_time(cut: int, when: str, fired: list[tuple[float, None]]) -> None:
    text = f"alerts: [{{name: a, when: success_rate {when}, window: 1m}}]"
    made = judge(SAME_TIME + "20 rss 1", text, cuts=(cut,))
    assert [(f.fired_s, f.resolved_s) for f in made.alerts[0][1].timer.firings] == fired


@pytest.mark.parametrize("cut", range(7))
def test_a_cut_at_the_time_of_a_checkpoint(cut: int) -> None:
    made = judge(SAME_TIME + "20 rss 1", "checkpoints: {every: 9s}", cuts=(cut,))
    first = made.checkpoints[0]
    assert (first.t_s, first.states["IN_PROGRESS"], first.slis["success_rate"]) == (9.0, 2, None)
    assert [row.t_s for row in made.checkpoints] == [9.0, 18.0]


def test_checkpoints_of_awkward_times() -> None:
    made = judge("0 rss 1\n1 rss 1", "duration: 1m\ndrain: 0s\ncheckpoints: {every: 100ms}")
    assert [round(row.t_s, 3) for row in made.checkpoints] == [round(n / 10, 3) for n in range(1, 11)]


@pytest.mark.parametrize("cut", [1, 2])
def test_a_cut_between_a_contention_and_its_dispatch(cut: int) -> None:
    def samples(made: Judge) -> int:
        return made.folds.fold(made.scenario.slis["lease_contentions"]).samples

    history = "0 enqueued 1\n1 contended 1 value=2\n1 dispatched 1"
    assert samples(judge(history, cuts=(cut,))) == samples(judge(history)) == 1


ATTEMPT = "{0} dispatched 1\n{0} started 1 @{1}\n"
HISTORIES = {
    "an execution after the end": "0 enqueued 1\n"
    + ATTEMPT.format(1, 1)
    + "9 ended 1\n9 done 1\n20 started 1 @2\n21 ended 1 @2",
    "a copy after the end": "0 enqueued 1\n"
    + ATTEMPT.format(1, 1)
    + "9 ended 1\n9 done 1\n20 started 1.2\n21 ended 1.2\n22 started 1 @2",
    "a zombie": "0 enqueued 1\n"
    + ATTEMPT.format(1, 1)
    + "60 expired 1\n60 retry 1 due=60\n"
    + ATTEMPT.format(61, 2)
    + "70 ended 1 @1\n70 refused 1 @1\n75 ended 1 @2\n75 done 1 @2",
    "a failure in the ledger": "0 enqueued 1\n" + ATTEMPT.format(1, 1) + "9 ended 1 error=bad\n9 done 1\n10 rss 1",
    "a backoff cut short": "0 enqueued 1\n"
    + ATTEMPT.format(1, 1)
    + "5 ended 1 error=net\n5 retry 1 error=net due=65\n"
    + ATTEMPT.format(30, 2)
    + "40 ended 1\n40 done 1",
    "a key that comes again": "0 enqueued 1\n1 dispatched 1\n2 failed 1\n3 duplicate 1.2\n3 enqueued 1.2\n4 rss 1",
    "a duplicate taken in": "0 enqueued 1\n1 duplicate 1.2\n1 enqueued 1.2\n2 duplicate 1.2\n2 skipped 1.2\n3 rss 1",
    "many tasks": "\n".join(f"{n} enqueued {n}\n{n} dispatched {n}\n{n} done {n}" for n in range(9)),
    "a task that is done twice": "0 enqueued 1\n1 dispatched 1\n5 failed 1\n6 done 1\n7 done 1\n9 rss 1",
    "a task that comes again": "0 enqueued 1\n1 dispatched 1\n2 retry 1 error=net\n3 dispatched 1\n3 expired 1\n"
    "4 failed 1\n5 ended 1 error=net\n6 retry 1 due=6\n7 dispatched 1\n9 done 1\n10 rss 1",
    "a lease that expires too late": "0 enqueued 0\n0 enqueued 1\n1 dispatched 1\n2 expired 1\n2 retry 1 due=2\n"
    "3 dispatched 1\n4 failed 1\n5 expired 1\n6 retry 1 due=6\n7 dispatched 1\n8 expired 1\n9 done 1",
    "a long wait": "0 enqueued 0\n"
    + "\n".join(f"{n} enqueued {n}\n{n} dispatched {n}\n{n} done {n}" for n in range(1, 600))
    + "\n600 dispatched 0\n610 done 0",
    "events that were lost": "0 lost 9\n1 retry 1 due=1\n2 dispatched 1\n3 done 1\n4 failed 2\n5 ended 3\n5 done 3",
    "an end without a start": "0 enqueued 1\n1 dispatched 1\n2 ended 1\n3 started 1\n4 started 1 @2\n9 ended 1\n9 rss 1",
    "illegal steps": "1 enqueued 1\n2 enqueued 1\n3 dispatched 1\n4 retry 1\n5 failed 1\n6 done 1",
    "work that waits": "0 deferred 1\n50 enqueued 1 due=0\n60 dispatched 1\n70 enqueued 2\n99 rss 1",
}


@pytest.mark.parametrize("name", HISTORIES)
def test_a_history_may_be_cut_anywhere(name: str) -> None:
    history = HISTORIES[name]
    expected = judge(history)
    lines = len(history.splitlines())
    for cut in range(1, lines, 1 + lines // 20):
        made = judge(history, cuts=(cut,))
        assert made.slis() == expected.slis(), cut
        assert made.lifecycle.tracker.ledger_mismatches == expected.lifecycle.tracker.ledger_mismatches, cut
        assert made.lifecycle.unfinished() == expected.lifecycle.unfinished(), cut
        assert made.lifecycle.littles_law() == pytest.approx(expected.lifecycle.littles_law()), cut
    one_by_one = judge(history, cuts=range(1, len(history.splitlines())))
    assert one_by_one.slis() == expected.slis()
