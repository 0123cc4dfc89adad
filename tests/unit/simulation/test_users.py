"""Users of a closed workload: who submits what when, given what has ended."""

import math
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from soak.runner.api import simulate_scenario
from soak.schemas.language.distributions import Constant, Exponential
from soak.schemas.language.load import load
from soak.schemas.language.model import Scenario
from soak.schemas.language.users import Users as Settings
from soak.schemas.language.users import build_users, most_per_s
from soak.schemas.stream.block import Block
from soak.schemas.stream.events import COPY, Kind
from soak.simulation.closed import COORDINATED_OMISSION
from soak.simulation.plan import Plan
from soak.simulation.queue.closed_need import need_of
from soak.simulation.repairman import balance, bound
from soak.simulation.room import room_of
from soak.simulation.run import simulate
from soak.simulation.turns import Turns

CALLS = """\
version: 1
name: callers
system: calls
duration: 10m
workload: {users: {count: 20, think: {distribution: exponential, mean: 5s}}}
calls: {dependencies: [{name: api, latency: {distribution: exponential, mean: 1s}}]}
"""
CONSTANT = {"distribution": "constant", "value": "10s"}


def scenario(tmp_path: Path, users: dict[str, Any], **more: Any) -> Scenario:
    workload = {
        "users": {"think": CONSTANT, **users},
        "task": {"duration": {"distribution": "constant", "value": "5s"}},
    }
    workload |= more.pop("workload", {})
    data = {"version": 1, "name": "x", "system": "queue", "duration": "10m", "drain": "5m", "workload": workload}
    data |= {"queue": {"workers": 100, "poll_interval": "0s"}} | more
    path = tmp_path / "x.yaml"
    path.write_text(yaml.safe_dump(data))
    return load(path).scenario


def rows(plan: Plan, *kinds: Kind) -> list[tuple[float, int]]:
    """Time and task number of all events of these kinds in a simulation."""
    found = []
    for block in simulate(plan):
        found += [(float(block.t[n]), int(block.task[n])) for n in range(len(block)) if block.kind[n] in kinds]
    return found


def due(plan: Plan) -> dict[int, float]:
    """When each task was due, in a simulation."""
    blocks: list[Block] = list(simulate(plan))
    return {
        int(block.task[n]): float(block.value[n])
        for block in blocks
        for n in range(len(block))
        if block.kind[n] == Kind.TASK_ENQUEUED
    }


# The number of users over time.


def settings(levels: list[tuple[float, float]]) -> Settings:
    return Settings(tuple(levels), Constant(1.0))


@pytest.mark.parametrize(
    ("data", "user", "windows"),
    [
        ({"count": 4}, 3, [(0.0, math.inf)]),
        ({"count": 4}, 4, []),
        ({"count": 4, "ramp": "40s"}, 0, [(0.0, math.inf)]),
        ({"count": 4, "ramp": "40s"}, 3, [(30.0, math.inf)]),
        ({"stages": [{"to": 4, "for": "40s"}, {"for": "20s"}, {"to": 0, "for": "40s"}]}, 3, [(30.0, 70.0)]),
        ({"stages": [{"to": 4, "for": "40s"}, {"for": "20s"}, {"to": 0, "for": "40s"}]}, 0, [(0.0, 100.0)]),
        ({"stages": [{"count": 5, "for": "10s"}, {"count": 1, "for": "10s"}, {"to": 3, "for": "20s"}]}, 1,
         [(0.0, 10.0), (20.0, math.inf)]),
        ({"stages": [{"count": 5, "for": "10s"}, {"count": 1, "for": "10s"}]}, 4, [(0.0, 10.0)]),
        ({"stages": [{"for": "10s"}, {"count": 4, "to": 0, "for": "40s"}]}, 1, [(10.0, 40.0)]),
    ],
)  # fmt: skip
def test_when_a_user_is_at_work(data: dict[str, Any], user: int, windows: list[tuple[float, float]]) -> None:
    users = build_users({"think": CONSTANT, **data}, lambda _: Constant(10.0))
    assert [(each.start_s, each.end_s) for each in users.windows(user)] == windows


LEVELS = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 6)), min_size=1, max_size=6)


