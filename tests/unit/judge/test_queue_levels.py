"""Workers that are up and tasks that are PENDING, exactly: against counting, and wherever blocks end."""

import pytest
from histories import block_of, judge, make_judge, observed, pieces, sli, verdict
from hypothesis import given
from hypothesis import strategies as st

from soak.runner.judge.judge import Judge
from soak.schemas.evidence.verdict import Status
from soak.schemas.stream.block import Block
from soak.schemas.stream.events import NEW_STATE, Kind
from soak.schemas.stream.states import TaskState

BOTH = "queue: {workers: 3}\nslos: [workers_alive >= 0, queue_depth_max <= 1000]\n"

CRASHES = """
10 process.exited w0 name=w0
20 process.exited w2 name=w2
20 busy_workers 1
30 process.started w0 name=w0
40 process.started w5 name=w5
40 process.started w2 name=w2
50 process.exited w5 name=w5
50 process.exited w1 name=w1
60 process.started w1 name=w1
"""


def test_the_fewest_workers_that_were_up() -> None:
    assert sli("workers_alive", CRASHES, BOTH) == 1


def test_a_worker_that_dies_and_is_back_at_the_same_instant_was_never_away() -> None:
    history = "10 process.exited w0 name=w0\n10 process.started w0 name=w0\n20 busy_workers 0\n"
    assert sli("workers_alive", history, BOTH) == 3


def test_what_is_told_twice_counts_once() -> None:
    history = (
        "10 process.exited w0 name=w0\n12 process.exited w0 name=w0\n14 process.started w1 name=w1\n20 busy_workers 0\n"
    )
    assert sli("workers_alive", history, BOTH) == 2


def test_a_process_that_is_no_worker_does_not_count() -> None:
    history = "10 process.exited name=watchdog\n20 busy_workers 0\n"
    assert sli("workers_alive", history, BOTH) == 3


def test_a_worker_of_another_name_that_exits_was_one_of_them() -> None:
    history = "10 process.exited w7 name=mine\n20 process.started w7 name=mine\n30 busy_workers 0\n"
    assert sli("workers_alive", history, BOTH) == 2


def test_the_depth_between_samples_is_seen() -> None:
    history = """
    0 enqueued 1
    1 enqueued 2
    2 enqueued 3
    3 dispatched 1
    4 dispatched 2
    5 queue_depth 1
    6 dispatched 3
    """
    assert sli("queue_depth_max", history, BOTH) == 3
    assert sli("queue_depth", history, BOTH) == 1


def test_what_is_dispatched_the_moment_it_comes_was_never_waiting() -> None:
    history = "0 enqueued 1\n0 dispatched 1\n5 enqueued 2\n5 dispatched 2\n9 queue_depth 0\n"
    assert sli("queue_depth_max", history, BOTH) == 0


def test_too_few_workers_break_an_objective_and_raise_an_alert_until_they_are_back() -> None:
    text = "queue: {workers: 3}\nslos: [workers_alive >= 2]\nalerts: [{name: few, when: workers_alive < 3, for: 15s}]\n"
    made = verdict(CRASHES, text)
    assert made.objectives[0].status is Status.FAIL
    assert made.objectives[0].value == 1
    few = judge(CRASHES, text).alerts[0][1].timer.firings
    # Two are up from 10 s on; at 40 s there are 4.
    assert [(firing.fired_s, firing.resolved_s) for firing in few] == [(25.0, 40.0)]


def test_in_a_window_the_fewest_count() -> None:
    text = "queue: {workers: 3}\nabort: [{name: one, when: workers_alive < 2, window: 5s}]\n"
    held = judge(CRASHES, text, abort=False).aborts[0].timer
    assert held.firings[0].fired_s == 20.0


def counted(block: Block) -> int:
    """The most tasks that were PENDING after any instant, by counting."""
    states: dict[int, TaskState] = {}
    most, count = 0, len(block)
    for place in range(count):
        kind = Kind(int(block.kind[place]))
        if kind in NEW_STATE and block.task[place] >= 0:
            states[int(block.task[place])] = NEW_STATE[kind]
        if place + 1 == count or block.t[place + 1] > block.t[place]:
            most = max(most, sum(state is TaskState.PENDING for state in states.values()))
    return most


def alive(block: Block, workers: int) -> int:
    """The fewest workers that were up after any instant, by counting."""
    up, fewest, count = set(range(workers)), workers, len(block)
    for place in range(count):
        if block.kind[place] == Kind.PROCESS_STARTED:
            up.add(int(block.worker[place]))
        elif block.kind[place] == Kind.PROCESS_EXITED:
            up.discard(int(block.worker[place]))
        if place + 1 == count or block.t[place + 1] > block.t[place]:
            fewest = min(fewest, len(up))
    return fewest


@st.composite
def histories(draw: st.DrawFn) -> str:
    """Tasks and workers in any order, several things at one instant."""
    lines, t = [], 0
    words = ["enqueued", "dispatched", "retry", "done", "exited", "started"]
    for _ in range(draw(st.integers(1, 30))):
        t += draw(st.sampled_from([0, 0, 1, 7]))
        word, number = draw(st.sampled_from(words)), draw(st.integers(0, 4))
        if word in {"exited", "started"}:
            lines.append(f"{t} process.{word} w{min(number, 2)} name=w{min(number, 2)}")
        else:
            lines.append(f"{t} {word} {number}")
    return "\n".join([*lines, f"{t + 1} queue_depth 0", f"{t + 1} busy_workers 0"])


def seen(made: Judge, blocks: list[Block]) -> tuple[float, float]:
    observed(made, blocks)
    observed(made, [block_of(f"{blocks[-1].until_s} run.ended", made.vocabulary)])
    return tuple(made.sli_value(made.scenario.slis[name]) for name in ("queue_depth_max", "workers_alive"))  # type: ignore[return-value]


@given(histories(), st.lists(st.integers(0, 32)))
def test_they_are_what_counting_gives_wherever_blocks_end(history: str, cuts: list[int]) -> None:
    made = make_judge(BOTH)
    block = block_of(history, made.vocabulary)
    known = [cut for cut in cuts if cut < len(block)]
    assert seen(made, pieces(block, known)) == (counted(block), alive(block, 3))


@pytest.mark.parametrize("text", ["", "queue: {workers: 3}\n"])
def test_a_scenario_that_does_not_ask_has_neither(text: str) -> None:
    slis = make_judge(text).scenario.slis
    assert {"workers_alive", "queue_depth_max"}.isdisjoint(slis)
    assert "queue_depth" in slis