@given(LEVELS, st.floats(0, 400))
def test_as_many_users_are_at_work_as_the_stages_say(steps: list[tuple[int, int]], t_s: float) -> None:
    levels, at_s = [(0.0, float(steps[0][1]))], 0.0
    for length_s, number in steps:
        at_s += length_s
        levels.append((at_s, float(number)))
    users = settings(levels)
    edges = {edge for user in range(6) for each in users.windows(user) for edge in (each.start_s, each.end_s)}
    if any(abs(edge - t_s) < 1e-6 for edge in edges | {at for at, _ in levels}):
        return
    at_work = sum(any(each.start_s <= t_s < each.end_s for each in users.windows(user)) for user in range(6))
    assert at_work == math.ceil(users.at(t_s))


# Turns.


def test_a_user_submits_waits_thinks_and_submits_again(tmp_path: Path) -> None:
    plan = Plan(scenario(tmp_path, {"count": 2, "ramp": "2m"}))
    submitted = due(plan)
    assert [submitted[number] for number in (0, 4, 8)] == [0.0, 15.0, 30.0]
    assert [submitted[number] for number in (2, 6)] == [60.0, 75.0]
    assert plan.planned == len(submitted) == 40 + 36


def test_after_a_session_a_user_pauses(tmp_path: Path) -> None:
    pause = {"distribution": "constant", "value": "1m"}
    plan = Plan(scenario(tmp_path, {"count": 1, "session": {"tasks": 2, "pause": pause}}))
    assert list(due(plan).values())[:5] == [0.0, 15.0, 80.0, 95.0, 160.0]


def test_a_user_gives_up_and_the_task_stays(tmp_path: Path) -> None:
    plan = Plan(scenario(tmp_path, {"count": 1, "timeout": "2s"}))
    assert list(due(plan).values())[:3] == [0.0, 12.0, 24.0]
    assert len(rows(plan.again(), Kind.TASK_DONE)) == 50


def test_users_who_leave_submit_nothing_more_and_go_on_when_they_are_back(tmp_path: Path) -> None:
    stages = [{"count": 1, "for": "20s"}, {"count": 0, "for": "1m"}, {"count": 1, "for": "1m"}]
    plan = Plan(scenario(tmp_path, {"stages": stages}))
    assert list(due(plan).values())[:4] == [0.0, 15.0, 80.0, 95.0]


def test_every_user_submits_an_equal_share_of_the_tasks(tmp_path: Path) -> None:
    plan = Plan(scenario(tmp_path, {"count": 3}, workload={"tasks": 7}))
    assert sorted(due(plan)) == [number << 1 for number in range(7)]


def test_tasks_and_think_times_are_the_same_whatever_the_system_does(tmp_path: Path) -> None:
    """With one worker instead of a hundred everything is later, but the think time after each task is the same."""
    users = {"count": 10, "think": {"distribution": "exponential", "mean": "10s"}}
    many, one = (scenario(tmp_path, users, queue={"workers": n, "poll_interval": "0s"}) for n in (100, 1))

    def think_s(of: Scenario) -> dict[int, float]:
        plan = Plan(of, seed=5)
        ended = {number: t_s for t_s, number in rows(plan, Kind.TASK_DONE)}
        submitted = due(plan.again())
        return {n: submitted[n + 20] - ended[n] for n in submitted if n + 20 in submitted}

    fast, slow = think_s(many), think_s(one)
    assert len(fast) > 2 * len(slow) > 100
    assert {n: fast[n] for n in slow} == pytest.approx(slow, abs=3e-6)


@pytest.mark.parametrize(("rate", "permanent"), [(1.0, False), (1.0, True)])
def test_a_second_submission_is_not_the_user_s(tmp_path: Path, rate: float, permanent: bool) -> None:
    """It is skipped, or, where the first has failed, done once more; the user waits for the first only."""
    delay = {"distribution": "constant", "value": "6s"}
    faults: list[dict[str, Any]] = [{"name": "twice", "type": "duplicate_enqueue", "rate": rate, "delay": delay}]
    faults += [{"name": "bad", "type": "permanent_error", "rate": 1.0}] if permanent else []
    plan = Plan(scenario(tmp_path, {"count": 1}, faults=faults))
    submitted = due(plan)
    firsts = {number: t_s for number, t_s in submitted.items() if not number & COPY}
    assert list(firsts.values())[:3] == [0.0, 15.0, 30.0]
    assert (len(submitted) == 2 * len(firsts)) == permanent
    assert len(rows(plan.again(), Kind.TASK_DUPLICATE)) == len(firsts)
    assert plan.planned == 2 * len(firsts)


def test_work_that_cannot_be_accepted_is_waited_for(tmp_path: Path) -> None:
    faults = [{"name": "out", "type": "db_outage", "at": "20s", "for": "1m"}]
    plan = Plan(scenario(tmp_path, {"count": 1}, faults=faults))
    # Due at 30 s, accepted at 80 s, done at 85 s.
    assert list(due(plan).values())[:4] == [0.0, 15.0, 30.0, 95.0]


def test_arrivals_that_end_early_are_not_planned(tmp_path: Path) -> None:
    plan = Plan(scenario(tmp_path, {"count": 2}))
    plan.end_arrivals(40.0)
    assert set(due(plan).values()) == {0.0, 15.0, 30.0}
    assert plan.planned == 6


def test_news_that_come_late_lose_no_turn(tmp_path: Path) -> None:
    """As for real: an end is seen when the next submission is overdue already."""
    plan = Plan(scenario(tmp_path, {"count": 1, "timeout": "1m"}))
    turns = plan.turns()
    assert list(turns.take(3.0)) == [(0.0, 0, 0)]
    turns.ended(0, 5.0)
    turns.ended(0, 6.0)
    assert turns.next_s == 15.0
    assert list(turns.take(100.0)) == [(15.0, 2, 0), (85.0, 4, 0)]
    turns.ended(2, 100.0)
    assert turns.next_s == 145.0


def test_callers_ask_once_for_each_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was asked for later than something that came up since is not asked for again and again."""
    path, asked = tmp_path / "calls.yaml", list[float]()
    path.write_text(CALLS)
    inner = Turns.take
    monkeypatch.setattr(Turns, "take", lambda turns, until_s: asked.append(until_s) or inner(turns, until_s))
    plan = Plan(load(path).scenario)
    submitted = len(due(plan))
    assert submitted > 1_000
    assert len(asked) <= 2 * submitted


def test_a_slow_user_needs_no_more_draws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Turns that are far apart are in different blocks of draws: all of them are kept."""
    drawn: list[int] = []
    plan = Plan(scenario(tmp_path, {"count": 100, "think": {"distribution": "exponential", "mean": "1s"}}))
    assert plan.users
    inner = plan.users._draw
    monkeypatch.setattr(plan.users, "_draw", lambda *at: drawn.append(1) or inner(*at))
    for turn in range(0, 4_000, 400):
        for user in (0, 99):
            plan.users.think_s(user, turn)
            plan.fate((turn * 100 + user) << 1, 1, 0.0)
    assert isinstance(plan.turns(), Turns)
    assert len(drawn) <= 100


# Theory.


def test_the_balance_of_two_users_and_one_worker() -> None:
    """By hand: with equal rates the chances of 0, 1 and 2 tasks in the system are 1 : 2 : 2."""
    found = balance(2, 1.0, 1.0, 1)
    assert found.in_system == pytest.approx(6 / 5)
    assert found.throughput_per_s == pytest.approx(4 / 5)


@given(st.integers(1, 2_000), st.floats(0.1, 1_000), st.floats(0.01, 1_000), st.integers(1, 50))
def test_the_balance_keeps_little_s_law_and_the_bounds(
    users: int, between_s: float, service_s: float, workers: int
) -> None:
    found = balance(users, between_s, service_s, workers)
    response_s = found.in_system / found.throughput_per_s
    assert found.throughput_per_s * (response_s + between_s) == pytest.approx(users)
    assert found.throughput_per_s <= bound(users, between_s, service_s, workers) * (1 + 1e-9)
    assert response_s >= service_s * (1 - 1e-6)
    assert balance(users + 1, between_s, service_s, workers).throughput_per_s >= found.throughput_per_s * (1 - 1e-9)


def test_the_most_that_users_submit() -> None:
    users = settings([(0.0, 10.0)])
    assert most_per_s(users, Exponential(4.0), math.inf) == 2.0
    assert most_per_s(users, Exponential(4.0), 2) == 0.5


def test_the_plan_says_what_a_closed_workload_asks_for(tmp_path: Path) -> None:
    of = scenario(tmp_path, {"count": 20}, queue={"workers": 3, "poll_interval": "0s"})
    room = room_of("queue")
    figures = room.forecast(Plan(of))
    assert figures.users_most_per_s == pytest.approx(20 / 15)
    assert figures.workers_most_per_s == pytest.approx(3 / 5)
    assert figures.most_per_s == figures.workers_most_per_s
    assert figures.balance_users == pytest.approx(9.0)
    assert figures.expected_per_s == pytest.approx(balance(20, 10.0, 5.0, 3).throughput_per_s)
    assert figures.warnings[0].startswith(
        "saturated by design: the users could submit 1.333/s, but the workers end 36/min"
    )
    assert figures.warnings[-1] == COORDINATED_OMISSION
    told = "\n".join(room.figures(of, figures))
    assert "20; think time 10s on average" in told
    assert "the 3 workers 36/min; equal at 9.0 users" in told


def test_attempts_and_polls_are_part_of_what_a_task_needs(tmp_path: Path) -> None:
    faults = [{"name": "flaky", "type": "transient_error", "rate": 0.5}]
    queue = {"workers": 3, "poll_interval": "2s", "retry": {"max_attempts": 2, "backoff": ["1s"]}}
    need = need_of(scenario(tmp_path, {"count": 2}, faults=faults, queue=queue))
    assert need.attempts == 1.5
    assert need.held_s == pytest.approx(7.5)
    assert need.taken_s == pytest.approx(9.0)


KINDS = [
    {"name": "fast", "share": "75%", "task": {"duration": {"distribution": "constant", "value": "1s"}}},
    {"name": "slow", "share": "25%", "task": {"duration": {"distribution": "constant", "value": "20s"}}},
]
QUEUES = [{"name": "a", "workers": 8, "kinds": ["fast"]}, {"name": "b", "workers": 1, "kinds": ["slow"]}]


def test_users_of_several_queues_are_held_up_by_the_busiest(tmp_path: Path) -> None:
    """Of the tasks a quarter needs 20 s of one worker: 1 / (0.25 * 20 s) is all that the users can have done."""
    of = scenario(
        tmp_path,
        {"count": 20},
        workload={"kinds": KINDS},
        queue={"queues": QUEUES, "poll_interval": "0s"},
        duration="10h",
    )
    figures = room_of("queue").forecast(Plan(of))
    assert figures.most_per_s == pytest.approx(0.2)
    done = len(rows(Plan(of), Kind.TASK_DONE))
    assert done == pytest.approx(0.2 * 36_000, rel=0.05)


def test_second_submissions_may_be_of_a_kind(tmp_path: Path) -> None:
    faults = [{"name": "twice", "type": "duplicate_enqueue", "rate": 1.0, "kind": "slow"}]
    plan = Plan(scenario(tmp_path, {"count": 5}, workload={"kinds": KINDS}, faults=faults))
    copies = {number & ~COPY for _, number in rows(plan, Kind.TASK_DUPLICATE)}
    assert plan.kinds
    slow = {number for number in due(plan.again()) if not number & COPY and plan.kinds.one(number) == 1}
    assert len(slow) > 10
    # The last ones may come again only after the end.
    assert copies <= slow
    assert len(slow - copies) <= 5


def test_the_number_of_workers_may_change(tmp_path: Path) -> None:
    """Ten users keep one worker busy all the time, and from 5 min on all ten of them."""
    queue = {"workers": 1, "poll_interval": "0s", "schedule": [{"at": "5m", "workers": 10}]}
    of = scenario(tmp_path, {"count": 10}, queue=queue)
    ended = [t_s for t_s, _ in rows(Plan(of), Kind.TASK_DONE)]
    assert len([t_s for t_s in ended if t_s <= 300]) == 60
    assert len([t_s for t_s in ended if 330 < t_s <= 600]) == pytest.approx(270 / 15 * 10, rel=0.05)
    assert room_of("queue").forecast(Plan(of)).expected_tasks == pytest.approx(len(ended), rel=0.05)


def test_verdict_and_evidence_of_a_closed_run(tmp_path: Path) -> None:
    scenario(tmp_path, {"count": 5})
    verdict = simulate_scenario(load(tmp_path / "x.yaml"))[0]
    assert verdict.load is not None
    assert (verdict.load.planned, verdict.load.offered) == (200, 200)
    assert verdict.slis["submission_lag_p99"] == 0.0


def test_users_who_wait_for_a_slow_system_do_not_make_many_blocks(tmp_path: Path) -> None:
    think = {"distribution": "constant", "value": "1ms"}
    plan = Plan(scenario(tmp_path, {"count": 50, "think": think}, queue={"workers": 2}, slos=["success_rate >= 50%"]))
    assert len(list(simulate(plan))) < 20
